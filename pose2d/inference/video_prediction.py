"""Predict the keypoints of videos: every camera decoded in its own thread, memory independent of length."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from itertools import repeat, takewhile
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from tqdm import tqdm

from ...datasets import Array, frame_times, views_dataset, with_provenance
from ...datasets.atomic_files import atomic_write
from ...datasets.names import named_options
from ...formats.video.reading import Image, VideoError, VideoInfo, probe_video, read_frames
from ...numerics.threads import in_advance
from .animal_search import Finder, centre_of, finder_of
from .detector import Detector
from .engine import Found, View
from .image_transforms import warp
from .uncertainty import Uncertainty

AHEAD = 4  # decoded frames that wait per camera: they even out slow frames, in bounded memory


@named_options()
def predict(
    detector: Detector,
    videos: Mapping[str, str | os.PathLike],
    *,
    track_crop: bool = True,
    precision: str = "auto",
    runtime: str = "auto",
    times: Array | None = None,
    checkpoint: str | os.PathLike | None = None,
    checkpoint_every: float = 30.0,
    batch_cameras: bool | str = "auto",
    progress: bool = True,
) -> xr.Dataset:
    """Keypoints of every frame of every camera.

    Parameters
    ----------
    detector : Detector
        Of `train` or `load_detector`.
    videos : mapping of str to path
        {camera name: video file}, synchronised. The missing frames of a shorter video are NaN.
    track_crop : bool
        Use a window around the animal while it is found there, instead of the whole frame.
    precision : {"auto", "fp32", "bf16"}
        "auto" takes bfloat16 where the processor or GPU multiplies tiles of it.
    runtime : {"auto", "torch", "openvino", "onnx"}
        What runs the network; "auto" takes OpenVINO where it is installed (the ``fast`` extra).
    times : ndarray, shape (n_frames,), seconds, optional
        None: from the videos' frame rate.
    checkpoint : str or os.PathLike, optional
        File to which the results are saved and from which a killed prediction goes on. It is
        removed at the end.
    checkpoint_every : float, seconds
        Time between two checkpoints.
    batch_cameras : bool or "auto"
        Read the windows of all cameras of an instant in one batch; "auto": on a GPU.
    progress : bool
        Whether to show a progress bar with frames per second.

    Returns
    -------
    xarray.Dataset
        Views dataset: position (pixels), confidence (probability of lying within `confidence_radius` pixels of the
        truth, an attribute of the variable) and covariance (pixels squared). A damaged frame is NaN with confidence 0
        and is counted in the attribute `damaged_frames`.

    Raises
    ------
    VideoError
        If a video is missing, empty or unreadable, or if the frame rates differ.

    Examples
    --------
    >>> detector = load_detector("detector.safetensors")
    >>> views = predict(detector, {"left": "left.mp4", "right": "right.mp4"}, progress=False)
    >>> views["position"].dims, views["position"].shape
    (('view', 'time', 'keypoint', 'space'), (2, 6, 4, 2))
    """
    infos = {str(name): probe_video(path) for name, path in videos.items()}
    fps = _common_fps(infos)
    finder = finder_of(detector, precision, runtime, track_crop)
    tracks = {name: Track(finder, info) for name, info in infos.items()}
    options = (track_crop, precision, runtime, detector.config.n_tta)
    kept = None
    if checkpoint:
        kept = Checkpoint(Path(checkpoint), _fingerprint(detector, infos, *options), checkpoint_every)
    first = kept.restore(tracks) if kept else 0
    total = sum(info.n_frames for info in infos.values())
    with tqdm(total=total, initial=first * len(infos), desc="predict", unit="frame", disable=not progress) as bar:
        wanted = _is_on_gpu(finder) if batch_cameras == "auto" else bool(batch_cameras)
        together = wanted and runtime in ("auto", "torch")
        for images in _instants(infos, first):
            if kept:
                kept.save_if_due(tracks)
            seen = _read_together(finder, tracks, images) if together else {}
            for name, image in images.items():
                tracks[name].step(image, seen.get(name))
            bar.update(len(images))
    if kept:
        kept.path.unlink(missing_ok=True)
    views = _collect(detector, tracks, fps, times)
    options = {"track_crop": track_crop, "precision": precision, "runtime": runtime}
    return with_provenance(views, "predict", options)


@dataclass(eq=False)
class Track:
    """One camera: where the animal was last seen, and what was found so far.

    A row holds (n_keypoints, 9) float32 of one frame, see `_as_row`; NaN: damaged.
    """

    finder: Finder
    info: VideoInfo
    rows: list[np.ndarray] = field(default_factory=list)
    centre: Array | None = None
    damaged: int = 0

    def __post_init__(self):
        self.side = self.finder.window_side(self.info.width, self.info.height)

    def first_view(self) -> View | None:
        """The window where the animal was seen last; None: it has to be found."""
        return None if self.centre is None else self.finder.window_at(self.centre, self.side)

    def step(self, image: Image | None, seen: Found | None = None) -> None:
        """TTAView at the next frame; `seen`: what the first view showed, where that is known already."""
        if image is None:
            self.add(np.full((self.finder.engine.network.n_keypoints, 9), np.nan, np.float32))
            return
        found = self.finder.near(image, self.centre, seen) if self.centre is not None else None
        if found is None:
            found = self.finder.find(image)
        self.add(_as_row(found))

    def add(self, row: np.ndarray) -> None:
        """Keep a frame's row, and where the animal is in it (a damaged frame changes nothing)."""
        self.rows.append(row)
        if np.isnan(row).all():
            self.damaged += 1
            return
        if self.side:
            self.centre = centre_of(row[:, :2].astype(float), row[:, 2], self.finder.animal_side)


