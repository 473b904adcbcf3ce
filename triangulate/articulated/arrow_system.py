"""The normal equations of a trajectory: frames tied to the next ones, and bordered by what never changes.

Unknowns are the angles of every frame, and constants of the recording: bone lengths, offsets of markers and joints, and
the constant error of each camera and keypoint. The constants are eliminated by a Schur complement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import blas, cho_factor, cho_solve, solve_triangular

from ...numerics import block_tridiagonal
from ...numerics.arrays import Array
from ...numerics.block_tridiagonal import BlockFactor
from .body_state import ShapeDerivative


class MarkerTerms(NamedTuple):
    """A likelihood to second order about some markers.

    information : (n_frames, reach + 1, n_markers, 3, 3) of a marker with itself 0, 1, ... frames later
    gradient : (n_frames, n_markers, 3) of the log likelihood
    bias_cross : (n_frames, n_markers, 3, n_own) information between a marker and its own constant errors
    bias_information, bias_gradient : (n_markers * n_own,)
    """

    information: Array
    gradient: Array
    bias_cross: Array
    bias_information: Array
    bias_gradient: Array

    def without_biases(self) -> MarkerTerms:
        return self._replace(
            bias_cross=self.bias_cross[..., :0], bias_information=np.zeros(0), bias_gradient=np.zeros(0)
        )


@dataclass(frozen=True, eq=False)
class ArrowSystem:
    """Precision blocks (n_frames, reach + 1, n_angles, n_angles) of a frame with those after it, border (n_frames,
    n_angles, n_constants), corner (n_constants, n_constants), and the gradients of the log posterior.

    likelihood : (n_frames, n_angles) diagonal of its blocks, by a share of which steps are damped. The diagonal of a
    prior of smooth angles is 10,000 times the information on slow changes, which its share would hold back.
    """

    blocks: Array
    border: Array
    corner: Array
    angle_gradient: Array
    constant_gradient: Array
    likelihood: Array

    def step(self, damping: float) -> tuple[Array, Array]:
        """Steps of the angles (n_frames, n_angles) and the constants (n_constants,), damped.

        Raises
        ------
        np.linalg.LinAlgError : not positive definite
        """
        if not len(self.corner):
            return _solve_frames(self.factor(damping), self.angle_gradient[..., None])[..., 0], np.zeros(0)
        solved = self.eliminated(damping)
        angles, constants = solved.solve_all(self.angle_gradient[..., None], self.constant_gradient[:, None])
        return angles[..., 0], constants[:, 0]

    def factor(self, damping: float = 0.0) -> BlockFactor:
        """Of the frames alone.

        Raises
        ------
        np.linalg.LinAlgError : not positive definite
        """
        blocks, index = self.blocks, np.arange(self.blocks.shape[-1])
        if damping:
            blocks = blocks.copy()
            blocks[:, 0, index, index] += damping * self.likelihood
        return block_tridiagonal.factorise(*_in_blocks(blocks))

    def frames_gain(self) -> tuple[float, float]:
        """By how much a step of the frames alone raises the log posterior, and the logarithm of their precision's
        determinant."""
        factor = self.factor()
        half = block_tridiagonal.forward(factor, _grouped(self.angle_gradient[..., None], self.blocks.shape[1] - 1))
        return 0.5 * float((half**2).sum()), block_tridiagonal.log_determinant(factor)

    def covariance_given(self, root: Array) -> Posterior:
        """Of the frames, where the covariance root root' of the constants is known from elsewhere."""
        reach, factor = self.blocks.shape[1] - 1, self.factor()
        follows = _solve_frames(factor, self.border)
        return Posterior(_lagged(factor, len(follows), self.blocks.shape[-1], reach), follows, root)

    def eliminated(self, damping: float = 0.0) -> Eliminated:
        """Factors of the frames and of the constants.

        Raises
        ------
        np.linalg.LinAlgError : not positive definite
        """
        n_frames, width = self.blocks.shape[:2]
        corner = self.corner + damping * np.diag(np.diag(self.corner)) if damping else self.corner
        factor = self.factor(damping)
        half = block_tridiagonal.forward(factor, _grouped(self.border, width - 1))
        flat = half.reshape(-1, half.shape[-1])
        corner = cho_factor(corner - blas.dsyrk(1.0, flat.T, lower=1), lower=True)
        return Eliminated(factor, half, corner, n_frames, width - 1)


