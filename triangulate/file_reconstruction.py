"""Reconstruction of long recordings from file to file, and the check of its error bars, stretch by stretch."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..cameras import CameraRig
from ..datasets import DatasetError, Skeleton, check_views
from ..datasets.atomic_files import atomic_write, scratch_file
from ..datasets.stretches import write_pieces
from ..datasets.validators import singular_dims
from .articulated.movement.movement_prior import MovementPrior
from .bodies.kinematic_tree import Body
from .checked_poses import coverage_attributes, rescaled, variances_of
from .diagnosis.cause import Cause
from .diagnosis.confidence import cause_of, with_confidence
from .framewise_methods import framewise_pieces, sampled
from .input_checks import matching_rig
from .left_out_pixels import stretches_to_judge
from .points.recording_noise import estimate_noise
from .pose_states.pose_prior import PosePrior
from .predicted_regions import BLOCK, N_POINTS, Coverage, check_cameras, judge_stretches
from .reconstruction import attributes_of, maker_of_poses
from .reconstruction_settings import FRAMEWISE_METHODS, Settings, check_settings, described
from .window_reconstruction import modelled_pieces

_SAMPLE = 20  # frames of a piece whose error bars enter the median of all

CHUNK_FRAMES = 5000  # of the methods that work frame by frame, in memory at a time


def reconstruct_file(
    source: str | os.PathLike,
    rig: CameraRig,
    destination: str | os.PathLike,
    *,
    method: str = "ransac",
    window: float | None = None,
    max_gap: float = 0.0,
    skeleton: Skeleton | None = None,
    prior: PosePrior | MovementPrior | None = None,
    body: Body | str | os.PathLike | None = None,
    swaps: bool = False,
    chunk_frames: int = CHUNK_FRAMES,
    check_coverage: bool = False,
    executor: Executor | None = None,
    **options,
) -> Path:
    """Reconstruct a file of views into a file of poses, stretch by stretch, at bounded memory.

    The file holds what `write_dataset(reconstruct(...))` would; memory stays that of a few stretches of time.

    Parameters
    ----------
    source : str or path
        File (netCDF) of views; of several individuals one after the other is reconstructed.
    rig : CameraRig
        Cameras of at least the views' names.
    destination : str or path
        File (netCDF) to make; written whole or not at all.
    method : {"ransac", "dlt", "median", "pairs", "smooth", "gimbal", "articulated"}
        As in `reconstruct`.
    window, max_gap : float, seconds, optional
        As in `reconstruct`.
    skeleton : Skeleton, optional
        As in `reconstruct`.
    prior : PosePrior or MovementPrior, optional
        As in `reconstruct`.
    body : Body, str or path, optional
        For "articulated", which needs it: see `fit_body`.
    swaps : bool
        As in `reconstruct`.
    chunk_frames : int, frames
        Held in memory at a time by the methods that work frame by frame.
    check_coverage : bool
        As in `reconstruct`.
    executor : concurrent.futures.Executor, optional
        Where the windows of "smooth", "gimbal" and "articulated" are solved: a `ProcessPoolExecutor`, or
        `dask.distributed.Client(...).get_executor()`, whose workers see the same file. None: threads.
    **options
        Further keyword arguments of the method's own function.

    Returns
    -------
    pathlib.Path
        The path of `destination`.

    Raises
    ------
    DatasetError
        The source is missing, no netCDF file, malformed, or names a camera that the rig does not have.
    ValueError
        The method is unknown, lacks the skeleton or the body that it needs, or does not take an option given.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.cameras import Camera, CameraRig
    >>> from muybridge.datasets import read_dataset, views_dataset, write_dataset
    >>> from muybridge.triangulate import reconstruct_file
    >>> K = [[1000, 0, 640], [0, 1000, 512], [0, 0, 1]]
    >>> rig = CameraRig(tuple(Camera(f"cam_{x}", (1280, 1024), K, [], np.eye(3), [x, 0, 1000]) for x in (-200, 0, 200)))
    >>> points_2d = rig.project(np.random.default_rng(0).uniform(-50, 50, (40, 1, 3)))
    >>> views = views_dataset(points_2d, cameras=rig.names, keypoints=["nose"], times=np.arange(40) / 100)
    >>> path = reconstruct_file(write_dataset(views, "views.nc"), rig, "pose.nc", method="dlt")
    >>> read_dataset(path)["position"].shape
    (40, 1, 3)
    """
    by_frame = chunk_frames if method in FRAMEWISE_METHODS else None
    settings = Settings(method, skeleton, prior, body, window, max_gap, swaps, by_frame, check_coverage, options)
    check_settings(settings)
    source, destination = Path(source), Path(destination)
    if not source.is_file():
        raise DatasetError(f"there is no dataset file {source}")
    with opened_views(source) as views:
        if "detector" in views.dims:
            raise DatasetError(
                f"{source} holds several detectors' predictions; write combine_ensemble(views) and read that"
            )
        matching_rig(views, rig)
        cause = cause_of(views, rig)
    write_reconstruction(source, destination, rig, settings, cause=cause, executor=executor)
    return destination


@contextmanager
def opened_views(source: Path) -> Iterator[xr.Dataset]:
    """The views of a file, which are read as they are used."""
    with xr.open_dataset(source, engine="h5netcdf", decode_times=False) as opened:
        yield singular_dims(opened)


def write_reconstruction(
    source: Path,
    destination: Path,
    rig: CameraRig,
    settings: Settings,
    *,
    cause: Cause | None,
    executor: Executor | None = None,
    attributes: Mapping[str, Any] | None = None,
) -> None:
    """Write the pose of a file of views, stretch by stretch, with further attributes.

    cause : of disagreeing cameras, with which the confidence is multiplied (`with_confidence`); None: it stays
    """
    with opened_views(source) as views:
        individuals = [str(name) for name in views["individual"].values] if "individual" in views.dims else []
    if individuals:
        _write_individuals(source, destination, individuals, rig, settings, cause, executor, attributes or {})
        return
    with atomic_write(destination) as partial, opened_views(source) as views:
        rig = matching_rig(views, rig)
        if settings.method in FRAMEWISE_METHODS:
            chunk = settings.chunk_frames or CHUNK_FRAMES
            pieces = framewise_pieces(views, rig, replace(settings, chunk_frames=chunk))
        else:
            pieces = modelled_pieces(source, views, rig, settings, executor)
        if cause is not None:
            pieces = _with_confidence(pieces, views, rig, cause)
        if settings.check_coverage:
            pieces = with_coverage_of_file(pieces, views, rig, settings)
        more = attributes or {}
        described_pieces = (described(piece, rig, settings.recorded).assign_attrs(more) for piece in pieces)
        write_pieces(described_pieces, partial, views.sizes["time"])


def _write_individuals(
    source: Path,
    destination: Path,
    names: Sequence[str],
    rig: CameraRig,
    settings: Settings,
    cause: Cause | None,
    executor: Executor | None,
    attributes: Mapping[str, Any],
) -> None:
    """The poses of several individuals, reconstructed one after the other, as one file."""
    with ExitStack() as stack:
        paths = [stack.enter_context(scratch_file(destination)) for _ in names]
        for i, path in enumerate(paths):
            with scratch_file(destination) as own:
                write_changed(source, own, lambda part, i=i: part.isel(individual=i, drop=True))
                write_reconstruction(own, path, rig, settings, cause=cause, executor=executor)
        poses = [stack.enter_context(opened_views(path)) for path in paths]
        more, n_frames = attributes_of(poses, names) | dict(attributes), poses[0].sizes["time"]
        index = xr.DataArray(list(names), dims="individual", name="individual")

        def piece(start: int) -> xr.Dataset:
            parts = [pose.isel(time=slice(start, start + CHUNK_FRAMES)).load() for pose in poses]
            return xr.concat(parts, dim=index, combine_attrs="override").assign_attrs(more)

        with atomic_write(destination) as partial:
            write_pieces(map(piece, range(0, n_frames, CHUNK_FRAMES)), partial, n_frames)


def write_changed(source: Path, destination: Path, change: Callable[[xr.Dataset], xr.Dataset]) -> None:
    """Write views of a file, changed, into another file, one stretch of time after the other."""
    with atomic_write(destination) as partial, opened_views(source) as views:
        n_frames = views.sizes["time"]
        starts = range(0, n_frames, CHUNK_FRAMES)
        write_pieces((change(views.isel(time=slice(i, i + CHUNK_FRAMES)).load()) for i in starts), partial, n_frames)


def _with_confidence(
    pieces: Iterable[xr.Dataset], views: xr.Dataset, rig: CameraRig, cause: Cause
) -> Iterator[xr.Dataset]:
    start = 0
    for piece in pieces:
        stop = start + piece.sizes["time"]
        yield with_confidence(piece, views.isel(time=slice(start, stop)).load(), rig, cause)
        start = stop


def with_coverage_of_file(
    pieces: Iterable[xr.Dataset], views: xr.Dataset, rig: CameraRig, settings: Settings
) -> Iterator[xr.Dataset]:
    """Poses of consecutive stretches with their covariances rescaled; the last has what was found in its attributes.

    views : of the whole recording, which need not be in memory
    """
    try:
        found = _judged(views, rig, settings)
    except ValueError as error:  # the pose itself is made
        failed = str(error)
        yield from (piece.assign_attrs(coverage_failed=failed) for piece in pieces)
        return
    variances, n_left = [], views.sizes["time"]
    for piece in pieces:
        piece = rescaled(piece, found.factors)
        some = slice(None, None, max(1, piece.sizes["time"] // _SAMPLE))
        variances.append(variances_of(piece.isel(time=some)))
        n_left -= piece.sizes["time"]
        if n_left == 0:
            piece = piece.assign_attrs(coverage_attributes(found, np.concatenate(variances), rig.unit))
        yield piece


def _judged(views: xr.Dataset, rig: CameraRig, settings: Settings) -> Coverage:
    check_cameras(rig)
    noise = settings.options.get("noise")
    noise = estimate_noise(sampled(views), rig) if noise is None else noise
    frames = stretches_to_judge(views, N_POINTS, BLOCK)
    stretches = [check_views(views.isel(time=slice(int(own[0]), int(own[-1]) + 1)).load()) for own in frames]
    return judge_stretches(stretches, rig, maker_of_poses(settings), noise)
