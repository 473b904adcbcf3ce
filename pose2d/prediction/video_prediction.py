"""Predict the keypoints of videos: every camera decoded in its own thread, in memory or from file to file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from tqdm import tqdm

from ...cameras import CameraRig
from ...datasets import Array, fps_of, views_dataset, with_provenance
from ...datasets.atomic_files import atomic_write
from ...datasets.names import named_options
from ...datasets.stretches import joined, write_pieces
from ...formats.predictions.instant_rows import FRAME_ATTRIBUTES
from ...formats.video.frame_times import read_frame_times
from ...formats.video.instants import Instants, number_ranges
from ...formats.video.reading import VideoError, VideoInfo, VideoSource, probe_video
from ...formats.video.recording_times import instants_of_videos
from ..inference.detector import Detector
from ..inference.engine import Found, of_rows
from ..inference.uncertainty import Uncertainty
from ..networks.registry import PoseNet
from .peak_choice import N_PEAKS, choose_peaks
from .prediction_rows import Prediction, Rows, Search, StoredRows, fingerprint, predict_window

PIECE = 4_000  # instants whose views are made at a time
KEPT_EVERY = 30.0  # seconds between two parts that are kept in files


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
    checkpoint_every: float = KEPT_EVERY,
    batch_cameras: bool | str = "auto",
    n_animals: int | None = None,
    rig: CameraRig | None = None,
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
        Folder in which the results are kept as they come, and from which a killed prediction goes on. It is removed at
        the end.
    checkpoint_every : float, seconds
        Time between two checkpoints.
    batch_cameras : bool or "auto"
        Read the windows of all cameras of an instant in one batch; "auto": on a GPU.
    n_animals : int, optional
        Number of animals in view, of a detector trained on several. None: as many as its labels showed in a picture.
    rig : CameraRig, optional
        The calibrated cameras, by name. Of several places that the map of a keypoint shows, each view reports then the
        one that is the most probable given the maps of all cameras of the instant and how well their places agree in
        3D. None, or one camera: the place that its own map shows most strongly.
    progress : bool
        Whether to show a progress bar with frames per second.

    Returns
    -------
    xarray.Dataset
        Views dataset, of several animals with a dimension `individual` (tracks of each camera, see
        `separate_individuals`): position (pixels), confidence (probability of lying within `confidence_radius` pixels
        of the truth, an attribute of the variable) and covariance (pixels squared), whose 90 % ellipse holds 90 % of
        the errors, of visible and of hidden keypoints alike. A damaged frame is NaN with confidence 0 and is counted in
        the attribute `damaged_frames`; `notes` has a line for each camera that lacks frames, for a rate that varies,
        and for files that are overruled. Where the number of an instant is not that of every camera's frame, the
        variable `frame` (view, time) holds the numbers (-1: none).

    Raises
    ------
    ValueError
        Several animals are asked for of a detector that was trained on one, or with a rig; or the rig lacks a camera.
    VideoError
        If a video is missing, empty or unreadable, if the frame rates differ, or if times do not fit the frames.

    Examples
    --------
    >>> detector = load_detector("detector.safetensors")
    >>> views = predict(detector, {"left": "left.mp4", "right": "right.mp4"}, progress=False)
    >>> views["position"].dims, views["position"].shape
    (('view', 'time', 'keypoint', 'space'), (2, 6, 4, 2))
    """
    detector, source = with_animals(detector, n_animals), recording_of(videos, fps, times)
    rig = seen_by(rig, source, detector)
    search = Search(track_crop, precision, runtime, batch_cameras, 1 if rig is None else N_PEAKS)
    rows = kept_rows(detector, source, search, checkpoint)
    instants = predict_rows(detector, source, search, rows, checkpoint_every, progress=progress)
    pieces = list(view_pieces(detector, source, search, rows, instants, rig))
    rows.remove()
    return joined(pieces)


