"""Cameras that agree with each other on points that lie behind them: exchanged, mirrored, or their places reversed.

The epipolar constraint of cameras that look the same way, side by side, holds as well with their points exchanged: the
rays meet then behind the cameras instead of before them. So it does for any cameras whose translations have the
opposite sign.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations, permutations

import numpy as np

from ...numerics.arrays import Array
from .changes import Change, Mistake, listed
from .view_pairs import AGREES, ENOUGH_POINTS, ViewPairs, median_of

_MOST = 0.8  # share of the points, beyond which a pair of cameras has them behind, and below the rest of which before
_ALL_ORDERS_UP_TO = 5  # cameras whose 120 orders are all tried; of more, exchanges of two
_REVERSED = Change(
    "translations reversed",
    "All translations in the rig file have the wrong sign",
    "multiply each by -1: x_camera = R x_world + t is wanted",
    pose=lambda camera: replace(camera, t=-camera.t),
)


def exchanged_behind(views: ViewPairs, mirrored: Change) -> tuple[Mistake, tuple[int, ...]] | None:
    """What brings points that lie behind cameras that agree before them, and the order that does it.

    mirrored : the change that mirrors a camera's points, which may explain the same
    """
    n_cameras = len(views.cameras)
    shares = [share_behind(views, a, b) for a, b in combinations(range(n_cameras), 2)]
    if not max(shares) > _MOST:
        return None
    are_reversed = min(shares) > _MOST and _is_right(views.changed_alike(_REVERSED))
    for order in _orders(n_cameras):
        if not _is_right(views.reordered(order)):
            continue
        names = tuple(camera.name for c, camera in enumerate(views.cameras) if order[c] != c)
        may_be_mirrored = _is_right(views.changed_alike(mirrored))
        return _mistake(names, n_cameras, max(shares), may_be_mirrored, are_reversed), order
    if not are_reversed:
        return None
    names, given = tuple(camera.name for camera in views.cameras), tuple(range(n_cameras))
    return Mistake(_REVERSED.kind, names, f"{_REVERSED.words} ({_evidence(max(shares))})", _REVERSED.remedy), given


def _mistake(
    names: tuple[str, ...], n_cameras: int, share: float, may_be_mirrored: bool, may_be_reversed: bool
) -> Mistake:
    whose = listed(names, n_cameras)
    words = f"The 2D points of {whose[0].lower()}{whose[1:]} are exchanged"
    remedy = "exchange their files in the session file"
    if may_be_mirrored:
        words += ", or all pictures are mirrored left to right"
        remedy += ", or state mirror = true in each camera's table of it"
    if may_be_reversed:
        words += f", or {_REVERSED.words[0].lower()}{_REVERSED.words[1:]}"
        remedy += f", or {_REVERSED.remedy}"
    return Mistake("exchanged", names, f"{words} ({_evidence(share)})", remedy)


def _evidence(share: float) -> str:
    return f"as they are, {share:.0%} of the points lie behind the cameras"


def share_behind(views: ViewPairs, a: int, b: int) -> float:
    """Share of the points that two cameras see behind one of them: where their rays come closest."""
    rays = [_rays(views, c) for c in (a, b)]
    both = np.isfinite(rays[0]).all(axis=1) & np.isfinite(rays[1]).all(axis=1)
    if both.sum() < ENOUGH_POINTS:
        return 0.0
    one, other = rays[0][both], rays[1][both]
    line = views.cameras[b].center - views.cameras[a].center
    # the closest points of the rays: one * s - other * t = line by least squares, times the positive determinant
    both_ways, along, back = (one * other).sum(axis=1), one @ line, other @ line
    depths = np.stack([along - both_ways * back, both_ways * along - back])
    return float((depths < 0).any(axis=0).mean())


def _rays(views: ViewPairs, camera: int) -> Array:
    """(n, 3) unit directions of a camera's points in the world."""
    own = views.cameras[camera]
    pixels = np.concatenate([views.ideal[camera], np.ones((len(views.ideal[camera]), 1))], axis=1)
    directions = pixels @ np.linalg.inv(own.K).T @ own.R
    return directions / np.linalg.norm(directions, axis=1, keepdims=True)


def _orders(n_cameras: int) -> Iterator[tuple[int, ...]]:
    """Other assignments of the points to the cameras, those that move fewest cameras first."""
    given = tuple(range(n_cameras))
    if n_cameras <= _ALL_ORDERS_UP_TO:
        others = sorted(permutations(given), key=lambda order: sum(a != b for a, b in zip(order, given, strict=True)))
        yield from others[1:]
        return
    for a, b in combinations(given, 2):
        order = list(given)
        order[a], order[b] = b, a
        yield tuple(order)


def _is_right(views: ViewPairs) -> bool:
    """Whether all pairs of cameras agree, on points before them."""
    agrees = AGREES * float(np.median([camera.size[0] for camera in views.cameras]))
    pairs = list(combinations(range(len(views.cameras)), 2))
    return all(median_of(views.distances(a, b)) <= agrees and share_behind(views, a, b) < 1 - _MOST for a, b in pairs)
