"""Several animals: tracks of one camera associated with those of the others, over the whole recording at once."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from math import factorial
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from ...cameras import CameraRig, _kernels_epipolar
from ...cameras.epipolar import fundamental_matrix
from ...datasets import DatasetError, combine_ensemble
from ...numerics.arrays import Array
from ...numerics.robust_scale import present_median
from ..input_checks import check_fps, check_observations, from_views, matching_rig
from ..points.consensus import robust_points
from ..points.consensus_solver import DEFAULT_THRESHOLD
from ..points.recording_noise import estimate_sigma
from .identity_sequences import exact_sequence, sequence_in_turns

_FIRST_SIGMA = 0.005  # of the image's width, until it is estimated from the associated tracks
_MAX_CELLS = 50_000_000  # frames times joint permutations up to which the search is exact (half a gigabyte)


@dataclass(frozen=True, eq=False)
class Association:
    """Tracks of several cameras put together to individuals.

    Parameters
    ----------
    points_2d : ndarray, shape (n_individuals, n_cameras, n_frames, n_keypoints, 2), pixels
        The tracks in the order of the individuals.
    confidence : ndarray, shape (n_individuals, n_cameras, n_frames, n_keypoints), 0-1, or None
        In the same order.
    tracks : ndarray of int, shape (n_cameras, n_frames, n_individuals)
        The track that each individual is in each camera.
    log_odds : ndarray, shape (n_frames,)
        How much better the chosen assignment explains the frame than its best rival in that frame alone (negative where
        the neighbouring frames outweighed it, 0 where nothing was observed).

    Examples
    --------
    See `match_individuals`, which returns it.

    >>> from muybridge.triangulate import Association
    >>> list(Association.__dataclass_fields__)
    ['points_2d', 'confidence', 'tracks', 'log_odds']
    """

    points_2d: Array
    confidence: Array | None
    tracks: NDArray[np.int64]
    log_odds: Array


def match_individuals(
    tracks_2d: Any,
    rig: CameraRig,
    *,
    fps: float | None = None,
    confidence: Array | None = None,
    sigma: float | Array | None = None,
    switch_probability: float = 0.01,
) -> Association:
    """Associate 2D tracks of unknown identity across cameras, by epipolar consistency over the whole recording.

    The hidden state of a frame is one permutation of the tracks per camera. Its evidence is the epipolar (Sampson)
    distance between the views of every individual, truncated as in robust triangulation; a camera changes its
    permutation between frames at the price of a switch. The most probable sequence is found exactly, or camera by
    camera in turns where all permutations together are too many. Last, the 3D points are followed through time, so that
    a switch in all cameras at once is undone as well.

    Parameters
    ----------
    tracks_2d : ndarray, shape (n_tracks, n_cameras, n_frames, n_keypoints, 2), pixels, or xarray.Dataset
        Tracks, which may switch animals, the cameras in the order of the rig, NaN where missing; or a views dataset
        with an `individual` dimension.
    rig : CameraRig
        The calibrated cameras.
    fps : float, hertz, optional
        Frame rate; needed unless `tracks_2d` is a dataset.
    confidence : ndarray, shape (n_tracks, n_cameras, n_frames, n_keypoints), 0-1, optional
        0 and NaN leave a point out. None: that of the dataset, or all count.
    sigma : float or ndarray, shape (n_cameras,), pixels, optional
        Standard deviation of a coordinate. None: estimated from the tracks once they are associated.
    switch_probability : float
        Prior probability that a track switches animals in one camera within a second.

    Returns
    -------
    Association
        The tracks of each individual, numbered as the first camera's tracks in the first frame.

    Raises
    ------
    ValueError
        Shapes do not fit the rig, the frame rate is missing, or the probability is not between 0 and 1.

    References
    ----------
    Viterbi (1967), Error bounds for convolutional codes and an asymptotically optimum decoding algorithm.

    Examples
    --------
    The second camera numbers the two animals the other way round.

    >>> import numpy as np
    >>> from muybridge.cameras import Camera, CameraRig
    >>> from muybridge.triangulate import match_individuals
    >>> K = [[1000, 0, 640], [0, 1000, 512], [0, 0, 1]]
    >>> t = ([-200, 0, 1000], [0, 100, 1000], [200, 0, 1000])
    >>> rig = CameraRig(tuple(Camera(f"cam_{i}", (1280, 1024), K, [], np.eye(3), t[i]) for i in range(3)))
    >>> truth = np.random.default_rng(0).uniform(-30, 30, (2, 20, 5, 3))
    >>> truth[1] += 90
    >>> tracks_2d = np.stack([rig.project(points) for points in truth])
    >>> tracks_2d[:, 1] = tracks_2d[::-1, 1]
    >>> match_individuals(tracks_2d, rig, fps=100, sigma=1.0).tracks[:, 0]
    array([[0, 1],
           [1, 0],
           [0, 1]])
    """
    given, is_labelled = {"confidence": confidence, "fps": fps}, isinstance(tracks_2d, xr.Dataset | xr.DataArray)
    tracks_2d, confidence, fps = from_views(tracks_2d, rig, individuals=True, **given)
    tracks_2d = np.asarray(tracks_2d, dtype=float)
    if tracks_2d.ndim != 5 and is_labelled:
        raise DatasetError("the views have no 'individual' dimension; there is nothing to match")
    if tracks_2d.ndim != 5:
        raise ValueError(f"tracks_2d has shape {tracks_2d.shape}; expected (tracks, cameras, frames, keypoints, 2)")
    fps = check_fps(fps)
    if not 0 < switch_probability < 1:
        raise ValueError(f"switch_probability must lie between 0 and 1, got {switch_probability}")
    confidence = None if confidence is None else np.moveaxis(np.asarray(confidence, dtype=float), 0, 1)
    moved, confidence = check_observations(np.moveaxis(tracks_2d, 0, 1), rig, confidence)
    moved = moved if confidence is None else np.where((confidence > 0)[..., None], moved, np.nan)
    price = -np.log(switch_probability / fps)
    first = np.array([_FIRST_SIGMA * camera.size[0] for camera in rig]) if sigma is None else sigma
    tracks, log_odds = _associate(moved, rig, np.broadcast_to(np.asarray(first, float), len(rig)), price)
    if sigma is None:
        sigma = estimate_sigma(np.concatenate(list(_taken(moved, tracks)), axis=1), rig)
        tracks, log_odds = _associate(moved, rig, np.asarray(sigma), price)
    order = _follow(_taken(moved, tracks), rig, np.broadcast_to(np.asarray(sigma, float), len(rig)))
    tracks = np.take_along_axis(tracks, order[None], axis=2)
    kept = None if confidence is None else _taken(confidence[..., None], tracks)[..., 0]
    return Association(_taken(np.moveaxis(tracks_2d, 0, 1), tracks), kept, tracks, log_odds)


def match_views(
    views: xr.Dataset | xr.DataArray,
    rig: CameraRig,
    *,
    sigma: float | Array | None = None,
    switch_probability: float = 0.01,
) -> xr.Dataset:
    """Put the individuals of a views dataset in an order that is the same animal in every camera and frame.

    Parameters
    ----------
    views : xarray.Dataset
        2D positions with an `individual` dimension; a DataArray of positions is taken, too.
    rig : CameraRig
        Cameras of at least the views' names.
    sigma : float or ndarray, shape (n_cameras,), pixels, optional
        As in `match_individuals`.
    switch_probability : float
        As in `match_individuals`.

    Returns
    -------
    xarray.Dataset
        The views, with positions, confidence and covariances exchanged between individuals.

    Raises
    ------
    DatasetError
        There is no `individual` dimension, or the rig lacks a camera.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.cameras import Camera, CameraRig
    >>> from muybridge.datasets import views_dataset
    >>> from muybridge.triangulate import match_views
    >>> K = [[1000, 0, 640], [0, 1000, 512], [0, 0, 1]]
    >>> t = ([-200, 0, 1000], [0, 100, 1000], [200, 0, 1000])
    >>> rig = CameraRig(tuple(Camera(f"cam_{i}", (1280, 1024), K, [], np.eye(3), t[i]) for i in range(3)))
    >>> truth = np.random.default_rng(0).uniform(-30, 30, (2, 20, 5, 3))
    >>> truth[1] += 90
    >>> tracks_2d = np.stack([rig.project(points) for points in truth])
    >>> names, times = ["a", "b", "c", "d", "e"], np.arange(20) / 100
    >>> expected = views_dataset(tracks_2d.copy(), cameras=rig.names, keypoints=names, times=times)
    >>> tracks_2d[:, 1] = tracks_2d[::-1, 1]
    >>> views = views_dataset(tracks_2d, cameras=rig.names, keypoints=names, times=times)
    >>> bool((match_views(views, rig, sigma=1.0)["position"] == expected["position"]).all())
    True
    """
    views = combine_ensemble(views)
    if "individual" not in views.dims:
        raise DatasetError("the views have no 'individual' dimension; there is nothing to associate")
    found = match_individuals(views, matching_rig(views, rig), sigma=sigma, switch_probability=switch_probability)
    return with_tracks(views, found.tracks)


def with_tracks(views: xr.Dataset, tracks: NDArray[np.int64]) -> xr.Dataset:
    """Views whose individuals are those tracks (n_cameras, n_frames, n_individuals) of each camera and frame."""
    exchanged = {
        name: values.copy(data=_taken(np.moveaxis(values.values, 0, 1), tracks))
        for name, values in views.data_vars.items()
        if values.dims[:3] == ("individual", "view", "time")
    }
    return views.assign(exchanged)


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
        states, log_odds = exact_sequence(scores, n_cameras, len(permutations), price)
    else:
        states, log_odds = sequence_in_turns(scores, n_cameras, len(permutations), price)
    return permutations[states], log_odds


def _pair_scores(moved: Array, rig: CameraRig, sigma: Array, permutations: NDArray[np.int64]) -> dict:
    """{(camera, camera): (n_frames, n_permutations, n_permutations)} log-odds of the two cameras' permutations."""
    n_cameras, n_tracks, n_frames = moved.shape[:3]
    ideal = np.stack([rig.undistort(moved[:, track]) for track in range(n_tracks)], axis=1)
    scores = {}
    for a, b in itertools.combinations(range(n_cameras), 2):
        F = fundamental_matrix(rig, a, b) * np.outer([sigma[b], sigma[b], 1], [sigma[a], sigma[a], 1])
        one, other = ideal[a] / sigma[a], ideal[b] / sigma[b]
        matches = np.zeros((n_frames, n_tracks, n_tracks))
        for i, j in itertools.product(range(n_tracks), repeat=2):
            matches[:, i, j] = _agreement(F, one[i], other[j])
        pairs = sum(matches[:, permutations[:, None, n], permutations[None, :, n]] for n in range(n_tracks))
        scores[a, b] = pairs
    return scores