@named_options()
def predict_file(
    detector: Detector,
    videos: Mapping[str, VideoSource],
    destination: str | os.PathLike,
    *,
    track_crop: bool = True,
    precision: str = "auto",
    runtime: str = "auto",
    fps: float | None = None,
    times: Array | Mapping[str, Array] | None = None,
    batch_cameras: bool | str = "auto",
    n_animals: int | None = None,
    rig: CameraRig | None = None,
    n_windows: int = 1,
    executor: Executor | None = None,
    progress: bool = True,
) -> Path:
    """Keypoints of every frame of every camera as a file of views, at memory that does not grow with the recording.

    The file holds what `write_dataset(predict(...))` would. What is found is kept in a hidden folder beside it until
    then, and a killed prediction goes on from there.

    Parameters
    ----------
    detector : Detector
        Of `train` or `load_detector`.
    videos : mapping of str to path or sequence of path
        As in `predict`.
    destination : str or path
        File (netCDF) to make; written whole or not at all.
    track_crop : bool
        As in `predict`.
    precision, runtime : str
        As in `predict`.
    fps : float, hertz, optional
        As in `predict`.
    times : ndarray, seconds, or mapping of str to ndarray, optional
        As in `predict`.
    batch_cameras : bool or "auto"
        As in `predict`.
    n_animals : int, optional
        As in `predict`.
    rig : CameraRig, optional
        As in `predict`.
    n_windows : int
        Windows of time that are predicted as tasks of their own. Each decodes what lies before it in its video file,
        without looking at it.
    executor : concurrent.futures.Executor, optional
        Where the windows are predicted, as in `reconstruct_file`: a `ProcessPoolExecutor`, or
        `dask.distributed.Client(...).get_executor()`, whose workers see the same files. None: here, one after the
        other.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    pathlib.Path
        The path of `destination`.

    Raises
    ------
    VideoError
        As in `predict`.
    ValueError
        `n_windows` is below 1, or as in `predict`.

    Examples
    --------
    >>> from muybridge.datasets import read_dataset
    >>> detector = load_detector("detector.safetensors")
    >>> path = predict_file(detector, {"left": "left.mp4", "right": "right.mp4"}, "views.nc", progress=False)
    >>> read_dataset(path)["position"].shape
    (2, 6, 4, 2)
    """
    destination = Path(destination)
    options = PredictionOptions(
        track_crop=track_crop,
        precision=precision,
        runtime=runtime,
        fps=fps,
        times=times,
        batch_cameras=batch_cameras,
        n_animals=n_animals,
        rig=rig,
        checkpoint=destination.with_name(f".{destination.stem[:40]}.rows"),
        n_windows=n_windows,
        executor=executor,
        progress=progress,
    )
    write_prediction(detector, videos, destination, options)
    return destination


@dataclass(frozen=True, eq=False, kw_only=True)
class PredictionOptions:
    """The options of `predict_file`, with the checkpoint of `predict`."""

    track_crop: bool = True
    precision: str = "auto"
    runtime: str = "auto"
    fps: float | None = None
    times: Array | Mapping[str, Array] | None = None
    batch_cameras: bool | str = "auto"
    n_animals: int | None = None
    rig: CameraRig | None = None
    checkpoint: Path
    checkpoint_every: float = KEPT_EVERY
    n_windows: int = 1
    executor: Executor | None = None
    progress: bool = True


def write_prediction(
    detector: Detector,
    videos: Mapping[str, VideoSource],
    destination: Path,
    options: PredictionOptions,
    change: Callable[[Iterable[xr.Dataset], int], Iterable[xr.Dataset]] | None = None,
) -> None:
    """As `predict_file`.

    change : of consecutive pieces of the views, so many instants in all; a ValueError refuses them: nothing is written
    """
    detector, source = with_animals(detector, options.n_animals), recording_of(videos, options.fps, options.times)
    rig = seen_by(options.rig, source, detector)
    n_peaks = 1 if rig is None else N_PEAKS
    search = Search(options.track_crop, options.precision, options.runtime, options.batch_cameras, n_peaks)
    rows = kept_rows(detector, source, search, options.checkpoint, options.n_windows)
    instants = predict_rows(
        detector,
        source,
        search,
        rows,
        options.checkpoint_every,
        n_windows=options.n_windows,
        executor=options.executor,
        progress=options.progress,
    )
    pieces, n_instants = view_pieces(detector, source, search, rows, instants, rig), len(instants.times)
    with atomic_write(destination) as partial:
        try:
            write_pieces(pieces if change is None else change(pieces, n_instants), partial, n_instants)
        except ValueError:  # refused; after an error of the disk the rows stay
            rows.remove()
            raise
    rows.remove()


