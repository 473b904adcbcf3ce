"""Why cameras disagree: a camera late by whole frames, a camera that moved, a lens that does not fit."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..datasets.arrays import Array
from .boards import Board
from .errors import CalibrationError
from .initial import PairFit, board_outline, chained_poses, lens_camera, plane_poses, relative_pose
from .rotations import rotation_vector
from .solve import Solution, solve, start_frames

MAX_SHIFT = 5
_CLEARLY = 0.5
_SPLITS = (0.25, 0.35, 0.5, 0.65, 0.75)
Poses = list[tuple[Array, Array]]


def camera_poses(solution: Solution) -> tuple[Poses, Array]:
    """Each camera's own board poses (both candidates), and its median error alone (n_cameras,), pixels."""
    problem, poses, alone = solution.problem, [], []
    for c in range(problem.n_cameras):
        lens = problem.lens_of[c]
        camera = lens_camera(solution.state.lens[lens], problem.sizes[c], fisheye=solution.kinds[lens] == "fisheye")
        R, t, error = plane_poses(problem.corners[c], solution.state.points * [1, 1, 0], camera)
        poses.append((R, t))
        alone.append(float(np.nanmedian(error[:, 0])) if np.isfinite(error[:, 0]).any() else np.nan)
    return poses, np.array(alone)


def frame_errors(solution: Solution) -> Array:
    """(n_cameras, n_poses) median distance of each view, pixels, NaN where there is none."""
    table = np.full((solution.problem.n_cameras, len(solution.frames)), np.nan)
    for view, (start, end) in enumerate(zip(solution.views.starts[:-1], solution.views.starts[1:], strict=True)):
        distances = np.where(np.isfinite(solution.distances[start:end]), solution.distances[start:end], 1e3)
        table[solution.views.camera[view], solution.views.frame[view]] = np.median(distances)
    return table


def disagreement(solution: Solution, alone: Array) -> Array:
    """(n_cameras,) how many times larger the views' errors are in the rig than alone (85th percentile)."""
    errors = frame_errors(solution)
    together = np.array([np.nanpercentile(row, 85) if np.isfinite(row).any() else 0.0 for row in errors])
    return together / (np.nan_to_num(alone, nan=np.inf) + 0.15)


@dataclass(frozen=True)
class FrameOffset:
    """A camera whose frames come late (positive) or early; the disagreement before and after (of depth)."""

    camera: int
    frames: int
    error_before: float
    error_after: float


def shifted(poses: tuple[Array, Array], shift: int) -> tuple[Array, Array]:
    """The poses as if the recording began `shift` frames later; NaN where there is none."""
    R, t = (np.full_like(part, np.nan) for part in poses)
    n = len(R)
    here, there = slice(max(0, -shift), n - max(0, shift)), slice(max(0, shift), n - max(0, -shift))
    R[here], t[here] = poses[0][there], poses[1][there]
    return R, t


def find_frame_offsets(poses: Poses, board: Board, max_shift: int = MAX_SHIFT) -> list[FrameOffset]:
    """Cameras that run a constant number of frames late or early, from board poses alone.

    Each pair of cameras is tried at all shifts: at the right one the relative pose is the same in every frame. The
    cameras' offsets follow from the pairs that are clear; most cameras are taken to be right.
    """
    outline, clear = board_outline(board), []
    for a in range(len(poses)):
        for b in range(a + 1, len(poses)):
            fits = {s: relative_pose(poses[a], shifted(poses[b], s), outline) for s in range(-max_shift, max_shift + 1)}
            best, still, after = _best_shift(fits)
            if best is not None:
                clear.append((a, b, best, still, after))
    if not clear:
        return []
    offsets = _consistent(clear, len(poses))
    return [
        FrameOffset(int(c), int(offsets[c]), *(float(np.median([p[i] for p in clear if c in p[:2]])) for i in (3, 4)))
        for c in np.flatnonzero(offsets)
    ]


def _best_shift(fits: dict[int, PairFit | None]) -> tuple[int | None, float, float]:
    still = fits[0]
    usable = {s: fit for s, fit in fits.items() if fit is not None and fit.n_shared >= 5}
    if still is None or not usable:
        return None, np.nan, np.nan
    best = min(usable, key=lambda s: (usable[s].error, abs(s)))
    if best != 0 and usable[best].error > _CLEARLY * still.error:
        return None, np.nan, np.nan
    return best, still.error, usable[best].error


def _consistent(clear: list[tuple], n: int) -> NDArray[np.int64]:
    """(n,) offsets that explain most pairs, zero for most cameras: the best of the walks from each camera."""
    best, best_score = np.zeros(n, dtype=np.int64), (-1, -1)
    for root in range(n):
        offset, todo = {root: 0}, [root]
        while todo:
            at = todo.pop(0)
            for a, b, shift, *_ in clear:
                for known, new, step in ((a, b, shift), (b, a, -shift)):
                    if known == at and new not in offset:
                        offset[new] = offset[at] + step
                        todo.append(new)
        values = np.array([offset.get(c, 0) for c in range(n)])
        agree = sum(values[b] - values[a] == shift for a, b, shift, *_ in clear)
        score = (agree, int((values == 0).sum()))
        if score > best_score:
            best, best_score = values, score
    return best


@dataclass(frozen=True)
class CameraMove:
    """A camera that moved between two frames: by how many degrees and world units."""

    camera: int
    frame: int
    degrees: float
    distance: float