def _agreement(F: Array, one: Array, other: Array) -> Array:
    """(n_frames,) log-odds that two views (n_frames, n_keypoints, 2) show one animal; 0 for missing points.

    In units of each view's standard deviation, as F is.
    """
    distances = _kernels_epipolar.sampson_distances(F, one.reshape(-1, 2), other.reshape(-1, 2))
    gain = 0.5 * (DEFAULT_THRESHOLD**2 - np.minimum(distances**2, DEFAULT_THRESHOLD**2))
    return np.nan_to_num(gain).reshape(one.shape[:-1]).sum(axis=-1)


def _follow(points_2d: Array, rig: CameraRig, sigma: Array) -> NDArray[np.int64]:
    """Order (n_frames, n_individuals) that keeps each 3D animal itself: nearest to where it was."""
    n_individuals, _, n_frames = points_2d.shape[:3]
    solved = np.stack([robust_points(points, rig, sigma=sigma).points_3d for points in points_2d])
    order, last = np.tile(np.arange(n_individuals), (n_frames, 1)), solved[:, 0]
    for frame in range(1, n_frames):
        cost = present_median(np.linalg.norm(last[:, None] - solved[None, :, frame], axis=-1), axis=-1)
        order[frame] = linear_sum_assignment(cost)[1] if np.isfinite(cost).all() else order[frame - 1]
        now = solved[order[frame], frame]
        last = np.where(np.isfinite(now), now, last)
    return order