def with_animals(detector: Detector, n_animals: int | None) -> Detector:
    """The detector, for as many animals in view.

    Raises
    ------
    ValueError : several animals are asked for of a detector that was trained on one
    """
    n_animals = detector.n_animals if n_animals is None else n_animals
    if n_animals > 1 and (detector.n_animals == 1 or not isinstance(detector.network, PoseNet)):
        raise ValueError(
            f"n_animals is {n_animals}, but the detector was trained on one animal per picture; train one on labels"
            " with individuals"
        )
    return replace(detector, n_animals=n_animals)


@dataclass(frozen=True, eq=False)
class Recording:
    """Videos of one recording, their headers, and the instants that their frames show.

    times : of the frames as they are numbered, which then are the instants; None: those of `instants`
    """

    infos: Mapping[str, VideoInfo]
    instants: Instants
    times: Array | None

    def instants_of(self, n_frames: int) -> Instants:
        """The instants, where so many frames were decoded of the longest video."""
        if self.times is None:
            return self.instants
        numbers = np.arange(n_frames)
        return Instants(self.times[:n_frames], dict.fromkeys(self.infos, numbers), self.instants.notes)


def recording_of(
    videos: Mapping[str, VideoSource], fps: float | None, times: Array | Mapping[str, Array] | None
) -> Recording:
    """The recording of some videos, with the arguments of `predict`.

    Raises
    ------
    VideoError : as `predict`
    """
    videos = {str(name): source for name, source in videos.items()}
    if not videos:
        raise VideoError("there are no videos to predict on; give {camera name: video file}")
    infos = {name: probe_video(source, rate_needed=False) for name, source in videos.items()}
    stamps = times if isinstance(times, Mapping) else None
    instants = instants_of_videos(videos, fps=fps, timestamps=stamps, decoded=True)
    return Recording(infos, instants, None if times is None or stamps is not None else np.asarray(times, float))


def seen_by(rig: CameraRig | None, source: Recording, detector: Detector) -> CameraRig | None:
    """The rig of the recording's cameras; None where there is nothing to weigh together.

    Raises
    ------
    ValueError : the detector finds several animals, or the rig lacks a camera
    """
    if rig is None or len(source.infos) == 1:
        return None
    if detector.n_animals > 1:
        raise ValueError("rig is given for a detector of several animals; the views of several are put together in 3D")
    lacking = [name for name in source.infos if name not in rig.names]
    if lacking:
        raise ValueError(f"the rig has no camera {lacking[0]!r}; it has {list(rig.names)}")
    return rig.subset(source.infos)


def kept_rows(
    detector: Detector, source: Recording, search: Search, folder: str | os.PathLike | None, n_windows: int = 1
) -> Rows:
    """Where the rows are kept: in memory (None), or in a folder, in which only the same prediction finds them."""
    if folder is None:
        return Rows(tuple(source.infos), None)
    name = fingerprint(detector, source.infos, *search[:3], n_windows, search.n_peaks)
    Path(folder, name).mkdir(parents=True, exist_ok=True)
    return Rows(tuple(source.infos), Path(folder, name))


