"""Write the review of a calibration: one HTML file that needs no network."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ...calibration import Calibration, volume_uncertainty
from ...datasets import Array
from ...triangulate import point_covariances
from ..figures import plot_figure
from ..markup import Markup, Section, element, embedded_json, percent, section, table
from ..page import whole_page, write_page
from ..section_quality import calibration_section
from .board_pictures import camera_pictures

_GRID = 13  # points along each edge of a slice through the volume
_SCALES = (1, 3, 10, 30, 100, 300)  # by which arrows are lengthened
_ARROW = 0.015  # of the picture's width: a residual of the size of the noise, at first
_WELL = 0.1  # of the error by a pixel of noise: less adds half a percent to it


def write_calibration_review(
    path: str | os.PathLike,
    calibration: Calibration,
    sources: Mapping[str, Any] | None = None,
    *,
    title: str = "Calibration",
    n_pictures: int = 10,
    width: int = 720,
) -> Path:
    """Write a page that leafs through the board's pictures of all cameras, with corners and residuals.

    Parameters
    ----------
    path : str or PathLike
        The file; an old file is replaced only by a complete new one.
    calibration : Calibration
        As returned by `calibrate`.
    sources : dict, optional
        What `calibrate` was given: pictures come from there. None: corners without pictures.
    title : str
        The heading.
    n_pictures : int
        Pictures of each camera at most: half of them those of largest residual, the others those that cover the image.
    width : int, pixels
        Width of a picture at most; both bound the size of the file (about 50 kB a picture).

    Returns
    -------
    Path
        The written file.

    Notes
    -----
    Corners that were not seen (NaN) are left out.

    Examples
    --------
    >>> from muybridge.calibration import calibrate, simulate_detections
    >>> from muybridge.report import write_calibration_review
    >>> calibration = calibrate(simulate_detections(), distortion_model=0)
    >>> write_calibration_review("review.html", calibration, title="Two cameras").name
    'review.html'
    """
    cameras = [
        {
            "name": name,
            "size": list(map(int, calibration.detections[name].size)),
            "pictures": camera_pictures(calibration, name, sources or {}, n_pictures, width),
        }
        for name in calibration.rig.names
    ]
    noise = float(calibration.report.facts.get("noise of a corner (px)", 1.0))
    longest = max(camera["size"][0] for camera in cameras)
    scale = min(_SCALES, key=lambda k: abs(np.log(k * max(noise, 1e-3) / (_ARROW * longest))))
    rig = calibration.rig
    parts = [
        _picture_section(cameras, scale),
        _volume_section(calibration),
        calibration_section(calibration.report, rig),
    ]
    page = whole_page(
        title, [part for part in parts if part is not None], kind="calibration review", scripts=("review.js",)
    )
    return write_page(Path(path), page)


def _picture_section(cameras: list[dict[str, Any]], scale: int) -> Section:
    """The viewer, filled by the script; scale: times by which arrows are lengthened at first."""
    names = (element("option", camera["name"], value=i) for i, camera in enumerate(cameras))
    scales = (element("option", f"× {k}", value=k, selected="selected" if k == scale else None) for k in _SCALES)
    controls = element(
        "div",
        element("label", "Camera ", element("select", *names, id="review-camera")),
        element("button", "Previous", id="review-previous", type="button"),
        element("button", "Next", id="review-next", type="button"),
        element("label", "Arrows ", element("select", *scales, id="review-scale")),
        element("label", Markup('<input type="checkbox" id="review-marks" checked> corners')),
        class_="controls",
    )
    keys = Markup(
        '<p class="note"><kbd>←</kbd> <kbd>→</kbd> picture, <kbd>↑</kbd> <kbd>↓</kbd> camera. Arrows point from where'
        " the calibration expects a corner to where it was found, lengthened; crosses are rejected corners.</p>"
    )
    stage = element("div", id="review-stage", class_="review-stage")
    words = element("p", id="review-words", class_="readout", aria_live="polite")
    rejected = element("ul", id="review-rejected", class_="fine")
    data = embedded_json("review-data", cameras)
    return section("pictures", "Pictures of the board", controls, stage, words, rejected, keys, data)


def _volume_section(calibration: Calibration) -> Section | None:
    """The predicted 3D error in the middle and at the edges of the boards' volume, and on three slices through it."""
    boards = (calibration.board_shape @ calibration.board_R.swapaxes(1, 2) + calibration.board_t[:, None]).reshape(
        -1, 3
    )
    low, middle, high = np.percentile(boards, [5, 50, 95], axis=0)
    places, points = ["middle"], [middle]
    for axis, name in enumerate("xyz"):
        places += [f"least {name}", f"greatest {name}"]
        points += [np.where(np.arange(3) == axis, end, middle) for end in (low, high)]
    corners = np.stack(np.meshgrid(*np.stack([low, high], axis=1)), axis=-1).reshape(-1, 3)
    errors, shares = predicted_errors(calibration, np.vstack([points, corners]))
    if not np.isfinite(errors[0]):
        return None
    worst = len(places) + int(np.argmax(np.nan_to_num(errors[len(places) :])))
    unit, shown = calibration.rig.unit, [*range(len(places)), worst]
    rows = [
        (name, float(errors[i]), percent(shares[i])) for name, i in zip([*places, "worst corner"], shown, strict=True)
    ]
    figures = []
    for across, up in ((0, 1), (0, 2), (1, 2)):
        slice_, names = _slice(calibration, across, up, low, middle, high), "xyz"[across] + "xyz"[up]
        draw = partial(_draw_slice, slice_=slice_, names=names, unit=unit)
        figures.append(plot_figure(draw, name=f"predicted error, {names[0]} and {names[1]}", size=(3.8, 3.0)))
    extent = ", ".join(f"{name} {a:.0f} to {b:.0f}" for name, a, b in zip("xyz", low, high, strict=True))
    words = element(
        "p",
        f"Where the boards were (5 to 95 %: {extent} {unit}), the error that the calibration alone gives a point that"
        f" all cameras see. The line goes where it reaches {100 * _WELL:g} % of the error that one pixel of noise in"
        " the keypoints gives: within, the volume is calibrated well; without a line a slice is so throughout, or"
        " nowhere.",
    )
    listed = table(("place", f"3D error, {unit}", "of that by 1 px of noise"), rows)
    slices = element("div", *figures, class_="plots small")
    return section("volume", "Where the volume is calibrated well", words, listed, slices)


