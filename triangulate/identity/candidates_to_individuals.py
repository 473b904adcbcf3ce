"""Several animals from candidates of unknown identity: assigned across views and followed through time in 3D."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...cameras import CameraRig
from ...cameras.epipolar import camera_pair_indices, fundamental_matrix
from ...numerics.arrays import Array, for_kernel
from ...numerics.robust_scale import robust_std
from ...numerics.threads import over_rows
from ..input_checks import check_fps
from ..points.consensus_solver import estimate_sigma
from ._kernels_animals import follow, no_tracks
from ._kernels_proposals import propose
from .animal_records import Body, Found, Proposals, Views
from .track_pieces import joined_pieces

_FIRST_SIGMA = 0.005  # of the image's width: standard deviation of a coordinate until it is estimated
_DETECTED = 0.85  # prior probability that a keypoint in the picture is among its view's candidates
_CLUTTER = 0.3  # expected candidates of a keypoint per picture that belong to no animal, anywhere in the picture
_N_PROPOSALS = 16  # 3D points per keypoint and frame that are considered
_SAME_ROW = np.log(0.95 / 0.05)  # log-odds that two keypoints of one detection belong to one animal
_FIRST_SPREAD = 0.1  # of a limb's length, until it is estimated
_SCORES = (0.02, 0.98)  # limb scores count as probabilities within these: none is certain
_PATIENCE = 0.25  # seconds without an animal after which its track ends
_CHUNK = 1000  # frames whose proposals are held at once: bounds memory alone
_MOST = 10  # animals at a time where their number is unknown
_TUNED_ON = 1000  # frames from which noise, steps and lengths are estimated: enough for their medians
_SWITCH = 0.01  # probability per second that a row of tracks passes to another animal
IDENTITIES = ("none", "detections", "tracks")


@dataclass(frozen=True, eq=False)
class Individuals:
    """Candidates of several cameras put together to individuals.

    Parameters
    ----------
    points_2d : ndarray, shape (n_individuals, n_cameras, n_frames, n_keypoints, 2), pixels
        The candidate that each individual has in each view, NaN where it has none.
    confidence : ndarray, shape (n_individuals, n_cameras, n_frames, n_keypoints), 0-1, or None
        In the same order, 0 where there is none.
    candidates : ndarray of int, shape (n_individuals, n_cameras, n_frames, n_keypoints)
        Positions of the candidates, -1 where there is none.
    points_3d : ndarray, shape (n_individuals, n_frames, n_keypoints, 3), world units
        Least-squares points of the candidates that agree, NaN where fewer than two views do.
    n_pieces : int
        Pieces of track of which the individuals are joined.
    n_left_over : int
        Frames of pieces that found no place among the individuals: more animals than were declared.

    Examples
    --------
    See `find_individuals`, which returns it.

    >>> from muybridge.triangulate import Individuals
    >>> list(Individuals.__dataclass_fields__)
    ['points_2d', 'confidence', 'candidates', 'points_3d', 'n_pieces', 'n_left_over']
    """

    points_2d: Array
    confidence: Array | None
    candidates: NDArray[np.int64]
    points_3d: Array
    n_pieces: int
    n_left_over: int


class Limbs(NamedTuple):
    """limbs (n_limbs, 2) keypoints; odds (n_frames or 1, n_limbs, n_cameras or 1, n_candidates, n_candidates)."""

    limbs: NDArray[np.int64]
    odds: Array


class _Scales(NamedTuple):
    """What the recording is measured by: pixels per camera, world units per keypoint, per limb (mean, std), one."""

    sigma: Array
    wander: Array
    lengths: Array
    room: float


def find_individuals(
    candidates_2d: Array,
    rig: CameraRig,
    *,
    fps: float,
    confidence: Array | None = None,
    identity: str = "none",
    limbs: Any = None,
    limb_scores: Array | None = None,
    n_individuals: int | None = None,
    sigma: float | Array | None = None,
) -> Individuals:
    """Put candidates of unknown identity together to animals, across views and through time.

    A keypoint of an animal is seen in a view with a normal error, or missed; candidates of no animal lie anywhere in
    the picture. Of every keypoint and frame the 3D points are proposed that candidates of two or more views agree on.
    In each frame these are given to the animals by the assignment with the highest log-odds: agreement of the views,
    distance from where the motion leads, limbs. What is left over begins another animal. Noise, steps and lengths of
    limbs are estimated from a first run. Last, the pieces of track that gaps leave are joined, by the distance across
    the gap and the lengths of limbs.

    Parameters
    ----------
    candidates_2d : ndarray, shape (n_cameras, n_frames, n_keypoints, n_candidates, 2), pixels
        Candidates in any order, NaN where there are fewer.
    rig : CameraRig
        The calibrated cameras.
    fps : float, hertz
        Frame rate.
    confidence : ndarray, shape (n_cameras, n_frames, n_keypoints, n_candidates), 0-1, optional
        0 and NaN leave a candidate out.
    identity : {"none", "detections", "tracks"}
        What the position of a candidate says: nothing; that candidates of one position are of one animal in this frame
        and view (people in a file of OpenPose); that they are of one animal in successive frames as well.
    limbs : array_like of int, shape (n_limbs, 2), optional
        Pairs of keypoints that an animal's build joins, such as a skeleton's bones. None: all pairs; needed with the
        identity "none".
    limb_scores : ndarray, shape (n_cameras, n_frames, n_limbs, n_candidates, n_candidates), 0-1, optional
        Probability that a candidate of a limb's first keypoint and one of its second are of one animal, as part
        affinity fields give. NaN says nothing.
    n_individuals : int, optional
        Number of animals. None: as many as there are at a time, ten at most.
    sigma : float or ndarray, shape (n_cameras,), pixels, optional
        Standard deviation of a coordinate. None: estimated.

    Returns
    -------
    Individuals
        In the order in which they appear, those of one frame in the order of the first camera's rows.

    Raises
    ------
    ValueError
        Shapes do not fit together, the identity is unknown, or nothing says which keypoints belong together.

    References
    ----------
    Cao, Hidalgo, Simon, Wei and Sheikh (2021), OpenPose: realtime multi-person 2D pose estimation using part affinity
    fields. Zhang, An, Yu, Li and Zhang (2020), 4D association graph for realtime multi-person motion capture.

    Examples
    --------
    Two animals whose order changes from view to view.

    >>> import numpy as np
    >>> from muybridge.cameras import Camera, CameraRig
    >>> from muybridge.triangulate import find_individuals
    >>> K = [[1000, 0, 640], [0, 1000, 512], [0, 0, 1]]
    >>> t = ([-200, 0, 1000], [0, 100, 1000], [200, 0, 1000])
    >>> rig = CameraRig(tuple(Camera(f"cam_{i}", (1280, 1024), K, [], np.eye(3), t[i]) for i in range(3)))
    >>> truth = np.random.default_rng(0).uniform(-30, 30, (2, 1, 5, 3)) + np.zeros((2, 20, 5, 3))
    >>> truth[1] += 90
    >>> candidates_2d = np.stack([rig.project(points) for points in truth], axis=3)
    >>> candidates_2d[1] = candidates_2d[1, :, :, ::-1]
    >>> found = find_individuals(candidates_2d, rig, fps=100, identity="detections", sigma=1.0)
    >>> found.candidates[:, :, 0, 0]
    array([[0, 1, 0],
           [1, 0, 1]])
    """
    points, fps = _checked(candidates_2d, rig, confidence, identity, limbs, n_individuals), check_fps(fps)
    links = _links(points.shape, identity, limbs, limb_scores)
    ideal = for_kernel(np.moveaxis(rig.undistort(points.reshape(len(rig), -1, 2)).reshape(points.shape), 0, 2))
    n_animals = _MOST if n_individuals is None else n_individuals + 1  # one that was not declared shows itself
    run = _Run(rig, ideal, points, links, n_animals, fps, identity == "tracks")
    scales = run.tuned(sigma)
    found = run.follow(slice(None), scales)
    pieces = joined_pieces(found.placed, found.labels, links.limbs, scales.lengths, fps, n_individuals)
    chosen, placed = _of_individuals(found, pieces.animals)
    if identity != "none":
        order = sorted(range(len(chosen)), key=lambda i: _first_row(chosen[i]))
        chosen, placed = chosen[order], placed[order]
    taken = np.take_along_axis(points[None], np.maximum(chosen, 0)[..., None, None], axis=-2)[..., 0, :]
    kept = None
    if confidence is not None:
        held = np.nan_to_num(np.asarray(confidence, dtype=float))
        kept = np.take_along_axis(held[None], np.maximum(chosen, 0)[..., None], axis=-1)[..., 0] * (chosen >= 0)
    return Individuals(
        np.where((chosen >= 0)[..., None], taken, np.nan), kept, chosen, placed, pieces.n_pieces, pieces.n_left_over
    )


def _checked(candidates_2d, rig: CameraRig, confidence, identity: str, limbs, n_individuals) -> Array:
    points = np.array(candidates_2d, dtype=float)
    if points.ndim != 5 or points.shape[0] != len(rig) or points.shape[-1] != 2:
        raise ValueError(
            f"candidates_2d has shape {points.shape}; expected ({len(rig)} cameras, frames, keypoints, candidates, 2)"
        )
    if len(rig) < 2:
        raise ValueError("animals are told apart by two cameras at least; the rig has one")
    if identity not in IDENTITIES:
        raise ValueError(f"identity must be one of {IDENTITIES}, got {identity!r}")
    if identity == "none" and limbs is None:
        raise ValueError(
            "nothing says which keypoints belong to one animal: give limbs (the skeleton's bones), or"
            " identity='detections' if candidates of one position are of one animal"
        )
    if n_individuals is not None and n_individuals < 1:
        raise ValueError(f"n_individuals must be a positive number of animals, got {n_individuals}")
    if confidence is not None:
        if np.shape(confidence) != points.shape[:-1]:
            raise ValueError(f"confidence has shape {np.shape(confidence)}; expected {points.shape[:-1]}")
        points[~(np.asarray(confidence) > 0)] = np.nan
    return points


def _links(shape: tuple[int, ...], identity: str, limbs, limb_scores: Array | None) -> Limbs:
    """The limbs with the evidence that candidates are of one animal."""
    n_cameras, n_frames, n_keypoints, n_candidates, _ = shape
    if limbs is None:
        limbs = np.stack(np.triu_indices(n_keypoints, 1), axis=1)
    limbs = np.asarray(limbs, dtype=np.int64).reshape(-1, 2)
    if limbs.size and not (limbs.min() >= 0 and limbs.max() < n_keypoints):
        raise ValueError(f"limbs name keypoint {limbs.max()}; there are {n_keypoints}, counted from 0")
    same = _SAME_ROW * (2 * np.eye(n_candidates) - 1) * (identity != "none")
    odds = np.broadcast_to(same, (1, len(limbs), 1, n_candidates, n_candidates))
    if limb_scores is not None:
        expected = (n_cameras, n_frames, len(limbs), n_candidates, n_candidates)
        if np.shape(limb_scores) != expected:
            raise ValueError(f"limb_scores has shape {np.shape(limb_scores)}; expected {expected}")
        scores = np.clip(np.moveaxis(np.asarray(limb_scores, dtype=float), 0, 2), *_SCORES)
        odds = odds + np.nan_to_num(np.log(scores / (1 - scores)))
    return Limbs(limbs, for_kernel(odds))


class _Run(NamedTuple):
    """One recording: candidates free of distortion (n_frames, n_keypoints, n_cameras, n_candidates, 2) and as given."""

    rig: CameraRig
    ideal: Array
    points: Array
    links: Limbs
    n_animals: int
    fps: float
    are_tracks: bool

    def tuned(self, sigma: float | Array | None) -> _Scales:
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
        scales = _Scales(first, np.full(self.ideal.shape[1], np.nan), unknown, self.room)
        if not self.links.odds.any():
            scales = scales._replace(lengths=self._likely_lengths(part, scales))
        found = self.follow(part, scales)
        if sigma is None:
            scales = scales._replace(sigma=self._sigma(found, part, first))
        return scales._replace(wander=_wander(found), lengths=_lengths(found, self.links.limbs, scales.lengths))

    @property
    def sizes(self) -> Array:
        return np.array([camera.size for camera in self.rig], dtype=float)

    @property
    def room(self) -> float:
        """Side of the cube in which an animal may be: the median distance of the cameras from their common centre."""
        centres = np.array([-camera.R.T @ camera.t for camera in self.rig])
        axes = np.array([camera.R[2] for camera in self.rig])
        across = np.eye(3) - axes[:, :, None] * axes[:, None, :]
        looked_at = np.linalg.lstsq(across.sum(0), (across @ centres[..., None]).sum(0)[:, 0], rcond=None)[0]
        return float(np.median(np.linalg.norm(centres - looked_at, axis=-1)))

    def _proposals(self, part: slice, scales: _Scales) -> Proposals:
        """3D points (n_frames, n_keypoints, _N_PROPOSALS, 3), candidates (..., n_cameras), log-odds and spread."""
        candidates, pairs = self.ideal[part], camera_pair_indices(len(self.rig))
        F = np.stack([fundamental_matrix(self.rig, int(a), int(b)) for a, b in pairs])
        shape = (*candidates.shape[:2], _N_PROPOSALS)
        members = np.full((*shape, len(self.rig)), -1)
        found = Proposals(np.full((*shape, 3), np.nan), members, np.zeros(shape), np.ones(shape))
        gain = self._single(scales) - np.log(2 * np.pi * scales.sigma**2)
        P = for_kernel(self.rig.projection_matrices)
        over_rows(propose, len(candidates), P, F, pairs, 1 / scales.sigma**2, gain, candidates, *found, smallest=32)
        return found

    def _single(self, scales: _Scales) -> Array:
        """(n_cameras,) log-odds of a candidate of an animal against clutter, but for the density at its error."""
        return np.log(_DETECTED / (1 - _DETECTED)) + np.log(self.sizes.prod(axis=1) / _CLUTTER)

    def follow(self, part: slice, scales: _Scales) -> Found:
        n_frames, n_keypoints, n_cameras = self.ideal[part].shape[:3]
        shape = (n_frames, self.n_animals)
        placed = np.full((*shape, n_keypoints, 3), np.nan)
        found = Found(np.full((*shape, n_keypoints, n_cameras), -1), placed, np.full(shape, -1))
        tracks, n_labels = no_tracks(self.n_animals, n_keypoints, n_cameras), 0
        single = self._single(scales) - np.log(2 * np.pi)
        views = Views(for_kernel(self.rig.projection_matrices), 1 / scales.sigma**2, single)
        continuity = np.log(self.fps / _SWITCH) / n_keypoints * self.are_tracks
        patience = max(2, round(_PATIENCE * self.fps))
        begin = part.start or 0
        for start in range(0, n_frames, _CHUNK):
            own = slice(start, min(start + _CHUNK, n_frames))
            these = slice(begin + own.start, begin + own.stop)
            odds = self.links.odds if len(self.links.odds) == 1 else self.links.odds[these]
            body = Body(self.links.limbs, odds, scales.lengths, scales.wander, scales.room)
            proposals, into = self._proposals(these, scales), Found(*(values[own] for values in found))
            n_labels = follow(views, self.ideal[these], proposals, body, continuity, patience, n_labels, tracks, into)
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

    def _likely_lengths(self, part: slice, scales: _Scales) -> Array:
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


def _first_row(chosen: NDArray[np.int64]) -> tuple[int, ...]:
    """The first frame of an individual (n_cameras, n_frames, n_keypoints), and its rows in the cameras there."""
    frame = int(np.argmax((chosen >= 0).any(axis=(0, 2))))
    rows = chosen[:, frame].max(axis=1)
    return frame, *(row if row >= 0 else chosen.max() for row in rows.tolist())


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


def _of_individuals(found: Found, animals: NDArray[np.int64]) -> tuple[NDArray[np.int64], Array]:
    """Candidates (n_individuals, n_cameras, n_frames, n_keypoints) and their places, of labels.

    animals : (n_labels,) individual of each label, -1 for none
    """
    n_frames, _, n_keypoints, n_cameras = found.chosen.shape
    n = int(animals.max(initial=-1)) + 1
    chosen = np.full((n, n_cameras, n_frames, n_keypoints), -1, dtype=np.int64)
    placed = np.full((n, n_frames, n_keypoints, 3), np.nan)
    for a in range(found.labels.shape[1]):
        frames = np.flatnonzero(found.labels[:, a] >= 0)
        who = animals[found.labels[frames, a]]
        frames, who = frames[who >= 0], who[who >= 0]
        chosen[who, :, frames] = np.moveaxis(found.chosen[frames, a], 2, 1)
        placed[who, frames] = found.placed[frames, a]
    return chosen, placed
