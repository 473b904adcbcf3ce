"""Errors of a detector that last: how pixel errors are correlated in time, and what follows for error bars.

An error is the sum of a part that never changes within a recording (the label lies elsewhere than the marker), a part
that lasts (first-order autoregressive) and a part that is new in every frame. A smoother is a low-pass filter: it
averages the last away, hardly the second, and not at all the first, while in velocities and accelerations the slow
parts cancel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...numerics.arrays import Array
from ...numerics.robust_scale import present_median
from .difference_prior import LastingErrors
from .observations import Linearised
from .unsteady_motion import LOG_LEVELS

_FREQUENCIES = (np.arange(2048) + 0.5) * (np.pi / 2048)  # radians per frame: midpoints
_CHANGE = 2.0 - 2.0 * np.cos(_FREQUENCIES)  # squared gain of a first difference
LEAST_WHITE = 0.02  # share of the variance that is new in every frame: pixels are rounded
_FEWEST_DIFFERENCES = 64  # of a stretch whose spectrum is used: below, slow motion leaks into its faster parts
_BAND = (0.3, 0.9)  # gains of the smoother's transition band: below, noise is all; above, the motion is as it is
_SEGMENT = 128  # differences of a stretch whose spectrum is taken by itself: animals rest and run by turns
_BORROWED = 4.0  # frequencies in that band, of gain one, that all keypoints together count as beside those of one
_SETTLING = 20  # rounds of the fixed point between a filter and the noise that it passes: it converges within ten
_SETTLED = 1e-3  # change of the logarithm of a power that moves no error bar


class Filter(NamedTuple):
    """What the smoother does to the errors of each keypoint: its `order`, and the precision of the differences over
    that of a frame's position (n_keypoints,)."""

    order: int
    stiffness: Array

    def gain(self, power: Array) -> Array:
        """(n_keypoints, n_frequencies) response where a frame's likelihood has this power (n_keypoints,)."""
        return 1 / (1 + (self.stiffness / power)[:, None] * _CHANGE**self.order)

    def at_levels(self) -> list[Filter]:
        """The filter where the movement's variance is by `LOG_LEVELS` another."""
        return [self._replace(stiffness=self.stiffness / level) for level in np.exp(LOG_LEVELS)]


