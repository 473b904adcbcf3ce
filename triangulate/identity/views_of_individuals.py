"""Views whose detections or candidates have no identity, as views of individuals."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...cameras import CameraRig
from ...datasets import DatasetError, Skeleton, check_views, combine_ensemble, fps_of
from ...formats.video.instants import number_ranges
from ...numerics.arrays import Array
from ...numerics.robust_scale import present_median
from ..input_checks import in_order, matching_rig
from .candidates_to_individuals import find_individuals

_EXCHANGED = 0.02  # share of the frames in which rows exchange animals: trackers do so less often, detectors more


def separate_individuals(
    views: xr.Dataset,
    rig: CameraRig,
    *,
    identity: str | None = None,
    skeleton: Skeleton | None = None,
    n_individuals: int | None = None,
    sigma: float | Array | None = None,
) -> xr.Dataset:
    """Views in which every individual is the same animal in all cameras and frames, from detections of no identity.

    Parameters
    ----------
    views : xarray.Dataset
        2D positions with a dimension `candidate` (several candidates per keypoint, of which nothing else is known), or
        `individual`, whose rows are detections or tracks of each camera in any order and number. What candidates look
        like, in a variable `appearance` (..., keypoint, colour), counts as in `find_individuals`.
    rig : CameraRig
        Cameras of at least the views' names.
    identity : {"none", "detections", "tracks"}, optional
        What a row says, as in `find_individuals`. None: "none" of candidates; of individuals "tracks" if rows follow
        animals from frame to frame, else "detections".
    skeleton : Skeleton, optional
        Its bones say which candidates may belong together; needed with the identity "none".
    n_individuals : int, optional
        Number of animals. None: as many as there are at a time.
    sigma : float or ndarray, shape (n_cameras,), pixels, optional
        As in `find_individuals`.

    Returns
    -------
    xarray.Dataset
        Views with the dimension `individual`: individual_0, individual_1, ... in the order in which they appear. The
        attribute `left_over_frames` counts frames of further animals than `n_individuals`, and `left_over_in` says
        which these are.

    Raises
    ------
    DatasetError
        There is neither dimension, the rig lacks a camera, or no animal is found.
    ValueError
        As `find_individuals`.

    See Also
    --------
    match_views : For as many tracks in every camera as there are animals.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.cameras import Camera, CameraRig
    >>> from muybridge.datasets import views_dataset
    >>> from muybridge.triangulate import separate_individuals
    >>> K = [[1000, 0, 640], [0, 1000, 512], [0, 0, 1]]
    >>> t = ([-200, 0, 1000], [0, 100, 1000], [200, 0, 1000])
    >>> rig = CameraRig(tuple(Camera(f"cam_{i}", (1280, 1024), K, [], np.eye(3), t[i]) for i in range(3)))
    >>> truth = np.random.default_rng(0).uniform(-30, 30, (2, 1, 5, 3)) + np.zeros((2, 20, 5, 3))
    >>> truth[1] += 90
    >>> detections = np.stack([rig.project(points) for points in truth])
    >>> detections[:, 1, ::2] = detections[::-1, 1, ::2]
    >>> names, times = ["a", "b", "c", "d", "e"], np.arange(20) / 100
    >>> views = views_dataset(detections, cameras=rig.names, keypoints=names, times=times)
    >>> found = separate_individuals(views, rig, n_individuals=2)
    >>> bool(np.allclose(found["position"].sel(individual="individual_0"), rig.project(truth[0])))
    True
    """
    row = next((name for name in ("candidate", "individual") if name in views.dims), None)
    if row is None:
        raise DatasetError("the views have neither a 'candidate' nor an 'individual' dimension; nothing to separate")
    parts = [check_views(combine_ensemble(views.isel({row: i}, drop=True))) for i in range(views.sizes[row])]
    whole = xr.concat(parts, dim="candidate")
    rig, identity = matching_rig(parts[0], rig), identity or _identity(whole, row)
    found = find_individuals(
        _last(whole["position"], "space"),
        rig,
        fps=fps_of(whole),
        confidence=_last(whole["confidence"]),
        identity=identity,
        limbs=None if identity != "none" else _limbs(skeleton, whole),
        n_individuals=n_individuals,
        sigma=sigma,
        appearance=_last(whole["appearance"], "colour") if "appearance" in whole else None,
    )
    if not len(found.points_2d):
        raise DatasetError(
            "no animal was found: nowhere do two cameras agree on enough of its keypoints at a time; check that cameras"
            " and 2D points belong together (diagnose)"
        )
    left_over = {"left_over_frames": len(found.left_over), "left_over_in": number_ranges(np.unique(found.left_over))}
    return _as_views(whole, found.candidates).assign_attrs(views.attrs | left_over)


def _last(values: xr.DataArray, *more: str) -> Array:
    return values.transpose("view", "time", "keypoint", "candidate", *more).values


def _limbs(skeleton: Skeleton | None, views: xr.Dataset) -> Array | None:
    if skeleton is None:
        return None
    names = list(map(str, views["keypoint"].values))
    bones = in_order(skeleton, names).bones
    return np.array([[names.index(a), names.index(b)] for a, b in bones])


def _identity(whole: xr.Dataset, row: str) -> str:
    if row == "candidate":
        return "none"
    return "tracks" if rows_are_tracks(whole["position"].transpose("candidate", ...).values) else "detections"


def rows_are_tracks(points_2d: Array) -> bool:
    """Whether rows (n_rows, n_cameras, n_frames, n_keypoints, 2) follow animals from frame to frame in every camera.

    Two rows have exchanged animals where each is nearer to where the other was before.
    """
    middle = present_median(points_2d, axis=3)
    apart = np.linalg.norm(middle[:, None, :, 1:] - middle[None, :, :, :-1], axis=-1)  # (rows now, rows before, ...)
    own = np.einsum("ii...->i...", apart)
    exchanged = (apart < own[:, None]) & (np.swapaxes(apart, 0, 1) < own[:, None])
    either = exchanged.any(axis=(0, 1)).mean(axis=-1)
    return bool((either <= _EXCHANGED).all())


def _as_views(whole: xr.Dataset, candidates: NDArray[np.int64]) -> xr.Dataset:
    """The chosen candidates (n_individuals, n_cameras, n_frames, n_keypoints) of each variable; missing where -1."""
    at = xr.DataArray(np.maximum(candidates, 0), dims=("individual", "view", "time", "keypoint"))
    is_there = xr.DataArray(candidates >= 0, dims=at.dims)
    chosen = {}
    for name, values in whole.data_vars.items():
        if "candidate" not in values.dims:
            chosen[name] = values
            continue
        taken = values.isel(candidate=at).where(is_there, 0.0 if name == "confidence" else np.nan)
        chosen[name] = taken.transpose("individual", "view", "time", "keypoint", ...).assign_attrs(values.attrs)
    named = [f"individual_{i}" for i in range(len(candidates))]
    return check_views(xr.Dataset(chosen, attrs=whole.attrs).assign_coords(individual=named))
