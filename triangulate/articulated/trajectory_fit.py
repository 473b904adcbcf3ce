"""Joint angles of all frames at once: Gauss-Newton on the pixels, with noise and priors learned on the way.

Sought are x (angles, lengths, offsets, constant errors of the pixels), z (what each pixel shows) and h (spreads and
correlations of the noise, precisions and course of the angles, spread of the places, size), of the posterior

    p(x, z, h | pixels) ~ p(pixels | x, z, h) p(z | h) p(angles | h) p(lengths, offsets | h) p(constant errors | h) p(h)

A round takes three steps. x: a damped Gauss-Newton step that lowers `Solver.linearise`'s cost, minus the log of the
above with z weighed by its posterior, less the log volume of the angles that fit (Laplace), so that lengths and offsets
are the most likely ones of all these angles. z: posterior of each pixel's chain, forwards and backwards. h: the most
likely values given the moments of x and z (expectation maximisation; MacKay's fixed point for variances). The result is
a fixed point of the rounds: `Fit.converged` says that another would hardly move a marker. Not each round raises the
posterior of h itself: volume and moments are those of the linearised model.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...numerics.arrays import Array
from ...numerics.levenberg_marquardt import Linearised, minimise_with_damping
from ..bodies.angle_volume import volume_gradient
from ..bodies.forward_kinematics import Kinematics
from ..bodies.kinematic_tree import Body
from .arrow_system import ArrowSystem, Eliminated, Posterior, assemble
from .body_prior import Model, shape_precision
from .body_state import State, by_shape
from .marker_deviations import LASTS, Deviations
from .movement.angle_prior import AnglePrior
from .movement.movement_choice import compared
from .pixel_noise import INLIER, PixelNoise, learn_noise, predictions
from .pixel_terms import (
    OffsetTerms,
    Pixels,
    Sight,
    error_products,
    look,
    marker_covariances,
    offset_terms,
    pixel_spread,
    residuals_at,
    terms_of,
    weigh,
    weighted_residuals,
)

_ROUNDS, _ROUNDS_OF_SOLVING = 6, 2  # at least: of solving and learning, and where nothing is learned
_USUAL_OFFSET = 1.0  # frames: prior standard deviation of a camera's time offset
_LONGEST_STEP = 1.0  # frames that an offset moves in a round
_MORE_ROUNDS = 24  # at most, until markers and spreads have settled
_SETTLED = 0.2  # change of the logarithm of the constant errors or of the build
_AT_REST = 0.1  # standard deviations that the markers are, root mean square, from where the rounds would lead them


@dataclass(frozen=True, eq=False)
class Fit:
    """weights (n_cameras, n_frames, n_markers, 3) of inlier, outlier and swapped; covariances_3d of the markers;
    information (n_angles, n_angles) of the pixels on a shift of the angles of all frames; deviations of the markers."""

    state: State
    model: Model
    weights: Array
    posterior: Posterior
    markers: Array
    covariances_3d: Array
    information: Array
    pixels: Pixels
    deviations: Deviations
    converged: bool


def fit_trajectory(
    pixels: Pixels, model: Model, state: State, covariances_3d: Array, *, learn: bool = True,
    find_offsets: bool = False, root: Array | None = None,
) -> Fit:  # fmt: skip
    """From a start whose markers have these covariances (n_frames, n_markers, 3, 3); noise and prior are learned from
    round to round unless told otherwise, the cameras' time offsets if asked for. Where the `root` of the constants'
    covariance is given, they stay as they are in `state`, and so does all that is learned but the angles' prior: how
    much an animal moves changes in a recording."""
    weights = np.where(pixels.seen, pixels.prior_probability, 0.0)
    deviations = Deviations.none(len(state.angles), 2 * len(pixels.rig), model.deviation_std, model.deviation_keep)
    places, moved, settled = state.markers(model.body), np.inf, False
    segments = np.asarray(model.body.plan.tree.segment_of_turns(), np.int64)
    n_least = _ROUNDS if learn else _ROUNDS_OF_SOLVING
    n_most = n_least + _MORE_ROUNDS
    for number in range(1, n_most + 1):
        solver = Solver(pixels, model, covariances_3d, weights, deviations, shape_known=root is not None)
        # with three steps a sprint takes a sixth longer and a rat of rigid markers lies 7.4 instead of 5.5 mm off, but
        # three markers with white noise before three cameras lie 0.55 instead of 0.59 mm off
        state = minimise_with_damping(state, solver.linearise, max_iterations=1, tolerance=0.0).state
        kinematics = state.kinematics(model.body)
        shape = by_shape(model.body, kinematics)
        sight = look(pixels, kinematics.markers, state.biases)
        posteriors = solver.weigh(sight, kinematics.markers, state)
        solver.weights = weights = posteriors[..., INLIER]
        system = solver.system(state, kinematics, sight)
        if root is None:
            solved = system.eliminated()
            posterior = solved.covariance()
        else:
            solved, posterior = None, system.covariance_given(root)
        if deviations.std.any():
            deviations = deviations.solved(terms_of(sight, solver.precision_about_markers(sight, weights)))
        step = _step(kinematics.markers - places, covariances_3d)
        if number == n_most or (number >= n_least and settled):
            break
        products, covariances_3d = error_products(sight, kinematics.by_angles, shape, posterior, deviations)
        before = model
        if root is None:
            shares = model.prior.shown(state.angles, posterior.lagged, segments)
            volume = volume_gradient(
                model.body, kinematics, solver.marker_information, posterior.lagged, posterior.follows, shares
            )
            model = replace(model, volume=volume)
        if learn:
            model = replace(model, prior=model.prior.learned(state.angles, posterior.lagged))
            if root is None:
                model = learned(
                    model, state, posterior, sight, products, posteriors, pixels.as_given(posteriors), number > 1
                )
                own = (kinematics.by_angles @ posterior.lagged[:, 0][:, None]) @ kinematics.by_angles.swapaxes(-1, -2)
                deviations = deviations.learned(own, model.deviation_std)
            if model.prior.trained is not None and number > 1:
                model = replace(model, prior=compared(model.prior, before.prior, system, state.angles))
                step = np.inf
        settled = step**2 < _AT_REST * (moved - step)
        settled &= bool((np.abs(np.log(model.spreads / before.spreads)) < _SETTLED).all())
        places, moved = kinematics.markers, step
        pixels, weights = pixels.put_back(posteriors)
        if find_offsets and solved is not None:
            terms = offset_terms(
                sight, kinematics.markers, solver.precision, kinematics.by_angles, shape, len(model.volume)
            )
            pixels, state = with_offsets(pixels, state, terms, solved)
    covariances_3d = marker_covariances(kinematics.by_angles, shape, posterior, deviations)
    covariances_3d += (_common_to_views(model, deviations) ** 2)[:, None, None] * np.eye(3)
    return Fit(state, model, posteriors, posterior, kinematics.markers + deviations.mean, covariances_3d,
               solver.information, pixels, deviations, settled and step < _AT_REST)  # fmt: skip


def _common_to_views(model: Model, deviations: Deviations) -> Array:
    """(n_markers,) standard deviation along each axis of what all views err alike, and no residual shows: a part of
    what markers are off their places, and, of what lasts for some frames, of their deviations from these."""
    over_time, places = model.noise.over_time, np.sqrt(model.build) * model.body.marker_std
    constant = over_time.displacement if model.noise.known else np.minimum(over_time.displacement, places)
    return np.hypot(constant, np.minimum(over_time.common, deviations.std))


def _step(moved: Array, covariances_3d: Array) -> float:
    """Root mean square of markers' moves (n_frames, n_markers, 3), in standard deviations. Steps that fall by a factor
    r from one to the next end after another r / (1 - r) of the last."""
    variances = np.trace(covariances_3d, axis1=-2, axis2=-1)
    return float(np.sqrt(((moved**2).sum(axis=-1) / variances).mean()))


def learned(
    model: Model, state: State, posterior: Posterior, sight: Sight, products: Array, posteriors: Array, given: Array,
    shaped: bool,
) -> Model:  # fmt: skip
    """With the noise that this posterior makes most likely; `products` of `error_products`, `given` the posteriors of
    the pixels as they were given; the spread of the places and the size only if `shaped`: if the volume of the angles
    was counted."""
    n_lengths, n_shape = len(state.lengths), len(model.volume)
    variance = (posterior.root**2).sum(axis=1)
    of_biases = variance[n_shape:].reshape(state.biases.swapaxes(0, 1).shape).swapaxes(0, 1)
    weights = posteriors[..., INLIER]
    squares, _ = sight.scales(weights)
    pixels = np.sqrt(squares.sum(axis=0) / np.maximum((squares > 0).sum(axis=0), 1))
    pixels = np.where(pixels > 0, pixels, np.inf)
    noise = learn_noise(model.noise, products, weights, sight.seen, given, state.biases, of_biases, pixels)
    model = model.with_noise(noise)
    if not shaped:
        return model
    return model.with_build(state.offsets.ravel(), variance[n_lengths:n_shape]).resized(state.lengths)


def with_offsets(pixels: Pixels, state: State, terms: OffsetTerms, solved: Eliminated) -> tuple[Pixels, State]:
    """A Gauss-Newton step of the cameras' time offsets, whose median stays 0, and of all that follows them."""
    angles, constants = solved.solve_all(terms.angle_border, terms.constant_border)
    follows = np.einsum("tdc,tde->ce", terms.angle_border, angles) + terms.constant_border.T @ constants
    prior = np.eye(len(follows)) * _USUAL_OFFSET**-2.0
    step = np.linalg.solve(np.diag(terms.information) - follows + prior, terms.gradient - prior @ pixels.offsets)
    step = np.clip(step - np.median(pixels.offsets + step), -_LONGEST_STEP, _LONGEST_STEP)
    return replace(pixels, offsets=pixels.offsets + step), state.moved(-angles @ step, -constants @ step)


