"""Delays of cameras in frames, from the epipolar constraint and the animal's own motion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cameras import CameraRig, _kernels_epipolar
from ...cameras.epipolar import camera_pair_indices, fundamental_matrix
from ...cameras.frame_offset_search import best_offsets, cost_ratio
from ...numerics.arrays import Array
from ...numerics.robust_scale import present_median
from ..input_checks import check_observations, from_views, individuals_as_keypoints

_LEAST_CONFIDENCE = 0.1  # of a detector that has not seen the keypoint
_LEAST_RANGE, _RANGE_SECONDS = 5, 0.1  # frames, and seconds where the frame rate is known: offsets that are tried
_MIN_POINTS = 60  # residuals of a pair of cameras: their root mean square is then known to some 10 %
_BLOCKS = (40, 20, 10, 5)  # numbers of blocks a recording is cut into: the longest outlast the errors' correlation
_GATE = 6.0  # times the median residual, four standard deviations of Gaussian noise: beyond are outliers
_SEARCH = 6  # steps, of at most two frames each, that a root is followed: further off the costs have found it
_STRONG = 5.0  # standard deviations by which motion must exceed the effect of noise alone
_LEAST_GAIN = 1.01  # ratio of disagreements below which all cameras are taken as synchronous to the frame


@dataclass(frozen=True, eq=False)
class FrameOffsets:
    """Delays of the cameras in frames.

    Parameters
    ----------
    names : tuple of str
        The cameras.
    offsets : ndarray, shape (n_cameras,), frames
        What the others show at frame i, this camera shows at frame i + offset, with fractions; the (precision-weighted)
        median camera is 0; NaN where the recording does not determine it.
    std : ndarray, shape (n_cameras,), frames
        Standard deviation of the offsets.
    gain : float
        Ratio (at least 1) by which the cameras' epipolar disagreement shrinks with the whole-number offsets.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.triangulate import FrameOffsets
    >>> found = FrameOffsets(("left", "right"), np.array([0.0, 2.01]), np.array([0.01, 0.02]), 1.8)
    >>> found.to_apply()
    array([0., 2.])
    >>> found.sentences()
    ("camera 'right' is delayed by 2.01 ± 0.02 frames; shift its recording by 2 frames",)
    """

    names: tuple[str, ...]
    offsets: Array
    std: Array
    gain: float

    def significant(self, least: float = 0.1) -> NDArray[np.bool_]:
        """Offsets that are neither small nor explained by noise.

        Parameters
        ----------
        least : float, frames
            Smaller offsets change no frame's points by more than a tenth of their motion and are left alone.

        Returns
        -------
        ndarray of bool, shape (n_cameras,)
            Offsets of at least `least` frames that are six standard deviations from 0.
        """
        offsets = np.nan_to_num(self.offsets)
        return (np.abs(offsets) >= least) & (np.abs(offsets) > 6 * np.nan_to_num(self.std, nan=np.inf))

    def to_apply(self) -> Array:
        """Offsets by which the recordings should be shifted.

        Returns
        -------
        ndarray, shape (n_cameras,), frames
            The significant offsets, 0 for the others; a fraction that noise explains is rounded off.
        """
        offsets = np.where(self.significant(), np.nan_to_num(self.offsets), 0.0)
        whole = np.round(offsets)
        return np.where(np.abs(offsets - whole) < np.maximum(3 * np.nan_to_num(self.std), 0.05), whole, offsets)

    def sentences(self) -> tuple[str, ...]:
        """Describe the cameras with a significant offset.

        Returns
        -------
        tuple of str
            One sentence per camera.
        """
        lines = []
        for i in np.flatnonzero(self.significant()):
            offset, whole = float(self.offsets[i]), abs(round(float(self.offsets[i])))
            frames = "frame" if whole == 1 else "frames"
            remedy = f"shift its recording by {whole} {frames}" if whole else "synchronise the exposures"
            lines.append(
                f"camera '{self.names[i]}' is {'delayed' if offset > 0 else 'ahead'} by {abs(offset):.2f} ±"
                f" {self.std[i]:.2f} frames; {remedy}"
            )
        return tuple(lines)


def frame_offsets(
    points_2d: Any,
    rig: CameraRig,
    *,
    confidence: Array | None = None,
    fps: float | None = None,
    max_offset: int | None = None,
) -> FrameOffsets:
    """Find the constant number of frames, with fractions, by which cameras are delayed.

    Whole frames: the offsets at which all pairs of cameras best satisfy the epipolar constraint. Fractions: along the
    motion the constraint's residual grows in proportion to the delay; its root is found per pair with the speed taken
    from the frames around (an instrumental variable, so that the noise of detection does not bias it), and the pairs
    are reconciled by least squares. Errors are estimated from blocks of frames of several lengths, the largest counts.

    Parameters
    ----------
    points_2d : ndarray, shape (n_cameras, n_frames, n_keypoints, 2), pixels, or xarray.Dataset
        Keypoints, the cameras in the order of the rig, NaN where missing; or a views dataset.
    rig : CameraRig
        The calibrated cameras.
    confidence : ndarray, shape (n_cameras, n_frames, n_keypoints), 0-1, optional
        Points below 0.1 are left out. None: that of the dataset, or all alike.
    fps : float, hertz, optional
        Frame rate, for the default of `max_offset`. None: that of the dataset, or unknown.
    max_offset : int, frames, optional
        Largest offset tried. None: 5 frames, or as many as last 0.1 s if that is more.

    Returns
    -------
    FrameOffsets
        The delays with their standard deviations.

    Raises
    ------
    ValueError
        Shapes do not fit the rig.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.cameras import Camera, CameraRig
    >>> from muybridge.triangulate import frame_offsets
    >>> K = [[1000, 0, 640], [0, 1000, 512], [0, 0, 1]]
    >>> t = ([-300, 0, 1000], [-100, 20, 1000], [100, 40, 1000], [300, 60, 1000])
    >>> rig = CameraRig(tuple(Camera(f"cam_{i}", (1280, 1024), K, [], np.eye(3), t[i]) for i in range(4)))
    >>> times = np.arange(300)[:, None, None] / 100
    >>> truth = 100 * np.sin(times * [[5, 7, 6], [4, 8, 5]] + [[0, 1, 2], [3, 4, 5]])
    >>> points_2d = rig.project(truth)
    >>> points_2d[2, 3:] = points_2d[2, :-3]
    >>> points_2d += np.random.default_rng(0).normal(0, 0.2, points_2d.shape)
    >>> frame_offsets(points_2d, rig).to_apply()
    array([0., 0., 3., 0.])
    """
    points_2d, confidence, fps = from_views(individuals_as_keypoints(points_2d), rig, confidence=confidence, fps=fps)
    points_2d, max_offset = usable_points(points_2d, rig, confidence), offset_range(max_offset, fps)
    ideal = rig.undistort(points_2d)
    pairs = camera_pair_indices(len(rig))
    curves = [_PairCurve(ideal[a], ideal[b], fundamental_matrix(rig, int(a), int(b))) for a, b in pairs]
    shifts = range(-max_offset, max_offset + 1)
    costs = np.array([[curve.cost(k) for k in shifts] for curve in curves])
    whole, synchronous = best_offsets(costs, pairs, len(rig)), np.zeros(len(rig), dtype=np.int64)
    if cost_ratio(costs, pairs, synchronous, whole) < _LEAST_GAIN:
        whole = synchronous
    estimates = np.array([curve.root(int(whole[a] - whole[b])) for curve, (a, b) in zip(curves, pairs, strict=True)])
    offsets, std = _reconcile(estimates, pairs, len(rig))
    return FrameOffsets(rig.names, offsets, std, cost_ratio(costs, pairs, synchronous, whole))


def offset_range(max_offset: int | None, fps: float | None) -> int:
    """Largest offset tried, frames: the one given, or else see `frame_offsets`."""
    if max_offset is not None:
        return max_offset
    return _LEAST_RANGE if fps is None else max(_LEAST_RANGE, round(_RANGE_SECONDS * fps))


def usable_points(points_2d: Array, rig: CameraRig, confidence: Array | None) -> Array:
    """(n_cameras, n_frames, n_keypoints, 2), checked, with improbable points as NaN."""
    points_2d, confidence = check_observations(points_2d, rig, confidence, by_frame=True)
    if confidence is None:
        return points_2d
    return np.where((confidence >= _LEAST_CONFIDENCE)[..., None], points_2d, np.nan)


class _PairCurve:
    """Epipolar residuals of a pair of cameras at any relative offset; kept are only those that a root needs."""

    def __init__(self, one: Array, other: Array, F: Array):
        self.one, self.other, self.F = one, other, F

    def at(self, k: int) -> Array:
        """(n_frames, n_keypoints) pixels, frame i + k of the first camera against frame i of the second."""
        residual = np.full(self.other.shape[:2], np.nan)
        start, stop = max(0, -k), min(len(residual), len(residual) - k)
        if stop > start:
            one, other = self.one[start + k : stop + k], self.other[start:stop]
            flat = _kernels_epipolar.sampson_distances(
                self.F, np.ascontiguousarray(one).reshape(-1, 2), np.ascontiguousarray(other).reshape(-1, 2)
            )
            residual[start:stop] = flat.reshape(other.shape[:2])
        return residual

    def cost(self, k: int) -> float:
        """Robust size of the residuals, pixels: the lower half's, which outliers do not reach."""
        size = np.abs(self.at(k))
        size = size[np.isfinite(size)]
        if len(size) < _MIN_POINTS:
            return np.nan
        return float(np.sqrt(np.mean(np.minimum(size, 3 * np.median(size)) ** 2)))

    def root(self, k: int) -> tuple[float, float]:
        """Offset with fractions near k, and its standard deviation; NaN where the motion does not determine it."""
        at = cache(self.at)
        for _ in range(_SEARCH):
            step, std = self._step(k, at)
            # a root a little outside the two frames is left where it is: near a whole frame both neighbours give it
            if not np.isfinite(step):
                return np.nan, np.nan
            if -0.25 <= step <= 1.25:
                return k + step, std
            k += int(np.clip(np.floor(step), -2, 2))
        return np.nan, np.nan

    def _step(self, k: int, at: Callable[[int], Array]) -> tuple[float, float]:
        before, here, there, after = (at(k + i) for i in (-1, 0, 1, 2))
        size = np.max(np.abs([before, here, there, after]), axis=0)
        middle = present_median(size)
        good = size < _GATE * middle
        if good.sum() < _MIN_POINTS:
            return np.nan, np.nan
        speed = np.where(good, (after - before) / 3, 0.0)
        mean = speed.sum(axis=0) / np.maximum(good.sum(axis=0), 1)
        # without its mean per keypoint, the speed is independent of the residual's part from a keypoint's constant bias
        speed = np.where(good, speed - mean, 0.0)
        slopes = speed * np.where(good, there - here, 0.0)
        slope = float(slopes.sum())
        if not slope > _STRONG * _spread(slopes - slope * good / good.sum(), _BLOCKS[0]):
            return np.nan, np.nan  # too little motion: noise divided by noise
        step = -float((speed * np.where(good, here, 0.0)).sum()) / slope
        rest = speed * np.where(good, (1 - step) * here + step * there, 0.0)
        return step, max(_spread(rest, n) for n in _BLOCKS) / slope


