"""Quality of the reconstruction, as tables and plots."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import xarray as xr

from ...datasets import Array, Skeleton
from ...datasets.individuals import individual_names
from ...numerics.robust_scale import present_median
from .. import plots, quality
from ..figures import plot_figure
from ..markup import Markup, Section, element, number, percent, section, table
from ..player import point_names

HEAT = "#d66e1e"  # of large errors over time: another hue than that of presence, which is good where it is strong
N_BINS = 240  # of time over the width of the figure: each some three pixels wide on a screen


def quality_section(
    views: xr.Dataset | None, pose: xr.Dataset | None, errors: xr.DataArray | None, skeleton: Skeleton | None
) -> Section | None:
    """Reprojection errors per camera and keypoint, what is missing, and how constant the bones are."""
    if views is None and pose is None:
        return None
    beside = []
    if views is not None or errors is not None:
        cameras = quality.camera_table(views, errors)
        beside.append(table(["", *cameras], _rows_of(cameras), "Per camera"))
    if errors is not None and np.isfinite(errors.values).any():
        beside.append(_error_figure(errors))
    left_out = quality.left_out_table(pose)
    if left_out is not None:
        caption = "A camera left out, predicted from the others: what a point is worth, without knowing the truth"
        beside.append(table(["", *left_out], _rows_of(left_out), caption))
    if pose is not None and "left_out_failed" in pose.attrs:
        note = f"No camera could be left out to judge by: {pose.attrs['left_out_failed']}"
        beside.append(element("p", note, class_="note"))
    parts = [element("div", *beside, class_="beside"), *_coverage(pose), _keypoint_table(views, pose, errors)]
    if pose is not None and skeleton is not None:
        parts.append(_bone_figure(pose, skeleton))
    if pose is not None and pose.sizes["time"] > 1:
        parts += [element("h3", "Over time"), _presence_figure(pose), *_errors_over_time(errors)]
    return section("quality", "Quality of the reconstruction", *parts)


# column of the table of coverage: its heading; all but the counts and factors are shares
_COVERAGE = {
    "n": "pixels",
    "outliers": "outliers",
    "inside_50": "in 50 % region",
    "inside_95": "in 95 % region",
    "judged_95": "in 95 %, other half",
    "rescaled_95": "the same, rescaled",
    "factor": "sd multiplied by",
}


def _coverage(pose: xr.Dataset | None) -> list[Markup]:
    """Whether the error bars hold: per camera, per keypoint (folded) and in words."""
    if pose is not None and "coverage_failed" in pose.attrs:
        return [element("p", line, class_="note") for line in str(pose.attrs["coverage_failed"]).splitlines()]
    tables = []
    for kind in ("camera", "keypoint"):
        found = quality.coverage_table(pose, kind)
        if found is None:
            return []
        shares = [name for name in found.columns if name not in ("n", "factor")]
        rows = [
            [name, *(_percent_cell(value) if column in shares else value for column, value in row.items())]
            for name, row in found.astype({"n": object}).to_dict("index").items()
        ]
        caption = "Do the error bars hold? A camera left out: its pixels in the regions predicted from the others"
        headings = ["", *(_COVERAGE[str(column)] for column in found)]
        tables.append(table(headings, rows, caption if kind == "camera" else None))
    words = [element("p", line, class_="note") for line in str(pose.attrs.get("coverage_words", "")).splitlines()]  # pyright: ignore
    folded = element("details", element("summary", "The error bars per keypoint"), tables[1])
    return [element("div", tables[0], class_="dense"), *words, element("div", folded, class_="dense")]


def _rows_of(frame: pd.DataFrame) -> list[list[object]]:
    """Rows of a quality table with shares as percentages."""
    return [
        [name, *(_percent_cell(v) if str(c).startswith("missing") else v for c, v in zip(frame, row, strict=True))]
        for name, row in zip(frame.index, frame.itertuples(index=False, name=None), strict=True)
    ]


def _percent_cell(share: float) -> Markup:
    return element("td", percent(float(share)))


def _keypoint_table(views: xr.Dataset | None, pose: xr.Dataset | None, errors: xr.DataArray | None) -> Markup:
    """What is missing and uncertain of each keypoint, and its median error in each camera, shaded."""
    frame = quality.keypoint_table(pose, views, errors).drop(columns="points", errors="ignore")
    if pose is not None:
        frame = frame.rename(columns={"sd": f"sd, {pose['position'].attrs['units']}"})
    headings, rows, caption = ["", *frame], _rows_of(frame), "Per keypoint"
    if errors is not None:
        medians = quality.median_errors(errors, [str(name) for name in frame.index])
        typical = quality.quantile(medians, 0.5)
        headings += [str(name) for name in errors["view"].values]
        rows = [[*row, *(_shaded(value, typical) for value in cells)] for row, cells in zip(rows, medians, strict=True)]
        caption += "; shaded: the median error in each camera, px, darkest from four times the typical"
    return element("div", table(headings, rows, caption), class_="dense")


def _shaded(value: float, typical: float) -> Markup:
    shade = 0.6 * min(1.0, value / (4 * typical)) if np.isfinite(value) and typical > 0 else 0.0
    return element("td", number(value), style=f"background:rgba(var(--heat),{shade:.2f})")


def _error_figure(errors: xr.DataArray) -> Markup:
    names = [str(name) for name in errors["view"].values]
    return plot_figure(
        lambda ax: plots.plot_error_shares(errors.transpose("view", ...).values, names, ax),
        name="share of points by reprojection error",
        size=(5.2, 2.9),
        caption="Share of the detections that lie at most so far from the reconstruction; outliers lie beyond.",
    )


def _bone_figure(pose: xr.Dataset, skeleton: Skeleton) -> Markup:
    lengths, names = quality.bone_lengths(pose, skeleton)
    if not np.isfinite(lengths).any():
        return Markup()
    return plot_figure(
        lambda ax: plots.plot_bone_lengths(lengths, names, ax),
        name="spread of bone lengths",
        size=(10.6, 0.9 + 0.19 * len(names)),
        caption="Bones do not stretch: the spread of each length, thin 5–95 %, thick 25–75 % of frames.",
    )


def _presence_figure(pose: xr.Dataset) -> Markup:
    """Cameras per point over time, or where there is a point at all."""
    present = np.isfinite(pose["position"].values).all(-1)
    counted = "n_cameras" in pose
    values = np.where(present, pose["n_cameras"].values, 0.0) if counted else present.astype(float)
    names = point_names([str(name) for name in pose["keypoint"].values], individual_names(pose))
    values = np.concatenate(list(values), axis=1) if "individual" in pose.dims else values
    shares, edges = binned(values, np.asarray(pose["time"].values, float), N_BINS)
    top = max(float(np.nanmax(values)), 1.0) if counted else 1.0
    label = "cameras per point" if counted else "share of frames"
    return plot_figure(
        lambda ax: plots.plot_presence(shares, edges, names, ax, label=label, top=top),
        name="what was seen over time", over_time=True, size=(10.6, 1.0 + 0.19 * len(names)),
        caption="Clear where a point is missing.",
    )  # fmt: skip


def _errors_over_time(errors: xr.DataArray | None) -> list[Markup]:
    """The median reprojection error of each camera and of each keypoint along the recording."""
    if errors is None or errors.sizes["time"] < 2 or not np.isfinite(errors.values).any():
        return []
    figures = []
    for dim, one, others in (("view", "camera", "keypoints"), ("keypoint", "keypoint", "cameras")):
        values = errors.transpose("time", dim, ...).values
        medians = present_median(values.reshape(*values.shape[:2], -1), axis=-1)
        bins, edges = binned(medians, np.asarray(errors["time"].values, float), N_BINS)
        draw = partial(
            plots.plot_presence, bins, edges, list(map(str, errors[dim].values)), label="error, px",
            top=max(quality.quantile(bins, 0.98), 1e-9), colour=HEAT,
        )  # fmt: skip
        caption = f"Reprojection error of each {one}, median of the {others}; clear where there is none."
        size = (10.6, max(1.3, 1.0 + 0.19 * errors.sizes[dim]))
        figures.append(
            plot_figure(draw, name=f"error of each {one} over time", over_time=True, size=size, caption=caption)
        )
    return figures


def binned(values: Array, times: Array, n_bins: int) -> tuple[Array, Array]:
    """Mean of (n_frames, n) values over at most `n_bins` runs of frames, and the (n_bins + 1,) times of their edges.

    NaN does not count; NaN where there is nothing else.
    """
    n_bins = min(n_bins, len(values))
    starts = np.linspace(0, len(values), n_bins + 1).astype(int)
    known = np.isfinite(values)
    sums, counts = (np.add.reduceat(part, starts[:-1], axis=0) for part in (np.where(known, values, 0.0), 1.0 * known))
    means = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    step = float(np.median(np.diff(times)))
    return means, np.r_[times, times[-1] + step][starts]
