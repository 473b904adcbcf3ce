"""What is known before looking: the movement of the angles, and a body near the one declared."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...numerics.arrays import Array
from ..bodies.kinematic_tree import Body
from .body_state import State
from .movement.angle_prior import AnglePrior
from .pixel_noise import PixelNoise

_FOUND_SIZE = 0.05  # share by which the size that was found in points may be off, at least
_MEASURED_SIZE = 0.02  # share by which the size that the bones show may be off
_BUILD = 2.0  # of the logarithm of `Model.build`: bodies are declared within a factor e of the places' spread


@dataclass(frozen=True, eq=False)
class Model:
    """Everything but the unknowns.

    prior, noise : of the angles and the pixels
    mean, precision : (n_constants,), (n_constants, n_constants) prior of `State.constants`
    volume : (n_shape,) gradient of the log volume of angles that fit, see `volume_gradient`
    deviation_std : (n_markers,) prior spread of the markers' deviations
    deviation_keep : their correlation from frame to frame
    size : of the body over the declared one
    build : variance of the markers' and joints' places over the declared one
    """

    body: Body
    prior: AnglePrior
    noise: PixelNoise
    mean: Array
    precision: Array
    volume: Array
    deviation_std: Array
    deviation_keep: float
    size: float = 1.0
    build: float = 1.0

    @property
    def spreads(self) -> Array:
        """(2,) of the constant errors, and of the places of markers and joints."""
        return np.array([self.noise.bias_std.mean(), self.build])

    def cost(self, state: State) -> float:
        """Minus the log prior up to a constant."""
        off = state.constants - self.mean
        volume = float(self.volume @ off[: len(self.volume)])
        return self.prior.cost(state.angles) + 0.5 * float(off @ self.precision @ off) - volume

    def gradient(self, state: State) -> Array:
        """(n_constants,) of the log prior of the constants."""
        gradient = -self.precision @ (state.constants - self.mean)
        gradient[: len(self.volume)] += self.volume
        return gradient

    def with_noise(self, noise: PixelNoise) -> Model:
        """With learned noise; its constant part is the prior of the biases."""
        n_shape, precision = len(self.volume), self.precision.copy()
        index = np.arange(n_shape, len(precision))
        precision[index, index] = np.repeat(noise.bias_std.T.ravel() ** -2.0, 2)
        return replace(self, noise=noise, precision=precision)

    def with_build(self, offsets: Array, variance: Array) -> Model:
        """With the spread of places that these offsets (n_offsets,) and their variances make likely (MacKay 1992), the
        mean of its logarithm: one factor for all, since those of most limbs cannot be told from angles."""
        n_lengths, n_shape, precision = len(self.body.lengths), len(self.volume), self.precision.copy()
        index = np.arange(n_lengths, n_shape)
        own = precision[index, index]
        known, squares = (1 - own * variance).sum(), self.build * (own * offsets**2).sum()
        log_build = np.linspace(-8, 4, 241)
        cost = 0.5 * (known * log_build + squares * np.exp(-log_build) + (log_build / _BUILD) ** 2)
        density = np.exp(cost.min() - cost)
        build = float(np.exp(density @ log_build / density.sum()))
        precision[index, index] *= self.build / build
        return replace(self, precision=precision, build=build)

    def resized(self, lengths: Array) -> Model:
        """With a body in the size of these lengths: places on segments that are no bone's end are as far out as they
        are long. The prior of the lengths stays where it is: one that followed what it had led to would drift."""
        own = self.body.lengths
        if not len(own):
            return self
        size = probable_size(self.body, self.size * float(lengths @ own / (own @ own)))
        body = self.body.scaled(size / self.size)
        return replace(self, body=body, size=size)


def probable_size(body: Body, measured: float) -> float:
    """An animal's size over the body's, given the size that its bones show."""
    share = body.size_spread**2 / (body.size_spread**2 + _MEASURED_SIZE**2)
    return float(np.exp(share * np.log(measured)))


def shape_precision(body: Body, build: float = 1.0, size_std: float = 0.0) -> Array:
    """(n_shape, n_shape) of lengths and offsets, in this order, about those of a body in the animal's size, of which
    `size_std` is the standard deviation, a share; `build` is the variance of the offsets over the declared one."""
    plan, lengths = body.plan, body.lengths
    size = min(body.size_spread, max(size_std, _FOUND_SIZE))
    covariance = np.diag((body.length_spread * lengths) ** 2) + size**2 * np.outer(lengths, lengths)
    std = np.repeat([body.marker_std, body.joint_std], [plan.n_markers, plan.n_points - plan.n_markers])
    std[plan.n_markers] = 1e-3 * body.joint_std  # the root's joint is placed by its angles
    precision = np.zeros((plan.n_lengths + 3 * plan.n_points,) * 2)
    precision[: plan.n_lengths, : plan.n_lengths] = np.linalg.inv(covariance) if plan.n_lengths else 0.0
    index = np.arange(plan.n_lengths, len(precision))
    precision[index, index] = np.repeat(std**-2.0, 3) / build
    return precision
