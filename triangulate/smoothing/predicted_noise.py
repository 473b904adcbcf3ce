"""The noise that a detector predicts for each of its pixels."""

from __future__ import annotations

import numpy as np

from ...numerics.arrays import Array

_SCALES = (0.25, 8.0)  # range of a pixel's predicted noise over the median of its camera
# noise over that of a camera's median pixel that no detector predicts: labels beside the keypoint, calibration (in the
# demo, pixels of a third of the median's predicted noise are off by half of the median's)
_UNPREDICTED = 0.4


def relative_noise(points_2d: Array, covariances_2d: Array | None, typical: Array | None = None) -> Array:
    """(n_cameras, n_frames, n_keypoints) predicted noise of each pixel over the median of its camera.

    Only the ratios between keypoints and frames of a camera are used: the size of a camera's noise is learned from its
    residuals (and then that of a keypoint, where it has many). A part that no detector predicts is added to each. 1
    where nothing is predicted.

    typical : (n_cameras,) the medians, where these frames are a part of the recording
    """
    if covariances_2d is None:
        return np.broadcast_to(1.0, points_2d.shape[:-1])
    predicted = _predicted(covariances_2d)
    typical = typical_noise(covariances_2d) if typical is None else typical
    ratio = np.clip(np.nan_to_num(predicted / typical[:, None, None], nan=1.0), *_SCALES)
    return np.sqrt((ratio**2 + _UNPREDICTED**2) / (1 + _UNPREDICTED**2))


def typical_noise(covariances_2d: Array) -> Array:
    """(n_cameras,) median of the predicted noise of each camera's pixels, 1 where nothing is predicted."""
    predicted = _predicted(covariances_2d)
    return np.array([np.nanmedian(own) if np.isfinite(own).any() else 1.0 for own in predicted])


def _predicted(covariances_2d: Array) -> Array:
    predicted = np.sqrt(np.trace(covariances_2d, axis1=-2, axis2=-1) / 2)
    return np.where(np.isfinite(predicted) & (predicted > 0), predicted, np.nan)
