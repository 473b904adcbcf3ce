"""Three sentences on a reconstruction: whether it is good, what is wrong with it, and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import xarray as xr

from .markup import number, percent
from .quality import point_spread, quantile
from .warning_ranking import SizedWarning

_SURE, _UNSURE = 0.8, 0.5  # mean confidence of a reconstruction that can be used, and of one that cannot
Grade = Literal["good", "care", "bad"]
_JUDGEMENTS: dict[Grade, str] = {
    "good": "This reconstruction can be used",
    "care": "Use this reconstruction with care",
    "bad": "Do not use this reconstruction before its warnings are settled",
}


class Verdict(NamedTuple):
    """A grade, and a sentence each on whether the pose can be used, what is wrong, and what to do."""

    grade: Grade
    judgement: str
    wrong: str
    remedy: str


def judge(
    pose: xr.Dataset, errors: xr.DataArray | None, warnings: Sequence[SizedWarning], has_images: bool = True
) -> Verdict:
    """The verdict on a pose, from its confidence and from all warnings, the worst first.

    errors : reprojection errors, pixels
    has_images : whether there are pictures in which to look at the worst instants; else the errors over time show them
    """
    where = "in the images" if has_images else "under 'Over time'"
    grade = grade_of(mean_confidence(pose), len(warnings))
    first = f"{judgement(pose, errors, grade)}."
    if not warnings:
        return Verdict(grade, first, *_without_warning(pose, grade, errors, where))
    worst = warnings[0].message.rstrip(".")
    wrong, _, remedy = worst.rpartition("; ")
    others = f" (the worst of {len(warnings)} warnings)" if len(warnings) > 1 else ""
    remedy = remedy if wrong else f"look at the worst instants {where}, and at the warnings below"
    return Verdict(grade, first, f"{_capital(wrong or worst)}{others}.", f"{_capital(remedy)}.")


def grade_of(confidence: float, n_warnings: int) -> Grade:
    """The grade that confidence and warnings make. confidence : mean of all points, 0–1; NaN where it is not known"""
    if confidence < _UNSURE:
        return "bad"
    return "care" if n_warnings or confidence < _SURE else "good"


def mean_confidence(pose: xr.Dataset) -> float:
    """Mean over all points; a missing one counts 0. NaN where the pose has none."""
    return float(np.nan_to_num(pose["confidence"].values).mean()) if "confidence" in pose else float("nan")


def judgement(pose: xr.Dataset, errors: xr.DataArray | None, grade: Grade) -> str:
    """The grade in words, and the measured reasons; without a full stop."""
    placed = np.isfinite(pose["position"].values).all(axis=-1)
    facts = [f"{percent(float(placed.mean()) if placed.size else 0.0)} of the points are in 3D"]
    if np.isfinite(confidence := mean_confidence(pose)):
        facts.append(f"their mean confidence is {confidence:.2f}")
    if errors is not None and np.isfinite(off := quantile(errors.values, 0.5)):
        facts.append(f"they reproject within {off:.1f} px (median)")
    if "covariance" in pose and np.isfinite(spread := quantile(point_spread(pose["covariance"].values), 0.5)):
        facts.append(f"they are known to ± {number(spread, 2)} {pose['position'].attrs['units']} (median)")
    return f"{_JUDGEMENTS[grade]}: {', '.join(facts)}"


def _without_warning(pose: xr.Dataset, grade: Grade, errors: xr.DataArray | None, where: str) -> tuple[str, str]:
    """What is wrong and what to do where no step has warned."""
    placed = np.isfinite(pose["position"].values).all(axis=-1)
    dims = [i for i, dim in enumerate(pose["position"].dims[:-1]) if dim != "keypoint"]
    shares = placed.mean(axis=tuple(dims)) if placed.size else np.ones(1)
    names = [str(name) for name in pose["keypoint"].values]
    if grade == "good":
        lacking = f"; '{names[int(shares.argmin())]}' is missing most often" if 0 < shares.min() < 0.999 else ""
        if errors is not None and errors.sizes.get("view") == 2:
            return (
                f"No step has warned{lacking}; but two cameras do not show everything that is wrong with either.",
                f"Compare a length that you know, such as a bone's, and look at the worst instants {where}.",
            )
        return f"No step has warned{lacking}.", f"Nothing has to be done; look at the worst instants {where}."
    return (
        "No step has warned, but the confidence of the points is low.",
        f"Look at the worst instants {where} and label more frames like them.",
    )


def _capital(words: str) -> str:
    """A sentence with a capital letter, unless it begins with whose it is: "individual_0: ..."."""
    return words if words.partition(" ")[0].endswith(":") else words[:1].upper() + words[1:]
