"""Train the small network that finds the middles of several animals in the shrunk picture, all in one map."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np

from ...formats.labels.labelled_frames import Labels
from ..inference.animal_boxes import MIDDLE, labelled_centres
from ..inference.detector import Detector
from ..inference.uncertainty import uncalibrated
from ..networks.registry import build_network
from ..training_config import Augmentation, TrainingConfig
from .training_loop import Trainer

SIDE = 32.0  # network pixels of the larger side of the median animal: eight cells


def shrunk_config(config: TrainingConfig, most: int, scale: float) -> TrainingConfig:
    """How a small network that finds animals in the shrunk picture is trained, for `most` iterations at the most."""
    how = Augmentation(p_random_crop=0.5, shift=0.3, flip=0.0, rotation=min(config.augmentation.rotation, 15.0))
    return TrainingConfig(
        network="small", iterations=min(most, 2 * config.iterations), crop=128, scale=scale, sigma=4.0,
        learning_rate=3e-3, holdout=0.0, n_evaluations=1, augmentation=how,
    )  # fmt: skip


def middle_labels(labels: Labels) -> Labels:
    """One entry per picture, with the middle of each animal's labels as a keypoint; NaN: fewer animals are labelled."""
    centres, entries = labelled_centres(labels), list(labels.entries.values())
    points = np.full((len(entries), labels.n_animals, 2), np.nan)
    for row, own in enumerate(entries):
        points[row, : len(own)] = centres[own]
    one_each = labels.select([own[0] for own in entries])
    names = tuple(f"{MIDDLE}_{i}" for i in range(labels.n_animals))
    return replace(
        one_each, points_2d=points, hidden_2d=None, keypoints=names, symmetries=(), individuals=("",) * len(entries)
    )


def train_middles(
    labels: Labels, config: TrainingConfig, side: float, start: Detector | None, seed: int, progress: bool
) -> Detector:
    """The detector of the middles, of labels of several animals in a picture.

    side : larger side of the median animal, image pixels
    start : such a detector to go on from
    """
    small = shrunk_config(config, 300, min(1.0, SIDE / side))
    network = build_network("small", 1, seed)
    if start is not None:
        small = replace(start.config, iterations=60, learning_rate=1e-3)
        network = copy.deepcopy(start.network).requires_grad_(True)
    trainer = Trainer(network.train(), middle_labels(labels), None, small, float(small.scale), seed)
    trainer.run(progress)
    return Detector(
        trainer.averaged, (MIDDLE,), small, float(small.scale), side, uncalibrated(1, side / 4), history=trainer.history
    )
