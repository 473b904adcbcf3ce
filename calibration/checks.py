"""What must hold before and after a calibration; each refusal names camera, cause and remedy."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..datasets.arrays import Array
from .detection import BoardDetections
from .errors import CalibrationError

MIN_FRAMES = 3
MIN_SHARED = 3


def check_detections(detections: Mapping[str, BoardDetections]) -> None:
    """Every camera saw the board often enough, and no two cameras show the same images. Raises CalibrationError."""
    if not detections:
        raise CalibrationError("no camera was given; pass {camera name: video, folder or list of images}")
    for camera, found in detections.items():
        if found.n_frames < 2:
            raise CalibrationError(
                f"camera '{camera}': {found.source or 'the source'} holds {found.n_frames} frame; record the board in"
                " many positions (some 20 frames or more)"
            )
        if len(found.frames) < MIN_FRAMES:
            raise CalibrationError(_too_few(camera, found))
    _check_identical(detections)


def _too_few(camera: str, found: BoardDetections) -> str:
    n_markers = int(np.asarray(found.n_markers).sum())
    seen = f"the {found.board} was found in {len(found.frames)} of {found.n_frames} frames"
    if n_markers:
        return (
            f"camera '{camera}': {seen} although {n_markers} markers were recognised; check the number of squares,"
            " their sides' order and legacy=True/False, or show more of the board"
        )
    return (
        f"camera '{camera}': {seen}; check that the video shows the board, the board's squares and dictionary, and"
        " inverted=True for a print with black and white exchanged"
    )


def _check_identical(detections: Mapping[str, BoardDetections]) -> None:
    names = list(detections)
    for i, a in enumerate(names):
        for b in names[i + 1 :]:
            one, two = detections[a], detections[b]
            n = min(one.n_frames, two.n_frames)
            both = one.seen[:n] & two.seen[:n]
            if one.size != two.size or both.sum() < 0.5 * min(one.seen[:n].sum(), two.seen[:n].sum()):
                continue
            gaps = np.linalg.norm(one.corners[:n][both] - two.corners[:n][both], axis=-1)
            if len(gaps) and np.median(gaps) < 0.01:
                raise CalibrationError(
                    f"cameras '{a}' and '{b}' show the same images (corners agree within {np.median(gaps):.1g} px);"
                    f" one recording was given twice; give each camera its own ({one.source}, {two.source})"
                )


def shared_frames(corners: Array) -> NDArray[np.int64]:
    """(n_cameras, n_cameras) frames in which both cameras see the board, from (n_cameras, n_frames, n_corners, 2)."""
    seen = np.isfinite(corners[..., 0]).any(axis=-1).astype(np.int64)
    return np.dot(seen, seen.T)


def check_connected(names: tuple[str, ...], shared: NDArray[np.int64], reached: set[int]) -> None:
    """Refuse a rig that falls into groups which never share the board."""
    missing = [i for i in range(len(names)) if i not in reached]
    if not missing:
        return
    groups = _groups(shared >= MIN_SHARED)
    counts = "; ".join(
        f"{names[a]}-{names[b]} {shared[a, b]}" for a in range(len(names)) for b in range(a + 1, len(names))
    )
    parts = " | ".join(", ".join(names[i] for i in group) for group in groups)
    raise CalibrationError(
        f"the cameras fall into {len(groups)} groups that never see the board together (at least {MIN_SHARED}"
        f" frames are needed): {parts}. Frames shared by each pair: {counts}. Record the board where both groups see it"
    )


def _groups(linked: NDArray[np.bool_]) -> list[list[int]]:
    left, groups = list(range(len(linked))), []
    while left:
        group, todo = set(), [left[0]]
        while todo:
            node = todo.pop()
            if node not in group:
                group.add(node)
                todo += [int(k) for k in np.flatnonzero(linked[node])]
        groups.append(sorted(group))
        left = [node for node in left if node not in group]
    return groups
