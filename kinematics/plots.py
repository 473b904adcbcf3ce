"""Plots of angles, speeds, stick figures and gaits; each draws on an `ax` and returns it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from ..datasets import Array, DatasetError, Skeleton
from ..datasets.names import nearest
from .pose_access import unit_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BAND = 1.96  # standard deviations on either side: 95 %


def plot_angle(angles: xr.Dataset, joint: str, ax: Axes, *, color: str | None = None) -> Axes:
    """Draw one joint's angle over time, in degrees, with its 95 % band.

    Parameters
    ----------
    angles : xarray.Dataset
        As `joint_angles` returns it.
    joint : str
        Name of the joint.
    ax : matplotlib.axes.Axes
        Where to draw.
    color : str, optional
        Colour of the curve.

    Returns
    -------
    matplotlib.axes.Axes
        The same axes.

    Raises
    ------
    DatasetError
        Unknown joint.

    Notes
    -----
    NaN leaves a gap. Several curves on one `ax` get a legend.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import numpy as np
    >>> import xarray as xr
    >>> from muybridge.kinematics import plot_angle
    >>> curve = (("time", "joint"), np.ones((3, 1)))
    >>> angles = xr.Dataset({"angle": curve}, {"time": [0.0, 0.1, 0.2], "joint": ["knee"]})
    >>> plot_angle(angles, "knee", plt.figure().add_subplot()).get_ylabel()
    'knee (°)'
    """
    value, std = _joint(angles, joint)
    times, others = angles["time"].values, bool(ax.lines)
    (line,) = ax.plot(times, value, lw=1, color=color, label=joint)
    if std is not None:
        ax.fill_between(times, value - BAND * std, value + BAND * std, color=line.get_color(), alpha=0.25, lw=0)
    ax.set(xlabel="time (s)", ylabel="angle (°)" if others else f"{joint} (°)")
    if others:
        ax.legend(frameon=False, fontsize="small")
    return ax


def plot_phase(angles: xr.Dataset, first: str, second: str, ax: Axes) -> Axes:
    """Draw one joint's angle against another's, in degrees, coloured by time (an angle-angle diagram).

    Parameters
    ----------
    angles : xarray.Dataset
        As `joint_angles` returns it.
    first : str
        Joint of the horizontal axis.
    second : str
        Joint of the vertical axis.
    ax : matplotlib.axes.Axes
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
        The same axes.

    Raises
    ------
    DatasetError
        Unknown joint.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import numpy as np
    >>> import xarray as xr
    >>> from muybridge.kinematics import plot_phase
    >>> angles = xr.Dataset(
    ...     {"angle": (("time", "joint"), np.ones((3, 2)))}, {"time": [0.0, 0.1, 0.2], "joint": ["hip", "knee"]}
    ... )
    >>> plot_phase(angles, "hip", "knee", plt.figure().add_subplot()).get_xlabel()
    'hip (°)'
    """
    x, y = _joint(angles, first)[0], _joint(angles, second)[0]
    ax.plot(x, y, lw=0.5, color="0.7", zorder=1)
    dots = ax.scatter(x, y, c=angles["time"].values, s=6, cmap="viridis", zorder=2)
    ax.figure.colorbar(dots, ax=ax, label="time (s)")
    ax.set(xlabel=f"{first} (°)", ylabel=f"{second} (°)")
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
    """Draw stick figures at evenly spaced instants, side by side.

    Parameters
    ----------
    pose : xarray.Dataset
        `position (time, keypoint, space)` of one animal, in world units.
    skeleton : Skeleton
        The bones to draw.
    ax : matplotlib.axes.Axes
        Where to draw.
    n_figures : int
        Number of instants.
    horizontal : str
        World axis along the page.
    vertical : str
        World axis up the page.
    spacing : float, world units, optional
        Distance between figures, whose own movement is then taken out; None: each is drawn where the animal was.

    Returns
    -------
    matplotlib.axes.Axes
        The same axes.

    Notes
    -----
    Bones with a missing end are left out.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import numpy as np
    >>> from muybridge.datasets import Skeleton, pose_dataset
    >>> from muybridge.kinematics import plot_stick_figures
    >>> points = np.tile([[0.0, 0.0, 0.0], [0.0, 0.0, 50.0]], (9, 1, 1))
    >>> pose = pose_dataset(points, keypoints=["paw", "hip"], times=np.arange(9) / 100, unit="mm")
    >>> skeleton = Skeleton(("paw", "hip"), (("paw", "hip"),))
    >>> ax = plot_stick_figures(pose, skeleton, plt.figure().add_subplot(), n_figures=3, spacing=10)
    >>> len(ax.lines), ax.get_xlabel()
    (3, 'x (mm)')
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
    ax.set(aspect="equal", xlabel=f"{horizontal} ({unit_of(pose)})", ylabel=f"{vertical} ({unit_of(pose)})")
    return ax


def plot_speed(profile: xr.Dataset, ax: Axes, *, label: str = "", color: str | None = None) -> Axes:
    """Draw a speed over time with its 95 % band where the standard deviation is known.

    Parameters
    ----------
    profile : xarray.Dataset
        `speed (time)` and perhaps `speed_std (time)`, as `speed_profile` returns it; the unit is an attribute.
    ax : matplotlib.axes.Axes
        Where to draw.
    label : str
        Name of the curve in a legend.
    color : str, optional
        Colour of the curve.

    Returns
    -------
    matplotlib.axes.Axes
        The same axes.

    Notes
    -----
    NaN leaves a gap.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import xarray as xr
    >>> from muybridge.kinematics import plot_speed
    >>> profile = xr.Dataset({"speed": ("time", [1.0, 3.0, 2.0], {"units": "mm/s"})}, {"time": [0.0, 0.1, 0.2]})
    >>> plot_speed(profile, plt.figure().add_subplot()).get_ylabel()
    'speed (mm/s)'
    """
    times, speed, unit = profile["time"].values, profile["speed"].values, profile["speed"].attrs.get("units", "")
    (line,) = ax.plot(times, speed, lw=1, color=color, label=label)
    if "speed_std" in profile:
        band = BAND * profile["speed_std"].values
        ax.fill_between(times, np.maximum(speed - band, 0), speed + band, color=line.get_color(), alpha=0.25, lw=0)
    if np.isfinite(speed).any():
        ax.set_ylim(0, 1.05 * max(float(ax.dataLim.y1), 1e-9))
    ax.set(xlabel="time (s)", ylabel=f"speed ({unit})" if unit else "speed")
    return ax


def _joint(angles: xr.Dataset, joint: str) -> tuple[Array, Array | None]:
    """Degrees and standard deviations of one joint."""
    known = [str(name) for name in angles["joint"].values]
    if joint not in known:
        raise DatasetError(f"there is no joint '{joint}'{nearest(joint, known)}; known: {known}")
    value = np.rad2deg(angles["angle"].sel(joint=joint).values)
    std = np.rad2deg(angles["angle_std"].sel(joint=joint).values) if "angle_std" in angles else None
    return value, std
