"""Pixels as a likelihood of the markers, to second order on the exact projections."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...cameras import CameraRig, rig_arrays
from ...numerics.arrays import Array
from .arrow_system import MarkerTerms, Posterior
from .body_state import ShapeDerivative
from .marker_deviations import Deviations
from .pixel_noise import INLIER, OUTLIER, SWAPPED, PixelNoise, inlier_weights, predictions

USUAL_PRIOR = 0.9  # probability of an inlier where the detector says nothing
_SOME_FRAMES = 12  # in which slowly changing variances are computed


@dataclass(frozen=True, eq=False)
class Pixels:
    """points_2d (n_cameras, n_frames, n_markers, 2), NaN where missing; log_prior (..., 2) log odds that the confidence
    adds to an inlier and to the others; log_outlier (n_cameras, n_markers) density; partner (n_markers,) on the other
    side, or itself; offsets (n_cameras,) frames by which a camera shows a later posture; exchanged (n_cameras,
    n_frames, n_markers) where the pixels of a marker and its partner have changed places."""

    rig: CameraRig
    points_2d: Array
    log_prior: Array
    log_outlier: Array
    partner: NDArray[np.int64]
    offsets: Array
    exchanged: NDArray[np.bool_]

    def at(self, frames: slice) -> Pixels:
        own = {name: getattr(self, name)[:, frames] for name in ("points_2d", "log_prior", "exchanged")}
        return replace(self, **own)

    def put_back(self, posteriors: Array) -> tuple[Pixels, Array]:
        """With left and right exchanged where a pixel shows the marker's partner, given the posterior of `weigh`,
        unless the partner's own pixel shows it, too; and the probability of each pixel to be an inlier in its place."""
        swapped, right = (posteriors[..., state] > 0.5 for state in (SWAPPED, INLIER))
        wrong = swapped & ~right[:, :, self.partner]
        pairs = wrong | wrong[:, :, self.partner]
        placed = np.where(pairs[..., None], posteriors[:, :, self.partner], posteriors)
        return self.with_exchanged(pairs), np.where(pairs, placed[..., SWAPPED], placed[..., INLIER])

    def with_exchanged(self, pairs: NDArray[np.bool_]) -> Pixels:
        """With left and right exchanged where (..., n_frames, n_markers), alike for both."""
        points_2d, log_prior = (
            np.where(pairs[..., None], values[:, :, self.partner], values)
            for values in (self.points_2d, self.log_prior)
        )
        return replace(self, points_2d=points_2d, log_prior=log_prior, exchanged=self.exchanged ^ pairs)

    def as_given(self, posteriors: Array) -> Array:
        """The posterior (n_cameras, n_frames, n_markers, 3) of the pixels as they were before any was exchanged."""
        other = posteriors[:, :, self.partner][..., [SWAPPED, OUTLIER, INLIER]]
        return np.where(self.exchanged[..., None], other, posteriors)

    def project(self, markers: Array) -> Array:
        """(n_cameras, n_frames, n_markers, 2) of markers (n_frames, n_markers, 3), when each camera sees them."""
        return self._seen_from_cameras(rig_arrays.project, markers)

    def slopes(self, markers: Array) -> Array:
        """(n_cameras, n_frames, n_markers, 2, 3) derivatives of `project`."""
        return self._seen_from_cameras(rig_arrays.project_jacobian, markers)

    def _seen_from_cameras(self, function: Callable, markers: Array) -> Array:
        arrays = self.rig.arrays
        if not self.offsets.any():
            return function(arrays, markers)
        moving = speeds(markers)
        cameras = [self.rig.subset([name]).arrays for name in self.rig.names]
        return np.concatenate([
            function(camera, markers + offset * moving) for camera, offset in zip(cameras, self.offsets, strict=True)
        ])  # fmt: skip

    @property
    def prior_probability(self) -> Array:
        """(n_cameras, n_frames, n_markers) of an inlier, before looking at the geometry."""
        return USUAL_PRIOR * np.exp(self.log_prior[..., 0])

    @property
    def seen(self) -> NDArray[np.bool_]:
        return np.asarray(np.isfinite(self.points_2d).all(axis=-1))

    @property
    def given(self) -> NDArray[np.bool_]:
        """As `seen`, of the pixels as they were before any was exchanged."""
        return np.where(self.exchanged, self.seen[:, :, self.partner], self.seen)


