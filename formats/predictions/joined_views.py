"""Views from the tracks of all cameras and detectors: what holds for the whole recording, and its frames."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...datasets import frame_times, views_dataset, with_provenance
from ...datasets.validators import DatasetError
from ...numerics.arrays import Array
from ..files import FormatError
from ..video.instants import Instants, join_times
from .detectors import check_detectors, check_lengths, join_detectors
from .instant_rows import FRAME_ATTRIBUTES, check_times, with_frames
from .tracks import Track

Source = str | os.PathLike


class Recording(NamedTuple):
    """What holds for all frames of a recording.

    files : {camera: file} of each detector
    times : (n_frames,) seconds
    instants : of cameras whose frames were put together by their own times, else None
    variances : of each detector the cameras' usual variances, pixels squared; None where the files state none
    keypoints, individuals, fps : as `read_views` is given them
    is_single : whether there is no dimension of detectors
    """

    files: list[dict[str, Source]]
    times: Array
    instants: Instants | None
    variances: list[dict[str, float] | None]
    keypoints: Sequence[str] | None
    individuals: str
    fps: float | None
    is_single: bool


def recording_of(
    ensemble: list[dict[str, Track]],
    lengths: list[dict[str, int]],
    files: list[dict[str, Source]],
    *,
    is_single: bool,
    fps: float | None = None,
    times: Array | Mapping[str, Array] | None = None,
    keypoints: Sequence[str] | None = None,
    pad: bool = False,
    individuals: str = "same",
) -> Recording:
    """What holds for the whole recording, by each detector's and camera's track, or a part of it, and its length.

    Raises
    ------
    FormatError
        The lengths differ, or the frame rate is unknown.
    VideoError
        The cameras' own times do not belong to one recording.
    """
    if individuals not in ("same", "numbered"):
        raise FormatError(f"individuals must be 'same' or 'numbered', got {individuals!r}")
    instants = None
    if isinstance(times, Mapping):
        instants = join_times(check_times(lengths, times), one_clock=True)
        times = instants.times
    else:
        check_lengths(lengths, files, pad)
        n_frames = max(n for own in lengths for n in own.values())
        stated = [track.times for track in ensemble[0].values() if track.times is not None]
        held = [own for own in stated if len(own) == n_frames]
        times = held[0] if held and times is None and fps is None else _times(n_frames, fps, times)
    variances = [_usual_variances(tracks, keypoints) for tracks in ensemble]
    return Recording(files, times, instants, variances, keypoints, individuals, fps, is_single)


def views_between(recording: Recording, ensemble: list[dict[str, Track]], start: int, stop: int) -> xr.Dataset:
    """The views of some frames of the recording, of the tracks of these; shorter tracks are filled up.

    Raises
    ------
    FormatError
        Cameras or detectors differ in keypoints or individuals.
    """
    if recording.individuals == "numbered":
        ensemble = [_numbered_individuals(tracks) for tracks in ensemble]
    check_detectors(ensemble, recording.files, recording.keypoints)
    times, instants = recording.times[start:stop], recording.instants
    parts = [
        _views(tracks, times, recording.keypoints, variances, start)
        for tracks, variances in zip(ensemble, recording.variances, strict=True)
    ]
    views = parts[0] if recording.is_single else join_detectors(parts)
    views = views if instants is None else with_frames(views, instants, slice(start, stop))
    return _with_notes(views, ensemble, recording)


def _with_notes(views: xr.Dataset, ensemble: Sequence[dict[str, Track]], recording: Recording) -> xr.Dataset:
    """Views with what was changed on reading, and which files they were made of."""
    notes = [f"camera '{c}': {track.note}" for tracks in ensemble for c, track in tracks.items() if track.note]
    views.attrs |= {"notes": "\n".join(notes)} if notes else {}
    named = [{c: str(own) for c, own in files.items()} for files in recording.files]
    sources = named[0] if recording.is_single else named
    return with_provenance(views, "read_views", {"sources": sources, "fps": recording.fps})


def _views(
    tracks: dict[str, Track],
    times: Array,
    keypoints: Sequence[str] | None,
    variances: dict[str, float] | None,
    start: int,
) -> xr.Dataset:
    """The views of one detector, from frame `start` on."""
    tracks = _same_keypoints(tracks, keypoints)
    individuals = _same_individuals(tracks)
    tracks = {camera: _filled_up(track, len(track.points_2d), len(times)) for camera, track in tracks.items()}
    points_2d = np.stack([track.points_2d for track in tracks.values()], axis=1)
    confidence = np.stack([track.confidence for track in tracks.values()], axis=1)
    covariances_2d = None if variances is None else _covariances(tracks, variances)
    if individuals is None:
        points_2d, confidence = points_2d[0], confidence[0]
        covariances_2d = None if covariances_2d is None else covariances_2d[0]
    views = views_dataset(
        points_2d,
        cameras=list(tracks),
        keypoints=next(iter(tracks.values())).keypoints,
        times=times,
        confidence=confidence,
        covariances_2d=covariances_2d,
    )
    if any(track.frames is not None for track in tracks.values()):
        views = views.assign(frame=(("view", "time"), _frame_numbers(tracks, start, len(times)), FRAME_ATTRIBUTES))
    return views if individuals is None else views.assign_coords(individual=list(individuals))


def _usual_variances(tracks: dict[str, Track], keypoints: Sequence[str] | None) -> dict[str, float] | None:
    """The median variance of each camera, pixels squared, if the files of all cameras have variances."""
    if any(track.variances is None or np.isnan(track.variances).all() for track in tracks.values()):
        return None
    kept = _same_keypoints(tracks, keypoints)
    return {camera: float(np.nanmedian(track.variances)) for camera, track in kept.items()}  # type: ignore[arg-type]


def _covariances(tracks: dict[str, Track], usual: dict[str, float]) -> Array:
    """(n_individuals, n_cameras, n_frames, n_keypoints, 2, 2) of the variances.

    A point without a variance, which is missing or was not smoothed, has the camera's usual one.
    """
    filled = [np.where(np.isnan(track.variances), usual[c], track.variances) for c, track in tracks.items()]  # type: ignore[arg-type]
    return np.stack(filled, axis=1)[..., None] * np.eye(2)


def _frame_numbers(tracks: dict[str, Track], start: int, n_frames: int) -> NDArray[np.int64]:
    """(n_cameras, n_frames) frame of each camera's video at each row from `start` on, -1 where it has none."""
    numbers = np.full((len(tracks), n_frames), -1)
    for row, track in zip(numbers, tracks.values(), strict=True):
        held = start + np.arange(n_frames) if track.frames is None else track.frames
        row[: len(held)] = held
    return numbers


