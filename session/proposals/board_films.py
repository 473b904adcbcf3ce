"""Films that show a calibration board by their pictures, whatever their names say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from ...calibration.boards.corner_finders import MIN_CORNERS, make_finder
from ...calibration.boards.patterns import CharucoBoard, Checkerboard
from ...calibration.boards.wrong_board import guess_board
from ...formats.video.reading import VideoError, probe_video
from ...formats.video.sparse_reading import read_sparse_frames
from ...numerics.arrays import Array
from .camera_names import Source, chapters, recordings, video_stem
from .found_files import FoundFile

_PICTURES = 8  # of a film, spread over it
_WIDEST = 1280  # pixels: larger pictures are made smaller, so that a film takes some 2 s
_SHARE = 0.25  # of the pictures that show the board: a film of animals may begin with one
_MOVED = 0.02  # of the picture's width: a pattern in the scene stays where it is
_PLANE = 0.1  # of a square's side: lenses bend boards by less, grids seen in a texture are off by 0.2 and more
_TRIED = 2  # films of one recording: a camera may see little of the board that another sees


def sort_board_films(folder: Path, files: Sequence[FoundFile]) -> list[FoundFile]:
    """The files, the videos of a recording as of a board where the pictures of one show a board in several places.

    Looked into are videos without 2D points, and none where the names of others say that they are of a board.
    """
    if any(file.kind == "board" for file in files):
        return list(files)
    tracked = {video_stem(file.path) for file in files if file.kind == "points"}
    films = [file.path for file in files if file.kind == "video" and video_stem(file.path) not in tracked]
    shown: set[Path] = set()
    for cameras in tqdm(recordings(chapters(films)).values(), "boards in videos", unit="recording", disable=None):
        if any(_shows_board(folder, source) for source in list(cameras.values())[:_TRIED]):
            shown.update(path for source in cameras.values() for path in source.files)
    reason = "a video of a board that fits no camera's name"
    return [replace(file, kind="board", reason=reason) if file.path in shown else file for file in files]


def _shows_board(folder: Path, source: Source) -> bool:
    """Whether a good share of a film's pictures show a board, not all in one place."""
    pictures = _pictures(folder / source.files[0])
    board = guess_board([pictures[::2], pictures[1::2]]) if len(pictures) == _PICTURES else None
    if board is None:
        return False
    finder = make_finder(board)
    corners = [finder(picture, False).corners for picture in pictures]
    corners = np.array([found for found in corners if _is_seen(board, found)])
    if len(corners) < _SHARE * _PICTURES:
        return False
    moved = np.linalg.norm(corners - corners[:1], axis=-1)
    return any(np.isfinite(d).any() and np.nanmedian(d) > _MOVED * pictures[0].shape[1] for d in moved)


def _is_seen(board: CharucoBoard | Checkerboard, corners: Array) -> bool:
    """Whether corners (n_corners, 2) are a board's: those of a checkerboard, which has no marks, lie on a plane."""
    if isinstance(board, CharucoBoard):
        return int(np.isfinite(corners[:, 0]).sum()) >= MIN_CORNERS
    if not np.isfinite(corners).all():
        return False
    plane = board.points[:, :2]
    H, _ = cv2.findHomography(plane, corners, 0)
    if H is None:
        return False
    off = np.linalg.norm(cv2.perspectiveTransform(plane[:, None], H)[:, 0] - corners, axis=-1)
    nx, ny = board.corner_grid
    square = np.sqrt(cv2.contourArea(cv2.convexHull(corners.astype(np.float32))) / ((nx - 1) * (ny - 1)))
    return bool(off.max() < _PLANE * square)


def _pictures(path: Path) -> list[np.ndarray]:
    """Grey pictures spread over a film; none where it cannot be read."""
    try:
        n_frames = probe_video(path, rate_needed=False).n_frames
        wanted = n_frames * (2 * np.arange(_PICTURES) + 1) // (2 * _PICTURES)
        found = [image for _, image in read_sparse_frames(path, wanted.tolist()) if image is not None]
    except (VideoError, OSError):
        return []
    scale = min(1.0, _WIDEST / found[0].shape[1]) if found else 1.0
    gray = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in found]
    return [cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) for image in gray]
