"""Disagreements that follow from the cameras themselves: focal lengths wrong by one factor, or a pair that moved apart.

The noise of detections is what remains when the relative pose of two cameras is fitted to their points; what lies above
it is systematic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
from scipy.optimize import least_squares, minimize_scalar

from ...cameras import Camera
from ...cameras.epipolar import camera_pair_indices
from ...cameras.rotations import rotation_matrix
from ...numerics.arrays import Array
from ...numerics.robust_scale import present_median
from ..noise.evidence import is_evident
from .changes import Change
from .view_pairs import ENOUGH_POINTS, ViewPairs, median_of

_FACTORS = np.log(np.geomspace(0.4, 2.5, 13))  # of the focal length, tried at first
_LEAST_FACTOR = 1.15  # smaller factors may come of a calibration's own error
_BETTER = 1.15  # times by which the median epipolar error shrinks at the right factor, at least
_CLEARLY_BETTER = 3.0  # the same, where more than noise remains
_LEAST_GAIN = 0.12  # of the mean log error, to be sure: systematic errors of real detectors gain less at a wrong factor
# The same for a suspicion, and the factor: of 133 sound recordings of three or more cameras, none gained 0.027 at such
# a factor (benchmarks/README.md)
_SUSPECTED_GAIN, _SUSPECTED_FACTOR = 0.04, 1.25
_ABOVE_NOISE = 1.3  # times the fitted pairs' error that remains at the right factor, at most
_ROUNDS = 30  # of the fit of a pose
_N_RELATIVE, _N_POSE = 5, 6  # numbers of a pose, against one other camera and against more
FARTHEST_TURN = 20.0  # degrees that a camera turns when it is knocked


def wrong_focal_lengths(views: ViewPairs) -> tuple[float, bool] | None:
    """The factor by which all focal lengths are wrong, and whether that is sure: it explains the disagreement up to
    the noise.

    Lengths of the animal are wrong by it, while the points agree almost as well: a ring of cameras sees a smaller
    animal closer to its middle. Distortion, the principal point and perspective tell the two apart; of two cameras
    alone a movement of one does the same.
    """
    before = _distances(views)
    if len(before) < ENOUGH_POINTS or len(views.cameras) < 3:
        return None
    scale = max(float(np.median(before)), 1e-3)

    def cost(log_factor: float) -> float:
        distances = _distances(views.changed_alike(focal_change(np.exp(log_factor))))
        return float(np.mean(np.log1p((distances / scale) ** 2))) if len(distances) > 0.9 * len(before) else np.inf

    if cost(0.0) < min(cost(-np.log(_LEAST_FACTOR)), cost(np.log(_LEAST_FACTOR))):
        return None
    costs = [cost(x) for x in _FACTORS]
    at = int(np.clip(np.argmin(costs), 1, len(_FACTORS) - 2))
    best = float(minimize_scalar(cost, bounds=(_FACTORS[at - 1], _FACTORS[at + 1]), method="bounded").x)
    right = views.changed_alike(focal_change(np.exp(best)))
    better = scale / max(float(np.median(_distances(right))), 1e-9)  # points without noise
    gain, factor = cost(0.0) - cost(best), float(np.exp(best))
    suspicion = (factor, False) if abs(best) > np.log(_SUSPECTED_FACTOR) and gain > _SUSPECTED_GAIN else None
    if abs(best) < np.log(_LEAST_FACTOR) or gain < _LEAST_GAIN or better < _BETTER:
        return suspicion
    pairs = [(int(a), int(b)) for a, b in camera_pair_indices(len(views.cameras))]
    left = np.array([[median_of(right.distances(*pair)), fitted_pair(right, *pair)[0]] for pair in pairs])
    left = left[np.isfinite(left).all(axis=1)]
    is_noise = bool((left[:, 0] <= _ABOVE_NOISE * left[:, 1]).all())
    return (factor, True) if is_noise or better > _CLEARLY_BETTER else suspicion


def focal_change(factor: float) -> Change:
    """The change that undoes focal lengths of `factor` times the right ones."""
    return Change(
        "focal length",
        f"{{cameras}}: the focal lengths of the rig are {factor:.2f} times those that the points were seen with",
        "calibrate the lenses again, at the recording's zoom",
        pose=lambda camera: with_focal(camera, 1 / factor),
        n_fitted=1,
    )


def with_focal(camera: Camera, factor: float) -> Camera:
    """The camera with its focal lengths times a factor."""
    K = camera.K.copy()
    K[:2, :2] *= factor
    return replace(camera, K=K)


def _distances(views: ViewPairs) -> Array:
    """Epipolar distances of all pairs, pixels, without those that are not known."""
    pairs = camera_pair_indices(len(views.cameras))
    every = np.concatenate([views.distances(int(a), int(b)) for a, b in pairs])
    return every[np.isfinite(every)]


def fitted_pair(views: ViewPairs, a: int, b: int, n_tried: int = 1) -> tuple[float, float, bool]:
    """Median epipolar error of two cameras at the relative pose that fits their points best, its angle in degrees, and
    whether the errors show that it is another.

    n_tried : other causes that were tried
    """
    if np.isfinite(views.ideal[[a, b]]).all(axis=(0, 2)).sum() < ENOUGH_POINTS:
        return np.nan, np.nan, False
    right, degrees = _with_fitted_pose(views, b, [a])
    before, after = views.errors(a, b)[None], right.errors(a, b)[None]
    return median_of(right.distances(a, b)), degrees, is_evident(before, after, n_tried, _N_RELATIVE)


def has_moved(views: ViewPairs, camera: int, others: Sequence[int]) -> bool:
    """Whether the errors of a camera with each of the others show that it stands or looks elsewhere.

    Another pose, turned by little, must bring it as near to each of them as these are to each other.
    """
    compared = [b for b in others if np.isfinite(views.ideal[[camera, b]]).all(axis=(0, 2)).sum() >= ENOUGH_POINTS]
    if len(compared) < 2:
        return False
    right, degrees = _with_fitted_pose(views, camera, compared)
    before, after = (np.stack([side.errors(camera, b) for b in compared]) for side in (views, right))
    noise = float(present_median(np.array([median_of(views.distances(a, b)) for a, b in combinations(compared, 2)])))
    left = max(median_of(right.distances(camera, b)) for b in compared)
    return degrees < FARTHEST_TURN and left < _ABOVE_NOISE * noise and is_evident(before, after, 1, _N_POSE)


def _with_fitted_pose(views: ViewPairs, camera: int, others: Sequence[int]) -> tuple[ViewPairs, float]:
    """The views with the pose of a camera that fits its points best to those of the others, and the angle in degrees.

    It is turned and displaced; against one other across the line between them: their distance is not determined.
    """
    own = views.cameras[camera]
    lines = np.stack([views.cameras[b].center for b in others]) - own.center
    distance = float(np.linalg.norm(lines, axis=1).mean())
    directions = np.linalg.svd(lines)[2][1:] if len(others) == 1 else np.eye(3)
    known = [np.isfinite(views.ideal[[camera, b]]).all(axis=(0, 2)) for b in others]

    def turned(motion: Array) -> ViewPairs:
        R = rotation_matrix(motion[:3]) @ own.R
        return views.posed(camera, replace(own, R=R, t=-R @ (own.center + distance * motion[3:] @ directions)))

    def residuals(motion: Array) -> Array:
        there = turned(motion)
        return np.concatenate([there.distances(b, camera)[both] for b, both in zip(others, known, strict=True)])

    start = np.zeros(3 + len(directions))
    scale = max(float(np.median(residuals(start))), 1e-3)
    found = least_squares(residuals, start, loss="cauchy", f_scale=scale, max_nfev=_ROUNDS)
    return turned(found.x), float(np.degrees(np.linalg.norm(found.x[:3])))
