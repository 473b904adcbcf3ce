"""Bundle adjustment over board poses: all cameras, all lenses, and six unknowns per frame.

Outliers are met by iterative reweighting, the scale of the loss being a robust estimate of the noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...cameras.rotations import moved
from ...numerics.arrays import Array
from ...numerics.levenberg_marquardt import Linearised, minimise_with_damping
from .arrow_equations import normal_equations, residuals_of, solve_arrow
from .bundle_unknowns import BundleSpec, BundleState, Loss, Views

_DAMPING = 1e-6  # of the first step: from 1e-4 on, up to a quarter more iterations lead to the same minimum
_HALVINGS = 3  # of a step that would fold a lens; a still shorter one gains so little that it passes for the last


@dataclass(frozen=True, eq=False)
class BundleFit:
    """A minimum: its state, residuals (n_obs, 2) observed minus projected in pixels, whether the steps died out."""

    state: BundleState
    residuals: Array
    cost: float
    converged: bool
    n_iterations: int


def apply_step(state: BundleState, spec: BundleSpec, step: Array, frames: Array) -> BundleState:
    """The state after a step of all unknowns."""
    lens = state.lens.copy()
    lens[spec.free] += step[: spec.n_lens_free]
    motion = np.zeros((len(state.R), 6))
    motion[spec.free_pose] = step[spec.n_lens_free : spec.delay_start].reshape(-1, 6)
    delay = state.delay.copy()
    delay[spec.free_delay] += step[spec.delay_start : spec.shape_start]
    R, t = moved(state.R, state.t, motion)
    frame_R, frame_t = moved(state.frame_R, state.frame_t, frames)
    points = state.points + step[spec.shape_start :].reshape(-1, 3) if spec.shape_sigma is not None else state.points
    return BundleState(lens, R, t, frame_R, frame_t, points, delay)


def possible_step(state: BundleState, spec: BundleSpec, step: Array, frames: Array) -> tuple[BundleState, float]:
    """As `apply_step`, the step halved some times while a lens folds (larger dampings shorten it more slowly), and the
    cost of the lenses."""
    for _ in range(_HALVINGS + 1):
        trial = apply_step(state, spec, step, frames)
        lenses = _lens_cost(trial, spec)
        if np.isfinite(lenses):
            break
        step, frames = 0.5 * step, 0.5 * frames
    return trial, lenses


def _lens_cost(state: BundleState, spec: BundleSpec) -> float:
    """Cost of the prior on the lenses; infinite where one folds."""
    return 0.0 if spec.prior is None else spec.variance * spec.prior.cost(state.lens, spec.fisheye, spec.free)


def _total_cost(state: BundleState, spec: BundleSpec, residuals: Array, loss: Loss, lenses: float) -> float:
    """Robust cost of the residuals, and the priors on lenses and board shape."""
    shape = 0.0
    if spec.shape_sigma is not None:
        shape = 0.5 * float(((state.points - spec.nominal) ** 2).sum()) / spec.shape_sigma**2
    return loss.cost(residuals) + (lenses + shape)


def minimise(
    state: BundleState, spec: BundleSpec, views: Views, loss: Loss, *, max_iterations: int = 50, tolerance: float = 1e-7
) -> BundleFit:
    """Levenberg-Marquardt to the nearest minimum of the robust cost; ends at a relative gain < `tolerance`."""

    def linearise(here: tuple[BundleState, Array, float]) -> Linearised:
        state, residuals, cost = here
        arrow = normal_equations(state, spec, views, loss.weights(residuals), residuals)

        def step(damping: float) -> tuple[tuple[BundleState, Array, float], float]:
            trial, lenses = possible_step(state, spec, *solve_arrow(arrow, damping))
            trial_residuals = residuals_of(trial, spec, views)
            trial_cost = _total_cost(trial, spec, trial_residuals, loss, lenses)
            return (trial, trial_residuals, trial_cost), trial_cost

        return Linearised(cost, step)

    residuals = residuals_of(state, spec, views)
    start = state, residuals, _total_cost(state, spec, residuals, loss, _lens_cost(state, spec))
    found, converged, n_iterations = minimise_with_damping(
        start, linearise, max_iterations=max_iterations, tolerance=tolerance, damping=_DAMPING
    )
    return BundleFit(*found, converged, n_iterations)
