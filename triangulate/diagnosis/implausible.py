"""Reconstructions that no animal fits, though all cameras agree: wrong unit, wrong frame rate, names exchanged.

What is wrong in all cameras alike leaves no trace in epipolar errors. It shows in the animal: the size of a body with
the limbs that the keypoints name, accelerations that gravity and legs do not make, bones that are not rigid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ...cameras.rig_files import METRES
from ...numerics.arrays import Array
from ...numerics.robust_scale import present_median, robust_std

Bones = Sequence[tuple[int, int]] | NDArray[np.int64]  # positions of the ends of each

_ENOUGH_FRAMES = 30  # from which a standard deviation of a bone's length is taken
_MOSTLY = 0.9  # share of the frames in which a keypoint of the body's mean is known
_FLEXIBLE, _RIGID = 3.0, 1.5  # times the typical standard deviation of a bone's length
_LEAST_SPREAD = 1e-6  # of a bone's length: round-off
_GRAVITY = 9.81  # m/s^2
# Body mass is carried by the ground for a share b of the time and falls for the rest: the root mean square of its
# acceleration is g sqrt(1 / b - 1), twice gravity where feet touch the ground a fifth of the time, as at the fastest
# gallops and hops.
_LARGEST_ACCELERATION = 2.0 * _GRAVITY
_LEAST_LEAPER = 0.02  # metres: smaller animals accelerate more (jumping insects)
_ABOVE_FLOOR = 4.0  # times the spectrum's floor, detection noise, that movement is taken from
_SMOOTHED = 5  # frequencies of the spectrum that are averaged
# Frames of a stretch of movement, at least, and how many stretches. No seconds: it is the rate that is judged, and the
# noise is taken from the last quarter of a spectrum of half so many frequencies.
# Of less than two stretches the phase of a single stride decides.
_STRETCH, _MOST_STRETCHES = 40, 25
_OFF_BY = 2.5  # times the bones of a trained prior: adults of one species do not differ so much
_AS_UNIT = 0.3  # of the logarithm of a ratio of lengths, up to which it is that of two units
_LIMBS = ("paw", "hock", "hip", "elbow", "wrist", "knee", "ankle", "hoof", "shoulder")
_HEADS = ("nose", "snout", "head", "eye", "ear", "neck")
_TAILED = ("tail", "paw", "hoof", "snout", "hock", "wing")
# metres between the outermost keypoints: (least, most, whose names these are)
_ANYTHING = (1e-4, 30.0, "no animal that cameras film is")
_LIMBED = (0.015, 10.0, "no animal with head and limbs is")  # half of the smallest mammal's length; above an elephant's
_UPRIGHT = (0.15, 3.0, "no person is")  # part of a newborn child's; above any with arms raised


def size_sentence(points_3d: Array, keypoints: Sequence[str], unit: str) -> str:
    """A sentence where the animal (n_frames, n_keypoints, 3) is smaller or larger than one with such keypoints is."""
    if unit not in METRES:
        return ""
    size = body_size(points_3d)
    least, most, words = _range_of(keypoints)
    if not np.isfinite(size) or least <= size * METRES[unit] <= most:
        return ""
    fits = [other for other in METRES if other != "inch" and least <= size * METRES[other] <= most]
    return (
        f"The animal measures {size:.3g} {unit} between its outermost keypoints, and {words} so"
        f" {'small' if size * METRES[unit] < least else 'large'}: the cameras may be in another unit than '{unit}'"
        f" ({', '.join(fits)} would fit); correct [session] unit and the rig's, or the size of the board's squares."
    )


def bone_sentence(points_3d: Array, keypoints: Sequence[str], unit: str, lengths: Mapping[tuple[str, str], float],
                  most: float | None = None) -> str:  # fmt: skip
    """A sentence where bones are all longer or all shorter than known `lengths`, by more than `most` times."""
    limit, at = np.log(most or _OFF_BY), {name: k for k, name in enumerate(keypoints)}
    ratios = [
        np.log(float(present_median(_lengths(points_3d, at[a], at[b]), axis=0)) / length)
        for (a, b), length in lengths.items()
        if a in at and b in at and length > 0
    ]
    ratios = np.array([ratio for ratio in ratios if np.isfinite(ratio)])
    if len(ratios) < 2 or abs(np.median(ratios)) < limit or (np.abs(ratios) < limit / 2).any():
        return ""
    factor = float(np.exp(np.median(ratios)))
    size = factor / METRES[unit] if unit in METRES else np.nan
    units = [other for other in METRES if abs(np.log(size * METRES[other])) < _AS_UNIT]
    known = f", as if the unit of the cameras were '{units[0]}'" if units and factor < 1 else ""
    return (
        f"The bones are {factor:.3g} times as long as those that are known of this animal{known}: the cameras may be in"
        f" another unit than '{unit}'; correct [session] unit and the rig's, or the size of the board's squares."
    )


def rate_sentence(points_3d: Array, fps: float, unit: str) -> str:
    """A sentence where the body (n_frames, n_keypoints, 3) accelerates as no animal can."""
    if unit not in METRES or body_size(points_3d) * METRES[unit] < _LEAST_LEAPER:
        return ""
    acceleration = METRES[unit] * _acceleration(points_3d, fps)
    if not acceleration > _LARGEST_ACCELERATION:
        return ""
    return (
        f"The animal's body accelerates by {acceleration:.3g} m/s^2 (root mean square), {acceleration / _GRAVITY:.2g}"
        f" times gravity, more than any animal does for long: the frame rate of {fps:g} Hz is too high or the unit"
        f" '{unit}' too large; correct [session] fps or unit."
    )


def exchange_sentence(points_3d: Array, keypoints: Sequence[str], bones: Bones, unit: str) -> str:
    """A sentence where two keypoints' names are exchanged in all cameras: bones bend that are rigid the other way."""
    found = exchanged_keypoints(points_3d, bones)
    if found is None:
        return ""
    (a, b), before, after = found
    return (
        f"The names of keypoints '{keypoints[a]}' and '{keypoints[b]}' seem to be exchanged in all cameras: bones at"
        f" them vary in length by {before:.2g} {unit} (standard deviation), and by {after:.2g} {unit} with the names"
        " exchanged, as other bones do; exchange them in the 2D files, or correct the bones of [skeleton]."
    )


