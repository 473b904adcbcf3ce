"""Which cameras disagree with the others and which keypoints cannot be reconstructed, from reprojection errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from ...cameras import CameraRig
from ...datasets.validators import singular_dims
from ...numerics.arrays import Array, evenly_spread
from ...numerics.robust_scale import RAYLEIGH_MEDIAN, present_median
from .consensus import Triangulation, judgeable_rows, refined_sigma, triangulate_ransac
from .input_checks import check_observations, from_views, matching_rig

_JUDGED = 30_000  # points in all, evenly spread: more change no median by a tenth of its own error
_SAMPLE = 4000  # points that each camera is compared at: its median is then known to 2 % of the noise
_ENOUGH = 30  # points below which nothing is said about a camera or keypoint: a median of fewer is off by 15 % and more
_WORSE = 3.0  # times a good camera's own error (about twice the others' sigma) beyond which it disagrees
_BIAS = 1.5  # times the others' sigma of a median residual that means a moved camera
_MOSTLY_MISSING = 0.5  # share of the frames with a point below which a keypoint is named
_MANY_OUTLIERS = 0.25  # share of outliers above which a camera or keypoint is named


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """Reprojection errors per camera and keypoint, and warnings in words.

    Parameters
    ----------
    cameras : pandas.DataFrame
        One row per camera: n (observations), median_px and sigma_px (of inliers), outlier_share, left_out_px (median
        distance from the points of the other cameras), shift_x_px and shift_y_px (median of that difference: a camera
        that moved is off to one side), others_px (the other cameras' own sigma without it).
    keypoints : pandas.DataFrame
        One row per keypoint: n_frames, reconstructed (share of the frames), two_views (share of the points), median_px,
        sigma_px, outlier_share.
    table : pandas.DataFrame, shape (n_cameras, n_keypoints), pixels
        Median reprojection error of inliers.
    messages : tuple of str
        Sentences, the most serious first; empty where all is well.

    Examples
    --------
    See `diagnose`, which returns it.

    >>> from muybridge.triangulate import Diagnosis
    >>> list(Diagnosis.__dataclass_fields__)
    ['cameras', 'keypoints', 'table', 'messages']
    """

    cameras: pd.DataFrame
    keypoints: pd.DataFrame
    table: pd.DataFrame
    messages: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join([self.cameras.to_string(float_format="%.2f"), "", *(self.messages or ("All views agree.",))])


def diagnose(
    points_2d: Any,
    rig: CameraRig,
    *,
    keypoints: Sequence[str] | None = None,
    confidence: Array | None = None,
    triangulation: Triangulation | None = None,
) -> Diagnosis:
    """Find cameras that disagree with the others, and keypoints that cannot be reconstructed.

    A camera is compared with the points of the other cameras without it: one that moved pulls every point towards
    itself and would otherwise hide in the residuals of all.

    Parameters
    ----------
    points_2d : ndarray, shape (n_cameras, n_frames, n_keypoints, 2), pixels, or xarray.Dataset
        Keypoints, the cameras in the order of the rig, NaN where missing; or a views dataset, of which all individuals
        are judged together. Of a long recording evenly spread frames are judged, some 30,000 points.
    rig : CameraRig
        The calibrated cameras.
    keypoints : sequence of str, optional
        Their names. None: those of the dataset, or their numbers.
    confidence : ndarray, shape (n_cameras, n_frames, n_keypoints), 0-1, optional
        As in `triangulate_ransac`. None: that of the dataset, or all alike.
    triangulation : Triangulation, optional
        Of all these points, if it is there already.

    Returns
    -------
    Diagnosis
        Tables of errors, and sentences that name what is wrong.

    Raises
    ------
    ValueError
        Shapes do not fit.

    Examples
    --------
    A camera is 20 pixels off to the right.

    >>> import numpy as np
    >>> from muybridge.cameras import Camera, CameraRig
    >>> from muybridge.triangulate import diagnose
    >>> K = [[1000, 0, 640], [0, 1000, 512], [0, 0, 1]]
    >>> x = (-300, -100, 100, 300)
    >>> rig = CameraRig(tuple(Camera(f"cam_{i}", (1280, 1024), K, [], np.eye(3), [x[i], 0, 1000]) for i in range(4)))
    >>> rng = np.random.default_rng(0)
    >>> points_2d = rig.project(rng.uniform(-100, 100, (50, 10, 3)))
    >>> points_2d += rng.normal(0, 0.5, points_2d.shape)
    >>> points_2d[2] += [20.0, 0.0]
    >>> diagnose(points_2d, rig).messages[0][:36]
    "Camera 'cam_2' disagrees with the ot"
    """
    if isinstance(points_2d, xr.Dataset | xr.DataArray):
        points_2d = singular_dims(points_2d)
        rig = matching_rig(points_2d, rig)
        points_2d, confidence, keypoints = _all_individuals(points_2d, rig, confidence, keypoints)
    points_2d, confidence = check_observations(points_2d, rig, confidence, by_frame=True)
    names = [str(i) for i in range(points_2d.shape[2])] if keypoints is None else [str(name) for name in keypoints]
    if len(names) != points_2d.shape[2]:
        raise ValueError(f"there are {len(names)} keypoint names for {points_2d.shape[2]} keypoints")
    if triangulation is None:
        some = slice(None, None, max(1, points_2d.shape[1] * points_2d.shape[2] // _JUDGED))
        points_2d, confidence = points_2d[:, some], None if confidence is None else confidence[:, some]
    found = triangulate_ransac(points_2d, rig, confidence=confidence) if triangulation is None else triangulation
    seen = np.asarray(np.isfinite(points_2d).all(axis=-1) & np.isfinite(found.points_3d).all(axis=-1))
    error = np.where(found.inliers, found.reprojection_error, np.nan)
    table = pd.DataFrame(present_median(error, axis=1), index=list(rig.names), columns=names)
    cameras = _camera_table(points_2d, rig, confidence, found, error, seen)
    by_keypoint = _keypoint_table(found, error, seen, names)
    return Diagnosis(cameras, by_keypoint, table, tuple(_camera_words(cameras) + _keypoint_words(by_keypoint)))


def _all_individuals(views: xr.Dataset, rig: CameraRig, confidence: Array | None, keypoints: Sequence[str] | None):
    """Points, confidence and names of a views dataset; of several individuals their frames one after the other."""
    found = from_views(views, rig, individuals=True, confidence=confidence, keypoints=keypoints)
    points_2d, confidence, keypoints = found
    if points_2d.ndim == 4:
        return found
    return np.concatenate(points_2d, axis=1), np.concatenate(np.asarray(confidence), axis=1), keypoints


def _share(part: NDArray[np.bool_], whole: NDArray[np.bool_], axis) -> Array:
    return part.sum(axis=axis) / np.maximum(whole.sum(axis=axis), 1)


def _camera_table(points_2d, rig, confidence, found, error, seen) -> pd.DataFrame:
    left_out = np.array([_left_out(points_2d, rig, confidence, c, found.sigma) for c in range(len(rig))])
    return pd.DataFrame(
        {
            "n": seen.sum(axis=(1, 2)),
            "median_px": present_median(error, axis=(1, 2)),
            "sigma_px": found.sigma,
            "outlier_share": _share(seen & ~found.inliers, seen, (1, 2)),
            "left_out_px": left_out[:, 0],
            "shift_x_px": left_out[:, 1],
            "shift_y_px": left_out[:, 2],
            "others_px": left_out[:, 3],
        },
        index=pd.Index(rig.names, name="camera"),
    )


def _left_out(
    points_2d: Array, rig: CameraRig, confidence: Array | None, camera: int, sigma: Array
) -> tuple[float, ...]:
    """(median distance, median shift x and y, the others' own sigma), pixels; NaN with fewer than three cameras.

    `sigma` (n_cameras,) of all cameras together is where the search for the others' own begins.
    """
    if len(rig) < 3:
        return np.nan, np.nan, np.nan, np.nan
    others = [c for c in range(len(rig)) if c != camera]
    flat = points_2d.reshape(len(rig), -1, 2)
    rows = evenly_spread(flat.shape[1], _SAMPLE)
    prior = np.empty((len(rig), 0)) if confidence is None else confidence.reshape(flat.shape[:2])[:, rows]
    rest, seen = rig.subset([rig.names[c] for c in others]), flat[:, rows][others]
    sigma = refined_sigma(seen, prior[others], rest, sigma[others], judgeable_rows(seen))
    found = triangulate_ransac(seen, rest, confidence=prior[others] if prior.size else None, sigma=sigma)
    firm = np.where(found.two_views[:, None] & (len(others) > 2), np.nan, found.points_3d)
    shift = flat[camera, rows] - rig[camera].project(firm)
    length = np.linalg.norm(shift, axis=-1)
    if np.isfinite(length).sum() < _ENOUGH:
        return np.nan, np.nan, np.nan, _rms(found.sigma)
    return float(np.nanmedian(length)), *map(float, np.nanmedian(shift, axis=0)), _rms(found.sigma)


def _rms(values: Array) -> float:
    return float(np.sqrt(np.mean(values**2)))


def _keypoint_table(found: Triangulation, error: Array, seen: NDArray[np.bool_], names: list[str]) -> pd.DataFrame:
    solved = np.asarray(np.isfinite(found.points_3d).all(axis=-1))
    median = present_median(error, axis=(0, 1))
    return pd.DataFrame(
        {
            "n_frames": len(solved),
            "reconstructed": solved.mean(axis=0) if len(solved) else np.nan,
            "two_views": _share(found.two_views & solved, solved, 0),
            "median_px": median,
            "sigma_px": median / RAYLEIGH_MEDIAN,
            "outlier_share": _share(seen & ~found.inliers, seen, (0, 1)),
        },
        index=pd.Index(names, name="keypoint"),
    )


def _camera_words(cameras: pd.DataFrame) -> list[str]:
    """Sentences on cameras that are far from the others while these agree without it, and on those of many outliers."""
    words, rows = [], _rows(cameras)
    agreement = min((row["others_px"] for row in rows.values() if np.isfinite(row["others_px"])), default=np.nan)
    wrong = {name: row for name, row in rows.items() if _is_wrong(row, agreement)}
    for name, row in sorted(wrong.items(), key=lambda item: -item[1]["left_out_px"]):
        moved = np.hypot(row["shift_x_px"], row["shift_y_px"]) > 0.5 * row["left_out_px"]
        how = (
            f"mostly to one side ({row['shift_x_px']:+.1f}, {row['shift_y_px']:+.1f}) px, as if it had moved:"
            " calibrate it again or refine the rig"
            if moved
            else "in all directions: wrong frames, swapped labels or a wrong focal length"
        )
        words.append(
            f"Camera '{name}' disagrees with the others by {row['left_out_px']:.1f} px (median), while they agree to"
            f" {row['others_px']:.1f} px without it; {how}."
        )
    for name, row in rows.items():
        share = row["outlier_share"]
        if row["n"] < _ENOUGH:
            words.append(f"Camera '{name}' shares fewer than {_ENOUGH} points with the others.")
        elif name not in wrong and share > _MANY_OUTLIERS:
            words.append(f"Camera '{name}' is an outlier in {100 * share:.0f} % of what it sees.")
    return words


def _is_wrong(row: dict[str, float], agreement: float) -> bool:
    others = row["others_px"]
    far = row["left_out_px"] > 2 * _WORSE * others
    lean = np.hypot(row["shift_x_px"], row["shift_y_px"]) > _BIAS * others
    return bool((far or lean) and others <= 1.5 * agreement)


def _keypoint_words(keypoints: pd.DataFrame) -> list[str]:
    words = []
    for name, row in _rows(keypoints).items():
        if row["n_frames"] and row["reconstructed"] < _MOSTLY_MISSING:
            words.append(
                f"Keypoint '{name}' is mostly missing: two views agree on it in only {100 * row['reconstructed']:.0f} %"
                " of the frames; label more frames of it or leave it out."
            )
        elif row["outlier_share"] > _MANY_OUTLIERS:
            words.append(f"Keypoint '{name}' is an outlier in {100 * row['outlier_share']:.0f} % of its views.")
    return words


def _rows(table: pd.DataFrame) -> dict[str, dict[str, float]]:
    return {str(name): {str(k): float(v) for k, v in row.items()} for name, row in table.to_dict("index").items()}
