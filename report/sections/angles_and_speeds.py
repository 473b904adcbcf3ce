"""Angles and speeds of the report."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from ...datasets import Skeleton
from ...datasets.individuals import each_individual
from ...datasets.sides import sides_together
from ...kinematics.plots import plot_angle, plot_speed
from .. import plots, quality
from ..figures import INK, MOST_DRAWN, SERIES, joined, plot_figure, thinned
from ..full_data import Curve
from ..markup import Markup, Section, element, percent, section, table

MAX_SPEEDS = 10  # keypoints whose speed is drawn, so that the section stays short


def motion_section(kinematics: xr.Dataset | None, pose: xr.Dataset | None, skeleton: Skeleton | None) -> Section | None:
    """Angles with their bands, speeds, and a table of the angles' ranges; left and right share a plot."""
    angles: list[Markup] = []
    if kinematics is not None and "angle" in kinematics:
        kinematics = in_radians(kinematics)
        angles = _figures(kinematics, "angle", "joint", _draw_angle, lambda joints: joints)
    moving = _moving(kinematics, pose)
    speeds: list[Markup] = []
    if moving is not None:
        speeds = _figures(moving, "speed", "keypoint", _draw_speed, lambda names: _root_and_ends(names, skeleton))
    if not angles and not speeds:
        return None
    note: list[Markup | str] = [
        "Bands hold 95 % (1.96 standard deviations). Gaps are missing frames. ",
        element("span", "A click moves the player to that instant.", class_="screen"),
    ]
    shown = kinematics if kinematics is not None else pose
    if shown is not None and shown.sizes["time"] > MOST_DRAWN:
        every = int(shown.attrs.get("every", 1))
        note += [
            " Of each short run of frames the curves show the least and the greatest value; Window, in the bar of time,"
            f" shows {'every frame' if every == 1 else f'one of every {every} frames'}."
        ]
    parts: list[Markup] = [element("p", *note, class_="note")]
    if angles:
        parts += [element("h3", "Joint angles"), joined(angles), _angle_table(kinematics)]
        if sign := kinematics.attrs.get("zero_and_sign"):  # pyright: ignore[reportOptionalMemberAccess]
            in_degrees = re.sub(r"\bpi\b", "180 degrees", str(sign))  # as the curves and the table above
            parts.append(element("p", in_degrees, class_="note"))
    if speeds:
        parts += [element("h3", "Speeds"), joined(speeds)]
    return section("kinematics", "Angles and speeds", *parts)


def in_radians(kinematics: xr.Dataset) -> xr.Dataset:
    """The dataset with its angles in radians, by their units."""
    names = [name for name in ("angle", "angle_std") if name in kinematics]
    degrees = [name for name in names if str(kinematics[name].attrs.get("units", "")).startswith("deg")]
    return kinematics.assign({name: np.radians(kinematics[name]) for name in degrees})


def split_at_jumps(angles: xr.Dataset) -> xr.Dataset:
    """The angles (radians) of one joint with a NaN where a signed one passes 180 degrees and goes on at -180.

    No line then joins the two. The instant of the jump stands twice: this is for drawing only.
    """
    jumps = np.flatnonzero(np.abs(np.diff(angles["angle"].values[:, 0])) > np.pi) + 1
    if not len(jumps):
        return angles
    rows = np.insert(np.arange(angles.sizes["time"]), jumps, jumps)
    split = angles.isel(time=rows)
    split["angle"][jumps + np.arange(len(jumps))] = np.nan
    return split


def of_individuals(dataset: xr.Dataset) -> list[tuple[str, xr.Dataset]]:
    """(what stands before its names, dataset of that individual)."""
    return [(name and f"{name}: ", own) for name, own in each_individual(dataset)]


def _figures(
    dataset: xr.Dataset,
    what: str,
    dim: str,
    draw_one: Callable[[xr.Dataset, str, Axes, str], None],
    chosen: Callable[[list[str]], list[str]],
) -> list[Markup]:
    """A figure for each of the `chosen` names along `dim`, left and right together.

    draw_one : draws the curve of a name in a colour
    """
    figures = []
    for prefix, one in of_individuals(dataset):
        for group in sides_together(chosen([str(name) for name in one[dim].values])):

            def draw(ax, one=one, group=group, prefix=prefix):
                for name, colour in zip(group, SERIES[:2] if len(group) == 2 else (INK,), strict=True):
                    draw_one(one, name, ax, colour)
                return _headed(ax, [f"{prefix}{name}" for name in group])

            curves = [f"{what} of {prefix}{name}" for name in group]
            name = f"{what} of {prefix}{' and '.join(group)}"
            figures.append(plot_figure(draw, name=name, over_time=True, curves=curves))
    return figures


def _headed(ax: Axes, names: list[str]) -> Axes:
    """The curves' names above the axes, in their colours; the whole recording from edge to edge."""
    curves = [line for line in ax.lines if not str(line.get_label()).startswith("_")]
    times = np.asarray(curves[0].get_xdata(), float)
    if len(times) > 1:
        ax.set_xlim(times[0], times[-1])
    compact = {"ncols": 2, "borderpad": 0, "handlelength": 1.1, "columnspacing": 1.2}
    ax.legend(curves, names, loc="lower left", bbox_to_anchor=(-0.01, 1.0), **compact)
    return ax


