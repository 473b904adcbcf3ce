"""A network at work on one image at a time: whole frames, or a window around the animal."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..datasets import Array
from .blocks import fold_norms
from .decoding import find_peaks
from .detector import Detector
from .grid import apply_affine, invert_affine, scaling, warp
from .networks import PoseNet
from .video import Image

MULTIPLE = 32  # sides of the network's input


class Found(NamedTuple):
    """Keypoints of one image, in its pixels.

    points : (n_keypoints, 2); mass : (n_keypoints,); covariances : (n_keypoints, 2, 2) as the network claims
    """

    points: Array
    mass: Array
    covariances: Array


@dataclass(frozen=True, eq=False)
class Engine:
    """A folded copy of a network that looks at images.

    Parameters
    ----------
    network : normalisations merged, evaluation mode, channels last
    scale : network pixels per image pixel
    bf16 : run the network in bfloat16
    """

    network: PoseNet
    scale: float
    bf16: bool = False

    def whole_view(self, width: int, height: int) -> tuple[Array, tuple[int, int]]:
        """Map and input size (width, height) that show a whole image, padded to what the network needs."""
        size = tuple(max(MULTIPLE, int(np.ceil(side * self.scale / MULTIPLE)) * MULTIPLE) for side in (width, height))
        return scaling(self.scale), (size[0], size[1])

    def look(self, image: Image, view: tuple[Array, tuple[int, int]] | None = None) -> Found:
        """The keypoints of an image (height, width, 3), seen through a view (the whole image if None)."""
        matrix, size = view or self.whole_view(image.shape[1], image.shape[0])
        return self.read(warp(image, matrix, size)[None], [matrix])[0]

    def read(self, inputs: np.ndarray, matrices: list[Array]) -> list[Found]:
        """The keypoints of warped images (n, height, width, 3), in pixels of the images they were warped from."""
        with torch.inference_mode():
            device = next(self.network.parameters()).device
            images = as_input(torch.from_numpy(inputs).to(device))
            with torch.autocast(device.type, torch.bfloat16, enabled=self.bf16):
                maps = self.network(images)
            peaks = find_peaks(self.network, maps)
        points, mass = peaks.points.cpu().numpy().astype(float), peaks.mass.cpu().numpy().astype(float)
        factors = peaks.factor.cpu().numpy().astype(float)
        return [self._in_pixels(*one) for one in zip(matrices, points, mass, factors, strict=True)]

    def _in_pixels(self, matrix: Array, points: Array, mass: Array, factors: Array) -> Found:
        stride = self.network.stride
        back = invert_affine(matrix)
        factors = back[:, :2] @ factors * stride
        return Found(
            apply_affine(back, apply_affine(scaling(stride), points)), mass, factors @ factors.transpose(0, 2, 1)
        )


def as_input(images: Tensor) -> Tensor:
    """(n, height, width, 3) bytes to (n, 3, height, width) in -1..1, channels last in memory."""
    return images.permute(0, 3, 1, 2).to(torch.float32).mul_(1 / 127.5).sub_(1.0)


def engine_of(network: PoseNet, scale: float, precision: str = "auto") -> Engine:
    """A folded copy of the network, ready to look at images."""
    folded = fold_norms(copy.deepcopy(network).eval()).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for parameter in folded.parameters():
        parameter.requires_grad_(False)
    return Engine(folded, scale, use_bf16(precision, next(network.parameters()).device))  # type: ignore[arg-type]


def detector_engine(detector: Detector, precision: str = "auto") -> Engine:
    return engine_of(detector.network, detector.scale, precision)


def use_bf16(precision: str, device: torch.device) -> bool:
    """Whether to run in bfloat16: "auto" where the processor multiplies it in hardware."""
    if precision == "auto":
        return device.type == "cuda" or (
            torch.backends.mkldnn.is_available() and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
        )
    return precision == "bf16"
