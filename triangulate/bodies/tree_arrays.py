"""A body as arrays: the tree that is compiled, and where its points lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...numerics.arrays import Array

if TYPE_CHECKING:
    from .kinematic_tree import Body

_ROOT_TURNS = ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0))  # axes of yaw, pitch and roll


class Tree(NamedTuple):
    """What is compiled: the tree without any length, hashable.

    parents : (n_segments,), -1 for the root
    axes : (n_turns, 3) of all turns, those of the root first
    turn_before, last_turn : (n_turns,), (n_segments,) the turn that leads to a turn's frame, and to a segment's; -1
        for the world
    above : (n_segments, n_segments) 1 where the second is the first or lies above it
    carrier : (n_markers + n_segments,) segment in whose frame a marker, or a segment's joint, has its place
    """

    parents: tuple[int, ...]
    axes: tuple[tuple[float, float, float], ...]
    turn_before: tuple[int, ...]
    last_turn: tuple[int, ...]
    above: tuple[tuple[float, ...], ...]
    carrier: tuple[int, ...]

    @property
    def n_angles(self) -> int:
        return 3 + len(self.axes)

    def segment_of_turns(self) -> list[int]:
        """(n_turns,) the segment that each turns."""
        found: list[int] = []
        for segment, last in enumerate(self.last_turn):
            found += [segment] * (last + 1 - len(found))
        return found

    def above_turns(self) -> list[list[float]]:
        """(n_segments, n_turns) 1 where the turn moves the segment."""
        return [[self.above[s][t] for t in self.segment_of_turns()] for s in range(len(self.parents))]


@dataclass(frozen=True, eq=False)
class Plan:
    """A body as arrays. The place of a point (a marker, then a joint) in its frame is fixed + direction * length.

    fixed, direction : (n_points, 3); length : (n_points,) which of the body's lengths
    moves : (n_markers, n_points) 1 where the marker moves with the point
    """

    tree: Tree
    fixed: Array
    direction: Array
    length: NDArray[np.int64]
    moves: Array
    n_lengths: int
    n_markers: int

    @property
    def parents(self) -> NDArray[np.int64]:
        return np.array(self.tree.parents)

    @property
    def carrier(self) -> NDArray[np.int64]:
        return np.array(self.tree.carrier)

    @property
    def n_angles(self) -> int:
        return self.tree.n_angles

    @property
    def n_points(self) -> int:
        return len(self.fixed)


def plan_of(body: Body) -> Plan:
    tree, n_markers = _tree_of(body), len(body.attachments)
    carrier, above = np.array(tree.carrier), np.array(tree.above)
    fixed, direction = np.zeros((len(carrier), 3)), np.zeros((len(carrier), 3))
    length = np.zeros(len(carrier), np.int64)
    places = [m.at for m in body.attachments] + [s.at for s in body.segments]
    for p, (place, segment) in enumerate(zip(places, carrier, strict=True)):
        if isinstance(place, str):
            end = np.asarray(body.segments[segment].end)
            direction[p] = end / np.linalg.norm(end)
            length[p] = body.length_names.index(str(body.segments[segment].length))
        elif segment >= 0:
            fixed[p] = place
    joints = above[carrier[:n_markers]] * (carrier[n_markers:] >= 0)
    moves = np.concatenate([np.eye(n_markers), joints], axis=1)
    return Plan(tree, fixed, direction, length, moves, len(body.length_names), n_markers)


def _tree_of(body: Body) -> Tree:
    index = {segment.name: i for i, segment in enumerate(body.segments)}
    parents = [-1 if s.parent is None else index[s.parent] for s in body.segments]
    axes: list[tuple[float, float, float]] = []
    turn_before, last_turn, above = [], [], np.eye(len(parents))
    for i, segment in enumerate(body.segments):
        last = -1 if i == 0 else last_turn[parents[i]]
        for axis in (*(_ROOT_TURNS if i == 0 else ()), *(turn.axis for turn in segment.turns)):
            turn_before.append(last)
            last = len(axes)
            axes.append(axis)
        last_turn.append(last)
        if i > 0:
            above[i] += above[parents[i]]
    carrier = [index[m.segment] for m in body.attachments] + parents
    return Tree(tuple(parents), tuple(axes), tuple(turn_before), tuple(last_turn), tuple(map(tuple, above.tolist())),
                tuple(carrier))  # fmt: skip
