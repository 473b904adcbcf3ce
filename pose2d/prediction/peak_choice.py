"""Which of several peaks of each view a keypoint's place is, weighed by how well the peaks of all cameras agree in 3D.

Reported is the peak that is the least far from the place in the mean of its posterior: at one of the peaks
(`peak_agreement`), or at none, and then where the other cameras see the point. How far from the point that the other
views show each view shows a keypoint is learned from the recording (`view_misfits`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...cameras import CameraRig
from ...datasets import Array
from ..inference.engine import Found, of_rows
from ..inference.uncertainty import Uncertainty
from .peak_agreement import Agreement, Mixtures, log_gains, project, weigh_peaks
from .view_misfits import ViewMisfits, fit_misfits

N_PEAKS = 3  # of each keypoint and view
# probability that none of a view's peaks is the place, though the map shows no other: of the demo's visible peaks of a
# share above 0.98, 0.7 % lay outside their 99.9 % ellipses (seed 0); from 0.002 to 0.02 the errors are the same
WRONG = 0.01


def misfits_of(found: Found, rig: CameraRig, uncertainty: Uncertainty, side: float) -> ViewMisfits:
    """Where each view shows each keypoint beside the point that the others show, of instants as `choose_peaks` takes
    them, spread over the recording."""
    return fit_misfits(_mixtures(found, rig, uncertainty), rig.projection_matrices, side)


def choose_peaks(found: Found, rig: CameraRig, uncertainty: Uncertainty, side: float, misfits: ViewMisfits) -> Found:
    """What was found, with a weaker peak in place of the strongest where it agrees better with the other cameras.

    Parameters
    ----------
    found : of the rig's cameras, shapes (n_cameras, n_instants, n_keypoints, ...); NaN where damaged
    side : of the square that the animal fills in a picture, pixels

    A peak that is chosen keeps the probability and covariance that its own map gives it: what triangulates it counts
    the agreement of the views itself. With the posterior in their place the demo's smoothed 3D points were worse (mean,
    seeds 0 and 7: 4.28 and 3.88 mm; with their own 4.08 and 3.83; without any choice 4.04 and 3.86).
    """
    mixtures = misfits.taken_out(_mixtures(found, rig, uncertainty))
    flat = Mixtures(*(values.reshape(-1, *values.shape[2:]) for values in mixtures))
    divided = (log_gains(flat.covariances, flat.shares, side)[0][..., 1:] > 0).any((1, 2))  # no other peak gains
    some = Mixtures(*(values[divided] for values in flat))
    peaks = np.zeros(flat.shares.shape[:2], int)
    peaks[divided] = _nearest(some, weigh_peaks(some, rig.projection_matrices, side), rig.projection_matrices)
    at = np.moveaxis(peaks.reshape(*found.mass.shape[1:], -1), -1, 0)[:, None]
    every = _all_peaks(found)
    own = (np.take_along_axis(v, at.reshape(*at.shape, *[1] * (v.ndim - at.ndim)), 1)[:, 0] for v in every[:-1])
    return Found(*own, others=found.others)


def _nearest(mixtures: Mixtures, agreement: Agreement, matrices: Array) -> NDArray[np.int64]:
    """(n, n_cameras) the peak from which the place is the least far, in the mean of its posterior."""
    points, likely = mixtures.points, agreement.probabilities
    apart = np.nan_to_num(np.linalg.norm(points[:, :, :, None] - points[:, :, None], axis=-1))
    to_others = np.nan_to_num(np.linalg.norm(points - project(agreement.points_3d, matrices)[0][:, :, None], axis=-1))
    none = (1 - likely.sum(-1)).clip(0)
    expected = (apart * likely[:, :, None]).sum(-1) + none[..., None] * to_others
    return np.where(mixtures.shares > 0, expected, np.inf).argmin(-1)


def _mixtures(found: Found, rig: CameraRig, uncertainty: Uncertainty) -> Mixtures:
    """(n_instants, n_keypoints, n_cameras, n_peaks, ...) what the maps show."""
    every = _all_peaks(found)
    present = np.asarray(np.isfinite(every.covariances).all((-2, -1)))
    matrices = np.where(present[..., None, None], every.covariances, np.eye(2))
    known = Found(*(np.nan_to_num(v, nan=1.0) for v in every))._replace(covariances=matrices)
    covariances = uncertainty.ellipses(known._replace(elsewhere=np.zeros_like(known.mass)))
    values = rig.undistort(every.points), covariances, _shares(every, present)
    return Mixtures(*(np.moveaxis(v, (2, 3), (0, 1)) for v in values))


def _all_peaks(found: Found) -> Found:
    """With an axis of the peaks, strongest first, after that of the cameras."""
    others = of_rows(np.moveaxis(found.others, -2, 1))
    return Found(
        *(np.concatenate([own[:, None], other], 1) for own, other in zip(found[:-1], others[:-1], strict=True))
    )


def _shares(every: Found, present: NDArray[np.bool_]) -> Array:
    """(n_cameras, n_peaks, ...) probability of each peak, given that the keypoint is somewhere; `WRONG` is left out."""
    shares = np.where(present, 1 - every.elsewhere, 0.0).clip(0, 1)
    return (1 - WRONG) * shares / np.maximum(shares.sum(1, keepdims=True), 1)
