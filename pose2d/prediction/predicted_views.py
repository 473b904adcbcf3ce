"""What was found in the videos of a recording, as views: the instants, the damage, and the peaks that agree in 3D."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...cameras import CameraRig
from ...datasets import Array, fps_of, views_dataset, with_provenance
from ...formats.predictions.instant_rows import FRAME_ATTRIBUTES
from ...formats.video.frame_times import read_frame_times
from ...formats.video.instants import Instants, number_ranges
from ...formats.video.reading import VideoError, VideoInfo, VideoSource, probe_video
from ...formats.video.recording_times import instants_of_videos
from ..inference.appearance import N_COLOURS
from ..inference.detector import Detector
from ..inference.engine import ROW_WIDTH, Found, of_rows
from ..inference.uncertainty import Uncertainty
from .peak_choice import N_PEAKS, choose_peaks, misfits_of
from .stored_rows import Rows, StoredRows
from .view_misfits import ViewMisfits, sample_of
from .window_prediction import Prediction

PIECE = 4_000  # instants whose views are made at a time
# share of a camera's frames with more animals than declared from which that is said: where as many cats as declared
# cross each other, a window reads parts of two as a third in up to 1.3 % of the frames
_OFTEN = 0.05


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
    if detector.finds_several:
        raise ValueError("rig is given for a detector of several animals; the views of several are put together in 3D")
    lacking = [name for name in source.infos if name not in rig.names]
    if lacking:
        raise ValueError(f"the rig has no camera {lacking[0]!r}; it has {list(rig.names)}")
    return rig.subset(source.infos)


def view_pieces(
    work: Prediction, source: Recording, instants: Instants, rig: CameraRig | None = None
) -> Iterator[xr.Dataset]:
    """The views of consecutive instants, each piece with the attributes of the whole."""
    detector, search, rows = work.detector, work.search, work.rows
    damaged = _damaged(source, rows)
    notes = [*instants.notes, *(_damage_note(name, own) for name, own in damaged.items() if len(own))]
    every = xr.Dataset(coords={"time": instants.times})
    attributes: dict[str, Any] = {
        "fps": fps_of(every) if len(instants.times) > 1 else next(iter(source.infos.values())).fps,
        "damaged_frames": [len(numbers) for numbers in damaged.values()],
    }
    attributes |= {"notes": "\n".join(notes)} if notes else {}
    more = more_animals(detector, rows)
    attributes |= {"animal_warnings": "\n".join(more)} if more else {}
    options = {"track_crop": search.track_crop, "precision": search.precision, "runtime": search.runtime}
    options |= {} if rig is None else {"rig": list(rig.names)}
    side = min(detector.animal_side, max(max(info.width, info.height) for info in source.infos.values()))
    stored = StoredRows(rows)
    rig = None if rig is None else rig.subset(instants.frames)
    misfits = None if rig is None else _misfits(detector, stored, instants, rig, side)
    n_at_once = PIECE if rig is None else PIECE // N_PEAKS
    for start in range(0, len(instants.times), n_at_once):
        some = slice(start, start + n_at_once)
        frames = {name: own[some] for name, own in instants.frames.items()}
        placed = np.stack([stored.placed(name, own) for name, own in frames.items()])
        found = _one_or_several(detector, placed)
        if rig is not None and misfits is not None:
            found = choose_peaks(found, rig, detector.uncertainty, side, misfits)
        views = views_of(detector, found, list(frames), instants.times[some]).assign_attrs(attributes)
        if detector.n_animals > 1:
            views = views.assign(appearance=_appearance(detector, placed))
        if not instants.are_frames:
            views = views.assign(frame=(("view", "time"), np.stack(list(frames.values())), FRAME_ATTRIBUTES))
        yield with_provenance(views, "predict", options)


def _misfits(detector: Detector, stored: StoredRows, instants: Instants, rig: CameraRig, side: float) -> ViewMisfits:
    """Of instants spread over the recording, one read after the other."""
    sample = sample_of(len(instants.times))
    placed = [[stored.placed(name, own[[i]]) for name, own in instants.frames.items()] for i in sample]
    return misfits_of(_one_or_several(detector, np.concatenate(placed, 1)), rig, detector.uncertainty, side)


def _one_or_several(detector: Detector, rows: Array) -> Found:
    """What rows (n_cameras, n_instants, n_animals * n_keypoints, ...) hold, several animals on an axis of their own."""
    rows = rows[:, :, :-1, :ROW_WIDTH] if detector.finds_several else rows
    several = (detector.n_animals,) if detector.n_animals > 1 else ()
    return of_rows(rows.reshape(*rows.shape[:2], *several, -1, rows.shape[-1]))


def _appearance(detector: Detector, rows: Array) -> xr.DataArray:
    """The colours around the keypoints of each animal, of rows (n_cameras, n_instants, ...)."""
    colours = rows[:, :, :-1, ROW_WIDTH:].reshape(*rows.shape[:2], detector.n_animals, -1, N_COLOURS)
    dims = ("view", "time", "individual", "keypoint", "colour")
    named = {"colour": ["lightness", "green_to_red", "blue_to_yellow"]}
    about = {"long_name": "colour around the keypoint, CIE L*a*b*", "units": "1"}
    values = xr.DataArray(colours.astype(np.float32), dims=dims, coords=named, attrs=about)
    return values.transpose("individual", "view", "time", "keypoint", "colour")


def more_animals(detector: Detector, rows: Rows) -> list[str]:
    """A sentence for each camera that often shows more animals at a time than declared, which are left out."""
    if not detector.finds_several:
        return []
    counts: dict[str, list[Array]] = {name: [] for name in rows.cameras}
    for frames in rows.kept():
        for name, own in rows.part(frames).items():
            counts[name].append(own[:, -1, 0])
    sentences = []
    for name, own in counts.items():
        more = np.concatenate(own)
        numbers = np.flatnonzero(more > 0)
        if len(numbers) > _OFTEN * len(more):
            most = detector.n_animals + int(more[numbers].max())
            sentences.append(
                f"camera '{name}' shows up to {most} animals at a time, more than the {detector.n_animals} declared, in"
                f" {len(numbers)} of {len(more)} frames ({number_ranges(numbers)}); those seen worst were left out: set"
                f" n_animals={most}, or crop the videos to the animals that count"
            )
    return sentences


def views_of(detector: Detector, found: Found, cameras: list[str], times: Array) -> xr.Dataset:
    """Views of what was found in all cameras and instants."""
    several = detector.n_animals > 1
    calibrations = [calibrated(detector.uncertainty, Found(*own)) for own in zip(*found, strict=True)]
    values = found.points, *(np.stack(values) for values in zip(*calibrations, strict=True))
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
