"""What is known before looking: smooth angles within soft limits, and a body near the one declared."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...numerics.arrays import Array
from ..bodies.kinematic_tree import Body
from .body_state import State
from .pixel_noise import PixelNoise
from .time_course import TimeCourse, probable_course

_TURN_ACCELERATION = 300.0  # radians per second squared, to start from: 40 degrees at 3 to 4 strides a second
_ROOT_ACCELERATION = 40.0  # body sizes per second squared
_LIMIT_STD = np.radians(3.0)  # by how much an angle passes its limit
_FREE_PLACE = 100.0  # body sizes: standard deviation of the root's place
_FOUND_SIZE = 0.05  # share by which the size that was found in points may be off, at least
_MEASURED_SIZE = 0.02  # share by which the size that the bones show may be off
_PSEUDO = 0.5  # differences that the start counts as, when the precision of all turns is learned
_POOLED = 1.0  # differences that the precision of all turns counts as, for one turn
_LEAST_KNOWN = 1e-9  # innovations: of a turn that no pixel determines
_ROOT, _TURNS = slice(0, 4), slice(4, None)  # place and heading, which return to no posture, and all other angles
_BUILD = 2.0  # of the logarithm of `Model.build`: bodies are declared within a factor e of the places' spread
_FASTEST = 10.0  # by which a precision changes at once


@dataclass(frozen=True, eq=False)
class AnglePrior:
    """Angles change in time by these courses, driven by white noise of these precisions (n_angles,); levels are near
    the middle of the limits, and beyond the limits a cost grows.

    courses : of the root, whose differences are white, and of the turns, the most likely of some candidates
    order : of the turns' course if it is given, else None
    typical : (n_angles,) precisions to start from; middle, level : (n_angles,), the latter a precision for all frames
    together; low, high : (n_angles,); fps : frames per second
    change, step : (n_angles,) what the last update wanted to add to the logarithm of a precision, and the share taken
    """

    courses: tuple[TimeCourse, TimeCourse]
    order: int | None
    precisions: Array
    typical: Array
    middle: Array
    level: Array
    low: Array
    high: Array
    fps: float
    change: Array
    step: Array

    @classmethod
    def of(cls, body: Body, fps: float, reach: int, middle: Array, order: int | None = None) -> AnglePrior:
        """For a body whose root is about `middle` (3,)."""
        size = body_size(body)
        acceleration = np.full(body.plan.n_angles, _TURN_ACCELERATION)
        acceleration[:3] = _ROOT_ACCELERATION * size
        # of a stride of 3 Hz, each further difference is smaller by its angular frequency per frame
        typical = (acceleration / fps**2 * (20.0 / fps) ** (reach - 2)) ** -2.0
        low, high = body.limits.T
        spread = np.where(np.isfinite(low), 0.25 * (high - low), 2 * np.pi)
        spread[:3] = _FREE_PLACE * size
        centre = 0.5 * (np.where(np.isfinite(low), low, 0.0) + np.where(np.isfinite(high), high, 0.0))
        centre[:3] = middle
        plain = TimeCourse.differences(order or reach, reach)
        return cls(
            (TimeCourse.differences(reach, reach), plain),
            order,
            typical,
            typical,
            centre,
            spread**-2.0,
            low,
            high,
            fps,
            np.zeros(len(typical)),
            np.ones(len(typical)),
        )

    @property
    def reach(self) -> int:
        """Frames that an angle depends on."""
        return self.courses[0].reach

    def beyond(self, angles: Array) -> Array:
        """By how much angles pass their limits, negative below the lower one."""
        return np.maximum(angles - self.high, 0.0) + np.minimum(angles - self.low, 0.0)

    def add_to(self, blocks: Array, gradient: Array, angles: Array) -> None:
        """The prior's precision and gradient at angles (n_frames, n_angles), in place."""
        index, n_frames = np.arange(angles.shape[1]), len(angles)
        blocks[:, : self.reach + 1, index, index] += self.gram(n_frames) * self.precisions
        beyond = self.beyond(angles)
        blocks[:, 0, index, index] += self.level / n_frames + (beyond != 0) / _LIMIT_STD**2
        for own, first, rows in self._rows(n_frames):
            weighted = _innovations(angles[:, own], first, rows) * self.precisions[own]
            for i, weights in enumerate(rows.T):
                np.subtract.at(gradient[:, own], first + i, weights[:, None] * weighted)
        gradient -= self.level / n_frames * (angles - self.middle) + beyond / _LIMIT_STD**2

    def gram(self, n_frames: int) -> Array:
        """(n_frames, reach + 1, n_angles) precision of an angle with that 0, 1, ... frames later, of innovations of
        precision 1."""
        gram = np.zeros((n_frames, self.reach + 1, len(self.precisions)))
        for own, first, rows in self._rows(n_frames):
            for i in range(rows.shape[1]):
                for lag in range(rows.shape[1] - i):
                    np.add.at(gram[:, lag, own], first + i, (rows[:, i] * rows[:, i + lag])[:, None])
        return gram

    def cost(self, angles: Array) -> float:
        """Minus the log density up to a constant."""
        squares = self.precisions * self._squares(angles)[0]
        level = self.level / len(angles) * (angles - self.middle) ** 2
        return 0.5 * float(squares.sum() + level.sum() + (self.beyond(angles) ** 2).sum() / _LIMIT_STD**2)

    def learned(self, angles: Array, lagged: Array) -> AnglePrior:
        """With the turns' course and the precisions that the angles and their posterior covariances (n_frames, reach +
        1, n_angles, n_angles) make most likely (MacKay 1992)."""
        own = np.einsum("tlaa->tla", lagged)[:, : self.reach + 1]
        course = probable_course(self.reach, self.order, angles[:, _TURNS], own[..., _TURNS], self.fps)
        return replace(self, courses=(self.courses[0], course))._with_precisions(angles, own)

    def _with_precisions(self, angles: Array, own: Array) -> AnglePrior:
        known, squares = self._known_innovations(angles, own)
        # a turn that is poorly seen would be taken for stiff: it moves like the others
        typical = self.typical.copy()
        typical[_TURNS] = (known[_TURNS].sum() + _PSEUDO) / (squares[_TURNS].sum() + _PSEUDO / typical[_TURNS].mean())
        pseudo = np.full(len(known), _PSEUDO)
        pseudo[_TURNS] = _POOLED
        found = (known + pseudo) / (squares + pseudo / typical)
        wanted = np.log(np.clip(found / self.precisions, 1 / _FASTEST, _FASTEST))
        # where few innovations are known the update overshoots, and would swing between two values for ever
        turned = wanted * self.change < 0
        step = np.where(turned, 0.5 * self.step, np.minimum(1.5 * self.step, 1.0))
        return replace(self, precisions=self.precisions * np.exp(step * wanted), change=wanted, step=step)

    def shown(self, angles: Array, lagged: Array, segments: NDArray[np.int64]) -> Array:
        """(n_angles,) sum of the squares of the innovations, over the number that the pixels determine, both of all
        turns of a segment; `segments` (n_turns,) of the turns.

        It is 1 at the most likely precisions, and less where the prior is looser than the animal moves.
        """
        own = np.einsum("tlaa->tla", lagged)[:, : self.reach + 1]
        known, squares = self._known_innovations(angles, own)
        seen, moved = (np.bincount(segments, of_turns[3:])[segments] for of_turns in (known, self.precisions * squares))
        shares = np.minimum(moved / np.maximum(seen, _LEAST_KNOWN), 1.0)
        return np.concatenate([np.ones(3), shares])

    def _known_innovations(self, angles: Array, own: Array) -> tuple[Array, Array]:
        """(n_angles,) twice: number of the innovations that the pixels determine, and sum of the squares of all; own
        (n_frames, reach + 1, n_angles) covariances with 0, 1, ... frames later."""
        gram, (squares, n_rows) = self.gram(len(angles)), self._squares(angles)
        variance = 2 * (gram * own).sum(axis=(0, 1)) - (gram[:, 0] * own[:, 0]).sum(axis=0)
        return np.clip(n_rows - self.precisions * variance, 0.0, n_rows), squares

    def _squares(self, angles: Array) -> tuple[Array, Array]:
        """(n_angles,) twice: sum of the squares of the innovations, and their number."""
        squares, n_rows = np.zeros((2, angles.shape[1]))
        for own, first, rows in self._rows(len(angles)):
            squares[own], n_rows[own] = (_innovations(angles[:, own], first, rows) ** 2).sum(axis=0), len(rows)
        return squares, n_rows

    def _rows(self, n_frames: int) -> list[tuple[slice, NDArray[np.int64], Array]]:
        """Angles and the rows of their course, see `TimeCourse.rows`."""
        return [(own, *course.rows(n_frames)) for own, course in zip((_ROOT, _TURNS), self.courses, strict=True)]


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


def _innovations(angles: Array, first: NDArray[np.int64], rows: Array) -> Array:
    """(n_rows, n_angles) of angles (n_frames, n_angles), see `TimeCourse.rows`."""
    return np.einsum("ri,ria->ra", rows, angles[first[:, None] + np.arange(rows.shape[1])])


def body_size(body: Body) -> float:
    """Largest extent of the rest pose, units of the body."""
    from ..bodies.rest_pose import rest_places

    places = rest_places(body)
    return float(np.linalg.norm(np.ptp(places, axis=0)))


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