def predicted_errors(calibration: Calibration, points_3d: Array) -> tuple[Array, Array]:
    """Root mean square 3D error by the calibration alone (n,), and over that by one pixel of noise in the keypoints.

    NaN where fewer than two cameras see a point.
    """
    errors = np.sqrt(np.trace(volume_uncertainty(calibration, points_3d), axis1=1, axis2=2))
    noise = np.sqrt(np.trace(point_covariances(points_3d, calibration.rig, 1.0), axis1=1, axis2=2))
    return errors, errors / noise


def _slice(calibration: Calibration, across: int, up: int, low, middle, high) -> tuple[Array, ...]:
    """Places along two axes, half as far again as the boards were; errors and shares there (n_up, n_across)."""
    margin = 0.25 * (high - low)
    u, v = (np.linspace(low[k] - margin[k], high[k] + margin[k], _GRID) for k in (across, up))
    points = np.tile(middle, (_GRID, _GRID, 1))
    points[..., across], points[..., up] = np.meshgrid(u, v)
    errors, shares = predicted_errors(calibration, points.reshape(-1, 3))
    return u, v, errors.reshape(_GRID, _GRID), shares.reshape(_GRID, _GRID)


def _draw_slice(ax, *, slice_, names: str, unit: str):
    """One slice: the error as colour, and the line up to which it is calibrated well."""
    u, v, errors, shares = slice_
    top = 2 * float(np.nanmedian(errors)) if np.isfinite(errors).any() else 1.0
    shown = ax.pcolormesh(u, v, errors, shading="nearest", cmap="viridis_r", vmin=0, vmax=top)
    if np.nanmin(shares, initial=np.inf) < _WELL < np.nanmax(shares, initial=0.0):
        ax.contour(u, v, shares, levels=[_WELL], colors="#cf5a22", linewidths=1.5)
    ax.set_xlabel(f"{names[0]}, {unit}")
    ax.set_ylabel(f"{names[1]}, {unit}")
    ax.figure.colorbar(shown, ax=ax, label=f"3D error, {unit}", extend="max")
    return ax
