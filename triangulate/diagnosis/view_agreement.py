"""Which cameras disagree with the others and which keypoints cannot be reconstructed, from reprojection errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ...cameras import CameraRig
from ...datasets.validators import singular_dims
from ...numerics.arrays import Array
from ...numerics.robust_scale import present_median
from ..input_checks import check_observations, from_views, matching_rig
from ..points.consensus import Triangulation, robust_points
from .cause import Cause, find_cause, usable
from .disagreement_tables import Judged, animal_size, camera_table, keypoint_table, outlier_columns
from .systematic import has_moved
from .view_pairs import ViewPairs
from .warning_sentences import (
    ENOUGH,
    camera_warnings,
    keypoint_warnings,
    mistake_warnings,
    reason,
    rig_warning,
    wrong_cameras,
)

_JUDGED = 30_000  # points in all, evenly spread: more change no median by a tenth of its own error


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
    found = robust_points(points_2d, rig, confidence=confidence) if triangulation is None else triangulation
    judged = Judged.of(points_2d, rig, confidence, found)
    table = pd.DataFrame(present_median(judged.error, axis=1), index=list(rig.names), columns=names)
    cameras = camera_table(points_2d, rig, confidence, judged)
    left_out = cause.wrong
    if left_out and not cause.refusal:  # what wrong cameras do to keypoints and other cameras is not their fault
        right = np.array([name not in left_out for name in rig.names])
        alone = np.where(right[:, None, None, None], points_2d, np.nan)
        judged = Judged.of(alone, rig, confidence, robust_points(alone, rig, confidence=confidence))
        own = outlier_columns(judged)
        cameras.loc[right, own.columns] = own.to_numpy()[right]
    wrong = [name for name in wrong_cameras(cameras) if cameras.loc[name, "n"] >= ENOUGH]
    good = np.array([name not in wrong and name not in left_out for name in rig.names])
    by_keypoint = keypoint_table(judged, names, good)
    shares = {
        camera: dict(zip(names, row.tolist(), strict=True))
        for camera, row in zip(rig.names, judged.outliers.shares(axis=1), strict=True)
    }
    words = mistake_warnings(cause.mistakes, cameras, wrong)
    if cause.refusal:
        words = words or [rig_warning(cause.refusal, cause.agreement.majority_px, cameras)]
    else:
        reasons = _reasons(wrong, cause, tracks, rig)
        words += camera_warnings(cameras, wrong, shares, rig.unit, reasons, cause.mistakes)
        if not words and cause.warning:
            words = [rig_warning(cause.warning, cause.agreement.majority_px, cameras)]
        agreeing = {camera: row for (camera, row), kept in zip(shares.items(), good, strict=True) if kept}
        size = animal_size(judged.found.points_3d)
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


def _reasons(wrong: Sequence[str], cause: Cause, tracks: Array, rig: CameraRig) -> dict[str, str]:
    """What the errors of wrong cameras show, in words.

    tracks : (n_cameras, n_individuals, n_frames, n_keypoints, 2), pixels, NaN where missing
    """
    if not wrong:
        return {}
    views = ViewPairs.of(cause.in_time(tracks), rig)
    right = [c for c, name in enumerate(rig.names) if name not in wrong and name not in cause.wrong]
    shifts = {name: mistake for mistake in cause.mistakes if mistake.kind == "shifted" for name in mistake.cameras}
    return {
        name: reason(related, shifts.get(name), has_moved(views, c, right))
        for c, (name, related) in enumerate(zip(rig.names, cause.agreement.related, strict=True))
        if name in wrong
    }
