"""Split labelled frames into training and held-out frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...formats.labels.labelled_frames import LabelError, Labels


def split_labels(labels: Labels, fraction: float, by: str = "time", seed: int = 0) -> tuple[Labels, Labels | None, str]:
    """Training frames, held-out frames (None if there are too few), and a sentence on how they were split.

    by : "time": one block of neighbouring instants of every recording; "video": whole recordings; "camera": whole
        cameras; "random": any frames (neighbouring frames of one recording are nearly copies: the error comes out too
        small). Views of one instant stay together except for "camera".

    Raises
    ------
    LabelError : "video" or "camera" with only one of them
    """
    if fraction <= 0 or len(labels) < 8:
        return labels, None, f"no frames were held out of {len(labels)}: nothing is calibrated"
    held = _by_time(labels, fraction) if by == "time" else _some(_units(labels, by), fraction, seed)
    if not held.any() or held.all():
        raise LabelError(f"{len(labels)} frames cannot be split by {by!r} with a fraction of {fraction}")
    return labels.select(~held), labels.select(held), f"{held.sum()} of {len(labels)} frames were held out by {by}"


def _by_time(labels: Labels, fraction: float) -> NDArray[np.bool_]:
    held, instants, recordings = np.zeros(len(labels), bool), np.array(labels.instants), np.array(labels.recordings)
    for recording in np.unique(recordings):
        own = np.unique(instants[recordings == recording])
        n_held = round(fraction * len(own))
        if n_held:  # from the middle of the second half: neither the first nor the last moments
            first = min(int(0.6 * len(own)), len(own) - n_held)
            held |= (recordings == recording) & np.isin(instants, own[first : first + n_held])
    return held


def _units(labels: Labels, by: str) -> Sequence[str]:
    """(n,) what each frame belongs to that is held out or trained on as a whole: its moment, recording or camera."""
    if by == "random":
        return [f"{r}/{i}" for r, i in zip(labels.recordings, labels.instants, strict=True)]
    units, what = (labels.groups, "recording") if by == "video" else (labels.cameras, "camera")
    if len(set(units)) < 2:
        raise LabelError(f"all frames are of one {what} ({units[0]}); hold out by 'time' instead")
    return units


def _some(names: Sequence[str], fraction: float, seed: int) -> NDArray[np.bool_]:
    unique = list(dict.fromkeys(names))
    order = np.random.default_rng(seed).permutation(len(unique))
    n_held = min(max(1, round(fraction * len(unique))), len(unique) - 1)
    chosen = {unique[i] for i in order[:n_held]}
    return np.array([name in chosen for name in names])
