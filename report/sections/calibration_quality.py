"""The calibration: how well the cameras fit, how well they are known, and points in the working volume with them."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd

from ...calibration.quality.predicted_uncertainty import PredictedUncertainty, VolumeSlice
from ..figures import plot_figure
from ..markup import Markup, Section, bullets, definitions, element, frame_table, number, section, table

_WELL = 0.1  # of the error by a pixel of noise: less adds half a percent to it


def calibration_section(calibration_report, rig, *, with_slices: bool = True) -> Section | None:
    """The cameras, how well they fit and how well they are known: tables, warnings, plots of the calibration."""
    if calibration_report is None and rig is None:
        return None
    parts: list[Markup] = []
    if calibration_report is not None:
        warnings, notes = calibration_report.warnings, calibration_report.notes
        parts.append(bullets(warnings, "warnings") if warnings else element("p", "No warnings.", class_="fine"))
        parts.append(frame_table(_measured_columns(calibration_report.table()), "Reprojection error"))
        if notes:
            parts.append(bullets(notes))
        facts = {name: number(value, 4) for name, value in calibration_report.facts.items()}
        parts.append(element("div", definitions(facts), _covisibility(calibration_report), class_="beside"))
        parts += _calibration_plots(calibration_report)
    predicted = None if calibration_report is None else calibration_report.predicted
    if rig is not None:
        parts.append(_camera_rows(rig, predicted))
    if predicted is not None and rig is not None and with_slices:
        parts += [element("h3", "Predicted 3D error over the working volume"), *volume_slices(predicted, rig.unit)]
    return section("calibration", "Calibration", *parts)


def _measured_columns(frame: pd.DataFrame) -> pd.DataFrame:
    """Without columns that hold nothing; counts as whole numbers."""
    frame = frame.dropna(axis="columns", how="all")
    counts = [name for name in frame.columns if str(name).startswith("n_") and np.isfinite(frame[name]).all()]
    return frame.astype(dict.fromkeys(counts, int))


def _covisibility(calibration_report) -> Markup:
    if not calibration_report.shared_frames.size:
        return Markup()
    return plot_figure(calibration_report.plot_covisibility, name="frames shared by cameras", size=(5.0, 3.6))


def _calibration_plots(calibration_report) -> list[Markup]:
    """The pictures that the calibration's report offers for each camera, folded."""
    if not any(map(len, calibration_report.corners)):
        return []
    kinds = {
        "plot_coverage": ("board coverage", "Board coverage: where each camera saw corners"),
        "plot_residuals": ("lens residuals", "What the lens models leave over"),
    }
    parts = []
    for method, (short, heading) in kinds.items():
        draw = getattr(calibration_report, method)
        figures = [
            plot_figure(partial(draw, camera=camera), name=f"{short} of {camera}", size=(3.6, 2.9))
            for camera in calibration_report.names
        ]
        grid = element("div", *figures, class_="plots small")
        parts.append(element("details", element("summary", heading), grid))
    return parts


def _camera_rows(rig, predicted: PredictedUncertainty | None) -> Markup:
    """Lenses and places of the cameras, with their standard deviations where a calibration gives them."""
    rows = []
    for camera in rig.cameras:
        focal_std = np.array([np.nan] * 2) if predicted is None else predicted.focal_std.get(camera.name, [np.nan] * 2)
        centre_std = (
            np.array([np.nan] * 3) if predicted is None else predicted.centre_std.get(camera.name, [np.nan] * 3)
        )
        rows.append((
            camera.name, f"{camera.size[0]} × {camera.size[1]}", camera.model,
            _with_std((abs(camera.K[0, 0]), camera.K[1, 1]), focal_std, 5),
            _with_std(camera.center, centre_std, 4),
            ", ".join(f"{float(v):.4f}" for v in camera.distortion),
        ))  # fmt: skip
    headings = ("camera", "image, px", "lens", "focal length, px", f"centre, {rig.unit}", "distortion")
    return table(headings, rows, "Cameras")


def _with_std(values, stds, digits: int) -> str:
    """Values as text, "1 ± 0.1, 2 ± 0.1": to two digits of the deviation where it is known, else to `digits` in all."""
    finest = 10.0 ** np.floor(np.log10(np.abs(values).max() or 1.0) - digits + 1)
    parts = []
    for value, std in zip(values, stds, strict=True):
        if not np.isfinite(std) or std <= 0:
            parts.append(f"{np.round(value / finest) * finest + 0.0:,.6g}")
            continue
        decimals = max(0, 1 - int(np.floor(np.log10(std))))
        parts.append(f"{value:,.{decimals}f} ± {std:.{decimals}f}")
    return ", ".join(parts)


def volume_slices(predicted: PredictedUncertainty, unit: str) -> list[Markup]:
    """What is shown, the greatest errors in numbers, and a plot of each slice."""
    words = (
        "Where the boards were and half as far again: the error that the calibration alone gives a point that all"
        f" cameras see. The line goes where it reaches {100 * _WELL:g} % of the error that one pixel of noise in the"
        " keypoints gives: within, the volume is calibrated well; without a line a slice is so throughout, or nowhere."
    )
    figures = [
        plot_figure(partial(_draw_slice, one=one, unit=unit), name=f"predicted error, {' and '.join(one.names)}",
                    size=(3.8, 3.0))
        for one in predicted.slices
    ]  # fmt: skip
    known = [error for one in predicted.slices for error in np.ravel(one.errors) if np.isfinite(error)]
    if known:
        middle, most = np.median(known), np.max(known)
        words += f" On these planes: median {number(float(middle))} {unit}, greatest {number(float(most))} {unit}."
    return [element("p", words, class_="note"), element("div", *figures, class_="plots small")]


def _draw_slice(ax, *, one: VolumeSlice, unit: str):
    """One slice: the error as colour, and the line up to which it is calibrated well."""
    top = 2 * float(np.nanmedian(one.errors)) if np.isfinite(one.errors).any() else 1.0
    shown = ax.pcolormesh(one.across, one.up, one.errors, shading="nearest", cmap="viridis_r", vmin=0, vmax=top)
    if np.nanmin(one.shares, initial=np.inf) < _WELL < np.nanmax(one.shares, initial=0.0):
        ax.contour(one.across, one.up, one.shares, levels=[_WELL], colors="#cf5a22", linewidths=1.5)
    ax.set(xlabel=f"{one.names[0]}, {unit}", ylabel=f"{one.names[1]}, {unit}")
    ax.figure.colorbar(shown, ax=ax, label=f"3D error, {unit}", extend="max", format="%.2g")
    return ax