def _is_on_gpu(finder: Finder) -> bool:
    """Whether several pictures at once are faster than one by one: on a GPU, not on a processor (measured)."""
    return next(finder.engine.network.parameters()).device.type == "cuda"


def _read_together(finder: Finder, tracks: Mapping[str, Track], images: Mapping[str, Image | None]) -> dict[str, Found]:
    """What the windows of the cameras of one instant show, each size in one batch."""
    by_size: dict[tuple[int, int], list[tuple[str, Array, Image]]] = {}
    for name, image in images.items():
        view = tracks[name].first_view()
        if image is not None and view is not None:
            by_size.setdefault(view[1], []).append((name, view[0], warp(image, *view)))
    seen: dict[str, Found] = {}
    for batch in by_size.values():
        names, matrices, inputs = zip(*batch, strict=True)
        seen |= zip(names, finder.engine.read(np.stack(inputs), list(matrices)), strict=True)
    return seen


def _common_fps(infos: Mapping[str, VideoInfo]) -> float:
    if not infos:
        raise VideoError("there are no videos to predict on; give {camera name: video file}")
    rates = {name: info.fps for name, info in infos.items()}
    if max(rates.values()) - min(rates.values()) > 1e-3 * max(rates.values()):
        listed = ", ".join(f"{name} {rate:g}" for name, rate in rates.items())
        raise VideoError(f"the videos have different frame rates ({listed} per second); they are not synchronous")
    return float(np.median(list(rates.values())))


@dataclass(eq=False)
class Checkpoint:
    """Rows of all cameras in a file that only the same prediction goes on from."""

    path: Path
    fingerprint: str
    seconds: float  # between two checkpoints
    saved: int = 0
    saved_at: float = field(default_factory=time.monotonic)

    def restore(self, tracks: Mapping[str, Track]) -> int:
        """Give each track its saved rows; returns the number of instants (0 where there is nothing to go on from)."""
        if not self.path.is_file():
            return 0
        try:
            with np.load(self.path, allow_pickle=False) as saved:
                if str(saved["fingerprint"]) != self.fingerprint:
                    return 0
                rows = [saved[f"rows_{c}"] for c in range(len(tracks))]
        except (OSError, ValueError, KeyError, EOFError):
            return 0
        for track, own in zip(tracks.values(), rows, strict=True):
            for row in own:
                track.add(row)
        self.saved = len(rows[0])
        return self.saved

    def save_if_due(self, tracks: Mapping[str, Track]) -> None:
        n_done = min(len(track.rows) for track in tracks.values())
        if n_done == self.saved or time.monotonic() - self.saved_at < self.seconds:
            return
        rows = {f"rows_{c}": np.stack(track.rows[:n_done]) for c, track in enumerate(tracks.values())}
        with atomic_write(self.path) as partial, partial.open("wb") as stream:
            np.savez(stream, fingerprint=np.array(self.fingerprint), **rows)  # type: ignore[arg-type]
        self.saved, self.saved_at = n_done, time.monotonic()


