"""Eleven coefficients per camera: the direct linear transformation of DLTdv, Argus, easyWand.

Abdel-Aziz and Karara 1971:

u = (L1 X + L2 Y + L3 Z + L4) / (L9 X + L10 Y + L11 Z + 1), v = (L5 X + L6 Y + L7 Z + L8) / (the same).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ...datasets.atomic_files import atomic_write
from ...numerics.arrays import Array
from ..files import FormatError
from .records import BY_HAND, CameraRecord, RigRecord, Sizes

_COLMAP = ("PINHOLE", "SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV", "OPENCV_FISHEYE", "FULL_OPENCV")


def fit_dlt(points_3d: Array, points_2d: Array) -> Array:
    """Fit eleven DLT coefficients of one camera by linear least squares on normalised coordinates.

    Parameters
    ----------
    points_3d : ndarray, shape (n_points, 3), world units
        Points in the world, not all in one plane.
    points_2d : ndarray, shape (n_points, 2), pixels
        The same points in the image, without lens distortion.

    Returns
    -------
    ndarray, shape (11,)
        Coefficients L1 to L11 of u = (L1 X + L2 Y + L3 Z + L4) / (L9 X + L10 Y + L11 Z + 1) and
        v = (L5 X + L6 Y + L7 Z + L8) / (the same).

    Raises
    ------
    FormatError
        There are fewer than six pairs, or the points lie in one plane.

    Notes
    -----
    Pairs with NaN are left out.

    References
    ----------
    Abdel-Aziz and Karara 1971, Direct linear transformation from comparator coordinates into object space coordinates.
    Hartley 1997, In defense of the eight-point algorithm (normalisation).

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.formats import fit_dlt
    >>> points_3d = np.random.default_rng(0).uniform(-1, 1, (8, 3))
    >>> coefficients = np.array([500.0, 0, 50, 320, 0, 500, 30, 240, 0, 0, 0.1])
    >>> P = np.append(coefficients, 1).reshape(3, 4)
    >>> projected = np.column_stack([points_3d, np.ones(8)]) @ P.T
    >>> np.allclose(fit_dlt(points_3d, projected[:, :2] / projected[:, 2:]), coefficients)
    True
    """
    points_3d, points_2d = np.asarray(points_3d, float), np.asarray(points_2d, float)
    seen = np.isfinite(points_3d).all(-1) & np.isfinite(points_2d).all(-1)
    if seen.sum() < 6:
        raise FormatError(f"{seen.sum()} points are not enough for eleven DLT coefficients; at least 6 are needed")
    world, T = _normalised(points_3d[seen])
    image, S = _normalised(points_2d[seen])
    homogeneous = np.column_stack([world, np.ones(len(world))])
    zero = np.zeros_like(homogeneous)
    rows = np.vstack(
        [
            np.hstack([homogeneous, zero, -image[:, :1] * homogeneous]),
            np.hstack([zero, homogeneous, -image[:, 1:] * homogeneous]),
        ]
    )
    _, singular, vt = np.linalg.svd(rows, full_matrices=False)
    if singular[-2] < 1e-9 * singular[0]:
        raise FormatError("the points lie in one plane (or line): DLT coefficients need points spread in depth")
    P = np.linalg.inv(S) @ vt[-1].reshape(3, 4) @ T
    return coefficients_from_projection(P)


def _normalised(points: Array) -> tuple[Array, Array]:
    """Points shifted and scaled to zero mean and unit spread, and the matrix that does it (Hartley 1997)."""
    center, scale = points.mean(0), points.std() or 1.0
    matrix = np.eye(points.shape[1] + 1)
    matrix[:-1] /= scale
    matrix[:-1, -1] = -center / scale
    return (points - center) / scale, matrix


def coefficients_from_projection(P: Array) -> Array:
    """(3, 4) projection matrix -> (11,); FormatError where the world's origin lies in the camera's own plane."""
    if abs(P[2, 3]) < 1e-12 * np.abs(P[2, :3]).max():
        raise FormatError("the world's origin lies in the camera's own plane, where DLT coefficients are infinite")
    return (P / P[2, 3]).ravel()[:11]


def decompose(P: Array) -> tuple[Array, Array, Array]:
    """K, R, t of a (3, 4) projection matrix whose third row is positive for points before the camera.

    K[0, 0] < 0 where the image is mirrored (or its rows are counted from the bottom).
    """
    from scipy.linalg import rq

    K, R = rq(P[:, :3])
    signs = np.sign(np.diag(K))
    K, R = K * signs, signs[:, None] * R
    if np.linalg.det(R) < 0:
        K[:, 0], R[0] = -K[:, 0], -R[0]
    scale = K[2, 2]
    t = np.asarray(np.linalg.solve(K, P[:, 3]), dtype=np.float64)
    return K / scale, R, t


def read_dlt(
    path: Path, *, size: Sizes | None = None, names: Sequence[str] | None = None, origin: str | None = None
) -> RigRecord:
    """Read a table of eleven rows, one column per camera (or its transpose), separated by commas, tabs or blanks.

    The world's origin is taken to lie before every camera, as it does in a calibrated volume. Argus and DLTdv before
    version 8 count pixel rows from the bottom: such coefficients make every view look mirrored, which is how
    `origin` None finds them; their v becomes height − v.

    Raises
    ------
    FormatError
        No table of numbers with eleven rows, or cameras disagree on the origin.
    """
    table = _table(path)
    names = [f"cam_{i}" for i in range(table.shape[1])] if names is None else [str(name) for name in names]
    if len(names) != table.shape[1]:
        raise FormatError(f"{path} holds {table.shape[1]} cameras, but {len(names)} names were given")
    projections = [np.append(np.asarray(column, float), 1.0).reshape(3, 4) for column in table.T]
    mirrored = [bool(decompose(P)[0][0, 0] < 0) for P in projections]
    if origin is None:
        if any(mirrored) and not all(mirrored):
            raise FormatError(
                f"{path}: cameras {[n for n, m in zip(names, mirrored, strict=True) if m]} look mirrored and the others"
                " do not; state origin='top' or origin='bottom'"
            )
        origin = "bottom" if all(mirrored) else "top"
    if origin not in ("top", "bottom"):
        raise FormatError(f"origin is 'top' or 'bottom', got {origin!r}")
    if origin == "bottom":
        projections = [_flip(path, size, name) @ P for name, P in zip(names, projections, strict=True)]
    parts = [decompose(P) for P in projections]
    return RigRecord(
        tuple(CameraRecord(name, None, K, np.zeros(0), R, t) for name, (K, R, t) in zip(names, parts, strict=True))
    )


def _table(path: Path) -> Array:
    """(11, n_cameras)"""
    lines = path.read_text(encoding="utf-8", errors="replace").replace(",", " ").replace(";", " ").splitlines()
    if any(line.startswith("#") for line in lines) and any(set(line.split()) & set(_COLMAP) for line in lines):
        raise FormatError(f"{path} is COLMAP's, which keeps lenses and poses in files of its own; {BY_HAND}")
    try:
        rows = [[float(word) for word in line.split()] for line in lines if line.strip()]
        table = np.array(rows, dtype=float)
    except ValueError as error:
        raise FormatError(
            f"{path} is no table of numbers ({error}); expected 11 DLT coefficients per camera, or {BY_HAND}"
        ) from error
    if table.ndim != 2 or 11 not in table.shape or not np.isfinite(table).all():
        raise FormatError(f"{path} holds a table of shape {table.shape}; expected 11 rows, one column per camera")
    return table if table.shape[0] == 11 else table.T


def _flip(path: Path, size: Sizes | None, name: str) -> Array:
    given = size.get(name) if isinstance(size, Mapping) else size
    if given is None:
        raise FormatError(
            f"the coefficients in {path} count pixel rows from the bottom; give size=(width, height) of camera '{name}'"
        )
    return np.array([[1.0, 0, 0], [0, -1.0, given[1]], [0, 0, 1.0]])


def write_dlt(record: RigRecord, path: Path) -> None:
    """Write eleven rows, one column per camera, rows counted from the top.

    Raises
    ------
    FormatError
        A camera has lens distortion, which DLT coefficients cannot hold.
    """
    bent = [camera.name for camera in record.cameras if camera.model != "pinhole" or np.any(camera.distortion)]
    if bent:
        raise FormatError(
            f"cameras {bent} have lens distortion, which DLT coefficients cannot hold ({path}); undistort the points"
            " and write the rig without distortion"
        )
    columns = [coefficients_from_projection(c.K @ np.column_stack([c.R, c.t])) for c in record.cameras]
    with atomic_write(path) as partial:
        np.savetxt(partial, np.column_stack(columns), delimiter=",", fmt="%.17g")
