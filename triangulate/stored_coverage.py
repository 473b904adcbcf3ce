"""The check of the error bars of a recording in a file: `with_coverage`, stretch by stretch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import xarray as xr

from ..cameras import CameraRig
from ..datasets import check_views
from .checked_poses import coverage_attributes, rescaled, variances_of
from .framewise_methods import sampled
from .left_out_pixels import stretches_to_judge
from .points.recording_noise import estimate_noise
from .predicted_regions import BLOCK, N_POINTS, Coverage, check_cameras, judge_stretches
from .reconstruction import maker_of_poses
from .reconstruction_settings import Settings

_SAMPLE = 20  # frames of a piece whose error bars enter the median of all


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
