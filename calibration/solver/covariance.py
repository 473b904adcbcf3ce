"""Covariance of the lens and pose parameters: the inverse of the normal matrix, the frames eliminated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...cameras.rotations import hat, motion_matrix
from ...numerics.arrays import Array
from .arrow_equations import Arrow, eliminate, normal_equations, solvable
from .bundle_unknowns import N_LENS
from .initial_lenses import free_lens
from .robust_solution import Solution, part_of_frames

LENS_NAMES = (
    *("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2", "k3"),
    *("k4", "k5", "k6", "s1", "s2", "s3", "s4", "tau_x", "tau_y"),
)
FISHEYE_NAMES = ("fx", "fy", "cx", "cy", "k1", "k2", "k3", "k4")
N_CAMERA = N_LENS + 6  # unknowns: the lens, three of rotation, three of translation
_RUN = 3  # frames whose errors are in common where the board's motion has a part: mostly those of next neighbours
_RUNS = 24  # into which the frames are parted at most: so many tell a standard deviation within some 15 %
_MODEL_RUNS = 3  # runs that the normal equations count as: so few alone would tell a variance within 80 % only
_LEFT_OUT = 0.999  # of a run's weight: without the rest, what one run alone shows would make the equations singular
_NO_PRIOR = 1e9  # of the board's shape, world units for each pixel
POSE_NAMES = ("rx", "ry", "rz", "tx", "ty", "tz")

Run = tuple[NDArray[np.int64], Array, Array]  # unknowns that a run of frames tells of, their score, normal matrix


def global_covariance(solution: Solution) -> Array:
    """(G, G) covariance of the global unknowns: lenses, camera poses (small left motions), board shape.

    The robust loss is accounted for as in M-estimation (Huber 1981, section 7.6): the normal matrix of the weighted
    problem, times the noise's variance, times the loss's inefficiency. Errors that the corners of a run of frames have
    in common are added by `_with_common_errors`.
    """
    covariance, runs = _equations_and_covariance(solution)[1], _runs(solution)
    return _with_common_errors(solution, covariance, runs, _dispersion(solution, covariance, runs))


def _equations_and_covariance(solution: Solution) -> tuple[Arrow, Array]:
    """The weighted normal equations at the minimum, and the covariance of their global unknowns, all corners counted.

    Errors that frames have in common (`_with_common_errors`) are not in it.
    """
    residuals = solution.fit.residuals
    spec, spread = solution.spec, solution.problem.exposure_spread
    spec = replace(spec, exposure=(solution.sigma / spread) ** 2 if spread else None)
    arrow = normal_equations(solution.state, spec, solution.views, solution.loss.weights(residuals), residuals)
    scale = 1 / np.sqrt(np.maximum(np.diag(arrow.U), 1e-300))
    inverse = np.linalg.pinv(eliminate(arrow)[0] * scale[:, None] * scale, rcond=1e-14, hermitian=True)
    return arrow, inverse * scale[:, None] * scale * noise_variance(solution)


def _with_common_errors(solution: Solution, covariance: Array, runs: list[Run], dispersion: float) -> Array:
    """The covariance if only runs of frames are independent.

    Corners of a view err together where blur, the board's shape or the lens model are in error or the cameras do not
    expose at one instant, and where the board moves, frames do with their neighbours. How far the unknowns move when
    one run is left out tells their variance, whatever its errors look like (jackknife: Efron and Stein 1981; one step
    from the minimum). Few runs tell it badly: the covariance of single corners, times the `dispersion`, counts as some
    of them (the mean under an inverse Wishart prior). No more runs count than show each camera, less one.

    covariance : (G, G) of `_equations_and_covariance`
    runs : those of `_runs`
    """
    weight, slope, _ = _loss_means(solution)
    inverse = covariance / noise_variance(solution)
    weights, residuals = solution.loss.weights(solution.fit.residuals), solution.fit.residuals
    arrow = normal_equations(solution.state, solution.spec, solution.views, weights, residuals)
    least = inverse @ eliminate(arrow)[1]  # the minimum, where unknowns were added that the solution has at 0
    moved = []
    for own, score, normal in runs:
        without = np.eye(len(own)) - _LEFT_OUT * normal @ inverse[np.ix_(own, own)]
        moved.append(inverse[:, own] @ np.linalg.solve(without, score - normal @ least[own]))
    moved = np.reshape(moved, (len(runs), len(covariance))) * weight / slope
    spread, freedom = (1 - 1 / len(runs)) * moved.T @ moved, max(_runs_of_a_camera(solution) - 1, 0)
    return (_MODEL_RUNS * dispersion * covariance + freedom * spread) / (_MODEL_RUNS + freedom)


def _dispersion(solution: Solution, covariance: Array, runs: list[Run]) -> float:
    """Variance of the unknowns if only runs of frames are independent, over that expected of single corners.

    The mean over lenses (camera poses where lenses are known), at least 1. The variance by runs is that of their
    scores; what is expected of it takes the same fit into account (Bell and McCaffrey 2002, "Bias reduction in standard
    errors for linear regression with multi-stage samples").

    covariance : (G, G) of `_equations_and_covariance`
    runs : those of `_runs`
    """
    n = solution.spec.n_lens_free or solution.spec.delay_start
    if not n:
        return 1.0
    inverse, (weight, _, power) = covariance / noise_variance(solution), _loss_means(solution)
    found, expected = np.zeros(n), np.zeros(n)
    for own, score, normal in runs:
        carried = normal @ inverse[own, :n]
        found += (inverse[:n, own] @ score) ** 2
        expected += ((inverse[own, :n] - inverse[np.ix_(own, own)] @ carried) * carried).sum(axis=0)
    scale = np.diag(inverse)[:n]
    return max(1.0, float((found / scale).sum() / (power / weight * (expected / scale).sum())))


def _run_length(solution: Solution) -> int:
    """Frames of a run: one where they are few and the board stands still in each."""
    return max(-(-len(solution.frames) // _RUNS), 1 if solution.problem.motion is None else _RUN)


def _runs_of_a_camera(solution: Solution) -> int:
    """Runs that show the camera which the fewest runs show."""
    views, n_cameras = solution.views, solution.problem.n_cameras
    seen = np.unique(np.stack([views.camera, views.frame // _run_length(solution)]), axis=1)[0]
    return int(np.bincount(seen, minlength=n_cameras).min())


def _runs(solution: Solution) -> list[Run]:
    """Of each run of frames the unknowns that it tells of, and their score and normal matrix, without any prior."""
    weights, spread = solution.loss.weights(solution.fit.residuals), solution.problem.exposure_spread
    alone = replace(solution.spec, prior=None, shape_sigma=_NO_PRIOR if solution.spec.shape_sigma else None)
    timed = replace(alone, exposure=(solution.sigma / spread) ** 2 if spread else None)
    runs, run, n_frames = [], _run_length(solution), len(solution.frames)
    for first in range(0, n_frames, run):
        state, views, seen = part_of_frames(solution, first, min(first + run, n_frames))
        residuals = solution.fit.residuals[seen]
        # single exposures lie at their own optimum: with them, too, the score is that of the corners alone
        score = eliminate(normal_equations(state, alone, views, weights[seen], residuals))[1]
        normal = eliminate(normal_equations(state, timed, views, weights[seen], residuals))[0]
        own = np.flatnonzero(np.diag(normal))
        runs.append((own, score[own], normal[np.ix_(own, own)]))
    return runs


def _runs_without(runs: list[Run], known: NDArray[np.bool_]) -> list[Run]:
    """The runs of the same solution where some of the unknowns, (G,), are known."""
    place, fewer = np.cumsum(~known) - 1, []
    for own, score, normal in runs:
        kept = ~known[own]
        fewer.append((place[own[kept]], score[kept], normal[np.ix_(kept, kept)]))
    return fewer


def noise_variance(solution: Solution) -> float:
    """E[psi^2] / E[psi'] per coordinate, in pixels squared, with the degrees of freedom taken off."""
    weight, slope, power = _loss_means(solution)
    return power * weight / slope**2


def _loss_means(solution: Solution) -> tuple[float, float, float]:
    """E[psi / r], E[psi'] and E[psi^2] of a coordinate's residual r, the last with the degrees of freedom taken off."""
    residuals = solution.fit.residuals[solution.keep]
    weights = solution.loss.weights(solution.fit.residuals)[solution.keep]
    square = (residuals**2).sum(axis=1) / solution.loss.scale**2
    # psi = r w(|r|) in two dimensions; the mean of its divergence over the two coordinates
    slope = float(np.mean(weights - square * weights**2))
    power = float(np.mean(weights**2 * (residuals**2).sum(axis=1))) / 2
    unknowns = solution.spec.n_global + 6 * len(solution.frames)
    freedom = max(2 * len(residuals) - unknowns, 1) / (2 * len(residuals))
    return float(np.mean(weights)), max(slope, 1e-6), power / freedom


def parameter_names(solution: Solution) -> list[tuple[str, str]]:
    """(camera, parameter) of each global unknown; a shared lens carries its first camera's name."""
    problem, spec, names = solution.problem, solution.spec, []
    for lens, kind in enumerate(solution.kinds):
        owner = problem.names[int(np.flatnonzero(problem.lens_of == lens)[0])]
        known = FISHEYE_NAMES if kind == "fisheye" else LENS_NAMES
        names += [(owner, known[i]) for i in np.flatnonzero(spec.free[lens])]
    for camera in np.flatnonzero(spec.free_pose):
        names += [(problem.names[camera], name) for name in POSE_NAMES]
    names += [(problem.names[camera], "delay") for camera in np.flatnonzero(spec.free_delay)]
    if spec.shape_sigma is not None:
        names += [("board", f"{axis}{i}") for i in range(len(spec.nominal)) for axis in "xyz"]
    return names


def focal_deviation(solution: Solution, *, independent: bool = False) -> Array:
    """(n_lenses,) standard deviation of the focal length relative to it; 0 where it is known.

    independent: take the corners' errors as independent, as they are not while the cameras' delays are unknown.
    """
    spec, deviation = solution.spec, np.zeros(len(solution.kinds))
    if not spec.n_global:
        return deviation
    covariance = _equations_and_covariance(solution)[1] if independent else global_covariance(solution)
    variance = np.diag(covariance)
    for lens in range(len(deviation)):
        if spec.free[lens, 0]:
            at = int(spec.free[:lens].sum())
            deviation[lens] = np.sqrt(max(variance[at], 0.0)) / abs(solution.state.lens[lens, 0])
    return deviation


def covariances(solution: Solution) -> tuple[Array, Array]:
    """The covariance of the global unknowns, and that of lenses and poses in the boards' common world.

    Returns
    -------
    covariance : (G, G) of `global_covariance`
    rig_covariance : (n_cameras, 24, n_cameras, 24); for each camera 18 lens unknowns (0 where they are fixed) and the
        small motion of the camera's own frame. Coefficients that were left out are unknown (`_with_left_out`).
    """
    wider = _with_left_out(solution)
    runs, left_out = _runs(wider), np.zeros(wider.spec.n_global, dtype=bool)
    left_out[: wider.spec.n_lens_free] = ~solution.spec.free[wider.spec.free]
    fewer, covariance = _runs_without(runs, left_out), _equations_and_covariance(solution)[1]
    dispersion = _dispersion(solution, covariance, fewer)
    arrow, wider_covariance = _equations_and_covariance(wider)
    wider_covariance = _with_common_errors(wider, wider_covariance, runs, dispersion)
    carry, n = _to_cameras(wider) + _to_boards_world(wider, arrow), solution.problem.n_cameras
    of_rig = (carry @ wider_covariance @ carry.T).reshape(n, N_CAMERA, n, N_CAMERA)
    return _with_common_errors(solution, covariance, fewer, dispersion), of_rig


def _with_left_out(solution: Solution) -> Solution:
    """The solution, chosen pinholes of few coefficients with those up to five that the corners did not ask for.

    They are 0 as estimated, and unknown within the lenses' prior: where no board was that is most of the uncertainty.
    """
    free, five = solution.spec.free.copy(), free_lens(5)
    for lens, kind in enumerate(solution.kinds):
        if solution.problem.auto[lens] and kind != "fisheye":
            free[lens] |= five
    return replace(solution, spec=replace(solution.spec, free=free))


def _to_cameras(solution: Solution) -> Array:
    """(n_cameras * 24, n_global): each camera's own unknowns from the global ones."""
    spec, n = solution.spec, solution.problem.n_cameras
    carry = np.zeros((n, N_CAMERA, spec.n_global))
    for c in range(n):
        columns = spec.columns[c, :N_CAMERA]
        moving = np.flatnonzero(columns >= 0)
        carry[c, moving, columns[moving]] = 1
    return carry.reshape(n * N_CAMERA, -1)


def _to_boards_world(solution: Solution, arrow: Arrow) -> Array:
    """(n_cameras * 24, n_global): what the boards' common motion adds to each camera's motion."""
    state, n = solution.state, solution.problem.n_cameras
    follow = -np.linalg.solve(solvable(arrow.V), arrow.W)
    points = state.points @ state.frame_R.swapaxes(1, 2) + state.frame_t[:, None]
    J = np.concatenate([-hat(points), np.broadcast_to(np.eye(3), (*points.shape[:2], 3, 3))], axis=-1)
    weight = np.einsum("fpij,fpik->fjk", J, J)
    common = np.linalg.solve(weight.sum(axis=0), np.einsum("fij,fjg->ig", weight, follow))
    added = np.zeros((n, N_CAMERA, arrow.W.shape[2]))
    added[:, N_LENS:] = motion_matrix(state.R, state.t) @ common
    return added.reshape(n * N_CAMERA, -1)
