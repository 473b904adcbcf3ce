"""How far from the point that the other views show each view shows a keypoint, learned from a recording.

Cameras are not exact, and what is labelled as a knee lies at another place of the body in each view. So a keypoint's
place in a view is the projection of its point, displaced by a constant and by a part that wanders, both normally
distributed. Displacement and variance of each view and keypoint are the mode of their posterior, given where the other
views place the point, by expectation and maximisation over the peaks; the displacements' own spread is the camera's.
Peaks that agree by chance do not explain a whole recording; a displacement under which the strongest ones agree does.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...datasets import Array
from ...numerics.robust_scale import present_median
from .peak_agreement import FEWEST, Agreement, Mixtures, log_gains, project, weigh_peaks

_N_SAMPLE = 60  # instants of a recording that are looked at; 100 give the demo's errors to 0.1 px (seed 0)
_ROUNDS = 6  # of placing the points and fitting the views
# part of a fit that each round takes: all views are fitted at once, and whole steps pass a displacement to and fro (the
# rat's answers of odd and even rounds differed: mean 3.36 and 3.62 px)
_STEP = 0.5
_EM_STEPS = 20  # steps of expectation maximisation of a fit, which every round begins anew from better placed points
# before anything is known, in sides of the animal's square: spread of the displacements, and of what wanders; what a
# recording cannot tell (two cameras) keeps the second
_DISPLACED, _WANDERS = 0.05, 0.025
# priors, as so many observations of so many pixels: spread of a camera's displacements, and of what wanders
_SPREAD_PRIOR = 2, 3.0
_WANDER_PRIOR = 5, 1.0  # without it the variance of a few peaks that lie close together would shrink to nothing


class ViewMisfits(NamedTuple):
    """Of each view and keypoint.

    displacements : (n_cameras, n_keypoints, 2) pixels of distortion-free cameras
    variances : (n_cameras, n_keypoints) of what wanders, along an axis, pixels squared
    """

    displacements: Array
    variances: Array

    def taken_out(self, mixtures: Mixtures) -> Mixtures:
        """Mixtures (n_instants, n_keypoints, n_cameras, n_peaks, ...) of the points' projections."""
        return Mixtures(
            mixtures.points - self.displacements.swapaxes(0, 1)[:, :, None],
            mixtures.covariances + self.variances.T[:, :, None, None, None] * np.eye(2),
            mixtures.shares,
        )


def sample_of(n_instants: int) -> NDArray[np.int64]:
    """Numbers of the instants, spread over a recording, that its misfits are learned from."""
    return np.unique(np.linspace(0, n_instants - 1, min(n_instants, _N_SAMPLE)).round().astype(int))


def fit_misfits(mixtures: Mixtures, matrices: Array, side: float) -> ViewMisfits:
    """The misfits of a recording, of instants spread over it; arguments as of `weigh_peaks`, with leading axes
    (n_instants, n_keypoints)."""
    n_instants, n_keypoints, n_cameras = mixtures.shares.shape[:3]
    misfits = ViewMisfits(
        np.zeros((n_cameras, n_keypoints, 2)), np.full((n_cameras, n_keypoints), (_WANDERS * side) ** 2)
    )
    spreads = np.full(n_cameras, _DISPLACED * side)
    for _ in range(_ROUNDS if n_cameras > 2 else 0):  # of two views neither tells where the other shows the point
        placed = Mixtures(*(v.reshape(-1, *v.shape[2:]) for v in misfits.taken_out(mixtures)))
        predicted = left_out(placed, weigh_peaks(placed, matrices, side), matrices)
        pixels, uncertain = (v.reshape(n_instants, n_keypoints, *v.shape[1:]) for v in predicted)
        fits = []
        for c in range(n_cameras):
            known = np.isfinite(pixels[:, :, c, :1])
            own = Mixtures(
                np.nan_to_num(mixtures.points[:, :, c] - pixels[:, :, c, None]),
                mixtures.covariances[:, :, c] + np.where(known[..., None, None], uncertain[:, :, c, None], 0),
                np.where(known, mixtures.shares[:, :, c], 0.0),
            )
            own = Mixtures(*(v.swapaxes(0, 1) for v in own))
            fits.append(_fit_view(own, misfits.variances[c], spreads[c], side))
        displacements, variances, spreads = (np.stack(values) for values in zip(*fits, strict=True))
        misfits = ViewMisfits(misfits.displacements + _STEP * (displacements - misfits.displacements), variances)
    return misfits


