"""Quality of the reconstruction and of the calibration, as tables and plots."""

from __future__ import annotations

import inspect

import numpy as np
import pandas as pd
import xarray as xr

from ..datasets import Array, Skeleton
from . import plots, quality
from .figures import joined, plot_figure
from .markup import Markup, Section, element, frame_table, number, percent, section, table

N_BINS = 240


def quality_section(
    views: xr.Dataset | None, pose: xr.Dataset | None, rig, skeleton: Skeleton | None
) -> Section | None:
    """Reprojection errors per camera and keypoint, what is missing, and how constant the bones are."""
    if views is None and pose is None:
        return None
    errors = quality.reprojection_errors(views, pose, rig)
    parts: list[Markup] = []
    unit = str(pose["position"].attrs["units"]) if pose is not None else ""
    tables = [
        _table_of(quality.keypoint_table(pose, views, errors).rename(columns={"sd": f"sd, {unit}"}), "Per keypoint")
    ]
    if views is not None or errors is not None:
        tables.append(_table_of(quality.camera_table(views, errors), "Per camera"))
    if errors is not None:
        tables.append(_heat_table(errors))
    parts.append(element("div", *tables, class_="tables"))
    figures = []
    if errors is not None and np.isfinite(errors.values).any():
        by_camera = errors.transpose("view", ...)
        names = [str(name) for name in errors["view"].values]
        figures.append(plot_figure(
            lambda ax: plots.plot_error_shares(by_camera.values, names, ax),
            name="share of points by reprojection error", size=(5.2, 3.0),
            caption="Share of the detections that lie at most so far from the reconstruction.",
        ))  # fmt: skip
    if pose is not None and skeleton is not None and skeleton.bones:
        lengths, names = quality.bone_lengths(pose, skeleton)
        if np.isfinite(lengths).any():
            figures.append(plot_figure(
                lambda ax: plots.plot_bone_lengths(lengths, names, ax),
                name="spread of bone lengths", size=(5.2, 0.9 + 0.2 * len(names)),
            caption="Bones do not stretch: thin 5–95 %, thick 25–75 % of the frames.",
            ))  # fmt: skip
    if figures:
        parts.append(joined(figures))
    if pose is not None and pose.sizes["time"] > 1:
        parts.append(_presence_figure(pose))
    return section("quality", "Quality of the reconstruction", *parts)


def _table_of(frame: pd.DataFrame, caption: str) -> Markup:
    """A quality table: shares as percentages."""
    shown = frame.copy().astype(object)
    for column in frame.columns:
        if str(column).startswith("missing"):
            shown[column] = [Markup(f"<td>{percent(float(v))}</td>") for v in frame[column]]
    return frame_table(shown, caption)


def _heat_table(errors: xr.DataArray) -> Markup:
    """Median reprojection error of each keypoint in each camera; the shade grows with the error."""
    stacked = errors.transpose("view", "keypoint", ...)
    medians = np.array([[quality.quantile(cell, 0.5) for cell in row] for row in stacked.values])
    typical = quality.quantile(medians, 0.5)
    rows = []
    for k, keypoint in enumerate(errors["keypoint"].values):
        cells = []
        for value in medians[:, k]:
            shade = 0.7 * min(1.0, value / (4 * typical)) if np.isfinite(value) and typical > 0 else 0.0
            cells.append(Markup(f'<td style="background:rgba(var(--heat),{shade:.2f})">{number(value)}</td>'))
        rows.append((str(keypoint), *cells))
    caption = "Median reprojection error of each keypoint in each camera, px (full shade: four times the typical)"
    return table(["keypoint", *map(str, errors["view"].values)], rows, caption)


def _presence_figure(pose: xr.Dataset) -> Markup:
    """Cameras per point over time, or where there is a point at all."""
    present = np.isfinite(pose["position"].values).all(-1)
    counted = "n_cameras" in pose
    values = np.where(present, pose["n_cameras"].values, 0.0) if counted else present.astype(float)
    names = [str(name) for name in pose["keypoint"].values]
    if "individual" in pose.dims:
        values = np.concatenate(list(values), axis=1)
        names = [f"{one}: {name}" for one in pose["individual"].values for name in names]
    shares, edges = binned(values, np.asarray(pose["time"].values, float), N_BINS)
    top = max(float(np.nanmax(values)), 1.0) if counted else 1.0
    label = "cameras per point" if counted else "share of frames"
    return plot_figure(
        lambda ax: plots.plot_presence(shares, edges, names, ax, label=label, top=top),
        name="what was seen over time", over_time=True, size=(10.6, 1.0 + 0.19 * len(names)),
        caption="Clear where a point is missing.",
    )  # fmt: skip


def binned(values: Array, times: Array, n_bins: int) -> tuple[Array, Array]:
    """Mean of (n_frames, n) values over at most `n_bins` runs of frames, and the (n_bins + 1,) times of their edges."""
    n_bins = min(n_bins, len(values))
    starts = np.linspace(0, len(values), n_bins + 1).astype(int)
    means = np.add.reduceat(values, starts[:-1], axis=0) / np.diff(starts)[:, None]
    step = float(np.median(np.diff(times)))
    return means, np.r_[times, times[-1] + step][starts]


def calibration_section(calibration_report, rig) -> Section | None:
    """The cameras and how well they fit: table, warnings, plots of the calibration."""
    if calibration_report is None and rig is None:
        return None
    parts: list[Markup] = []
    if calibration_report is not None:
        warnings = tuple(calibration_report.warnings)
        said = [element("li", str(warning)) for warning in warnings]
        parts.append(element("ul", *said, class_="warnings") if said else element("p", "No warnings.", class_="fine"))
        parts.append(frame_table(calibration_report.table(), "Reprojection error of the board"))
        figures = [
            plot_figure(draw, name=f"calibration {name}", size=(5.2, 3.2))
            for name, draw in _report_plots(calibration_report)
        ]
        if figures:
            parts.append(joined(figures))
    if rig is not None:
        parts.append(_camera_rows(rig))
    return section("calibration", "Calibration", *parts)


def _report_plots(calibration_report) -> list:
    """(name, function of an axes) for every plot that the calibration's report offers and that needs only axes."""
    found = []
    for name in sorted(dir(calibration_report)):
        if not name.startswith("plot_"):
            continue
        draw = getattr(calibration_report, name)
        needed = [p for p in inspect.signature(draw).parameters.values() if p.default is p.empty]
        if callable(draw) and len(needed) == 1:
            found.append((name.removeprefix("plot_"), draw))
    return found


def _camera_rows(rig) -> Markup:
    """Lenses and places of the cameras."""
    rows = []
    finest = 10.0 ** np.floor(np.log10(np.abs(rig.centers).max() or 1.0) - 3)
    for camera in rig.cameras:
        centre = np.round(camera.center / finest) * finest + 0.0
        rows.append((
            camera.name, f"{camera.size[0]} × {camera.size[1]}", camera.model,
            f"{number(abs(camera.K[0, 0]), 5)}, {number(camera.K[1, 1], 5)}",
            ", ".join(f"{v:,.6g}" for v in centre),
            ", ".join(f"{float(v):.4f}" for v in camera.distortion),
        ))  # fmt: skip
    headings = ("camera", "image, px", "lens", "focal length, px", f"centre, {rig.unit}", "distortion")
    return table(headings, rows, "Cameras")
