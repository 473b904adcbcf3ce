"""Calibrate a rig from recordings of a board: detections, solution, checks and report in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from threadpoolctl import threadpool_limits
from tqdm import tqdm

from ..cameras import Camera, CameraRig
from ..datasets.names import named_options
from ..numerics.arrays import Array
from .accuracy_prediction import volume_facts, with_prediction
from .boards.detection import BoardDetections
from .boards.detection_cache import Cache
from .boards.gathering import gather_recordings
from .boards.image_sources import Source
from .boards.patterns import Board
from .boards.recordings import join_recordings, split_recordings, unequal_lengths
from .calibrated_rig import Calibration
from .delays.delay_search import try_delays
from .delays.exposure_times import clock_and_delays, use_times
from .errors import CalibrationError
from .model_choice.alternatives import disagreement_sentences, lens_alternatives, parameter_spread
from .model_choice.board_deformation import is_bent, shape_sentence
from .model_choice.lens_selection import Comparison, choose_lenses, shape_sigma_of
from .quality.camera_disagreement import disagreement_warning, refuse_disagreement, refuse_unexplained
from .quality.checks import (
    MIN_SHARED_VIEWS,
    check_connected,
    check_detections,
    check_motion,
    check_quality,
    check_recordings,
    parts_of_boards,
    shared_frames,
    sources_seen_least,
    what_else_is_wrong,
)
from .quality.report_numbers import make_report
from .solver.covariance import covariances, parameter_names
from .solver.held_out_boards import HeldOut, held_out
from .solver.initial_lenses import LensKind
from .solver.initial_poses import chain, pair_fits, plane_poses, poses_of
from .solver.problem_setup import make_problem
from .solver.robust_solution import Problem, Solution, camera_of_solution, resolved, solve, start_frames

Recording = Mapping[str, Source | BoardDetections]


@named_options()
def calibrate(
    sources: Recording | Sequence[Recording] | Mapping[str, Recording],
    board: Board | Sequence[Board] | Mapping[str, Board] | None = None,
    *,
    intrinsics: Mapping[str, Camera] | CameraRig | None = None,
    times: Mapping[str, Any] | Sequence[Mapping[str, Sequence[float]]] | None = None,
    offsets: Mapping[str, Any] | Sequence[Mapping[str, int]] | None = None,
    distortion_model: LensKind | Mapping[str, LensKind] = "auto",
    shared_intrinsics: Sequence[Sequence[str]] = (),
    estimate_board_deformation: bool | str = "auto",
    unit: str = "mm",
    frame_step: int = 1,
    cache: Cache = None,
    progress: bool = True,
) -> Calibration:
    """Calibrate cameras from recordings of a board that several of them see at the same time.

    Parameters
    ----------
    sources : dict of str to path, list of images, or BoardDetections; or several of these
        For each camera a video, a folder of images, a list of images, or detections. Frames are matched by position;
        the images of a folder, and a list of different files of one folder, are put in natural (number-aware) order
        first. Several recordings are a list of such dicts, or a dict of them by name: each of some of the cameras, such
        as pairs filmed one after the other, or a single camera's pictures for its lens. Frames of different recordings
        are never of one instant; together the recordings must connect all cameras.
    board : CharucoBoard, Checkerboard or MarkerBoard, or several of these, optional
        What was recorded; its lengths set the world's scale. A list or dict gives each recording its own. None: the
        board of the detections, if all sources are detections.
    intrinsics : CameraRig or dict of str to Camera, optional
        Cameras whose lenses are known and stay as they are. None: all are estimated.
    times : dict of str to sequence of float, seconds, optional
        When each frame was exposed, (n_frames,) for each camera, if the cameras are not synchronous; the board's motion
        between the exposures is then modelled, and each camera's constant delay estimated. Left out, with a warning,
        where evenly spaced frames explain the boards better. Of several recordings a list or dict of these.
    offsets : dict of str to int, frames, optional
        Delays of cameras: what the others show in frame i, the camera shows in frame i + offset. A list or dict of
        these gives each recording its own.
    distortion_model : int, str, or dict of str to these
        Number of coefficients of the lens model (0, 1, 2, 4, 5, 8, 12, 14 in OpenCV's order) or "fisheye", one for all
        or one for each camera. "auto" takes the model of the greatest evidence, one for all cameras unless a camera's
        corners clearly ask for another, and 12 or 14 only where the corners clearly ask for them.
    shared_intrinsics : sequence of sequences of str
        Groups of cameras with identical lenses, which share one lens model.
    estimate_board_deformation : bool or "auto"
        Estimate the board's corners, too (a printed board is never quite flat). "auto": where the corners are much more
        probable with it.
    unit : str
        Unit of the board's lengths, and so of the world.
    frame_step : int
        Search the board in every n-th frame only.
    cache : str or path, optional
        Folder in which the detected corners are kept, and used where source and settings are the same. None: they are
        not kept.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Calibration
        The rig with its report and covariances; the world is the first camera's frame (see `world_from_board`).

    Raises
    ------
    CalibrationError
        The rig cannot be calibrated or must not be trusted; the message names camera, cause and remedy.

    Notes
    -----
    Corners that were not seen are NaN in `BoardDetections` and are left out. All lenses, camera poses and board poses
    are estimated together by bundle adjustment under a Cauchy loss.

    References
    ----------
    Triggs, McLauchlan, Hartley and Fitzgibbon (2000). Bundle adjustment - a modern synthesis.

    Examples
    --------
    >>> from muybridge.calibration import calibrate, simulate_detections
    >>> calibration = calibrate(simulate_detections(), distortion_model=0)
    >>> calibration.rig.names
    ('left', 'right')
    >>> print(f"{calibration.rig['left'].K[0, 0] / 600:.2f}")
    1.00

    Two pairs of cameras, filmed one after the other:

    >>> from muybridge.calibration import simulate_board_motion
    >>> first, second = simulate_detections(), simulate_detections(motion=simulate_board_motion(seed=5))
    >>> second = {"left": second["left"], "third": second["right"]}
    >>> calibrate([first, second], distortion_model=0).rig.names
    ('left', 'right', 'third')
    """
    recordings = split_recordings(sources)
    found = gather_recordings(recordings, board, frame_step=frame_step, cache=cache, progress=progress)
    detections, timeline = join_recordings(found)
    check_recordings(found, recordings)
    check_detections(detections, sources_seen_least(recordings, found))
    try:
        calibration = _calibrated(
            found, detections, timeline, intrinsics, distortion_model, shared_intrinsics, estimate_board_deformation,
            unit, clock_and_delays(times, offsets, found), progress,
        )  # fmt: skip
    except CalibrationError as error:
        raise CalibrationError(f"{error}{what_else_is_wrong(recordings, found)}") from error
    warnings = (*parts_of_boards(recordings, found), *calibration.report.warnings)
    return replace(calibration, report=replace(calibration.report, warnings=warnings))


def _calibrated(
    found, detections, timeline, intrinsics, distortion_model, shared_intrinsics, board_deformation, unit, clock,
    progress,
) -> Calibration:  # fmt: skip
    """The calibration of detections; arguments as those of `calibrate`, `clock` from `clock_and_delays`."""
    (times, delays), board = clock, next(iter(detections.values())).board
    # the matrices are small: threads of the linear algebra cost more than they gain, and could change the last digit
    with threadpool_limits(1), tqdm(total=3, desc="first lenses", unit="step", disable=not progress) as bar:
        problem, rows, kinds, notes = make_problem(
            detections, board, intrinsics, distortion_model, shared_intrinsics, delays, timeline
        )
        _next_stage(bar, "bundle adjustment")
        solution, compared = _solve_rig(problem, rows, kinds, bar)
        check_motion(solution)
        timing: tuple[str, ...] = ()
        untimed = solution
        if times is not None:
            solution, timing = use_times(solution, times)
            notes += timing
        warnings = disagreement_warning(solution)
        if warnings:
            delayed, delays = try_delays(untimed, solution)
            if delays and not disagreement_warning(delayed):
                solution, timing, warnings = delayed, delays, delays
        if timing and problem.auto.any():
            solution, compared = choose_lenses(solution.problem, resolved(solution), bar)
        if warnings:
            refuse_unexplained(solution)
        shape_sigma = None
        if board_deformation is True or (board_deformation == "auto" and is_bent(solution)):
            shape_sigma = shape_sigma_of(board)
            solution = solve(solution.problem, resolved(solution), shape_sigma=shape_sigma, warm=True)
            notes += shape_sentence(solution)
        _next_stage(bar, "held-out boards")
        errors = held_out(solution, shape_sigma=shape_sigma)
        bar.update()
        warnings += check_quality(solution) + unequal_lengths(found)
    return _result(solution, compared, errors, detections, unit, warnings, notes)


def _next_stage(bar: tqdm, what: str) -> None:
    """Count a step as done, and say which comes next."""
    bar.update()
    bar.set_description(what)


def _solve_rig(problem: Problem, rows: Array, kinds, bar: tqdm) -> tuple[Solution, Comparison | None]:
    """The rig, after a first solution with simple lenses was not refused, and what its lenses were compared with."""
    start = chained_start(problem, rows, kinds)
    first = solve(problem, start)
    refuse_disagreement(first, rows)
    check_motion(first)
    if problem.auto.any():
        return choose_lenses(problem, resolved(first), bar)
    return first, None


def chained_start(problem: Problem, rows: Array, kinds):
    """Start values: camera poses along the chain of pairs that share the board, then the boards' poses."""
    candidates = []
    for c in range(problem.n_cameras):
        candidates.append(plane_poses(problem.corners[c], problem.points, problem.camera(c, rows, kinds))[:2])
    reached = chain(pair_fits(candidates, problem.board, MIN_SHARED_VIEWS), problem.n_cameras, 0)
    check_connected(problem.names, shared_frames(problem.corners), set(reached), problem.timeline)
    return start_frames(problem, rows, kinds, *poses_of(reached, problem.n_cameras), candidates)


def _result(
    solution: Solution, compared: Comparison | None, errors: HeldOut, detections, unit: str, warnings, notes
) -> Calibration:
    """The calibration of a solution: rig, report, covariances and board poses."""
    alternatives = () if compared is None else lens_alternatives(solution, compared)
    parameters, (covariance, rig_covariance) = tuple(parameter_names(solution)), covariances(solution)
    notes += disagreement_sentences(alternatives, parameters, covariance)
    state, problem = solution.state, solution.problem
    cameras = tuple(camera_of_solution(solution, c, state.R[c], state.t[c]) for c in range(problem.n_cameras))
    rig = CameraRig(cameras, unit=unit)
    report = make_report(solution, errors, rig, warnings, notes)
    frames, poses = solution.shown
    found = Calibration(
        rig=rig,
        report=report,
        rig_covariance=rig_covariance,
        board_shape=state.points,
        frames=frames,
        board_R=state.frame_R[poses],
        board_t=state.frame_t[poses],
        detections=detections,
        parameters=parameters,
        parameter_covariance=covariance + parameter_spread(alternatives, len(covariance)),
        recordings=problem.timeline.ranges,
        alternatives=alternatives,
    )
    return with_prediction(replace(found, report=replace(report, facts={**report.facts, **volume_facts(found)})))
