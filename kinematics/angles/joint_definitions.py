"""Declarations of joints in a dict or in the [joints] table of a session.toml::

knee     = ["hip", "knee", "ankle"]                                          # three points, unsigned
wrist    = { kind = "hinge", points = ["elbow", "wrist", "hand"], axis = "estimate" }
elbow    = { kind = "hinge", points = ["shoulder", "elbow", "wrist"], axis = ["shoulder_left", "shoulder_right"] }
tail     = { kind = "dihedral", points = ["neck", "back", "tail_base", "tail_tip"] }
spine    = { kind = "chain", points = ["neck", "back", "tail_base", "tail_tip"] }
hip      = { kind = "segments", proximal = { long = ["back", "neck"], lateral = ["hip_left", "hip_right"] },
             distal = { long = ["knee", "hip"], lateral = ["knee_inside", "knee_outside"] } }
trunk    = { kind = "orientation", forward = ["tail_base", "neck"], lateral = ["hip_left", "hip_right"] }
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ...datasets import Array, DatasetError
from ...datasets.names import nearest, repeated_names

_OPTIONS = {
    "angle": {"points", "corrected"},
    "hinge": {"points", "axis", "frame", "flip"},
    "dihedral": {"points", "flip"},
    "chain": {"points"},
    "segments": {"proximal", "distal"},
    "orientation": {"forward", "lateral"},
}
_N_POINTS = {"angle": 3, "hinge": 3, "dihedral": 4}  # keypoints that define each kind


@dataclass(frozen=True, eq=False)
class Joint:
    """One declared joint.

    Parameters
    ----------
    name : str
        Name of its angle; of three angles, the beginning of their names.
    kind : {"angle", "hinge", "dihedral", "segments", "orientation"}
        Which angle.
    points : tuple of str
        The keypoints of an angle or hinge (3) or dihedral (4), from the body outwards.
    axis : str, tuple of str or ndarray of shape (3,), optional
        Of a hinge: "estimate", the two keypoints it runs through, or a direction in the world.
    frame : tuple of str, optional
        Of a hinge with an estimated axis: three keypoints of the proximal segment in which the axis is fixed; None:
        it is fixed in the world.
    flip : bool
        Change the sign of a hinge or dihedral, so that left and right limbs can agree.
    corrected : bool
        Of an angle: remove the bias of noise near straight (needs covariances).
    segments : tuple
        Of segments: (long, lateral) keypoint pairs of the proximal and of the distal one; of an orientation: the
        (forward, lateral) pairs.

    Examples
    --------
    >>> from muybridge.kinematics import Joint
    >>> Joint("knee", "angle", ("hip", "knee", "ankle")).flip
    False
    """

    name: str
    kind: str
    points: tuple[str, ...] = ()
    axis: str | tuple[str, str] | Array | None = None
    frame: tuple[str, str, str] | None = None
    flip: bool = False
    corrected: bool = False
    segments: tuple[tuple[tuple[str, str], tuple[str, str]], ...] = ()


def parse_joints(joints: Mapping[str, object]) -> list[Joint]:
    """Read declarations of joints, as in the [joints] table of a session.toml.

    Parameters
    ----------
    joints : mapping
        {name: keypoints} (three: an angle, four: a dihedral), {name: table with `kind`}, or {name: Joint}. The kinds'
        entries: angle: points, corrected; hinge: points, axis, frame, flip; dihedral: points, flip; chain: points;
        segments: proximal, distal, each {long, lateral}; orientation: forward, lateral.

    Returns
    -------
    list of Joint
        In the order of the declarations; a chain becomes the flexion at every inner point and the torsion of every
        inner bone.

    Raises
    ------
    DatasetError
        A declaration cannot be read; the message names the joint and what was expected.

    Examples
    --------
    >>> from muybridge.kinematics import parse_joints
    >>> spine = {"kind": "chain", "points": ["neck", "back", "base", "tip"]}
    >>> [joint.name for joint in parse_joints({"knee": ["hip", "knee", "ankle"], "spine": spine})]
    ['knee', 'spine_back_flexion', 'spine_base_flexion', 'spine_base_torsion']
    """
    if not isinstance(joints, Mapping) or not joints:
        raise DatasetError(f"joints are declared as {{name: (a, b, c)}} or {{name: {{kind = ...}}}}, got {joints!r}")
    parsed: list[Joint] = []
    for name, declaration in joints.items():
        parsed += _parse(str(name), declaration)
    repeated = repeated_names(joint.name for joint in parsed)
    if repeated:
        raise DatasetError(f"the joints {repeated} are declared twice (a chain adds _flexion and _torsion to names)")
    return parsed


def _parse(name: str, declaration: object) -> list[Joint]:
    if isinstance(declaration, Joint):
        return [declaration]
    if isinstance(declaration, Sequence) and not isinstance(declaration, str):
        declaration = {"kind": "dihedral" if len(declaration) == 4 else "angle", "points": declaration}
    if not isinstance(declaration, Mapping):
        raise DatasetError(f"joint '{name}' is {declaration!r}; expected keypoints (a, b, c) or a table with a kind")
    kind = str(declaration.get("kind", "angle"))
    if kind not in _OPTIONS:
        raise DatasetError(
            f"joint '{name}' has the unknown kind '{kind}'{nearest(kind, _OPTIONS)}; known: {list(_OPTIONS)}"
        )
    for option in set(declaration) - {"kind"} - _OPTIONS[kind]:
        known = sorted(_OPTIONS[kind])
        hint = nearest(str(option), known)
        raise DatasetError(f"joint '{name}' of kind '{kind}' has no option '{option}'{hint}; known: {known}")
    if kind == "segments":
        segments = tuple(_segment(name, declaration, part) for part in ("proximal", "distal"))
        return [Joint(name, kind, segments=segments)]
    if kind == "orientation":
        pair = (_names(name, declaration, "forward", 2), _names(name, declaration, "lateral", 2))
        return [Joint(name, kind, segments=(pair,))]  # type: ignore[arg-type]
    points = _names(name, declaration, "points", _N_POINTS.get(kind))
    if kind == "chain":
        return _chain(name, points)
    axis = _axis(name, declaration.get("axis", "estimate")) if kind == "hinge" else None
    frame = _names(name, declaration, "frame", 3) if declaration.get("frame") else None
    flip, corrected = bool(declaration.get("flip", False)), bool(declaration.get("corrected", False))
    return [Joint(name, kind, points, axis, frame, flip, corrected)]  # type: ignore[arg-type]


def _chain(name: str, points: tuple[str, ...]) -> list[Joint]:
    """Internal coordinates of a chain: the three-point angle at every inner point, the torsion of every inner bone."""
    if len(points) < 3:
        raise DatasetError(f"chain '{name}' needs at least three keypoints, got {list(points)}")
    flexions = [Joint(f"{name}_{points[i + 1]}_flexion", "angle", points[i : i + 3]) for i in range(len(points) - 2)]
    torsions = [Joint(f"{name}_{points[i + 2]}_torsion", "dihedral", points[i : i + 4]) for i in range(len(points) - 3)]
    return flexions + torsions


def _names(joint: str, table: Mapping, option: str, n: int | None) -> tuple[str, ...]:
    names = table.get(option)
    if not isinstance(names, list | tuple) or (n is not None and len(names) != n):
        raise DatasetError(f"joint '{joint}' needs '{option}' with {n or 'its'} keypoint names, got {names!r}")
    names = tuple(str(entry) for entry in names)
    if any(first == second for first, second in pairwise(names)) or (len(names) == 2 == n and names[0] == names[1]):
        raise DatasetError(f"joint '{joint}' names the same keypoint twice in a row in '{option}': {list(names)}")
    return names


def _axis(joint: str, axis: object) -> str | tuple[str, str] | Array:
    if isinstance(axis, str):
        if axis == "estimate":
            return axis
    elif isinstance(axis, Sequence | np.ndarray):
        entries = list(axis)
        if len(entries) == 2 and all(isinstance(entry, str) for entry in entries) and entries[0] != entries[1]:
            return (str(entries[0]), str(entries[1]))
        if len(entries) == 3 and not any(isinstance(entry, str) for entry in entries):
            direction = np.asarray(entries, float)
            if np.isfinite(direction).all() and np.linalg.norm(direction) > 0:
                return direction / np.linalg.norm(direction)
    raise DatasetError(
        f"hinge '{joint}' has the axis {axis!r}; expected 'estimate', three numbers, or two different keypoints"
    )


def _segment(joint: str, table: Mapping, part: str) -> tuple[tuple[str, str], tuple[str, str]]:
    segment = table.get(part)
    if not isinstance(segment, Mapping) or set(segment) != {"long", "lateral"}:
        raise DatasetError(
            f"joint '{joint}' needs '{part} = {{long = [distal, proximal], lateral = [left, right]}}', got {segment!r}"
        )
    return (_names(joint, segment, "long", 2), _names(joint, segment, "lateral", 2))  # type: ignore[return-value]
