"""What a body is made of: segments that turn, and the markers they carry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...datasets.names import nearest, repeated_names


@dataclass(frozen=True)
class Turn:
    """One degree of freedom of a joint.

    Parameters
    ----------
    name : str
        Unique within its segment.
    axis : tuple of float, shape (3,)
        In the frame that the turns before it leave; a right-handed turn is positive.
    low, high : float, radians
        Soft limits.
    rest : float, radians
        Angle of the rest pose, between the limits.

    Raises
    ------
    ValueError
        The axis has no length, or the limits are out of order or do not hold the rest angle.

    Examples
    --------
    >>> from muybridge.triangulate import Turn
    >>> Turn("pitch", (0, 2, 0), -0.5, 0.5).axis
    (0.0, 1.0, 0.0)
    """

    name: str
    axis: tuple[float, float, float]
    low: float
    high: float
    rest: float = 0.0

    def __post_init__(self):
        axis = _vector(self.axis, f"turn '{self.name}': axis")
        length = float(np.linalg.norm(axis))
        if not length > 0:
            raise ValueError(f"turn '{self.name}' has the axis {self.axis}, which has no direction")
        object.__setattr__(self, "axis", tuple(float(value) / length for value in axis))
        if not self.low < self.high:
            raise ValueError(f"turn '{self.name}' has the limits {self.low:g} to {self.high:g} rad; low must be below")
        if not self.low <= self.rest <= self.high:
            raise ValueError(
                f"turn '{self.name}' rests at {self.rest:g} rad, outside its limits {self.low:g} to {self.high:g} rad"
            )


@dataclass(frozen=True)
class Segment:
    """A rigid part of the body, which begins at its joint.

    Parameters
    ----------
    name : str
        Unique within a body.
    parent : str or None
        The segment it hangs on; None for the root, whose joint's place and orientation are free.
    at : "end" or tuple of float, shape (3,), units of the body
        Place of its joint in the parent's frame: the parent's end, or a vector.
    end : tuple of float, shape (3,), or None, units of the body
        From its joint to its end in its own frame; None where nothing hangs on an end.
    length : str or None
        Name of the length, the norm of `end`: segments with one name share one length. None: the segment's own name.
    turns : tuple of Turn
        Degrees of freedom, in the order in which they turn.

    Raises
    ------
    ValueError
        A turn's name is repeated, or a vector is malformed.

    Examples
    --------
    >>> from muybridge.triangulate import Segment, Turn
    >>> Segment("shank", "thigh", "end", (0, 0, -300), turns=(Turn("knee", (0, 1, 0), 0, 2.5),)).length
    'shank'
    """

    name: str
    parent: str | None = None
    at: str | tuple[float, float, float] = (0.0, 0.0, 0.0)
    end: tuple[float, float, float] | None = None
    length: str | None = None
    turns: tuple[Turn, ...] = ()

    def __post_init__(self):
        if not isinstance(self.at, str):
            object.__setattr__(self, "at", _vector(self.at, f"segment '{self.name}': at"))
        elif self.at != "end":
            raise ValueError(f"segment '{self.name}' lies at {self.at!r}; expected 'end' or three numbers")
        if self.end is None:
            object.__setattr__(self, "length", None)
        else:
            object.__setattr__(self, "end", _vector(self.end, f"segment '{self.name}': end"))
            if not np.linalg.norm(self.end) > 0:
                raise ValueError(f"segment '{self.name}' ends at its own joint; leave 'end' out")
            object.__setattr__(self, "length", self.length or self.name)
        repeated = repeated_names([turn.name for turn in self.turns])
        if repeated:
            raise ValueError(f"segment '{self.name}' repeats the turns {repeated}")


@dataclass(frozen=True)
class Marker:
    """A keypoint fixed to a segment.

    Parameters
    ----------
    name : str
        Unique within a body: the keypoint's name in the data.
    segment : str
        The segment that carries it.
    at : "end" or tuple of float, shape (3,), units of the body
        In the segment's frame.

    Raises
    ------
    ValueError
        The place is malformed.

    Examples
    --------
    >>> from muybridge.triangulate import Marker
    >>> Marker("nose", "head", (55, 0, -55)).at
    (55.0, 0.0, -55.0)
    """

    name: str
    segment: str
    at: str | tuple[float, float, float] = (0.0, 0.0, 0.0)

    def __post_init__(self):
        if not isinstance(self.at, str):
            object.__setattr__(self, "at", _vector(self.at, f"marker '{self.name}': at"))
        elif self.at != "end":
            raise ValueError(f"marker '{self.name}' lies at {self.at!r}; expected 'end' or three numbers")


def _vector(values: Any, what: str) -> tuple[float, float, float]:
    vector = np.asarray(values, dtype=float)
    if vector.shape != (3,) or not np.isfinite(vector).all():
        raise ValueError(f"{what} is {values!r}; expected three numbers")
    return float(vector[0]), float(vector[1]), float(vector[2])


def in_order(body: str, segments: tuple[Segment, ...]) -> tuple[Segment, ...]:
    """The segments with parents before children, else in their order.

    Raises
    ------
    ValueError : a name is repeated or unknown, there is not exactly one root, or segments hang on each other in a loop
    """
    names = [segment.name for segment in segments]
    repeated = repeated_names(names)
    if repeated:
        raise ValueError(f"body '{body}' repeats the segments {repeated}; every segment needs its own name")
    roots = [segment.name for segment in segments if segment.parent is None]
    if len(roots) != 1:
        raise ValueError(f"body '{body}' has the roots {roots}; exactly one segment has no parent")
    ends = {segment.name: segment.end for segment in segments}
    for segment in segments:
        if segment.parent is not None and segment.parent not in ends:
            raise ValueError(unknown(f"segment '{segment.name}' hangs on", segment.parent, ends))
        if segment.at == "end" and (segment.parent is None or ends[segment.parent] is None):
            raise ValueError(f"segment '{segment.name}' hangs at the end of '{segment.parent}', which has none")
    ordered, left = [], list(segments)
    while left:
        placed = {segment.name for segment in ordered}
        ready = [segment for segment in left if segment.parent is None or segment.parent in placed]
        if not ready:
            raise ValueError(
                f"body '{body}': the segments {[segment.name for segment in left]} hang on each other in a loop"
            )
        ordered += ready
        left = [segment for segment in left if segment not in ready]
    return tuple(ordered)


def unknown(what: str, name: str, known: Sequence[str] | dict) -> str:
    """The sentence of a name that does not exist."""
    return f"{what} '{name}', which does not exist{nearest(name, list(known))}; known: {list(known)}"