def known_keypoints(wanted: Sequence[str], names: tuple[str, ...], where: str) -> tuple[str, ...]:
    lacking = [name for name in wanted if name not in names]
    if lacking:
        raise FormatError(f"{where} lacks the keypoints {lacking}; it has {list(names)}")
    return tuple(wanted)


def _same_keypoints(tracks: dict[str, Track], keypoints: Sequence[str] | None) -> dict[str, Track]:
    """Every camera with the same keypoints in the same order."""
    first, reference = next(iter(tracks.items()))
    wanted = tuple(keypoints) if keypoints is not None else reference.keypoints
    ordered = {}
    for camera, track in tracks.items():
        known_keypoints(wanted, track.keypoints, f"camera '{camera}'")
        surplus = [name for name in track.keypoints if name not in wanted]
        if keypoints is None and surplus:
            raise FormatError(
                f"camera '{camera}' has the keypoints {surplus}, which camera '{first}' lacks; give keypoints=[...]"
            )
        ordered[camera] = track.with_keypoints({name: name for name in wanted})
    return ordered


def _filled_up(track: Track, n_individuals: int, n_frames: int) -> Track:
    """A track with missing individuals and frames at their ends."""
    width = ((0, n_individuals - track.points_2d.shape[0]), (0, n_frames - track.points_2d.shape[1]), (0, 0))
    return track.rearranged(
        lambda values: np.pad(values, (*width, (0, 0)), constant_values=np.nan), np.pad(track.confidence, width)
    )


def _times(n_frames: int, fps: float | None, times: Array | None) -> Array:
    """(n_frames,) seconds, as stated.

    Raises
    ------
    FormatError : neither rate nor times are given, or times of another number of frames
    """
    if times is not None:
        if np.shape(times) != (n_frames,):
            raise FormatError(f"times has shape {np.shape(times)}, but the recording has {n_frames} frames")
        return np.asarray(times, float)
    if fps is not None:
        try:
            return frame_times(n_frames, fps)
        except DatasetError as error:
            raise FormatError(str(error)) from error
    raise FormatError("the frame rate is not in these files and is never assumed: give fps=... (frames per second)")


def _same_individuals(tracks: dict[str, Track]) -> tuple[str, ...] | None:
    """The individuals' names, None of one animal.

    Raises
    ------
    FormatError : a camera has others than the first
    """
    first, reference = next(iter(tracks.items()))
    for camera, track in tracks.items():
        if track.individuals != reference.individuals:
            raise FormatError(
                f"camera '{camera}' has the individuals {track.individuals or 'of one animal'} and camera '{first}'"
                f" {reference.individuals or 'of one animal'}; they must have the same names in the same order (or be"
                " numbered, with individuals='numbered', and then matched by match_views)"
            )
    return reference.individuals


def _numbered_individuals(tracks: dict[str, Track]) -> dict[str, Track]:
    """Tracks with as many individuals in every camera, called individual_0, ...; those that a camera lacks are missing.

    Nothing changes where all cameras have the same names already.
    """
    if len({track.individuals for track in tracks.values()}) == 1:
        return tracks
    n_most = max(track.points_2d.shape[0] for track in tracks.values())
    names = tuple(f"individual_{i}" for i in range(n_most)) if n_most > 1 else None
    return {
        camera: _filled_up(track, n_most, track.points_2d.shape[1])._replace(individuals=names)
        for camera, track in tracks.items()
    }
