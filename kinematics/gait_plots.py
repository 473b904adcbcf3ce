"""Plots of strides and of stance: each draws on an `ax` and returns it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from ..datasets import DatasetError
from ..datasets.names import nearest
from ..numerics.runs import runs_of
from .gait_analysis.strides import Gait

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_strides(values: xr.DataArray, gait: Gait, limb: str, ax: Axes, *, n_points: int = 101) -> Axes:
    """Draw a quantity over one limb's strides, each stretched to 0-100 %, with mean and one standard deviation.

    Parameters
    ----------
    values : xarray.DataArray, shape (n_frames,)
        With `time`, such as ``angles["angle"].sel(joint="knee")``; radians are drawn in degrees.
    gait : Gait
        The strides of one animal.
    limb : str
        Name of the limb.
    ax : matplotlib.axes.Axes
        Where to draw.
    n_points : int
        Points per stride.

    Returns
    -------
    matplotlib.axes.Axes
        The same axes.

    Raises
    ------
    ValueError
        The limb has no whole stride.

    Notes
    -----
    NaN is bridged by straight lines.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import numpy as np
    >>> import pandas as pd
    >>> import xarray as xr
    >>> from muybridge.kinematics import Gait, plot_strides
    >>> strides = pd.DataFrame(
    ...     {"limb": "left_hind", "touch_down": [0.0, 0.5], "next_touch_down": [0.5, 1.0], "duty_factor": 0.6}
    ... )
    >>> found = Gait(xr.Dataset(), strides, pd.DataFrame(), "left_hind")
    >>> height = xr.DataArray(np.zeros(101), {"time": np.arange(101) / 100}, name="height", attrs={"units": "mm"})
    >>> plot_strides(height, found, "left_hind", plt.figure().add_subplot()).get_ylabel()
    'height (mm)'
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


def plot_gait(gait: Gait, ax: Axes) -> Axes:
    """Draw a gait diagram: a bar while each limb is in stance, limbs from top to bottom.

    Parameters
    ----------
    gait : Gait
        As `gait` returns it, of one animal.
    ax : matplotlib.axes.Axes
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
        The same axes.

    Raises
    ------
    DatasetError
        The gait is that of several animals.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import numpy as np
    >>> import pandas as pd
    >>> import xarray as xr
    >>> from muybridge.kinematics import Gait, plot_gait
    >>> stance = np.array([[True], [True], [False], [True]])
    >>> coords = {"time": np.arange(4) / 100, "limb": ["left_hind"]}
    >>> contact = xr.Dataset({"stance": (("time", "limb"), stance)}, coords)
    >>> ax = plot_gait(Gait(contact, pd.DataFrame(), pd.DataFrame(), "left_hind"), plt.figure().add_subplot())
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['left_hind']
    """
    if "individual" in gait.contact["stance"].dims:
        raise DatasetError("a gait diagram is of one animal: choose it with gait.individual(name)")
    limbs = [str(limb) for limb in gait.contact["limb"].values]
    times = gait.contact["time"].values
    step = float(np.median(np.diff(times)))
    for row, limb in enumerate(limbs):
        stances = runs_of(gait.contact["stance"].sel(limb=limb).values)
        bars = [(float(times[run.start]), (run.stop - run.start) * step) for run in stances]
        ax.broken_barh(bars, (row - 0.35, 0.7), color=f"C{row}")
    ax.set_yticks(range(len(limbs)), limbs)
    ax.invert_yaxis()
    ax.set_xlabel("time (s)")
    return ax
