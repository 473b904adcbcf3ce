"""The report of cameras that were placed by keypoints: table, facts and plots are those of a calibration by a board."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...calibration.errors import CalibrationError
from ...calibration.quality.checks import covered_percent
from ...calibration.quality.report import CalibrationReport
from ...calibration.quality.report_numbers import error_row
from ...cameras import CameraRig
from ...numerics.arrays import Array, evenly_spread
from ..points.consensus import Triangulation
from .floor import Floor
from .lengths import KnownLength, Scale
from .placement import Placement

_PLOTTED = 2000  # points of each camera in the plots
_UNKNOWN, _VAGUE = 0.1, 0.01  # of the cameras' distance: a place known no better is none, and gets a warning
_VAGUE_SCALE = 0.02  # relative standard deviation of the scale from which a warning says so
_VAGUE_UP = 2.0  # degrees, the same of the vertical


def point_report(
    points_2d: Array,
    found: Triangulation,
    fitted: NDArray[np.bool_],
    rig: CameraRig,
    *,
    facts: dict[str, float | str],
    warnings: tuple[str, ...],
    notes: tuple[str, ...],
) -> CalibrationReport:
    """Reprojection errors of the views on which the points rest.

    Parameters
    ----------
    points_2d : (n_cameras, n_frames, n_keypoints, 2), pixels
    found : the points triangulated by the placed rig, in its world
    fitted : (n_frames, n_keypoints), the points that the cameras were fitted to; the others are held out
    """
    rows = {name: _row(points_2d[[c]], found.inliers[[c]], found.reprojection_error[[c]], fitted, camera.size)
            for c, (name, camera) in enumerate(zip(rig.names, rig, strict=True))}  # fmt: skip
    rows["all"] = _row(points_2d, found.inliers, found.reprojection_error, fitted, None)
    by_frame = np.asarray(found.inliers.any(axis=2), dtype=np.int64)
    off = points_2d - rig.project(found.points_3d)
    corners, residuals = [], []
    for view, kept, rest in zip(points_2d, found.inliers, off, strict=True):
        few = evenly_spread(int(kept.sum()), _PLOTTED)
        corners.append(view[kept][few])
        residuals.append(rest[kept][few])
    return CalibrationReport(
        cameras=rows,
        facts=facts,
        warnings=warnings,
        notes=notes,
        shared_frames=by_frame @ by_frame.T,
        positions=rig.centers,
        directions=np.stack([camera.R[2] for camera in rig]),
        corners=tuple(corners),
        residuals=tuple(residuals),
        sizes=tuple(camera.size for camera in rig),
    )


def _row(points_2d, inliers, errors, fitted, size) -> dict[str, float]:
    """A row of the report's table; arrays of one camera, or of all and no size."""
    covered = np.nan if size is None else covered_percent(points_2d[inliers], size)
    rejected = 100 * (1 - float(inliers.sum()) / max(int(np.isfinite(points_2d[..., 0]).sum()), 1))
    return error_row(errors[inliers], np.nonzero(inliers)[1], errors[inliers & ~fitted], covered, rejected)


def error_facts(rig: CameraRig, covariances: Array) -> dict[str, float]:
    """Error that the cameras' poses alone give the points; covariances (n, 3, 3) of `volume_uncertainty`."""
    errors = np.sqrt(np.trace(covariances, axis1=1, axis2=2))
    name = f"3D error of the cameras' poses ({rig.unit})"
    return {name: float(np.sqrt(np.nanmean(errors**2)))} if np.isfinite(errors).any() else {}


def judged(rig: CameraRig, covariance: Array, middle: Array, scale: Scale, tilt: float) -> tuple[str, ...]:
    """Warnings; raises CalibrationError where the poses are left open.

    Parameters
    ----------
    covariance : (6 C, 6 C) of the cameras' motions, the first camera and the size of the points' cloud standing still
    middle : (3,) of the points
    tilt : standard deviation of the vertical, degrees; NaN where it was given or is unknown
    """
    distances = np.linalg.norm(rig.centers - middle, axis=1)
    places = np.sqrt(np.diag(covariance).reshape(len(rig), 6)[:, 3:].sum(axis=1)) / distances
    worst, lines = int(np.argmax(places)), [scale.warning] if scale.warning else []
    if not places.max() < _UNKNOWN:
        raise CalibrationError(
            f"the points leave open where camera '{rig.names[worst]}' stands, by {100 * places[worst]:.0f} % of its"
            " distance; record more points, spread over the whole volume, or calibrate with a board"
        )
    if places.max() > _VAGUE:
        lines.append(
            f"camera '{rig.names[worst]}': its place relative to '{rig.names[0]}' is known only within"
            f" {100 * places[worst]:.1f} % of its distance; record more points, spread over the whole volume"
        )
    if not np.isfinite(scale.std):
        lines.append("the scale is arbitrary, since no length is known; give `lengths` of a bone or between cameras")
    elif scale.std > _VAGUE_SCALE:
        lines.append(f"all lengths are known only within {100 * scale.std:.1f} %; give a length that is known better")
    if tilt > _VAGUE_UP:
        lines.append(f"the floor's tilt is known only within {tilt:.1f} degrees; give `up` if a camera is level")
    return tuple(lines)


def facts_of(
    placed: Placement, rig: CameraRig, known: list[KnownLength], scale: Scale, ground: Floor | None, up
) -> dict:
    """Named single values of the report: from how many points, their noise, how scale and vertical were set."""
    lengths = "; ".join(str(length) for length in known)
    vertical = f"as given for {', '.join(up)}" if up else "not known"
    if ground is not None:
        vertical = f"of {ground.n_points} points on the floor, ± {ground.degrees:.2g} degrees"
    return {
        "calibrated from": f"{len(placed.rows)} keypoints, with the lenses given",
        "noise of a view (px)": float(np.median(placed.sigma)),
        "views that are worth one independent one": placed.inflation,
        "scale": f"{lengths} {rig.unit}: ± {100 * scale.std:.2g} %" if known else "arbitrary",
        "vertical": vertical,
        "converged": "yes" if placed.converged else "no",
    }
