"""The other solution of a single ray: a bone of known length meets the ray twice, before and behind its known end.

A joint mode starts from tracks, which know little of the depth along a single ray, and may settle on the wrong side.
Both sides are solved and the better one is kept, stretch by stretch.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..calibration._kernels import project_points
from ..datasets.arrays import Array
from .smooth_observations import Observations
from .smooth_skeleton import Bones, Mode, find_mode
from .smooth_time import TimePrior

_SHORTEST = 4  # frames; shorter stretches are held by their neighbours
_MOST_PARTS = 4
_MARGIN = 8  # frames beside a stretch that feel which side it is on


def reflected(observations: Observations, mode: Mode, prior: TimePrior, bones: Bones) -> Mode:
    """The mode, with those stretches of a keypoint seen by one camera on the other side where that costs less."""
    views = (mode.seen.weights > 0.5).sum(axis=0)
    if not len(bones.pairs) or len(observations.arrays.K) < 2:
        return mode
    tries = [
        (k, run, _parts(observations, mode, k, run, q))
        for k, run in _single_views(views)
        for q in _anchors(k, run, views, bones)
    ]
    still = np.zeros((*mode.points_3d.shape, 3))
    best, least = mode.points_3d.copy(), {}
    for number in range(max((len(parts) for _, _, parts in tries), default=0)):
        other = mode.points_3d.copy()
        for k, _, parts in tries:
            for frames, beyond in parts[number : number + 1]:
                other[frames, k] = beyond
        there = find_mode(observations, other, still, prior, bones).points_3d
        for k, run, parts in tries:
            if number >= len(parts):
                continue
            near = slice(max(0, run.start - _MARGIN), run.stop + _MARGIN)
            mixed = mode.points_3d.copy()
            mixed[near, k] = there[near, k]
            key = (k, run.start)
            if key not in least:
                least[key] = _local_cost(observations, prior, bones, mode.points_3d, k, near)
            cost = _local_cost(observations, prior, bones, mixed, k, near)
            if cost < least[key]:
                best[near, k], least[key] = there[near, k], cost
    if np.array_equal(best, mode.points_3d):
        return mode
    return find_mode(observations, best, still, prior, bones)


def _single_views(views: NDArray[np.int64]) -> Iterator[tuple[int, slice]]:
    """Keypoints and stretches of frames in which at most one camera sees them, and some frame has one."""
    for k in range(views.shape[1]):
        edges = np.flatnonzero(np.diff(np.concatenate([[False], views[:, k] <= 1, [False]]).astype(int)))
        for start, stop in zip(edges[::2], edges[1::2], strict=True):
            if stop - start >= _SHORTEST and views[start:stop, k].any():
                yield k, slice(int(start), int(stop))


def _anchors(k: int, run: slice, views: NDArray[np.int64], bones: Bones) -> Iterator[int]:
    """The neighbour along a bone that is best seen over the stretch, if it is seen by two cameras mostly."""
    ends = [int(b if a == k else a) for a, b in bones.pairs if k in (a, b)]
    seen = [(views[run, q] >= 2).mean() for q in ends]
    if ends and max(seen) > 0.5:
        yield ends[int(np.argmax(seen))]


def _parts(observations: Observations, mode: Mode, k: int, run: slice, q: int) -> list[tuple[slice, Array]]:
    """Parts of a stretch in which keypoint k may be on the wrong side of keypoint q, and where it would be instead.

    Sides change where the two are at nearly the same depth along the camera's rays: parts end where the difference
    in depth is smallest.
    """
    camera = int(np.argmax(mode.seen.weights[:, run, k].sum(axis=1)))
    centre = -observations.arrays.R[camera].T @ observations.arrays.t[camera]
    here = mode.points_3d[run, k]
    ray = (here - centre) / np.linalg.norm(here - centre, axis=1, keepdims=True)
    depth = ((here - mode.points_3d[run, q]) * ray).sum(axis=1, keepdims=True)
    beyond = here - 2 * depth * ray
    distance = np.abs(depth[:, 0])
    turns = 1 + np.flatnonzero((distance[1:-1] <= distance[:-2]) & (distance[1:-1] < distance[2:]))
    edges = [0, *turns.tolist(), len(here)]
    whole = [(run, beyond)] if len(edges) > 2 else []
    pieces = [(slice(run.start + a, run.start + b), beyond[a:b]) for a, b in itertools.pairwise(edges) if b - a > 2]
    return (pieces + whole)[:_MOST_PARTS]


def _local_cost(
    observations: Observations, prior: TimePrior, bones: Bones, points_3d: Array, k: int, frames: slice
) -> float:
    """What of the cost depends on keypoint k in some frames: its pixels, its differences and its bones."""
    seen = observations.points_2d[:, frames, k]
    projected = project_points(*observations.arrays, np.ascontiguousarray(points_3d[frames, k]))
    sigma = observations.sigma[:, [k]] * observations.scale[:, frames, k]
    deviation = np.linalg.norm(projected - seen, axis=-1) / sigma
    belief = observations.prior[:, frames, k]
    inlier = np.log(belief / (2 * np.pi * sigma**2)) - 0.5 * np.minimum(deviation, 1e3) ** 2
    outlier = np.log(1 - belief) + observations.log_outlier[:, None]
    known = np.isfinite(inlier)
    cost = -float(np.logaddexp(inlier[known], outlier[known]).sum())
    wide = slice(max(0, frames.start - prior.order), frames.stop + prior.order)
    differences = np.diff(points_3d[wide, k], min(prior.order, max(1, len(points_3d[wide]) - 1)), axis=0)
    cost += 0.5 * float(prior.precisions[k] * (differences**2).sum())
    touching = (bones.pairs == k).any(axis=1)
    ends = points_3d[frames][:, bones.pairs[touching]]
    length = np.linalg.norm(ends[:, :, 0] - ends[:, :, 1], axis=-1)
    return cost + 0.5 * float((((length - bones.lengths[touching]) / bones.stds[touching]) ** 2).sum())
