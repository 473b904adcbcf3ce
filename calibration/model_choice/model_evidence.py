"""Evidence of a model: how probable the corners are under it, all values of its unknowns considered.

A lens with more coefficients fits better, and may predict worse where no board was; the evidence weighs one against the
other without boards that are held out (MacKay 1992, "Bayesian interpolation"). Its integral over the unknowns is
Laplace's: the normal matrix at the minimum, frames and all, relative to that of the priors.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...numerics.arrays import Array
from ..solver.arrow_equations import Arrow, eliminate, normal_equations, solvable
from ..solver.bundle_unknowns import Loss
from ..solver.robust_solution import LOSS_SCALE, Solution, part_of_frames


@dataclass(frozen=True, eq=False)
class Yardstick:
    """With what the residuals of all models are measured, so that their evidences can be compared.

    noise: standard deviation of a pixel coordinate; keep (n_obs,) leaves gross outliers out; dispersion, at least 1, by
    which the residuals of a frame tell less than independent ones.
    """

    noise: float
    keep: NDArray[np.bool_]
    dispersion: float = 1.0

    @property
    def variance(self) -> float:
        """Pixels squared: what squared residuals are divided by."""
        return self.noise**2 * self.dispersion

    @property
    def loss(self) -> Loss:
        """The loss at the scale of the noise."""
        return Loss(LOSS_SCALE * self.noise, self.keep)


def make_yardstick(solution: Solution) -> Yardstick:
    """That of the solution with the least noise, its dispersion included."""
    measure = Yardstick(solution.sigma, solution.keep)
    return replace(measure, dispersion=dispersion(solution, measure))


def log_evidence(solution: Solution, measure: Yardstick) -> float:
    """Logarithm of the probability density of the corners, up to what all models of the same frames have in common."""
    arrow = _equations(solution, measure)
    reduced, _, inverses = eliminate(arrow)
    determinant = np.linalg.slogdet(reduced / measure.variance)[1] + _log_determinants(inverses, measure)
    cost = measure.loss.cost(solution.fit.residuals) / measure.variance
    return -cost - float(_lens_costs(solution).sum()) - _shape_cost(solution) - 0.5 * determinant


def lens_evidences(solution: Solution, measure: Yardstick) -> Array:
    """(n_lenses,) each lens's share of the evidence: its cameras' corners, its prior, its own covariance."""
    problem, spec = solution.problem, solution.spec
    reduced = eliminate(_equations(solution, measure))[0] / measure.variance
    covariance = np.linalg.pinv(reduced, hermitian=True)
    lens_of, shares, first = problem.lens_of[solution.camera_of], -_lens_costs(solution), 0
    for lens, free in enumerate(spec.free):
        own = slice(first, first + int(free.sum()))
        first = own.stop
        part = replace(measure.loss, keep=measure.keep & (lens_of == lens))
        shares[lens] -= part.cost(solution.fit.residuals) / measure.variance
        shares[lens] += 0.5 * np.linalg.slogdet(covariance[own, own])[1]
    return shares


def dispersion(solution: Solution, measure: Yardstick) -> float:
    """Variance of the lenses' unknowns if only whole frames are independent, relative to that of independent corners.

    The mean over the unknowns, at least 1 (Varin, Reid and Firth 2011, "An overview of composite likelihood methods",
    section 2.3; the scores are those of the frames).
    """
    n = solution.spec.n_lens_free
    if not n:
        return 1.0
    whole = _equations(solution, measure)
    inverse = np.linalg.pinv(eliminate(whole)[0], hermitian=True)
    scores = np.stack([_score(solution, measure, whole, frame) for frame in range(len(solution.frames))])
    moved = scores @ inverse[:, :n]
    ratio = np.einsum("ij,fi,fj->", np.linalg.pinv(inverse[:n, :n], hermitian=True), moved, moved)
    return max(1.0, float(ratio) / (n * measure.noise**2))


def _score(solution: Solution, measure: Yardstick, whole: Arrow, frame: int) -> Array:
    """(n_global,) derivative of one frame's cost by the global unknowns, the frame's pose following them."""
    part, alone, seen = part_of_frames(solution, frame, frame + 1)
    residuals = solution.fit.residuals[seen]
    weights = replace(measure.loss, keep=measure.keep[seen]).weights(residuals)
    spec = replace(solution.spec, prior=None)
    arrow = normal_equations(
        part, replace(spec, shape_sigma=_NO_PRIOR if spec.shape_sigma else None), alone, weights, residuals
    )
    return arrow.u - whole.W[frame].T @ np.linalg.solve(solvable(whole.V[frame : frame + 1])[0], arrow.v[0])


_NO_PRIOR = 1e9  # of the board's shape, world units for each pixel: none


def _equations(solution: Solution, measure: Yardstick) -> Arrow:
    """The normal equations at the solution, with residuals, weights and priors as the yardstick says."""
    spec = replace(solution.spec, variance=measure.variance)
    if spec.shape_sigma is not None:
        spec = replace(spec, shape_sigma=_shape_sigma(solution) / np.sqrt(measure.variance))
    weights = measure.loss.weights(solution.fit.residuals)
    return normal_equations(solution.state, spec, solution.views, weights, solution.fit.residuals)


def _log_determinants(inverses: Array, measure: Yardstick) -> float:
    """Of the frames' blocks, from the inverses (n_frames, 6, 6) of their Cholesky factors."""
    diagonals = np.log(np.diagonal(inverses, axis1=1, axis2=2))
    return float(-2 * diagonals.sum() - diagonals.size * np.log(measure.variance))


def _lens_costs(solution: Solution) -> Array:
    """(n_lenses,) minus the logarithm of each lens's prior density at the solution."""
    spec = solution.spec
    if spec.prior is None:
        return np.zeros(len(spec.free))
    return spec.prior.costs(solution.state.lens, spec.fisheye, spec.free) - spec.prior.log_peaks(
        solution.state.lens, spec.fisheye, spec.free
    )


def _shape_cost(solution: Solution) -> float:
    """Minus the logarithm of the prior density of the board's shape; 0 where it is as printed."""
    spec = solution.spec
    if spec.shape_sigma is None:
        return 0.0
    sigma = _shape_sigma(solution)
    return float(
        0.5 * ((solution.state.points - spec.nominal) ** 2).sum() / sigma**2 + spec.nominal.size * np.log(sigma)
    )


def _shape_sigma(solution: Solution) -> float:
    """Standard deviation expected of a corner's displacement, world units."""
    assert solution.spec.shape_sigma is not None
    return solution.spec.shape_sigma * float(np.sqrt(solution.spec.variance))
