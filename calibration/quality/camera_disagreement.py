"""Find out why cameras disagree about the board: a camera delayed by whole frames, or one that moved."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from ...cameras.rotations import rotation_vector
from ...numerics.arrays import Array
from ...numerics.change_point import best_split
from ..boards.board_set import BoardSet
from ..boards.patterns import Board
from ..delays.frame_offsets import offsets_of_poses
from ..errors import CalibrationError
from ..solver.initial_poses import (
    MIN_PAIR_VIEWS,
    PairFit,
    board_outline,
    chain,
    pair_fits,
    pose_disagreement,
    poses_of,
    relative_pose,
)
from ..solver.robust_solution import Problem, Solution, solve, start_frames
from ..solver.single_camera import Poses, camera_poses, errors_alone, frame_errors
from .larger_board import refuse_part_of_a_board

_DISAGREEING = 2.5  # times the error alone, from which the cause is looked for and a disagreement warned of
_SURE = 2.0  # ratio of disagreements from which a delay is certain: a shift by it must halve the disagreement
_OWN_NOISE = 0.15  # pixels added to a camera's error alone: below it a ratio of errors says nothing
_CLEARLY = 0.5  # of the error, and of the disagreement, that two poses of a camera leave at most: they halve it
_SPLITS = (0.25, 0.35, 0.5, 0.65, 0.75)  # shares of the recording tried; the jump itself is located afterwards
_HOPELESS = 15.0  # times the error alone: cameras that expose at other times by a part of a frame stay far below it
_LEAST_VIEWS = 6  # shared by a pair, so that a random pairing of them is not the true one by chance
_FAR = 0.02  # of the depth: disagreements of less are no other instant, but noise or a short delay
_BY_CHANCE = 0.5  # of the disagreement of frames paired at random, that frames of one instant stay below
_OTHER_FACE = np.array([[-1.0, 1, -1], [1, -1, -1]])  # of a plate turned over about its y or its x axis
_MIN_VIEWS = 10  # of the board shared by a pair, so that both of its parts determine a relative pose


def disagreement(solution: Solution, lenses: Array) -> tuple[Array, Array]:
    """(n_cameras,) how many times larger the views' errors are in the rig than alone, and the latter's median, pixels.

    In the rig the 85th percentile counts; alone a camera has its lens out of `lenses` (n_lenses, 18).
    """
    errors, alone = frame_errors(solution), errors_alone(solution, lenses)
    together = np.array([np.nanpercentile(row, 85) if np.isfinite(row).any() else 0.0 for row in errors])
    return together / (np.nan_to_num(alone, nan=np.inf) + _OWN_NOISE), alone


@dataclass(frozen=True)
class CameraMove:
    """A camera that moved between two frames: by how many degrees and world units."""

    camera: int
    frame: int
    degrees: float
    distance: float


def find_camera_move(poses: Poses, board: Board | BoardSet) -> CameraMove | None:
    """The camera whose pose relative to the others differs before and after some frame, from board poses alone."""
    outline, n = board_outline(board), len(poses)
    tried = ((a, b, _broken_pair(poses[a], poses[b], outline)) for a, b in combinations(range(n), 2))
    broken = [(a, b, *found) for a, b, found in tried if found is not None]
    if not broken:
        return None
    counts = np.bincount([c for a, b, *_ in broken for c in (a, b)], minlength=n)
    camera = int(np.argmax(counts))
    mine = [entry for entry in broken if camera in entry[:2]]
    _, _, frame, degrees, distance = min(mine, key=lambda entry: entry[2])
    return CameraMove(camera, frame, degrees, distance)


def _broken_pair(a, b, outline: Array) -> tuple[int, float, float] | None:
    """(frame, degrees, distance) at which two relative poses explain the views of a pair much better than one does."""
    both = np.flatnonzero(np.isfinite(a[1][:, 0, 0]) & np.isfinite(b[1][:, 0, 0]))
    whole = relative_pose(a, b, outline)
    if whole is None or len(both) < _MIN_VIEWS:
        return None
    best, least = None, _CLEARLY * np.percentile(_view_errors(whole, a, b, both, outline), 80)
    for part in _SPLITS:
        at = int(part * len(both))
        if min(at, len(both) - at) < MIN_PAIR_VIEWS:
            continue
        first, second = (relative_pose(_only(a, part), _only(b, part), outline) for part in (both[:at], both[at:]))
        if first is None or second is None:
            continue
        before, after = (_view_errors(fit, a, b, both, outline) for fit in (first, second))
        error = np.percentile(np.concatenate([before[:at], after[at:]]), 80)
        if error <= least:
            best, least = (first, second, np.log((before + 1e-6) / (after + 1e-6))), error
    if best is None:
        return None
    first, second, ratio = best
    turn = np.degrees(np.linalg.norm(rotation_vector(first.R.T @ second.R)))
    return int(both[best_split(ratio)[0]]), float(turn), float(np.linalg.norm(first.t - second.t))


def _only(poses, frames):
    """The poses of these frames, the others missing."""
    R, t = (np.full_like(part, np.nan) for part in poses)
    R[frames], t[frames] = poses[0][frames], poses[1][frames]
    return R, t


def _view_errors(fit: PairFit, a, b, frames, outline: Array) -> Array:
    """(n_frames,) disagreement of each shared view with a relative pose, in units of depth."""
    a, b = (a[0][frames], a[1][frames]), (b[0][frames], b[1][frames])
    return pose_disagreement(fit.R[None], fit.t[None], a, b, outline)[0].min(axis=(1, 2))


def split_camera(solution: Solution, move: CameraMove) -> Solution:
    """The rig solved again with the camera taken for two of one lens, one before and one after it moved."""
    problem, c, state = solution.problem, move.camera, solution.state
    corners = np.concatenate([problem.corners, problem.corners[c : c + 1]])
    corners[c, move.frame :], corners[-1, : move.frame] = np.nan, np.nan
    again = replace(
        problem,
        names=(*problem.names, f"{problem.names[c]} after frame {move.frame}"),
        sizes=(*problem.sizes, problem.sizes[c]),
        corners=corners,
        lens_of=np.append(problem.lens_of, problem.lens_of[c]),
        flipped=np.append(problem.flipped, problem.flipped[c]),
        delay=None if problem.delay is None else np.concatenate([problem.delay, problem.delay[c : c + 1]]),
    )
    poses = camera_poses(solution, state.lens)
    split = [*poses, _only(poses[c], np.arange(move.frame, len(poses[c][0])))]
    split[c] = _only(poses[c], np.arange(move.frame))
    R, t = poses_of(chain(pair_fits(split, problem.board), len(split), 0), len(split))
    start = start_frames(again, state.lens, solution.kinds, R, t, split)
    return solve(again, replace(start, delay=np.append(state.delay, state.delay[c])))


def refuse_disagreement(solution: Solution, lenses: Array) -> None:
    """Find out why cameras disagree, where they do.

    `lenses` (n_lenses, 18): each camera's own lens; a rig that does not fit together bends the lenses to fit.

    Raises
    ------
    CalibrationError : cameras see two faces of a plate, a camera is delayed or ahead by whole frames, or moved during
        the recording
    """
    if solution.problem.n_cameras < 2:
        return
    ratio, names = disagreement(solution, lenses)[0], solution.problem.names
    if not (ratio > _DISAGREEING).any():
        return
    poses = camera_poses(solution, lenses)
    _refuse_two_faces(solution.problem, poses)
    _refuse_delays(solution.problem, poses)
    move = find_camera_move(poses, solution.problem.board)
    if move is not None and _explains(solution, move, ratio):
        when = solution.problem.timeline.describe(move.frame)
        raise CalibrationError(
            f"camera '{names[move.camera]}' moved during the recording, near {when} (by about"
            f" {move.degrees:.1f} degrees and {move.distance:.3g} world units); calibrate the parts before and after"
            " separately, or record again with the camera fixed"
        )
    refuse_part_of_a_board(solution.problem, poses)
    _refuse_other_instants(solution.problem, poses)


def _refuse_two_faces(problem: Problem, poses: Poses) -> None:
    """Refuse a plate with the pattern on both sides, of which two cameras see different ones in some of their views."""
    if isinstance(problem.board, BoardSet):
        return
    outline, found = board_outline(problem.board), []
    for a, b in combinations(range(problem.n_cameras), 2):
        plain = relative_pose(poses[a], poses[b], outline)
        if plain is None or plain.n_shared < _LEAST_VIEWS or plain.error < _FAR:
            continue
        for turn in _OTHER_FACE:
            other = relative_pose(poses[a], _either_face(poses[b], turn, problem.points.mean(axis=0)), outline)
            if other is not None and other.error < min(_FAR, _CLEARLY * plain.error):
                found.append((other.error, a, b))
    if found:
        _, a, b = min(found)
        raise CalibrationError(
            f"cameras '{problem.names[a]}' and '{problem.names[b]}' see two faces of one plate: the same pattern seems"
            " to be printed on both sides, so that its corners are not the same points to all cameras. Cover one side"
            " and record again, in recordings of cameras that see the printed side together"
        )


def _either_face(poses, turn: Array, centre: Array):
    """Each view's candidates, and those of the other face, which `turn` (3,) about the board's middle makes of them."""
    R, t = poses
    return np.concatenate([R, R * turn], axis=1), np.concatenate([t, t + R @ (centre - turn * centre)], axis=1)


def _refuse_other_instants(problem: Problem, poses: Poses) -> None:
    """Refuse recordings in which frames of one number agree no better than frames paired at random."""
    outline, unrelated = board_outline(problem.board), []
    for number, part in enumerate(problem.timeline.parts):
        for a, b in combinations(range(problem.n_cameras), 2):
            ours = [tuple(array[part] for array in poses[c]) for c in (a, b)]
            both = np.flatnonzero(np.isfinite(ours[0][1][:, 0, 0]) & np.isfinite(ours[1][1][:, 0, 0]))
            if len(both) < _LEAST_VIEWS:
                continue
            one, two = ((R[both], t[both]) for R, t in ours)
            shuffled = np.roll(two[0], len(both) // 2, axis=0), np.roll(two[1], len(both) // 2, axis=0)
            error, chance = (relative_pose(one, other, outline) for other in (two, shuffled))
            if error is not None and chance is not None and error.error > max(_FAR, _BY_CHANCE * chance.error):
                unrelated.append((error.error, number, a, b, len(both)))
    if unrelated:
        _, number, a, b, n_shared = max(unrelated)
        names = problem.timeline.names
        raise CalibrationError(
            f"{f'recording {names[number]!r}: ' if names else ''}the pictures of cameras '{problem.names[a]}' and"
            f" '{problem.names[b]}' with the same number are plainly not of one instant: no placement of the two"
            f" explains the {n_shared} frames in which both see the board, they agree no better than frames paired at"
            " random. Pair the pictures of one instant by their position, or, if they were taken for the lenses alone,"
            " use calibrate_intrinsics (or give each camera's pictures as a recording of its own)"
        )


def _refuse_delays(problem: Problem, poses: Poses) -> None:
    """Refuse where some cameras' frames match the others' much better a whole number of frames apart."""
    recording_of = problem.timeline.recording_of
    found = offsets_of_poses(problem.names, poses, board_outline(problem.board), recording_of)
    delays = {n: int(k) for n, k, g in zip(found.names, found.offsets, found.gain, strict=True) if k and g > _SURE}
    if delays:
        raise CalibrationError(
            f"{'; '.join(found.sentences(_SURE))} (found from the board's motion). Pass offsets={delays} or cut the"
            " recordings to match"
        )


def disagreement_warning(solution: Solution) -> tuple[str, ...]:
    """A sentence where the cameras disagree for no known reason."""
    if solution.problem.n_cameras < 2:
        return ()
    (ratio, alone), names = disagreement(solution, solution.state.lens), solution.problem.names
    worst = int(np.argmax(ratio))
    if not ratio[worst] > _DISAGREEING:
        return ()
    return (
        f"camera '{names[worst]}' fits the board better alone ({alone[worst]:.2g} px) than together with the others"
        f" ({ratio[worst]:.1f} times that): probably the cameras do not expose together (synchronise them, or give or"
        " correct the time of each picture: board_timestamps in a session), or single frames were lost",
    )


def refuse_unexplained(solution: Solution) -> None:
    """Refuse a rig in which a camera's views fit the others' a great deal worse than alone, for no known reason.

    Raises
    ------
    CalibrationError : neither delays nor motion explain it: frames were lost, or corners are not those of the board
    """
    if solution.problem.n_cameras < 2:
        return
    (ratio, alone), names = disagreement(solution, solution.state.lens), solution.problem.names
    worst = int(np.argmax(ratio))
    if ratio[worst] > _HOPELESS:
        raise CalibrationError(
            f"camera '{names[worst]}' fits the board within {alone[worst]:.2g} px alone, but {ratio[worst]:.0f} times"
            " worse together with the others in a good share of its frames, and neither a delay nor a motion of the"
            f" camera explains that; check that the {solution.problem.board} is the whole board (a part of a larger one"
            " is found in varying places), that pictures of one position are of one instant, and that no frames were"
            " lost"
        )


def _explains(solution: Solution, move: CameraMove, ratio: Array) -> bool:
    """Whether two poses of the camera make the cameras agree."""
    split = split_camera(solution, move)
    return bool(disagreement(split, split.state.lens)[0].max() < _CLEARLY * ratio.max())
