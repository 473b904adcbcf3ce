"""Predict from a calibration's covariance how well its cameras are known, and points where its boards were."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..numerics.arrays import Array
from .calibrated_rig import Calibration
from .projection_uncertainty import noise_covariance, volume_uncertainty
from .quality.predicted_uncertainty import PredictedUncertainty, VolumeSlice

_GRID = 13  # points along each edge of a slice


def with_prediction(calibration: Calibration) -> Calibration:
    """The calibration, in its report what it predicts in the world as it is now."""
    rig, index = calibration.rig, {name: i for i, name in enumerate(calibration.parameters)}
    variances = np.diag(calibration.parameter_covariance)
    focal = {
        name: np.sqrt([variances[index[name, key]] if (name, key) in index else np.nan for key in ("fx", "fy")])
        for name in rig.names
    }
    centre = {name: _centre_std(calibration, c) for c, name in enumerate(rig.names)}
    predicted = PredictedUncertainty(focal, centre, _slices(calibration))
    return replace(calibration, report=replace(calibration.report, predicted=predicted))


def _centre_std(calibration: Calibration, c: int) -> Array:
    """(3,) standard deviations of a camera's centre along the world's axes, those of other lens models included."""
    R = calibration.rig.cameras[c].R
    variances = np.diag(R.T @ calibration.rig_covariance[c, -3:, c, -3:] @ R).copy()
    for other in calibration.alternatives:
        variances += other.probability * (other.rig.centers[c] - other.chosen.centers[c]) ** 2
    return np.sqrt(variances)


def board_volume(calibration: Calibration) -> tuple[Array, Array, Array]:
    """Least, middle and greatest coordinates (3,) of the boards' corners: the 5th, 50th and 95th percentiles."""
    boards = calibration.board_shape @ calibration.board_R.swapaxes(1, 2) + calibration.board_t[:, None]
    low, middle, high = np.percentile(boards.reshape(-1, 3), [5, 50, 95], axis=0)
    return low, middle, high


def volume_facts(calibration: Calibration) -> dict[str, float]:
    """Predicted 3D error, root mean square in the rig's unit, where boards were: in the middle, and at the far corners.

    From the calibration's own uncertainty alone; empty where fewer than two cameras see these places.
    """
    low, middle, high = board_volume(calibration)
    corners = np.stack(np.meshgrid(*np.stack([low, high], axis=1)), axis=-1).reshape(-1, 3)
    errors = predicted_errors(calibration, np.vstack([middle, corners]))[0]
    unit, facts = calibration.rig.unit, {}
    if np.isfinite(errors[0]):
        facts[f"3D error of the calibration, middle of the boards' volume ({unit})"] = float(errors[0])
    if np.isfinite(errors[1:]).any():
        facts[f"3D error of the calibration, its worst corner ({unit})"] = float(np.nanmax(errors[1:]))
    return facts


def predicted_errors(calibration: Calibration, points_3d: Array) -> tuple[Array, Array]:
    """Root mean square 3D error by the calibration alone (n,), and over that by one pixel of noise in the keypoints.

    NaN where fewer than two cameras see a point.
    """
    errors = np.sqrt(np.trace(volume_uncertainty(calibration, points_3d), axis1=1, axis2=2))
    noise = np.sqrt(np.trace(noise_covariance(calibration, points_3d), axis1=1, axis2=2))
    return errors, errors / noise


def _slices(calibration: Calibration) -> tuple[VolumeSlice, ...]:
    """Three planes through the middle, half as far again as the boards were."""
    low, middle, high = board_volume(calibration)
    margin, slices = 0.25 * (high - low), []
    for across, up in ((0, 1), (0, 2), (1, 2)):
        u, v = (np.linspace(low[k] - margin[k], high[k] + margin[k], _GRID) for k in (across, up))
        points = np.tile(middle, (_GRID, _GRID, 1))
        points[..., across], points[..., up] = np.meshgrid(u, v)
        errors, shares = (found.reshape(_GRID, _GRID) for found in predicted_errors(calibration, points.reshape(-1, 3)))
        slices.append(VolumeSlice(("xyz"[across], "xyz"[up]), u, v, errors, shares))
    return tuple(slices)