def predict_rows(
    detector: Detector,
    source: Recording,
    search: Search,
    rows: Rows,
    seconds: float = KEPT_EVERY,
    *,
    n_windows: int = 1,
    executor: Executor | None = None,
    progress: bool = True,
) -> Instants:
    """Add the rows of all frames to those that are kept; returns the recording's instants.

    Raises
    ------
    VideoError : no frame could be decoded
    """
    work = Prediction(detector, source.infos, search, rows, seconds if rows.folder else float("inf"))
    windows = work.windows(n_windows)
    total = sum(info.n_frames for info in source.infos.values())
    n_kept = len(source.infos) * sum(len(frames) for start, _ in windows[:1] for frames in rows.kept(start))
    with tqdm(total=total, initial=n_kept, desc="predict", unit="frame", disable=not progress) as bar:
        if executor is None:
            for window in windows:
                predict_window(work, *window, bar.update)
        else:
            for task in [executor.submit(predict_window, work, *window) for window in windows]:
                task.result()
                bar.update(total // len(windows))
    kept = rows.kept()
    if not kept:
        raise VideoError("no frame could be decoded from any of the videos")
    return source.instants_of(kept[-1].stop)


def view_pieces(
    detector: Detector,
    source: Recording,
    search: Search,
    rows: Rows,
    instants: Instants,
    rig: CameraRig | None = None,
) -> Iterator[xr.Dataset]:
    """The views of consecutive instants, each piece with the attributes of the whole."""
    damaged = _damaged(source, rows)
    notes = [*instants.notes, *(_damage_note(name, own) for name, own in damaged.items() if len(own))]
    every = xr.Dataset(coords={"time": instants.times})
    attributes: dict[str, Any] = {
        "fps": fps_of(every) if len(instants.times) > 1 else next(iter(source.infos.values())).fps,
        "damaged_frames": [len(numbers) for numbers in damaged.values()],
    }
    attributes |= {"notes": "\n".join(notes)} if notes else {}
    options = {"track_crop": search.track_crop, "precision": search.precision, "runtime": search.runtime}
    options |= {} if rig is None else {"rig": list(rig.names)}
    side = min(detector.animal_side, max(max(info.width, info.height) for info in source.infos.values()))
    stored = StoredRows(rows)
    n_at_once = PIECE if rig is None else PIECE // N_PEAKS
    for start in range(0, len(instants.times), n_at_once):
        some = slice(start, start + n_at_once)
        frames = {name: own[some] for name, own in instants.frames.items()}
        placed = np.stack([stored.placed(name, own) for name, own in frames.items()])
        found = _one_or_several(detector, placed)
        found = found if rig is None else choose_peaks(found, rig.subset(frames), detector.uncertainty, side)
        views = _views(detector, found, list(frames), instants.times[some]).assign_attrs(attributes)
        if not instants.are_frames:
            views = views.assign(frame=(("view", "time"), np.stack(list(frames.values())), FRAME_ATTRIBUTES))
        yield with_provenance(views, "predict", options)


def _one_or_several(detector: Detector, rows: Array) -> Found:
    """What rows (n_cameras, n_instants, n_animals * n_keypoints, ...) hold, several animals on an axis of their own."""
    several = (detector.n_animals,) if detector.n_animals > 1 else ()
    return of_rows(rows.reshape(*rows.shape[:2], *several, -1, rows.shape[-1]))


def _views(detector: Detector, found: Found, cameras: list[str], times: Array) -> xr.Dataset:
    """Views of what was found in all cameras and instants."""
    several = detector.n_animals > 1
    claims = [calibrated(detector.uncertainty, Found(*own)) for own in zip(*found, strict=True)]
    values = found.points, *(np.stack(values) for values in zip(*claims, strict=True))
    points, confidence, covariances = (np.moveaxis(own, 2, 0) if several else own for own in values)
    views = views_dataset(
        points,
        cameras=cameras,
        keypoints=detector.keypoints,
        times=times,
        confidence=confidence,
        covariances_2d=covariances,
    )
    views["confidence"].attrs["confidence_radius"] = detector.uncertainty.radius
    return views


def _damaged(source: Recording, rows: Rows) -> dict[str, NDArray[np.intp]]:
    """Numbers of each camera's frames that cannot be decoded; those that were never recorded are none."""
    numbers: dict[str, list[NDArray[np.intp]]] = {name: [] for name in source.infos}
    for frames in rows.kept():
        for name, own in rows.part(frames).items():
            numbers[name].append(frames.start + np.flatnonzero(np.isnan(own).all(axis=(1, 2))))
    return {name: _recorded(source.infos[name], np.concatenate(own)) for name, own in numbers.items()}


def _recorded(info: VideoInfo, numbers: NDArray[np.intp]) -> NDArray[np.intp]:
    timing = read_frame_times(info.files) if len(numbers) else None
    if timing is None or timing.is_counted or len(timing.times) <= numbers[-1]:
        return numbers
    return numbers[timing.is_stored[numbers]]


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
