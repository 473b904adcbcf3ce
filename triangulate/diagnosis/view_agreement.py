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
from ..input_checks import check_observations, from_views, matching_rig
from ..points.consensus import Triangulation, triangulate_ransac
from ..points.consensus_solver import judgeable_rows, refined_sigma
from .cause import Cause, find_cause, usable
from .warning_sentences import ENOUGH, camera_warnings, keypoint_warnings, mistake_warnings, rig_warning, wrong_cameras

_JUDGED = 30_000  # points in all, evenly spread: more change no median by a tenth of its own error
_SAMPLE = 4000  # points that each camera is compared at: its median is then known to 2 % of the noise


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """Reprojection errors per camera and keypoint, and warnings in words.

    Parameters
    ----------
    cameras : pandas.DataFrame
        One row per camera: n (observations), median_px and sigma_px (of inliers), outlier_share, sure_outliers (each
        observation weighted by its confidence), outlier_px and outlier_off (median reprojection error of
        outliers, pixels and world units), left_out_px (median distance from the points of the other cameras),
        shift_x_px and shift_y_px (median of that difference: a camera that moved is off to one side), others_px (the
        other cameras' own sigma without it), unit_per_px (size of a pixel at the animal, world units).
    keypoints : pandas.DataFrame
        One row per keypoint: n_frames, reconstructed (share of the frames that have any point), two_views (share of
        the points), median_px, sigma_px, outlier_share, sure_outliers, outlier_px, outlier_off.
    table : pandas.DataFrame, shape (n_cameras, n_keypoints), pixels
        Median reprojection error of inliers.
    warnings : pandas.DataFrame
        One row per warning, the most serious first: kind ("camera" or "keypoint"), name, off (world units) and off_px:
        how far off its detections are on average, NaN where that is not known; message. Empty where all is well.
    mistakes : tuple of str
        Sentences on what is wrong with all points of some cameras, each with its evidence and remedy: views exchanged,
        mirrored, delayed, of another size and so on; empty where nothing of that kind explains a disagreement.
    refusal : str
        Why nothing should be reconstructed from these views and this rig, and what to do; empty where it can be.
    majority_px : float, pixels
        Median epipolar error of the worst pair of cameras within the majority that agrees best.
    chance : float, 0-1
        Share of unrelated points, matched at random, that agree as well as the majority's median point does: 0.5 where
        the views have nothing to do with each other, near 0 where they fit.
    wrong : tuple of str
        The cameras that mistakes other than delays concern: they should be left out.
    cause : object
        What the sentences were made of, for functions that go on from it.

    Examples
    --------
    See `diagnose`, which returns it.

    >>> from muybridge.triangulate import Diagnosis
    >>> list(Diagnosis.__dataclass_fields__)
    ['cameras', 'keypoints', 'table', 'warnings', 'mistakes', 'refusal', 'majority_px', 'chance', 'wrong', 'cause']
    """

    cameras: pd.DataFrame
    keypoints: pd.DataFrame
    table: pd.DataFrame
    warnings: pd.DataFrame
    mistakes: tuple[str, ...] = ()
    refusal: str = ""
    majority_px: float = float("nan")
    chance: float = float("nan")
    wrong: tuple[str, ...] = ()
    cause: Cause | None = None

    @property
    def messages(self) -> tuple[str, ...]:
        """The sentences of the warnings, the most serious first; empty where all is well."""
        return tuple(self.warnings["message"])

    def __str__(self) -> str:
        return "\n".join([self.cameras.to_string(float_format="%.2f"), "", *(self.messages or ("All views agree.",))])