@dataclass(frozen=True, eq=False)
class CorrelatedNoise:
    """How the errors of each keypoint are correlated in time, all (n_keypoints,).

    white : variance that is new in every frame, over that of all errors as the residuals show them
    lasting : likewise, variance that lasts
    correlation : of the lasting part from frame to frame
    constant : likewise, second moment of what never changes; above one where the points took a part of it away
    displacement : standard deviation, world units along each axis, of the constant error that all views share and no
        residual shows: `COMMON_CONSTANT` of one view's variance
    common : likewise of what lasts, in a single frame: `COMMON_SHARE` of one view's variance
    """

    white: Array
    lasting: Array
    correlation: Array
    constant: Array
    displacement: Array
    common: Array

    @classmethod
    def independent(cls, n_keypoints: int) -> CorrelatedNoise:
        nothing = np.zeros(n_keypoints)
        return cls(nothing + 1, *[nothing] * 5)

    def errors(self, keypoints: NDArray[np.int64] | slice = slice(None)) -> LastingErrors | None:
        """Those of some keypoints, for the evidence of their tracks; None where all are white. What never changes has
        no part in it."""
        if not (self.lasting.any() or self.constant.any()):
            return None
        white = np.maximum(self.white, LEAST_WHITE)
        return LastingErrors(self.lasting[keypoints], white[keypoints], self.correlation[keypoints])

    @property
    def spectrum(self) -> Array:
        """(n_keypoints, n_frequencies) power over that of white noise of all the variance, without the constant."""
        return self.white[:, None] + self.lasting[:, None] * _ar_spectrum(self.correlation)

    def power(self, smoother: Filter, most: float) -> Array:
        """(n_keypoints,) of a frame's likelihood with which white noise passes the smoother as these errors do.

        Beyond one where a large part never changes: that part leaves no trace in the movement. `most` bounds it.
        """
        power, spectrum = np.ones(len(self.lasting)), self.spectrum
        for _ in range(_SETTLING):
            before, passed = power, smoother.gain(power) ** 2
            power = passed.sum(axis=1) / np.maximum((passed * spectrum).sum(axis=1), 1e-300)
            power = np.minimum(power, most)
            if np.abs(np.log(power / before)).max(initial=0.0) < _SETTLED:
                break
        return power

    def powers(self, smoother: Filter, most: float) -> Array:
        """(n_levels, n_keypoints) of `power` at each level of activity."""
        if not self.lasting.any():
            return np.broadcast_to(self.power(smoother, most), (len(LOG_LEVELS), len(self.lasting)))
        return np.stack([self.power(level, most) for level in smoother.at_levels()])

    def smoothed_times(self, smoother: Filter, power: Array) -> Array:
        """(n_keypoints,) integrated autocorrelation time, in frames, of the smoothed errors: of n frames, their mean
        has the variance of n over so many independent ones. The constant has no part in it."""
        passed = smoother.gain(power) ** 2 * self.spectrum
        return passed[:, 0] / passed.mean(axis=1)

    def common_variances(self, smoother: Filter, power: Array) -> tuple[Array, Array, Array]:
        """(n_keypoints,) thrice: variances along an axis of the displacements that all views share, as far as they pass
        the smoother: of the position, of its velocity and of its acceleration, per frame."""
        passed = smoother.gain(power) ** 2 * _ar_spectrum(self.correlation) * (self.common**2)[:, None]
        position, velocity, acceleration = (
            (passed * weight).mean(axis=1) for weight in (1.0, np.sin(_FREQUENCIES) ** 2, _CHANGE**2)
        )
        return position + self.displacement**2, velocity, acceleration

    def derivative_factors(self, smoother: Filter, powers: Array, motion: Array) -> tuple[Array, Array]:
        """(n_levels, n_keypoints) twice: variances of velocities and of accelerations over those of a posterior that
        takes the errors for white, with these powers, and the motion for as rough as its prior; see `motion_shares`."""
        factors = []
        for weight in (np.sin(_FREQUENCIES) ** 2, _CHANGE**2):
            levels = zip(smoother.at_levels(), powers, motion, strict=True)
            factors.append(np.stack([self._factor(*level, weight) for level in levels]))
        return factors[0], factors[1]

    def _factor(self, smoother: Filter, power: Array, motion: Array, weight: Array) -> Array:
        gain = smoother.gain(power)
        white = (gain * weight).sum(axis=1) / power
        # what exceeds the prior falls with the square of the frequency beyond those where it was seen
        edge = np.where(gain > _BAND[0], _FREQUENCIES, 0.0).max(axis=1)[:, None]
        beyond = np.minimum(edge / _FREQUENCIES, 1.0) ** 2
        share = np.minimum(motion, 1.0)[:, None] + np.maximum(motion - 1.0, 0.0)[:, None] * beyond
        lost = (share * gain * (1 - gain) * weight).sum(axis=1) / power
        return ((gain**2 * self.spectrum * weight).sum(axis=1) + lost) / white

    def motion_shares(
        self,
        smoother: Filter,
        powers: Array,
        precisions: Array,
        points_3d: Array,
        changes: Array,
        lengths: Sequence[int],
    ) -> Array:
        """(n_levels, n_keypoints) the motion's power beyond the frequencies that the smoother passes, over its prior's.

        The prior says that differences in time are white. A body that moves smoothly has less at high frequencies, one
        that sways at a rhythm more: in the smoother's transition band, the power of the smoothed differences tells how
        much (what noise leaves there is subtracted). A keypoint with few frequencies there borrows from all. Tracks
        points_3d (n_frames, n_keypoints, 3) with differences of these precisions (n_keypoints,) and `changes`
        (n_frames, 2) as of `steady`.
        """
        shape = len(LOG_LEVELS), len(precisions)
        excess, own = np.zeros(shape), np.zeros(shape)
        passed, noise, start = [], [], 0
        for level, power in zip(smoother.at_levels(), powers, strict=True):
            gain = level.gain(power)
            passed.append(gain)
            noise.append(gain * (1 - gain) * self.spectrum * power[:, None])
        for length in lengths:
            for first in range(start, start + length, _SEGMENT):
                frames = slice(first, min(first + _SEGMENT, start + length))
                activity = changes[frames, 0][: -smoother.order]
                if len(activity) < _FEWEST_DIFFERENCES:
                    continue
                level = int(np.abs(LOG_LEVELS - np.log(activity).mean()).argmin())
                differences = np.diff(points_3d[frames], smoother.order, axis=0) / np.sqrt(activity)[:, None, None]
                frequencies, periodogram = _periodogram(differences)
                for k in np.flatnonzero(np.isfinite(points_3d[frames]).all(axis=(0, 2))):
                    g, n = (np.interp(frequencies, _FREQUENCIES, part[level][k]) for part in (passed, noise))
                    band = (g > _BAND[0]) & (g < _BAND[1])
                    excess[level, k] += (periodogram[:, k] * precisions[k] - n)[band].sum()
                    own[level, k] += (g**2)[band].sum()
            start += length
        common = max(excess.sum() / own.sum(), 0.0) if own.any() else 1.0
        keypoint = (excess.sum(axis=0) + _BORROWED * common) / (own.sum(axis=0) + _BORROWED)
        return np.maximum((excess + _BORROWED * keypoint) / (own + _BORROWED), 0.0)


def _periodogram(values: Array) -> tuple[Array, Array]:
    """Frequencies (n,), radians per frame, and the power there, mean over the axes, of values (n_frames, n_keypoints,
    3), tapered: 1 for white noise of variance one."""
    taper = np.hanning(len(values))[:, None, None]
    power = (np.abs(np.fft.rfft(values * taper, axis=0)) ** 2).mean(axis=2) / (taper**2).sum()
    return np.asarray(2 * np.pi * np.fft.rfftfreq(len(values)), float), power


def _ar_spectrum(correlation: Array) -> Array:
    """(..., n_frequencies) of first-order autoregressive noise of variance one."""
    a = np.asarray(correlation)[..., None]
    return (1 - a**2) / (1 - 2 * a * np.cos(_FREQUENCIES) + a**2)


def smoother_filter(seen: Linearised, precisions: Array, order: int) -> Filter:
    """The filter of tracks whose differences have these precisions (n_keypoints,); `seen` with power one."""
    information = seen.information.trace(axis1=2, axis2=3) / 3
    usual = present_median(np.where(information > 0, information, np.nan), axis=0)
    return Filter(order, precisions / np.where(usual > 0, usual, 1.0))


def displacement_covariances(noise: CorrelatedNoise, seen: Linearised) -> Array:
    """(n_keypoints, 3, 3) covariance, world units squared, of the displacement of a keypoint that the constant errors
    of the views make together, each its own."""
    views = (seen.weights > 0.5).sum(axis=0) > 1
    total = np.where(views[..., None, None], seen.information, 0.0).sum(axis=0)
    count = views.sum(axis=0)
    known = count > 0
    mean = np.where(known[:, None, None], total / np.maximum(count, 1)[:, None, None], np.eye(3))
    return np.where(known[:, None, None], noise.constant[:, None, None] * np.linalg.inv(mean), 0.0)
