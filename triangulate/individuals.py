"""Two or more animals: which track of one camera is which track of another, decided over all of time at once."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from math import factorial

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from ..cameras import CameraRig
from ..cameras.epipolar import fundamental_matrix
from ..datasets import DatasetError, check_views
from ..numerics.arrays import Array
from .points.consensus import DEFAULT_THRESHOLD, estimate_sigma, triangulate_ransac
from .points.input_checks import check_confidence, check_points_2d

_FIRST_SIGMA = 0.005  # of the image's width, until the associated tracks tell better
_MAX_CELLS = 50_000_000  # frames times joint permutations up to which the search is exact (half a gigabyte)
_CHUNK = 2000  # frames whose epipolar distances are held at once


@dataclass(frozen=True, eq=False)
class Association:
    """Tracks put together to individuals.

    points_2d : (n_individuals, n_cameras, n_frames, n_keypoints, 2), pixels
    confidence : without the last axis, or None
    tracks : (n_cameras, n_frames, n_individuals), int: the track that each individual is in each camera
    log_odds : (n_frames,) how much better the chosen assignment explains the frame than its best rival in that frame
        alone (negative where the neighbouring frames overruled it, 0 where nothing can be told)
    """

    points_2d: Array
    confidence: Array | None
    tracks: NDArray[np.int64]
    log_odds: Array


def match_individuals(
    tracks_2d: Array,
    rig: CameraRig,
    *,
    confidence: Array | None = None,
    sigma: float | Array | None = None,
    switch_probability: float = 1e-4,
) -> Association:
    """Associate 2D tracks of unknown identity across cameras, by epipolar consistency over the whole recording.

    The hidden state of a frame is one permutation of the tracks per camera. Its evidence is the epipolar (Sampson)
    distance between the views of every individual, truncated as in robust triangulation; a camera changes its
    permutation between frames at the price of a switch. The most probable sequence is found exactly (Viterbi 1967), or
    camera by camera in turns where all permutations together are too many. Last, the 3D points are followed through
    time, so that a switch in all cameras at once is undone as well.

    Parameters
    ----------
    tracks_2d : (n_tracks, n_cameras, n_frames, n_keypoints, 2), pixels, NaN where missing; tracks may switch animals
    confidence : (n_tracks, n_cameras, n_frames, n_keypoints), 0-1
    sigma : pixels, a number or one per camera; None: judged from the tracks once they are associated
    switch_probability : of a track in one camera from one frame to the next, beforehand

    Returns
    -------
    Association; individuals are numbered as the first camera's tracks in the first frame

    Raises
    ------
    ValueError : shapes do not fit the rig, or the probability is not between 0 and 1
    """
    tracks_2d = np.asarray(tracks_2d, dtype=float)
    if tracks_2d.ndim != 5:
        raise ValueError(f"tracks_2d has shape {tracks_2d.shape}; expected (tracks, cameras, frames, keypoints, 2)")
    if not 0 < switch_probability < 1:
        raise ValueError(f"switch_probability must lie between 0 and 1, got {switch_probability}")
    moved = check_points_2d(np.moveaxis(tracks_2d, 0, 1), rig)
    if confidence is not None:
        confidence = check_confidence(np.moveaxis(np.asarray(confidence, dtype=float), 0, 1), moved, rig)
        moved = np.where((confidence > 0)[..., None], moved, np.nan) if confidence is not None else moved
    price = -np.log(switch_probability)
    first = np.array([_FIRST_SIGMA * camera.size[0] for camera in rig]) if sigma is None else sigma
    tracks, log_odds = _associate(moved, rig, np.broadcast_to(np.asarray(first, float), len(rig)), price)
    if sigma is None:
        sigma = estimate_sigma(np.concatenate(list(_taken(moved, tracks)), axis=1), rig)
        tracks, log_odds = _associate(moved, rig, np.asarray(sigma), price)
    order = _follow(_taken(moved, tracks), rig, np.broadcast_to(np.asarray(sigma, float), len(rig)))
    tracks = np.take_along_axis(tracks, order[None], axis=2)
    kept = None if confidence is None else _taken(confidence[..., None], tracks)[..., 0]
    return Association(_taken(np.moveaxis(tracks_2d, 0, 1), tracks), kept, tracks, log_odds)


def match_views(views: xr.Dataset, rig: CameraRig, **options) -> xr.Dataset:
    """The views with each `individual` the same animal in every camera; options as in `match_individuals`.

    Raises
    ------
    DatasetError : there is no `individual` dimension
    """
    views = check_views(views)
    if "individual" not in views.dims:
        raise DatasetError("the views have no 'individual' dimension; there is nothing to associate")
    rig = rig.subset([str(name) for name in views["view"].values])
    found = match_individuals(views["position"].values, rig, confidence=views["confidence"].values, **options)
    position = views["position"].copy(data=found.points_2d)
    return views.assign(position=position, confidence=views["confidence"].copy(data=found.confidence))


def _taken(moved: Array, tracks: NDArray[np.int64]) -> Array:
    """(n_individuals, n_cameras, n_frames, ...) from (n_cameras, n_tracks, n_frames, ...)."""
    frames, cameras = np.arange(moved.shape[2]), np.arange(moved.shape[0])
    return np.stack([moved[cameras[:, None], tracks[..., n], frames[None]] for n in range(tracks.shape[2])])


def _associate(moved: Array, rig: CameraRig, sigma: Array, price: float) -> tuple[NDArray[np.int64], Array]:
    """Tracks (n_cameras, n_frames, n_individuals) and the frames' own log-odds, from (n_cameras, n_tracks, ...)."""
    n_cameras, n_tracks = moved.shape[:2]
    permutations = np.array(list(itertools.permutations(range(n_tracks))), dtype=np.int64)
    scores = _pair_scores(moved, rig, sigma, permutations)
    if factorial(n_tracks) ** n_cameras * moved.shape[2] <= _MAX_CELLS:
        states, log_odds = _viterbi(scores, n_cameras, len(permutations), price)
    else:
        states, log_odds = _in_turns(scores, n_cameras, len(permutations), price)
    return permutations[states], log_odds


