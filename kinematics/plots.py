"""Plots a paper could use. Each takes what was computed and an `ax`, draws, and returns the `ax`; angles in degrees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from ..datasets import Array, DatasetError, Skeleton
from ..datasets.names import nearest
from .gait_analysis.strides import Gait
from .pose_access import unit_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BAND = 1.96  # standard deviations on either side: 95 %


def plot_angle(angles: xr.Dataset, joint: str, ax: Axes, *, color: str | None = None) -> Axes:
    """One joint's angle over time with its 95 % band; several on one `ax` get a legend."""
    value, std = _joint(angles, joint)
    times, others = angles["time"].values, bool(ax.lines)
    (line,) = ax.plot(times, value, lw=1, color=color, label=joint)
    if std is not None:
        ax.fill_between(times, value - BAND * std, value + BAND * std, color=line.get_color(), alpha=0.25, lw=0)
    ax.set_xlabel("time (s)")
    ax.set_ylabel("angle (°)" if others else f"{joint} (°)")
    if others:
        ax.legend(frameon=False, fontsize="small")
    return ax


def plot_phase(angles: xr.Dataset, first: str, second: str, ax: Axes) -> Axes:
    """One joint's angle against another's (an angle-angle diagram), coloured by time."""
    x, y = _joint(angles, first)[0], _joint(angles, second)[0]
    ax.plot(x, y, lw=0.5, color="0.7", zorder=1)
    dots = ax.scatter(x, y, c=angles["time"].values, s=6, cmap="viridis", zorder=2)
    ax.figure.colorbar(dots, ax=ax, label="time (s)")
    ax.set_xlabel(f"{first} (°)")
    ax.set_ylabel(f"{second} (°)")
    return ax


def plot_stick_figures(
    pose: xr.Dataset,
    skeleton: Skeleton,
    ax: Axes,
    *,
    n_figures: int = 12,
    horizontal: str = "x",
    vertical: str = "z",
    spacing: float | None = None,
) -> Axes:
    """Stick figures at evenly spaced instants, side by side as in the photographer's plates.

    Parameters
    ----------
    horizontal, vertical : the world axes that the page shows
    spacing : world units between figures, which are then taken to a common place; None: where the animal was
    """
    frames = np.linspace(0, pose.sizes["time"] - 1, n_figures).round().astype(int)
    x = pose["position"].sel(space=horizontal).values[frames]
    y = pose["position"].sel(space=vertical).values[frames]
    if spacing is not None:
        x = x - np.nanmean(x, axis=1, keepdims=True) + spacing * np.arange(n_figures)[:, None]
    names = [str(name) for name in pose["keypoint"].values]
    shades = np.linspace(0.75, 0.0, n_figures)
    for figure in range(n_figures):
        for a, b in skeleton.bones:
            ends = [names.index(a), names.index(b)]
            ax.plot(x[figure, ends], y[figure, ends], color=str(shades[figure]), lw=1.2, solid_capstyle="round")
    ax.set_aspect("equal")
    ax.set_xlabel(f"{horizontal} ({unit_of(pose)})")
    ax.set_ylabel(f"{vertical} ({unit_of(pose)})")
    return ax


def plot_trajectory(pose: xr.Dataset, keypoints: Sequence[str], ax: Axes) -> Axes:
    """Paths of keypoints in space; `ax` has a 3D projection."""
    from matplotlib.ticker import MaxNLocator

    if not hasattr(ax, "set_zlabel"):
        raise ValueError("a trajectory needs a 3D axes: make it with plt.subplot(projection='3d')")
    for name in keypoints:
        ax.plot(*pose["position"].sel(keypoint=name).values.T, lw=1, label=name)
    for axis in "xyz":
        getattr(ax, f"set_{axis}label")(f"{axis} ({unit_of(pose)})")
        getattr(ax, f"{axis}axis").set_major_locator(MaxNLocator(4))
    ax.set_aspect("equal", adjustable="datalim")  # else a straight path looks like a wild one
    ax.legend(frameon=False, fontsize="small")
    return ax


