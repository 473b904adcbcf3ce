"""Plots of the report: each takes arrays, draws into the axes and returns them. Those of angles are in kinematics."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgba

from ..datasets import Array


def plot_error_shares(errors: Array, names: Sequence[str], ax: Axes) -> Axes:
    """Share of points with at most a given reprojection error, one line per camera.

    Parameters
    ----------
    errors : ndarray, shape (n_cameras, ...), pixels
        Reprojection errors; NaN is left out.
    names : sequence of str
        Names of the cameras.
    ax : Axes
        Where to draw.

    Returns
    -------
    Axes
        The axes drawn into.

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> from muybridge.report import plot_error_shares
    >>> errors = np.random.default_rng(0).exponential(1.0, (2, 100))
    >>> ax = plot_error_shares(errors, ["left", "right"], Figure().add_subplot())
    >>> [line.get_label() for line in ax.lines]
    ['left', 'right']
    """
    widest = 1.0
    for one, name in zip(np.asarray(errors, float), names, strict=True):
        values = np.sort(one[np.isfinite(one)])
        if not len(values):
            continue
        shares = np.linspace(0, 1, min(len(values), 300))
        ax.plot(np.quantile(values, shares), shares, label=name)
        widest = max(widest, 2 * float(np.quantile(values, 0.9)))  # outliers would press all others to the left
    ax.set(xlim=(0, widest), ylim=(0, 1.02), xlabel="reprojection error (px)", ylabel="share of points")
    if ax.lines:
        ax.legend(loc="lower right", fontsize="small", ncols=1 + len(ax.lines) // 7)
    return ax


def plot_presence(
    shares: Array,
    times: Array,
    names: Sequence[str],
    ax: Axes,
    *,
    label: str,
    top: float = 1.0,
    colour: str = "#2970c4",
) -> Axes:
    """A band per keypoint or camera over time, stronger where the value is greater: how many cameras observed it.

    Parameters
    ----------
    shares : ndarray, shape (n_bins, n_keypoints)
        What was observed, 0 to `top`; NaN draws as 0.
    times : ndarray, shape (n_bins + 1,), seconds
        Edges of the bins.
    names : sequence of str
        Names of the keypoints.
    ax : Axes
        Where to draw.
    label : str
        What the shade means.
    top : float, optional
        The value of the strongest shade.
    colour : str, optional
        That shade; 0 is clear, so that it can be read on light and on dark paper.

    Returns
    -------
    Axes
        The axes drawn into.

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> from muybridge.report import plot_presence
    >>> ax = plot_presence(np.eye(2), np.arange(3.0), ["nose", "tail"], Figure().add_subplot(), label="share of frames")
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['nose', 'tail']
    """
    extent = (float(times[0]), float(times[-1]), len(names) - 0.5, -0.5)
    image = ax.imshow(
        np.nan_to_num(shares).T,
        aspect="auto",
        interpolation="nearest",
        cmap=LinearSegmentedColormap.from_list("shades", [to_rgba(colour, 0), to_rgba(colour, 1)]),
        vmin=0,
        vmax=top,
        extent=extent,
    )
    ax.set_yticks(range(len(names)), list(names), fontsize="small")
    ax.set_xlabel("time (s)")
    ax.grid(False)
    bar = ax.get_figure().colorbar(image, ax=ax, pad=0.015, aspect=30)  # pyright: ignore[reportOptionalMemberAccess]
    bar.set_label(label)
    return ax


def plot_bone_lengths(lengths: Array, names: Sequence[str], ax: Axes) -> Axes:
    """Spread of each bone's length around its median: thin 5-95 %, thick 25-75 % of the frames.

    Parameters
    ----------
    lengths : ndarray, shape (n_frames, n_bones), world units
        NaN where an end is missing; a bone that is never observed whole stays empty.
    names : sequence of str
        Names of the bones.
    ax : Axes
        Where to draw.

    Returns
    -------
    Axes
        The axes drawn into.

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> from muybridge.report import plot_bone_lengths
    >>> lengths = np.random.default_rng(0).normal([90, 80], 1.0, (50, 2))
    >>> ax = plot_bone_lengths(lengths, ["femur", "tibia"], Figure().add_subplot())
    >>> ax.get_xlabel()
    'length, % from the median'
    """
    for row, one in enumerate(np.asarray(lengths, float).T):
        values = one[np.isfinite(one)]
        if not len(values) or np.median(values) <= 0:
            continue
        low, quarter, three, high = 100 * (np.quantile(values, (0.05, 0.25, 0.75, 0.95)) / np.median(values) - 1)
        ax.plot((low, high), (row, row), color="C0", linewidth=1.4)
        ax.plot((quarter, three), (row, row), color="C0", linewidth=5, solid_capstyle="butt")
    ax.set_yticks(range(len(names)), list(names), fontsize="small")
    ax.set(ylim=(len(names) - 0.5, -0.5), xlabel="length, % from the median")
    ax.axvline(0, color="C1", linewidth=0.8)
    return ax


def plot_lone_frames(times: Array, values: Array, ax: Axes, *, colour: str = "C0") -> Axes:
    """Dots at the values between two gaps, where a line shows nothing.

    Parameters
    ----------
    times : ndarray, shape (n_frames,), seconds
        Time of each frame.
    values : ndarray, shape (n_frames,)
        What the line shows; NaN is a gap.
    ax : Axes
        Where to draw.
    colour : str, optional
        Colour of the line.

    Returns
    -------
    Axes
        The axes drawn into.

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> from muybridge.report import plot_lone_frames
    >>> ax = plot_lone_frames(np.arange(4.0), np.array([1.0, np.nan, 2.0, np.nan]), Figure().add_subplot())
    >>> ax.lines[0].get_ydata().tolist()
    [1.0, 2.0]
    """
    before, after = np.r_[np.nan, values[:-1]], np.r_[values[1:], np.nan]
    alone = np.isfinite(values) & ~np.isfinite(before) & ~np.isfinite(after)
    if alone.any():
        ax.plot(times[alone], values[alone], ".", color=colour, markersize=3)
    return ax
