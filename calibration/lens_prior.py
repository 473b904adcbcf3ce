"""What is known of lenses before a board is seen: they are one-to-one over the image, and bend it mildly.

Where a board's corners lie, thousands of them outweigh this; where they do not, it extrapolates the lens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..cameras._kernels_lens_area import LEAST, N_LENS, log_magnifications
from ..numerics.arrays import Array

MARGIN = 1.05  # of the image's half width and half height: up to there a lens is one-to-one
_PER_SIDE = 4  # points of the border on each side, from one corner to the next
# standard deviations of what a lens does at the image's corner, relative to the corner's distance from the middle
_PRINCIPAL_POINT = 0.1  # images are cropped, but seldom by much
_RADIAL = (0.3, 0.1, 0.03)  # k1, k2, k3 and k4, k5, k6: the series of real lenses converge
_TANGENTIAL = 0.003  # p1, p2 and s1 to s4: lenses are centred to some hundredths of a millimetre
_TILT = 0.05  # radians
_LOG_AREA = 2.0  # of the logarithm of the area's magnification at a point of the border: a factor 7 either way
_STIFFNESS = 0.02  # magnification of area below which no lens goes: there the barrier rises steeply
_WALL = 1e-3  # of the barrier against lenses that fold on the way to the border: it is felt below a slope of 0.03


@dataclass(frozen=True, eq=False)
class LensPrior:
    """Prior of the lenses' unknowns.

    mean, precision (n_lenses, 18): of independent Gaussians, precision 0 where nothing is known; border (n_lenses,
    n_pixels, 2), pixels, where the logarithm of the area's magnification has mean 0 and the precision `area`; a folded
    lens is impossible, and one that hardly grows on the way to the border costs without limit.
    """

    mean: Array
    precision: Array
    border: Array
    area: float = _LOG_AREA**-2

    def cost(self, lens: Array, fisheye: NDArray[np.bool_], free: NDArray[np.bool_]) -> float:
        """Half the sum of squares; infinite where a lens with free coefficients folds inside its border."""
        return float(self.costs(lens, fisheye, free).sum())

    def costs(self, lens: Array, fisheye: NDArray[np.bool_], free: NDArray[np.bool_]) -> Array:
        """(n_lenses,) the share of each lens in `cost`."""
        logs, _, slopes, _ = log_magnifications(lens, fisheye, free, self.border, False)
        squares = (np.where(free, self.precision, 0.0) * (lens - self.mean) ** 2).sum(axis=1)
        area = self.area * (_stiffened(np.nan_to_num(logs))[0] ** 2).sum(axis=1)
        folded = np.asarray(~np.isfinite(logs).all(axis=1))
        slopes = np.where(folded[:, None], 1.0, slopes)
        return np.where(folded, np.inf, 0.5 * (squares + area) + _barrier(slopes)[0].sum(axis=1))

    def log_peaks(self, lens: Array, fisheye: NDArray[np.bool_], free: NDArray[np.bool_]) -> Array:
        """(n_lenses,) logarithm of the density of the free unknowns where `costs` is 0, by Laplace's approximation.

        Without the focal lengths, of which nothing is known, and the powers of 2 pi.
        """
        straight = np.where(np.arange(N_LENS) < 2, lens, self.mean)
        normal = self.equations(straight, fisheye, free).normal
        known = free & (np.arange(N_LENS) >= 2)
        return np.array([0.5 * np.linalg.slogdet(N[np.ix_(k, k)])[1] for N, k in zip(normal, known, strict=True)])

    def equations(self, lens: Array, fisheye: NDArray[np.bool_], free: NDArray[np.bool_]) -> LensEquations:
        """Gauss-Newton's equations of `cost` for the free unknowns, lens by lens."""
        logs, J, slopes, S = log_magnifications(lens, fisheye, free, self.border, True)
        residuals, slope = _stiffened(logs)
        _, steepness, bend = _barrier(slopes)
        J = J * slope[..., None]
        normal = self.area * np.einsum("cpi,cpj->cij", J, J) + np.einsum("cpi,cp,cpj->cij", S, bend, S)
        right = -self.area * np.einsum("cpi,cp->ci", J, residuals) - np.einsum("cpi,cp->ci", S, steepness)
        diagonal = np.arange(N_LENS)
        normal[:, diagonal, diagonal] += self.precision
        return LensEquations(normal, right - self.precision * (lens - self.mean))