def diagnose(
    points_2d: Any,
    rig: CameraRig,
    *,
    keypoints: Sequence[str] | None = None,
    confidence: Array | None = None,
    fps: float | None = None,
    triangulation: Triangulation | None = None,
) -> Diagnosis:
    """Find cameras that disagree with the others, and keypoints that cannot be reconstructed.

    A camera is compared with the points of the other cameras without it: one that moved pulls every point towards
    itself and would otherwise hide in the residuals of all. Where cameras disagree, the cause is sought among what
    happens to whole recordings (files exchanged, pictures mirrored, turned, cropped or of another size, x and y
    exchanged, left and right exchanged, individuals in another order, delayed frames, a rig of another day).

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
    fps : float, hertz, optional
        Frame rate: delays of up to half a second are sought. None: that of the dataset, or delays of up to 5 frames.
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
        given = {"confidence": confidence, "keypoints": keypoints, "fps": fps}
        points_2d, confidence, keypoints, fps = from_views(points_2d, rig, individuals=True, **given)
    n_individuals = np.shape(points_2d)[0] if np.ndim(points_2d) == 5 else 1
    if np.ndim(points_2d) == 5:  # one after the other
        points_2d = np.concatenate(np.asarray(points_2d, dtype=float), axis=1)
        confidence = None if confidence is None else np.concatenate(np.asarray(confidence), axis=1)
    points_2d, confidence = check_observations(points_2d, rig, confidence, by_frame=True)
    tracks = usable(points_2d, confidence).reshape(len(rig), n_individuals, -1, *points_2d.shape[2:])
    names = [str(i) for i in range(points_2d.shape[2])] if keypoints is None else [str(name) for name in keypoints]
    if len(names) != points_2d.shape[2]:
        raise ValueError(f"there are {len(names)} keypoint names for {points_2d.shape[2]} keypoints")
    cause = find_cause(tracks, rig, names, fps)
    if triangulation is None:
        some = slice(None, None, max(1, points_2d.shape[1] * points_2d.shape[2] // _JUDGED))
        points_2d, confidence = points_2d[:, some], None if confidence is None else confidence[:, some]
    found = triangulate_ransac(points_2d, rig, confidence=confidence) if triangulation is None else triangulation
    judged = _Judged.of(points_2d, rig, confidence, found)
    table = pd.DataFrame(present_median(judged.error, axis=1), index=list(rig.names), columns=names)
    cameras = _camera_table(points_2d, rig, confidence, judged)
    left_out = cause.wrong
    if left_out and not cause.refusal:  # what wrong cameras do to keypoints and other cameras is not their fault
        right = np.array([name not in left_out for name in rig.names])
        alone = np.where(right[:, None, None, None], points_2d, np.nan)
        judged = _Judged.of(alone, rig, confidence, triangulate_ransac(alone, rig, confidence=confidence))
        own = _outlier_columns(judged)
        cameras.loc[right, own.columns] = own.to_numpy()[right]
    wrong = [name for name in wrong_cameras(cameras) if cameras.loc[name, "n"] >= ENOUGH]
    good = np.array([name not in wrong and name not in left_out for name in rig.names])
    by_keypoint = _keypoint_table(judged, names, good)
    shares = {
        camera: dict(zip(names, row.tolist(), strict=True))
        for camera, row in zip(rig.names, judged.outliers.shares(axis=1), strict=True)
    }
    words = mistake_warnings(cause.mistakes, cameras, wrong)
    if cause.refusal:
        words = words or [rig_warning(cause.refusal, cause.agreement.majority_px, cameras)]
    else:
        related = dict(zip(rig.names, cause.agreement.related, strict=True))
        words += camera_warnings(cameras, wrong, shares, rig.unit, related, cause.mistakes)
        if not words and cause.warning:
            words = [rig_warning(cause.warning, cause.agreement.majority_px, cameras)]
        agreeing = {camera: row for (camera, row), kept in zip(shares.items(), good, strict=True) if kept}
        size = _animal_size(judged.found.points_3d)
        words += keypoint_warnings(by_keypoint, agreeing, size, cameras, rig.unit)
    warnings = pd.DataFrame(words, columns=["kind", "name", "off", "off_px", "message"])
    warnings = warnings.sort_values("off", ascending=False, na_position="last", kind="stable", ignore_index=True)
    return Diagnosis(
        cameras,
        by_keypoint,
        table,
        warnings,
        tuple(mistake.sentence for mistake in cause.mistakes),
        cause.refusal,
        cause.agreement.majority_px,
        cause.agreement.chance,
        left_out,
        cause,
    )


@dataclass(frozen=True, eq=False)
class _Judged:
    """A triangulation with what was observed and what lies off.

    seen : (n_cameras, n_frames, n_keypoints) whether a triangulated point was observed
    error : of the same shape, reprojection errors of inliers, pixels, NaN elsewhere
    """

    found: Triangulation
    seen: NDArray[np.bool_]
    outliers: _Outliers
    error: Array

    @classmethod
    def of(cls, points_2d: Array, rig: CameraRig, confidence: Array | None, found: Triangulation) -> _Judged:
        seen = np.asarray(np.isfinite(points_2d).all(axis=-1) & np.isfinite(found.points_3d).all(axis=-1))
        outliers = _Outliers.of(found, rig, seen, np.ones(seen.shape) if confidence is None else confidence)
        return cls(found, seen, outliers, np.where(found.inliers, found.reprojection_error, np.nan))


@dataclass(frozen=True, eq=False)
class _Outliers:
    """Observations that are no inliers, (n_cameras, n_frames, n_keypoints).

    weight : confidence of each observation, 0 where there is none
    wrong : whether it is an outlier
    distance, off : its reprojection error in pixels and in world units at the point's depth, NaN unless it is wrong
    unit_per_px : (n_cameras,) size of a pixel at the animal
    """

    weight: Array
    wrong: NDArray[np.bool_]
    distance: Array
    off: Array
    unit_per_px: Array

    @classmethod
    def of(cls, found: Triangulation, rig: CameraRig, seen: NDArray[np.bool_], confidence: Array) -> _Outliers:
        # root mean square of the pixels that a displacement by a world unit across the line of sight makes
        scale = np.sqrt((rig.project_jacobian(found.points_3d) ** 2).sum(axis=(-1, -2)) / 2)
        scale = np.where(scale > 0, scale, np.nan)
        wrong = seen & ~found.inliers
        distance = np.where(wrong, found.reprojection_error, np.nan)
        weight = np.where(seen, np.nan_to_num(confidence), 0.0)
        return cls(weight, wrong, distance, distance / scale, 1 / present_median(scale, axis=(1, 2)))

    def shares(self, axis: int | tuple[int, ...]) -> Array:
        """Share of the weight that outliers have."""
        whole = self.weight.sum(axis=axis)
        return np.where(self.wrong, self.weight, 0.0).sum(axis=axis) / np.where(whole > 0, whole, 1.0)

    def among(self, cameras: NDArray[np.bool_]) -> _Outliers:
        return _Outliers(
            self.weight[cameras],
            self.wrong[cameras],
            self.distance[cameras],
            self.off[cameras],
            self.unit_per_px[cameras],
        )

    def columns(self, axis: tuple[int, ...]) -> dict[str, Array]:
        return {
            "sure_outliers": self.shares(axis),
            "outlier_px": present_median(self.distance, axis=axis),
            "outlier_off": present_median(self.off, axis=axis),
        }


def _share(part: NDArray[np.bool_], whole: NDArray[np.bool_], axis) -> Array:
    return part.sum(axis=axis) / np.maximum(whole.sum(axis=axis), 1)


def _camera_table(points_2d: Array, rig: CameraRig, confidence: Array | None, judged: _Judged) -> pd.DataFrame:
    sigma = judged.found.sigma
    left_out = np.array([_left_out(points_2d, rig, confidence, c, sigma) for c in range(len(rig))])
    own = _outlier_columns(judged)
    return pd.DataFrame(
        {
            "n": own["n"].to_numpy(),
            "median_px": own["median_px"].to_numpy(),
            "sigma_px": sigma,
            **{name: own[name].to_numpy() for name in own.columns[2:]},
            "left_out_px": left_out[:, 0],
            "shift_x_px": left_out[:, 1],
            "shift_y_px": left_out[:, 2],
            "others_px": left_out[:, 3],
            "unit_per_px": judged.outliers.unit_per_px,
        },
        index=pd.Index(rig.names, name="camera"),
    )


def _outlier_columns(judged: _Judged) -> pd.DataFrame:
    """The columns of the table of cameras that other cameras have a part in: n, median_px and those of outliers."""
    return pd.DataFrame(
        {
            "n": judged.seen.sum(axis=(1, 2)),
            "median_px": present_median(judged.error, axis=(1, 2)),
            "outlier_share": _share(judged.outliers.wrong, judged.seen, (1, 2)),
            **judged.outliers.columns((1, 2)),
        }
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
    if np.isfinite(length).sum() < ENOUGH:
        return np.nan, np.nan, np.nan, _rms(found.sigma)
    return float(np.nanmedian(length)), *map(float, np.nanmedian(shift, axis=0)), _rms(found.sigma)


def _rms(values: Array) -> float:
    return float(np.sqrt(np.mean(values**2)))


def _keypoint_table(judged: _Judged, names: list[str], good: NDArray[np.bool_]) -> pd.DataFrame:
    """One row per keypoint; its outliers are those in the `good` cameras (n_cameras,), which did not move."""
    found, outliers = judged.found, judged.outliers
    solved = np.asarray(np.isfinite(found.points_3d).all(axis=-1))
    median = present_median(judged.error, axis=(0, 1))
    shown = solved[solved.any(axis=1)] if solved.any() else solved  # without instants that no video has a frame of
    return pd.DataFrame(
        {
            "n_frames": len(solved),
            "reconstructed": shown.mean(axis=0) if len(shown) else np.nan,
            "two_views": _share(found.two_views & solved, solved, 0),
            "median_px": median,
            "sigma_px": median / RAYLEIGH_MEDIAN,
            "outlier_share": _share(outliers.wrong, judged.seen, (0, 1)),
            **outliers.among(good).columns((0, 1)),
        },
        index=pd.Index(names, name="keypoint"),
    )


def _animal_size(points_3d: Array) -> float:
    """Root mean square distance of the keypoints from their median in each frame, world units; NaN of no point."""
    off = points_3d - present_median(points_3d, axis=1)[:, None]
    known = np.asarray(np.isfinite(off).all(axis=-1))
    return float(np.sqrt((off[known] ** 2).sum(axis=-1).mean())) if known.any() else np.nan
