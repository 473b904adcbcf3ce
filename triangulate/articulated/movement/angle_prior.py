"""What is known of angles before looking: they change smoothly, within soft limits."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ....numerics.arrays import Array
from ...bodies.kinematic_tree import Body
from ...bodies.rest_pose import rest_size
from .time_course import TimeCourse, gram_of, probable_course
from .turn_covariance import TurnCovariance

_TURN_ACCELERATION = 300.0  # radians per second squared, to start from: 40 degrees at 3 to 4 strides a second
_ROOT_ACCELERATION = 40.0  # body sizes per second squared
_LIMIT_STD = np.radians(3.0)  # by how much an angle passes its limit
_FREE_PLACE = 100.0  # body sizes: standard deviation of the root's place
_PSEUDO = 0.5  # differences that the start counts as, when the precision of all turns is learned
_POOLED = 1.0  # differences that the precision of all turns counts as, for one turn
_LEAST_KNOWN = 1e-9  # innovations: of a turn that no pixel determines
FIRST_TURN = 4  # after the place and the heading, which return to no posture
_ROOT, _TURNS = slice(0, FIRST_TURN), slice(FIRST_TURN, None)
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
    trained : (n_turns, n_turns) covariance of how turns move, which is yet to be compared with this recording, or None
    together : how the turns move together; None: each on its own
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
    trained: Array | None = None
    together: TurnCovariance | None = None

    @classmethod
    def of(cls, body: Body, fps: float, reach: int, middle: Array, order: int | None = None,
           trained: Array | None = None) -> AnglePrior:  # fmt: skip
        """For a body whose root is about `middle` (3,)."""
        size = rest_size(body)
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
            trained,
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
        beyond = self.beyond(angles)
        blocks[:, 0, index, index] += self.level / n_frames + (beyond != 0) / _LIMIT_STD**2
        for own, first, rows in self._rows(n_frames):
            precision = self._precision(own)
            blocks[:, : self.reach + 1, own, own] += gram_of(first, rows, n_frames)[..., None, None] * precision
            weighted = _innovations(angles[:, own], first, rows) @ precision
            for i, weights in enumerate(rows.T):
                np.subtract.at(gradient[:, own], first + i, weights[:, None] * weighted)
        gradient -= self.level / n_frames * (angles - self.middle) + beyond / _LIMIT_STD**2

    def _precision(self, own: slice) -> Array:
        """Of the innovations of these angles."""
        if own == _TURNS and self.together is not None:
            return self.together.precision
        return np.diag(self.precisions[own])

    def cost(self, angles: Array) -> float:
        """Minus the log density up to a constant."""
        squares = sum(float((self._precision(own) * products).sum()) for own, products, _ in self._products(angles))
        level = self.level / len(angles) * (angles - self.middle) ** 2
        return 0.5 * float(squares + level.sum() + (self.beyond(angles) ** 2).sum() / _LIMIT_STD**2)

    def learned(self, angles: Array, lagged: Array) -> AnglePrior:
        """With the turns' course and the precisions that the angles and their posterior covariances (n_frames, reach +
        1, n_angles, n_angles) make most likely (MacKay 1992)."""
        own = np.einsum("tlaa->tla", lagged)[:, : self.reach + 1]
        course = probable_course(self.reach, self.order, angles[:, _TURNS], own[..., _TURNS], self.fps)
        found = replace(self, courses=(self.courses[0], course))._with_precisions(angles, own)
        if found.together is None:
            return found
        _, products, n_rows = found._products(angles)[1]
        gram = gram_of(*course.rows(len(angles)), len(angles))
        later = np.einsum("tl,tlab->lab", gram, lagged[:, : self.reach + 1, _TURNS, _TURNS])
        variance = later[0] + (later[1:] + later[1:].swapaxes(1, 2)).sum(axis=0)
        return replace(found, together=found.together.learned(products, variance, n_rows))

    @property
    def variances(self) -> Array:
        """(n_angles,) of the innovations."""
        variances = 1 / self.precisions
        if self.together is not None:
            variances[_TURNS] = np.diag(self.together.covariance)
        return variances

    def log_precision(self, n_frames: int) -> float:
        """Of the turns' innovations in all frames: the logarithm of its determinant."""
        n_rows = len(self.courses[1].rows(n_frames)[0])
        return n_rows * float(np.linalg.slogdet(self._precision(_TURNS))[1])

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

    def _known_innovations(self, angles: Array, covariances: Array) -> tuple[Array, Array]:
        """(n_angles,) twice: number of the innovations that the pixels determine, and sum of the squares of all;
        covariances (n_frames, reach + 1, n_angles) covariances with 0, 1, ... frames later."""
        parts = zip(self._rows(len(angles)), self._products(angles), strict=True)
        known, squares = np.empty((2, angles.shape[1]))
        for (own, first, rows), (_, products, n_rows) in parts:
            gram = gram_of(first, rows, len(angles))
            variance = 2 * np.einsum("tl,tla->a", gram, covariances[..., own]) - gram[:, 0] @ covariances[:, 0, own]
            known[own] = np.clip(n_rows - self.precisions[own] * variance, 0.0, n_rows)
            squares[own] = np.diag(products)
        return known, squares

    def _products(self, angles: Array) -> list[tuple[slice, Array, int]]:
        """Angles, the sum of the products of their innovations (n, n), and the number of the innovations."""
        parts = []
        for own, first, rows in self._rows(len(angles)):
            innovations = _innovations(angles[:, own], first, rows)
            parts.append((own, innovations.T @ innovations, len(rows)))
        return parts

    def _rows(self, n_frames: int) -> list[tuple[slice, NDArray[np.int64], Array]]:
        """Angles and the rows of their course, see `TimeCourse.rows`."""
        return [(own, *course.rows(n_frames)) for own, course in zip((_ROOT, _TURNS), self.courses, strict=True)]


def _innovations(angles: Array, first: NDArray[np.int64], rows: Array) -> Array:
    """(n_rows, n_angles) of angles (n_frames, n_angles), see `TimeCourse.rows`."""
    return np.einsum("ri,ria->ra", rows, angles[first[:, None] + np.arange(rows.shape[1])])
