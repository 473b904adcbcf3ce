"""Find the corners of a board in all frames of a source, or take them from the cache."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ...datasets.names import named_options
from ...numerics.arrays import Array, freeze
from ...numerics.threads import over_items
from ..errors import CalibrationError
from .corner_finders import MIN_CORNERS, Finder, Sight, make_finder
from .detection_cache import Cache, load_detections, save_detections
from .image_sources import Image, Source, count_frames, gray_frames, image_files
from .patterns import Board, Checkerboard
from .wrong_board import other_board, shows_something

_ASKED = (20, 200)  # pictures without a corner, from the first one, after which they are searched for another board


@dataclass(frozen=True, eq=False)
class BoardDetections:
    """The board's corners as one camera saw them.

    Parameters
    ----------
    board : CharucoBoard, Checkerboard or MarkerBoard
        What was searched for.
    size : (int, int), pixels
        Width and height of the images.
    corners : ndarray, shape (n_frames, n_corners, 2), pixels
        NaN where a corner was not seen.
    mirrored : ndarray of bool, shape (n_frames,), optional
        Whether the frame shows the pattern's mirror image. None: nowhere.
    n_markers : ndarray of int, shape (n_frames,), optional
        ArUco markers recognised, for diagnosis. None: unknown.
    source : str
        Where the images came from, for messages.
    frame_names : tuple of str
        File names of the images; empty for a video.

    Attributes
    ----------
    seen : ndarray of bool, shape (n_frames, n_corners)
        Whether a corner was seen; frames with fewer than 4 corners count as unseen.
    frames : ndarray of int, shape (n,)
        Numbers of the frames with at least 4 corners.

    Raises
    ------
    ValueError
        Shapes do not fit the board.

    Examples
    --------
    >>> from muybridge.calibration import simulate_detections
    >>> left = simulate_detections()["left"]
    >>> left.corners.shape, left.n_frames
    ((12, 30, 2), 12)
    >>> left.frames[:3]
    array([0, 1, 2])
    """

    board: Board
    size: tuple[int, int]
    corners: Array
    mirrored: NDArray[np.bool_] | None = None
    n_markers: NDArray[np.int64] | None = None
    source: str = ""
    frame_names: tuple[str, ...] = field(default=())

    def __post_init__(self):
        corners = np.array(self.corners, dtype=float)
        if corners.ndim != 3 or corners.shape[1:] != (len(self.board.points), 2):
            raise ValueError(
                f"corners have shape {corners.shape}; the {self.board} needs (n_frames, {len(self.board.points)}, 2)"
            )
        corners[~np.isfinite(corners).all(axis=-1)] = np.nan
        n_frames = len(corners)
        mirrored = np.zeros(n_frames, bool) if self.mirrored is None else np.array(self.mirrored, bool)
        n_markers = np.zeros(n_frames, int) if self.n_markers is None else np.array(self.n_markers, int)
        if len(mirrored) != n_frames or len(n_markers) != n_frames:
            raise ValueError(f"mirrored and n_markers need one entry for each of the {n_frames} frames")
        object.__setattr__(self, "size", (int(self.size[0]), int(self.size[1])))
        for name, values in (("corners", corners), ("mirrored", mirrored), ("n_markers", n_markers)):
            freeze(self, name, values)

    @property
    def n_frames(self) -> int:
        """Number of frames, also of those without the board."""
        return len(self.corners)

    def __len__(self) -> int:
        return self.n_frames

    @cached_property
    def seen(self) -> NDArray[np.bool_]:
        """(n_frames, n_corners) whether a corner was seen; frames with fewer than 4 corners count as unseen."""
        seen = np.isfinite(self.corners[..., 0])
        return seen & (seen.sum(axis=1, keepdims=True) >= MIN_CORNERS)

    @cached_property
    def frames(self) -> NDArray[np.int64]:
        """Numbers of the frames with at least 4 corners."""
        return np.flatnonzero(self.seen.any(axis=1))


@named_options()
def detect_board(
    source: Source,
    board: Board,
    *,
    camera: str = "camera",
    frame_step: int = 1,
    cache: Cache = None,
    progress: bool = True,
) -> BoardDetections:
    """Find the board in every frame of a source.

    Parameters
    ----------
    source : str, path, or list of images
        A video, a folder of images, or a list of images (paths or 8-bit arrays).
    board : CharucoBoard, Checkerboard or MarkerBoard
        What was recorded.
    camera : str
        The name that messages use.
    frame_step : int
        Search every n-th frame; the others count as frames without the board (videos are read in sequence).
    cache : str or path, optional
        Folder in which the result is kept under the hash of the source's content and of the settings; one that cannot
        be written to keeps none. None: it is not kept.
    progress : bool
        Show a progress bar.

    Returns
    -------
    BoardDetections
        Corners of all frames, NaN where unseen.

    Raises
    ------
    CalibrationError
        The source is missing, empty or unreadable, its images differ in size, or `cache` is no folder.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.calibration import Checkerboard, detect_board
    >>> squares = np.indices((7, 8)).sum(axis=0) % 2
    >>> image = np.pad(np.kron(squares, np.ones((30, 30))), 30, constant_values=1)
    >>> found = detect_board([(255 * image).astype(np.uint8)], Checkerboard(7, 6, 25.0), progress=False)
    >>> found.corners[0, 0].round()
    array([60., 60.])
    """
    return detect_boards({camera: source}, board, frame_step=frame_step, cache=cache, progress=progress)[camera]


def detect_boards(
    sources: Mapping[str, Source], board: Board, *, frame_step: int = 1, cache: Cache = None, progress: bool = True
) -> dict[str, BoardDetections]:
    """`detect_board` for several cameras at once, {camera: source}, in parallel. Raises as it does."""
    if frame_step < 1:
        raise CalibrationError(f"frame_step={frame_step}: give 1 to search every frame, n to search every n-th")
    if cache is not None and not isinstance(cache, (str, os.PathLike)):
        raise CalibrationError(f"cache={cache!r}: give a folder to keep detections in, or None to keep none")
    totals = [count_frames(source, camera) for camera, source in sources.items()]
    known = sum(n for n in totals if n is not None) if all(n is not None for n in totals) else None
    with tqdm(total=known, desc="board detection", unit="frame", disable=not progress) as bar:

        def detect(camera: str) -> BoardDetections:
            return _detect(sources[camera], board, camera, frame_step, cache, bar)

        return dict(zip(sources, over_items(detect, sources), strict=True))


def _detect(source: Source, board: Board, camera: str, frame_step: int, cache: Cache, bar: tqdm) -> BoardDetections:
    """Detections of one camera, from the cache or the images."""
    arrays = load_detections(source, board, frame_step, cache)
    if arrays is not None:
        bar.update(len(arrays["corners"]))
    else:
        arrays = _search(source, board, camera, frame_step, bar)
        save_detections(source, board, frame_step, arrays, cache)
    files = image_files(source, camera)
    names = () if files is None else tuple(file.name for file in files)
    return BoardDetections(board, source=_describe(source), frame_names=names, **arrays)


def _search(source: Source, board: Board, camera: str, frame_step: int, bar: tqdm) -> dict:
    """The arrays of `BoardDetections` from the images of a source."""
    finder, sights, sizes, mirrored, empty = make_finder(board), [], [], False, _EmptyPictures(board, camera)
    found = False
    for number, image in enumerate(gray_frames(source, camera)):
        sizes.append(image.shape[::-1])
        if sizes[-1] != sizes[0]:
            size, first = ("x".join(map(str, pair)) for pair in (sizes[-1], sizes[0]))
            raise CalibrationError(
                f"camera '{camera}': image {number} of {_describe(source)} is {size} px, the first {first} px;"
                " give images of one camera and one resolution"
            )
        if number % frame_step == 0:
            sights.append(_look(finder, image, mirrored, isinstance(board, Checkerboard)))
            if np.isfinite(sights[-1].corners).any():
                mirrored, found = sights[-1].mirrored, True
            elif not found:
                empty.add(image)
        else:
            sights.append(Sight(np.full((len(board.points), 2), np.nan), 0, False))
        bar.update(1)
    return {
        "size": sizes[0],
        "corners": np.stack([sight.corners for sight in sights]),
        "mirrored": np.array([sight.mirrored for sight in sights]),
        "n_markers": np.array([sight.n_markers for sight in sights]),
    }


class _EmptyPictures:
    """The first pictures of a source that show no corner: from some of them another board is recognised early."""

    def __init__(self, board: Board, camera: str):
        self._board, self._camera, self._n, self._kept = board, camera, 0, []

    def add(self, image: Image) -> None:
        """Take a picture without a corner; raises CalibrationError where the pictures so far show another board."""
        if self._n >= _ASKED[-1] or not shows_something(image):
            return
        self._n += 1
        if self._n <= _ASKED[0] or self._n % 10 == 0:
            self._kept.append(image)
        if self._n not in _ASKED:
            return
        hint = other_board(self._kept[-_ASKED[0] :], self._board)
        if hint:
            raise CalibrationError(
                f"camera '{self._camera}': the {self._board} was found in none of the first {self._n} pictures{hint};"
                " correct the board and run again"
            )


def _look(finder: Finder, image: Image, mirrored: bool, symmetric: bool) -> Sight:
    """The board as it was last seen, plain or mirrored, and the other way where nothing is found that way."""
    sight = finder(image, mirrored)
    if symmetric or np.isfinite(sight.corners).any():
        return sight
    other = finder(image, not mirrored)
    return other if np.isfinite(other.corners).any() else sight


def _describe(source: Source) -> str:
    """The source as messages name it."""
    return str(source) if isinstance(source, (str, os.PathLike)) else f"list of {len(source)} images"