def _stiffened(logs: Array) -> tuple[Array, Array]:
    """The logarithms, made more negative where the magnification all but vanishes, and the derivative."""
    inverse = _STIFFNESS * np.exp(-logs)
    return logs - inverse + _STIFFNESS, 1 + inverse


def _barrier(slopes: Array) -> tuple[Array, Array, Array]:
    """Cost of least slopes that is infinite where a lens folds and 0 from 1 on, and its two derivatives."""
    short, gap = np.maximum(1 - slopes, 0.0), slopes - LEAST
    share = short / gap
    bend = np.where(short > 0, 2 * (1 - LEAST) ** 2 / gap**3, 0.0)
    return _WALL * short * share, -_WALL * share * (2 + share), _WALL * bend


class LensEquations(NamedTuple):
    """Normal matrices (n_lenses, 18, 18) and right sides (n_lenses, 18)."""

    normal: Array
    right: Array


def make_lens_prior(sizes: Sequence[tuple[int, int]], kinds: Sequence[int | str], focal: Array) -> LensPrior:
    """The prior of lenses of these kinds with images of these sizes; `focal` (n_lenses,), pixels, sets the scale."""
    mean, precision = np.zeros((len(sizes), N_LENS)), np.zeros((len(sizes), N_LENS))
    border = np.stack([image_border(size) for size in sizes])
    for index, (size, kind) in enumerate(zip(sizes, kinds, strict=True)):
        corner = 0.5 * np.hypot(*size)
        mean[index, 2:4] = 0.5 * (np.array(size) - 1)
        deviation = _coefficient_deviations(kind, corner / focal[index])
        precision[index] = np.concatenate([[0, 0], np.full(2, (_PRINCIPAL_POINT * corner) ** -2), deviation**-2])
    return LensPrior(mean, precision, border)


def _coefficient_deviations(kind: int | str, radius: float) -> Array:
    """(14,) standard deviations of the coefficients, the image's corner at `radius` focal lengths from the middle."""
    deviations = np.full(14, np.inf)
    if kind == "fisheye":
        angle = min(radius, 0.5 * np.pi)
        deviations[:4] = np.array([*_RADIAL, _RADIAL[-1]]) / angle ** np.array([2, 4, 6, 8])
        return deviations
    deviations[[0, 1, 4]] = deviations[[5, 6, 7]] = _RADIAL / radius ** np.array([2, 4, 6])
    deviations[[2, 3, 8, 10]] = _TANGENTIAL / radius
    deviations[[9, 11]] = _TANGENTIAL / radius**3
    deviations[[12, 13]] = _TILT
    return deviations


def image_border(size: tuple[int, int]) -> Array:
    """(n_pixels, 2) pixels around the image, its corners first on each side, beyond it by the margin."""
    along = np.linspace(-1, 1, _PER_SIDE, endpoint=False)
    one = np.ones(_PER_SIDE)
    square = np.concatenate(
        [np.column_stack(side) for side in ((along, -one), (one, along), (-along, one), (-one, -along))]
    )
    return 0.5 * (np.array(size) - 1) + MARGIN * 0.5 * square * np.array(size)


def unfolded(lens: Array, fisheye: NDArray[np.bool_], free: NDArray[np.bool_], border: Array) -> Array:
    """The lenses, their coefficients made smaller where they fold inside the border, until they do not."""
    lens = lens.copy()
    for _ in range(12):
        logs = log_magnifications(lens, fisheye, free, border, False)[0]
        folded = np.asarray(~np.isfinite(logs).all(axis=1))
        if not folded.any():
            return lens
        lens[folded, 4:] *= 0.7
    lens[folded, 4:] = 0.0
    return lens
