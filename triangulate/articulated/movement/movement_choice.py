"""Whether a recording's joints move together as in those that a prior was trained with: the pixels' choice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ....numerics.arrays import Array
from ..arrow_system import ArrowSystem
from .angle_prior import AnglePrior
from .turn_covariance import SHARES, TurnCovariance

_FACTOR = 2.0  # between scales that are tried
_MOST = 6  # scales tried in one direction


def compared(prior: AnglePrior, before: AnglePrior, system: ArrowSystem, angles: Array) -> AnglePrior:
    """The prior with turns that move together as its `trained` covariance says, with or without its correlations, where
    the pixels are likelier so than with turns that move all alike, each on its own; else as it is.

    Each is compared at its most likely scale. The prior's own precisions, which were fitted to each turn of this
    recording, would always be likelier.

    system : at angles (n_frames, n_angles), with the prior `before`
    """
    trained, prior = prior.trained, replace(prior, trained=None)
    if trained is None:
        return prior
    blocks, gradient = np.zeros_like(system.blocks), np.zeros_like(system.angle_gradient)
    before.add_to(blocks, gradient, angles)
    pixels = replace(system, blocks=system.blocks - blocks, angle_gradient=system.angle_gradient - gradient)
    log_variances = np.log(prior.variances[-len(trained) :])
    scale = float(np.exp((log_variances - np.log(np.diag(trained))).mean()))
    alike = TurnCovariance.of(np.eye(len(trained)), 0.0, float(np.exp(log_variances.mean())))
    best, _ = _at_its_scale(prior, alike, pixels, angles)
    found = prior
    for share in SHARES:
        evidence, own = _at_its_scale(prior, TurnCovariance.of(trained, share, scale), pixels, angles)
        if evidence > best:
            found, best = replace(prior, together=own), evidence
    return found


def _at_its_scale(
    prior: AnglePrior, together: TurnCovariance, pixels: ArrowSystem, angles: Array
) -> tuple[float, TurnCovariance]:
    """The greatest evidence at the scale of `together` or some above or below it, and the covariance of that scale."""

    def of(own: TurnCovariance) -> float:
        return log_evidence(replace(prior, together=own), pixels, angles)

    best, found = of(together), together
    for factor in (_FACTOR, 1 / _FACTOR):
        for _ in range(_MOST):
            other = found.scaled(factor)
            evidence = of(other)
            if evidence <= best:
                break
            best, found = evidence, other
        if found is not together:
            break
    return best, found


def log_evidence(prior: AnglePrior, pixels: ArrowSystem, angles: Array) -> float:
    """Log probability of the pixels, linearised at angles (n_frames, n_angles), given the prior: the posterior's volume
    over the prior's at the posterior's mode, up to what no prior of the turns changes."""
    blocks, gradient = pixels.blocks.copy(), pixels.angle_gradient.copy()
    prior.add_to(blocks, gradient, angles)
    system = replace(pixels, blocks=blocks, angle_gradient=gradient)
    gain, log_volume = system.frames_gain()
    return gain - prior.cost(angles) + 0.5 * (prior.log_precision(len(angles)) - log_volume)
