"""An animal as a tree of rigid segments: where they turn, how far, and which markers they carry."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from ...datasets import Skeleton
from ...datasets.names import repeated_names
from ...datasets.object_summaries import html_summary
from ...numerics.arrays import Array
from .body_parts import Marker, Segment, in_order, unknown
from .rest_pose import nearest_bones
from .tree_arrays import Plan, plan_of

ROOT_ANGLES = ("x", "y", "z", "yaw", "pitch", "roll")  # of the first segment: its joint in the world, and z, y, x turns


@dataclass(frozen=True, eq=False)
class Body:
    """A tree of segments that turn against each other, and the markers they carry.

    In the rest pose x points forwards, y to the left and z upwards.

    Parameters
    ----------
    name : str
        Of the body.
    segments : tuple of Segment
        The root and what hangs on it, in any order.
    attachments : tuple of Marker
        The markers, in the order of the arrays' keypoint axis.
    symmetries : tuple of (str, str)
        Names of left and right markers.
    bones : tuple of (str, str)
        Pairs of markers joined by a line; by default each marker and the nearest one before it in the tree.
    unit : str
        Of all lengths.
    size_spread : float
        Prior standard deviation of an animal's size, as a share of this body's.
    length_spread : float
        Prior standard deviation of each bone length, as a share, besides the size.
    marker_std : float, units of the body
        Prior standard deviation along each axis of a marker's place on its segment.
    joint_std : float, units of the body
        Prior standard deviation along each axis of a joint's place in its parent's frame.
    deviation_std : float, units of the body
        Prior standard deviation along each axis by which soft tissue moves a marker about its place on its segment.

    Attributes
    ----------
    marker_names : tuple of str
        In the order of the keypoint axis.
    angle_names : tuple of str
        First the place (x, y, z, world units) and the orientation (yaw, pitch, roll: turns about z, y, x, radians) of
        the root's joint, then "segment_turn".
    length_names : tuple of str
        Bone lengths.
    lengths : ndarray, shape (n_lengths,), units of the body
        Bone lengths of this body.
    limits : ndarray, shape (n_angles, 2), radians
        Soft limits; infinite for the root.
    rest_angles : ndarray, shape (n_angles,)
        The rest pose at the origin.
    skeleton : Skeleton
        Markers, bones and symmetries.

    Raises
    ------
    ValueError
        A name is unknown or repeated, the tree has a loop or not exactly one root, or a value is not positive.

    See Also
    --------
    read_body : From a TOML file, or a body that ships.
    body_from_skeleton : Proposed from reconstructed frames.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.triangulate import Body, Marker, Segment, Turn
    >>> elbow = Turn("elbow", (0, 1, 0), -2.5, 0)
    >>> arm = Body(
    ...     "arm",
    ...     (Segment("upper", end=(0, 0, -300)), Segment("lower", "upper", "end", (0, 0, -250), turns=(elbow,))),
    ...     (Marker("shoulder", "upper"), Marker("elbow", "upper", "end"), Marker("wrist", "lower", "end")),
    ... )
    >>> arm.angle_names[-1], arm.length_names
    ('lower_elbow', ('upper', 'lower'))
    """

    name: str
    segments: tuple[Segment, ...]
    attachments: tuple[Marker, ...]
    symmetries: tuple[tuple[str, str], ...] = ()
    bones: tuple[tuple[str, str], ...] = ()
    unit: str = "mm"
    size_spread: float = 0.3
    length_spread: float = 0.1
    marker_std: float = 10.0
    joint_std: float = 10.0
    deviation_std: float = 0.0

    def __post_init__(self):
        for field in ("segments", "attachments"):
            object.__setattr__(self, field, tuple(getattr(self, field)))
        for field in ("size_spread", "length_spread", "marker_std", "joint_std"):
            if not (np.isfinite(getattr(self, field)) and getattr(self, field) > 0):
                raise ValueError(f"body '{self.name}': {field} is {getattr(self, field)!r}; expected a positive number")
            object.__setattr__(self, field, float(getattr(self, field)))
        if not (np.isfinite(self.deviation_std) and self.deviation_std >= 0):
            raise ValueError(f"body '{self.name}': deviation_std is {self.deviation_std!r}; expected 0 or more")
        object.__setattr__(self, "segments", in_order(self.name, self.segments))
        self._check_markers()
        if not self.bones:
            object.__setattr__(self, "bones", nearest_bones(self))
        self.skeleton  # noqa: B018  checks the names of bones and symmetries

    def _check_markers(self) -> None:
        if not self.attachments:
            raise ValueError(f"body '{self.name}' has no markers; without one no camera sees it")
        repeated = repeated_names(self.marker_names)
        if repeated:
            raise ValueError(f"body '{self.name}' repeats the markers {repeated}; every marker needs its own name")
        ends = {segment.name: segment.end for segment in self.segments}
        for marker in self.attachments:
            if marker.segment not in ends:
                raise ValueError(unknown(f"marker '{marker.name}' lies on the segment", marker.segment, ends))
            if marker.at == "end" and ends[marker.segment] is None:
                raise ValueError(f"marker '{marker.name}' lies at the end of '{marker.segment}', which has none")
        lengths: dict[str, float] = {}
        for segment in self.segments:
            if segment.length is not None:
                own = float(np.linalg.norm(np.asarray(segment.end)))
                if not np.isclose(lengths.setdefault(segment.length, own), own, rtol=1e-6):
                    raise ValueError(
                        f"segment '{segment.name}' gives the length '{segment.length}' as {own:g}, another segment as"
                        f" {lengths[segment.length]:g}; segments that share a length are of one length"
                    )

    def __repr__(self) -> str:
        return (
            f"<Body '{self.name}': {len(self.segments)} segments, {len(self.attachments)} markers,"
            f" {len(self.angle_names)} angles, {len(self.length_names)} lengths, unit {self.unit}>"
        )

    def _repr_html_(self) -> str:
        rows = (
            (
                segment.name,
                segment.parent,
                float(np.linalg.norm(segment.end)) if segment.end else None,
                ", ".join(
                    f"{turn.name} ({np.degrees(turn.low):.0f} to {np.degrees(turn.high):.0f}°)"
                    for turn in segment.turns
                ),
                ", ".join(marker.name for marker in self.attachments if marker.segment == segment.name),
            )
            for segment in self.segments
        )
        return html_summary(repr(self), ("segment", "hangs on", f"length ({self.unit})", "turns", "markers"), rows)

    @property
    def marker_names(self) -> tuple[str, ...]:
        """Markers in the order of the keypoint axis."""
        return tuple(marker.name for marker in self.attachments)

    @property
    def angle_names(self) -> tuple[str, ...]:
        """Angles in the order of their axis: the root's place and orientation, then "segment_turn"."""
        turns = (f"{segment.name}_{turn.name}" for segment in self.segments for turn in segment.turns)
        return (*ROOT_ANGLES, *turns)

    @property
    def length_names(self) -> tuple[str, ...]:
        """Bone lengths in the order of their axis."""
        return tuple(dict.fromkeys(segment.length for segment in self.segments if segment.length is not None))

    @property
    def lengths(self) -> Array:
        """(n_lengths,) bone lengths of this body, in its unit."""
        own = {s.length: np.linalg.norm(s.end) for s in self.segments if s.end}
        return np.array([own[name] for name in self.length_names], float)

    @property
    def limits(self) -> Array:
        """(n_angles, 2) soft limits, radians; infinite for the root."""
        turns = [(turn.low, turn.high) for segment in self.segments for turn in segment.turns]
        return np.concatenate([np.tile([-np.inf, np.inf], (6, 1)), np.reshape(turns, (-1, 2))])

    @property
    def rest_angles(self) -> Array:
        """(n_angles,) of the rest pose at the origin."""
        return np.array([0.0] * 6 + [turn.rest for segment in self.segments for turn in segment.turns])

    @cached_property
    def skeleton(self) -> Skeleton:
        """Markers, bones and symmetries."""
        return Skeleton(self.marker_names, self.bones, self.symmetries)

    @cached_property
    def plan(self) -> Plan:
        """The tree as arrays, for the forward kinematics."""
        return plan_of(self)

    def markers(self, angles: Any, lengths: Any = None, offsets: Any = None) -> Any:
        """Forward kinematics: where the markers are.

        Parameters
        ----------
        angles : array, shape (..., n_angles)
            In the order of `angle_names`: places in units of the lengths, angles in radians.
        lengths : array, shape (n_lengths,), optional
            Bone lengths. By default those of this body.
        offsets : array, shape (n_markers + n_segments, 3), optional
            Displacement of each marker in its segment's frame, then of each segment's joint in its parent's frame. By
            default none.

        Returns
        -------
        array, shape (..., n_markers, 3)
            A numpy array in double precision; of jax arrays a jax array in their own precision, so that it can be
            differentiated, vectorised and compiled.

        Raises
        ------
        ModuleNotFoundError
            jax is not installed.
        ValueError
            A shape does not fit the body.

        Notes
        -----
        NaN angles give NaN markers in their frame.
        """
        from .forward_kinematics import marker_positions

        return marker_positions(self, angles, lengths, offsets)

    def in_unit(self, unit: str) -> Body:
        """The body in another unit of length.

        Parameters
        ----------
        unit : str
            "mm", "cm" or "m".

        Returns
        -------
        Body
            With all lengths converted.

        Raises
        ------
        ValueError
            A unit is unknown.
        """
        known = {"mm": 1.0, "cm": 10.0, "m": 1000.0}
        for name in (self.unit, unit):
            if name not in known:
                raise ValueError(f"lengths in {name!r} cannot be converted; known units: {list(known)}")
        return replace(self.scaled(known[self.unit] / known[unit]), unit=unit)

    def scaled(self, factor: float) -> Body:
        """The body enlarged.

        Parameters
        ----------
        factor : float
            By which all lengths are multiplied.

        Returns
        -------
        Body
            The same tree.
        """

        def by(vector):
            return vector if vector is None or isinstance(vector, str) else tuple(factor * value for value in vector)

        return replace(
            self,
            segments=tuple(replace(s, at=by(s.at), end=by(s.end), length=s.length) for s in self.segments),
            attachments=tuple(replace(m, at=by(m.at)) for m in self.attachments),
            marker_std=factor * self.marker_std,
            joint_std=factor * self.joint_std,
            deviation_std=factor * self.deviation_std,
        )
