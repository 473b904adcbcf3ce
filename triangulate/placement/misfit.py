"""Cameras that do not fit the others, and why: a mirrored picture, left and right exchanged, another focal length."""

from __future__ import annotations

import numpy as np

from ...calibration.errors import CalibrationError
from ...cameras import CameraRig
from ...numerics.arrays import Array
from ..points.consensus import robust_points
from ..rig_refinement.bundle_adjustment import adjust
from . import epipolar_start as start

_FITS = 4.0  # standard deviations within which a view fits
_SUSPECT, _REFUSED = 0.75, 0.3  # share of a camera's views that fit, below which its cause is sought, and it is refused
_BETTER = 1.3  # times as many views must fit under another cause
_OTHER_FOCAL = 0.03  # relative change of a focal length that the points ask for, from which a warning says so
_MIRRORED = "if its picture is mirrored left to right; state it by K[0, 0] < 0"
_EXCHANGED = "if its left and right keypoints are exchanged; correct their names"


def causes(view: Array, exchanged: Array | None, points_3d: Array, within: float = start.SHARE) -> dict[str, int]:
    """Numbers of views that fit points of the others as given (""), mirrored, and with left and right exchanged.

    Parameters
    ----------
    view, exchanged : (n, 2), tangents of the viewing angles
    points_3d : (n, 3), triangulated by other cameras
    within : of the focal length: views that are off by more do not fit
    """
    kinds = {"": view, _MIRRORED: view * [-1.0, 1.0]} | ({} if exchanged is None else {_EXCHANGED: exchanged})
    counts = dict.fromkeys(kinds, 0)
    for cause, seen in kinds.items():
        pose = start.resected(seen, points_3d)
        if pose is not None:
            inside = points_3d @ pose[0].T + pose[1]
            off = np.linalg.norm(inside[:, :2] / inside[:, 2:] - seen, axis=1)
            counts[cause] = int((off < within).sum())
    return counts


def check_cameras(seen: Array, rig: CameraRig, exchanged: Array | None) -> None:
    """Refuse a placed camera of which most views do not fit, or which fits far better under another cause.

    Parameters
    ----------
    seen, exchanged : (n_cameras, n, 2), pixels
    """
    found = robust_points(seen, rig, min_confidence=0.0)
    sigma = float(np.median(found.sigma))
    for c, camera in enumerate(rig):
        off = found.reprojection_error[c]
        off = off[np.isfinite(off)]
        share = float((off < _FITS * sigma).mean()) if len(off) else 1.0
        if share > _SUSPECT or len(rig) < 3:
            continue
        others = [i for i in range(len(rig)) if i != c]
        points_3d = robust_points(seen[others], rig.subset([rig.names[i] for i in others])).points_3d
        view = start.viewing_tangents(seen, rig)[c]
        other = None if exchanged is None else start.viewing_tangents(np.ascontiguousarray(exchanged), rig)[c]
        counts = causes(view, other, points_3d, _FITS * sigma / camera.K[1, 1])
        cause = max(counts, key=lambda name: counts[name])
        if cause and counts[cause] > _BETTER * counts[""]:
            raise CalibrationError(f"camera '{camera.name}' fits the others {cause}")
        if share < _REFUSED:
            raise CalibrationError(
                f"camera '{camera.name}' does not fit the others: {100 * (1 - share):.0f} % of its views are off by"
                f" more than {_FITS * sigma:.0f} px; check its lens, the size of its picture, whether it is delayed,"
                " and whether it exchanges left and right"
            )


def focal_warnings(seen: Array, points_3d: Array, rig: CameraRig, sigma: float, inflation: float) -> list[str]:
    """Sentences on cameras whose focal length the points ask to be another, as after a change of zoom."""
    alike = np.full(len(rig), sigma)
    free = adjust(seen, points_3d, rig, focal=True, sigma=alike, inflation=inflation, spread=start.FREE).rig
    lines = []
    for camera, other in zip(rig, free, strict=True):
        change = other.K[1, 1] / camera.K[1, 1] - 1
        if abs(change) > _OTHER_FOCAL:
            lines.append(
                f"camera '{camera.name}': the points ask for a focal length {abs(100 * change):.0f} %"
                f" {'longer' if change > 0 else 'shorter'} than that of its lens; was its zoom or its picture's size"
                " another?"
            )
    return lines