def left_out(mixtures: Mixtures, agreement: Agreement, matrices: Array) -> tuple[Array, Array]:
    """Where each camera shows the point that the others place: (n, n_cameras, 2) pixels, NaN where fewer than two
    others agree, and their covariances (n, n_cameras, 2, 2); by one step of Gauss-Newton without the camera."""
    pixels, slopes = project(agreement.points_3d, matrices)
    used = agreement.peaks >= 0
    at = np.maximum(agreement.peaks, 0)[..., None]
    away = np.take_along_axis(mixtures.points, at[..., None], 2)[:, :, 0] - pixels
    precisions = np.linalg.inv(np.take_along_axis(mixtures.covariances, at[..., None, None], 2)[:, :, 0])
    inner = np.where(used[..., None, None], np.swapaxes(slopes, -1, -2) @ precisions, 0.0)
    hessians = inner @ np.where(used[..., None, None], slopes, 0.0)
    gradients = np.einsum("ncai,nci->nca", inner, np.where(used[..., None], away, 0.0))
    known = used.sum(1)[:, None] - used >= FEWEST
    others = np.where(known[..., None, None], hessians.sum(1)[:, None] - hessians, np.eye(3))
    inverse = np.linalg.inv(others)
    steps = np.einsum("ncab,ncb->nca", inverse, gradients.sum(1)[:, None] - gradients)
    predicted = pixels + np.einsum("ncia,nca->nci", slopes, steps)
    return np.where(known[..., None], predicted, np.nan), slopes @ inverse @ np.swapaxes(slopes, -1, -2)


def _fit_view(residuals: Mixtures, variances: Array, spread: float, side: float) -> tuple[Array, Array, float]:
    """Displacement (n_keypoints, 2) and variance (n_keypoints,) of one view, and its displacements' spread.

    residuals : (n_keypoints, n_instants, n_peaks, ...) peaks less where the other views show the point
    """
    placed = np.where(residuals.shares[..., None] > 0, residuals.points, np.nan)
    medians = np.moveaxis(np.nan_to_num(present_median(placed, axis=1)), 1, 0)  # of each peak
    displacements = np.concatenate([np.zeros((1, *medians.shape[1:])), medians])  # (n_starts, n_keypoints, 2)
    variances = np.broadcast_to(variances, displacements.shape[:2])
    n_prior, std_prior = _WANDER_PRIOR
    for _ in range(_EM_STEPS):
        responsibilities, precisions, away, _ = _responsibilities(residuals, displacements, variances, side)
        weights = responsibilities[..., None, None] * precisions
        known = weights.sum((2, 3)) + np.eye(2) / spread**2
        gradient = np.einsum("skipab,kipb->ska", weights, residuals.points)
        displacements = np.linalg.solve(known, gradient[..., None])[..., 0]
        v = variances[..., None, None]
        wandered = v[..., None] * np.einsum("skipab,skipb->skipa", precisions, away)
        left = 2 * v - v**2 * np.trace(precisions, axis1=-2, axis2=-1)
        squares = (responsibilities * ((wandered**2).sum(-1) + left) / 2).sum((2, 3))
        variances = (squares + n_prior * std_prior**2) / (responsibilities.sum((2, 3)) + n_prior)
    evidence = _responsibilities(residuals, displacements, variances, side)[-1]
    evidence -= 0.5 * (displacements**2).sum(-1) / spread**2
    evidence -= n_prior * (np.log(variances) + std_prior**2 / variances)
    best = evidence.argmax(0), np.arange(len(medians[0]))
    uncertain = np.trace(np.linalg.inv(known[best]), axis1=-2, axis2=-1)
    seen = responsibilities[best].sum((1, 2)) > 0
    squares = (((displacements[best] ** 2).sum(-1) + uncertain) / 2)[seen].sum()
    n_spread, std_spread = _SPREAD_PRIOR
    spread = np.sqrt((squares + n_spread * std_spread**2) / (seen.sum() + n_spread))
    return displacements[best], variances[best], float(spread)


def _responsibilities(
    residuals: Mixtures, displacements: Array, variances: Array, side: float
) -> tuple[Array, Array, Array, Array]:
    """(n_starts, n_keypoints, n_instants, n_peaks, ...) of each peak its probability, its precision, and its place less
    the displacement; (n_starts, n_keypoints) logarithm of how much more probable the peaks are than none at all."""
    covariances = residuals.covariances + variances[..., None, None, None, None] * np.eye(2)
    precisions = np.asarray(np.linalg.inv(covariances), float)
    away = residuals.points - displacements[:, :, None, None]
    gains = log_gains(covariances, np.broadcast_to(residuals.shares, covariances.shape[:-2]), side)[0]
    gains = gains - 0.5 * np.einsum("skipa,skipab,skipb->skip", away, precisions, away)
    every = np.logaddexp(np.logaddexp.reduce(gains, -1), 0.0)
    return np.exp(gains - every[..., None]), precisions, away, every.sum(-1)
