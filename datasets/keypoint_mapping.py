"""Which of a detector's keypoints is which of a skeleton's, proposed from their names."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher

import numpy as np
from scipy.optimize import linear_sum_assignment

from .sides import side_and_rest

# words of the usual skeletons that mean the same
_SAME = {
    "snout": "nose", "muzzle": "nose", "fore": "front", "forepaw": "front_paw", "forefoot": "front_paw",
    "hind": "back", "rear": "back", "hindpaw": "back_paw", "hindfoot": "back_paw", "foot": "paw", "hand": "paw",
    "thai": "thigh", "center": "middle", "centre": "middle", "mid": "middle", "centroid": "middle",
    "withers": "neck_base", "tailbase": "tail_base", "tailtip": "tail_end", "tip": "end",
    "root": "base", "start": "base",
}  # fmt: skip
NEAR = 0.6  # similarity of two names, 0 to 1, from which one is proposed for the other


def propose_mapping(wanted: Sequence[str], known: Sequence[str]) -> dict[str, str]:
    """Which known name is meant by each wanted one: {wanted: known}; each is used once, those without a near one lack.

    Left never stands for right, nor front for back; names are compared without their side, spelling and order of words.
    """
    if not wanted or not known:
        return {}
    similar = np.array([[_similarity(a, b) for b in known] for a in wanted])
    rows, columns = linear_sum_assignment(-similar)
    return {str(wanted[i]): str(known[j]) for i, j in zip(rows, columns, strict=True) if similar[i, j] >= NEAR}


def _similarity(one: str, other: str) -> float:
    if one == other:
        return 2.0
    (side, words), (other_side, other_words) = _parts(one), _parts(other)
    ends, other_ends = ({"front", "back"} & set(own) for own in (words, other_words))
    if side != other_side or (ends and other_ends and ends != other_ends):
        return 0.0
    return SequenceMatcher(None, "".join(sorted(words)), "".join(sorted(other_words))).ratio()


def _parts(name: str) -> tuple[str | None, list[str]]:
    side, rest = side_and_rest(name)
    return side, "_".join(_SAME.get(word, word) for word in rest.split("_")).split("_")
