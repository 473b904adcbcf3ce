"""Which values the entries of session.toml may have, and the sentence that refuses others."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from ...datasets.names import nearest

# frames per second of recordings of moving animals: from a frame in a quarter of an hour to the fastest cameras
SLOWEST, FASTEST = 1e-3, 1e6


class SessionError(ValueError):
    """A session that cannot run as it is written; the message names the file, the entry and the remedy."""


def check_names(path: Path, what: str, names: Iterable[str], known: Iterable[str]) -> None:
    known = list(known)
    for name in names:
        if name not in known:
            hint = nearest(name, known) or f"; known: {known}"
            raise SessionError(f"{path}: '{name}' is not among the {what}{hint}")


def check_value(path: Path, what: str, value: Any, wanted: tuple[Callable[[Any], bool], str]) -> None:
    fits, words = wanted
    if not fits(value):
        raise SessionError(f"{path}: {what} is {value!r}; {words}")


def check_file_names(path: Path, table: str, names: Iterable[str]) -> None:
    """Files are named by cameras and recordings, and are to stay in their folder."""
    for name in names:
        if not name.isprintable() or name in ("", ".", "..") or set(name) & set("/\\"):
            raise SessionError(
                f"{path}: [{table}] has the name {name!r}, by which files are named; give one without slashes and"
                " characters that cannot be printed"
            )


def check_inside(path: Path, what: str, value: Any) -> None:
    """A folder that is written to lies elsewhere only where the whole path is given."""
    if isinstance(value, str) and os.path.normpath(value).split(os.sep)[0] == os.pardir:
        raise SessionError(
            f"{path}: {what} is {value!r}, which leaves the session's folder; give the whole path if that is meant"
        )


def is_text(value: Any) -> bool:
    return isinstance(value, str)


def is_list_of(kind: type, value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(entry, kind) for entry in value)


def _is_numbers(value: Any, n: int) -> bool:
    return isinstance(value, list) and len(value) == n and all(map(_is_number, value))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


# of an entry: whether a value can be used, and what the message asks for where it cannot
_SWITCH = (lambda value: isinstance(value, bool), "give true or false")
# entries of [cameras.NAME] that are no files
PICTURE_KEYS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "size": (
        lambda value: _is_numbers(value, 2) and all(isinstance(side, int) and side > 0 for side in value),
        "give [width, height] of the calibrated picture in pixels",
    ),
    "crop": (
        lambda value: (_is_numbers(value, 2) or _is_numbers(value, 4)) and min(value) >= 0,
        "give [x, y] of the corner in the calibrated picture, or [x, y, width, height], pixels",
    ),
    "scale": (
        lambda value: _is_number(value) and value > 0,
        "give the size of the video's picture relative to the calibrated one, such as 0.5",
    ),
    "mirror": _SWITCH,
    "delay": (lambda value: _is_number(value), "give a number of frames, positive where the camera is delayed"),
}

_PATH = (is_text, "give a path")
_DURATION = (lambda value: _is_number(value) and value > 0, "it must be a positive number of seconds")
_PIXELS = (
    lambda value: all(_is_number(one) and one > 0 for one in (value if isinstance(value, list) else [value])),
    "it must be a positive number of pixels, or a list of one for each camera",
)
_COUNT = (
    lambda value: isinstance(value, int) and not isinstance(value, bool) and value > 0,
    "it must be a whole number of at least 1",
)
_PAIRS = (partial(is_list_of, list), "it must be a list of pairs of keypoint names")
# entries of the other tables, {(table, entry): ...}
ENTRIES: dict[tuple[str, str], tuple[Callable[[Any], bool], str]] = {
    ("session", "output"): _PATH,
    ("session", "unit"): (lambda unit: is_text(unit) and bool(unit.strip()), "give a unit of length, such as 'mm'"),
    ("session", "rig"): _PATH,
    ("session", "fps"): (
        lambda fps: _is_number(fps) and SLOWEST <= fps <= FASTEST,
        f"it must be a positive number of frames per second, from {SLOWEST:g} to {FASTEST:g}",
    ),
    ("session", "up"): (
        lambda up: isinstance(up, list) and len(up) == 3 and all(map(_is_number, up)) and any(up),
        "it must be a direction of three numbers, such as [0, 0, 1]",
    ),
    ("session", "floor_frame"): (
        lambda frame: _is_number(frame) and isinstance(frame, int) and frame >= 0,
        "it must be the number of a board frame, from 0",
    ),
    ("animals", "count"): _COUNT,
    ("animals", "identity"): (
        lambda value: value in ("known", "tracks", "detections"),
        'give "known", "tracks" or "detections"',
    ),
    ("skeleton", "keypoints"): (partial(is_list_of, str), "it must be a list of names"),
    ("skeleton", "bones"): _PAIRS,
    ("skeleton", "symmetries"): _PAIRS,
    ("calibrate", "cache"): (
        lambda value: isinstance(value, bool) or is_text(value),
        "give true, false, or the folder that found corners are kept in",
    ),
    ("train", "labels"): (lambda value: is_text(value) or is_list_of(str, value), "give a path, or a list of paths"),
    ("train", "sessions"): (partial(is_list_of, str), "give a list of paths"),
    ("train", "weights"): _PATH,
    ("train", "start"): _PATH,
    ("train", "detector"): _PATH,
    ("train", "keypoints"): (
        lambda value: isinstance(value, dict) and all(map(is_text, value.values())),
        'it must be a table: name = "the detector\'s name"',
    ),
    ("train", "detector_options"): (lambda value: isinstance(value, dict), "it must be a table of options"),
    ("calibrate", "intrinsics"): _PATH,
    ("predict", "detector"): _PATH,
    ("predict", "use_rig"): _SWITCH,
    ("reconstruct", "prior"): _PATH,
    ("reconstruct", "noise"): _PATH,
    ("reconstruct", "match_individuals"): _SWITCH,
    ("reconstruct", "frame_offsets"): _SWITCH,
    ("reconstruct", "refine_rig"): _SWITCH,
    ("reconstruct", "window"): _DURATION,
    ("reconstruct", "max_gap"): (
        lambda value: _is_number(value) and value >= 0,
        "it must be a number of seconds, 0 or more",
    ),
    ("reconstruct", "threshold"): _PIXELS,
    ("reconstruct", "sigma"): _PIXELS,
    ("reconstruct", "min_confidence"): (
        lambda value: _is_number(value) and 0 <= value <= 1,
        "it must be a number from 0 to 1",
    ),
    ("reconstruct", "n_states"): _COUNT,
    ("reconstruct", "chunk_frames"): _COUNT,
}
