"""Predict the keypoints of videos: every camera decoded in its own thread, memory independent of length."""

from __future__ import annotations

import hashlib
import math
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
from numpy.typing import NDArray
from tqdm import tqdm

from ...datasets import Array, fps_of, views_dataset, with_provenance
from ...datasets.atomic_files import atomic_write
from ...datasets.names import named_options
from ...datasets.npz_files import read_npz
from ...formats.predictions.instant_rows import with_frames
from ...formats.video.frame_times import read_frame_times
from ...formats.video.instants import Instants, number_ranges
from ...formats.video.reading import Image, VideoError, VideoInfo, VideoSource, probe_video, read_frames
from ...formats.video.recording_times import instants_of_videos
from ...numerics.threads import in_advance
from .animal_search import Finder, finder_of
from .box_search import BoxFinder
from .detector import Detector
from .engine import Found, View
from .image_transforms import warp
from .uncertainty import Uncertainty

AHEAD = 4  # decoded frames that wait per camera: they even out slow frames, in bounded memory


@named_options()
def predict(
    detector: Detector,
    videos: Mapping[str, VideoSource],
    *,
    track_crop: bool = True,
    precision: str = "auto",
    runtime: str = "auto",
    fps: float | None = None,
    times: Array | Mapping[str, Array] | None = None,
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
    videos : mapping of str to path or sequence of path
        {camera name: video file, or the files of one recording (chapters) in their order}, synchronised. The missing
        frames of a shorter video are NaN.
    track_crop : bool
        Use a window around the animal while it is found there, instead of the whole frame.
    precision : {"auto", "fp32", "bf16"}
        "auto" takes bfloat16 where the processor or GPU multiplies tiles of it.
    runtime : {"auto", "torch", "openvino", "onnx"}
        What runs the network; "auto" takes OpenVINO where it is installed (the ``fast`` extra).
    fps : float, hertz, optional
        The true frame rate, where the files state another.
    times : ndarray, shape (n_frames,), seconds, or mapping of str to ndarray, optional
        Of all cameras' frames; or {camera name: times of its frames} of one clock, by which frames are put together.
        None: the files' own times. A camera without a frame at an instant is NaN there.
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
        truth, an attribute of the variable) and covariance (pixels squared), whose 90 % ellipse holds 90 % of the
        errors, of visible and of hidden keypoints alike. A damaged frame is NaN with confidence 0 and is counted in the
        attribute `damaged_frames`; `notes` has a line for each camera that lacks frames, for a
        rate that varies, and for files that are overruled. Where the number of an instant is not that of every camera's
        frame, the variable `frame` (view, time) holds the numbers (-1: none).

    Raises
    ------
    VideoError
        If a video is missing, empty or unreadable, if the frame rates differ, or if times do not fit the frames.

    Examples
    --------
    >>> detector = load_detector("detector.safetensors")
    >>> views = predict(detector, {"left": "left.mp4", "right": "right.mp4"}, progress=False)
    >>> views["position"].dims, views["position"].shape
    (('view', 'time', 'keypoint', 'space'), (2, 6, 4, 2))
    """
    videos = {str(name): source for name, source in videos.items()}
    if not videos:
        raise VideoError("there are no videos to predict on; give {camera name: video file}")
    infos = {name: probe_video(source, rate_needed=False) for name, source in videos.items()}
    instants = instants_of_videos(
        videos, fps=fps, timestamps=times if isinstance(times, Mapping) else None, decoded=True
    )
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
    views = _collect(detector, tracks, instants, None if isinstance(times, Mapping) else times)
    options = {"track_crop": track_crop, "precision": precision, "runtime": runtime}
    return with_provenance(views, "predict", options)


@dataclass(eq=False)
class Track:
    """One camera: where the animal was last seen, and what was found so far.

    A row holds (n_keypoints, `_WIDTH`) float32 of one frame, see `_as_row`; NaN: damaged.
    """

    finder: Finder | BoxFinder
    info: VideoInfo
    rows: list[np.ndarray] = field(default_factory=list)
    centre: Array | None = None

    def __post_init__(self):
        self.side = self.finder.window_side(self.info.width, self.info.height)

    def first_view(self) -> View | None:
        """The window where the animal was seen last; None: it has to be found."""
        return None if self.centre is None else self.finder.window_at(self.centre, self.side)

    def step(self, image: Image | None, seen: Found | None = None) -> None:
        """TTAView at the next frame; `seen`: what the first view showed, where that is known already."""
        if image is None:
            self.add(np.full((self.finder.engine.network.n_keypoints, _WIDTH), np.nan, np.float32))
            return
        found = self.finder.near(image, self.centre, seen) if self.centre is not None else None
        if found is None:
            found = self.finder.find(image)
        self.add(_as_row(found))

    def add(self, row: np.ndarray) -> None:
        """Keep a frame's row, and where the animal is in it (a damaged frame changes nothing)."""
        self.rows.append(row)
        if np.isnan(row).all():
            return
        if self.side:
            self.centre = self.finder.place_of(row[:, :2].astype(float), row[:, 2])


