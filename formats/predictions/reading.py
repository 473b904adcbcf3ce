"""Read the 2D points of all cameras: recognise each file's format, compare the cameras, join them in one dataset."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...datasets import check_views, frame_times, read_dataset, views_dataset, with_provenance
from ...datasets.names import NETCDF_SUFFIXES
from ...datasets.validators import DatasetError
from ...numerics.arrays import Array
from ..catalogue import read_as
from ..files import HDF5_SUFFIXES, FormatError, existing
from ..tables.h5_arrays import check_hdf5
from ..video.instants import join_times
from .detectors import check_same_recording, files_of_detectors, join_detectors
from .individuals_of_cameras import numbered_individuals, same_individuals
from .instant_rows import FRAME_ATTRIBUTES, at_instants, check_times, with_frames
from .tracks import Track, in_whole_picture

Source = str | os.PathLike


def read_views(
    sources: Mapping[str, Source | Sequence[Source]] | Source,
    *,
    fps: float | None = None,
    times: Array | Mapping[str, Array] | None = None,
    keypoints: Sequence[str] | None = None,
    pad: bool = False,
    individuals: str = "same",
) -> xr.Dataset:
    """Read the 2D points of several cameras from the files of other tools.

    Parameters
    ----------
    sources : mapping of str to path or sequence of path, or path
        One file or folder per camera name, in the order wanted: DeepLabCut, Lightning Pose, EKS, anipose, SLEAP
        (analysis file or .slp), OpenPose and Pose2Sim (a folder of JSON files), JARVIS, Label3D, netCDF (listed in
        docs/formats.md); or one netCDF file that holds all views. One file may be named for several cameras if it holds
        them: caliscope's xy.csv, Label3D's labels, a SLEAP project of several videos, a table whose keypoints end with
        the cameras' names (EKS: nose_top, nose_side). An ensemble of detectors: for every camera a sequence of files,
        one per detector, in the same order.
    fps : float, hertz, optional
        Frames per second, which only netCDF files state. It is never assumed.
    times : ndarray, shape (n_frames,), seconds, or mapping of str to ndarray, optional
        Time of each frame, instead of `fps`; or {camera name: times of its frames} of one clock, by which the frames of
        the cameras are put together: a camera without a frame at an instant is NaN there, and the variable `frame`
        (view, time) holds the frame numbers.
    keypoints : sequence of str, optional
        Names to keep, in this order; by default all of the first camera's, which every camera must have.
    pad : bool
        Fill up shorter recordings with missing frames at their end; otherwise different lengths are refused.
    individuals : {"same", "numbered"}
        What to do where cameras have other individuals, in number or name: refuse them, or call the tracks of every
        camera individual_0, individual_1, ..., for `match_views` to put in order.

    Returns
    -------
    Dataset
        ``views``: position in pixels (NaN where missing) and confidence (0 where missing, 1 where a file has none). Of
        sequences of files with a dimension ``detector``, named detector_0, detector_1, ...; see `combine_ensemble`.

    Raises
    ------
    FormatError
        A file is missing, cut off or of an unknown kind; cameras or detectors differ in length, keypoints or
        individuals; or the frame rate is unknown.
    VideoError
        The cameras' own times do not belong to one recording.

    Examples
    --------
    >>> from pathlib import Path
    >>> from muybridge.formats import read_views
    >>> header = "scorer,me,me,me\\nbodyparts,nose,nose,nose\\ncoords,x,y,likelihood\\n"
    >>> _ = Path("top.csv").write_text(header + "0,12.5,30,0.9\\n1,,,\\n")
    >>> views = read_views({"top": "top.csv"}, fps=30)
    >>> views["position"].values.tolist()
    [[[[12.5, 30.0]], [[nan, nan]]]]
    >>> views["confidence"].values.ravel().tolist()
    [0.9, 0.0]
    """
    if not isinstance(sources, Mapping):
        if isinstance(times, Mapping):
            raise FormatError(f"{sources} holds all cameras at the same instants; give their times as one array")
        return _whole_file(existing(sources), fps, times, keypoints)
    if not sources:
        raise FormatError("no cameras were given: sources is {camera: file}")
    files = files_of_detectors(sources)
    if individuals not in ("same", "numbered"):
        raise FormatError(f"individuals must be 'same' or 'numbered', got {individuals!r}")
    ensemble = [_tracks(own) for own in files]
    if individuals == "numbered":
        ensemble = [numbered_individuals(tracks) for tracks in ensemble]
    instants = None
    if isinstance(times, Mapping):
        instants, pad = join_times(check_times(ensemble, times), one_clock=True), True
        ensemble = [{c: at_instants(track, instants, c) for c, track in tracks.items()} for tracks in ensemble]
        times = instants.times
    check_same_recording(ensemble, files, keypoints, pad)
    longest = max(track.points_2d.shape[1] for tracks in ensemble for track in tracks.values())
    parts = [views_of_tracks(tracks, own, fps, times, keypoints, longest if pad else None)
             for tracks, own in zip(ensemble, files, strict=True)]  # fmt: skip
    single = not any(isinstance(source, list | tuple) for source in sources.values())
    views = parts[0] if single else join_detectors(parts)
    named = (
        {c: str(own) for c, own in files[0].items()}
        if single
        else [{c: str(p) for c, p in own.items()} for own in files]
    )
    views = views if instants is None else with_frames(views, instants)
    return with_notes(views, ensemble, named, fps)


def with_notes(views: xr.Dataset, ensemble: Sequence[dict[str, Track]], named: Any, fps: float | None) -> xr.Dataset:
    """Views with what was changed on reading, and which files they were made of."""
    notes = [f"camera '{c}': {track.note}" for tracks in ensemble for c, track in tracks.items() if track.note]
    views.attrs |= {"notes": "\n".join(notes)} if notes else {}
    return with_provenance(views, "read_views", {"sources": named, "fps": fps})


def _tracks(sources: Mapping[str, Source]) -> dict[str, Track]:
    return split_tables({camera: read_track(path, camera) for camera, path in sources.items()}, sources)


def views_of_tracks(
    tracks: dict[str, Track],
    sources: Mapping[str, Source],
    fps: float | None,
    times: Array | None,
    keypoints: Sequence[str] | None,
    n_frames: int | None,
) -> xr.Dataset:
    """The views of one detector; shorter tracks are filled up to `n_frames`, if it is given."""
    tracks = _same_keypoints(tracks, keypoints)
    individuals = same_individuals(tracks)
    tracks = _same_length(tracks, sources, n_frames)
    times = _times(tracks, fps, times)
    points_2d = np.stack([track.points_2d for track in tracks.values()], axis=1)
    confidence = np.stack([track.confidence for track in tracks.values()], axis=1)
    covariances_2d = _covariances(tracks)
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
        views = views.assign(frame=(("view", "time"), _frame_numbers(tracks, len(times)), FRAME_ATTRIBUTES))
    return views if individuals is None else views.assign_coords(individual=list(individuals))


def _covariances(tracks: dict[str, Track]) -> Array | None:
    """(n_individuals, n_cameras, n_frames, n_keypoints, 2, 2) of the variances, if the files of all cameras have them.

    A point without a variance, which is missing or was not smoothed, has the camera's median one.
    """
    stated = [track.variances for track in tracks.values()]
    if any(own is None or np.isnan(own).all() for own in stated):
        return None
    known = [own for own in stated if own is not None]
    filled = np.stack([np.where(np.isnan(own), np.nanmedian(own), own) for own in known], axis=1)
    return filled[..., None] * np.eye(2)


def _frame_numbers(tracks: dict[str, Track], n_frames: int) -> NDArray[np.int64]:
    """(n_cameras, n_frames) frame of each camera's video at each row, -1 where it has none."""
    numbers = np.full((len(tracks), n_frames), -1)
    for row, track in zip(numbers, tracks.values(), strict=True):
        held = np.arange(track.points_2d.shape[1]) if track.frames is None else track.frames
        row[: len(held)] = held
    return numbers


