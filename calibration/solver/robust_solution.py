"""Solve the rig from corners: start values, and bundle adjustment that rejects outliers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...cameras import Camera
from ...numerics.arrays import Array
from ...numerics.robust_scale import RAYLEIGH_MEDIAN
from ..boards.board_set import BoardSet
from ..boards.patterns import Board
from ..boards.recordings import Timeline
from ..lens_prior import LensPrior, make_lens_prior, unfolded
from .arrow_equations import residuals_of
from .bundle_adjustment import BundleFit, minimise
from .bundle_unknowns import BundleSpec, BundleState, Loss, Views, make_views, squares
from .initial_lenses import LensKind, free_lens, lens_camera, lens_matrix
from .initial_poses import board_outline, frame_poses

LOSS_SCALE = 3.0  # standard deviations at which the Cauchy loss bends: it costs Gaussian noise little
TOLERANCE = 1e-6  # relative gain of a solution that has ended
GROSS = 30.0  # standard deviations beyond which a corner is left out: no noise reaches them


@dataclass(frozen=True, eq=False)
class Problem:
    """Corners of all cameras on one clock.

    corners (n_cameras, n_frames, n_corners, 2), pixels, NaN where unseen, flipped horizontally for `flipped` cameras;
    lens_of (n_cameras,) the lens each camera has (shared by identical cameras); fixed (n_lenses,) known lenses;
    auto (n_lenses,) lenses whose model is to be chosen; timeline: which frames are of which recording; stands_for
    (n_frames,) the frame in which a standing board's views are averaged (`boards.standing_boards`);
    motion (n_frames, degree, 6), delay (n_cameras, n_frames): the board's own motion and the seconds of each exposure
    after the frame's mean time (`delays.exposure_times.board_motion`), None: all cameras expose together;
    free_delay: whether the cameras' delays are estimated; exposure_spread: standard deviation, seconds, by which single
    exposures were found to deviate from their even times, in `delay` already; 0: they do not.
    """

    board: Board | BoardSet
    names: tuple[str, ...]
    sizes: tuple[tuple[int, int], ...]
    corners: Array
    lens_of: NDArray[np.int64]
    fixed: NDArray[np.bool_]
    flipped: NDArray[np.bool_]
    auto: NDArray[np.bool_]
    timeline: Timeline
    stands_for: NDArray[np.int64]
    motion: Array | None = None
    delay: Array | None = None
    free_delay: bool = False
    exposure_spread: float = 0.0

    @property
    def n_cameras(self) -> int:
        """Number of cameras."""
        return len(self.names)

    @property
    def points(self) -> Array:
        """(n_corners, 3) the board's corners as printed, world units."""
        return self.board.points

    def lens_size(self, lens: int) -> tuple[int, int]:
        """(width, height) pixels of the images of the cameras with this lens."""
        return self.sizes[int(np.flatnonzero(self.lens_of == lens)[0])]

    def camera(self, c: int, lenses: Array, kinds: Sequence[LensKind]) -> Camera:
        """Camera `c` at the origin, its lens out of rows (n_lenses, 18) of these kinds."""
        lens = self.lens_of[c]
        return lens_camera(lenses[lens], self.sizes[c], kinds[lens], self.names[c])


@dataclass(frozen=True, eq=False)
class Start:
    """Start values: lens rows (n_lenses, 18) with their kinds, camera poses, and board poses of `frames`.

    Then the cameras' delays, None: 0, and the board's corners (n_corners, 3) where they are estimated, None: printed.
    """

    lens: Array
    kinds: tuple[LensKind, ...]
    R: Array
    t: Array
    frames: NDArray[np.int64]
    frame_R: Array
    frame_t: Array
    delay: Array | None = None
    points: Array | None = None


