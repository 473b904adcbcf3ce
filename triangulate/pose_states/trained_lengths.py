"""The lengths of this animal's bones, from what the recording measures and what a pose prior expects."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
from scipy.special import expit

from ...numerics.arrays import Array
from ...numerics.robust_scale import robust_std
from ..smoothing.bone_lengths import Bones
from ..smoothing.long_recordings.learning import Learned
from .pose_prior import PosePrior

_GROSS = 0.05  # probability that a bone's measured length is that between other places
_MEASURED_RANGE = 3.0  # bone lengths over which such a length is uniform
_MEASURABLE = 0.25  # standard deviation of a bone's log length up to which the animal's size is judged by it
# share of the bones that must be measured as well as that: few wrong points must not refuse a prior
_ENOUGH_BONES = 0.5
_ANOTHER_ANIMAL = 2.0  # times as long or short: no prior of this animal in this unit; adults of a species differ less
_ANOTHER_SIZE = 1.25  # times as long or short: worth a warning; two standard errors decide whether it is beyond
_STANDARD_ERRORS = 2.0  # of the median, 95 %

# Independent frames that the prior's spread of a bone counts as: what a Gaussian prior of the logarithm of this
# animal's, of spread 0.5 (0.5 over the rat's 17 bones against the truth), is worth.
_SPREAD_WEIGHT = 2.0


def check_size(measured: Bones, prior: PosePrior) -> None:
    """Refuse a prior of another animal or unit, and warn of one of another size; the bones have the same order.

    The factor is the median over the bones of the measured length over the prior's, which displaced keypoints of less
    than half of the bones do not move. A recording that measures less than half of the bones well is not judged.

    Raises
    ------
    ValueError
        If the factor is below 1/2 or above 2.
    """
    positive = (measured.lengths > 0) & (prior.bone_lengths > 0)
    lengths, expected = np.where(positive, (measured.lengths, prior.bone_lengths), np.nan)
    log_ratio, uncertainty = np.log(lengths / expected), np.hypot(measured.stds / lengths, prior.bone_stds / expected)
    known = np.isfinite(log_ratio) & (uncertainty < _MEASURABLE)
    n_bones = int(known.sum())
    if n_bones == 0 or n_bones < _ENOUGH_BONES * len(known):
        return
    middle = float(np.median(log_ratio[known]))
    error = max(robust_std(log_ratio[known]), float(np.median(uncertainty[known]))) / np.sqrt(n_bones)
    found = (
        f"the bones of the recording are {np.exp(middle):.4g} times as long as those of the prior (median of {n_bones})"
    )
    if abs(middle) > np.log(_ANOTHER_ANIMAL):
        raise ValueError(
            f"{found}: give a prior of this animal in the rig's unit, or multiply its bone_lengths and bone_stds by"
            " this factor"
        )
    if abs(middle) - _STANDARD_ERRORS * error > np.log(_ANOTHER_SIZE):
        warnings.warn(
            f"{found}, as of an animal of another size: multiply its bone_lengths and bone_stds by this factor",
            stacklevel=4,
        )


def with_lengths(learned: Learned, prior: PosePrior) -> Learned:
    """Bones that the recording could not measure take the length of the prior, whose bones have the same order."""
    if learned.bones is None:
        return learned
    unknown = ~np.isfinite(learned.bones.lengths)
    bones = replace(
        learned.bones,
        lengths=np.where(unknown, prior.bone_lengths, learned.bones.lengths),
        length_stds=np.where(unknown, 0.0, learned.bones.length_stds),
        own_stds=np.where(unknown, prior.bone_stds, learned.bones.own_stds),
    )
    return replace(learned, bones=bones)


def with_trained_lengths(learned: Learned, prior: PosePrior) -> Learned:
    """Posterior of the bones' lengths under a trained prior, whose bones have the same order.

    What a recording measures is the distance between places that are labelled: it differs from that between the
    keypoints by the detector's constant errors, and sometimes has nothing to do with it.
    """
    measured = learned.bones
    if measured is None:
        return learned
    a, b = measured.pairs.T
    displaced = (learned.displacement[a] + learned.displacement[b]).trace(axis1=1, axis2=2) / 3
    variance, own = measured.stds**2 + displaced, prior.bone_stds**2
    usable = _probability_right(measured.lengths, variance, prior) / np.where(np.isfinite(variance), variance, 1.0)
    precision = 1 / own + usable
    lengths = (prior.bone_lengths / own + usable * np.nan_to_num(measured.lengths)) / precision
    spread = _spread(learned, measured, own)
    total = spread + 1 / precision
    averaged = (spread * measured.averaged + measured.smoothed / precision) / total
    unknown = ~np.isfinite(prior.bone_lengths)
    # what is measured may be of other places in some frames: there a length need not be that of the others
    bones = Bones.of_known_lengths(
        measured.pairs,
        np.where(unknown, measured.lengths, lengths),
        np.where(unknown, measured.stds, np.sqrt(total)),
        np.where(unknown, measured.averaged, averaged),
    )
    return replace(learned, bones=bones)


def _spread(learned: Learned, measured: Bones, own: Array) -> Array:
    """(n_bones,) variance of a bone from frame to frame: the measured one, drawn to the prior's `own` as far as few
    independent frames tell it, and no larger than that: errors of labels are a part of what is measured."""
    shown = np.isfinite(learned.tracks.points_3d[:, measured.pairs, 0]).all(axis=2).sum(axis=0)
    independent = shown / measured.averaged
    drawn = (_SPREAD_WEIGHT * own + independent * measured.stds**2) / (_SPREAD_WEIGHT + independent)
    return np.fmin(drawn, own)


def _probability_right(lengths: Array, variance: Array, prior: PosePrior) -> Array:
    """(n_bones,) probability that a measured length is that of the bone, not one between other places; 0 where NaN."""
    total = prior.bone_stds**2 + variance
    log_right = -0.5 * (lengths - prior.bone_lengths) ** 2 / total - 0.5 * np.log(2 * np.pi * total)
    log_odds = log_right + np.log(_MEASURED_RANGE * prior.bone_lengths) + np.log(1 / _GROSS - 1)
    return np.where(np.isfinite(log_odds), expit(log_odds), 0.0)
