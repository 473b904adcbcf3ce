"""The name of a gait from the phases of its limbs, after Hildebrand (1989, BioScience 39, 766)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...datasets.sides import side_and_rest

ROLES = ("left_hind", "right_hind", "left_fore", "right_fore")
NAMED = 0.17  # strides: largest root-mean-square distance from a gait's ideal phases that has its name

_ENDS = {"hind": ("hind", "back", "rear"), "fore": ("fore", "front")}  # how words of hind and fore limbs begin

# touch-downs of right hind, left fore and right fore after the left hind, in strides; asymmetric gaits on either lead
IDEALS = {
    "walk": [(0.5, 0.25, 0.75), (0.5, 0.75, 0.25)],  # lateral and diagonal sequence
    "trot": [(0.5, 0.5, 0.0)],
    "pace": [(0.5, 0.0, 0.5)],
    "canter": [(0.3, 0.3, 0.6), (0.7, 0.3, 0.0)],
    "gallop": [
        (hind, fore, fore + lead)
        for hind in (-0.12, 0.12)
        for lead in (-0.12, 0.12)
        for fore in (0.5 + hind / 2 - lead / 2,)
    ],
}


def limb_roles(names: list[str]) -> dict[str, str]:
    """{role: limb} for limb names such as left_hind, hind_left_paw, LeftFront, RF; empty unless all are recognised."""
    roles: dict[str, str] = {}
    for name in names:
        side, rest = side_and_rest(name)
        words = rest.split("_")
        ends = [end for end, begins in _ENDS.items() if any(w == end[0] or w.startswith(begins) for w in words)]
        if side and len(ends) == 1:
            roles[f"{side}_{ends[0]}"] = name
    return roles if len(roles) == len(names) else {}


def name_gait(phases: Mapping[str, float], duty_factor: float) -> str:
    """The gait's name from {role: phase}: of four limbs the nearest of the ideals, of two walk or run by duty factor.

    Returns
    -------
    "walk", "trot", "pace", "canter", "gallop", "run"; "unclear" where the phases are far from all; "" where a phase or
    the limbs' roles are not known
    """
    if len(phases) == 2:
        return "walk" if duty_factor > 0.5 else "run"
    if set(phases) != set(ROLES) or not np.isfinite(list(phases.values())).all():
        return ""
    seen = np.array([phases[role] - phases["left_hind"] for role in ROLES[1:]])
    distances = {}
    for name, ideals in IDEALS.items():
        away = (seen - np.array(ideals) + 0.5) % 1.0 - 0.5
        distances[name] = float(np.sqrt((away**2).mean(axis=1)).min())
    best = min(distances, key=distances.__getitem__)
    return best if distances[best] <= NAMED else "unclear"
