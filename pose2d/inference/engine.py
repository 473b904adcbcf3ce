"""Apply a network to whole images or to windows of them."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from ...datasets import Array
from ...formats.video.reading import Image
from ..networks.blocks import fold_norms
from ..networks.small_resnet import Small
from ..networks.template_matching import TemplateMatching
from ..pictures.image_transforms import apply_affine, invert_affine, scaling, warp, window
from ..published_networks.published_network import Network
from .decoding import Peaks, find_peaks, find_several_peaks
from .runtimes import SIDE, BatchMemory, Run, choose_runtime, make_run, memory_of, one_thread

View = tuple[Array, tuple[int, int]]  # (2, 3) map from an image into the network's input, and its (width, height)


class Found(NamedTuple):
    """Keypoints of one image, in its pixels.

    points : (n_keypoints, 2)
    mass : (n_keypoints,) probability around the peak
    covariances : (n_keypoints, 2, 2) as predicted, not calibrated
    evidence : (n_keypoints,) log-odds of the peak to "absent"
    near : (n_keypoints,) variance of the place over the cells around the peak, the target's own width included
    elsewhere : (n_keypoints,) probability of the cells beyond, given that the keypoint is not absent
    scatter : (n_keypoints, 2, 2) second moments of the cells beyond about the point
    others : (n_keypoints, n_peaks - 1, `ROW_WIDTH`) its weaker peaks in the unaugmented view, see `as_rows`
    """

    points: Array
    mass: Array
    covariances: Array
    evidence: Array
    near: Array
    elsewhere: Array
    scatter: Array
    others: Array = np.empty((0, 0, 0))

    @property
    def absence(self) -> Array:
        """(n_keypoints,) log-odds of "absent": that a human would not have labelled the keypoint."""
        absent = np.clip(self.mass * np.exp(-np.clip(self.evidence, -30, 30)), 1e-4, 1 - 1e-4)
        return np.log(absent / (1 - absent))


_OF_PEAK = Found._fields[:-1]
# of one keypoint in each field of `Found`; those not named are single numbers
_SHAPES = {"points": (2,), "covariances": (2, 2), "scatter": (2, 2)}
_SIZES = [math.prod(_SHAPES.get(name, ())) for name in _OF_PEAK]
ROW_WIDTH = sum(_SIZES)


def as_rows(found: Found) -> np.ndarray:
    """(n_keypoints, n_peaks * `ROW_WIDTH`) float32: the fields of each peak one after the other."""
    return np.concatenate([values.reshape(len(found.mass), -1) for values in found], axis=1).astype(np.float32)


def of_rows(rows: Array) -> Found:
    """What (..., n_keypoints, n_peaks * `ROW_WIDTH`) rows hold."""
    parts = np.split(rows, np.cumsum(_SIZES), axis=-1)
    shapes = [rows.shape[:-1] + _SHAPES.get(name, ()) for name in _OF_PEAK]
    shapes.append((*rows.shape[:-1], rows.shape[-1] // ROW_WIDTH - 1, ROW_WIDTH))
    return Found(*(part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)))


@dataclass(frozen=True, eq=False)
class Engine:
    """A folded copy of a network, applied to images.

    Parameters
    ----------
    network : normalisations merged, evaluation mode, channels last
    scale : network pixels per image pixel
    run : gives the network's maps of pictures (n, height, width, 3), by torch or another runtime
    in_torch : whether `run` is torch's own
    n_peaks : of each keypoint that are read from its map
    memory : that bounds a batch; None: nothing does
    """

    network: Network
    scale: float
    run: Run
    in_torch: bool = True
    n_peaks: int = 1
    memory: BatchMemory | None = None

    @contextmanager
    def computing(self) -> Iterator[None]:
        """While the network runs: no gradients, and no other thread of torch awake where another runtime computes."""
        with torch.inference_mode(), nullcontext() if self.in_torch else one_thread():
            yield

    def whole_view(self, width: int, height: int) -> View:
        """Map and input size (width, height) that show a whole image, padded or stretched to what the network needs."""
        if self.network.input_size is not None:
            scales = np.divide(self.network.input_size, (width, height))
            if self.network.whole:
                return np.column_stack([np.diag(scales), 0.5 * scales - 0.5]), self.network.input_size
            middle = np.array([width - 1, height - 1]) / 2
            return window(middle, self.network.input_size, float(scales.min())), self.network.input_size
        size = tuple(max(SIDE, int(np.ceil(side * self.scale / SIDE)) * SIDE) for side in (width, height))
        return scaling(self.scale), (size[0], size[1])

    def infer(self, image: Image, view: View | None = None) -> Found:
        """The keypoints of an image (height, width, 3), seen through a view (the whole image if None)."""
        matrix, size = view or self.whole_view(image.shape[1], image.shape[0])
        return self.read(warp(image, matrix, size)[None], [matrix])[0]

    def read(self, inputs: np.ndarray, matrices: list[Array]) -> list[Found]:
        """The keypoints of warped images (n, height, width, 3), in pixels of the images they were warped from."""
        return self.in_pieces(lambda some: self._read(inputs[some], matrices[some]), len(inputs), inputs.shape[1:])

    def in_pieces(self, read: Callable[[slice], list], n_pictures: int, kind: Hashable) -> list:
        """What `read` gives of pictures of one kind, as many at a time as the memory holds."""
        return self.memory.in_pieces(read, n_pictures, kind) if self.memory else read(slice(0, n_pictures))

    def _read(self, inputs: np.ndarray, matrices: list[Array]) -> list[Found]:
        with self.computing():
            maps = self.run(inputs)
            if self.n_peaks == 1:
                peaks = [find_peaks(self.network, maps)]
            else:
                peaks = find_several_peaks(self.network, maps, self.n_peaks)
        ranked = zip(*(self.in_images(own, matrices) for own in peaks), strict=True)
        return [first._replace(others=_stacked_rows(first, others)) for first, *others in ranked]

    def in_images(self, peaks: Peaks, matrices: list[Array]) -> list[Found]:
        """One peak of each keypoint of some images, in their pixels."""
        parts = (getattr(peaks, "factor" if name == "covariances" else name) for name in _OF_PEAK)
        values = (part.cpu().numpy().astype(float) for part in parts)
        return [self._in_pixels(matrix, Found(*one)) for matrix, *one in zip(matrices, *values, strict=True)]

    def _in_pixels(self, matrix: Array, found: Found) -> Found:
        """In pixels what is in cells, with Cholesky factors in place of covariances."""
        stride = self.network.stride
        if self.network.labels_from_corner:
            # in its training labels were scaled about the middle of the first pixel, pictures about its corner
            matrix = np.column_stack([matrix[:, :2], matrix[:, 2] + 0.5 - matrix[:, :2].sum(1) / 2])
        back = invert_affine(matrix)
        cell = back[:, :2] * stride
        factors = cell @ found.covariances
        return found._replace(
            points=apply_affine(back, apply_affine(scaling(stride), found.points) + self.network.shift),
            covariances=factors @ factors.transpose(0, 2, 1),
            near=found.near * abs(np.linalg.det(cell)),
            scatter=cell @ found.scatter @ cell.T,
        )


def _stacked_rows(first: Found, others: list[Found]) -> Array:
    """(n_keypoints, n_peaks - 1, `ROW_WIDTH`) the other peaks of one image."""
    rows = [as_rows(other._replace(others=np.empty((len(first.mass), 0)))) for other in others]
    return np.stack(rows, 1) if rows else np.empty((len(first.mass), 0, ROW_WIDTH))


def engine_of(network: Network, scale: float, precision: str = "auto", runtime: str = "torch") -> Engine:
    """A folded copy of the network, ready for images.

    Raises
    ------
    ValueError : precision or runtime is not known; RuntimeMissingError : the runtime is not installed
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    folded = fold_norms(copy.deepcopy(network).eval()).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    for parameter in folded.parameters():
        parameter.requires_grad_(False)
    runtime = choose_runtime(folded, runtime)
    run = make_run(folded, runtime, use_bf16(folded, precision))
    return Engine(folded, scale, run, runtime == "torch", memory=memory_of(device))


def use_bf16(network: Network, precision: str, *, trains: bool = False) -> bool:
    """Whether to compute in bfloat16; "auto": where the hardware multiplies tiles of it (AMX, GPUs).

    On a processor that multiplies vectors of it only, MobileNetV2 and ResNet-50 were measured a fifth to a third slower
    than in float32, in torch and in OpenVINO; so is `Small`, plain 3x3 convolutions of few channels, when it predicts.
    Its training takes 0.67 to 0.76 of the time there (AVX512-BF16), with errors that are no larger.

    Raises
    ------
    ValueError : precision is none of "auto", "fp32", "bf16"
    """
    if precision not in ("auto", "fp32", "bf16"):
        raise ValueError(f'precision must be "auto", "fp32" or "bf16", got {precision!r}')
    if precision != "auto":
        return precision == "bf16"
    if next(network.parameters()).device.type == "cuda":
        return True
    if not torch.backends.mkldnn.is_available() or isinstance(network.features, TemplateMatching):
        return False
    if isinstance(network.features, Small):
        return trains and bool(torch.cpu._is_avx512_bf16_supported())
    return bool(torch.cpu._is_amx_tile_supported())