def exchanged_keypoints(points_3d: Array, bones: Bones) -> tuple[tuple[int, int], float, float] | None:
    """Two keypoints by whose exchange flexible bones become as rigid as the others, and the deviation before and after.

    The points are compared as single frames give them: a method with a skeleton makes any of them rigid.
    """
    spread = _spreads(points_3d)
    own = {(int(a), int(b)): spread[a, b] for a, b in bones if np.isfinite(spread[a, b])}
    if len(own) < 3:
        return None
    best: tuple[float, tuple[tuple[int, int], float, float] | None] = (0.0, None)
    for one, other in combinations(sorted({end for bone in own for end in bone}), 2):
        swap = {one: other, other: one}
        changed = [bone for bone in own if (bone[0] in swap) != (bone[1] in swap)]
        rest = [value for bone, value in own.items() if bone not in changed]
        if not changed or not rest:
            continue
        before = np.array([own[bone] for bone in changed])
        after = np.array([spread[swap.get(a, a), swap.get(b, b)] for a, b in changed])
        typical = float(np.median(rest))
        gain = float(np.log(before / after).sum())
        bent = {end for bone, value in zip(changed, before, strict=True) if value > _RIGID * typical for end in bone}
        owners = {end for bone in changed for end in bone} & set(swap)
        if gain > best[0] and before.max() > _FLEXIBLE * typical and owners <= bent and after.max() < _RIGID * typical:
            best = gain, ((one, other), float(before.max()), float(after.max()))
    return best[1]