def _spread(values: Array, n_blocks: int) -> float:
    """Standard deviation of the sum of values (n_frames, n) with mean 0, from blocks of frames."""
    blocks = np.array([block.sum() for block in np.array_split(values, min(n_blocks, len(values)))])
    return float(np.sqrt((blocks**2).sum()))


def _reconcile(estimates: Array, pairs: NDArray[np.int64], n_cameras: int) -> tuple[Array, Array]:
    """Offsets (n_cameras,) and their standard deviations from pairwise ones (n_pairs, 2: value, std)."""
    known = np.isfinite(estimates).all(axis=1)
    offsets, std = np.full(n_cameras, np.nan), np.full(n_cameras, np.nan)
    if not known.any():
        return offsets, std
    A = (np.eye(n_cameras)[pairs[:, 0]] - np.eye(n_cameras)[pairs[:, 1]])[known]
    values, sigma = estimates[known, 0], np.maximum(estimates[known, 1], 1e-4)
    weights = 1 / sigma**2
    for _ in range(20):
        solution = np.linalg.lstsq(A * np.sqrt(weights)[:, None], values * np.sqrt(weights), rcond=None)[0]
        weights = 1 / (sigma**2 + (values - A @ solution) ** 2 / 4)
    seen = np.abs(A).sum(axis=0) > 0
    covariance = np.linalg.pinv(A.T @ (weights[:, None] * A))
    reference = int(np.flatnonzero(seen)[_weighted_median(solution[seen], 1 / np.diag(covariance)[seen])])
    spread = np.diag(covariance) + covariance[reference, reference] - 2 * covariance[reference]
    offsets[seen] = (solution - solution[reference])[seen]
    # pairs that contradict each other beyond their errors make all errors larger (Birge 1932)
    freedom = int(known.sum() - seen.sum() + 1)
    misfit = (((values - A @ solution) / sigma) ** 2).sum() / freedom if freedom > 0 else 1.0
    std[seen] = np.sqrt(np.maximum(spread, 0) * max(1.0, misfit))[seen]
    return offsets, std


def _weighted_median(values, weights) -> int:
    """Position of the weighted median."""
    order = np.argsort(values, kind="stable")
    share = np.cumsum(weights[order]) / weights.sum()
    return int(order[np.searchsorted(share, 0.5)])
