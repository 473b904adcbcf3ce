"""Detections of every camera in every recording: those given, and those found in the images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import CalibrationError
from .detection import BoardDetections, detect_boards
from .detection_cache import Cache
from .patterns import Board, CharucoBoard, Checkerboard, MarkerBoard
from .recordings import for_each_recording


def gather_recordings(
    recordings: Mapping[str, Mapping[str, Any]], board, *, frame_step: int, cache: Cache, progress: bool
) -> dict[str, dict[str, BoardDetections]]:
    """{recording: {camera: detections}}; `board` one for all recordings, or each recording's own."""
    boards = for_each_recording(board, recordings, "board", (CharucoBoard, Checkerboard, MarkerBoard))
    found = {}
    for name, sources in recordings.items():
        try:
            found[name] = gather_detections(
                sources, boards[name], frame_step=frame_step, cache=cache, progress=progress
            )
        except CalibrationError as error:
            raise CalibrationError(f"recording '{name}': {error}" if name else str(error)) from error
    return found


def gather_detections(
    sources, board: Board | None, *, frame_step: int, cache: Cache, progress: bool
) -> dict[str, BoardDetections]:
    """Detections of all cameras in the order given; sources that are detections already pass."""
    ready = {str(camera): source for camera, source in sources.items() if isinstance(source, BoardDetections)}
    if board is None and ready:
        board = next(iter(ready.values())).board
    for camera, found in ready.items():
        if found.board != board:
            raise CalibrationError(f"camera '{camera}': its detections are of a {found.board}, not of the {board}")
    todo = {str(camera): source for camera, source in sources.items() if not isinstance(source, BoardDetections)}
    if todo:
        if board is None:
            raise CalibrationError("board is None: describe the board that the images show, such as CharucoBoard(...)")
        ready |= detect_boards(todo, board, frame_step=frame_step, cache=cache, progress=progress)
    return {str(camera): ready[str(camera)] for camera in sources}