def _draw_angle(one: xr.Dataset, joint: str, ax: Axes, colour: str) -> None:
    one = one.sel(joint=[joint])
    one = one.isel(time=thinned(one["angle"].values[:, 0]))
    plot_angle(split_at_jumps(one), joint, ax, color=colour).set_ylabel("degrees")
    plots.plot_lone_frames(one["time"].values, np.degrees(one["angle"].values[:, 0]), ax, colour=colour)


def _draw_speed(one: xr.Dataset, keypoint: str, ax: Axes, colour: str) -> None:
    drawn, unit = _speed_curve(one, keypoint), {"units": str(one["velocity"].attrs.get("units", ""))}
    kept = thinned(drawn.values)
    profile = {"speed": ("time", drawn.values[kept], unit)}
    if drawn.std is not None:
        profile["speed_std"] = ("time", drawn.std[kept], unit)
    curve = xr.Dataset(profile, coords={"time": one["time"].values[kept]})
    plot_speed(curve, ax, label=keypoint, color=colour).set_ylabel(unit["units"])
    plots.plot_lone_frames(curve["time"].values, curve["speed"].values, ax, colour=colour)


def drawn_curves(kinematics: xr.Dataset | None, pose: xr.Dataset | None, skeleton: Skeleton | None) -> dict[str, Curve]:
    """Every frame of the curves that `motion_section` draws, by the names that its figures give them."""
    curves: dict[str, Curve] = {}
    if kinematics is not None and "angle" in kinematics:
        for prefix, one in of_individuals(in_radians(kinematics)):
            curves |= {f"angle of {prefix}{joint}": _angle_curve(one, str(joint)) for joint in one["joint"].values}
    moving = _moving(kinematics, pose)
    if moving is not None:
        for prefix, one in of_individuals(moving):
            names = _root_and_ends([str(name) for name in one["keypoint"].values], skeleton)
            curves |= {f"speed of {prefix}{name}": _speed_curve(one, name) for name in names}
    return curves


def _moving(kinematics: xr.Dataset | None, pose: xr.Dataset | None) -> xr.Dataset | None:
    """The dataset whose keypoints have velocities, the kinematics' first."""
    found = next((d for d in (kinematics, pose) if d is not None and "velocity" in d), None)
    return found if found is not None and "keypoint" in found["velocity"].dims else None


def _angle_curve(one: xr.Dataset, joint: str) -> Curve:
    """Degrees; NaN where a signed angle passes 180 degrees, so that no line joins the two ends."""
    values = np.degrees(one["angle"].sel(joint=joint).values)
    jumps = np.abs(np.diff(values, prepend=values[:1])) > 180
    std = np.degrees(one["angle_std"].sel(joint=joint).values) if "angle_std" in one else None
    return Curve(np.where(jumps, np.nan, values), std)


def _speed_curve(one: xr.Dataset, keypoint: str) -> Curve:
    """World units per second."""
    one = one.sel(keypoint=keypoint)
    velocity, std = one["velocity"].values, None
    if "velocity_covariance" in one:
        std = speed_std(velocity, one["velocity_covariance"].values)
    elif "velocity_std" in one:
        std = speed_std(velocity, one["velocity_std"].values[:, :, None] ** 2 * np.eye(3))
    return Curve(np.linalg.norm(velocity, axis=-1), std)


def _angle_table(kinematics) -> Markup:
    rows = []
    for prefix, one in of_individuals(kinematics):
        for joint in one["joint"].values:
            angle = np.degrees(one["angle"].sel(joint=joint).values)
            std = np.degrees(one["angle_std"].sel(joint=joint).values) if "angle_std" in one else np.array([])
            missing = percent(1 - np.isfinite(angle).mean() if angle.size else np.nan)
            spread = [quality.quantile(angle, share) for share in (0.05, 0.5, 0.95)]
            rows.append((f"{prefix}{joint}", *spread, quality.quantile(std, 0.5), element("td", missing)))
    return table(("joint", "5 %", "median", "95 %", "sd, median", "missing"), rows, "Range of the angles, degrees")


def speed_std(velocities: np.ndarray, covariances: np.ndarray) -> np.ndarray:
    """(n_frames,) standard deviation of the speed: that of the velocity along its own direction, to first order."""
    speed = np.linalg.norm(velocities, axis=-1, keepdims=True)
    direction = np.divide(velocities, speed, out=np.full_like(velocities, np.nan), where=speed > 0)
    return np.sqrt(np.maximum(np.einsum("ti,tij,tj->t", direction, covariances, direction), 0))


def _root_and_ends(keypoints: list[str], skeleton: Skeleton | None) -> list[str]:
    """The root, then the keypoints from which no bone leads on; the first ones without a skeleton."""
    if skeleton is None or not skeleton.bones:
        return keypoints[:MAX_SPEEDS]
    starts, ends = {a for a, _ in skeleton.bones}, {b for _, b in skeleton.bones}
    root = skeleton.root or next((name for name in skeleton.keypoints if name in starts - ends), None)
    order = [root, *(name for name in skeleton.keypoints if name in ends - starts)]
    known = [name for name in order if name in keypoints]
    return known[:MAX_SPEEDS] or keypoints[:MAX_SPEEDS]