@dataclass(frozen=True, eq=False)
class Eliminated:
    """Factor of the frames, the border behind it, and the constants' Cholesky factor as of `cho_factor`."""

    factor: BlockFactor
    half: Array
    corner: tuple[Array, bool]
    n_frames: int
    reach: int

    def solve_all(self, angles: Array, constants: Array) -> tuple[Array, Array]:
        """Solution of the whole system, angles (n_frames, n_angles, n_right) and constants (n_constants, n_right)."""
        half = block_tridiagonal.forward(self.factor, _grouped(angles, self.reach))
        border = self.half.reshape(-1, self.half.shape[-1])
        constants = cho_solve(self.corner, constants - border.T @ half.reshape(len(border), -1))
        rest = half - (border @ constants).reshape(half.shape)
        solution = block_tridiagonal.backward(self.factor, rest).reshape(-1, *angles.shape[1:])
        return solution[: self.n_frames], constants

    def covariance(self) -> Posterior:
        n_angles = self.half.shape[1] // self.reach
        lagged = _lagged(self.factor, self.n_frames, n_angles, self.reach)
        border = block_tridiagonal.backward(self.factor, self.half)
        border = border.reshape(-1, n_angles, border.shape[-1])[: self.n_frames]
        size = len(self.corner[0])
        root = solve_triangular(np.tril(self.corner[0]), np.eye(size), lower=True, check_finite=False).T
        return Posterior(lagged, border, root)


@dataclass(frozen=True, eq=False)
class Posterior:
    """Covariances of the solution.

    lagged : (n_frames, reach + 1, n_angles, n_angles) of a frame with that 0, 1, ... frames later, constants known
    follows : (n_frames, n_angles, n_constants) how the angles follow the constants, with the opposite sign
    root : (n_constants, n_constants) with root root' the constants' covariance; both are moved by one unit vector alike
    """

    lagged: Array
    follows: Array
    root: Array

    @property
    def border(self) -> Array:
        """(n_frames, n_angles, n_constants) what the constants' uncertainty adds to the covariance: border border'."""
        return -self.follows @ self.root

    def at(self, frames: NDArray[np.int64]) -> Posterior:
        return Posterior(self.lagged[frames], self.follows[frames], self.root)


def assemble(by_angles: Array, by_shape: Sequence[ShapeDerivative], n_shape: int, terms: MarkerTerms) -> ArrowSystem:
    """The likelihood's part, by_angles (n_frames, n_markers, 3, n_angles) and by_shape of each marker its derivatives;
    the biases follow the n_shape constants of the shape."""
    n_frames, n_markers, _, n_angles = by_angles.shape
    n_biases, own = len(terms.bias_information), terms.bias_cross.shape[-1]
    flat = by_angles.reshape(n_frames, 3 * n_markers, n_angles)
    border = np.zeros((n_frames, n_angles, n_shape + n_biases))
    corner = np.zeros((n_shape + n_biases, n_shape + n_biases))
    constant_gradient = np.concatenate([np.zeros(n_shape), terms.bias_gradient])
    for k, (columns, values) in enumerate(by_shape):
        felt, angles = _felt(terms.information[:, :, k], values), by_angles[:, k].swapaxes(1, 2)
        side = values.reshape(-1, len(columns)).T
        border[..., columns] += angles @ felt
        corner[np.ix_(columns, columns)] += side @ felt.reshape(-1, len(columns))
        constant_gradient[columns] += side @ terms.gradient[:, k].ravel()
        if own:
            biases, cross = slice(n_shape + k * own, n_shape + (k + 1) * own), terms.bias_cross[:, k]
            border[..., biases] = angles @ cross
            corner[columns, biases] = side @ cross.reshape(-1, own)
    corner[n_shape:, :n_shape] = corner[:n_shape, n_shape:].T
    corner[n_shape:, n_shape:] = np.diag(terms.bias_information)
    gradient = terms.gradient.reshape(n_frames, 1, 3 * n_markers)
    blocks = _blocks_of(by_angles, terms.information)
    likelihood = np.einsum("taa->ta", blocks[:, 0]).copy()
    return ArrowSystem(blocks, border, corner, (gradient @ flat)[:, 0], constant_gradient, likelihood)