def find_camera_move(poses: Poses, board: Board) -> CameraMove | None:
    """The camera whose pose relative to the others differs before and after some frame, from board poses alone."""
    outline, n = board_outline(board), len(poses)
    broken = []
    for a in range(n):
        for b in range(a + 1, n):
            found = _broken_pair(poses[a], poses[b], outline)
            if found is not None:
                broken.append((a, b, *found))
    if not broken:
        return None
    counts = np.bincount([c for a, b, *_ in broken for c in (a, b)], minlength=n)
    camera = int(np.argmax(counts))
    mine = [entry for entry in broken if camera in entry[:2]]
    _, _, frame, degrees, distance = min(mine, key=lambda entry: entry[2])
    return CameraMove(camera, frame, degrees, distance)


def _broken_pair(a, b, outline: Array) -> tuple[int, float, float] | None:
    both = np.flatnonzero(np.isfinite(a[1][:, 0, 0]) & np.isfinite(b[1][:, 0, 0]))
    whole = relative_pose(a, b, outline)
    if whole is None or len(both) < 10:
        return None
    worst = _frames_error(whole, a, b, both, outline)
    best = None
    for part in _SPLITS:
        at = int(part * len(both))
        if min(at, len(both) - at) < 4:
            continue
        first, second = (relative_pose(_only(a, part), _only(b, part), outline) for part in (both[:at], both[at:]))
        if first is None or second is None:
            continue
        errors = [_frames_error(first, a, b, both[:at], outline), _frames_error(second, a, b, both[at:], outline)]
        error = np.concatenate(errors)
        if best is None or np.percentile(error, 80) < best[0]:
            turn = np.degrees(np.linalg.norm(rotation_vector(first.R.T @ second.R)))
            step = float(np.linalg.norm(first.t - second.t))
            best = (float(np.percentile(error, 80)), int(both[at]), float(turn), step)
    if best is None or best[0] > _CLEARLY * np.percentile(worst, 80):
        return None
    return best[1:]


def _only(poses, frames):
    R, t = (np.full_like(part, np.nan) for part in poses)
    R[frames], t[frames] = poses[0][frames], poses[1][frames]
    return R, t


def _frames_error(fit: PairFit, a, b, frames, outline: Array) -> Array:
    """(n_frames,) disagreement of each frame with a relative pose, in units of depth."""
    X_a = np.einsum("fkij,pj->fkpi", a[0][frames], outline) + a[1][frames][:, :, None]
    X_b = np.einsum("fkij,pj->fkpi", b[0][frames], outline) + b[1][frames][:, :, None]
    gap = np.linalg.norm(X_a[:, :, None] - (X_b @ fit.R.T + fit.t)[:, None], axis=-1).mean(axis=-1)
    depth = np.abs(X_a[:, 0, :, 2]).mean(axis=-1)
    return np.where(np.isfinite(gap), gap, np.inf).min(axis=(1, 2)) / depth


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
        late=None if problem.late is None else np.concatenate([problem.late, problem.late[c : c + 1]]),
    )
    poses, _ = camera_poses(solution)
    split = [*poses, _only(poses[c], np.arange(move.frame, len(poses[c][0])))]
    split[c] = _only(poses[c], np.arange(move.frame))
    R, t = chained_poses(split, problem.board)
    start = start_frames(again, state.lens, solution.kinds, R, t)
    return solve(again, replace(start, delay=np.append(state.delay, state.delay[c])))


def refuse_disagreement(solution: Solution, threshold: float = 2.5) -> tuple[str, ...]:
    """Find out why cameras disagree, where they do; a warning where the reason stays open.

    Raises
    ------
    CalibrationError : a camera runs late or early by whole frames, or moved during the recording
    """
    poses, alone = camera_poses(solution)
    ratio, names = disagreement(solution, alone), solution.problem.names
    if solution.problem.n_cameras < 2 or not (ratio > threshold).any():
        return ()
    late = [] if solution.problem.free_delay else find_frame_offsets(poses, solution.problem.board)
    if late:
        raise CalibrationError(_late_message(late, names))
    move = find_camera_move(poses, solution.problem.board)
    if move is not None and _explains(solution, move, ratio):
        raise CalibrationError(
            f"camera '{names[move.camera]}' moved during the recording, near frame {move.frame} (by about"
            f" {move.degrees:.1f} degrees and {move.distance:.3g} world units); calibrate the parts before and after"
            " separately, or record again with the camera fixed"
        )
    worst = int(np.argmax(ratio))
    return (
        f"camera '{names[worst]}' fits the board better alone ({alone[worst]:.2g} px) than together with the others"
        f" ({ratio[worst]:.1f} times that): probably the cameras do not expose together (synchronise them or pass times),"
        " or single frames were lost",
    )


def _explains(solution: Solution, move: CameraMove, ratio: Array) -> bool:
    """Whether two poses of the camera make the cameras agree."""
    split = split_camera(solution, move)
    _, alone = camera_poses(split)
    return bool(disagreement(split, alone).max() < 0.5 * ratio.max())


def _late_message(late: list[FrameOffset], names: tuple[str, ...]) -> str:
    parts = []
    for found in late:
        n, when = abs(found.frames), "late" if found.frames > 0 else "early"
        parts.append(f"camera '{names[found.camera]}' is {when} by {n} frame{'s' if n > 1 else ''}")
    shifts = ", ".join(f"{names[found.camera]!r}: {found.frames}" for found in late)
    what = " and ".join(parts)
    return f"{what} (found from the board's motion); pass offsets={{{shifts}}} or cut the recordings to match"