@dataclass(frozen=True, eq=False)
class Sight:
    """Pixels about some markers: residuals (n_cameras, n_frames, n_markers, 2) less the biases, 0 where there is none,
    their derivatives by the marker with opposite sign (..., 2, 3), and whether there is a residual."""

    residuals: Array
    slopes: Array
    seen: NDArray[np.bool_]

    def moved(self, by: Array) -> Sight:
        """About markers moved by (n_frames, n_markers, 3), to first order."""
        return replace(self, residuals=self.residuals - (self.slopes @ by[None, ..., None])[..., 0])

    def scales(self, weights: Array) -> tuple[Array, Array]:
        """(n_cameras, n_markers) square of the pixels that a world unit across the line of sight is long, 0 where the
        marker is not seen, and (n_markers,) the views that see a marker when any does."""
        inlier = self.seen & (weights > 0.5)
        squares = np.where(inlier, 0.5 * (self.slopes**2).sum(axis=(-1, -2)), 0.0).sum(axis=1)
        views = inlier.sum(axis=0)
        usual = views.sum(axis=0) / np.maximum((views > 0).sum(axis=0), 1)
        return squares / np.maximum(inlier.sum(axis=1), 1), usual


def look(pixels: Pixels, markers: Array, biases: Array) -> Sight:
    """Pixels about markers (n_frames, n_markers, 3) with the constant errors biases (n_cameras, n_markers, 2)."""
    residuals, slopes = residuals_at(pixels, markers, biases), pixels.slopes(markers)
    seen = np.asarray(np.isfinite(residuals).all(axis=-1) & np.isfinite(slopes).all(axis=(-1, -2)))
    return Sight(np.where(seen[..., None], residuals, 0.0), np.where(seen[..., None, None], slopes, 0.0), seen)


def residuals_at(pixels: Pixels, markers: Array, biases: Array) -> Array:
    """As those of `look`, NaN where there is none."""
    return pixels.points_2d - pixels.project(markers) - biases[:, None]


def speeds(markers: Array) -> Array:
    """(n_frames, n_markers, 3) change per frame."""
    return np.gradient(markers, axis=0) if len(markers) > 1 else np.zeros_like(markers)


class OffsetTerms(NamedTuple):
    """The likelihood of the cameras' time offsets: gradient and information (n_cameras,), and their information with
    the angles (n_frames, n_angles, n_cameras) and the constants (n_constants, n_cameras)."""

    gradient: Array
    information: Array
    angle_border: Array
    constant_border: Array


def offset_terms(
    sight: Sight, markers: Array, precision: Array, by_angles: Array, by_shape: Sequence[ShapeDerivative], n_shape: int
) -> OffsetTerms:
    """To second order at the present offsets: a delayed camera sees every marker shifted along its motion."""
    along = (sight.slopes @ speeds(markers)[..., None])[..., 0]
    weighted = weighted_residuals(along, precision)
    pulled = np.einsum("ctkia,ctki->tkac", sight.slopes, weighted)
    constant = np.zeros((n_shape + weighted[:, 0].size, len(along)))
    for k, (columns, values) in enumerate(by_shape):
        constant[columns] += np.einsum("tan,tac->nc", values, pulled[:, k])
    biases = constant[n_shape:].reshape(len(markers[0]), len(along), 2, len(along))
    for c, own in enumerate(weighted.sum(axis=1)):
        biases[:, c, :, c] = own
    gradient, information = ((weighted * v).sum(axis=(1, 2, 3)) for v in (sight.residuals, along))
    return OffsetTerms(gradient, information, np.einsum("tkad,tkac->tdc", by_angles, pulled), constant)


def weigh(
    pixels: Pixels, noise: PixelNoise, sight: Sight, markers: Array, biases: Array, spread: Array, before: Array,
    reach: int,
) -> Array:  # fmt: skip
    """Posterior (n_cameras, n_frames, n_markers, 3) of inlier, outlier and swapped, given the weights `before`."""
    given = predictions(noise.errors(reach), np.where(sight.seen, before, 0.0))
    residuals = np.where(sight.seen[..., None], sight.residuals, np.nan)
    swapped = pixels.points_2d - (pixels.project(markers) + biases[:, None])[:, :, pixels.partner]
    swapped[:, :, pixels.partner == np.arange(len(pixels.partner))] = np.nan
    return inlier_weights(noise, given, residuals, swapped, spread, pixels.log_prior, pixels.log_outlier)


def pixel_spread(sight: Sight, covariances_3d: Array) -> Array:
    """(n_cameras, n_frames, n_markers) variance, pixels squared, of a coordinate of the projected markers."""
    return 0.5 * ((sight.slopes @ covariances_3d) * sight.slopes).sum(axis=(-1, -2))


