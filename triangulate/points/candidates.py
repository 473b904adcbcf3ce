"""Several candidate peaks per view, of which consensus with the other views selects one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...cameras import CameraRig
from ...datasets import DatasetError
from ...numerics.arrays import Array
from ..input_checks import check_confidence, check_points_2d, from_views
from .consensus import Triangulation, robust_points
from .recording_noise import estimate_sigma


@dataclass(frozen=True, eq=False)
class Candidates:
    """The peaks chosen among several candidates, and the points that they give.

    Parameters
    ----------
    triangulation : Triangulation
        From the chosen peaks.
    points_2d : ndarray, shape (n_cameras, n_frames, n_keypoints, 2), pixels
        The chosen peaks; the first one where none agrees with the other views.
    chosen : ndarray of int, shape (n_cameras, n_frames, n_keypoints)
        Their position among the candidates; -1 where there was none.

    Examples
    --------
    See `triangulate_candidates`, which returns it.

    >>> from muybridge.triangulate import Candidates
    >>> [field for field in Candidates.__dataclass_fields__]
    ['triangulation', 'points_2d', 'chosen']
    """

    triangulation: Triangulation
    points_2d: Array
    chosen: NDArray[np.int64]


def triangulate_candidates(
    candidates_2d: Any,
    rig: CameraRig,
    *,
    confidence: Array | None = None,
    threshold: float | Array | None = None,
    sigma: float | Array | None = None,
) -> Candidates:
    """Robust triangulation when each view offers several peaks of which at most one is right.

    Every candidate takes part in the consensus as a view of its own (candidates of one camera have no base line, so
    they never form a pair); each camera then keeps the peak nearest to the consensus, which gives the points.

    Parameters
    ----------
    candidates_2d : ndarray, shape (n_cameras, n_frames, n_keypoints, n_candidates, 2), pixels, or xarray.Dataset
        Peaks, most probable first, NaN where there are fewer; or a views dataset with a dimension `candidate` in
        addition, whose cameras are found by name.
    rig : CameraRig
        The calibrated cameras.
    confidence : ndarray, shape (n_cameras, n_frames, n_keypoints, n_candidates), 0-1, optional
        Probability of each peak. None: that of the dataset, or all alike.
    threshold : float or ndarray, shape (n_cameras,), pixels, optional
        As in `triangulate_ransac`.
    sigma : float or ndarray, shape (n_cameras,), pixels, optional
        Standard deviation of a coordinate. None: estimated from the first candidates.

    Returns
    -------
    Candidates
        The points, and the peaks that were chosen.

    Raises
    ------
    DatasetError
        A dataset has no dimension `candidate`, or is no views dataset otherwise.
    ValueError
        As `triangulate_ransac`.

    Examples
    --------
    The second camera's most probable peak is wrong, its second one is right.

    >>> import numpy as np
    >>> from muybridge.cameras import Camera, CameraRig
    >>> from muybridge.triangulate import triangulate_candidates
    >>> K = [[1000, 0, 640], [0, 1000, 512], [0, 0, 1]]
    >>> rig = CameraRig(tuple(Camera(f"cam_{x}", (1280, 1024), K, [], np.eye(3), [x, 0, 1000]) for x in (-200, 0, 200)))
    >>> candidates_2d = np.full((3, 1, 1, 2, 2), np.nan)
    >>> candidates_2d[..., 0, :] = rig.project(np.array([[[10.0, 20.0, 30.0]]]))
    >>> candidates_2d[1, 0, 0, 1] = candidates_2d[1, 0, 0, 0]
    >>> candidates_2d[1, 0, 0, 0] = [300.0, 300.0]
    >>> found = triangulate_candidates(candidates_2d, rig, sigma=1.0)
    >>> found.chosen[:, 0, 0], found.triangulation.points_3d.round(3)
    (array([0, 1, 0]), array([[[10., 20., 30.]]]))
    """
    candidates_2d, confidence = _from_views(candidates_2d, rig, confidence)
    candidates_2d = check_points_2d(candidates_2d, rig)
    if candidates_2d.ndim != 5:
        raise ValueError(
            f"candidates_2d has shape {candidates_2d.shape}; expected (cameras, frames, keypoints, candidates, 2)"
        )
    confidence = check_confidence(confidence, candidates_2d, rig)
    n_candidates = candidates_2d.shape[3]
    first = None if confidence is None else confidence[..., 0]
    sigma = estimate_sigma(candidates_2d[..., 0, :], rig, confidence=first) if sigma is None else sigma
    many = replace(rig, cameras=tuple(replace(c, name=f"{c.name} peak {k}") for c in rig for k in range(n_candidates)))
    found = robust_points(
        _as_views(candidates_2d),
        many,
        confidence=None if confidence is None else _as_views(confidence[..., None])[..., 0],
        threshold=None if threshold is None else _repeated(threshold, len(rig), n_candidates),
        sigma=_repeated(sigma, len(rig), n_candidates),
    )
    chosen = _nearest(found, candidates_2d)
    at = np.maximum(chosen, 0)[..., None]
    points_2d = np.take_along_axis(candidates_2d, at[..., None], axis=3)[..., 0, :]
    kept = None if confidence is None else np.take_along_axis(confidence, at, axis=3)[..., 0]
    solved = robust_points(points_2d, rig, confidence=kept, threshold=threshold, sigma=sigma)
    return Candidates(solved, points_2d, chosen)


def _from_views(candidates_2d: Any, rig: CameraRig, confidence: Array | None) -> tuple[Any, Array | None]:
    """Peaks and their confidence as arrays, from a views dataset with a dimension `candidate` if it is one."""
    if not isinstance(candidates_2d, xr.Dataset | xr.DataArray):
        return candidates_2d, confidence
    if "candidate" not in candidates_2d.dims:
        raise DatasetError(
            f"the views have the dimensions {list(candidates_2d.dims)}; several peaks per keypoint need a dimension"
            " 'candidate'"
        )
    n_candidates = candidates_2d.sizes["candidate"]
    peaks = [from_views(candidates_2d.isel(candidate=k), rig, confidence=None) for k in range(n_candidates)]
    own = np.stack([each for _, each in peaks], axis=3)
    return np.stack([points for points, _ in peaks], axis=3), own if confidence is None else confidence


def _as_views(values: Array) -> Array:
    """(n_cameras, n_frames, n_keypoints, n_candidates, n) -> (n_cameras * n_candidates, n_frames, n_keypoints, n)."""
    moved = np.moveaxis(values, 3, 1)
    return moved.reshape(-1, *moved.shape[2:])


def _repeated(values: float | Array, n_cameras: int, n_candidates: int) -> Array:
    return np.repeat(np.broadcast_to(np.asarray(values, dtype=float), n_cameras), n_candidates)


def _nearest(found: Triangulation, candidates_2d: Array) -> NDArray[np.int64]:
    """For each camera the inlier nearest to the point; the first peak where none is."""
    n_cameras, n_frames, n_keypoints, n_candidates = candidates_2d.shape[:4]
    error = np.where(found.inliers, found.reprojection_error, np.inf)
    error = np.moveaxis(error.reshape(n_cameras, n_candidates, n_frames, n_keypoints), 1, 3)
    present = np.isfinite(candidates_2d).all(axis=-1)
    nearest = np.where(np.isfinite(error).any(axis=-1), error.argmin(axis=-1), present.argmax(axis=-1))
    return np.where(present.any(axis=-1), nearest, -1)