def read_track(path: Source, camera: str | None = None) -> Track:
    """Read the points of one camera from its file, or from one of several; its kind is recognised by what it holds.

    Raises
    ------
    FormatError
        Missing, unreadable, or of an unknown kind.
    """
    path = existing(path)
    if path.suffix.lower() in HDF5_SUFFIXES:
        check_hdf5(path)
    return in_whole_picture(read_as("views", path, camera), path)


def _whole_file(path: Path, fps, times, keypoints) -> xr.Dataset:
    if path.suffix.lower() not in NETCDF_SUFFIXES:
        raise FormatError(
            f"{path} does not name its cameras; give {{camera name: file}}, the same file for each that it holds"
        )
    views = check_views(read_dataset(path))
    if keypoints is not None:
        views = views.sel(keypoint=list(_known(keypoints, tuple(map(str, views["keypoint"].values)), str(path))))
    if times is not None or fps is not None:
        views = views.assign_coords(time=frame_times(views.sizes["time"], fps) if times is None else times)  # type: ignore[arg-type]
        views["time"].attrs["units"] = "s"
    return check_views(views)


def split_tables(tracks: dict[str, Track], sources: Mapping[str, Source]) -> dict[str, Track]:
    """Of a table that is named for several cameras, each camera's keypoints: those that end with its name."""
    files = {camera: Path(path).resolve() for camera, path in zip(tracks, sources.values(), strict=True)}
    split = {}
    for camera, track in tracks.items():
        sharing = [other for other, file in files.items() if file == files[camera]]
        own = {name: name.removesuffix(f"_{camera}") for name in track.keypoints if name.endswith(f"_{camera}")}
        if track.camera is not None:
            split[camera] = track
            continue
        if len(sharing) > 1 and not own:
            raise FormatError(
                f"the cameras {sharing} are read from the same file {files[camera]}; give each its own file, or a table"
                f" whose keypoints end with the camera's name (nose_{camera})"
            )
        split[camera] = track.with_keypoints(own) if len(sharing) > 1 else track
    return split


