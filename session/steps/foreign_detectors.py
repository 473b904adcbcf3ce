"""The detector that [train] detector names: read with the session's names for its keypoints, or compared with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from ...datasets.names import nearest
from ...datasets.sides import side_and_rest
from ..config import Session, SessionError

if TYPE_CHECKING:
    from ...pose2d import Detector

# words of the usual skeletons that mean the same
_SAME = {
    "snout": "nose", "muzzle": "nose", "fore": "front", "forepaw": "front_paw", "forefoot": "front_paw",
    "hind": "back", "rear": "back", "hindpaw": "back_paw", "hindfoot": "back_paw", "foot": "paw", "hand": "paw",
    "thai": "thigh", "center": "middle", "centre": "middle", "mid": "middle", "centroid": "middle",
    "withers": "neck_base", "tailbase": "tail_base", "tailtip": "tail_end", "tip": "end",
    "root": "base", "start": "base",
}  # fmt: skip
NEAR = 0.6  # similarity of two names, 0 to 1, from which one is proposed for the other

ENTRIES = ("detector", "detector_options", "keypoints")  # of [train] that are read here


def named_detector(session: Session) -> Path | None:
    """The file that [train] detector names."""
    named = session.options["train"].get("detector")
    return None if named is None else session.folder / named


def named_settings(session: Session) -> dict[str, Any]:
    """What of [train] the use of the named detector depends on."""
    if named_detector(session) is None:
        return {}
    return {name: session.options["train"][name] for name in ENTRIES[1:] if name in session.options["train"]}


def open_detector(session: Session, path: Path) -> Detector:
    """A detector; of the one that [train] names the keypoints get the session's names, as [train.keypoints] says.

    Raises
    ------
    SessionError : an option does not exist, or a keypoint is named that the detector does not find
    """
    from ...pose2d import DetectorError, load_detector

    if path != named_detector(session):
        return load_detector(path)
    options, mapping = dict(named_settings(session).get("detector_options", {})), mapping_of(session)
    if "config" in options:
        options["config"] = session.folder / options["config"]
    try:
        detector = load_detector(path, **options)
    except (DetectorError, TypeError) as error:
        raise SessionError(f"{session.path}: [train] detector: {error}") from error
    unknown = sorted(set(mapping.values()) - set(detector.keypoints))
    if unknown:
        hint = nearest(unknown[0], detector.keypoints)
        raise SessionError(
            f"{session.path}: [train.keypoints] names '{unknown[0]}', which the detector does not find{hint}; it finds"
            f" {list(detector.keypoints)}"
        )
    ours = {theirs: own for own, theirs in mapping.items()}
    taken = set(ours.values())
    names = {n: ours.get(n, f"{n}_of_detector" if n in taken else n) for n in detector.keypoints}
    pairs = tuple((names[a], names[b]) for a, b in detector.symmetries)
    return replace(detector, keypoints=tuple(names.values()), symmetries=pairs)


def mapping_of(session: Session) -> dict[str, str]:
    """{the session's name: the detector's} of [train.keypoints]."""
    return dict(named_settings(session).get("keypoints", {}))


def detector_problems(session: Session) -> list[str]:
    """A detector that cannot be opened; keypoints of [skeleton] that it does not find, with what it may call them.

    One that is fine-tuned before it predicts finds the keypoints of the labels.
    """
    named, path = session.options["predict"].get("detector"), named_detector(session)
    path = path if named is None else session.folder / named
    if path is None or session.sources("points") or not path.exists():
        return []
    try:
        found = open_detector(session, path).keypoints
    except (ValueError, OSError, ModuleNotFoundError) as error:
        return [str(error)]
    is_tuned = named is None and bool({"labels", "sessions"} & session.options["train"].keys())
    if session.skeleton is None or is_tuned:
        return []
    missing = [name for name in session.skeleton.keypoints if name not in found]
    if not missing:
        return []
    free = [name for name in found if name not in session.skeleton.keypoints]
    proposed = mapping_of(session) | propose_mapping(missing, free)
    lines = "; ".join(f'{_key(own)} = "{theirs}"' for own, theirs in proposed.items())
    advice = f"If these are the same, write under [train.keypoints]: {lines}" if set(missing) & set(proposed) else ""
    strange = [name for name in missing if name not in proposed]
    if strange:
        advice += f"{'. ' if advice else ''}Nothing is near {strange}: leave them out of [skeleton], or give labels"
    return [f"the detector {path} does not find {missing} of [skeleton]; it finds {list(found)}. {advice}"]


def _key(name: str) -> str:
    """A name as a key of TOML."""
    return name if name.replace("_", "").replace("-", "").isalnum() and name.isascii() else f'"{name}"'


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
