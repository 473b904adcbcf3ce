"""Search for the fewest changes of whole cameras that make them agree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial, reduce
from itertools import combinations, permutations
from math import factorial

import numpy as np
from scipy.optimize import minimize_scalar

from ...cameras import Camera, _kernels_epipolar
from ...cameras.epipolar import camera_pair_indices
from ...numerics.arrays import Array
from ...numerics.robust_scale import present_median
from ..noise.evidence import is_evident
from .changes import Change, Mistake, listed, shifted
from .systematic import focal_change
from .view_pairs import AGREES, ENOUGH_POINTS, ViewPairs, median_of, upper_median

_TIMES_BETTER = 3.0  # by which a mistake that is undone shrinks the epipolar error, at least
_LEAST_GAIN = 0.5  # of the summed log errors: less is no step of the search
_ALL_ORDERS_UP_TO = 7  # cameras whose 5,040 orders are all tried; of more, exchanges of two in turn
_FOCAL_RANGE = np.log([0.4, 2.5])  # factors of a focal length
_SHIFT_ROUNDS = 3  # of a constant shift and the lens's distortion in turn

# views with the mistakes undone, the camera whose points each one has, and {camera: change}
_Explanation = tuple[ViewPairs, tuple[int, ...], dict[int, Change]]


class MistakeSearch:
    """Search for the fewest changes that make the cameras agree.

    changes : tried with each camera and with all; everywhere : known to explain much where all cameras have them
    """

    def __init__(self, views: ViewPairs, pair_px: Array, changes: list[Change], everywhere: Sequence[Change] = ()):
        self.views, self.changes, self.everywhere = views, changes, everywhere
        self.names = tuple(camera.name for camera in views.cameras)
        widths = np.array([camera.size[0] for camera in views.cameras], dtype=float)
        self.agrees = AGREES * float(np.median(widths))
        known = pair_px[np.isfinite(pair_px) & ~np.eye(len(pair_px), dtype=bool)]
        # the scale of the log error: what the best pair has, and no more than a tenth of what counts as agreement
        self.scale = float(np.clip(known.min(initial=np.inf), 1e-3, 0.1 * self.agrees))
        self.pair_px = pair_px
        self._views_of: dict[tuple[int, int], tuple[Change, Camera, Array, Array]] = {}

    def run(self) -> tuple[list[Mistake], tuple[int, ...], dict[int, Change]]:
        """The mistakes of the simplest explanation, and the order and changes that undo them."""
        as_given = tuple(range(len(self.names)))
        nothing: tuple[list[Mistake], tuple[int, ...], dict[int, Change]] = ([], as_given, {})
        is_good = not np.nanmax(self.pair_px) > 0 or np.nanmax(self.pair_px) <= self._good()
        if is_good and not self.everywhere:
            return nothing
        tried = [found for found in (self._order(), self._everywhere(), self._one_by_one()) if found is not None]
        if not tried:
            return nothing
        views, order, changes = min(
            tried, key=lambda found: self._cost(found[0]) + _LEAST_GAIN * len(set(map(id, found[2].values())))
        )
        if not changes:
            mistakes = self._exchanges(views, order)
            return (mistakes, order, {}) if mistakes else nothing
        mistakes = self._named(views, changes)
        kept = {name for mistake in mistakes for name in mistake.cameras}
        return mistakes, as_given, {c: change for c, change in changes.items() if self.names[c] in kept}

    def _good(self) -> float:
        """The pairs' error below which there is nothing to explain."""
        pairs = self.pair_px[np.isfinite(self.pair_px) & ~np.eye(len(self.pair_px), dtype=bool)]
        return min(_TIMES_BETTER * float(pairs.min()), self.agrees) if len(pairs) > 2 else 0.25 * self.agrees

    def _pair_cost(self, views: ViewPairs, a: int, b: int) -> float:
        distances = views.distances(a, b)
        known = distances[np.isfinite(distances)]
        if len(known) < ENOUGH_POINTS:
            # a change that moves the points out of the lens's reach is no explanation
            return 0.0 if np.isnan(self.pair_px[a, b]) else np.inf
        return float(np.mean(0.5 * np.log1p((known / self.scale) ** 2)))

    def _cost(self, views: ViewPairs) -> float:
        return sum(self._pair_cost(views, int(a), int(b)) for a, b in camera_pair_indices(len(self.names)))

    def _camera_cost(self, views: ViewPairs, camera: int) -> float:
        return sum(self._pair_cost(views, camera, b) for b in range(len(self.names)) if b != camera)

    def _one_by_one(self) -> _Explanation | None:
        """Changes of single cameras, each the one that gains most."""
        views, changes = self.views, dict[int, Change]()
        while len(changes) < len(self.names):
            best: tuple = (_LEAST_GAIN, None, -1, None)
            for c in range(len(self.names)):
                if c in changes:
                    continue
                before = self._camera_cost(views, c)
                for change in [*self.changes, *self._shift(views, c), *self._focal(views, c)]:
                    trial = self._changed(views, c, change)
                    gain = before - self._camera_cost(trial, c)
                    if gain > best[0] * (1.0 if best[1] is None else 1.02):
                        best = (gain, trial, c, change)
            if best[1] is None:
                break
            views, changes[best[2]] = best[1], best[3]
        return (views, tuple(range(len(self.names))), changes) if changes else None

    def _changed(self, views: ViewPairs, camera: int, change: Change) -> ViewPairs:
        """The views with the change of a camera that is as it was given; its points are worked out once."""
        key = camera, id(change)
        if key not in self._views_of:  # which holds the change, too: no other one gets its id
            alone = self.views.changed(camera, change)
            self._views_of[key] = change, alone.cameras[camera], alone.raw[camera], alone.ideal[camera]
        return views.with_view(camera, *self._views_of[key][1:])

    def _everywhere(self) -> _Explanation | None:
        """One change of all cameras alike."""
        best, lowest = None, self._cost(self.views) - _LEAST_GAIN
        for change in [*self.changes, *self.everywhere]:
            views = reduce(partial(self._changed, change=change), range(len(self.names)), self.views)
            cost = self._cost(views)
            if cost < lowest:
                given = tuple(range(len(self.names)))
                lowest, best = cost, (views, given, dict.fromkeys(range(len(self.names)), change))
        return best

    def _order(self) -> _Explanation | None:
        """Another assignment of the points to the cameras."""
        n = len(self.names)
        costs = self._assignment_costs()

        def total(order: Sequence[int]) -> float:
            return sum(costs[a, b, order[a], order[b]] for a, b in combinations(range(n), 2))

        start = tuple(range(n))
        orders = np.array(list(permutations(range(n))) if n <= _ALL_ORDERS_UP_TO else _descent(n, total))
        a, b = np.array(list(combinations(range(n), 2))).T
        # of orders that explain the points alike, that which moves fewest cameras
        scores = costs[a, b, orders[:, a], orders[:, b]].sum(axis=1) + 0.1 * (orders != start).sum(axis=1)
        best = tuple(int(c) for c in orders[np.argmin(scores)])
        if best == start or total(best) > total(start) - _LEAST_GAIN:
            return None
        return self.views.reordered(best), best, {}

    def _assignment_costs(self) -> Array:
        """(n, n, n, n) cost of the pair of cameras (a, b) with the points of cameras (f, g)."""
        n, step = len(self.names), 3
        flat = self.views.raw.reshape(n, -1, 2)[:, ::step]
        ideal = np.array([[camera.undistort(points) for points in flat] for camera in self.views.cameras])
        costs = np.zeros((n, n, n, n))
        for a, b in combinations(range(n), 2):
            F = self.views.fundamental(a, b)
            for f, g in permutations(range(n), 2):
                size = np.abs(_kernels_epipolar.sampson_distances(F, ideal[a, f], ideal[b, g]))
                size = size[np.isfinite(size)]
                few = len(size) < ENOUGH_POINTS // step
                costs[a, b, f, g] = 10.0 if few else np.mean(0.5 * np.log1p((size / self.scale) ** 2))
        return costs

    def _shift(self, views: ViewPairs, camera: int) -> list[Change]:
        """The constant shift that brings the camera's points onto the others' epipolar lines, if they determine one."""
        if len(self.names) < 3:
            return []
        offset, moved = np.zeros(2), views
        for _ in range(_SHIFT_ROUNDS):  # a shift of the distorted picture is another in every place without distortion
            step = self._shift_step(moved, camera)
            if step is None:
                return []
            offset = offset + step
            moved = views.changed(camera, shifted(offset))
        return [shifted(offset)]

    def _focal(self, views: ViewPairs, camera: int) -> list[Change]:
        """The focal length with which the camera agrees best with the others, if there are two at least."""
        if len(self.names) < 3:
            return []
        found = minimize_scalar(
            lambda log_factor: self._camera_cost(views.changed(camera, focal_change(np.exp(log_factor))), camera),
            bounds=_FOCAL_RANGE,
            method="bounded",
            options={"xatol": 0.01},
        )
        return [focal_change(float(np.exp(found.x)))]

    def _shift_step(self, views: ViewPairs, camera: int) -> Array | None:
        """(2,) robust least squares shift of the camera's points without distortion onto the others' epipolar lines."""
        normals, distances = [], []
        for b in range(len(self.names)):
            if b == camera:
                continue
            F = views.fundamental(b, camera)
            lines = np.concatenate([views.ideal[b], np.ones((len(views.ideal[b]), 1))], axis=1) @ F.T
            length = np.linalg.norm(lines[:, :2], axis=1, keepdims=True)
            lines = lines / np.where(length > 0, length, np.nan)
            normals.append(lines[:, :2])
            distances.append((lines[:, :2] * views.ideal[camera]).sum(axis=1) + lines[:, 2])
        A, d = np.concatenate(normals), np.concatenate(distances)
        known = np.isfinite(A).all(axis=1) & np.isfinite(d)
        A, d = A[known], d[known]
        if len(d) < 2 * ENOUGH_POINTS:
            return None
        step = np.zeros(2)
        for _ in range(20):
            rest = d + A @ step
            weight = 1 / (1 + (rest / max(2 * float(np.median(np.abs(rest))), self.scale)) ** 2)
            normal = A.T @ (weight[:, None] * A)
            if np.linalg.cond(normal) > 1e6:
                return None
            step = -np.asarray(np.linalg.solve(normal, A.T @ (weight * d)), dtype=float)
        return step

    def _named(self, views: ViewPairs, changes: dict[int, Change]) -> list[Mistake]:
        """The changes that explain their cameras' disagreement, cameras with the same change together."""
        groups: dict[int, list[int]] = {}
        for c, change in changes.items():
            groups.setdefault(id(change), []).append(c)
        found = []
        for members in groups.values():
            change = changes[members[0]]
            good = [c for c in members if self._explained(views, c, change)]
            if good:
                found.append(self._mistake(views, good, change))
        n_shifted = sum(mistake.kind == "shifted" for mistake in found)
        # where no majority stands still, it is not single cameras that moved: it is another rig
        return found if 2 * n_shifted < len(self.names) else [m for m in found if m.kind != "shifted"]

    def _explained(self, views: ViewPairs, camera: int, change: Change) -> bool:
        if change in self.everywhere:
            return True
        before, after = self._errors(self.views, camera, change), self._errors(views, camera, change)
        if not (after <= self.agrees and after * _TIMES_BETTER <= before):
            return False
        n_tried = len(self.names) * (len(self.changes) + 2)
        return self._show(views, [camera], n_tried, change.n_fitted)

    def _show(self, views: ViewPairs, cameras: Sequence[int], n_tried: int, n_fitted: int = 0) -> bool:
        """Whether the errors of cameras show what was undone in the views."""
        own = [(a, b) for a, b in combinations(range(len(self.names)), 2) if a in cameras or b in cameras]
        before, after = (np.stack([side.errors(a, b) for a, b in own]) for side in (self.views, views))
        return is_evident(before, after, n_tried, n_fitted)

    def _errors(self, views: ViewPairs, camera: int, change: Change) -> float:
        """Median epipolar error of a camera's pairs at the keypoints that a change concerns."""
        errors = [
            median_of(views.distances(camera, b, change.keypoints)) for b in range(len(self.names)) if b != camera
        ]
        return upper_median(np.array(errors)) if views is self.views else float(present_median(np.array(errors)))

    def _mistake(self, views: ViewPairs, cameras: list[int], change: Change) -> Mistake:
        names = tuple(self.names[c] for c in cameras)
        before = max(self._errors(self.views, c, change) for c in cameras)
        after = max(self._errors(views, c, change) for c in cameras)
        words = change.words.format(cameras=listed(names, len(self.names)))
        if change.relative and 2 * len(names) == len(self.names):
            words += " (or of the others: half of the cameras stand against the other half)"
        return Mistake(change.kind, names, words, change.remedy, before, after, change.keypoints)

    def _exchanges(self, views: ViewPairs, order: Sequence[int]) -> list[Mistake]:
        moved = [c for c in range(len(order)) if order[c] != c]
        before = upper_median(np.array([self.pair_px[c][np.arange(len(order)) != c].max() for c in moved]))
        table = views.pair_medians()
        after = float(np.nanmax(table[np.ix_(moved, range(len(order)))]))
        if not (after <= self.agrees and after * _TIMES_BETTER <= before):
            return []
        if not self._show(views, moved, factorial(len(order))):
            return []
        names = tuple(self.names[c] for c in moved)
        if len(moved) == 2:
            words = f"The 2D points of cameras '{names[0]}' and '{names[1]}' are exchanged"
            return [Mistake("exchanged", names, words, "exchange their files in the session file", before, after)]
        pairs = ", ".join(f"those of '{self.names[order[c]]}' to '{self.names[c]}'" for c in moved)
        words = f"The 2D points are assigned to the wrong cameras: {pairs}"
        return [Mistake("exchanged", names, words, "correct the files in the session file", before, after)]


def _descent(n: int, total: Callable[[Sequence[int]], float]) -> list[tuple[int, ...]]:
    """Orders reached from the given one by exchanges of two cameras, while they gain."""
    order = tuple(range(n))
    while True:
        trials = []
        for a, b in combinations(range(n), 2):
            trial = list(order)
            trial[a], trial[b] = trial[b], trial[a]
            trials.append(tuple(trial))
        best = min(trials, key=total)
        if total(best) >= total(order) - 1e-9:
            return [tuple(range(n)), order]
        order = best
