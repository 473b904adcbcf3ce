"""Pairs of views at some frames of a recording: their epipolar errors, and those of points matched at random."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray

from ...cameras import Camera, CameraRig, _kernels_epipolar
from ...cameras.epipolar import camera_pair_indices, fundamental_of
from ...numerics.arrays import Array, evenly_spread
from .changes import Change

AGREES = 0.004  # of the image's width: the median epipolar error of a poor detector's keypoints
_SAMPLE = 800  # points at which pairs of cameras are compared: a median is then known to 5 %
_FITTED = 200  # points to which an epipolar constraint of their own is fitted
ENOUGH_POINTS = 30  # points below which a pair of cameras is not compared


@dataclass(frozen=True, eq=False)
class ViewPairs:
    """Some frames of all cameras: raw points, and flat points without distortion.

    raw : (n_cameras, n_individuals, n_some, n_keypoints, 2)
    cameras : as they are, or changed
    ideal : (n_cameras, n_individuals * n_some * n_keypoints, 2)
    matrices : {positions of a pair of cameras: fundamental matrix} of those that were computed
    """

    raw: Array
    cameras: tuple[Camera, ...]
    ideal: Array
    matrices: dict[tuple[int, int], Array] = field(default_factory=dict)

    @classmethod
    def of(cls, points_2d: Array, rig: CameraRig) -> ViewPairs:
        n_frames = max(1, _SAMPLE // max(1, points_2d.shape[1] * points_2d.shape[3]))
        seen = np.flatnonzero((np.isfinite(points_2d[..., 0]).any(axis=(1, 3)).sum(axis=0)) >= 2)
        raw = points_2d[:, :, seen[evenly_spread(len(seen), n_frames)]]
        return cls(raw, rig.cameras, np.stack([_flat(raw[c], camera) for c, camera in enumerate(rig)]))

    def changed(self, camera: int, change: Change) -> ViewPairs:
        """With the change of one camera."""
        pose = change.pose(self.cameras[camera])
        points = change.points(self.raw[camera].copy(), pose)
        return self.with_view(camera, pose, points, _flat(points, pose))

    def with_view(self, camera: int, pose: Camera, points: Array, flat: Array) -> ViewPairs:
        """With another pose and other points of one camera, raw and without distortion."""
        views = self if pose is self.cameras[camera] else self.posed(camera, pose)
        raw, ideal = self.raw.copy(), self.ideal.copy()
        raw[camera], ideal[camera] = points, flat
        return replace(views, raw=raw, ideal=ideal)

    def changed_alike(self, change: Change) -> ViewPairs:
        """With the same change of all cameras."""
        return reduce(lambda views, camera: views.changed(camera, change), range(len(self.cameras)), self)

    def posed(self, camera: int, pose: Camera) -> ViewPairs:
        """With another pose of one camera, whose points without distortion stay."""
        cameras = (*self.cameras[:camera], pose, *self.cameras[camera + 1 :])
        return replace(
            self, cameras=cameras, matrices={pair: F for pair, F in self.matrices.items() if camera not in pair}
        )

    def reordered(self, order: Sequence[int]) -> ViewPairs:
        """With the points of camera order[c] as those of camera c."""
        raw = self.raw[list(order)]
        return replace(self, raw=raw, ideal=np.stack([_flat(raw[c], self.cameras[c]) for c in range(len(raw))]))

    def errors(self, a: int, b: int, keypoints: tuple[int, ...] | None = None) -> Array:
        """(n, n_keypoints) epipolar distances of a pair of cameras with their sign, pixels."""
        one, other = self.ideal[a], self.ideal[b]
        if keypoints is not None:
            chosen = (slice(None), slice(None), list(keypoints))
            one, other = (
                np.ascontiguousarray(side.reshape(self.raw.shape[1:])[chosen].reshape(-1, 2)) for side in (one, other)
            )
        errors = _kernels_epipolar.sampson_distances(self.fundamental(a, b), one, other)
        return errors.reshape(-1, self.raw.shape[3] if keypoints is None else len(keypoints))

    def distances(self, a: int, b: int, keypoints: tuple[int, ...] | None = None) -> Array:
        """(n,) epipolar distances of a pair of cameras, pixels."""
        return np.abs(self.errors(a, b, keypoints)).ravel()

    def fundamental(self, a: int, b: int) -> Array:
        """(3, 3) of cameras a and b, without distortion."""
        if (a, b) not in self.matrices:
            self.matrices[a, b] = fundamental_of(self.cameras[a], self.cameras[b])
        return self.matrices[a, b]

    def pair_medians(self) -> Array:
        return pair_table(len(self.cameras), lambda a, b: median_of(self.distances(a, b)))

    def chance(self, cameras: Sequence[int]) -> tuple[float, float]:
        """Share of unrelated points within the median distance of related ones, and their own median distance, pixels.

        Medians over the pairs of the cameras.
        """
        rng, shares, sizes = np.random.default_rng(0), [], []
        for a, b in combinations(cameras, 2):
            here = self.distances(a, b)
            order = rng.permutation(len(here))
            F = self.fundamental(a, b)
            other = np.abs(_kernels_epipolar.sampson_distances(F, self.ideal[a], self.ideal[b][order]))
            other = other[np.isfinite(other)]
            if np.isfinite(here).sum() >= ENOUGH_POINTS and len(other):
                shares.append(float(np.mean(other <= np.nanmedian(here))))
                sizes.append(float(np.median(other)))
        return (float(np.median(shares)), float(np.median(sizes))) if shares else (np.nan, np.nan)

    def related(self, camera: int, others: Sequence[int]) -> bool:
        """Whether most pairs of a camera with others fulfil an epipolar constraint of their own, whatever the rig."""
        verdicts = []
        for b in others:
            both = np.isfinite(self.ideal[[camera, b]]).all(axis=(0, 2))
            if b == camera or both.sum() < 2 * ENOUGH_POINTS:
                continue
            rows = np.flatnonzero(both)[evenly_spread(int(both.sum()), _FITTED)]
            one, other = (np.ascontiguousarray(self.ideal[c][rows]) for c in (camera, b))
            F, _ = cv2.findFundamentalMat(one, other, cv2.FM_LMEDS)
            if F is None or F.shape != (3, 3):
                continue
            own = float(np.median(np.abs(_kernels_epipolar.sampson_distances(np.ascontiguousarray(F), one, other))))
            width = self.cameras[camera].size[0]
            verdicts.append(own < AGREES * width and own < median_of(self.distances(camera, b)) / 2)
        return 2 * sum(verdicts) > len(verdicts)


def _flat(points: Array, camera: Camera) -> Array:
    """(n, 2) the points of one camera without distortion."""
    return np.ascontiguousarray(camera.undistort(points.reshape(-1, 2)))


def median_of(distances: Array) -> float:
    known = distances[np.isfinite(distances)]
    return float(np.median(known)) if len(known) >= ENOUGH_POINTS else np.nan


def pair_table(n_cameras: int, value: Callable[[int, int], float]) -> Array:
    """(n_cameras, n_cameras), symmetric, 0 on the diagonal."""
    table = np.zeros((n_cameras, n_cameras))
    for a, b in camera_pair_indices(n_cameras):
        table[a, b] = table[b, a] = value(int(a), int(b))
    return table


def upper_median(values: Array) -> float:
    """The median, of an even number the larger middle value; NaN counts as absent."""
    known: NDArray[np.float64] = np.sort(values[np.isfinite(values)])
    return float(known[len(known) // 2]) if len(known) else np.nan