def _spreads(points_3d: Array) -> Array:
    """(n_keypoints, n_keypoints) robust standard deviation of the distance of each pair of keypoints."""
    n = points_3d.shape[1]
    spread = np.full((n, n), np.nan)
    for a, b in combinations(range(n), 2):
        lengths = _lengths(points_3d, a, b)
        lengths = lengths[np.isfinite(lengths)]
        if len(lengths) >= _ENOUGH_FRAMES:
            spread[a, b] = spread[b, a] = max(robust_std(lengths), _LEAST_SPREAD * float(np.median(lengths)), 1e-12)
    return spread


def _lengths(points_3d: Array, a: int, b: int) -> Array:
    return np.linalg.norm(points_3d[:, a] - points_3d[:, b], axis=-1)


def body_size(points_3d: Array) -> float:
    """Distance of the outermost keypoints, in a frame that shows the animal long; NaN of no point."""
    spans = [_lengths(points_3d, a, b) for a, b in combinations(range(points_3d.shape[1]), 2)]
    medians = np.array([np.median(own[np.isfinite(own)]) for own in spans if np.isfinite(own).any()])
    return float(medians.max()) if len(medians) else np.nan


def _range_of(keypoints: Sequence[str]) -> tuple[float, float, str]:
    """The sizes of animals that have such keypoints."""
    names = " ".join(keypoints).lower()
    if not any(word in names for word in _LIMBS) or not any(word in names for word in _HEADS):
        return _ANYTHING
    upright = "wrist" in names and "ankle" in names and "knee" in names and not any(word in names for word in _TAILED)
    return _UPRIGHT if upright else _LIMBED


def _acceleration(points_3d: Array, fps: float) -> float:
    """Acceleration of the body, units/s^2: of the recording or, if less, the median of its stretches.

    It is what the means of two halves of the keypoints have in common: where a detection is wrong for some frames it
    moves one of them alone. Few wrong points do not change the median, and only long stretches distinguish slow
    errors from movement.
    """
    known = np.asarray(np.isfinite(points_3d).all(axis=-1))
    kept = np.flatnonzero(known.mean(axis=0) > _MOSTLY)
    if len(points_3d) < 2 * _STRETCH or not len(kept):
        return np.nan
    whole = np.stack([_without_gaps(points_3d[:, k], known[:, k]) for k in kept])
    halves = [whole[::2], whole[1::2]] if len(kept) > 1 else [whole, whole]
    paths = np.concatenate([half.mean(axis=0) for half in halves], axis=1)
    n_stretches = int(np.clip(len(paths) // _STRETCH, 1, _MOST_STRETCHES))
    stretches = [_stretch_acceleration(part, fps) for part in np.array_split(paths, n_stretches)]
    return min(_stretch_acceleration(paths, fps), float(np.median(stretches)))


def _without_gaps(path: Array, known: NDArray[np.bool_]) -> Array:
    """A path (n_frames, 3) with its unknown points interpolated."""
    frames, rows = np.arange(len(path)), np.flatnonzero(known)
    return np.stack([np.interp(frames, rows, axis[rows]) for axis in path.T], axis=1)


def _stretch_acceleration(paths: Array, fps: float) -> float:
    """Root mean square acceleration of two paths (n_frames, 2 * 3) by the part of their common spectrum above noise."""
    times, window = np.arange(len(paths)), np.hanning(len(paths))[:, None]
    slope, start = np.polyfit(times, paths, 1)
    spectra = np.fft.rfft((paths - start - np.outer(times, slope)) * window, axis=0)
    common = 2 * (spectra[:, :3] * spectra[:, 3:].conj()).real / ((window**2).sum() * len(paths))
    frequencies, total = np.fft.rfftfreq(len(paths), 1 / fps), 0.0
    for axis in common.T:
        floor = float(np.median(np.abs(axis[-max(1, len(axis) // 4) :])))
        below = np.flatnonzero(np.convolve(axis, np.ones(_SMOOTHED) / _SMOOTHED, "same") < _ABOVE_FLOOR * floor)
        end = below[0] if len(below) else len(axis)
        total += float(((2 * np.pi * frequencies[:end]) ** 4 * axis[:end]).sum())
    return float(np.sqrt(max(total, 0.0)))
