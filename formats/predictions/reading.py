"""Read the 2D points of all cameras: recognise each file's format, compare the cameras, join them in one dataset."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import xarray as xr

from ...datasets import check_views, frame_times, read_dataset
from ...datasets.names import NETCDF_SUFFIXES
from ...numerics.arrays import Array
from ..catalogue import read_as
from ..files import HDF5_SUFFIXES, FormatError, existing, unchanged
from ..tables.h5_arrays import check_hdf5
from .detectors import files_of_detectors, has_several
from .instant_rows import at_instants
from .joined_views import known_keypoints, recording_of, views_between
from .picture_parts.placed_points import in_whole_picture
from .tracks import Track

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
    ensemble = [split_tables({c: read_track(path, c) for c, path in own.items()}, own) for own in files]
    lengths = [{c: track.points_2d.shape[1] for c, track in tracks.items()} for tracks in ensemble]
    recording = recording_of(
        ensemble, lengths, files, is_single=not has_several(sources), fps=fps, times=times, keypoints=keypoints,
        pad=pad, individuals=individuals,
    )  # fmt: skip
    if (instants := recording.instants) is not None:
        ensemble = [{c: at_instants(track, instants, c) for c, track in tracks.items()} for tracks in ensemble]
    return views_between(recording, ensemble, 0, len(recording.times))


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
    with unchanged(path):
        return in_whole_picture(read_as("views", path, camera), path)


def _whole_file(path: Path, fps, times, keypoints) -> xr.Dataset:
    if path.suffix.lower() not in NETCDF_SUFFIXES:
        raise FormatError(
            f"{path} does not name its cameras; give {{camera name: file}}, the same file for each that it holds"
        )
    views = check_views(read_dataset(path))
    if keypoints is not None:
        views = views.sel(
            keypoint=list(known_keypoints(keypoints, tuple(map(str, views["keypoint"].values)), str(path)))
        )
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
