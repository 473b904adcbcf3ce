"""The other solution of a single ray: a bone of known length meets the ray twice, before and behind its known end.

A joint mode starts from tracks whose depth along a single ray is uncertain, and may converge to the wrong side. Both
sides are solved and the more probable one is kept, stretch by stretch.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ....numerics.arrays import Array
from ....numerics.runs import runs_of
from .. import _kernels_smooth
from ..bone_lengths import Bones
from ..difference_prior import stencil
from ..independent_tracks import TimePrior
from ..joint_mode import HELD, AlternativeMode, Mode
from ..observations import Linearised, Observations, linearise
from .mode_search import converge_near

_SHORTEST = 4  # frames that the largest order of differences interpolates, at any frame rate
_MOST_PARTS = 4  # of a stretch that are tried: bounds time
_ITERATIONS = 8  # of Gauss-Newton, usually enough
_TOLERANCE = 0.1  # of a pixel's span
_SAME = 1.0  # pixel's span within which two solutions are one
_FEWEST_SHARE = 1e-3  # probability of an alternative that widens a covariance by 1 % at 3 standard deviations


def reflected(observations: Observations, mode: Mode, prior: TimePrior, bones: Bones) -> Mode:
    """The mode, with those stretches of a keypoint seen by one camera on the other side where that is more probable.

    Each keypoint is tried alone, the others held where they are; what moved is then solved with all around it. The
    sides that are not chosen become the mode's alternatives, with their share of the probability (Laplace's
    approximation about each side).
    """
    if not len(bones.pairs) or len(observations.arrays.K) < 2:
        return mode
    views = (mode.seen.weights > 0.5).sum(axis=0)
    margin = 3 * prior.correlation_frames(observations.lasting_pixel, prior.quietest)
    best = mode.points_3d.copy()
    close = _SAME * observations.pixel
    moved, alternatives = np.zeros(len(best), bool), []
    for k, run in _single_views(views):
        near = slice(max(0, run.start - margin), min(run.stop + margin, len(best)))
        tries = [
            (frames, beyond)
            for q in _anchors(k, run, views, bones)
            for frames, beyond in _parts(observations, mode, best, k, run, q)
        ]
        if not tries:
            continue
        track = Track.of(observations, prior, bones, best, k, near)
        sides = _distinct([track.converge_near(start) for start in track.starts(near, tries)], close)
        (chosen, least), others = sides[0], sides[1:]
        if np.abs(chosen - track.points_3d).max() > close:
            moved[near] |= np.abs(chosen - track.points_3d).max(axis=1) > 0.1 * close
            best[near, k] = chosen
        total = sum(np.exp(least - cost) for _, cost in sides)
        odds = [(points, float(np.exp(least - cost) / total)) for points, cost in others]
        alternatives += [
            AlternativeMode(k, near, points - chosen, share) for points, share in odds if share > _FEWEST_SHARE
        ]
    if moved.any():
        mode = converge_near(observations, best, moved, prior, bones, system=mode.system)
    return replace(mode, alternatives=tuple(alternatives))


def _distinct(sides: list[tuple[Array, float]], close: float) -> list[tuple[Array, float]]:
    """Points and costs, those of least cost first, and of several at one place one."""
    kept = []
    for points, cost in sorted(sides, key=lambda side: side[1]):
        if all(np.abs(points - other).max() > close for other, _ in kept):
            kept.append((points, cost))
    return kept


@dataclass(frozen=True, eq=False)
class Track:
    """One keypoint in a stretch of frames, all others where they are: observations, its bones and its time prior.

    ends : (n_frames, n_bones, 3) the bones' other ends; gram, rows : those of its time prior; held : (n_frames,)
    precision that keeps the ends of the stretch where they are
    """

    observations: Observations
    ends: Array
    lengths: Array
    stds: Array
    gram: Array
    rows: Array
    held: Array
    points_3d: Array

    @classmethod
    def of(cls, observations: Observations, prior: TimePrior, bones: Bones, points_3d: Array, k: int, frames: slice):
        touching = (bones.pairs == k).any(axis=1)
        others = np.where(bones.pairs[touching, 0] == k, bones.pairs[touching, 1], bones.pairs[touching, 0])
        alone = np.arange(observations.n_keypoints) == k
        n_frames = frames.stop - frames.start
        order = min(prior.order, max(1, n_frames - 1))
        held = np.zeros(n_frames)
        held[: order * (frames.start > 0)] = HELD / observations.pixel**2
        held[n_frames - order * (frames.stop < len(points_3d)) :] = HELD / observations.pixel**2
        ends = points_3d[frames][:, others]
        part = observations.at(frames).of(alone)
        rows = np.ascontiguousarray(prior.rows(len(points_3d))[frames, k])
        gram = _kernels_smooth.weighted_gram(stencil(order), rows)
        here = points_3d[frames, k].copy()
        return cls(part, ends, bones.lengths[touching], bones.frame_stds[touching], gram, rows, held, here)

    def starts(self, near: slice, tries: list[tuple[slice, Array]]) -> Iterator[Array]:
        """The track as it is, and with some of its frames elsewhere; `near` are its frames in the window."""
        yield self.points_3d
        for frames, beyond in tries:
            there = self.points_3d.copy()
            there[frames.start - near.start : frames.stop - near.start] = beyond
            yield there

    def converge_near(self, points_3d: Array) -> tuple[Array, float]:
        """Gauss-Newton from points_3d (n_frames, 3): the mode found, and minus the log probability about it."""
        seen = self._seen(points_3d)
        cost, log_determinant = self._cost(points_3d, seen), 0.0
        for _ in range(_ITERATIONS):
            solved, log_determinant = self._solved(points_3d, seen)
            step = solved - points_3d
            # full steps alone miss some sides: one view's p95 3.3 -> 11.5 mm (benchmarks/bayes.py, seed 202)
            for scale in (1.0, 0.5, 0.25):
                trial = points_3d + scale * step
                trial_seen = self._seen(trial)
                trial_cost = self._cost(trial, trial_seen)
                if trial_cost <= cost:
                    break
            else:
                break
            points_3d, cost, seen = trial, trial_cost, trial_seen
            if np.abs(step).max() < _TOLERANCE * self.observations.pixel:
                break
        return points_3d, cost + 0.5 * log_determinant

    def _seen(self, points_3d: Array) -> Linearised:
        return linearise(self.observations, points_3d[:, None])

    def _cost(self, points_3d: Array, seen: Linearised) -> float:
        squares = (np.diff(points_3d, self.gram.shape[1] - 1, axis=0) ** 2).sum(axis=1)
        lengths = np.linalg.norm(points_3d[:, None] - self.ends, axis=-1)
        away = points_3d - self.points_3d
        return float(seen.cost.sum()) + 0.5 * float(
            (self.rows[: len(squares)] * squares).sum()
            + self.observations.anchor * (points_3d**2).sum()
            + (((lengths - self.lengths) / self.stds) ** 2).sum()
            + (self.held[:, None] * away**2).sum()
        )

    def _solved(self, points_3d: Array, seen: Linearised) -> tuple[Array, float]:
        """The Gauss-Newton solution about points_3d, and the log determinant of its precision."""
        d = points_3d[:, None] - self.ends
        length = np.linalg.norm(d, axis=-1, keepdims=True)
        direction, weight = d / np.maximum(length, 1e-12), self.stds**-2
        tied = np.einsum("b,tbi,tbj->tij", weight, direction, direction)
        pulled = direction * (self.lengths[:, None] + (direction * self.ends).sum(axis=-1, keepdims=True))
        vector = seen.vector[:, 0] + np.einsum("b,tbi->ti", weight, pulled) + self.held[:, None] * self.points_3d
        information = seen.information[:, 0] + tied + self.held[:, None, None] * np.eye(3)
        band = _kernels_smooth.track_band(information, self.gram, self.observations.anchor)
        log_determinant = _kernels_smooth.cholesky_band(band)
        mean = vector.reshape(-1)
        _kernels_smooth.substitute(band, mean)
        return mean.reshape(-1, 3), log_determinant


def _single_views(views: NDArray[np.int64]) -> Iterator[tuple[int, slice]]:
    """Keypoints and stretches of frames in which at most one camera sees them, and some frame has one."""
    for k in range(views.shape[1]):
        for run in runs_of(views[:, k] <= 1):
            if run.stop - run.start >= _SHORTEST and views[run, k].any():
                yield k, run


def _anchors(k: int, run: slice, views: NDArray[np.int64], bones: Bones) -> Iterator[int]:
    """The neighbour along a bone that is best seen over the stretch, if it is seen by two cameras mostly."""
    ends = [int(b if a == k else a) for a, b in bones.pairs if k in (a, b)]
    seen = [(views[run, q] >= 2).mean() for q in ends]
    if ends and max(seen) > 0.5:
        yield ends[int(np.argmax(seen))]


def _parts(
    observations: Observations, mode: Mode, points_3d: Array, k: int, run: slice, q: int
) -> list[tuple[slice, Array]]:
    """Parts of a stretch in which keypoint k may be on the wrong side of keypoint q, and where it would be instead.

    Sides change where the two are at nearly the same depth along the camera's rays: parts end where the difference
    in depth is smallest.
    """
    camera = int(np.argmax(mode.seen.weights[:, run, k].sum(axis=1)))
    centre = -observations.arrays.R[camera].T @ observations.arrays.t[camera]
    here = points_3d[run, k]
    ray = (here - centre) / np.linalg.norm(here - centre, axis=1, keepdims=True)
    depth = ((here - points_3d[run, q]) * ray).sum(axis=1, keepdims=True)
    beyond = here - 2 * depth * ray
    distance = np.abs(depth[:, 0])
    turns = 1 + np.flatnonzero((distance[1:-1] <= distance[:-2]) & (distance[1:-1] < distance[2:]))
    edges = [0, *turns.tolist(), len(here)]
    whole = [(run, beyond)] if len(edges) > 2 else []
    pieces = [(slice(run.start + a, run.start + b), beyond[a:b]) for a, b in itertools.pairwise(edges) if b - a > 2]
    return (pieces + whole)[:_MOST_PARTS]
