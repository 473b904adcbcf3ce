"""Candidates followed through a recording, with noise, steps and lengths of limbs estimated from a first run."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...cameras import CameraRig
from ...cameras.alignment import scene_distance
from ...cameras.epipolar import camera_pair_indices, fundamental_matrix
from ...numerics.arrays import Array, for_kernel
from ...numerics.robust_scale import robust_std
from ...numerics.threads import over_rows
from ..points.recording_noise import estimate_sigma
from ._kernels_animals import follow, no_tracks
from ._kernels_proposals import propose
from .animal_records import Body, Found, Proposals, Views

_FIRST_SIGMA = 0.005  # of the image's width: standard deviation of a coordinate until it is estimated
_DETECTED = 0.85  # prior probability that a keypoint in the picture is among its view's candidates
_CLUTTER = 0.3  # expected candidates of a keypoint per picture that belong to no animal, anywhere in the picture
_N_PROPOSALS = 16  # 3D points per keypoint and frame that are considered
_FIRST_SPREAD = 0.1  # of a limb's length, until it is estimated
_PATIENCE = 0.25  # seconds without an animal after which its track ends
_CHUNK = 1000  # frames whose proposals are held at once: bounds memory alone
_TUNED_ON = 1000  # frames from which noise, steps and lengths are estimated: enough for their medians
_SWITCH = 0.01  # probability per second that a row of tracks passes to another animal


class Limbs(NamedTuple):
    """limbs (n_limbs, 2) keypoints; odds (n_frames or 1, n_limbs, n_cameras or 1, n_candidates, n_candidates)."""

    limbs: NDArray[np.int64]
    odds: Array


class Scales(NamedTuple):
    """What the recording is measured by: pixels per camera, world units per keypoint, per limb (mean, std), one."""

    sigma: Array
    wander: Array
    lengths: Array
    room: float


class FollowedCandidates(NamedTuple):
    """One recording: candidates free of distortion (n_frames, n_keypoints, n_cameras, n_candidates, 2) and as given."""

    rig: CameraRig
    ideal: Array
    points: Array
    links: Limbs
    n_animals: int
    fps: float
    identity: str

    def tuned(self, sigma: float | Array | None) -> Scales:
        """Noise, steps and lengths from a first run over the middle of the recording."""
        n_frames = len(self.ideal)
        start = max(0, (n_frames - _TUNED_ON) // 2)
        part = slice(start, start + _TUNED_ON)
        first = (
            _FIRST_SIGMA * self.sizes[:, 0]
            if sigma is None
            else np.broadcast_to(np.asarray(sigma, float), len(self.rig))
        )
        unknown = np.full((len(self.links.limbs), 2), np.nan)
        # an animal may be anywhere in a cube as wide as the cameras are far
        scales = Scales(first, np.full(self.ideal.shape[1], np.nan), unknown, scene_distance(self.rig))
        if not self.links.odds.any():
            scales = scales._replace(lengths=self._likely_lengths(part, scales))
        found = self.follow(part, scales)
        if sigma is None:
            scales = scales._replace(sigma=self._sigma(found, part, first))
        return scales._replace(wander=_wander(found), lengths=_lengths(found, self.links.limbs, scales.lengths))

    @property
    def sizes(self) -> Array:
        return np.array([camera.size for camera in self.rig], dtype=float)

    def _proposals(self, part: slice, scales: Scales) -> Proposals:
        """3D points (n_frames, n_keypoints, _N_PROPOSALS, 3), candidates (..., n_cameras), log-odds and spread."""
        candidates, pairs = self.ideal[part], camera_pair_indices(len(self.rig))
        F = np.stack([fundamental_matrix(self.rig, int(a), int(b)) for a, b in pairs])
        shape = (*candidates.shape[:2], _N_PROPOSALS)
        members = np.full((*shape, len(self.rig)), -1)
        found = Proposals(np.full((*shape, 3), np.nan), members, np.zeros(shape), np.ones(shape))
        gain = self._single() - np.log(2 * np.pi * scales.sigma**2)
        P = for_kernel(self.rig.projection_matrices)
        over_rows(propose, len(candidates), P, F, pairs, 1 / scales.sigma**2, gain, candidates, *found, smallest=32)
        return found

    def _single(self) -> Array:
        """(n_cameras,) log-odds of a candidate of an animal against clutter, but for the density at its error."""
        return np.log(_DETECTED / (1 - _DETECTED)) + np.log(self.sizes.prod(axis=1) / _CLUTTER)

    def follow(self, part: slice, scales: Scales) -> Found:
        n_frames, n_keypoints, n_cameras = self.ideal[part].shape[:3]
        shape = (n_frames, self.n_animals)
        placed = np.full((*shape, n_keypoints, 3), np.nan)
        found = Found(np.full((*shape, n_keypoints, n_cameras), -1), placed, np.full(shape, -1))
        tracks, n_labels = no_tracks(self.n_animals, n_keypoints, n_cameras), 0
        single = self._single() - np.log(2 * np.pi)
        views = Views(for_kernel(self.rig.projection_matrices), 1 / scales.sigma**2, single)
        continuity = np.log(self.fps / _SWITCH) / n_keypoints * (self.identity == "tracks")
        whole_rows = self.identity != "none"
        patience = max(2, round(_PATIENCE * self.fps))
        begin = part.start or 0
        for start in range(0, n_frames, _CHUNK):
            own = slice(start, min(start + _CHUNK, n_frames))
            these = slice(begin + own.start, begin + own.stop)
            odds = self.links.odds if len(self.links.odds) == 1 else self.links.odds[these]
            body = Body(self.links.limbs, odds, scales.lengths, scales.wander, scales.room)
            proposals, into = self._proposals(these, scales), Found(*(values[own] for values in found))
            n_labels = follow(
                views, self.ideal[these], proposals, body, whole_rows, continuity, patience, n_labels, tracks, into
            )
        return found

    def _sigma(self, found: Found, part: slice, first: Array) -> Array:
        """Standard deviation of a coordinate, of the candidates that the animals were given."""
        points = self.points[:, part]
        parts = []
        for a in range(found.chosen.shape[1]):
            chosen = np.moveaxis(found.chosen[:, a], 2, 0)
            own = np.take_along_axis(points, np.maximum(chosen, 0)[..., None, None], axis=-2)[..., 0, :]
            parts.append(np.where((chosen >= 0)[..., None], own, np.nan))
        joined = np.concatenate(parts, axis=1)
        seen = np.isfinite(joined[..., 0]).sum(axis=0) >= 2
        return estimate_sigma(joined, self.rig) if seen.sum() > 10 else first

    def _likely_lengths(self, part: slice, scales: Scales) -> Array:
        """Lengths of limbs (mean, std) before any is known: the densest of the distances of all proposals."""
        points, _, odds, _ = self._proposals(part, scales)
        odds = np.where(odds >= 0.5 * odds.max(axis=2, keepdims=True), odds, 0.0)
        lengths = []
        for a, b in self.links.limbs:
            apart = np.linalg.norm(points[:, a, :, None] - points[:, b, None], axis=-1)
            weight = np.minimum(odds[:, a, :, None], odds[:, b, None])
            volumes = apart[weight > 0] ** 3  # in which the distances of unrelated points are as dense everywhere
            middle = np.cbrt(_half_sample_mode(volumes))
            lengths.append((middle, _FIRST_SPREAD * middle))
        return np.array(lengths)


def _half_sample_mode(values: Array) -> float:
    """Mode of a sample: the half of the values that lies closest together, halved again (Robertson and Cryer 1974)."""
    values = np.sort(values)
    while len(values) > 2:
        n = (len(values) + 1) // 2
        start = int(np.argmin(values[n - 1 :] - values[: len(values) - n + 1]))
        values = values[start : start + n]
    return float(values.mean()) if len(values) else np.nan


def _same_animal(found: Found) -> NDArray[np.bool_]:
    """(n_frames - 2, n_animals): the same track in three successive frames."""
    labels = found.labels
    return (labels[:-2] >= 0) & (labels[:-2] == labels[1:-1]) & (labels[1:-1] == labels[2:])


def _wander(found: Found) -> Array:
    """(n_keypoints,) standard deviation of a step beyond constant speed, world units; NaN where it is unknown."""
    X = found.placed
    beyond = np.where(_same_animal(found)[..., None, None], X[2:] - 2 * X[1:-1] + X[:-2], np.nan)
    each = [values[np.isfinite(values)] for values in np.moveaxis(beyond, 2, 0)]
    return np.array([1.5 * robust_std(values) if len(values) > 10 else np.nan for values in each])


def _lengths(found: Found, limbs: NDArray[np.int64], before: Array) -> Array:
    """(n_limbs, 2) median and spread of the limbs' lengths, world units; as before where none was placed."""
    apart = np.linalg.norm(found.placed[:, :, limbs[:, 0]] - found.placed[:, :, limbs[:, 1]], axis=-1)
    lengths = before.copy()
    for row, values in enumerate(np.moveaxis(apart, 2, 0)):
        present = values[np.isfinite(values)]
        if len(present) > 10:
            middle = np.median(present)
            lengths[row] = middle, max(robust_std(present), 0.05 * middle)
    return lengths
