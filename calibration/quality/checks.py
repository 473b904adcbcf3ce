"""Check detections before and solutions after a calibration; each refusal names camera, cause and remedy."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ...cameras.rig_files import orthographic_sentence
from ...numerics.arrays import Array
from ...numerics.clustering import connected_groups
from ..boards.detection import BoardDetections
from ..boards.patterns import Checkerboard
from ..boards.recordings import Timeline, unequal_lengths
from ..boards.wrong_board import board_hint, larger_checkerboard
from ..errors import CalibrationError
from ..solver.covariance import focal_deviation
from ..solver.robust_solution import Solution

MIN_VIEWS = 5  # of the board by each camera: a focal length needs three at least, the others check it
MIN_SHARED_VIEWS = 3  # views of the board that two cameras share: the median of them outvotes one bad one
MIN_TILT = 15.0  # degrees by which the board's tilt varies: from parallel boards no focal length follows
_MAX_FOCAL_STD = 0.05  # of the focal length: beyond it depths are off by as much
_MIN_COVERAGE = 15.0  # percent of the image's cells: with less, most of it is extrapolated
_GRID = 10  # cells along each side of the image: each that holds a corner is 1 % of coverage
_MAX_REJECTED = 0.01  # of a camera's corners, gross outliers: beyond it a warning names the images


def check_detections(detections: Mapping[str, BoardDetections], sources: Mapping | None = None) -> None:
    """Every camera saw the board often enough, and no two cameras show the same images. Raises CalibrationError."""
    if not detections:
        raise CalibrationError("no camera was given; pass {camera name: video, folder or list of images}")
    for camera, found in detections.items():
        if found.n_frames < 2:
            raise CalibrationError(
                f"camera '{camera}': {found.source or 'the source'} holds {found.n_frames} frame; record the board in"
                " many positions (some 20 frames or more)"
            )
        if len(found.frames) < MIN_VIEWS:
            source, hint = (sources or {}).get(camera), ""
            if source is not None and not isinstance(source, BoardDetections):
                hint = board_hint(source, found.board, camera)
            raise CalibrationError(_too_few(camera, found, hint))
    _check_identical(detections)


def check_recordings(found: Mapping[str, Mapping[str, BoardDetections]], sources: Mapping[str, Mapping]) -> None:
    """Each of several recordings shows its board, and none was given for two cameras. Raises CalibrationError."""
    if len(found) < 2:
        return
    for name, recording in found.items():
        if not any(len(part.frames) for part in recording.values()):
            camera, part = next(iter(recording.items()))
            source = sources[name][camera]
            hint = "" if isinstance(source, BoardDetections) else board_hint(source, part.board, camera)
            raise CalibrationError(f"recording '{name}': {_too_few(camera, part, hint)}")
        try:
            _check_identical(recording)
        except CalibrationError as error:
            raise CalibrationError(f"recording '{name}': {error}") from error


def sources_seen_least(recordings: Mapping[str, Mapping], found) -> dict:
    """{camera: source} of the recording in which the camera saw the board least."""
    cameras = dict.fromkeys(camera for recording in found.values() for camera in recording)
    return {
        camera: min(
            (len(part[camera].frames), number, recordings[name])
            for number, (name, part) in enumerate(found.items())
            if camera in part
        )[2][camera]
        for camera in cameras
    }


def what_else_is_wrong(recordings: Mapping[str, Mapping], found: Mapping[str, Mapping[str, BoardDetections]]) -> str:
    """What may lie behind a refusal: another checkerboard in the pictures, cameras with different numbers of frames."""
    causes = [f". {sentence[0].upper()}{sentence[1:]}" for sentence in unequal_lengths(found)]
    for name, recording in recordings.items():
        camera, source = next(iter(recording.items()))
        board = found[name][camera].board
        if isinstance(board, Checkerboard) and not isinstance(source, BoardDetections):
            causes.append(board_hint(source, board, camera))
    return "".join(dict.fromkeys(causes))


def parts_of_boards(recordings: Mapping[str, Mapping], found: Mapping[str, Mapping[str, BoardDetections]]) -> list[str]:
    """A sentence for each checkerboard of which the pictures of its first camera show more than was stated."""
    sentences: dict[str, str] = {}
    for name, recording in recordings.items():
        camera, source = next(iter(recording.items()))
        part = found[name][camera]
        if str(part.board) not in sentences and not isinstance(source, BoardDetections):
            sentences[str(part.board)] = larger_checkerboard(source, part.board, part.frames, camera)
    return [sentence for sentence in sentences.values() if sentence]


def _too_few(camera: str, found: BoardDetections, hint: str) -> str:
    """The message that a camera saw the board too rarely, with the most likely cause."""
    n_markers, n_frames = int(np.asarray(found.n_markers).sum()), len(found.frames)
    seen = f"camera '{camera}': the {found.board} was found in {n_frames} of {found.n_frames} frames"
    if hint:
        return seen + hint
    if n_frames:
        return f"{seen}; at least {MIN_VIEWS} are needed, some 20 in different places and tilts are good: record more"
    if n_markers:
        return (
            f"{seen} although {n_markers} markers were recognised; check the number of squares, their sides' order and"
            " legacy=True/False, or show more of the board"
        )
    return (
        f"{seen}; check that the video shows the board, the board's squares and dictionary, and inverted=True for a"
        " print with black and white exchanged"
    )


def _check_identical(detections: Mapping[str, BoardDetections]) -> None:
    """Raise CalibrationError where two cameras have the same corners: one video was given twice."""
    for (a, one), (b, two) in combinations(detections.items(), 2):
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


def check_connected(
    names: tuple[str, ...], shared: NDArray[np.int64], reached: set[int], timeline: Timeline | None = None
) -> None:
    """Refuse a rig that falls into groups which never share the board, in any of its recordings."""
    missing = [i for i in range(len(names)) if i not in reached]
    if not missing:
        return
    groups = connected_groups(shared >= MIN_SHARED_VIEWS)
    several = timeline is not None and len(timeline.names) > 1
    pairs = [(a, b) for a, b in combinations(range(len(names)), 2) if shared[a, b] or not several]
    counts = "; ".join(f"{names[a]}-{names[b]} {shared[a, b]}" for a, b in pairs) or "none"
    parts = " | ".join(", ".join(names[i] for i in group) for group in groups)
    where = f", in none of the {len(timeline.names)} recordings" if several and timeline is not None else ""
    raise CalibrationError(
        f"the cameras fall into {len(groups)} groups that never see the board together{where} (at least"
        f" {MIN_SHARED_VIEWS} frames are needed): {parts}. Frames shared by each pair: {counts}. Record the board where"
        " both groups see it"
    )


def tilt_spread(solution: Solution) -> Array:
    """(n_cameras,) largest angle between the board's normals as each camera sees them, degrees."""
    state, views = solution.state, solution.views
    normals = np.einsum("vij,vj->vi", state.R[views.camera], state.frame_R[views.frame][:, :, 2])
    spread = np.zeros(solution.problem.n_cameras)
    for c in range(len(spread)):
        own = normals[views.camera == c]
        if len(own) > 1:
            spread[c] = np.degrees(np.arccos(np.clip((own @ own.T).min(), -1, 1)))
    return spread


