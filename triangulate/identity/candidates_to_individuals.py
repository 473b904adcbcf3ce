"""Several animals from candidates of unknown identity: assigned across views and followed through time in 3D."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cameras import CameraRig
from ...numerics.arrays import Array, for_kernel
from ..input_checks import check_fps
from .animal_records import Found
from .appearance_of_pieces import appearance_nats
from .followed_candidates import FollowedCandidates, Limbs
from .track_pieces import joined_pieces

_SAME_ROW = np.log(0.95 / 0.05)  # log-odds that two keypoints of one detection belong to one animal
_SCORES = (0.02, 0.98)  # limb scores count as probabilities within these: none is certain
_MOST = 10  # animals at a time where their number is unknown
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
    left_over : ndarray of int
        Frames with more animals than were declared: of each piece of track that found no place among the individuals.

    Examples
    --------
    See `find_individuals`, which returns it.

    >>> from muybridge.triangulate import Individuals
    >>> list(Individuals.__dataclass_fields__)
    ['points_2d', 'confidence', 'candidates', 'points_3d', 'n_pieces', 'left_over']
    """

    points_2d: Array
    confidence: Array | None
    candidates: NDArray[np.int64]
    points_3d: Array
    n_pieces: int
    left_over: NDArray[np.int64]


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
    appearance: Array | None = None,
) -> Individuals:
    """Put candidates of unknown identity together to animals, across views and through time.

    A keypoint of an animal is seen in a view with a normal error, or missed; candidates of no animal lie anywhere in
    the picture. Of every keypoint and frame the 3D points are proposed that candidates of two or more views agree on.
    In each frame these are given to the animals by the assignment with the highest log-odds: agreement of the views,
    distance from where the motion leads, limbs. What is left over begins another animal. Noise, steps and lengths of
    limbs are estimated from a first run. Last, the pieces of track that gaps leave are joined, by the distance across
    the gap, the lengths of limbs, and the appearance.

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
    appearance : ndarray, shape (n_cameras, n_frames, n_keypoints, n_candidates, n_channels), optional
        What a candidate looks like, such as its colour, in numbers whose distances mean something; NaN says nothing.
        It tells which pieces of track are of one animal where the animals of this recording do look different.

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
    run = FollowedCandidates(rig, ideal, points, links, n_animals, fps, identity)
    scales = run.tuned(sigma)
    found = run.follow(slice(None), scales)
    alike = None if appearance is None else appearance_nats(found, _checked_appearance(appearance, points))
    pieces = joined_pieces(found.placed, found.labels, links.limbs, scales.lengths, fps, n_individuals, alike)
    chosen, placed = _of_individuals(found, pieces.animals)
    if identity != "none":
        chosen = with_whole_rows(chosen, np.isfinite(points[..., 0]))
        order = sorted(range(len(chosen)), key=lambda i: _first_row(chosen[i]))
        chosen, placed = chosen[order], placed[order]
    taken = np.take_along_axis(points[None], np.maximum(chosen, 0)[..., None, None], axis=-2)[..., 0, :]
    kept = None
    if confidence is not None:
        held = np.nan_to_num(np.asarray(confidence, dtype=float))
        kept = np.take_along_axis(held[None], np.maximum(chosen, 0)[..., None], axis=-1)[..., 0] * (chosen >= 0)
    return Individuals(
        np.where((chosen >= 0)[..., None], taken, np.nan), kept, chosen, placed, pieces.n_pieces, pieces.left_over
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


def _checked_appearance(appearance, points: Array) -> Array:
    appearance = np.asarray(appearance, dtype=float)
    if appearance.ndim != points.ndim or appearance.shape[:-1] != points.shape[:-1]:
        raise ValueError(
            f"appearance has shape {appearance.shape}; expected {points.shape[:-1]} and an axis of channels, as the"
            " candidates have"
        )
    return appearance


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


def with_whole_rows(chosen: NDArray[np.int64], exists: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Candidates with those of a row that no individual was given, for the one that has most of the row.

    They did not agree with other views or with the motion: hidden keypoints mostly. As they are of one animal, methods
    that weigh errors (reconstruct) may judge them with all of its points.

    chosen : (n_individuals, n_cameras, n_frames, n_keypoints), -1 where none
    exists : (n_cameras, n_frames, n_keypoints, n_candidates)
    """
    if not len(chosen):
        return chosen
    n_candidates = exists.shape[-1]
    has = chosen[..., None] == np.arange(n_candidates)  # (individuals, cameras, frames, keypoints, candidates)
    counts = has.sum(axis=3)
    most = np.where(2 * counts > counts.sum(axis=0), counts, 0)
    own = np.argmax(most, axis=-1)  # (individuals, cameras, frames)
    free = np.take_along_axis((exists & ~has.any(axis=0))[None], own[..., None, None], -1)[..., 0]
    return np.where((chosen < 0) & (most.max(axis=-1) > 0)[..., None] & free, own[..., None], chosen)


def _first_row(chosen: NDArray[np.int64]) -> tuple[int, ...]:
    """The first frame of an individual (n_cameras, n_frames, n_keypoints), and its rows in the cameras there."""
    frame = int(np.argmax((chosen >= 0).any(axis=(0, 2))))
    rows = chosen[:, frame].max(axis=1)
    return frame, *(row if row >= 0 else chosen.max() for row in rows.tolist())


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
