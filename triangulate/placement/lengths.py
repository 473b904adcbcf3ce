"""The scale of a world from lengths that are known: of bones, or between cameras."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...calibration.errors import CalibrationError
from ...cameras import CameraRig
from ...numerics.arrays import Array

_FEW = 10  # frames with both ends of a bone: their median is then known to 40 % of the spread
_BLOCKS = 8  # stretches of the recording, fewer than `_FEW`, whose medians tell how well the whole median is known
_DISAGREE = 3.0  # standard deviations by which two lengths may differ


@dataclass(frozen=True)
class KnownLength:
    """A length between two keypoints or two cameras, with its standard deviation, world units."""

    one: str
    other: str
    length: float
    std: float
    cameras: bool  # whether it is between cameras

    def __str__(self) -> str:
        spread = f" ± {self.std:g}" if self.std else ""
        return f"{self.one} to {self.other} = {self.length:g}{spread}"


def read_lengths(given: Sequence[Sequence[Any]], cameras: Sequence[str], keypoints: Sequence[str]) -> list[KnownLength]:
    """The lengths (a, b, length) or (a, b, length, std) as given, each checked.

    Raises
    ------
    CalibrationError : one has another form, names what is not there, or is not positive
    """
    found = []
    for entry in given:
        entry = list(entry) if isinstance(entry, Sequence) and not isinstance(entry, str) else [entry]
        if len(entry) not in (3, 4) or not all(isinstance(v, int | float | np.number) for v in entry[2:]):
            raise CalibrationError(f"a length is (name, name, length) or (name, name, length, its std), got {entry!r}")
        one, other = str(entry[0]), str(entry[1])
        length, std = float(entry[2]), float(entry[3]) if len(entry) == 4 else 0.0
        kinds = [all(name in names for name in (one, other)) for names in (cameras, keypoints)]
        if sum(kinds) != 1 or one == other:
            raise CalibrationError(
                f"the length from '{one}' to '{other}' must name two cameras of {list(cameras)} or two keypoints of"
                f" {list(keypoints)}"
            )
        if not (np.isfinite([length, std]).all() and length > 0 and std >= 0):
            raise CalibrationError(f"the length from '{one}' to '{other}' is {length:g} ± {std:g}; it must be positive")
        found.append(KnownLength(one, other, length, std, kinds[0]))
    return found


@dataclass(frozen=True, eq=False)
class Scale:
    """World units per unit of the placed world, its relative standard deviation, and a warning where lengths differ."""

    factor: float
    std: float
    weights: Array = field(default_factory=lambda: np.zeros(0))  # of the lengths, with the sum 1
    warning: str = ""
    change: Array | None = None  # (6 C,) derivative of the lengths' logarithm by the cameras' small motions


def scale_of(
    lengths: list[KnownLength], rig: CameraRig, keypoints: Sequence[str], points_3d: Array, covariances_3d: Array
) -> Scale:
    """The scale on which the lengths agree best, weighed by their standard deviations.

    Parameters
    ----------
    points_3d, covariances_3d : (n_frames, n_keypoints, 3) and (..., 3, 3), in the placed world
    """
    logs, variances = np.zeros(len(lengths)), np.zeros(len(lengths))
    for i, known in enumerate(lengths):
        if known.cameras:
            measured, spread = float(np.linalg.norm(rig[known.one].center - rig[known.other].center)), 0.0
        else:
            ends = [keypoints.index(name) for name in (known.one, known.other)]
            measured, spread = bone_length(points_3d[:, ends], covariances_3d[:, ends], known)
        logs[i] = np.log(known.length / measured)
        variances[i] = (known.std / known.length) ** 2 + (spread / measured) ** 2
    variances = np.maximum(variances, 1e-8)
    mean, std = float(np.average(logs, weights=1 / variances)), float((1 / variances).sum() ** -0.5)
    off, weights = (logs - mean) / np.sqrt(variances), std**2 / variances
    if np.abs(off).max() < _DISAGREE:
        return Scale(np.exp(mean), std, weights)
    apart = ", ".join(
        f"{known.one} to {known.other} {100 * (np.exp(mean - log) - 1):+.1f} %"
        for known, log in zip(lengths, logs, strict=True)
    )
    std *= float(np.sqrt((off**2).sum() / (len(off) - 1)))
    return Scale(
        np.exp(mean), std, weights, f"the known lengths disagree ({apart} of what was given); measure them again"
    )


def bone_length(ends: Array, covariances: Array, known: KnownLength) -> tuple[float, float]:
    """Median distance of two keypoints over the frames, and its standard deviation.

    The square of each distance is too long by the points' own variance across the bone, which is taken off.

    Parameters
    ----------
    ends, covariances : (n_frames, 2, 3) and (n_frames, 2, 3, 3)
    """
    there = np.isfinite(ends).all(axis=(1, 2))
    if there.sum() < _FEW:
        raise CalibrationError(
            f"'{known.one}' and '{known.other}' are reconstructed together in {there.sum()} of the frames looked at;"
            f" give a length that is seen in at least {_FEW}"
        )
    bone = ends[there, 1] - ends[there, 0]
    square, spread = (bone**2).sum(axis=1), covariances[there].sum(axis=1)
    along = np.einsum("ni,nij,nj->n", bone, spread, bone) / np.maximum(square, 1e-300)
    lengths = np.sqrt(np.maximum(square - (np.trace(spread, axis1=1, axis2=2) - along), 0.25 * square))
    return float(np.median(lengths)), std_of_median(lengths)


def std_of_median(values: Array) -> float:
    """Standard deviation of the median of a series whose errors last, from the medians of its stretches."""
    medians = [np.median(block) for block in np.array_split(values, _BLOCKS)]
    return float(np.std(medians, ddof=1)) / np.sqrt(_BLOCKS)
