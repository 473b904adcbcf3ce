"""The recording as a row of stick figures seen from the animal's side, as in the photographer's plates."""

from __future__ import annotations

import numpy as np
import xarray as xr

from ..datasets import Array, Skeleton
from ..kinematics.plots import plot_stick_figures
from .figures import plot_figure
from .markup import Markup
from .player import display_axes, known_bones

N_FIGURES = 10  # as on a plate of Muybridge
WIDTH = 10.6  # inches: the width of the page


def stick_figures(pose: xr.Dataset, skeleton: Skeleton | None, up: Array | None) -> Markup | None:
    """The figure; None for several individuals, and where the vertical is unknown or too little is seen."""
    known = [str(name) for name in pose["keypoint"].values]
    bones = tuple(known_bones(skeleton, known))
    if not bones or up is None or "individual" in pose.dims:
        return None
    points = pose["position"].values
    whole = np.flatnonzero(np.isfinite(points).all(-1).mean(axis=1) > 0.5)
    if len(whole) < 2:
        return None
    turned = side_view(points[whole], up)
    width, _, height = np.nanmax(np.nanmax(turned, axis=1) - np.nanmin(turned, axis=1), axis=0)
    seen = pose[["position"]].isel(time=whole)
    seen["position"] = seen["position"].copy(data=turned)

    def draw(ax):
        plot_stick_figures(seen, Skeleton(tuple(known), bones), ax, n_figures=N_FIGURES, spacing=1.06 * width)
        return ax.set_axis_off()

    tall = 0.3 + WIDTH * height / (1.06 * N_FIGURES * max(width, 1e-12))
    caption = f"{N_FIGURES} evenly spaced instants from the side, from faint to strong, each beside the one before."
    return plot_figure(draw, name="stick figures", caption=caption, size=(WIDTH, float(np.clip(tall, 0.8, 4.0))))


def side_view(points: Array, up: Array) -> Array:
    """(n_frames, n_keypoints, 3) turned about the vertical in each frame: the body's long axis is x, up is z.

    The long axis is the principal horizontal direction of the keypoints; it keeps its sense from frame to frame, and
    the animal moves towards positive x on the whole. Every frame needs at least one point.
    """
    level = points @ display_axes(np.asarray(up, float) / np.linalg.norm(up)).T
    centre = np.nanmean(level, axis=1, keepdims=True)
    flat = np.nan_to_num(level[..., :2] - centre[..., :2])
    axes = np.linalg.eigh(np.swapaxes(flat, 1, 2) @ flat)[1][:, :, 1]
    same = np.where((axes[1:] * axes[:-1]).sum(-1) < 0, -1.0, 1.0)
    axes = axes * np.cumprod(np.r_[1.0, same])[:, None]
    steps = np.diff(centre[:, 0, :2], axis=0)
    if (steps * axes[:-1]).sum() < 0:
        axes = -axes
    cosine, sine = axes[:, :1], axes[:, 1:]
    offset = level - centre
    x = offset[..., 0] * cosine + offset[..., 1] * sine
    y = offset[..., 1] * cosine - offset[..., 0] * sine
    return np.stack([x, y, level[..., 2]], axis=-1)
