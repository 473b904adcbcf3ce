"""A picture of a body: its markers, bones and joints in the rest pose or in a posture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...numerics.arrays import Array
from .kinematic_tree import Body
from .rest_pose import rest_places

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ASIDE = np.array([0.45, 0.28])  # where the left lies in the picture: up and to the right, as in an oblique drawing
_SIDES = ("#1b6ca8", "#c8553d", "#444444")  # left, right and middle


def plot_body(body: Body, ax: Axes, *, names: bool = True) -> Axes:
    """Draw a body in its rest pose, seen from its right side and a little from above.

    Parameters
    ----------
    body : Body
        The body.
    ax : matplotlib.axes.Axes
        Where to draw.
    names : bool
        Whether markers are named.

    Returns
    -------
    matplotlib.axes.Axes
        The same axes.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from muybridge.triangulate import plot_body, read_body
    >>> ax = plot_body(read_body("rodent"), Figure().subplots())
    >>> ax.get_title()
    'rodent'
    """
    places = rest_places(body)
    markers, joints = places[: len(body.attachments)], places[len(body.attachments) :]
    flat, turning = _flat(markers), _flat(joints)
    sides = _side_of_markers(body)
    for a, b in body.skeleton.bone_indices:
        side = int(sides[b]) if sides[a] == sides[b] else 2
        ax.plot(*flat[[a, b]].T, color=_SIDES[side], lw=2, alpha=0.6, solid_capstyle="round", zorder=1)
    turns = np.array([bool(segment.turns) for segment in body.segments])
    ax.scatter(*turning[turns].T, s=70, facecolors="none", edgecolors="#888888", label="joints", zorder=2)
    for side, label in enumerate(("left", "right", "middle")):
        own = sides == side
        if own.any():
            ax.scatter(*flat[own].T, s=18, color=_SIDES[side], label=label, zorder=3)
    if names:
        for name, place in zip(body.marker_names, flat, strict=True):
            ax.annotate(name, place, xytext=(3, 3), textcoords="offset points", fontsize=6)
    ax.set_aspect("equal")
    ax.set_title(body.name)
    ax.set_xlabel(f"forwards ({body.unit})")
    ax.set_ylabel(f"up ({body.unit})")
    ax.legend(fontsize=7, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return ax


def _flat(places: Array) -> Array:
    return places[:, [0, 2]] + places[:, 1:2] * _ASIDE


def _side_of_markers(body: Body) -> NDArray[np.int64]:
    """(n_markers,) 0 for the left one of a pair, 1 for the right one, 2 for the rest."""
    left, right = {a for a, _ in body.symmetries}, {b for _, b in body.symmetries}
    return np.array([0 if name in left else 1 if name in right else 2 for name in body.marker_names])
