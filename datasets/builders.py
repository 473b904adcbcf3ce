"""Build the labelled datasets views (2D, pixels) and pose (3D, world units) from arrays; times from a frame rate."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real

import numpy as np
import xarray as xr

from ..numerics.arrays import Array
from .validators import POSE, SPACE_2D, SPACE_3D, VIEWS, DatasetError, check_pose, check_views


def frame_times(n_frames: int, fps: float) -> Array:
    """Times of evenly spaced frames, the first at 0.

    Parameters
    ----------
    n_frames : int
        Number of frames.
    fps : float, hertz
        Frames per second.

    Returns
    -------
    ndarray, shape (n_frames,), seconds
        Time of each frame.

    Raises
    ------
    DatasetError
        The frame rate is not a positive number.

    Examples
    --------
    >>> from muybridge.datasets import frame_times
    >>> frame_times(3, fps=50).tolist()
    [0.0, 0.02, 0.04]
    """
    if not isinstance(fps, Real) or not np.isfinite(fps) or fps <= 0:
        raise DatasetError(f"the frame rate must be a positive number of frames per second, got {fps!r}")
    return np.arange(n_frames) / float(fps)


def fps_of(dataset: xr.Dataset) -> float:
    """Frames per second of a dataset: one over the median step of its ``time`` coordinate.

    Parameters
    ----------
    dataset : Dataset
        Any dataset with a ``time`` coordinate in seconds, or with an ``fps`` attribute.

    Returns
    -------
    float, hertz
        The frame rate; the ``fps`` attribute where there are fewer than two frames.

    Raises
    ------
    DatasetError
        There are fewer than two times, and no ``fps`` attribute.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.datasets import fps_of, views_dataset
    >>> views = views_dataset(np.zeros((1, 3, 1, 2)), cameras=["top"], keypoints=["nose"], times=[0, 0.02, 0.04])
    >>> fps_of(views)
    50.0
    """
    if "time" in dataset.coords and dataset.sizes["time"] > 1:
        return float(1.0 / np.median(np.diff(np.asarray(dataset["time"].values, dtype=float))))
    if "fps" in dataset.attrs:
        return float(dataset.attrs["fps"])
    raise DatasetError(
        "the frame rate is unknown: give the dataset a 'time' coordinate in seconds (it is never assumed)"
    )


def views_dataset(
    points_2d: Array,
    *,
    cameras: Sequence[str],
    keypoints: Sequence[str],
    times: Array,
    confidence: Array | None = None,
    covariances_2d: Array | None = None,
) -> xr.Dataset:
    """Label 2D points of several cameras: the ``views`` dataset.

    Parameters
    ----------
    points_2d : ndarray, shape ([n_individuals,] n_cameras, n_frames, n_keypoints, 2), pixels
        Points in the image, NaN where missing.
    cameras : sequence of str
        Names of the cameras.
    keypoints : sequence of str
        Names of the keypoints.
    times : ndarray, shape (n_frames,), seconds
        Time of each frame, increasing.
    confidence : ndarray, shape ([n_individuals,] n_cameras, n_frames, n_keypoints), optional
        Between 0 and 1; by default 1 where a point is present and 0 elsewhere.
    covariances_2d : ndarray, shape ([n_individuals,] n_cameras, n_frames, n_keypoints, 2, 2), pixels squared, optional
        Covariance of each point.

    Returns
    -------
    Dataset
        Variables ``position``, ``confidence`` and, if given, ``covariance``, over (view, time, keypoint, space); a
        point with one NaN coordinate is NaN in both.

    Raises
    ------
    DatasetError
        Shapes, names or values do not fit together.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.datasets import frame_times, views_dataset
    >>> points_2d = np.array([[[[10.0, 20.0]], [[np.nan, np.nan]]]])  # one camera, two frames, one keypoint
    >>> views = views_dataset(points_2d, cameras=["top"], keypoints=["nose"], times=frame_times(2, fps=30))
    >>> views["position"].dims
    ('view', 'time', 'keypoint', 'space')
    >>> views["confidence"].values.ravel().tolist()
    [1.0, 0.0]
    """
    points_2d = np.asarray(points_2d, dtype=float)
    if confidence is None:
        confidence = np.isfinite(points_2d).all(axis=-1).astype(float)
    variables = {"position": points_2d, "confidence": confidence, "covariance": covariances_2d}
    units = {"position": "pixel", "confidence": "1", "covariance": "pixel^2"}
    coords = {
        "view": list(cameras),
        "time": np.asarray(times, float),
        "keypoint": list(keypoints),
        "space": list(SPACE_2D),
    }
    return check_views(_assemble(variables, VIEWS, units, coords))


def pose_dataset(
    points_3d: Array,
    *,
    keypoints: Sequence[str],
    times: Array,
    unit: str,
    cameras: Sequence[str] | None = None,
    pairs: Sequence[tuple[str, str]] | None = None,
    **variables: Array | None,
) -> xr.Dataset:
    """Label 3D points: the ``pose`` dataset.

    Parameters
    ----------
    points_3d : ndarray, shape ([n_individuals,] n_frames, n_keypoints, 3), world units
        Points in the world, NaN where missing.
    keypoints : sequence of str
        Names of the keypoints.
    times : ndarray, shape (n_frames,), seconds
        Time of each frame, increasing.
    unit : str
        The world unit, such as "mm".
    cameras : sequence of str, optional
        Names of the cameras; needed with `reprojection_error`.
    pairs : sequence of (str, str), optional
        The two keypoints of each row of `cross_covariance`, named "a|b" along the ``pair`` dimension.
    **variables : ndarray or None
        Any of `covariance`, `confidence`, `reprojection_error`, `n_cameras`, `velocity`, `velocity_covariance`,
        `acceleration`, `acceleration_covariance`, `cross_covariance`, `state`, `shared_std`; None is left out.

    Returns
    -------
    Dataset
        Variable ``position`` over (time, keypoint, space), and the given variables with their units; a point with one
        NaN coordinate is NaN in all.

    Raises
    ------
    DatasetError
        Shapes, names or values do not fit together, or a variable is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.datasets import pose_dataset
    >>> pose = pose_dataset(np.zeros((2, 1, 3)), keypoints=["nose"], times=[0.0, 0.1], unit="mm", n_cameras=[[2], [3]])
    >>> pose["position"].attrs["units"], pose["n_cameras"].values.tolist()
    ('mm', [[2], [3]])
    """
    unknown = sorted(set(variables) - set(POSE))
    if unknown:
        raise DatasetError(f"a pose has no variables {unknown}; known: {sorted(POSE)}")
    units = {
        "position": unit,
        "covariance": f"{unit}^2",
        "cross_covariance": f"{unit}^2",
        "reprojection_error": "pixel",
        "velocity": f"{unit}/s",
        "velocity_covariance": f"{unit}^2/s^2",
        "acceleration": f"{unit}/s^2",
        "acceleration_covariance": f"{unit}^2/s^4",
        "shared_std": unit,
    }
    coords: dict = {"time": np.asarray(times, float), "keypoint": list(keypoints), "space": list(SPACE_3D)}
    if cameras is not None:
        coords["view"] = list(cameras)
    if pairs is not None:
        coords["pair"] = [f"{a}|{b}" for a, b in pairs]
    return check_pose(_assemble({"position": points_3d, **variables}, POSE, units, coords))


def _assemble(variables: dict, layout: dict, units: dict, coords: dict) -> xr.Dataset:
    """One Dataset of the arrays that are not None; a surplus leading axis is ``individual``."""
    labelled = {}
    for name, values in variables.items():
        if values is None:
            continue
        values, dims = np.asarray(values), layout[name]
        if values.ndim == len(dims) + 1:
            dims = ("individual", *dims)
            coords = {"individual": [f"individual_{i}" for i in range(values.shape[0])], **coords}
        if values.ndim != len(dims):
            raise DatasetError(f"'{name}' has shape {values.shape}, expected the axes ({', '.join(dims)})")
        for dim, size in zip(dims, values.shape, strict=True):
            expected = len(coords[dim.rstrip("_")]) if dim.rstrip("_") in coords else None
            if expected is not None and size != expected:
                raise DatasetError(
                    f"'{name}' has {size} entries along '{dim}' where {expected} are named; its shape is {values.shape}"
                )
            if expected is None:
                raise DatasetError(f"'{name}' needs names for its '{dim}' axis")
        labelled[name] = (dims, values, {"units": units.get(name, "1")})
    used = {dim for dims, _, _ in labelled.values() for dim in dims}
    coords = {dim: values for dim, values in coords.items() if dim in used}
    if "space_" in used:
        coords["space_"] = coords["space"]
    dataset = xr.Dataset({name: xr.Variable(*parts) for name, parts in labelled.items()}, coords=coords)
    if "time" in dataset.coords:
        dataset["time"].attrs["units"] = "s"
    return dataset
