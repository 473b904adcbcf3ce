"""One animal in several recordings: bone lengths and markers' places are estimated from all of them together.

Each recording is fitted alone; its likelihood of the build is the posterior less the prior, both Gaussian. A recording
is then fitted again with the others' likelihoods in its prior, so that nothing counts twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...numerics.arrays import Array
from ..bodies.kinematic_tree import Body
from .body_posterior import BodyFit
from .body_prior import Model, shape_precision
from .recording_fit import Recording


@dataclass(frozen=True, eq=False)
class _Build:
    """A Gaussian of lengths and offsets, about the places of a common body: precision, and precision times mean."""

    precision: Array
    weighted_mean: Array

    @classmethod
    def declared(cls, body: Body, build: float) -> _Build:
        precision = shape_precision(body, build)
        return cls(precision, precision @ _shape(body.lengths, np.zeros((body.plan.n_points, 3))))

    @classmethod
    def seen(cls, recording: Recording, body: Body) -> _Build:
        """The likelihood of a recording."""
        fit, own = recording.learned, recording.learned.model.body
        n, shift = len(fit.model.volume), own.plan.fixed - body.plan.fixed
        root = fit.posterior.root[:n]
        posterior, prior = np.linalg.inv(root @ root.T), fit.model.precision[:n, :n]
        mean = _shape(fit.state.lengths, fit.state.offsets + shift)
        return cls(posterior - prior, posterior @ mean - prior @ _shape(own.lengths, shift))

    def __add__(self, other: _Build) -> _Build:
        return _Build(self.precision + other.precision, self.weighted_mean + other.weighted_mean)


def fitted_together(recordings: Sequence[Recording], progress: bool) -> list[BodyFit]:
    """All frames of recordings of one animal."""
    sizes = [recording.learned.model.size for recording in recordings]
    size = float(np.exp(np.mean(np.log(sizes))))
    build = float(np.exp(np.mean([np.log(recording.learned.model.build) for recording in recordings])))
    body = recordings[0].learned.model.body.scaled(size / sizes[0])
    seen = [_Build.seen(recording, body) for recording in recordings]
    fits = []
    for i, recording in enumerate(recordings):
        others = sum((own for j, own in enumerate(seen) if j != i), _Build.declared(body, build))
        model, state = recording.learned.model, recording.learned.state
        shift = model.body.plan.fixed - body.plan.fixed
        known = _with_build(model, body, size, others)
        fits.append(recording.refitted(known, replace(state, offsets=state.offsets + shift)).fitted(progress))
    return fits


def _with_build(model: Model, body: Body, size: float, build: _Build) -> Model:
    n, precision, mean = len(build.weighted_mean), model.precision.copy(), model.mean.copy()
    precision[:n, :n], mean[:n] = build.precision, np.linalg.solve(build.precision, build.weighted_mean)
    return replace(model, body=body, size=size, precision=precision, mean=mean)


def _shape(lengths: Array, offsets: Array) -> Array:
    return np.concatenate([lengths, offsets.ravel()])
