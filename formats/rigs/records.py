"""A rig as other tools' files hold it: names, numbers and arrays, before anyone checked that it is a camera."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np

from ...numerics.arrays import Array
from ..files import FormatError

MAX_SIDE = 100_000  # pixels; no camera has more, a size in other units or a damaged one does
Sizes = tuple[int, int] | Mapping[str, tuple[int, int]]


# what a person can type of cameras whose file is of no known kind
BY_HAND = (
    "write a .toml with a table [cam_0], [cam_1], ... of each camera: name, size = [width, height], matrix (3x3),"
    " distortions (k1, k2, p1, p2, k3), rotation (Rodrigues vector) and translation, of the world into the camera"
)


class UnknownSizeError(FormatError):
    """A calibration file that does not state how large the cameras' images are."""


class CameraRecord(NamedTuple):
    """One camera in the library's conventions: x_camera = R @ x_world + t, pixel (0, 0) the centre of the first pixel.

    name : as the file says
    size : (width, height) pixels, or None where the format has no place for it
    K, distortion : (3, 3) pixels, (n,) in OpenCV's order
    R, t : (3, 3), (3,) world units
    model : "pinhole" or "fisheye"
    """

    name: str
    size: tuple[int, int] | None
    K: Array
    distortion: Array
    R: Array
    t: Array
    model: str = "pinhole"


class RigRecord(NamedTuple):
    """The cameras of a file in its order; `unit` and `up` are None where the file does not say."""

    cameras: tuple[CameraRecord, ...]
    unit: str | None = None
    up: Array | None = None


def camera_name(value, source: object) -> str:
    """The name of a camera; FormatError where it is neither text nor a number."""
    if not isinstance(value, str | int) or value == "":
        raise FormatError(f"{source}: a camera has the name {value!r}; a name is a text")
    return str(value)


def numbers(values, shape: tuple[int, ...] | None, what: str) -> Array:
    """Values as float64, reshaped where only axes of length one differ (a (3, 1) translation is a (3,) one).

    Raises
    ------
    FormatError
        No numbers, or the wrong count; `what` names file, camera and field.
    """
    try:
        array = np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise FormatError(f"{what} is not made of numbers: {values!r}") from error
    if shape is None:
        return array.reshape(-1)
    if array.size != int(np.prod(shape)) or [n for n in array.shape if n > 1] != [n for n in shape if n > 1]:
        raise FormatError(f"{what} has shape {array.shape}, expected {shape}")
    return array.reshape(shape)


def camera_of_fields(
    path: object, name: str, fields: Mapping[str, Any], keys: Sequence[str | None], model: str = "pinhole"
) -> CameraRecord:
    """A camera from a table of a file; `keys` name its size, K, distortion, R and t there.

    A key of None: the size is unknown, the camera at the origin.

    Raises
    ------
    FormatError
        A field is absent, holds no numbers, or has the wrong shape.
    """
    where = f"{path}: camera '{name}'"
    lacking = [key for key in keys if key is not None and fields.get(key) is None]
    if lacking:
        raise FormatError(f"{where} lacks {', '.join(lacking)}; calibrate it, or remove its table from the file")

    def field(key: str | None, shape: tuple[int, ...] | None) -> Array:
        return numbers(fields[str(key)], shape, f"{where}: {key}")

    size, K, distortion, R, t = keys
    width, height = (0, 0) if size is None else field(size, (2,))
    return CameraRecord(
        name=name,
        size=None if size is None else (round(width), round(height)),
        K=field(K, (3, 3)),
        distortion=field(distortion, None),
        R=np.eye(3) if R is None else rotation_matrix(fields[R], f"{where}: {R}"),
        t=np.zeros(3) if t is None else field(t, (3,)),
        model=model,
    )


def rotation_matrix(values, what: str) -> Array:
    """(3, 3) from a matrix or from a rotation vector (axis times angle in radians: Rodrigues).

    Matrices printed with few digits are rounded to the nearest rotation.
    """
    array = np.asarray(values, dtype=float)
    if array.size == 3:
        return np.asarray(cv2.Rodrigues(numbers(values, (3,), what))[0], dtype=float)
    matrix = numbers(values, (3, 3), what)
    error = np.abs(matrix @ matrix.T - np.eye(3)).max()
    if not error < 1e-3 or np.linalg.det(matrix) < 0:
        raise FormatError(f"{what} is no rotation: R Rᵀ differs from 1 by {error:.2g}")
    if error < 1e-12:
        return matrix
    u, _, vt = np.linalg.svd(matrix)
    return u @ vt


def rotation_vector(R: Array) -> Array:
    """(3,) axis times angle, radians."""
    from scipy.spatial.transform import Rotation

    return Rotation.from_matrix(R).as_rotvec()


def with_sizes(record: RigRecord, size: Sizes | None, source: str) -> RigRecord:
    """The record with image sizes filled in: `size` for all cameras, or one per name, overrides the file's.

    Raises
    ------
    FormatError
        A camera ends without a size, or has an impossible one.
    """
    cameras = []
    for camera in record.cameras:
        given = size.get(camera.name) if isinstance(size, Mapping) else size
        chosen = given if given is not None else camera.size
        if chosen is None:
            raise UnknownSizeError(
                f"{source} does not say how large the images of camera '{camera.name}' are;"
                " give size=(width, height) in pixels, or one per camera"
            )
        if not all(0 < side <= MAX_SIDE for side in chosen):
            raise FormatError(
                f"{source}: camera '{camera.name}' has images of {chosen[0]:g} x {chosen[1]:g} pixels; expected 1 to"
                f" {MAX_SIDE} on each side"
            )
        cameras.append(camera._replace(size=(round(chosen[0]), round(chosen[1]))))
    return record._replace(cameras=tuple(cameras))


def with_names(record: RigRecord, names: Sequence[str] | None, source: str) -> RigRecord:
    """The record with its cameras renamed, in the file's order."""
    if names is None:
        return record
    if len(names) != len(record.cameras):
        raise FormatError(f"{source} holds {len(record.cameras)} cameras, but {len(names)} names were given")
    cameras = tuple(camera._replace(name=str(name)) for camera, name in zip(record.cameras, names, strict=True))
    return record._replace(cameras=cameras)