def check_motion(solution: Solution) -> None:
    """Refuse a lens that the board's views do not determine: too little tilt, or an uncertain focal length."""
    problem, spread = solution.problem, tilt_spread(solution)
    deviation = focal_deviation(solution, independent=True)
    for lens in np.flatnonzero(~problem.fixed):
        members = np.flatnonzero(problem.lens_of == lens)
        tilt, name = float(spread[members].max()), problem.names[members[0]]
        if tilt < MIN_TILT:
            raise CalibrationError(
                f"camera '{name}': the focal length is undetermined: the board's tilt varies by {tilt:.1f} degrees over"
                f" its frames, {MIN_TILT - tilt:.1f} degrees less than needed; tilt the board towards and away from the"
                " camera while recording, or give the camera's intrinsics"
            )
        if deviation[lens] > _MAX_FOCAL_STD:
            flat = _orthographic(solution, int(lens))
            raise CalibrationError(
                f"camera '{name}': the focal length is known only within {100 * deviation[lens]:.2g} % (one standard"
                " deviation); record the board nearer, in more tilts and all over the image, or give the intrinsics"
                + (flat and f". By these views {flat}")
            )


def _orthographic(solution: Solution, lens: int) -> str:
    """What it costs that a lens is close to orthographic; nothing where it is not."""
    problem, at = solution.problem, int(lens)
    name = problem.names[int(np.flatnonzero(problem.lens_of == at)[0])]
    return orthographic_sentence(name, problem.lens_size(at), float(solution.state.lens[at, 0]))


def coverage(solution: Solution, c: int) -> float:
    """`covered_percent` of a camera's kept corners."""
    return covered_percent(seen_corners(solution, c), solution.problem.sizes[c])


def covered_percent(points: Array, size: tuple[int, int]) -> float:
    """Percent of the image's cells (10 x 10) that hold a point (n, 2)."""
    cells = np.clip(np.floor(points / np.array(size) * _GRID).astype(int), 0, _GRID - 1)
    return 100 * len(np.unique(cells, axis=0)) / _GRID**2


def seen_corners(solution: Solution, c: int) -> Array:
    """(n, 2) the kept corners of a camera."""
    return solution.views.pixels[(solution.camera_of == c) & solution.keep]


def check_quality(solution: Solution) -> tuple[str, ...]:
    """Warnings about a rig that is usable but not as good as it could be."""
    warnings, problem = [], solution.problem
    camera_of = solution.camera_of
    for c, name in enumerate(problem.names):
        mine = camera_of == c
        rejected = float(np.mean(~solution.keep[mine])) if mine.any() else 0.0
        if rejected > _MAX_REJECTED:
            warnings.append(
                f"camera '{name}': {100 * rejected:.1f} % of its corners were rejected as gross outliers; inspect its"
                " detections (reflections, a hand over the board, compression)"
            )
        covered = coverage(solution, c)
        if covered < _MIN_COVERAGE:
            warnings.append(
                f"camera '{name}': the corners cover {covered:.0f} % of its image; elsewhere its lens is a guess;"
                " show the board nearer, and at the image's sides and corners"
            )
    warnings += filter(None, (_orthographic(solution, lens) for lens in range(len(solution.kinds))))
    if not solution.fit.converged:
        warnings.append("the bundle adjustment stopped before it converged; more or better spread frames would help")
    return tuple(warnings)
