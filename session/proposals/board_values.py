"""The measures of a calibration board: from the files of other tools, or guessed from pictures of it."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ...calibration.boards.patterns import CharucoBoard, Checkerboard
from ...calibration.boards.wrong_board import guess_board

# millimetres of each unit
_MM = {"mm": 1.0, "cm": 10.0, "m": 1000.0, "inch": 25.4, "in": 25.4}


def values_from_file(path: Path) -> dict[str, Any] | None:
    """The table [board], lengths in mm, of a board file of another tool; None where the file states none.

    Known are caliscope's charuco.toml, sleap-anipose's board.toml, and the config.toml of anipose and Pose2Sim.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8", errors="replace"))
    except (OSError, tomllib.TOMLDecodeError):
        return None
    for read in (_caliscope, _sleap_anipose, _anipose, _pose2sim):
        try:
            found = read(content)
            if found is not None:
                _checked(found)
                return found
        except (KeyError, TypeError, ValueError, IndexError):
            continue
    return None


def _checked(table: dict[str, Any]) -> None:
    """Raise ValueError or TypeError unless the table describes a board."""
    values = {name: value for name, value in table.items() if name != "type"}
    (CharucoBoard if table["type"] == "charuco" else Checkerboard)(**values)


def _caliscope(content: dict) -> dict[str, Any] | None:
    if "columns" not in content or "aruco_scale" not in content:
        return None
    square = 10.0 * content["square_size_override_cm"] if content.get("square_size_override_cm") else None
    if square is None:
        unit = _MM[content.get("units", "inch")]
        square = unit * min(content["board_width"] / content["columns"], content["board_height"] / content["rows"])
    return {
        "type": "charuco",
        "squares_x": int(content["columns"]),
        "squares_y": int(content["rows"]),
        "square_length": round(square, 4),
        "marker_length": round(square * float(content["aruco_scale"]), 4),
        "dictionary": str(content["dictionary"]).removeprefix("DICT_"),
    } | ({"inverted": True} if content.get("inverted") else {})


def _sleap_anipose(content: dict) -> dict[str, Any] | None:
    if "board_x" not in content:
        return None
    if "marker_length" not in content:
        return _checkerboard(content["board_x"], content["board_y"], content["square_length"])
    return {
        "type": "charuco",
        "squares_x": int(content["board_x"]),
        "squares_y": int(content["board_y"]),
        "square_length": float(content["square_length"]),
        "marker_length": float(content["marker_length"]),
        "dictionary": _dictionary(content["marker_bits"], content["dict_size"]),
    }


def _anipose(content: dict) -> dict[str, Any] | None:
    own = content.get("calibration", {})
    if "board_size" not in own:
        return None
    nx, ny = own["board_size"]
    if own.get("board_type", "checkerboard") == "checkerboard":
        return _checkerboard(nx, ny, own["board_square_side_length"])
    return {
        "type": "charuco",
        "squares_x": int(nx),
        "squares_y": int(ny),
        "square_length": float(own["board_square_side_length"]),
        "marker_length": float(own["board_marker_length"]),
        "dictionary": _dictionary(own["board_marker_bits"], own["board_marker_dict_number"]),
    }


def _pose2sim(content: dict) -> dict[str, Any] | None:
    """Pose2Sim counts inner corners, and gives lengths in mm."""
    own = content.get("calibration", {}).get("calculate", {}).get("intrinsics", {})
    if "intrinsics_corners_nb" not in own:
        return None
    ny, nx = own["intrinsics_corners_nb"]
    return _checkerboard(nx, ny, own["intrinsics_square_size"])


def _checkerboard(corners_x: Any, corners_y: Any, square: Any) -> dict[str, Any]:
    return {
        "type": "checkerboard",
        "corners_x": int(corners_x),
        "corners_y": int(corners_y),
        "square_length": float(square),
    }


def _dictionary(bits: Any, size: Any) -> str:
    return f"{int(bits)}X{int(bits)}_{int(size)}"


def values_from_pictures(sources: Sequence[Path | list[Path]]) -> dict[str, Any] | None:
    """The table [board] of the board that pictures or videos show, its lengths to be measured; None where none is."""
    found = guess_board([part if isinstance(part, Path) else [str(path) for path in part] for part in sources])
    if found is None:
        return None
    table = {"type": "charuco" if isinstance(found, CharucoBoard) else "checkerboard"} | asdict(found)
    return {name: value for name, value in table.items() if value is not False}