def _fingerprint(detector: Detector, infos: Mapping[str, VideoInfo], *options) -> str:
    """Hash of the weights, the videos (path, size, time of change) and the options."""
    digest = hashlib.blake2b(b"rows of 9", digest_size=16)
    for network in (part.network for part in (detector, detector.animal_detector) if part is not None):
        for value in network.state_dict().values():
            digest.update(value.cpu().numpy().tobytes())
    for name, info in infos.items():
        state = info.path.stat()
        digest.update(f"{name} {info.path} {state.st_size} {state.st_mtime_ns}".encode())
    digest.update(repr(options).encode())
    return digest.hexdigest()


def _instants(infos: Mapping[str, VideoInfo], first: int = 0) -> Iterator[dict[str, Image | None]]:
    """The frames of each instant, each camera decoded ahead by its own thread. A decoder's error is raised here."""
    with ExitStack() as stack:
        left = {name: stack.enter_context(closing(_decoded(info, first))) for name, info in infos.items()}
        while left:
            images: dict[str, Any] = {name: next(frames, _END) for name, frames in left.items()}
            left = {name: frames for name, frames in left.items() if images[name] is not _END}
            if left:
                yield {name: images[name] for name in left}


_END = object()


def _decoded(info: VideoInfo, first: int) -> Generator[Image | None]:
    """The frames of a video from `first` on, decoded ahead."""
    with (
        closing(read_frames(info.path, first)) as reader,
        closing(in_advance(repeat(partial(next, reader, _END)), AHEAD)) as images,
    ):
        yield from takewhile(lambda image: image is not _END, images)


def _collect(detector: Detector, tracks: Mapping[str, Track], fps: float, times: Array | None) -> xr.Dataset:
    n_frames = max(len(track.rows) for track in tracks.values())
    if n_frames == 0:
        raise VideoError("no frame could be decoded from any of the videos")
    n_keypoints = len(detector.keypoints)
    rows = np.full((len(tracks), n_frames, n_keypoints, 9), np.nan)
    for c, track in enumerate(tracks.values()):
        if track.rows:
            rows[c, : len(track.rows)] = track.rows
    found = _of_rows(rows)
    confidence, covariances = calibrated(detector.uncertainty, found)
    if times is None:
        times = frame_times(n_frames, fps)
    views = views_dataset(
        found.points,
        cameras=list(tracks),
        keypoints=detector.keypoints,
        times=times[:n_frames],
        confidence=confidence,
        covariances_2d=covariances,
    )
    views["confidence"].attrs["confidence_radius"] = detector.uncertainty.radius
    views.attrs["fps"] = fps
    views.attrs["damaged_frames"] = [track.damaged for track in tracks.values()]
    return views


def calibrated(uncertainty: Uncertainty, found: Found) -> tuple[Array, Array]:
    """Confidence (..., n_keypoints) and covariances (..., 2, 2) that were measured to hold; missing: 0 and NaN."""
    known = np.asarray(np.isfinite(found.covariances).all((-2, -1)))
    safe = np.where(known[..., None, None], found.covariances, np.eye(2))
    found = Found(*(np.nan_to_num(values) for values in found))._replace(covariances=safe)
    confidence = np.where(known, uncertainty.confidence(found), 0.0)
    scaled = safe * uncertainty.scale(found)[..., None, None]
    return confidence, np.where(known[..., None, None], scaled, np.nan)


def _as_row(found: Found) -> np.ndarray:
    """(n_keypoints, 9) float32: x, y, mass, evidence, width, and the predicted covariance."""
    flat = found.covariances.reshape(-1, 4)
    return np.column_stack([found.points, found.mass, found.evidence, found.width, flat]).astype(np.float32)


def _of_rows(rows: Array) -> Found:
    """What (..., n_keypoints, 9) rows hold."""
    covariances = rows[..., 5:].reshape(*rows.shape[:-1], 2, 2)
    return Found(rows[..., :2], rows[..., 2], covariances, rows[..., 3], rows[..., 4])