def terms_of(sight: Sight, precision: Array) -> MarkerTerms:
    """The likelihood of errors with this precision (n_cameras, n_frames, n_markers, reach + 1) between frames."""
    weighted = weighted_residuals(sight.residuals, precision)
    n_frames, width = precision.shape[1], precision.shape[3]
    n_cameras, _, n_markers, _ = sight.residuals.shape
    information = np.zeros((n_frames, width, n_markers, 3, 3))
    by_marker = sight.slopes.transpose(1, 2, 3, 4, 0)  # (n_frames, n_markers, 2, 3, n_cameras)
    for lag in range(width):
        n = n_frames - lag
        p = precision[:, :n, :, lag].transpose(1, 2, 0)[:, :, None, None]
        left = (by_marker[:n] * p).transpose(0, 1, 3, 2, 4).reshape(n, n_markers, 3, 2 * n_cameras)
        right = by_marker[lag:].transpose(0, 1, 3, 2, 4).reshape(n, n_markers, 3, 2 * n_cameras)
        information[:n, lag] = left @ right.swapaxes(-1, -2)
    gradient = np.einsum("ctkia,ctki->tka", sight.slopes, weighted)
    rows = precision[..., 0].copy()
    for lag in range(1, width):
        rows[:, : n_frames - lag] += precision[:, : n_frames - lag, :, lag]
        rows[:, lag:] += precision[:, : n_frames - lag, :, lag]
    cross = (sight.slopes * rows[..., None, None]).transpose(1, 2, 4, 0, 3).reshape(n_frames, n_markers, 3, -1)
    total = np.repeat(rows.sum(axis=1).T.ravel(), 2)
    return MarkerTerms(information, gradient, cross, total, weighted.sum(axis=1).swapaxes(0, 1).ravel())


def weighted_residuals(residuals: Array, precision: Array) -> Array:
    """Precision times residuals, (n_cameras, n_frames, n_markers, 2)."""
    weighted = precision[..., 0, None] * residuals
    for lag in range(1, precision.shape[-1]):
        n = residuals.shape[1] - lag
        between = precision[:, :n, :, lag, None]
        weighted[:, :n] += between * residuals[:, lag:]
        weighted[:, lag:] += between * residuals[:, :n]
    return weighted


def error_products(
    sight: Sight, by_angles: Array, by_shape: Sequence[ShapeDerivative], posterior: Posterior, deviations: Deviations
) -> tuple[Array, Array]:
    """Expected products of a coordinate's errors with those 0, 1, ... frames later (reach + 1, n_cameras, n_frames,
    n_markers), and the markers' covariances (n_frames, n_markers, 3, 3) given everything.

    What the constants' uncertainty adds changes slowly: it is computed in some frames only.
    """
    n_frames, width = posterior.lagged.shape[:2]
    n_cameras, _, n_markers, _ = sight.residuals.shape
    n_shape = len(posterior.root) - 2 * n_cameras * n_markers
    some = np.arange(0, n_frames, max(1, n_frames // _SOME_FRAMES))
    nearest = np.asarray(np.abs(np.arange(n_frames)[:, None] - some).argmin(axis=1), np.int64)
    own_biases = posterior.root[n_shape:].reshape(n_markers, 2 * n_cameras, -1)
    moved = marker_border(by_angles[some], [own.at(some) for own in by_shape], posterior.at(some))
    moved = deviations.at(some).follow(moved, own_biases)
    bias = own_biases.reshape(n_markers, n_cameras, 2, -1).swapaxes(0, 1)
    shared = np.empty((n_cameras, len(some), n_markers))
    for c, slopes in enumerate(sight.slopes[:, some]):
        shared[c] = ((slopes @ moved + bias[c]) ** 2).sum(axis=(-1, -2))
    products, own = np.zeros((width, n_cameras, n_frames, n_markers)), np.zeros(0)
    errors = sight.moved(deviations.mean).residuals
    for lag in range(width):
        n = n_frames - lag
        spread = (by_angles[:n] @ posterior.lagged[:n, lag][:, None]) @ by_angles[lag:].swapaxes(-1, -2)
        spread = deviations.spread(spread, lag)
        alone = ((sight.slopes[:, :n] @ spread) * sight.slopes[:, lag:]).sum(axis=(-1, -2))
        residual = (errors[:, :n] * errors[:, lag:]).sum(axis=-1)
        products[lag][:, :n] = 0.5 * (residual + alone + shared[:, nearest[:n]])
        own = spread if lag == 0 else own
    return products, own + (moved @ moved.swapaxes(-1, -2))[nearest]


def marker_border(by_angles: Array, by_shape: Sequence[ShapeDerivative], posterior: Posterior) -> Array:
    """(n_frames, n_markers, 3, n_constants) how the constants' uncertainty moves the markers."""
    moved = by_angles @ posterior.border[:, None]
    for k, (columns, values) in enumerate(by_shape):
        moved[:, k] += values @ posterior.root[columns]
    return moved


def marker_covariances(
    by_angles: Array, by_shape: Sequence[ShapeDerivative], posterior: Posterior, deviations: Deviations
) -> Array:
    """(n_frames, n_markers, 3, 3)"""
    n_markers = by_angles.shape[1]
    own_biases = posterior.root[len(posterior.root) - n_markers * deviations.by_biases.shape[-1] :]
    moved = deviations.follow(
        marker_border(by_angles, by_shape, posterior), own_biases.reshape(n_markers, -1, len(posterior.root))
    )
    own = (by_angles @ posterior.lagged[:, 0][:, None]) @ by_angles.swapaxes(-1, -2)
    return deviations.spread(own, 0) + moved @ moved.swapaxes(-1, -2)