def _pair_scores(moved: Array, rig: CameraRig, sigma: Array, permutations: NDArray[np.int64]) -> dict:
    """{(camera, camera): (n_frames, n_permutations, n_permutations)} log-odds of the two cameras' permutations."""
    n_cameras, n_tracks, n_frames = moved.shape[:3]
    ideal = np.stack([rig.undistort(moved[:, track]) for track in range(n_tracks)], axis=1)
    scores = {}
    for a, b in itertools.combinations(range(n_cameras), 2):
        F = fundamental_matrix(rig, a, b)
        matches = np.zeros((n_frames, n_tracks, n_tracks))
        for i, j in itertools.product(range(n_tracks), repeat=2):
            for start in range(0, n_frames, _CHUNK):
                part = slice(start, start + _CHUNK)
                matches[part, i, j] = _agreement(F, ideal[a, i, part], ideal[b, j, part], sigma[a], sigma[b])
        pairs = sum(matches[:, permutations[:, None, n], permutations[None, :, n]] for n in range(n_tracks))
        scores[a, b] = pairs
    return scores


def _agreement(F: Array, x_a: Array, x_b: Array, sigma_a: float, sigma_b: float) -> Array:
    """(n_frames,) log-odds that (n_frames, n_keypoints, 2) pixels in two views are one animal; 0 for missing ones."""
    ones = np.ones((*x_a.shape[:-1], 1))
    line_b = np.concatenate([x_a, ones], -1) @ F.T
    line_a = np.concatenate([x_b, ones], -1) @ F
    off = (np.concatenate([x_b, ones], -1) * line_b).sum(-1)
    variance = sigma_b**2 * (line_b[..., :2] ** 2).sum(-1) + sigma_a**2 * (line_a[..., :2] ** 2).sum(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        energy = 0.5 * off**2 / variance
    return np.nan_to_num(0.5 * DEFAULT_THRESHOLD**2 - np.minimum(energy, 0.5 * DEFAULT_THRESHOLD**2)).sum(axis=-1)


def _viterbi(scores: dict, n_cameras: int, n_states: int, price: float) -> tuple[NDArray[np.int64], Array]:
    """Best permutation of each camera (n_cameras, n_frames): exact, the cameras' changes priced one by one."""
    n_frames = next(iter(scores.values())).shape[0]
    shape = (n_states,) * n_cameras
    value, back = np.zeros(shape), np.empty((n_frames, *shape), dtype=np.int32)
    own = np.arange(value.size, dtype=np.int32).reshape(shape)
    frame_scores = np.empty((n_frames, *shape))
    for frame in range(n_frames):
        origin = own
        for camera in range(n_cameras if frame else 0):
            best = np.expand_dims(value.argmax(axis=camera), camera)
            jump = np.take_along_axis(value, best, camera) - price
            source = np.take_along_axis(origin, best, camera)
            origin = np.where(jump > value, source, origin)
            value = np.maximum(value, jump)
        back[frame] = origin
        frame_scores[frame] = _frame_score(scores, frame, n_cameras, n_states)
        value = value + frame_scores[frame]
    path = np.empty(n_frames, dtype=np.int64)
    path[-1] = int(value.argmax())
    for frame in range(n_frames - 1, 0, -1):
        path[frame - 1] = back[frame].reshape(-1)[path[frame]]
    states = np.stack(np.unravel_index(path, shape))
    return states.astype(np.int64), _log_odds(frame_scores.reshape(n_frames, -1), path)


def _frame_score(scores: dict, frame: int, n_cameras: int, n_states: int) -> Array:
    total = np.zeros((n_states,) * n_cameras)
    for (a, b), pairs in scores.items():
        shape = [1] * n_cameras
        shape[a] = shape[b] = n_states
        total = total + pairs[frame].reshape(shape)
    return total


def _log_odds(frame_scores: Array, path: NDArray[np.int64]) -> Array:
    """Score of the chosen state less the best that differs (relabelling all cameras alike differs in nothing)."""
    chosen = np.take_along_axis(frame_scores, path[:, None], axis=1)
    others = np.where(np.isclose(frame_scores, chosen, rtol=1e-9, atol=1e-9), -np.inf, frame_scores).max(axis=1)
    return np.where(np.isfinite(others), chosen[:, 0] - others, 0.0)


def _in_turns(scores: dict, n_cameras: int, n_states: int, price: float) -> tuple[NDArray[np.int64], Array]:
    """As `_viterbi`, one camera after the other given the rest, until nothing changes."""
    n_frames = next(iter(scores.values())).shape[0]
    frames = np.arange(n_frames)
    states, fixed = np.zeros((n_cameras, n_frames), dtype=np.int64), [0]
    log_odds = np.zeros(n_frames)
    for sweep in range(10):
        before = states.copy()
        for camera in range(n_cameras) if sweep else range(1, n_cameras):
            evidence = np.zeros((n_frames, n_states))
            for other in fixed if not sweep else [c for c in range(n_cameras) if c != camera]:
                pair = scores[min(camera, other), max(camera, other)]
                pair = pair if camera < other else np.swapaxes(pair, 1, 2)
                evidence += pair[frames, :, states[other]]
            states[camera] = _single_viterbi(evidence, price)
            log_odds = _log_odds(evidence, states[camera])
            fixed = sorted({*fixed, camera})
        if sweep and (states == before).all():
            break
    return states, log_odds


def _single_viterbi(evidence: Array, price: float) -> NDArray[np.int64]:
    n_frames, n_states = evidence.shape
    value, back = evidence[0].copy(), np.empty((n_frames, n_states), dtype=np.int64)
    for frame in range(1, n_frames):
        best = int(value.argmax())
        jump = value[best] - price > value
        back[frame] = np.where(jump, best, np.arange(n_states))
        value = np.where(jump, value[best] - price, value) + evidence[frame]
    path = np.empty(n_frames, dtype=np.int64)
    path[-1] = int(value.argmax())
    for frame in range(n_frames - 1, 0, -1):
        path[frame - 1] = back[frame, path[frame]]
    return path


def _follow(points_2d: Array, rig: CameraRig, sigma: Array) -> NDArray[np.int64]:
    """Order (n_frames, n_individuals) that keeps each 3D animal itself: nearest to where its motion would lead."""
    n_individuals, _, n_frames = points_2d.shape[:3]
    solved = np.stack([triangulate_ransac(points, rig, sigma=sigma).points_3d for points in points_2d])
    order = np.tile(np.arange(n_individuals), (n_frames, 1))
    last, speed, seen_at = solved[:, 0].copy(), np.zeros_like(solved[:, 0]), np.zeros(solved[:, 0].shape[:2])
    for frame in range(1, n_frames):
        expected = last + speed * np.minimum(frame - seen_at, 3.0)[..., None]
        apart = np.linalg.norm(expected[:, None] - solved[None, :, frame], axis=-1)
        cost = _typical(apart)
        order[frame] = order[frame - 1]
        if np.isfinite(cost).all():
            order[frame] = linear_sum_assignment(cost)[1]
        now = solved[order[frame], frame]
        present = np.isfinite(now).all(axis=-1)
        fresh = present & np.isfinite(last).all(axis=-1) & (frame - seen_at == 1)
        speed = np.where(fresh[..., None], 0.5 * speed + 0.5 * np.nan_to_num(now - last), 0.0)
        last = np.where(present[..., None], now, last)
        seen_at = np.where(present, frame, seen_at)
    return order


def _typical(distances: Array) -> Array:
    """Median over the last axis of what is there; NaN where nothing is."""
    ordered = np.sort(distances, axis=-1)
    n = np.isfinite(ordered).sum(axis=-1)
    middle = np.take_along_axis(ordered, np.maximum((n - 1) // 2, 0)[..., None], axis=-1)[..., 0]
    return np.where(n > 0, middle, np.nan)
