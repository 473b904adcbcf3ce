"""Tables of the diagnosis: errors, outliers and gaps per camera and per keypoint."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...cameras import CameraRig
from ...numerics.arrays import Array, evenly_spread
from ...numerics.robust_scale import RAYLEIGH_MEDIAN, present_median
from ..points.consensus import Triangulation, robust_points
from ..points.recording_noise import judgeable_rows, refined_sigma
from .warning_sentences import ENOUGH

_SAMPLE = 4000  # points that each camera is compared at: its median is then known to 2 % of the noise


@dataclass(frozen=True, eq=False)
class Judged:
    """A triangulation with what was observed and what lies off.

    seen : (n_cameras, n_frames, n_keypoints) whether a triangulated point was observed
    error : of the same shape, reprojection errors of inliers, pixels, NaN elsewhere
    """

    found: Triangulation
    seen: NDArray[np.bool_]
    outliers: Outliers
    error: Array

    @classmethod
    def of(cls, points_2d: Array, rig: CameraRig, confidence: Array | None, found: Triangulation) -> Judged:
        seen = np.asarray(np.isfinite(points_2d).all(axis=-1) & np.isfinite(found.points_3d).all(axis=-1))
        outliers = Outliers.of(found, rig, seen, np.ones(seen.shape) if confidence is None else confidence)
        return cls(found, seen, outliers, np.where(found.inliers, found.reprojection_error, np.nan))


@dataclass(frozen=True, eq=False)
class Outliers:
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
    def of(cls, found: Triangulation, rig: CameraRig, seen: NDArray[np.bool_], confidence: Array) -> Outliers:
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

    def among(self, cameras: NDArray[np.bool_]) -> Outliers:
        return Outliers(*(getattr(self, field.name)[cameras] for field in fields(self)))

    def columns(self, axis: tuple[int, ...]) -> dict[str, Array]:
        return {
            "sure_outliers": self.shares(axis),
            "outlier_px": present_median(self.distance, axis=axis),
            "outlier_off": present_median(self.off, axis=axis),
        }


def _share(part: NDArray[np.bool_], whole: NDArray[np.bool_], axis) -> Array:
    return part.sum(axis=axis) / np.maximum(whole.sum(axis=axis), 1)


def camera_table(points_2d: Array, rig: CameraRig, confidence: Array | None, judged: Judged) -> pd.DataFrame:
    sigma = judged.found.sigma
    left_out = np.array([_left_out(points_2d, rig, confidence, c, sigma) for c in range(len(rig))])
    table = outlier_columns(judged).set_axis(pd.Index(rig.names, name="camera"))
    table.insert(2, "sigma_px", sigma)
    table[["left_out_px", "shift_x_px", "shift_y_px", "others_px"]] = left_out
    return table.assign(unit_per_px=judged.outliers.unit_per_px)


def outlier_columns(judged: Judged) -> pd.DataFrame:
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
    found = robust_points(seen, rest, confidence=prior[others] if prior.size else None, sigma=sigma)
    firm = np.where(found.two_views[:, None] & (len(others) > 2), np.nan, found.points_3d)
    shift = flat[camera, rows] - rig[camera].project(firm)
    length = np.linalg.norm(shift, axis=-1)
    if np.isfinite(length).sum() < ENOUGH:
        return np.nan, np.nan, np.nan, _rms(found.sigma)
    return float(np.nanmedian(length)), *map(float, np.nanmedian(shift, axis=0)), _rms(found.sigma)


def _rms(values: Array) -> float:
    return float(np.sqrt(np.mean(values**2)))


def keypoint_table(judged: Judged, names: list[str], good: NDArray[np.bool_]) -> pd.DataFrame:
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


def animal_size(points_3d: Array) -> float:
    """Root mean square distance of the keypoints from their median in each frame, world units; NaN of no point."""
    off = points_3d - present_median(points_3d, axis=1)[:, None]
    known = np.asarray(np.isfinite(off).all(axis=-1))
    return float(np.sqrt((off[known] ** 2).sum(axis=-1).mean())) if known.any() else np.nan
