"""Left and right in names of keypoints, joints and limbs, in the spellings of the usual tools."""

from __future__ import annotations

import re
from collections.abc import Sequence

_SIDES = (("left", "right"), ("l", "r"))  # a whole word decides before a letter does


def words_of(name: str) -> list[str]:
    """The words of a name, in lower case, its side as a word of its own: ``paw1LH_top`` is paw 1 l h top."""
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    parts = [part for part in re.split(r"[\W_]+|(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])", spaced) if part]
    return [word.lower() for part in parts for word in _split_side(part)]


def side_and_rest(name: str, *, with_numbers: bool = True) -> tuple[str | None, str]:
    """ "left", "right" or None, and the words of the name without its side, joined by underscores.

    A single letter counts as a side only as its own word (``Ear_L``, ``earL``, ``L_ear``, ``LHip``) and never as part
    of one (``tail``, ``lip``).
    """
    words = words_of(name)
    for left, right in _SIDES:
        for side, word, other in (("left", left, right), ("right", right, left)):
            if word in words and other not in words:
                return side, "_".join(w for w in words if w != word and (with_numbers or not w.isdigit()))
    return None, "_".join(words)


def symmetric_pairs(names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Pairs (left, right) of names that differ only in their side: leftear, ear_left, Ear_L, LHip, hip-r.

    A numbering beside the side (paw1LH next to paw4RH) is ignored where the pair stays unique.
    """
    pairs: list[tuple[str, str]] = []
    for with_numbers in (True, False):
        paired = {name for pair in pairs for name in pair}
        sided: dict[tuple[str | None, str], list[str]] = {}
        for name in names:
            if name not in paired:
                sided.setdefault(side_and_rest(name, with_numbers=with_numbers), []).append(name)
        for (side, rest), own in sided.items():
            others = sided.get(("right", rest), [])
            if side == "left" and len(own) == len(others) == 1:
                pairs.append((own[0], others[0]))
    return tuple(pairs)


def sides_together(names: Sequence[str]) -> list[tuple[str, ...]]:
    """The names in their order, those of a left and right pair together where the first of them stands."""
    pair_of = {name: pair for pair in symmetric_pairs(names) for name in pair}
    return list(dict.fromkeys(pair_of.get(name, (name,)) for name in names))


def _split_side(part: str) -> list[str]:
    """Take the side off a word: leftear, hipright, LHip, LH (left hind), FR (front right), lh."""
    patterns = (
        (r"(left|right)(.+)|(.+?)(left|right)", re.IGNORECASE),
        (r"([LR])([A-Z][a-z].*)", 0),
        (r"([lr])([fh])|([fh])([lr])", re.IGNORECASE),
    )
    for pattern, flags in patterns:
        if match := re.fullmatch(pattern, part, flags):
            return [piece for piece in match.groups() if piece]
    return [part]