def _blocks_of(by_angles: Array, information: Array) -> Array:
    """(n_frames, reach + 1, n_angles, n_angles)"""
    n_frames, *_, n_angles = by_angles.shape
    width = information.shape[1]
    blocks, flat = np.zeros((n_frames, width, n_angles, n_angles)), by_angles.reshape(n_frames, -1, n_angles)
    for lag in range(width):
        weighted = (information[: n_frames - lag, lag] @ by_angles[lag:]).reshape(n_frames - lag, -1, n_angles)
        blocks[: n_frames - lag, lag] = flat[: n_frames - lag].swapaxes(1, 2) @ weighted
    return blocks


def _felt(information: Array, values: Array) -> Array:
    """Information (n_frames, reach + 1, 3, 3) of one marker between frames, times values (n_frames, 3, n)."""
    felt = information[:, 0] @ values
    for lag in range(1, information.shape[1]):
        between = information[: len(values) - lag, lag]
        felt[: len(values) - lag] += between @ values[lag:]
        felt[lag:] += between.swapaxes(-1, -2) @ values[: len(values) - lag]
    return felt


def _in_blocks(blocks: Array) -> tuple[Array, Array]:
    """Diagonal blocks, and those below them, of `reach` frames each; frames beyond the last have the precision 1."""
    n_frames, width, n, _ = blocks.shape
    reach = width - 1
    n_groups = -(-n_frames // reach)
    padded = np.zeros((n_groups * reach, width, n, n))
    padded[:n_frames] = blocks
    padded[n_frames:, 0] = np.eye(n)
    padded = padded.reshape(n_groups, reach, width, n, n)
    diagonal = np.zeros((n_groups, reach, n, reach, n))
    below = np.zeros((n_groups - 1, reach, n, reach, n))
    for a in range(reach):
        for b in range(reach):
            if b >= a:
                diagonal[:, a, :, b] = padded[:, a, b - a]
                diagonal[:, b, :, a] = padded[:, a, b - a].swapaxes(-1, -2)
            if a <= b:
                below[:, a, :, b] = padded[:-1, b, reach + a - b].swapaxes(-1, -2)
    size = reach * n
    return diagonal.reshape(n_groups, size, size), below.reshape(n_groups - 1, size, size)


def _grouped(values: Array, reach: int) -> Array:
    """(n_frames, n, n_right) as (n_groups, reach n, n_right), zero beyond the last frame."""
    n_groups = -(-len(values) // reach)
    padded = np.zeros((n_groups * reach, *values.shape[1:]))
    padded[: len(values)] = values
    return padded.reshape(n_groups, -1, values.shape[-1])


def _solve_frames(factor: BlockFactor, right: Array) -> Array:
    """Solution of the frames alone, right (n_frames, n_angles, n_right)."""
    reach = factor.diagonal.shape[1] // right.shape[1]
    return block_tridiagonal.solve(factor, _grouped(right, reach)).reshape(-1, *right.shape[1:])[: len(right)]


def _lagged(factor: BlockFactor, n_frames: int, n: int, reach: int) -> Array:
    """(n_frames, reach + 1, n, n) of `Posterior`, from the factor of the frames."""
    return _lags(*block_tridiagonal.selected_inverse(factor), n, reach)[:n_frames]


def _lags(within: Array, below: Array, n: int, reach: int) -> Array:
    """(n_groups reach, reach + 1, n, n) covariance of a frame with that 0, 1, ... frames later, zero past the end."""
    n_groups = len(within)
    within = within.reshape(n_groups, reach, n, reach, n)
    below = below.reshape(-1, reach, n, reach, n)
    lagged = np.zeros((n_groups, reach, reach + 1, n, n))
    for a in range(reach):
        for lag in range(reach + 1):
            if a + lag < reach:
                lagged[:, a, lag] = within[:, a, :, a + lag]
            else:
                lagged[:-1, a, lag] = below[:, a + lag - reach, :, a].swapaxes(-1, -2)
    return lagged.reshape(n_groups * reach, reach + 1, n, n)
