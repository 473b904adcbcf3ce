"""The gait of the report: which foot stands when, and a table of the strides."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from ...kinematics import Gait, plot_gait
from ..figures import joined, plot_figure
from ..markup import Markup, Section, element, section, table
from .angles_and_speeds import of_individuals

_COLUMNS = {
    "frequency": "frequency, Hz",
    "duty_factor": "duty factor",
    "length": "length",
    "speed": "speed",
    "clearance": "clearance",
    "phase": "phase",
}


def gait_section(kinematics: xr.Dataset | None, strides: pd.DataFrame | None) -> Section | None:
    """The gait diagram, and each limb's strides in numbers."""
    parts: list[Markup] = []
    if kinematics is not None and "stance" in kinematics:
        parts.append(joined([_diagram(prefix, one) for prefix, one in of_individuals(kinematics)]))
        parts.append(
            element("p", "A bar while the foot stands; a two-state model of its height and speed.", class_="note")
        )
    if strides is not None and len(strides):
        labels = [name for name in ("individual", "limb") if name in strides]
        limbs = strides[labels].astype(str).agg(": ".join, axis=1)
        rows = [_row(str(limb), own) for limb, own in strides.groupby(limbs, sort=False)]
        caption = "Strides, mean of each limb; lengths and speeds in world units, phase in the reference limb's stride"
        parts.append(table(("limb", "strides", *_COLUMNS.values(), "gait"), rows, caption))
    elif parts:
        parts.append(element("p", "No whole stride lies in the recording.", class_="note"))
    return section("gait", "Gait", *parts) if parts else None


def _diagram(prefix: str, kinematics: xr.Dataset) -> Markup:
    """The diagram of one animal, whose name it bears where there are several."""
    found = Gait(kinematics, pd.DataFrame(), pd.DataFrame(), "")
    title = prefix.removesuffix(": ")
    return plot_figure(lambda ax: plot_gait(found, ax).set_title(title), name=f"{prefix}gait diagram", over_time=True)


def _row(limb: str, strides: pd.DataFrame) -> tuple:
    gaits = strides["gait"].replace("", None).mode()  # those that have a name
    means = (mean_over_strides(strides[column].to_numpy(float), column == "phase") for column in _COLUMNS)
    return limb, len(strides), *means, "" if gaits.empty else str(gaits.iloc[0])


def mean_over_strides(values: np.ndarray, circular: bool) -> float:
    """Mean of what is known; of phases (0-1) the circular one, since 0.98 and 0.02 lie about 0. NaN of nothing."""
    values = values[np.isfinite(values)]
    if not len(values):
        return float("nan")
    if not circular:
        return float(values.mean())
    return float(np.angle(np.exp(2j * np.pi * values).mean()) / (2 * np.pi) % 1)
