"""What is known of lenses before a board is seen: they are one-to-one over the image, and bend it mildly.

Where a board's corners lie, thousands of them outweigh this; where they do not, it extrapolates the lens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..cameras._kernels_lens_area import N_LENS, log_magnifications
from ..numerics.arrays import Array

MARGIN = 1.05  # of the image's half width and half height: up to there a lens is one-to-one
_RINGS = (0.7, 0.85, 1.0)  # of the border, on which the magnification is looked at
# standard deviations of what a lens does at the image's corner, relative to the corner's distance from the middle
_PRINCIPAL_POINT = 0.1  # images are cropped, but seldom by much
_RADIAL = (0.3, 0.1, 0.03)  # k1, k2, k3 and k4, k5, k6: the series of real lenses converge
_TANGENTIAL = 0.01  # p1, p2 and s1 to s4: lenses are centred to some hundredths of a millimetre
_TILT = 0.05  # radians
# of the logarithms of area and radius at each of 24 points that go together: 0.4 and 0.1 for all. At 60 degrees from
# the axis a pinhole's radius is 1.5 times a stereographic lens's, an equidistant one's 0.91, an orthographic one's 0.75
_LOG_AREA, _LOG_RADIUS = 2.0, 0.5


@dataclass(frozen=True, eq=False)
class LensPrior:
    """Prior of the lenses' unknowns.

    mean, precision (n_lenses, 18): of independent Gaussians, precision 0 where nothing is known; border (n_lenses,
    n_pixels, 2), pixels, where the logarithms of area and radius relative to a stereographic lens have mean 0 and the
    precisions `magnification` (2,); a folded lens is impossible.
    """

    mean: Array
    precision: Array
    border: Array
    magnification: tuple[float, float] = (_LOG_AREA**-2, _LOG_RADIUS**-2)

    def cost(self, lens: Array, fisheye: NDArray[np.bool_], free: NDArray[np.bool_]) -> float:
        """Half the sum of squares; infinite where a lens with free coefficients folds inside its border."""
        logs = log_magnifications(lens, fisheye, free, self.border, False)[0]
        if not np.isfinite(logs).all():
            return np.inf
        gaussian = (self.precision * (lens - self.mean) ** 2)[free].sum()
        return 0.5 * float(gaussian + (self.magnification * logs**2).sum())

    def equations(self, lens: Array, fisheye: NDArray[np.bool_], free: NDArray[np.bool_]) -> LensEquations:
        """Gauss-Newton's equations of `cost` for the free unknowns, lens by lens."""
        logs, J = log_magnifications(lens, fisheye, free, self.border, True)
        normal = np.einsum("m,cpmi,cpmj->cij", self.magnification, J, J)
        right = -np.einsum("m,cpmi,cpm->ci", self.magnification, J, logs)
        diagonal = np.arange(N_LENS)
        normal[:, diagonal, diagonal] += self.precision
        return LensEquations(normal, right - self.precision * (lens - self.mean))


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
    """(24, 2) pixels: corners and middles of the sides of the image with its margin, and of two frames within."""
    frame = np.array([[x, y] for x in (-1, 0, 1) for y in (-1, 0, 1) if x or y])
    frames = np.concatenate([ring * frame for ring in _RINGS])
    return 0.5 * (np.array(size) - 1) + MARGIN * 0.5 * frames * np.array(size)


def unfolded(lens: Array, fisheye: NDArray[np.bool_], free: NDArray[np.bool_], border: Array) -> Array:
    """The lenses, their coefficients made smaller where they fold inside the border, until they do not."""
    lens = lens.copy()
    for _ in range(12):
        logs = log_magnifications(lens, fisheye, free, border, False)[0]
        folded = ~np.isfinite(logs).all(axis=(1, 2))
        if not folded.any():
            return lens
        lens[folded, 4:] *= 0.7
    lens[folded, 4:] = 0.0
    return lens
