"""What the kernels of several animals are given and fill in: arrays that belong together, by name."""

from typing import NamedTuple

import numpy as np


class Views(NamedTuple):
    """P : (n_views, 3, 4); precision : (n_views,) 1/pixel², of a coordinate; single : (n_views,) log-odds of a lone
    candidate against clutter before its variance and distance."""

    P: np.ndarray
    precision: np.ndarray
    single: np.ndarray


class Proposals(NamedTuple):
    """3D points of all frames, or of one, as `propose` fills them in."""

    points: np.ndarray
    members: np.ndarray
    odds: np.ndarray
    spread: np.ndarray


class Body(NamedTuple):
    """What is known of the animals' bodies.

    limbs : (n_limbs, 2) keypoints; odds : (n_frames or 1, n_limbs, n_views or 1, n_candidates, n_candidates), log-odds
    that two candidates of a view are of one animal; of one frame without the first axis
    lengths : (n_limbs, 2) mean and standard deviation, NaN where unknown; wander : (n_keypoints,) standard deviation of
    a step beyond constant speed, NaN where unknown; room : side of the cube in which an animal may be, world units
    """

    limbs: np.ndarray
    odds: np.ndarray
    lengths: np.ndarray
    wander: np.ndarray
    room: float


class Tracks(NamedTuple):
    """What is known of the animals after a frame; the first axis is the animal's, see `no_tracks`.

    unseen : frames since a keypoint was seen; missed : frames since the animal was; slots : its row in each view, -1
    where unknown; radius : of the body, world units; label : number of the track
    """

    positions: np.ndarray
    speeds: np.ndarray
    unseen: np.ndarray
    missed: np.ndarray
    slots: np.ndarray
    radius: np.ndarray
    alive: np.ndarray
    label: np.ndarray


class Found(NamedTuple):
    """Candidates (n_frames, n_animals, n_keypoints, n_views), -1 where none; places (..., n_keypoints, 3); labels of
    the animals (n_frames, n_animals), -1 where there is none."""

    chosen: np.ndarray
    placed: np.ndarray
    labels: np.ndarray
