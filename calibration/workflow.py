"""The door: recordings of a board in, a rig with its errors out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from ..cameras.camera import Camera, CameraRig
from ..numerics.arrays import Array
from .boards.detection import BoardDetections, detect_boards
from .boards.image_sources import Source
from .boards.patterns import Board
from .errors import CalibrationError
from .quality.camera_disagreement import disagreement_warning, refuse_disagreement
from .quality.checks import MIN_SHARED, check_connected, check_detections, check_motion, check_quality, shared_frames
from .quality.report import CalibrationReport
from .quality.report_numbers import make_report
from .solver.covariance import global_covariance, parameter_names, rig_covariance
from .solver.exposure_times import times_table, try_delays, use_times
from .solver.initial_lenses import LensKind, lens_camera
from .solver.initial_poses import chain, pair_fits, plane_poses, poses_of
from .solver.lens_selection import choose_lenses
from .solver.pose_ambiguity import repaired
from .solver.problem_setup import make_problem
from .solver.robust_solution import (
    HeldOut,
    Problem,
    Solution,
    camera_of_solution,
    held_out,
    resolved,
    solve,
    start_frames,
)

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Calibration:
    """A calibrated rig and what is known about it.

    rig : the cameras; the world is the first camera's frame until `move_world` changes it
    report : errors, warnings, decisions
    rig_covariance : (n_cameras, 24, n_cameras, 24) of each camera's 18 lens unknowns and its own small motion, in the
        boards' common world; what `projection_covariance` and `volume_uncertainty` start from
    board_shape : (n_corners, 3) the board's corners as printed or, if it was estimated, as they are, world units
    frames : (n_poses,) numbers of the frames with a board pose
    board_R, board_t : (n_poses, 3, 3), (n_poses, 3) board to world
    detections : what was calibrated from
    parameters, parameter_covariance : (n,) names (camera, parameter) and (n, n), what `covariance` labels
    """

    rig: CameraRig
    report: CalibrationReport
    rig_covariance: Array
    board_shape: Array
    frames: NDArray[np.int64]
    board_R: Array
    board_t: Array
    detections: Mapping[str, BoardDetections]
    parameters: tuple[tuple[str, str], ...] = ()
    parameter_covariance: Array = field(default_factory=lambda: np.zeros((0, 0)))

    @property
    def covariance(self) -> pd.DataFrame:
        """Covariance of every lens and pose parameter, labelled (camera, parameter) on both axes.

        Poses are small motions (radians, world units) of the camera's own frame relative to the first camera, which
        stands still; lens parameters in pixels and coefficients.
        """
        import pandas as pd

        index = pd.MultiIndex.from_tuples(self.parameters, names=("camera", "parameter"))
        return pd.DataFrame(self.parameter_covariance, index=index, columns=index)

    @property
    def board(self) -> Board:
        """The board that was calibrated with."""
        return next(iter(self.detections.values())).board

    def board_points(self, frame: int) -> Array:
        """(n_corners, 3) the board's corners in the world in a frame. Raises CalibrationError where it was not seen."""
        at = np.flatnonzero(self.frames == frame)
        if len(at) == 0:
            raise CalibrationError(
                f"no camera saw the board in frame {frame}; frames with the board: {self.frames.tolist()}"
            )
        return self.board_shape @ self.board_R[at[0]].T + self.board_t[at[0]]