@dataclass(frozen=True, eq=False)
class Solution:
    """A solved rig: the fit, what was estimated, from which views, which observations were kept, and the noise.

    sigma: standard deviation of one pixel coordinate, robust (from the median).
    """

    problem: Problem
    kinds: tuple[LensKind, ...]
    spec: BundleSpec
    views: Views
    frames: NDArray[np.int64]
    fit: BundleFit
    keep: NDArray[np.bool_]
    sigma: float

    @property
    def state(self) -> BundleState:
        """All unknowns at the minimum."""
        return self.fit.state

    @property
    def loss(self) -> Loss:
        """The loss at the scale of the noise."""
        return Loss(LOSS_SCALE * self.sigma, self.keep)

    @property
    def shown(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(n,) frames with a board pose, also those that repeat another one's view, and the poses' places."""
        stands_for = self.problem.stands_for
        frames = np.flatnonzero(np.isin(stands_for, self.frames))
        return frames, np.searchsorted(self.frames, stands_for[frames])

    @property
    def distances(self) -> Array:
        """(n_obs,) pixels between observed and projected."""
        return np.sqrt(squares(self.fit.residuals))

    @property
    def camera_of(self) -> NDArray[np.int64]:
        """(n_obs,) the camera of each observation."""
        return self.views.camera[self.views.view_of]

    @property
    def frame_of(self) -> NDArray[np.int64]:
        """(n_obs,) the frame number of each observation."""
        return self.frames[self.views.frame[self.views.view_of]]


def start_frames(problem: Problem, lens: Array, kinds: Sequence[LensKind], R: Array, t: Array, candidates) -> Start:
    """Start values of the frames' poses, given lenses, camera poses and each camera's own (`plane_poses`)."""
    frame_R, frame_t = frame_poses(R, t, candidates, board_outline(problem.board))
    frames = np.flatnonzero(np.isfinite(frame_t[:, 0]))
    return Start(lens, tuple(kinds), R, t, frames, frame_R[frames], frame_t[frames])


def lens_prior(problem: Problem, kinds: Sequence[LensKind], lens: Array) -> LensPrior:
    """What is known of the lenses before the boards are seen; their focal lengths, of `lens`, set the scale."""
    sizes = [problem.lens_size(index) for index in range(len(lens))]
    return make_lens_prior(sizes, kinds, lens[:, :2].mean(axis=1))


def make_spec(problem: Problem, kinds: Sequence[LensKind], shape_sigma: float | None = None) -> BundleSpec:
    """What is estimated: free lens unknowns by their kinds, all camera poses but the first, and delays if asked for."""
    free = np.stack([free_lens(kind) for kind in kinds])
    free[problem.fixed] = False
    free_pose = np.arange(problem.n_cameras) > 0
    free_delay = free_pose & problem.free_delay & (problem.motion is not None)
    fisheye = np.array([kind == "fisheye" for kind in kinds])
    return BundleSpec(problem.lens_of, fisheye, free, free_pose, free_delay, shape_sigma, problem.points)


def problem_views(problem: Problem, frames: NDArray[np.int64]) -> Views:
    """The views of these frames, with the board's motion where exposure times are known."""
    views = make_views(problem.corners, frames)
    if problem.motion is None or problem.delay is None:
        return views
    numbers = frames[views.frame]
    return replace(views, motion=problem.motion[numbers], delay=problem.delay[views.camera, numbers])


def robust_sigma(distances: Array) -> float:
    """Standard deviation of one coordinate from the median distance; gross outliers do not move it."""
    finite = distances[np.isfinite(distances)]
    return max(float(np.median(finite)) / RAYLEIGH_MEDIAN, 1e-6) if len(finite) else 1e-6


def solve(
    problem: Problem,
    start: Start,
    *,
    shape_sigma: float | None = None,
    warm: bool = False,
    tolerance: float = TOLERANCE,
) -> Solution:
    """Bundle adjustment from `start`, twice reweighted, gross outliers left out.

    `shape_sigma`: standard deviation expected of a corner's displacement, world units; None: the board is as printed.
    `warm`: the start is near the answer already, the wide first loss is left out.
    `tolerance`: relative gain at which the last rounds end.
    """
    free = np.stack([free_lens(kind) for kind in start.kinds])
    lens = np.where(free | problem.fixed[:, None], start.lens, 0.0)
    views = problem_views(problem, start.frames)
    delay = np.zeros(problem.n_cameras) if start.delay is None else start.delay
    points = problem.points if shape_sigma is None or start.points is None else start.points
    state = BundleState(lens, start.R, start.t, start.frame_R, start.frame_t, points, delay)
    keep = np.ones(len(views.corner), bool)
    spec = make_spec(problem, start.kinds)
    prior = lens_prior(problem, start.kinds, state.lens)
    state = replace(state, lens=unfolded(state.lens, spec.fisheye, spec.free, prior.border))
    if not warm:
        wide = Loss(0.004 * max(size[0] for size in problem.sizes), keep)
        still = replace(spec, free=np.zeros_like(spec.free), free_delay=np.zeros_like(spec.free_delay))
        spec = replace(spec, prior=prior, variance=(wide.scale / LOSS_SCALE) ** 2)
        state = minimise(state, still, views, wide, max_iterations=8, tolerance=1e-3).state
        state = minimise(state, spec, views, wide, max_iterations=40, tolerance=1e-4).state
    return refine(problem, state, start.kinds, start.frames, views, shape_sigma, tolerance)


def refine(problem, state, kinds, frames, views, shape_sigma, tolerance) -> Solution:
    """The last rounds of `solve`: loss at the scale of the noise, gross outliers out, until the noise is stable."""
    spec = make_spec(problem, kinds)
    distances = np.sqrt(squares(residuals_of(state, spec, views)))
    sigma, keep, fit = robust_sigma(distances), np.ones(len(views.corner), bool), None
    for _ in range(6):
        keep = distances < GROSS * sigma_per_observation(distances, views, sigma)
        spec = make_spec(problem, kinds, None if shape_sigma is None else shape_sigma / sigma)
        spec = replace(spec, prior=lens_prior(problem, kinds, state.lens), variance=sigma**2)
        fit = minimise(state, spec, views, Loss(LOSS_SCALE * sigma, keep), max_iterations=60, tolerance=tolerance)
        state, distances = fit.state, np.sqrt(squares(fit.residuals))
        last, sigma = sigma, robust_sigma(distances)
        if abs(sigma / last - 1) < 0.02:
            break
    assert fit is not None
    return Solution(problem, tuple(kinds), spec, views, frames, fit, keep, sigma)


def sigma_per_observation(distances: Array, views: Views, sigma: float) -> Array:
    """(n_obs,) the noise of the observation's camera, at least that of all."""
    camera = views.camera[views.view_of]
    own = np.array(
        [robust_sigma(distances[camera == c]) if (camera == c).any() else sigma for c in range(camera.max() + 1)]
    )
    return np.maximum(own, sigma)[camera]


def resolved(solution: Solution) -> Start:
    """The solution as the start of another solve."""
    state = solution.state
    frames = solution.frames, state.frame_R, state.frame_t
    return Start(state.lens, solution.kinds, state.R, state.t, *frames, state.delay, state.points)


def part_of_frames(solution: Solution, first: int, last: int) -> tuple[BundleState, Views, slice]:
    """State and views of the solution's frames from `first` up to `last` alone, and their observations among all."""
    views, state = solution.views, solution.state
    at = slice(*np.searchsorted(views.frame, [first, last]))
    seen = slice(views.starts[at.start], views.starts[at.stop])
    alone = Views(
        camera=views.camera[at],
        frame=views.frame[at] - first,
        starts=views.starts[at.start : at.stop + 1] - seen.start,
        corner=views.corner[seen],
        pixels=views.pixels[seen],
        motion=views.motion[at],
        delay=views.delay[at],
    )
    return replace(state, frame_R=state.frame_R[first:last], frame_t=state.frame_t[first:last]), alone, seen


def frames_of(start: Start, keep: NDArray[np.bool_]) -> Start:
    """The start with only some of its frames."""
    return replace(start, frames=start.frames[keep], frame_R=start.frame_R[keep], frame_t=start.frame_t[keep])


def camera_of_solution(solution: Solution, c: int, R: Array, t: Array) -> Camera:
    """The camera `c`, its lens from the solution, its pose as given; a flipped video gets K[0, 0] < 0."""
    problem = solution.problem
    row, kind, size = solution.state.lens[problem.lens_of[c]], solution.kinds[problem.lens_of[c]], problem.sizes[c]
    K = lens_matrix(row)
    if problem.flipped[c]:
        K[0, 0], K[0, 2] = -K[0, 0], size[0] - 1 - K[0, 2]
    n = 4 if kind == "fisheye" else next(k for k in (0, 4, 5, 8, 12, 14) if k >= max(int(kind), _used(row)))
    model = "fisheye" if kind == "fisheye" else "pinhole"
    return Camera(problem.names[c], size, K, row[4 : 4 + n], R, t, model)


def _used(row: Array) -> int:
    """Number of distortion coefficients up to the last one that is not 0, of a lens row (18,)."""
    nonzero = np.flatnonzero(row[4:])
    return int(nonzero[-1]) + 1 if len(nonzero) else 0
