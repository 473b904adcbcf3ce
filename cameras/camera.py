"""One camera: its pose, its lens model and how far from the axis that is one-to-one, projection and the inverse.

The world goes through a camera as ``x_camera = R @ x_world + t``; the camera looks along +z, x points right and y down
in the image. Pixel (0, 0) is the centre of the first pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from ..numerics.arrays import Array, freeze
from . import rig_arrays
from .rig_arrays import RigArrays

PINHOLE_LENGTHS = (0, 4, 5, 8, 12, 14)  # numbers of coefficients of OpenCV's models
FISHEYE_LENGTH = 4  # coefficients of OpenCV's equidistant model


@dataclass(frozen=True, eq=False)
class Camera:
    """One camera: size, lens and pose.

    Parameters
    ----------
    name : str
        Unique within a rig.
    size : (int, int), pixels
        Width and height of the image.
    K : ndarray, shape (3, 3), pixels
        Camera matrix, upper triangular. K[0, 0] < 0 states a mirrored view (p2 changes sign with it).
    distortion : ndarray, shape (n,)
        Up to 14 coefficients in OpenCV's order, padded with zeros to 4, 5, 8, 12 or 14; up to 4 of a fisheye.
    R : ndarray, shape (3, 3)
        Rotation, with x_camera = R @ x_world + t.
    t : ndarray, shape (3,), world units
        Translation.
    model : {"pinhole", "fisheye"}
        Brown-Conrady with OpenCV's rational, prism and tilt terms, or equidistant.

    Attributes
    ----------
    center : ndarray, shape (3,), world units
        The camera's centre in the world.
    projection_matrix : ndarray, shape (3, 4)
        K [R | t], of the distortion-free camera.
    arrays : RigArrays
        The camera as contiguous arrays of a rig of one, as compiled functions take it.
    domain_limit : float
        Radius (tangent of the angle from the axis; fisheye: the angle) up to which the lens is one-to-one.

    Raises
    ------
    ValueError
        A value is not finite or of the wrong shape, R is no rotation, or the model is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.cameras import Camera
    >>> K = [[600, 0, 320], [0, 600, 240], [0, 0, 1]]
    >>> camera = Camera("left", (640, 480), K, [-0.1], np.eye(3), [0, 0, 500])
    >>> camera.project([[0.0, 0, 0], [100, 0, 100]]).round(1)
    array([[320. , 240. ],
           [419.7, 240. ]])
    """

    name: str
    size: tuple[int, int]
    K: Array
    distortion: Array
    R: Array
    t: Array
    model: str = "pinhole"

    def __post_init__(self):
        object.__setattr__(self, "name", str(self.name))
        width, height = (int(side) for side in self.size)
        if width <= 0 or height <= 0:
            raise ValueError(f"camera '{self.name}' has size {self.size}; width and height must be positive pixels")
        object.__setattr__(self, "size", (width, height))
        for field, shape in (("K", (3, 3)), ("R", (3, 3)), ("t", (3,))):
            values = np.array(getattr(self, field), dtype=float)
            if values.shape != shape:
                raise ValueError(f"camera '{self.name}': {field} has shape {values.shape}, expected {shape}")
            freeze(self, field, values)
        if self.model not in ("pinhole", "fisheye"):
            raise ValueError(f"camera '{self.name}' has the lens model {self.model!r}; known: 'pinhole', 'fisheye'")
        freeze(self, "distortion", self._padded(np.array(self.distortion, dtype=float).reshape(-1)))
        for field in ("K", "distortion", "R", "t"):
            if not np.isfinite(getattr(self, field)).all():
                raise ValueError(f"camera '{self.name}': {field} holds values that are not finite")
        self._check_matrices()

    def _padded(self, distortion: Array) -> Array:
        """The coefficients with zeros up to the next length that a lens model has; raises ValueError for too many."""
        lengths = (FISHEYE_LENGTH,) if self.model == "fisheye" else PINHOLE_LENGTHS
        if len(distortion) > lengths[-1]:
            raise ValueError(
                f"camera '{self.name}' has {len(distortion)} distortion coefficients; a {self.model} lens takes at most"
                f" {lengths[-1]}"
            )
        length = next(n for n in lengths if n >= len(distortion))
        return np.concatenate([distortion, np.zeros(length - len(distortion))])

    def _check_matrices(self) -> None:
        """Raise ValueError for an impossible K or R."""
        K, R = self.K, self.R
        if K[0, 0] == 0 or K[1, 1] <= 0 or (K[[1, 2, 2], [0, 0, 1]] != 0).any() or K[2, 2] != 1:
            raise ValueError(
                f"camera '{self.name}': K must be [[fx, s, cx], [0, fy, cy], [0, 0, 1]] with fy > 0, got {K.tolist()}"
            )
        error = np.abs(R @ R.T - np.eye(3)).max()
        if error > 1e-6 or np.linalg.det(R) < 0:
            raise ValueError(
                f"camera '{self.name}': R is no rotation (R Rᵀ differs from 1 by {error:.1e}, determinant"
                f" {np.linalg.det(R):.3f}); a mirrored view is stated by K[0, 0] < 0, not by R"
            )

    @cached_property
    def center(self) -> Array:
        """(3,) the camera's centre in the world."""
        return -self.R.T @ self.t

    @cached_property
    def projection_matrix(self) -> Array:
        """(3, 4) K [R | t], of the distortion-free camera."""
        return self.K @ np.column_stack([self.R, self.t])

    @property
    def mirrored(self) -> bool:
        """Whether the image is mirrored left to right, as seen in a plane mirror."""
        return bool(self.K[0, 0] < 0)

    @cached_property
    def domain_limit(self) -> float:
        """Radius (tangent of the angle from the axis; fisheye: the angle) up to which the lens is one-to-one."""
        return fisheye_limit(self.distortion) if self.model == "fisheye" else pinhole_limit(self.distortion)

    @cached_property
    def arrays(self) -> RigArrays:
        """The camera as contiguous arrays of a rig of one, as compiled functions take it."""
        distortion = np.concatenate([self.distortion, np.zeros(PINHOLE_LENGTHS[-1] - len(self.distortion))])
        values = (self.K, distortion, self.model == "fisheye", self.domain_limit, self.R, self.t)
        return RigArrays(*(np.stack([value]) for value in values))

    def project(self, points_3d: Array) -> Array:
        """Project world points into the image.

        Parameters
        ----------
        points_3d : ndarray, shape (..., 3), world units
            Points, NaN where missing.

        Returns
        -------
        ndarray, shape (..., 2), pixels
            NaN where the point is missing, behind the camera, or outside the lens model's domain.
        """
        return rig_arrays.project(self.arrays, points_3d)[0]

    def project_jacobian(self, points_3d: Array) -> Array:
        """Derivatives of the projection by the world point.

        Parameters
        ----------
        points_3d : ndarray, shape (..., 3), world units
            Points, NaN where missing.

        Returns
        -------
        ndarray, shape (..., 2, 3), pixels per world unit
            NaN where the projection is.
        """
        return rig_arrays.project_jacobian(self.arrays, points_3d)[0]

    def undistort(self, points_2d: Array) -> Array:
        """Move pixels to where the distortion-free camera with the same K shows them.

        Parameters
        ----------
        points_2d : ndarray, shape (..., 2), pixels
            Points of the image, NaN where missing.

        Returns
        -------
        ndarray, shape (..., 2), pixels
            Accurate to 1e-8 px; NaN where the point is missing or outside the lens model's domain.
        """
        return rig_arrays.undistort(self.arrays, np.asarray(points_2d)[None])[0]

    def distort(self, points_2d: Array) -> Array:
        """Move pixels of the distortion-free camera to where the lens shows them.

        Parameters
        ----------
        points_2d : ndarray, shape (..., 2), pixels
            Points as of `undistort`, NaN where missing.

        Returns
        -------
        ndarray, shape (..., 2), pixels
            Points of the image; NaN where the point is missing or outside the lens model's domain.
        """
        return rig_arrays.distort(self.arrays, np.asarray(points_2d)[None])[0]

    def rays(self, points_2d: Array) -> Array:
        """Directions in which pixels are seen.

        Parameters
        ----------
        points_2d : ndarray, shape (..., 2), pixels
            Points of the image, NaN where missing.

        Returns
        -------
        ndarray, shape (..., 3)
            Unit vectors in the world, from `center` through the pixels; NaN where the undistorted pixel is.
        """
        ideal = self.undistort(points_2d)
        homogeneous = np.concatenate([ideal, np.ones((*ideal.shape[:-1], 1))], axis=-1)
        directions = homogeneous @ np.linalg.inv(self.K).T @ self.R
        return directions / np.linalg.norm(directions, axis=-1, keepdims=True)


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