def calibrate(
    sources: Mapping[str, Source | BoardDetections],
    board: Board,
    *,
    intrinsics: Mapping[str, Camera] | CameraRig | None = None,
    times: Mapping[str, Sequence[float]] | None = None,
    offsets: Mapping[str, int] | None = None,
    lens: LensKind | Mapping[str, LensKind] = "auto",
    same_lens: Sequence[Sequence[str]] = (),
    board_shape: bool = False,
    unit: str = "mm",
    every: int = 1,
    cache: bool = True,
    progress: bool = True,
) -> Calibration:
    """Calibrate cameras from recordings of a board that several of them see at the same time.

    Parameters
    ----------
    sources : {camera: video, folder, list of images, or BoardDetections}; frames are matched by position
    intrinsics : cameras whose lenses are known and stay as they are (a rig, or {camera: Camera})
    times : {camera: (n_frames,) seconds} when each frame was exposed, if the cameras are not synchronous; the board's
        motion between the exposures is then modelled, and each camera's constant delay estimated
    offsets : {camera: frames} by which a camera runs late, counted as a correction to the matching by position
    lens : coefficients of the lens model (0, 1, 2, 4, 5, 8, 12, 14 of OpenCV's order, or "fisheye"), one for all or
        {camera: kind}; "auto" takes the simplest model that predicts held-out boards as well as the best (12, 14 and
        fisheye only where 8 earns its coefficients or the lens is wide)
    same_lens : groups of cameras with identical lenses, which share one
    board_shape : estimate the board's corners, too (a printed board is never quite flat)
    unit : of the board's lengths, and so of the world

    Raises
    ------
    CalibrationError : the rig cannot be calibrated or must not be trusted; names camera, cause and remedy
    """
    detections = gather_detections(sources, board, every=every, cache=cache, progress=progress)
    check_detections(detections, sources)
    for what, given in (("times", times), ("offsets", offsets)):
        unknown = [camera for camera in given or {} if camera not in detections]
        if unknown:
            raise CalibrationError(
                f"{what} name the camera '{unknown[0]}'; the sources' cameras are {list(detections)}"
            )
    clock = None if times is None else times_table(times, detections, offsets)
    # the matrices are small: threads of the linear algebra cost more than they gain, and could change the last digit
    with threadpool_limits(1):
        problem, rows, kinds, notes = make_problem(detections, board, intrinsics, lens, same_lens, offsets)
        solution = _solve_rig(problem, rows, kinds)
        check_motion(solution)
        if clock is not None:
            solution, timing = use_times(solution, clock)
            notes += timing
        warnings = disagreement_warning(solution)
        if warnings and clock is None:
            solution, timing = try_delays(solution)
            warnings = timing or warnings
        if board_shape:
            solution = solve(solution.problem, resolved(solution), shape_sigma=_shape_sigma(board), warm=True)
        errors = held_out(solution, shape_sigma=_shape_sigma(board) if board_shape else None)
        warnings += check_quality(solution)
    return _result(solution, errors, detections, unit, warnings, notes)


def gather_detections(sources, board: Board, *, every: int, cache: bool, progress: bool) -> dict[str, BoardDetections]:
    """Detections of all cameras in the order given; sources that are detections already pass."""
    if not isinstance(sources, Mapping):
        raise CalibrationError(f"sources must be {{camera name: source}}, got {type(sources).__name__}")
    ready = {str(camera): source for camera, source in sources.items() if isinstance(source, BoardDetections)}
    for camera, found in ready.items():
        if found.board != board:
            raise CalibrationError(f"camera '{camera}': its detections are of a {found.board}, not of the {board}")
    todo = {str(camera): source for camera, source in sources.items() if not isinstance(source, BoardDetections)}
    if todo:
        ready |= detect_boards(todo, board, every=every, cache=cache, progress=progress)
    return {str(camera): ready[str(camera)] for camera in sources}


def _shape_sigma(board: Board) -> float:
    """How far a corner may lie from where it was meant to be printed: 1 % of a square."""
    return 0.01 * board.square_length


def _solve_rig(problem: Problem, rows: Array, kinds) -> Solution:
    """The rig, after a first look with simple lenses has found nothing that must be refused."""
    start = _start(problem, rows, kinds)
    first = repaired(solve(problem, start))
    refuse_disagreement(first, rows)
    check_motion(first)
    if problem.auto.any():
        return choose_lenses(problem, resolved(first))
    return first


def _start(problem: Problem, rows: Array, kinds):
    """Camera poses along the chain of pairs that share the board, then the frames'."""
    candidates = []
    for c, name in enumerate(problem.names):
        index = problem.lens_of[c]
        camera = lens_camera(rows[index], problem.sizes[c], fisheye=kinds[index] == "fisheye", name=name)
        candidates.append(plane_poses(problem.corners[c], problem.points, camera)[:2])
    reached = chain(pair_fits(candidates, problem.board, MIN_SHARED), problem.n_cameras, 0)
    check_connected(problem.names, shared_frames(problem.corners), set(reached))
    return start_frames(problem, rows, kinds, *poses_of(reached, problem.n_cameras), candidates)


def _result(solution: Solution, errors: HeldOut, detections, unit: str, warnings, notes) -> Calibration:
    state, problem = solution.state, solution.problem
    cameras = tuple(camera_of_solution(solution, c, state.R[c], state.t[c]) for c in range(problem.n_cameras))
    rig = CameraRig(cameras, unit=unit)
    report = make_report(solution, errors, rig, warnings, notes)
    return Calibration(
        rig=rig,
        report=report,
        rig_covariance=rig_covariance(solution),
        board_shape=state.points,
        frames=solution.frames,
        board_R=state.frame_R,
        board_t=state.frame_t,
        detections=detections,
        parameters=tuple(parameter_names(solution)),
        parameter_covariance=global_covariance(solution),
    )