def plot_strides(values: xr.DataArray, gait: Gait, limb: str, ax: Axes, *, n_points: int = 101) -> Axes:
    """A quantity over one limb's strides: each stride stretched to 0-100 %, mean ± one standard deviation.

    Parameters
    ----------
    values : (time,) such as ``angles["angle"].sel(joint="knee")``; radians are drawn in degrees
    """
    own = gait.strides[gait.strides["limb"] == limb]
    if own.empty:
        raise ValueError(f"limb '{limb}' has no whole stride{nearest(limb, set(gait.strides['limb']))}")
    scale, unit = (180 / np.pi, "°") if values.attrs.get("units") == "rad" else (1.0, values.attrs.get("units", ""))
    share = np.linspace(0, 1, n_points)
    known = np.isfinite(values.values)
    times = values["time"].values
    curves = np.stack([
        np.interp(down + share * (after - down), times[known], values.values[known] * scale)
        for down, after in zip(own["touch_down"], own["next_touch_down"], strict=True)
    ])  # fmt: skip
    mean, std = curves.mean(axis=0), curves.std(axis=0)
    ax.plot(100 * share, curves.T, color="0.85", lw=0.5)
    (line,) = ax.plot(100 * share, mean, lw=1.8)
    ax.fill_between(100 * share, mean - std, mean + std, color=line.get_color(), alpha=0.3, lw=0)
    lift_off = 100 * float(np.mean(own["duty_factor"]))
    ax.axvline(lift_off, color="0.4", ls=":", lw=1)
    ax.text(lift_off, 1.01, "lift-off", color="0.4", fontsize="small", ha="center", transform=ax.get_xaxis_transform())
    ax.set_xlabel(f"stride of {limb} (%)")
    ax.set_ylabel(f"{values.coords['joint'].item() if 'joint' in values.coords else values.name} ({unit})")
    return ax


def plot_speed(profile, ax: Axes, *, unit: str = "") -> Axes:
    """A speed profile (the table of `speed_profile`) with its 95 % band."""
    (line,) = ax.plot(profile["time"], profile["speed"], lw=1)
    low, high = (profile["speed"] + sign * BAND * profile["speed_std"] for sign in (-1, 1))
    ax.fill_between(profile["time"], np.maximum(low, 0), high, color=line.get_color(), alpha=0.25, lw=0)
    ax.set_xlabel("time (s)")
    ax.set_ylabel(f"speed ({unit}/s)" if unit else "speed")
    return ax


def plot_gait(gait: Gait, ax: Axes) -> Axes:
    """Gait diagram: a bar while each limb stands, limbs from top to bottom."""
    limbs = [str(limb) for limb in gait.contact["limb"].values]
    times = gait.contact["time"].values
    step = float(np.median(np.diff(times)))
    for row, limb in enumerate(limbs):
        stance = gait.contact["stance"].sel(limb=limb).values
        edges = np.flatnonzero(np.diff(np.concatenate([[False], stance, [False]]).astype(np.int8))).reshape(-1, 2)
        ax.broken_barh([(float(times[a]), float(b - a) * step) for a, b in edges], (row - 0.35, 0.7), color=f"C{row}")
    ax.set_yticks(range(len(limbs)), limbs)
    ax.invert_yaxis()
    ax.set_xlabel("time (s)")
    return ax


def _joint(angles: xr.Dataset, joint: str) -> tuple[Array, Array | None]:
    """Degrees and standard deviations of one joint."""
    known = [str(name) for name in angles["joint"].values]
    if joint not in known:
        raise DatasetError(f"there is no joint '{joint}'{nearest(joint, known)}; known: {known}")
    value = np.rad2deg(angles["angle"].sel(joint=joint).values)
    std = np.rad2deg(angles["angle_std"].sel(joint=joint).values) if "angle_std" in angles else None
    return value, std
