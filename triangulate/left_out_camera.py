"""What the pixels of a camera that was left out say: which method predicts them best, and whether error bars hold."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..cameras import CameraRig
from ..datasets import DatasetError, combine_ensemble
from ..numerics.arrays import Array
from .framewise_methods import view_arrays
from .input_checks import from_views, matching_rig
from .predicted_regions import BLOCK, N_POINTS, Coverage, judge_coverage
from .reconstruction import pose_of
from .smoothing.problem import informative_frames

Method = Callable[[Array, CameraRig, Array | None], Array]


def leave_one_camera_out(
    points_2d: Any,
    rig: CameraRig,
    methods: Mapping[str, Method],
    *,
    confidence: Array | None = None,
    threshold: float = 50.0,
) -> pd.DataFrame:
    """Compare methods by the error with which they predict the pixels of a camera that was left out.

    A choice between methods without truth: each camera is left out in turn, the points are made from the others and
    projected into it. Outliers of the left-out camera disturb every method alike; medians and the share of large misses
    say more than means.

    Parameters
    ----------
    points_2d : ndarray, shape (n_cameras, n_frames, n_keypoints, 2), pixels, or xarray.Dataset
        Keypoints, the cameras in the order of the rig, NaN where missing; or a views dataset.
    rig : CameraRig
        The calibrated cameras, at least three.
    methods : mapping of str to function
        {name: function of (points_2d, rig, confidence)} that returns points_3d (n_frames, n_keypoints, 3), or a result
        with `points_3d`.
    confidence : ndarray, shape (n_cameras, n_frames, n_keypoints), 0-1, optional
        Handed to the methods; the left-out pixels count where it is above 0.5. None: that of the dataset, or all count.
    threshold : float, pixels
        Misses beyond it are counted as large.

    Returns
    -------
    pandas.DataFrame
        By (method, camera) and (method, "all"): n (pixels compared), missing (share that the method left out),
        median_px, p95_px, large (share beyond the threshold).

    Raises
    ------
    ValueError
        The rig has fewer than three cameras, or there is no method.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.cameras import Camera, CameraRig
    >>> from muybridge.triangulate import leave_one_camera_out, triangulate_dlt
    >>> K = [[1000, 0, 640], [0, 1000, 512], [0, 0, 1]]
    >>> rig = CameraRig(tuple(Camera(f"cam_{x}", (1280, 1024), K, [], np.eye(3), [x, 0, 1000]) for x in (-200, 0, 200)))
    >>> points_2d = rig.project(np.random.default_rng(0).uniform(-50, 50, (20, 3, 3)))
    >>> table = leave_one_camera_out(points_2d, rig, {"dlt": lambda y, rest, c: triangulate_dlt(y, rest)})
    >>> int(table.loc[("dlt", "all"), "n"]), bool(table.loc[("dlt", "all"), "median_px"] < 1e-6)
    (180, True)
    """
    points_2d, confidence = from_views(points_2d, rig, confidence=confidence)
    if len(rig) < 3:
        raise ValueError(f"leaving a camera out needs at least three, the rig has {list(rig.names)}")
    if not methods:
        raise ValueError("no method to compare; give {name: function of (points_2d, rig, confidence)}")
    points_2d = np.asarray(points_2d, dtype=float)
    rows = []
    for name, method in methods.items():
        errors = [_errors_in(camera, points_2d, rig, method, confidence) for camera in range(len(rig))]
        labelled = [*zip(rig.names, errors, strict=True), ("all", np.concatenate(errors))]
        rows += [{"method": name, "camera": camera, **_summary(error, threshold)} for camera, error in labelled]
    return pd.DataFrame(rows).set_index(["method", "camera"])


def predict_left_out(
    views: xr.Dataset | xr.DataArray,
    rig: CameraRig,
    methods: str | Sequence[str] | Mapping[str, Mapping[str, Any]] = ("ransac", "smooth"),
    *,
    n_frames: int = 300,
    **options,
) -> pd.DataFrame:
    """Compare methods of `reconstruct` by how they predict a left-out camera, where most was seen in a row.

    Parameters
    ----------
    views : xarray.Dataset
        As for `reconstruct`, without an individual dimension.
    rig : CameraRig
        Cameras of at least the views' names.
    methods : str, sequence of str, or mapping of str to mapping
        Names of methods; or {name: its own options for `reconstruct`}.
    n_frames : int, frames
        To judge by, the best observed ones in a row: what the computation may cost, whatever the frame rate.
    **options
        For `reconstruct`, given to every method, such as the skeleton.

    Returns
    -------
    pandas.DataFrame
        By (method, camera) and (method, "all"), as of `leave_one_camera_out`.

    Raises
    ------
    DatasetError, ValueError
        As `reconstruct` and `leave_one_camera_out`.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.cameras import Camera, CameraRig
    >>> from muybridge.datasets import views_dataset
    >>> from muybridge.triangulate import predict_left_out
    >>> K = [[1000, 0, 640], [0, 1000, 512], [0, 0, 1]]
    >>> rig = CameraRig(tuple(Camera(f"cam_{x}", (1280, 1024), K, [], np.eye(3), [x, 0, 1000]) for x in (-200, 0, 200)))
    >>> points_2d = rig.project(np.random.default_rng(0).uniform(-50, 50, (40, 1, 3)))
    >>> views = views_dataset(points_2d, cameras=rig.names, keypoints=["nose"], times=np.arange(40) / 100)
    >>> predict_left_out(views, rig, ["dlt", "pairs"]).xs("all", level="camera")["n"].to_dict()
    {'dlt': 120, 'pairs': 120}
    """
    views = combine_ensemble(views)
    if views.sizes.get("individual", 1) > 1:
        raise DatasetError("the views hold several individuals; select one: views.isel(individual=0)")
    views = views.squeeze("individual", drop=True) if "individual" in views.dims else views
    rig = matching_rig(views, rig)
    seen = np.isfinite(views["position"].values).all(axis=-1).sum(axis=(0, 2))
    part = views.isel(time=informative_frames(seen, n_frames, n_stretches=1)[0])

    def method(name: str, own: Mapping[str, Any]) -> Method:
        own = {**options, **own, "method": name}
        return lambda _, rest, __: pose_of(part.sel(view=list(rest.names)), rest, **own)["position"].values

    if not isinstance(methods, Mapping):
        methods = {name: {} for name in ([methods] if isinstance(methods, str) else methods)}
    points_2d, confidence = view_arrays(part)
    made = {name: method(name, own) for name, own in methods.items()}
    return leave_one_camera_out(points_2d, rig, made, confidence=confidence)


def check_coverage(
    views: xr.Dataset | xr.DataArray,
    rig: CameraRig,
    *,
    method: str = "smooth",
    n_points: int = N_POINTS,
    block: float = BLOCK,
    **options,
) -> Coverage:
    """Check error bars without a truth: leave each camera out and count its pixels in the predicted regions.

    Each camera is left out in turn, the points are made from the others, and the camera's pixels are compared with the
    regions predicted for them: the projected covariance and the camera's own noise. Where the 95 % regions hold less
    than 90 % or more than 98 %, factors of the keypoints' standard deviations are learned on every other block of
    frames and judged on the blocks between.

    Parameters
    ----------
    views : xarray.Dataset
        As for `reconstruct`, without an individual dimension.
    rig : CameraRig
        Cameras of at least the views' names, at least three.
    method : str
        As in `reconstruct`.
    n_points : int
        Points judged in each camera, about: what the computation may cost, whatever the length of the recording. Of a
        long recording up to four stretches in which most was seen are judged, 2 s of it at least.
    block : float, seconds
        Length of the blocks of frames, at least; longer than the errors of the detector last.
    **options
        For `reconstruct`, such as the skeleton. `noise`, the detector's own, replaces the estimated one here, too.

    Returns
    -------
    Coverage
        Shares per camera, per keypoint and overall, before and after rescaling, and the factors.

    Raises
    ------
    DatasetError, ValueError
        As `reconstruct`; there are fewer than three cameras.

    See Also
    --------
    reconstruct : With ``check_coverage=True`` rescales its covariances by these factors.

    Notes
    -----
    The left-out camera's noise is estimated from the residuals of all cameras together, per keypoint, and does not
    depend on the covariances that are judged. Its outliers, those of the robust triangulation of all cameras, are not
    counted: their share is given beside. Points that no two views agree on (NaN there) are not compared.

    A displacement that all views have in common leaves no trace in any of them: where a detector's labels lie beside
    the marker in all views alike, regions that hold 95 % of the pixels may hold less of the markers. What the
    covariances have for it (`shared_std` of a pose) is left out of the regions.

    The cost is that of as many reconstructions of these points as there are cameras.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.cameras import Camera, CameraRig
    >>> from muybridge.datasets import views_dataset
    >>> from muybridge.triangulate import check_coverage
    >>> K = [[1000, 0, 640], [0, 1000, 512], [0, 0, 1]]
    >>> rig = CameraRig(tuple(Camera(f"cam_{x}", (1280, 1024), K, [], np.eye(3), [x, 0, 1000]) for x in (-200, 0, 200)))
    >>> rng = np.random.default_rng(0)
    >>> points_2d = rig.project(rng.uniform(-50, 50, (300, 2, 3)))
    >>> points_2d += rng.normal(0, 1, points_2d.shape)
    >>> views = views_dataset(points_2d, cameras=rig.names, keypoints=["nose", "tail"], times=np.arange(300) / 100)
    >>> share = check_coverage(views, rig, method="ransac").table.loc[("all", "all"), "inside_95"]
    >>> bool(0.93 < share < 0.97)
    True
    """
    make_pose = partial(pose_of, method=method, **options)
    return judge_coverage(views, rig, make_pose, noise=options.get("noise"), n_points=n_points, block=block)


def _errors_in(camera: int, points_2d: Array, rig: CameraRig, method: Method, confidence: Array | None) -> Array:
    """Pixel errors in one camera of points made from the others; NaN where the method has no point."""
    others = [c for c in range(len(rig)) if c != camera]
    rest = rig.subset([rig.names[c] for c in others])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of cameras left out on purpose
        found = method(points_2d[others], rest, None if confidence is None else confidence[others])
    points_3d = np.asarray(getattr(found, "points_3d", found), dtype=float)
    error = np.linalg.norm(rig[camera].project(points_3d) - points_2d[camera], axis=-1)
    seen = np.isfinite(points_2d[camera]).all(axis=-1)
    if confidence is not None:
        seen &= confidence[camera] > 0.5
    return error[seen]


def _summary(error: Array, threshold: float) -> dict[str, float]:
    known = error[np.isfinite(error)]
    if not len(known):
        return {"n": 0, "missing": float(len(error) > 0), "median_px": np.nan, "p95_px": np.nan, "large": np.nan}
    return {
        "n": len(known),
        "missing": 1 - len(known) / len(error),
        "median_px": float(np.median(known)),
        "p95_px": float(np.quantile(known, 0.95)),
        "large": float((known > threshold).mean()),
    }
