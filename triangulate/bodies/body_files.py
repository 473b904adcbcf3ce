"""Bodies from TOML files, and those that ship."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w

from ...datasets.atomic_files import atomic_write
from ...datasets.names import nearest
from .body_parts import Marker, Segment, Turn
from .kinematic_tree import Body

SHIPPED = ("cheetah", "human", "rodent")
_AXES = {"x": (1, 0, 0), "y": (0, 1, 0), "z": (0, 0, 1)}
_OPTIONS = ("unit", "size_spread", "length_spread", "marker_std", "joint_std", "deviation_std")
_BODY_KEYS = {"name", "mirror", "markers", "bones", "symmetries", "segments", *_OPTIONS}
_SEGMENT_KEYS = {"parent", "at", "end", "length", "turns", "markers"}


def read_body(path_or_name: str | Path) -> Body:
    """Read a body from a TOML file, or take one that ships.

    Parameters
    ----------
    path_or_name : str or pathlib.Path
        "cheetah", "rodent", "human", or the path of a file.

    Returns
    -------
    Body
        The body.

    Raises
    ------
    FileNotFoundError
        There is neither a file nor a shipped body of this name.
    ValueError
        The file is no TOML, a key is unknown, or the tree is not one; the message names the file.

    See Also
    --------
    body_from_skeleton : A body proposed from a skeleton and some reconstructed frames.
    write_body : Writes such a file.

    Examples
    --------
    >>> from muybridge.triangulate import read_body
    >>> body = read_body("cheetah")
    >>> len(body.marker_names), body.marker_names[:3]
    (24, ('nose', 'r_eye', 'l_eye'))
    """
    name = str(path_or_name)
    if name in SHIPPED:
        text = (files("muybridge.triangulate.bodies") / f"{name}.toml").read_text(encoding="utf-8")
    elif Path(path_or_name).is_file():
        text = Path(path_or_name).read_text(encoding="utf-8")
    else:
        hint = nearest(name, SHIPPED)
        raise FileNotFoundError(f"there is no file {name!r} and no shipped body of that name{hint}; known: {SHIPPED}")
    try:
        return body_of_tables(tomllib.loads(text), Path(name).stem)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{name}: {error}") from error


def write_body(body: Body, path: str | Path) -> Path:
    """Write a body as TOML, to be read by `read_body` and named in a session.

    Parameters
    ----------
    body : Body
        The body; both sides are written out, where a file made by hand may have `mirror`.
    path : str or pathlib.Path
        The file, replaced if it is there.

    Returns
    -------
    pathlib.Path
        The file written.

    See Also
    --------
    read_body : Reads it.

    Examples
    --------
    >>> from muybridge.triangulate import read_body, write_body
    >>> read_body(write_body(read_body("human"), "person.toml")).angle_names == read_body("human").angle_names
    True
    """
    segments = {}
    for segment in body.segments:
        carried = {m.name: _plain(m.at) for m in body.attachments if m.segment == segment.name}
        turns = {
            turn.name: [list(turn.axis), *np.degrees([turn.low, turn.high, turn.rest]).tolist()]
            for turn in segment.turns
        }
        own = {"parent": segment.parent, "at": _plain(segment.at), "end": _plain(segment.end), "length": segment.length}
        segments[segment.name] = {key: value for key, value in own.items() if value is not None}
        segments[segment.name] |= {name: table for name, table in (("turns", turns), ("markers", carried)) if table}
    tables = {"name": body.name, "markers": list(body.marker_names)}
    tables |= {name: getattr(body, name) for name in _OPTIONS}
    tables |= {"bones": [list(bone) for bone in body.bones], "symmetries": [list(pair) for pair in body.symmetries]}
    with atomic_write(Path(path)) as partial:
        partial.write_text(tomli_w.dumps(tables | {"segments": segments}), encoding="utf-8")
    return Path(path)


def _plain(place: Any) -> Any:
    return list(place) if isinstance(place, tuple) else place


def body_of_tables(tables: dict[str, Any], name: str) -> Body:
    """A body from the tables of its file.

    Raises
    ------
    ValueError : a key is unknown or malformed, or the tree is not one
    """
    _check_keys("the body", tables, _BODY_KEYS)
    segments, attachments = [], []
    for segment, table in tables.get("segments", {}).items():
        _check_keys(f"segment '{segment}'", table, _SEGMENT_KEYS)
        turns = tuple(_turn(segment, turn, values) for turn, values in table.get("turns", {}).items())
        own = {key: table[key] for key in ("parent", "at", "end", "length") if key in table}
        segments.append(Segment(segment, **own, turns=turns))
        attachments += [Marker(marker, segment, place) for marker, place in table.get("markers", {}).items()]
    symmetries = [tuple(pair) for pair in tables.get("symmetries", [])]
    bones = [tuple(bone) for bone in tables.get("bones", [])]
    if "mirror" in tables:
        left, right = tables["mirror"]
        segments, attachments, pairs = _mirrored(segments, attachments, left, right)
        symmetries = symmetries or pairs
        one_sided = [(a, b) for a, b in bones if not (a.startswith(right) or b.startswith(right))]
        bones = list(dict.fromkeys([*bones, *((_other(a, left, right), _other(b, left, right)) for a, b in one_sided)]))
    attachments = _in_order(attachments, tables.get("markers"))
    options = {key: tables[key] for key in _OPTIONS if key in tables}
    return Body(str(tables.get("name", name)), tuple(segments), tuple(attachments), tuple(symmetries), tuple(bones),
                **options)  # fmt: skip


def _turn(segment: str, name: str, values: Any) -> Turn:
    what = f"segment '{segment}', turn '{name}'"
    if not isinstance(values, list) or len(values) not in (3, 4):
        raise ValueError(
            f"{what} is {values!r}; expected [axis, lowest, highest] or with the angle at rest, in degrees"
        )
    axis, low, high = values[:3]
    if isinstance(axis, str) and axis not in _AXES:
        raise ValueError(f"{what} has the axis {axis!r}; expected 'x', 'y', 'z' or three numbers")
    rest = values[3] if len(values) == 4 else (0.0 if low <= 0 <= high else 0.5 * (low + high))
    low, high, rest = (float(np.radians(value)) for value in (low, high, rest))
    return Turn(name, _AXES[axis] if isinstance(axis, str) else tuple(axis), low, high, rest)


def _mirrored(
    segments: list[Segment], attachments: list[Marker], left: str, right: str
) -> tuple[list[Segment], list[Marker], list[tuple[str, str]]]:
    """Segments and markers with the right side added, and the pairs of (left, right) markers.

    A reflection reverses turns about x and z, so that the same angle means the same posture on both sides.
    """
    sides = [s for s in segments if s.name.startswith(left)]
    known = {s.name for s in segments}
    for segment in sides:
        name = right + segment.name[len(left) :]
        if name in known:
            raise ValueError(f"segment '{name}' is declared, and mirrored from '{segment.name}', too")
        turns = tuple(Turn(t.name, (-t.axis[0], t.axis[1], -t.axis[2]), t.low, t.high, t.rest) for t in segment.turns)
        parent = None if segment.parent is None else _other(segment.parent, left, right)
        length = None if segment.length is None else segment.length.removeprefix(left)
        place = _across(segment.at)
        segments = [*segments, Segment(name, parent, place, _across(segment.end), length, turns)]
        segments = [
            Segment(s.name, s.parent, s.at, s.end, length, s.turns) if s.name == segment.name else s for s in segments
        ]
    pairs, more = [], []
    for marker in attachments:
        if marker.name.startswith(left):
            name = right + marker.name[len(left) :]
            more.append(Marker(name, _other(marker.segment, left, right), _across(marker.at)))
            pairs.append((marker.name, name))
    return segments, attachments + more, pairs


def _other(name: str, left: str, right: str) -> str:
    return right + name[len(left) :] if name.startswith(left) else name


def _across(place: Any) -> Any:
    return place if place is None or isinstance(place, str) else (place[0], -place[1], place[2])


def _in_order(attachments: list[Marker], names: list[str] | None) -> list[Marker]:
    if names is None:
        return attachments
    own = {marker.name: marker for marker in attachments}
    for name in names:
        if name not in own:
            raise ValueError(f"markers names '{name}', which no segment carries{nearest(name, list(own))}")
    missing = sorted(set(own) - set(names))
    if missing:
        raise ValueError(f"markers leaves out {missing}, which segments carry; name all, in the order of the data")
    return [own[name] for name in names]


def _check_keys(what: str, table: Any, known: set[str]) -> None:
    if not isinstance(table, dict):
        raise ValueError(f"{what} is {table!r}; expected a table")
    for key in table:
        if key not in known:
            raise ValueError(f"{what} has the unknown key '{key}'{nearest(key, list(known))}; known: {sorted(known)}")