class Solver:
    """The linearisation of one round.

    Angles and shape are solved for, the constant errors of the pixels set to their mode before: all together take three
    times as long. With `shape_known` the angles alone are sought.
    """

    def __init__(
        self, pixels: Pixels, model: Model, covariances_3d: Array, weights: Array, deviations: Deviations,
        shape_known: bool = False,
    ):  # fmt: skip
        self.pixels, self.model, self.covariances_3d, self.weights = pixels, model, covariances_3d, weights
        self.deviations, self.shape_known = deviations, shape_known

    def weigh(self, sight: Sight, markers: Array, state: State) -> Array:
        spread = pixel_spread(sight, self.covariances_3d)
        if self.deviations.std.any():
            sight, markers = sight.moved(self.deviations.mean), markers + self.deviations.mean
        return weigh(
            self.pixels, self.model.noise, sight, markers, state.biases, spread, self.weights, self.model.prior.reach
        )

    def system(
        self, state: State, kinematics: Kinematics, sight: Sight, *, shape_known: bool = False,
        biases_known: bool = False,
    ) -> ArrowSystem:  # fmt: skip
        model, n_shape = self.model, 0 if shape_known else len(self.model.volume)
        self.precision = self.pixel_precision(sight)
        terms = terms_of(sight, self.precision)
        terms = terms.without_biases() if biases_known else terms
        self.marker_information = terms.information
        shape = by_shape(model.body, kinematics) if n_shape else []
        system = assemble(kinematics.by_angles, shape, n_shape, terms)
        later = system.blocks[:, 1:].sum(axis=(0, 1))
        self.information = system.blocks[:, 0].sum(axis=0) + later + later.T
        model.prior.add_to(system.blocks, system.angle_gradient, state.angles)
        n = len(system.corner)
        system.corner[:] += model.precision[:n, :n]
        system.constant_gradient[:] += model.gradient(state)[:n]
        return system

    def with_biases(self, state: State, sight: Sight) -> tuple[State, Sight]:
        """The state with the biases at their mode, and the sight of it."""
        precision, n_shape = self.pixel_precision(sight), len(self.model.volume)
        wanted = weighted_residuals(sight.residuals + state.biases[:, None] * sight.seen[..., None], precision)
        rows = weighted_residuals(np.ones_like(sight.residuals) * sight.seen[..., None], precision).sum(axis=1)
        shape = state.biases.swapaxes(0, 1).shape
        prior = np.diag(self.model.precision)[n_shape:].reshape(shape).swapaxes(0, 1)
        mean = self.model.mean[n_shape:].reshape(shape).swapaxes(0, 1)
        biases = (wanted.sum(axis=1) + prior * mean) / (rows + prior)
        moved = sight.residuals - (biases - state.biases)[:, None] * sight.seen[..., None]
        return replace(state, biases=biases), replace(sight, residuals=moved)

    def pixel_precision(self, sight: Sight) -> Array:
        """Of errors about the places on the segments."""
        weights = np.where(sight.seen, self.weights, 0.0)
        errors = self.model.noise.errors(self.model.prior.reach)
        if self.deviations.std.any():
            errors = self.deviations.added_to(errors, *sight.scales(weights))
        return predictions(errors, weights).precision(errors) * sight.seen[..., None]

    def precision_about_markers(self, sight: Sight, weights: Array) -> Array:
        errors = self.model.noise.errors(self.model.prior.reach)
        return predictions(errors, np.where(sight.seen, weights, 0.0)).precision(errors) * sight.seen[..., None]

    def linearise(self, state: State) -> Linearised[State]:
        model, kinematics = self.model, state.kinematics(self.model.body)
        sight = look(self.pixels, kinematics.markers, state.biases)
        self.weights = self.weigh(sight, kinematics.markers, state)[..., INLIER]
        if not self.shape_known:
            state, sight = self.with_biases(state, sight)
        system = self.system(state, kinematics, sight, shape_known=self.shape_known, biases_known=True)
        precision = self.precision

        def cost(there: State, residuals: Array) -> float:
            residuals = np.where(sight.seen[..., None], np.nan_to_num(residuals), 0.0)
            likelihood = 0.5 * float((residuals * weighted_residuals(residuals, precision)).sum())
            return likelihood + model.cost(there)

        def step(damping: float) -> tuple[State, float]:
            angles, constants = system.step(damping)
            there = state.moved(angles, constants)
            return there, cost(there, residuals_at(self.pixels, there.markers(model.body), there.biases))

        return Linearised(cost(state, sight.residuals), step)


def first_model(
    body: Body, fps: float, order: int | None, state: State, noise: PixelNoise, size: float, size_std: float,
    trained: Array | None,
) -> Model:  # fmt: skip
    """What a fit begins with; `order` as of `fit_body`, `size` and its standard deviation over the declared one,
    `trained` as of `AnglePrior`."""
    n_frames = len(state.angles)
    reach = min(order or 3, max(2, n_frames - 1))
    prior = AnglePrior.of(body, fps, reach, state.angles[:, :3].mean(axis=0), order, trained)
    shape, n_biases = shape_precision(body, size_std=size_std), state.biases.size
    mean = np.concatenate([body.lengths, np.zeros(state.offsets.size + n_biases)])
    precision = np.zeros((len(mean), len(mean)))
    precision[: len(shape), : len(shape)] = shape
    deviation = np.full(body.plan.n_markers, body.deviation_std)
    keep = float(np.exp(-1 / (LASTS * fps)))
    return Model(body, prior, noise, mean, precision, np.zeros(len(shape)), deviation, keep, size).with_noise(noise)