def _known(wanted: Sequence[str], names: tuple[str, ...], where: str) -> tuple[str, ...]:
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
        _known(wanted, track.keypoints, f"camera '{camera}'")
        surplus = [name for name in track.keypoints if name not in wanted]
        if keypoints is None and surplus:
            raise FormatError(
                f"camera '{camera}' has the keypoints {surplus}, which camera '{first}' lacks; give keypoints=[...]"
            )
        ordered[camera] = track.with_keypoints({name: name for name in wanted})
    return ordered


def _same_length(tracks: dict[str, Track], sources: Mapping[str, Source], n_frames: int | None) -> dict[str, Track]:
    """Tracks of the same length: that of all, or filled up to `n_frames`."""
    lengths = {camera: track.points_2d.shape[1] for camera, track in tracks.items()}
    longest = max(lengths.values()) if n_frames is None else n_frames
    check_lengths(lengths, sources, n_frames is not None)
    padded = {}
    for camera, track in tracks.items():
        after = longest - lengths[camera]
        width = ((0, 0), (0, after), (0, 0))
        padded[camera] = track.rearranged(
            lambda values, width=width: np.pad(values, (*width, (0, 0)), constant_values=np.nan),
            np.pad(track.confidence, width),
        )
    return padded


def check_lengths(lengths: Mapping[str, int], sources: Mapping[str, Source], pad: bool) -> None:
    """FormatError where there is no frame, or cameras have other numbers of frames and are not to be filled up."""
    empty = [camera for camera, n in lengths.items() if n == 0]
    if not any(lengths.values()) or (empty and not pad):
        raise FormatError(f"there is not a single frame in {', '.join(str(sources[camera]) for camera in empty)}")
    if len(set(lengths.values())) > 1 and not pad:
        listed = ", ".join(f"{camera} {n}" for camera, n in lengths.items())
        raise FormatError(
            f"the cameras differ in their number of frames ({listed}): a file is cut off or they are out of step; if"
            " only the end is missing, give pad=True"
        )


def _times(tracks: dict[str, Track], fps: float | None, times: Array | None) -> Array:
    n_frames = next(iter(tracks.values())).points_2d.shape[1]
    held = [track.times for track in tracks.values() if track.times is not None and len(track.times) == n_frames]
    return held[0] if held and times is None and fps is None else recording_times(n_frames, fps, times)


def recording_times(n_frames: int, fps: float | None, times: Array | None) -> Array:
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
