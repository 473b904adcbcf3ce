"""Plots of a calibration: each function takes arrays and an `ax`, draws, and returns the `ax`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...numerics.arrays import Array

_GRID = (12, 9)  # cells across and down, of an image of 4:3 squares


def plot_coverage(ax, corners: Array, size: tuple[int, int], title: str = ""):
    """Corners (n, 2) in the image of `size` (width, height)."""
    if len(corners):
        ax.scatter(corners[:, 0], corners[:, 1], s=6, alpha=0.5, linewidths=0)
    return _image_axes(ax, size, title)


def plot_residuals(ax, corners: Array, residuals: Array, size: tuple[int, int], title: str = ""):
    """Mean residual (n, 2) in each cell of the image: what the lens model leaves over shows as a pattern."""
    cells = np.minimum((corners / np.array(size) * _GRID).astype(int), np.array(_GRID) - 1)
    cells = np.maximum(cells, 0)
    number = cells[:, 1] * _GRID[0] + cells[:, 0]
    count = np.bincount(number, minlength=_GRID[0] * _GRID[1])
    filled = count >= 3
    means = [np.bincount(number, values, minlength=len(count))[filled] / count[filled] for values in residuals.T]
    x, y = np.flatnonzero(filled) % _GRID[0] + 0.5, np.flatnonzero(filled) // _GRID[0] + 0.5
    length = float(np.hypot(*means).max()) if filled.any() else 1.0
    # the longest arrow is as long as a cell
    options = {"angles": "xy", "scale_units": "width", "scale": _GRID[0] * (length or 1.0), "width": 0.004}
    arrows = ax.quiver(x * size[0] / _GRID[0], y * size[1] / _GRID[1], *means, **options)
    ax.quiverkey(arrows, 0.7, 1.04, length, f"{length:.2g} px", labelpos="E")
    return _image_axes(ax, size, title)


def plot_layout(ax, positions: Array, directions: Array, names: tuple[str, ...]):
    """Camera centres and viewing directions (n_cameras, 3) on a 3D axis."""
    reach = 0.25 * np.linalg.norm(np.ptp(positions, axis=0)) or 1.0
    ax.quiver(*positions.T, *directions.T, length=reach)
    ax.scatter(*positions.T)
    for name, position, direction in zip(names, positions, directions, strict=True):
        ax.text(*(position - 0.25 * reach * direction), name, ha="center", va="center")
    ax.set(xlabel="x", ylabel="y", zlabel="z", aspect="equal")
    ax.locator_params(nbins=4)  # a side that is seen at a slant has no room for more
    return ax


def plot_covisibility(ax, shared_frames: NDArray[np.int64], names: tuple[str, ...]):
    """Cameras on a circle; a line is as wide as the frames two cameras share, and names their count."""
    angles = 2 * np.pi * np.arange(len(names)) / max(len(names), 1)
    at = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    most = max(int(shared_frames.max()), 1) if shared_frames.size else 1
    style = {"ha": "center", "va": "center", "bbox": {"boxstyle": "round", "facecolor": "white", "linewidth": 0.5}}
    for a in range(len(names)):
        for b in range(a + 1, len(names)):
            if shared_frames[a, b]:
                ax.plot(*at[[a, b]].T, color="lightsteelblue", linewidth=0.5 + 5 * shared_frames[a, b] / most, zorder=0)
                ax.text(*(0.6 * at[a] + 0.4 * at[b]), str(shared_frames[a, b]), **style)
        ax.text(*(1.28 * at[a]), f"{names[a]} ({shared_frames[a, a]})", **style)
    ax.set(xlim=(-1.75, 1.75), ylim=(-1.45, 1.45), aspect="equal", title="frames shared")
    ax.set_axis_off()
    return ax


def _image_axes(ax, size: tuple[int, int], title: str):
    """Axes of an image: limits in pixels, y downwards, equal scales."""
    ax.set(xlim=(0, size[0]), ylim=(size[1], 0), aspect="equal", xlabel="x (px)", ylabel="y (px)", title=title)
    return ax
