"""Warnings about cameras and keypoints: what is wrong, how much it matters, and what to do.

The size of a warning, by which warnings are ordered, is how far off the detections that it is about are on average, in
world units; the good ones among them count as right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ...numerics.robust_scale import present_median
from .changes import Mistake

# {camera: {keypoint: share of outliers, weighted by confidence}}
Shares = dict[str, dict[str, float]]

ENOUGH = 30  # points below which nothing is said about a camera or keypoint: a median of fewer is off by 15 % and more
_WORSE = 3.0  # times a good camera's own error (about twice the others' sigma) beyond which it disagrees
_BIAS = 1.5  # times the others' sigma of a median residual that means a moved camera
_MOSTLY_MISSING = 0.5  # share of the frames with a point below which a keypoint is named
_MANY_OUTLIERS = 0.25  # share of outliers, weighted by confidence, above which a camera or keypoint is named
_NAMED = 2  # keypoints of a camera, or cameras of a keypoint, that a warning names


def wrong_cameras(cameras: pd.DataFrame) -> list[str]:
    """Cameras that are far from the others while these agree without them."""
    rows = _rows(cameras)
    agreement = min((row["others_px"] for row in rows.values() if np.isfinite(row["others_px"])), default=np.nan)
    return [name for name, row in rows.items() if _is_wrong(row, agreement)]


def _is_wrong(row: dict[str, float], agreement: float) -> bool:
    others = row["others_px"]
    far = row["left_out_px"] > 2 * _WORSE * others
    lean = np.hypot(row["shift_x_px"], row["shift_y_px"]) > _BIAS * others
    return bool((far or lean) and others <= 1.5 * agreement)


def mistake_warnings(mistakes: Sequence[Mistake], cameras: pd.DataFrame, wrong: list[str]) -> list[tuple]:
    """(kind, name, off, off_px, message) of mistakes that concern all points of cameras.

    Cameras that are known as `wrong` and are off to one side are left to `camera_warnings`.
    """
    words = []
    for mistake in mistakes:
        if mistake.kind == "shifted" and set(mistake.cameras) <= set(wrong):
            continue
        off_px = cameras.loc[list(mistake.cameras), "left_out_px"].max()
        off_px = mistake.before_px if np.isnan(off_px) else off_px
        off = off_px * float(cameras.loc[list(mistake.cameras), "unit_per_px"].max())
        words.append(("camera", ", ".join(mistake.cameras), off, off_px, mistake.sentence))
    return words


def rig_warning(message: str, off_px: float, cameras: pd.DataFrame) -> tuple:
    """(kind, name, off, off_px, message) of a disagreement that is no single camera's."""
    off = off_px * float(np.median(cameras["unit_per_px"]))
    return "camera", ", ".join(map(str, cameras.index)), off, off_px, message


def camera_warnings(
    cameras: pd.DataFrame,
    wrong: list[str],
    shares: Shares,
    unit: str,
    reasons: Mapping[str, str],
    mistakes: Sequence[Mistake],
) -> list[tuple]:
    """(kind, name, off, off_px, message) of cameras that disagree, have many outliers or see little.

    reasons : of wrong cameras, see `reason`
    """
    words, cause = [], {name: mistake for mistake in mistakes for name in mistake.cameras}
    for name, row in _rows(cameras).items():
        if name in cause and not (cause[name].kind == "shifted" and name in wrong):
            continue
        if row["n"] < ENOUGH and cause:
            continue  # a wrong camera may leave the others without a majority
        if row["n"] < ENOUGH:
            message = f"Camera '{name}' shares fewer than {ENOUGH} points with the others; check that its file and its"
            words.append(("camera", name, np.nan, np.nan, f"{message} keypoints' names are those of this recording."))
        elif name in wrong:
            words.append(_disagreement(name, row, unit, reasons[name]))
        elif row["sure_outliers"] > _MANY_OUTLIERS:
            most = _most(shares[name])
            remedy = "look at them in its pictures and label more frames of them" if most else "look at its pictures"
            words.append(_many_outliers("camera", name, row, f", most of {most}" if most else "", remedy, unit))
    return words


