"""Several cameras in one world, in the order of the arrays' camera axis."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..datasets.names import repeated_names
from ..datasets.object_summaries import counted, html_summary, listed
from ..numerics.arrays import Array, freeze
from . import rig_arrays
from .camera import Camera
from .rig_arrays import RigArrays


@dataclass(frozen=True, eq=False)
class CameraRig:
    """Cameras in the order of the arrays' camera axis, in one world.

    A rig has a length, is iterated over its cameras, and is indexed by a camera's name or position.

    Parameters
    ----------
    cameras : tuple of Camera
        At least one, with different names.
    unit : str
        The world unit, such as "mm".
    up : ndarray, shape (3,), optional
        World direction against gravity; None where unknown: what needs the vertical refuses None.

    Attributes
    ----------
    arrays : RigArrays
        The rig as contiguous arrays, as compiled functions take it.
    projection_matrices : ndarray, shape (n_cameras, 3, 4)
        K [R | t], of the distortion-free cameras.
    centers : ndarray, shape (n_cameras, 3), world units
        The cameras' centres.

    Raises
    ------
    ValueError
        There is no camera, a name is repeated, or `up` is no direction.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.cameras import Camera, CameraRig
    >>> K = [[600, 0, 320], [0, 600, 240], [0, 0, 1]]
    >>> positions = {"left": [60, 0, 500], "right": [-60, 0, 500]}
    >>> rig = CameraRig(tuple(Camera(name, (640, 480), K, [], np.eye(3), t) for name, t in positions.items()))
    >>> rig.names
    ('left', 'right')
    >>> rig.project(np.zeros(3))
    array([[392., 240.],
           [248., 240.]])
    >>> float(rig["right"].center[2])
    -500.0
    """

    cameras: tuple[Camera, ...]
    unit: str = "mm"
    up: Array | None = None

    def __post_init__(self):
        object.__setattr__(self, "cameras", tuple(self.cameras))
        if not self.cameras:
            raise ValueError("a rig needs at least one camera")
        repeated = repeated_names(self.names)
        if repeated:
            raise ValueError(f"the rig has several cameras named {repeated}; names must differ")
        if self.up is not None:
            up = np.array(self.up, dtype=float)
            if up.shape != (3,) or not np.isfinite(up).all() or not np.linalg.norm(up) > 0:
                raise ValueError(f"up must be a direction of three numbers, got {self.up!r}")
            freeze(self, "up", up / np.linalg.norm(up))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the cameras, in the rig's order."""
        return tuple(camera.name for camera in self.cameras)

    def __repr__(self) -> str:
        up = "unknown" if self.up is None else f"({', '.join(f'{value:.3g}' for value in self.up)})"
        return f"<CameraRig: {counted(len(self), 'camera')} ({listed(self.names)}), unit {self.unit}, up {up}>"

    def _repr_html_(self) -> str:
        headings = ("camera", "picture (px)", "lens", "focal length (px)", *(f"{axis} ({self.unit})" for axis in "xyz"))
        rows = (
            (camera.name, "{} x {}".format(*camera.size), camera.model, float(camera.K[0, 0]), *camera.center.round(6))
            for camera in self
        )
        return html_summary(repr(self), headings, rows)

    def __len__(self) -> int:
        return len(self.cameras)

    def __iter__(self) -> Iterator[Camera]:
        return iter(self.cameras)

    def __getitem__(self, name: str | int) -> Camera:
        if isinstance(name, int | np.integer):
            return self.cameras[name]
        for camera in self.cameras:
            if camera.name == name:
                return camera
        raise KeyError(f"the rig has no camera '{name}'; it has {list(self.names)}")

    def subset(self, names: Iterable[str]) -> CameraRig:
        """The rig of some of the cameras.

        Parameters
        ----------
        names : iterable of str
            Cameras to keep.

        Returns
        -------
        CameraRig
            These cameras in the order given, unit and vertical as before.

        Raises
        ------
        KeyError
            The rig has no camera of that name.
        """
        return replace(self, cameras=tuple(self[name] for name in names))

    @cached_property
    def arrays(self) -> RigArrays:
        """The rig as contiguous arrays for kernels."""
        each = [camera.arrays for camera in self.cameras]
        return RigArrays(*(np.concatenate(parts) for parts in zip(*each, strict=True)))

    @cached_property
    def projection_matrices(self) -> Array:
        """(n_cameras, 3, 4) K [R | t], of the distortion-free cameras."""
        return np.stack([camera.projection_matrix for camera in self.cameras])

    @cached_property
    def centers(self) -> Array:
        """(n_cameras, 3) the cameras' centres, world units."""
        return np.stack([camera.center for camera in self.cameras])

    def project(self, points_3d: Array) -> Array:
        """Project world points into the images of all cameras.

        Parameters
        ----------
        points_3d : ndarray, shape (..., 3), world units
            Points, NaN where missing.

        Returns
        -------
        ndarray, shape (n_cameras, ..., 2), pixels
            NaN where the point is missing, behind the camera, or outside the lens model's domain.
        """
        return rig_arrays.project(self.arrays, points_3d)

    def project_jacobian(self, points_3d: Array) -> Array:
        """Derivatives of the projections by the world point.

        Parameters
        ----------
        points_3d : ndarray, shape (..., 3), world units
            Points, NaN where missing.

        Returns
        -------
        ndarray, shape (n_cameras, ..., 2, 3), pixels per world unit
            NaN where the projection is.
        """
        return rig_arrays.project_jacobian(self.arrays, points_3d)

    def undistort(self, points_2d: Array) -> Array:
        """Move pixels to where the distortion-free cameras with the same K show them.

        Parameters
        ----------
        points_2d : ndarray, shape (n_cameras, ..., 2), pixels
            Points of the images, NaN where missing.

        Returns
        -------
        ndarray, shape (n_cameras, ..., 2), pixels
            Accurate to 1e-8 px; NaN where the point is missing or outside the lens model's domain.

        Raises
        ------
        ValueError
            The first axis is not as long as the rig has cameras.
        """
        return rig_arrays.undistort(self.arrays, points_2d)

    def distort(self, points_2d: Array) -> Array:
        """Move pixels of the distortion-free cameras to where the lenses show them.

        Parameters
        ----------
        points_2d : ndarray, shape (n_cameras, ..., 2), pixels
            Points as of `undistort`, NaN where missing.

        Returns
        -------
        ndarray, shape (n_cameras, ..., 2), pixels
            Points of the images; NaN where the point is missing or outside the lens model's domain.

        Raises
        ------
        ValueError
            The first axis is not as long as the rig has cameras.
        """
        return rig_arrays.distort(self.arrays, points_2d)
