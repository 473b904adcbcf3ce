"""Mistakes that concern all points of a camera, found by what would undo them: epipolar errors before and after.

Two views of the same points fulfil the epipolar constraint whatever the points are. A change of a camera's points (see
`changes`), an exchange of cameras or a delay is taken as the cause of a disagreement where it makes the cameras agree
as cameras do, and the disagreement at least three times smaller.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from ...cameras import CameraRig
from ...cameras.epipolar import camera_pair_indices
from ...numerics.arrays import Array
from .changes import Change, Mistake, listed, tried_changes
from .mistake_search import MistakeSearch
from .points_behind import exchanged_behind, share_behind
from .systematic import fitted_pair, focal_change, wrong_focal_lengths
from .view_pairs import ENOUGH_POINTS, ViewPairs, upper_median

UNFIT = 0.01  # of the image's width: a majority that disagrees by more is no recording by this rig
_UNRELATED = 3.0  # times that, beyond which the points may be no images of the same at all
_IDENTICAL = 0.5  # share of two cameras' points that are the same to the last digit, beyond which they are one file


@dataclass(frozen=True, eq=False)
class Agreement:
    """How far cameras agree, from epipolar distances alone.

    pair_px : (n_cameras, n_cameras) median epipolar error of each pair, pixels, NaN where it is not known
    majority_px : the largest of them within the majority of the cameras that agrees best
    limit_px : `UNFIT` of the image's width
    chance : share of unrelated points (matched at random) that lie within the majority's median error
    unrelated_px : median epipolar error of unrelated points
    related : (n_cameras,) whether the points of each are images of those of the majority, seen by whatever rig
    mistakes : what is wrong, if it was found
    order, changes : what undoes it: the camera whose points each one has, and {camera: change}
    noise_px, turned : of two cameras, the median epipolar error at the relative pose that fits their points best, and
        by how many degrees it differs; NaN of more
    is_moved : whether their errors show that it differs
    focal_factor : by which all focal lengths may be wrong, NaN where no other fits better or it is a mistake
    exchanged_px : of two cameras, the median epipolar error with their points exchanged, where these lie before them
    """

    pair_px: Array
    majority_px: float
    limit_px: float
    chance: float
    unrelated_px: float
    related: tuple[bool, ...]
    mistakes: tuple[Mistake, ...]
    order: tuple[int, ...]
    changes: dict[int, Change]
    noise_px: float = np.nan
    turned: float = np.nan
    is_moved: bool = False
    focal_factor: float = np.nan
    exchanged_px: float = np.nan

    def mended(self, points_2d: Array, rig: CameraRig) -> Array:
        """The points (n_cameras, n_individuals, n_frames, n_keypoints, 2) with the mistakes in them undone."""
        if not self.changes and self.order == tuple(range(len(rig))):
            return points_2d
        points_2d = points_2d[list(self.order)]
        for camera, change in self.changes.items():
            points_2d[camera] = change.points(points_2d[camera], rig[camera])
        return points_2d

    def mended_rig(self, rig: CameraRig) -> CameraRig:
        """The rig with the mistakes in it undone."""
        changed = (self.changes[c].pose(camera) if c in self.changes else camera for c, camera in enumerate(rig))
        return replace(rig, cameras=tuple(changed))


def find_mistakes(points_2d: Array, rig: CameraRig, keypoints: Sequence[str]) -> Agreement:
    """Compare all pairs of cameras, and find what is wrong with those that disagree.

    points_2d : (n_cameras, n_individuals, n_frames, n_keypoints, 2), pixels, NaN where missing
    """
    views = ViewPairs.of(points_2d, rig)
    pair_px = views.pair_medians()
    majority, majority_px = _majority(pair_px)
    same = _same_points(points_2d, rig)
    factor, is_sure = (None if same else wrong_focal_lengths(views)) or (np.nan, False)
    everywhere = [focal_change(factor)] if is_sure else []
    tried = tried_changes(keypoints, points_2d.shape[1])
    search = MistakeSearch(views, pair_px, tried, everywhere)
    mistakes, order, changes = (same, tuple(range(len(rig))), {}) if same else search.run()
    mirrored = next(change for change in tried if change.kind == "mirrored")
    behind = None if mistakes else exchanged_behind(views, mirrored)
    if behind is not None:
        mistakes, order = [behind[0]], behind[1]
    limit_px = UNFIT * float(np.median([camera.size[0] for camera in rig]))
    far = np.array([upper_median(np.delete(row, c)) > _UNRELATED * search.agrees for c, row in enumerate(pair_px)])
    far |= majority_px > limit_px
    return Agreement(
        pair_px,
        majority_px,
        limit_px,
        *views.chance(majority),
        tuple(views.related(c, majority) if far[c] else True for c in range(len(rig))),
        tuple(mistakes),
        order,
        changes,
        *(fitted_pair(views, 0, 1, len(tried)) if len(rig) == 2 and not mistakes else (np.nan, np.nan, False)),
        np.nan if is_sure else factor,
        _exchanged_px(views) if len(rig) == 2 and not mistakes else np.nan,
    )


def _exchanged_px(views: ViewPairs) -> float:
    """Median epipolar error of two cameras with their points exchanged, NaN where these would lie behind them."""
    other = views.reordered((1, 0))
    return float(other.pair_medians()[0, 1]) if share_behind(other, 0, 1) < 0.5 else np.nan


def _same_points(points_2d: Array, rig: CameraRig) -> list[Mistake]:
    """Cameras whose points are the same numbers."""
    owner = list(range(len(rig)))
    for a, b in combinations(range(len(rig)), 2):
        both = np.isfinite(points_2d[a]).all(axis=-1) & np.isfinite(points_2d[b]).all(axis=-1)
        same = both & (points_2d[a] == points_2d[b]).all(axis=-1)
        if both.sum() >= ENOUGH_POINTS and same.sum() > _IDENTICAL * both.sum():
            owner[b] = owner[a]
    found = []
    for first in dict.fromkeys(owner):
        names = tuple(name for name, of in zip(rig.names, owner, strict=True) if of == first)
        if len(names) > 1:
            words = f"{listed(names, len(rig))} have the same 2D points"
            found.append(Mistake("the same points", names, words, "give each camera the file of its own video"))
    return found


def _majority(pair_px: Array) -> tuple[tuple[int, ...], float]:
    """The smallest set of more than half of the cameras (two at least) whose worst pair is best, and its error.

    Grown from each pair by the camera that adds least: with an agreeing majority this finds it.
    """
    n_cameras = len(pair_px)
    size = max(2, n_cameras // 2 + 1)
    table = np.where(np.isfinite(pair_px), pair_px, np.inf)
    best: tuple[float, tuple[int, ...]] = (np.inf, tuple(range(size)))
    for start in camera_pair_indices(n_cameras).tolist():
        chosen = start
        while len(chosen) < size:
            rest = [c for c in range(n_cameras) if c not in chosen]
            chosen = [*chosen, min(rest, key=lambda c: table[c, chosen].max())]
        worst = float(table[np.ix_(chosen, chosen)].max())
        best = min(best, (worst, tuple(sorted(chosen))))
    return best[1], best[0] if np.isfinite(best[0]) else np.nan
