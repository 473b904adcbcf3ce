"""Every stage of a rendered session against the known truth, one row per quantity."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from scipy.special import chdtri

from ..cameras import CameraRig, read_rig
from ..cameras.alignment import align_cameras
from ..datasets import DatasetError, read_dataset
from ..numerics.arrays import Array
from .animal import TRUNK

Row = tuple[str, float | np.floating, str]  # quantity, value, unit
# (stage, quantity, unit): what the demo promises, an upper bound in the unit
GOALS = {
    ("calibrate", "camera centre, median", "mm"): 1.0,
    ("calibrate", "focal length, worst", "%"): 0.3,
    ("reconstruct", "3D point, median", "% of body"): 1.0,
    ("kinematics", "joint angle, RMSE", "deg"): 6.0,
}


def compare_with_truth(
    folder: str | os.PathLike,
    *,
    rig: CameraRig | None = None,
    views: xr.Dataset | None = None,
    pose: xr.Dataset | None = None,
    kinematics: xr.Dataset | None = None,
) -> pd.DataFrame:
    """Errors of the stages that are given, against `truth.nc`, `truth_rig.toml` and `truth_kinematics.nc` in `folder`.

    The world of a calibrated rig is free: it is laid on the truth's by the rotation and shift (no scale) that fit the
    cameras' places and directions best, before anything is measured in millimetres. A detector's errors are those of
    the visible keypoints and, apart from them, of those that the animal itself hides; points that a stage left out
    count as not found, not as error.

    Parameters
    ----------
    folder : str or PathLike
        The folder that `render_demo` wrote.
    rig : CameraRig, optional
        Calibrated cameras; their names are the truth's.
    views : xarray.Dataset, optional
        Detected keypoints (view, time, keypoint, space), pixels; NaN counts as not found.
    pose : xarray.Dataset, optional
        3D keypoints in the world of `rig`, which must be given with it.
    kinematics : xarray.Dataset, optional
        Joint angles, radians, and `stance` where the gait is known.

    Returns
    -------
    pandas.DataFrame
        Columns stage, quantity, value, unit, goal; a goal bounds the value from above and is NaN where none is set.

    Raises
    ------
    DatasetError
        The truth is missing, or names, times or units do not fit it.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.cameras import Camera, CameraRig, write_rig
    >>> from muybridge.datasets import pose_dataset, write_dataset
    >>> from muybridge.demo import compare_with_truth
    >>> K = [[1000, 0, 640], [0, 1000, 512], [0, 0, 1]]
    >>> rig = CameraRig(tuple(Camera(f"cam_{x}", (1280, 1024), K, [], np.eye(3), [x, 0, 1000]) for x in (-200, 0, 200)))
    >>> true = pose_dataset(np.zeros((3, 1, 3)), keypoints=["nose"], times=[0.0, 0.1, 0.2], unit="mm")
    >>> _ = write_dataset(true, "truth.nc"), write_rig(rig, "truth_rig.toml")
    >>> table = compare_with_truth(".", rig=rig, pose=true.assign(position=true["position"] + 2.0))
    >>> table.query("quantity == '3D point, median' and unit == 'mm'")["value"].round(3).tolist()
    [3.464]
    """
    folder = Path(folder)
    truth, true_rig = read_dataset(folder / "truth.nc"), read_rig(folder / "truth_rig.toml")
    stages: dict[str, list[Row]] = {}
    if rig is not None:
        names = _shared(rig.names, true_rig.names, "cameras")
        rig, same = rig.subset(names), true_rig.subset(names)
        R, t = align_cameras(rig, same)
        stages["calibrate"] = _camera_rows(rig, same, R, t)
    if views is not None:
        stages["predict"] = _detector_rows(views, truth, true_rig)
    if pose is not None:
        if rig is None:
            raise DatasetError("a pose is compared in the world of its cameras; give the rig with it")
        stages["reconstruct"] = _pose_rows(pose, truth, R, t)
    if kinematics is not None:
        stages["kinematics"] = _kinematics_rows(kinematics, read_dataset(folder / "truth_kinematics.nc"))
    rows = [
        (stage, quantity, float(value), unit, GOALS.get((stage, quantity, unit), np.nan))
        for stage, found in stages.items()
        for quantity, value, unit in found
    ]
    return pd.DataFrame(rows, columns=["stage", "quantity", "value", "unit", "goal"])


def _camera_rows(rig: CameraRig, truth: CameraRig, R: Array, t: Array) -> list[Row]:
    offset = np.linalg.norm(rig.centers @ R.T + t - truth.centers, axis=1)
    pairs = list(zip(rig, truth, strict=True))
    turn = [Rotation.from_matrix(ours.R @ R.T @ theirs.R.T).magnitude() for ours, theirs in pairs]
    focal = [100 * np.abs(ours.K[[0, 1], [0, 1]] / theirs.K[[0, 1], [0, 1]] - 1).max() for ours, theirs in pairs]
    rows: list[Row] = [
        ("camera centre, median", np.median(offset), truth.unit),
        ("camera centre, worst", offset.max(), truth.unit),
        ("camera direction, worst", np.degrees(max(turn)), "deg"),
        ("focal length, median", np.median(focal), "%"),
        ("focal length, worst", max(focal), "%"),
    ]
    if len(rig) > 1:
        ours, theirs = (np.linalg.norm(r.centers - r.centers.mean(axis=0)) for r in (rig, truth))
        rows.append(("scale of the rig", 100 * abs(ours / theirs - 1), "%"))
    return rows


def _detector_rows(views: xr.Dataset, truth: xr.Dataset, rig: CameraRig) -> list[Row]:
    views = _one_animal(views)
    cameras = _shared(map(str, views["view"].values), rig.names, "cameras")
    views, truth = _matched(views.sel(view=cameras), truth.sel(view=cameras))
    rig, seen = rig.subset(cameras), truth["visible"].values.astype(bool)
    pixels, size = rig.project(truth["position"].values), np.array([camera.size for camera in rig])[:, None, None]
    inside = ((pixels > -0.5) & (pixels < size - 0.5)).all(axis=-1)
    offset = views["position"].values - pixels
    found = _complete(offset)
    rows: list[Row] = [("visible keypoints found", _percent(found[seen]), "%")]
    for kind, those in (("visible", seen & found), ("hidden", ~seen & inside & found)):
        error = np.linalg.norm(offset, axis=-1)[those]
        rows += [(f"{kind} keypoint, {name}", value, "px") for name, value in _spread(error).items()]
        rows += _coverage_rows(f"ellipses of {kind} keypoints", views.get("covariance"), offset, those, percent=90)
    return rows


def _pose_rows(pose: xr.Dataset, truth: xr.Dataset, R: Array, t: Array) -> list[Row]:
    pose, truth = _matched(_one_animal(pose), truth)
    unit = str(truth["position"].attrs["units"])
    if pose["position"].attrs.get("units") != unit:
        raise DatasetError(f"the pose is in {pose['position'].attrs.get('units')!r}, the truth in {unit!r}")
    offset = pose["position"].values @ R.T + t - truth["position"].values
    found = _complete(offset)
    rows: list[Row] = []
    for name, value in _spread(np.linalg.norm(offset, axis=-1)[found]).items():
        rows.append((f"3D point, {name}", value, unit))
        rows.append((f"3D point, {name}", 100 * value / TRUNK.length, "% of body"))
    rows.append(("points reconstructed", _percent(found), "%"))
    return rows + _coverage_rows("regions", pose.get("covariance"), offset @ R, found)


def _kinematics_rows(kinematics: xr.Dataset, truth: xr.Dataset) -> list[Row]:
    kinematics = _one_animal(kinematics)
    joints = _shared(map(str, kinematics["joint"].values), map(str, truth["joint"].values), "joints")
    kinematics, truth = _matched(kinematics.sel(joint=joints), truth.sel(joint=joints))
    if kinematics["angle"].attrs.get("units", "rad").startswith("deg"):
        raise DatasetError("the angles are in degrees; a kinematics dataset holds radians")
    error = kinematics["angle"].values - truth["angle"].values
    found = np.isfinite(error)
    rmse = [_root_mean_square(column) for column in np.degrees(error).T]
    worst = int(np.nanargmax(rmse)) if found.any() else 0
    rows: list[Row] = [
        ("joint angle, RMSE", _root_mean_square(np.degrees(error)), "deg"),
        ("joint angle, median", _spread(np.degrees(np.abs(error[found])))["median"], "deg"),
        (f"joint angle, RMSE of the worst ({joints[worst]})", rmse[worst], "deg"),
        ("angles computed", _percent(found), "%"),
    ]
    if "angle_std" in kinematics:
        variance = kinematics["angle_std"].expand_dims(["row", "column"], axis=[-2, -1]) ** 2
        rows += _coverage_rows("intervals", variance, error[..., None], found)
    return rows + (_stance_rows(kinematics, truth) if "stance" in kinematics and "stance" in truth else [])


def _stance_rows(kinematics: xr.Dataset, truth: xr.Dataset) -> list[Row]:
    limbs = _shared(map(str, kinematics["limb"].values), map(str, truth["limb"].values), "limbs")
    kinematics, truth = _matched(kinematics.sel(limb=limbs), truth.sel(limb=limbs))
    right = kinematics["stance"].values.astype(bool) == truth["stance"].values.astype(bool)
    return [("stance or swing, right", _percent(right), "%")]


def _spread(errors: Array) -> dict[str, float]:
    """Median, mean and 95th percentile; NaN of nothing."""
    series = pd.Series(errors, dtype=float)
    return {"median": series.median(), "mean": series.mean(), "p95": float(series.quantile(0.95))}


def _root_mean_square(errors: Array) -> float:
    """Of what is not NaN; NaN of nothing."""
    return float(np.sqrt(pd.Series(np.ravel(errors) ** 2).mean()))


def _percent(flags: NDArray[np.bool_]) -> float:
    return 100 * float(np.mean(flags)) if flags.size else np.nan


def _coverage_rows(
    what: str, covariance: xr.DataArray | None, offset: Array, used: NDArray[np.bool_], percent: int = 95
) -> list[Row]:
    """How many of the `used` offsets lie in their regions; no row where no covariance is known."""
    if covariance is None:
        return []
    inside = _inside_region(offset, covariance.values, percent)[used]
    return [(f"{percent} % {what} hold the truth", _percent(inside), "%")]


def _inside_region(offset: Array, covariance: Array, percent: int) -> NDArray[np.bool_]:
    """(...) whether offsets (..., n) lie in the regions of covariances (..., n, n); False where either is NaN."""
    n = offset.shape[-1]
    usable = _complete(offset) & _complete(covariance.reshape(*offset.shape[:-1], n * n))
    usable[usable] = np.linalg.det(covariance[usable]) > 0
    distance = np.full(offset.shape[:-1], np.inf)
    solved = np.linalg.solve(covariance[usable], offset[usable][..., None])[..., 0]
    distance[usable] = np.sum(offset[usable] * solved, axis=-1)
    return distance < chdtri(n, 1 - percent / 100)


def _complete(values: Array) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(values).all(axis=-1))


def _one_animal(dataset: xr.Dataset) -> xr.Dataset:
    if "individual" not in dataset.dims:
        return dataset
    if dataset.sizes["individual"] != 1:
        raise DatasetError(f"the truth is of one animal, the dataset holds {dataset.sizes['individual']} individuals")
    return dataset.isel(individual=0, drop=True)


def _matched(dataset: xr.Dataset, truth: xr.Dataset) -> tuple[xr.Dataset, xr.Dataset]:
    """Both at the frames and keypoints of the truth; a frame of the truth takes the nearest within half a step."""
    if "keypoint" in truth.dims and "keypoint" in dataset.dims:
        names = _shared(map(str, truth["keypoint"].values), map(str, dataset["keypoint"].values), "keypoints")
        dataset, truth = dataset.sel(keypoint=names), truth.sel(keypoint=names)
    ours, theirs = dataset["time"].values, truth["time"].values
    step = np.median(np.diff(theirs)) if len(theirs) > 1 else np.inf
    nearest = pd.Index(ours).get_indexer(theirs, method="nearest", tolerance=0.5 * step)
    close = nearest >= 0
    if not close.any():
        raise DatasetError(
            f"no frame lies at a time of the truth ({theirs[0]:.3f} to {theirs[-1]:.3f} s); the dataset's times are"
            f" {ours[0]:.3f} to {ours[-1]:.3f} s"
        )
    return dataset.isel(time=nearest[close]), truth.isel(time=np.flatnonzero(close))


def _shared(ours, theirs, what: str) -> list[str]:
    """Names in both, in the order of the first. Raises DatasetError where there are none."""
    ours, theirs = list(ours), list(theirs)
    shared = [name for name in ours if name in theirs]
    if not shared:
        raise DatasetError(f"the {what} {ours} are none of the truth's {theirs}")
    return shared
