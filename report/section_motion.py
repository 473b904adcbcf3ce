"""Angles and speeds of the report."""

from __future__ import annotations

import numpy as np
import xarray as xr

from ..datasets import Skeleton
from . import plots, quality
from .figures import joined, plot_figure, thinned
from .markup import Markup, Section, element, percent, section, table

MAX_SPEED_PLOTS = 6


def motion_section(kinematics: xr.Dataset | None, pose: xr.Dataset | None, skeleton: Skeleton | None) -> Section | None:
    """Angles with their bands, speeds, and a table of their ranges."""
    source = kinematics if kinematics is not None else pose
    if source is None:
        return None
    angles = _angle_figures(kinematics) if kinematics is not None and "angle" in kinematics else []
    speeds = _speed_figures(kinematics, pose, skeleton)
    if not angles and not speeds:
        return None
    note = (
        "Bands hold 95 % (1.96 standard deviations). Gaps are missing frames. A click moves the player to that instant."
    )
    parts: list[Markup] = [element("p", note, class_="note")]
    if angles:
        parts += [element("h3", "Joint angles"), joined(angles), _angle_table(kinematics)]
    if speeds:
        parts += [element("h3", "Speeds"), joined(speeds)]
    return section("kinematics", "Angles and speeds", *parts)


def _individuals(dataset: xr.Dataset) -> list[tuple[str, xr.Dataset]]:
    """(name prefix, dataset of that individual)."""
    if "individual" not in dataset.dims:
        return [("", dataset)]
    return [(f"{name}: ", dataset.sel(individual=name)) for name in dataset["individual"].values]


def _angle_figures(kinematics: xr.Dataset) -> list[Markup]:
    figures = []
    for prefix, one in _individuals(kinematics):
        one = one.isel(time=thinned(one.sizes["time"]))
        for joint in one["joint"].values:
            angle = one["angle"].sel(joint=joint).values
            std = one["angle_std"].sel(joint=joint).values if "angle_std" in one else None
            title = f"{prefix}{joint}"
            figures.append(
                plot_figure(
                    lambda ax, angle=angle, std=std, title=title, times=one["time"].values: plots.plot_angle(
                        times, angle, ax, std=std, title=title
                    ),
                    name=f"angle of {title} over time",
                    over_time=True,
                )
            )
    return figures


def _angle_table(kinematics) -> Markup:
    rows = []
    for prefix, one in _individuals(kinematics):
        for joint in one["joint"].values:
            angle = np.degrees(one["angle"].sel(joint=joint).values)
            std = np.degrees(one["angle_std"].sel(joint=joint).values) if "angle_std" in one else np.array([])
            missing = 1 - np.isfinite(angle).mean() if angle.size else np.nan
            spread = [quality.quantile(angle, share) for share in (0.05, 0.5, 0.95)]
            rows.append(
                (f"{prefix}{joint}", *spread, quality.quantile(std, 0.5), Markup(f"<td>{percent(missing)}</td>"))
            )
    return table(("joint", "5 %", "median", "95 %", "sd, median", "missing"), rows, "Range of the angles, degrees")


def _speed_figures(kinematics: xr.Dataset | None, pose: xr.Dataset | None, skeleton: Skeleton | None) -> list[Markup]:
    """Speeds of the root and of the ends of the skeleton."""
    source = next((d for d in (kinematics, pose) if d is not None and "velocity" in d), None)
    if source is None or "keypoint" not in source["velocity"].dims:
        return []
    figures = []
    for prefix, one in _individuals(source):
        one = one.isel(time=thinned(one.sizes["time"]))
        for keypoint in _telling_keypoints([str(name) for name in one["keypoint"].values], skeleton):
            velocity = one["velocity"].sel(keypoint=keypoint).values
            std = None
            if "velocity_covariance" in one:
                std = speed_std(velocity, one["velocity_covariance"].sel(keypoint=keypoint).values)
            title, unit = f"{prefix}{keypoint}", str(one["velocity"].attrs.get("units", ""))
            figures.append(
                plot_figure(
                    lambda ax, v=velocity, std=std, title=title, unit=unit, times=one["time"].values: plots.plot_speed(
                        times, np.linalg.norm(v, axis=-1), ax, unit=unit, std=std, title=title
                    ),
                    name=f"speed of {title} over time",
                    over_time=True,
                )
            )
    return figures


def speed_std(velocities: np.ndarray, covariances: np.ndarray) -> np.ndarray:
    """(n_frames,) standard deviation of the speed: that of the velocity along its own direction, to first order."""
    speed = np.linalg.norm(velocities, axis=-1, keepdims=True)
    direction = np.divide(velocities, speed, out=np.full_like(velocities, np.nan), where=speed > 0)
    return np.sqrt(np.maximum(np.einsum("ti,tij,tj->t", direction, covariances, direction), 0))


def _telling_keypoints(keypoints: list[str], skeleton: Skeleton | None) -> list[str]:
    """The root, then the keypoints from which no bone leads on; the first ones without a skeleton."""
    if skeleton is None or not skeleton.bones:
        return keypoints[:MAX_SPEED_PLOTS]
    starts, ends = {a for a, _ in skeleton.bones}, {b for _, b in skeleton.bones}
    root = skeleton.root or next((name for name in skeleton.keypoints if name in starts - ends), None)
    order = [root, *(name for name in skeleton.keypoints if name in ends - starts)]
    known = [name for name in order if name in keypoints]
    return known[:MAX_SPEED_PLOTS] or keypoints[:MAX_SPEED_PLOTS]