def reason(related: bool, shift: Mistake | None, moved: bool) -> str:
    """The end of the sentence on a camera that disagrees: what its errors show, and what to do.

    shift : the mistake that all its points are off by the same, where it is evident
    moved : whether it is evident that it stands or looks elsewhere
    """
    if not related:
        return "; its points are not those of the others: other frames, another recording or other keypoints"
    if shift is not None:
        return f", as if it had moved{' or its video were cropped' if 'crop' in shift.remedy else ''}: {shift.remedy}"
    if moved:
        return ", as if it had moved: calibrate it again or refine the rig"
    return (
        ", which one movement of it does not explain: look in its pictures, early and late in the recording, for frames"
        " or keypoints that are not where its points are"
    )


def _disagreement(name: str, row: dict[str, float], unit: str, why: str) -> tuple:
    off, (x, y) = row["left_out_px"] * row["unit_per_px"], (row["shift_x_px"], row["shift_y_px"])
    aside = np.hypot(x, y) > 0.5 * row["left_out_px"]
    where = f"mostly to one side ({x:+.1f}, {y:+.1f}) px" if aside else "in all directions"
    message = (
        f"Camera '{name}' disagrees with the others by {row['left_out_px']:.1f} px (median; {_length(off, unit)} at the"
        f" animal), while they agree to {row['others_px']:.1f} px without it; {where}{why}."
    )
    return "camera", name, off, row["left_out_px"], message


def _many_outliers(kind: str, name: str, row: dict[str, float], most: str, remedy: str, unit: str) -> tuple:
    share = row["sure_outliers"]
    message = (
        f"{kind.capitalize()} '{name}': {100 * share:.0f} % of its detections are outliers,"
        f" {row['outlier_px']:.0f} px off (median; {_length(row['outlier_off'], unit)} at the animal){most}; {remedy}."
    )
    return kind, name, share * row["outlier_off"], share * row["outlier_px"], message


def _length(value: float, unit: str) -> str:
    """Two significant digits, without an exponent."""
    return f"{float(f'{value:.2g}'):g} {unit}"


def _most(shares: dict[str, float]) -> str:
    """The names of the largest shares of outliers that are many, with the shares."""
    largest = sorted(shares.items(), key=lambda item: -item[1])[:_NAMED]
    return " and ".join(f"'{name}' ({100 * share:.0f} %)" for name, share in largest if share > _MANY_OUTLIERS)


def keypoint_warnings(
    keypoints: pd.DataFrame, shares: Shares, size: float, cameras: pd.DataFrame, unit: str
) -> list[tuple]:
    """(kind, name, off, off_px, message) of keypoints that are mostly missing or mostly wrong.

    A missing point is known only to lie on the animal, whose `size` is in world units.
    """
    words, unit_per_px = [], float(present_median(cameras["unit_per_px"].to_numpy(float)))
    for name, row in _rows(keypoints).items():
        missing = 1 - row["reconstructed"]
        if row["n_frames"] and row["reconstructed"] < _MOSTLY_MISSING:
            off = missing * size
            anywhere = f", and in the others it may lie anywhere on the animal ({_length(size, unit)})"
            message = (
                f"Keypoint '{name}' is mostly missing: two views agree on it in only {100 * row['reconstructed']:.0f} %"
                f" of the frames{anywhere if np.isfinite(size) else ''}; label more frames of it or leave it out."
            )
            words.append(("keypoint", name, off, off / unit_per_px, message))
        elif row["sure_outliers"] > _MANY_OUTLIERS:
            most = _most({camera: row[name] for camera, row in shares.items()})
            remedy = f"label more frames of it{' there' if most else ''}"
            most = f", most in {most}" if most else ""
            words.append(_many_outliers("keypoint", name, row, most, remedy, unit))
    return words


def _rows(table: pd.DataFrame) -> dict[str, dict[str, float]]:
    return {str(name): {str(k): float(v) for k, v in row.items()} for name, row in table.to_dict("index").items()}