def _is_on_gpu(finder: Finder | BoxFinder) -> bool:
    """Whether several pictures at once are faster than one by one: on a GPU, not on a processor (measured)."""
    return next(finder.engine.network.parameters()).device.type == "cuda"


def _read_together(
    finder: Finder | BoxFinder, tracks: Mapping[str, Track], images: Mapping[str, Image | None]
) -> dict[str, Found]:
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
            saved = read_npz(self.path)
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
    digest = hashlib.blake2b(b"rows of %d" % _WIDTH, digest_size=16)
    for network in (part.network for part in (detector, detector.animal_detector) if part is not None):
        for value in network.state_dict().values():
            digest.update(value.cpu().numpy().tobytes())
    for name, info in infos.items():
        for path in info.files:
            state = path.stat()
            digest.update(f"{name} {path} {state.st_size} {state.st_mtime_ns}".encode())
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
        closing(read_frames(info.files, first)) as reader,
        closing(in_advance(repeat(partial(next, reader, _END)), AHEAD)) as images,
    ):
        yield from takewhile(lambda image: image is not _END, images)


def _collect(detector: Detector, tracks: Mapping[str, Track], instants: Instants, times: Array | None) -> xr.Dataset:
    """The rows of all cameras at the instants; given times are those of the frames as they are numbered."""
    n_frames = max(len(track.rows) for track in tracks.values())
    if n_frames == 0:
        raise VideoError("no frame could be decoded from any of the videos")
    if times is not None:
        numbers = np.arange(n_frames)
        instants = Instants(np.asarray(times, float)[:n_frames], dict.fromkeys(tracks, numbers), instants.notes)
    rows = np.full((len(tracks), len(instants.times), len(detector.keypoints), _WIDTH), np.nan)
    for c, (name, track) in enumerate(tracks.items()):
        if track.rows:
            rows[c] = instants.placed(name, np.stack(track.rows))
    claims = [calibrated(detector.uncertainty, _of_rows(own)) for own in rows]
    confidence, covariances = (np.stack(values) for values in zip(*claims, strict=True))
    views = views_dataset(
        _of_rows(rows).points,
        cameras=list(tracks),
        keypoints=detector.keypoints,
        times=instants.times,
        confidence=confidence,
        covariances_2d=covariances,
    )
    views["confidence"].attrs["confidence_radius"] = detector.uncertainty.radius
    views.attrs["fps"] = fps_of(views) if len(instants.times) > 1 else next(iter(tracks.values())).info.fps
    damaged = {name: _damaged(track) for name, track in tracks.items()}
    views.attrs["damaged_frames"] = [len(numbers) for numbers in damaged.values()]
    return with_frames(views, instants, [_damage_note(name, own) for name, own in damaged.items() if len(own)])


def _damaged(track: Track) -> NDArray[np.intp]:
    """Numbers of the frames that cannot be decoded; those that were never recorded are none."""
    lost = np.array([bool(np.isnan(row).all()) for row in track.rows])
    timing = read_frame_times(track.info.files)
    if timing is not None and not timing.is_counted and len(timing.times) >= len(lost):
        lost &= timing.is_stored[: len(lost)]
    return np.flatnonzero(lost)


def _damage_note(name: str, numbers: NDArray[np.intp]) -> str:
    return f"camera '{name}': {len(numbers)} frames cannot be decoded ({number_ranges(numbers)}): they are gaps"


def calibrated(uncertainty: Uncertainty, found: Found) -> tuple[Array, Array]:
    """Confidence (..., n_keypoints) and covariances (..., 2, 2) that were measured to hold; missing: 0 and NaN."""
    known = np.asarray(np.isfinite(found.covariances).all((-2, -1)))
    matrices = {
        name: np.where(known[..., None, None], getattr(found, name), np.eye(2)) for name in ("covariances", "scatter")
    }
    found = Found(*(np.nan_to_num(values, nan=1.0) for values in found))._replace(**matrices)
    confidence = np.where(known, uncertainty.confidence(found), 0.0)
    return confidence, np.where(known[..., None, None], uncertainty.ellipses(found), np.nan)


# of one keypoint in each field of `Found`; those not named are single numbers
_SHAPES = {"points": (2,), "covariances": (2, 2), "scatter": (2, 2)}
_SIZES = [math.prod(_SHAPES.get(name, ())) for name in Found._fields]
_WIDTH = sum(_SIZES)


def _as_row(found: Found) -> np.ndarray:
    """(n_keypoints, `_WIDTH`) float32: the fields of `Found` one after the other."""
    return np.concatenate([values.reshape(len(found.mass), -1) for values in found], axis=1).astype(np.float32)


def _of_rows(rows: Array) -> Found:
    """What (..., n_keypoints, `_WIDTH`) rows hold."""
    parts = np.split(rows, np.cumsum(_SIZES)[:-1], axis=-1)
    shapes = [rows.shape[:-1] + _SHAPES.get(name, ()) for name in Found._fields]
    return Found(*(part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)))
