"""The library's own file of an instant: every labelled point with its state, and a revision number.

``labelling/000123.json`` in the project: {"revision": 4, "points": {camera: {keypoint: [x, y, state, source]}}}.
DeepLabCut's tables know no more than a place or an empty cell; here a person's "not visible" and "not in the picture"
are kept apart from what nobody has looked at yet.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ..datasets.atomic_files import atomic_write

STATES = ("visible", "occluded", "absent")  # absent has no place
SOURCES = ("hand", "3d")  # "3d": accepted as the other views have it, no observation of its own
_FARTHEST = 1e5  # pixels


class Point(NamedTuple):
    """One keypoint in one picture; x and y in pixels, NaN where it is absent."""

    x: float
    y: float
    state: str = "visible"
    source: str = "hand"

    def as_list(self) -> list:
        place = [None, None] if self.state == "absent" else [self.x, self.y]
        return [*place, self.state, self.source]


@dataclass(frozen=True)
class InstantRecord:
    """The points of one instant, {camera: {keypoint: Point}}; revision 0: never written by this part."""

    revision: int = 0
    points: Mapping[str, Mapping[str, Point]] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        named = {camera: {name: p.as_list() for name, p in own.items()} for camera, own in self.points.items() if own}
        return {"revision": self.revision, "points": named}

    def changed(self, changes: Mapping[str, Mapping[str, Point | None]]) -> InstantRecord:
        """The next revision; None takes a point away."""
        points = {camera: dict(own) for camera, own in self.points.items()}
        for camera, own in changes.items():
            for name, point in own.items():
                if point is None:
                    points.get(camera, {}).pop(name, None)
                else:
                    points.setdefault(camera, {})[name] = point
        return InstantRecord(self.revision + 1, points)


def parse_point(value: Any) -> Point:
    """A point as JSON has it. Raises ValueError where it is none; coordinates are rounded as the tables have them."""
    if not isinstance(value, list) or len(value) not in (3, 4) or value[2] not in STATES:
        raise ValueError(f"a point is [x, y, state, source], got {value!r:.80}")
    source = value[3] if len(value) == 4 else "hand"
    if source not in SOURCES:
        raise ValueError(f"the source of a point is one of {SOURCES}, got {source!r:.40}")
    if value[2] == "absent":
        return Point(math.nan, math.nan, "absent", source)
    numbers = [v for v in value[:2] if isinstance(v, int | float) and not isinstance(v, bool) and abs(v) < _FARTHEST]
    if len(numbers) != 2:
        raise ValueError(f"the place of a point is two finite numbers of pixels, got {value[:2]!r:.80}")
    return Point(round(float(numbers[0]), 3), round(float(numbers[1]), 3), value[2], source)


def parse_points(value: Any) -> dict[str, dict[str, Point | None]]:
    """{camera: {keypoint: point or null}} as JSON has it. Raises ValueError where it is none."""
    if not isinstance(value, dict) or not all(isinstance(own, dict) for own in value.values()):
        raise ValueError("points are {camera: {keypoint: point}}")
    return {
        camera: {name: None if point is None else parse_point(point) for name, point in own.items()}
        for camera, own in value.items()
    }


def read_record(path: Path) -> InstantRecord:
    """The record of a file; an empty one where there is no file. Raises ValueError where the file is damaged."""
    if not path.is_file():
        return InstantRecord()
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        points = {
            camera: {name: _read_point(*value) for name, value in own.items()}
            for camera, own in content["points"].items()
        }
        return InstantRecord(int(content["revision"]), points)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{path} is no record of labels ({error}); move it away to go on without it") from error


def _read_point(x: float | None, y: float | None, state: str, source: str = "hand") -> Point:
    """A point as this part has written it: of hundreds of thousands, checked no further."""
    if state not in STATES:
        raise ValueError(f"a point has the state {state!r:.40}")
    return Point(math.nan if x is None else x, math.nan if y is None else y, state, source)


def write_record(path: Path, record: InstantRecord) -> None:
    """Replace the file of an instant at once."""
    with atomic_write(path) as partial:
        partial.write_text(json.dumps(record.as_json(), separators=(",", ":")), encoding="utf-8")
