"""How far from the axis a lens model is one-to-one: beyond, its polynomial folds back into the image."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..numerics.arrays import Array


def _first_root(coefficients: Array) -> float:
    """Smallest positive real root of a polynomial (ascending coefficients), infinity where there is none."""
    # a coefficient of next to nothing has its root far beyond every image, and would overflow the companion matrix
    coefficients = np.asarray(coefficients, float)
    coefficients = np.trim_zeros(np.where(np.abs(coefficients) < 1e-30, 0.0, coefficients), "b")
    if len(coefficients) < 2:
        return np.inf
    roots = np.polynomial.polynomial.polyroots(coefficients)
    real = roots.real[(np.abs(roots.imag) < 1e-9 * (1 + np.abs(roots))) & (roots.real > 0)]
    return float(real.min()) if len(real) else np.inf


def pinhole_limit(distortion: Array) -> float:
    """Radius at which r * radial(r) stops growing, or its denominator vanishes (tangential terms are small there)."""
    return _pinhole_limit(tuple(map(float, distortion)))


@lru_cache(maxsize=1024)
def _pinhole_limit(distortion: tuple[float, ...]) -> float:
    """Searches make hundreds of cameras of one lens, which stand or look elsewhere."""
    k1, k2, _, _, k3, k4, k5, k6 = np.array((*distortion, *np.zeros(8)))[:8]
    polynomial = np.polynomial.polynomial
    top, bottom = np.array([1, k1, k2, k3]), np.array([1, k4, k5, k6])
    # in u = r²: d/dr (r N/D) ∝ (N + 2u N') D − 2u N D'
    two_u = np.array([0.0, 2.0])
    grows = polynomial.polymul(polynomial.polyadd(top, polynomial.polymul(two_u, polynomial.polyder(top))), bottom)
    shrinks = polynomial.polymul(polynomial.polymul(two_u, top), polynomial.polyder(bottom))
    return float(np.sqrt(min(_first_root(polynomial.polysub(grows, shrinks)), _first_root(bottom))))


def fisheye_limit(distortion: Array) -> float:
    """Angle at which theta_d stops growing, at most 90 degrees."""
    k1, k2, k3, k4 = distortion
    turn = np.sqrt(_first_root(np.array([1, 3 * k1, 5 * k2, 7 * k3, 9 * k4])))
    return float(min(turn, np.pi / 2))
