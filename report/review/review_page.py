"""Write the review of a calibration: one HTML file that needs no network."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...calibration import Calibration
from ...calibration.accuracy_prediction import board_volume, predicted_errors
from ..markup import Markup, Section, element, embedded_json, percent, section, table
from ..page import whole_page, write_page
from ..sections.calibration_quality import calibration_section, volume_slices
from .board_pictures import camera_pictures

_SCALES = (1, 3, 10, 30, 100, 300)  # by which arrows are lengthened
_ARROW = 0.015  # of the picture's width: a residual of the size of the noise, at first


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
        calibration_section(calibration.report, rig, with_slices=False),
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
    low, middle, high = board_volume(calibration)
    places, points = ["middle"], [middle]
    for axis, name in enumerate("xyz"):
        places += [f"least {name}", f"greatest {name}"]
        points += [np.where(np.arange(3) == axis, end, middle) for end in (low, high)]
    corners = np.stack(np.meshgrid(*np.stack([low, high], axis=1)), axis=-1).reshape(-1, 3)
    errors, shares = predicted_errors(calibration, np.vstack([points, corners]))
    predicted = calibration.report.predicted
    if not np.isfinite(errors[0]) or predicted is None:
        return None
    worst = len(places) + int(np.argmax(np.nan_to_num(errors[len(places) :])))
    unit, shown = calibration.rig.unit, [*range(len(places)), worst]
    rows = [
        (name, float(errors[i]), percent(shares[i])) for name, i in zip([*places, "worst corner"], shown, strict=True)
    ]
    extent = ", ".join(f"{name} {a:.0f} to {b:.0f}" for name, a, b in zip("xyz", low, high, strict=True))
    words = element("p", f"5 to 95 % of the boards' corners were at {extent} {unit}.")
    listed = table(("place", f"3D error, {unit}", "share of the error by 1 px of noise"), rows)
    return section("volume", "Where the volume is calibrated well", words, listed, *volume_slices(predicted, unit))
