"""Training crops: which frame, which part, which augmentation, all from the seed and the number of the crop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...datasets import Array
from ...formats.labels.labelled_frames import Labels
from ...numerics.threads import in_advance
from ..pictures.image_transforms import apply_affine, compose, invert_affine, scaling, warp
from ..pictures.labelled_pictures import PictureStore
from ..training_config import TrainingConfig
from .augmentation import degrade, random_view

N_THREADS = 2  # threads that prepare batches; more would take cores from the network
AHEAD = N_THREADS + 1  # batches prepared while the network works: one in each thread and one that is ready


class Crops:
    """Batches of crops of labelled frames; a batch depends on the seed and its number only, not on threads.

    `n_aimed` : keypoints, the first ones, around which the crops lie; None: all.
    """

    def __init__(
        self,
        labels: Labels,
        config: TrainingConfig,
        scale: float,
        stride: float,
        seed: int,
        shift: float = 0.0,
        n_aimed: int | None = None,
    ):
        self.labels, self.config, self.scale, self.seed, self.n_aimed = labels, config, scale, seed, n_aimed
        to_cells = invert_affine(scaling(stride))
        self.to_cells = np.column_stack([to_cells[:, :2], to_cells[:, 2] - shift / stride])
        self.how = config.augmentation if labels.symmetries else replace(config.augmentation, flip=0.0)
        self.store = PictureStore(labels, scale * config.augmentation.zoom)

    def batches(self, first: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Pictures (batch, side, side, 3) bytes and points (batch, n_keypoints, 2) in cells, from batch `first` on."""
        numbers = range(first, self.config.iterations)
        return in_advance((partial(self.batch, number) for number in numbers), AHEAD, N_THREADS)

    def batch(self, number: int) -> tuple[Tensor, Tensor]:
        samples = [self._sample(number * self.config.batch + i) for i in range(self.config.batch)]
        images = torch.from_numpy(np.stack([image for image, _ in samples]))
        return images, torch.from_numpy(np.stack([cells for _, cells in samples])).float()

    def _sample(self, number: int) -> tuple[NDArray[np.uint8], Array]:
        """Crop number `number`: its picture and its keypoints in cells. Frames are shuffled anew each epoch."""
        epoch, place = divmod(number, len(self.labels))
        index = int(np.random.default_rng([self.seed, 1, epoch]).permutation(len(self.labels))[place])
        rng = np.random.default_rng([self.seed, 2, number])
        image, shrunk = self.store.picture(index)
        points, side = self.labels.points_2d[index], self.config.crop
        matrix, mirrored = random_view(rng, points[: self.n_aimed], self.store.size(index), side, self.scale, self.how)
        seen = apply_affine(matrix, points)
        if mirrored:
            seen = seen[self.labels.mirror]
        crop = warp(image, compose(matrix, invert_affine(shrunk)), (side, side))
        return degrade(rng, crop, self.how), apply_affine(self.to_cells, seen)
