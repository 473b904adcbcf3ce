"""Training a detector: the loop in the open, every random choice from the seed."""

from __future__ import annotations

import copy
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from ..datasets import Array
from .augment import random_view, spoil
from .detector import Detector, DetectorError
from .evaluation import locate
from .grid import apply_affine, compose, invert_affine, scaling, warp
from .inference import engine_of, use_bf16
from .labels import LabelError, Labels
from .losses import pose_loss
from .networks import PoseNet, build_network
from .recipe import Recipe
from .runtimes import as_input
from .splits import split_labels
from .store import PictureStore
from .uncertainty import fit_uncertainty, uncalibrated


def train(
    labels: Labels,
    *,
    weights: str | os.PathLike | None = None,
    start: Detector | None = None,
    seed: int = 0,
    progress: bool = True,
    held_out: Labels | None = None,
    recipe: Recipe | None = None,
    **options: Any,
) -> Detector:
    """Train one detector for all cameras in `labels`.

    Parameters
    ----------
    weights : None (random), a file of pretrained trunk weights, or "imagenet" (fetched by the ``hub`` extra)
    start : a detector to go on from; its keypoints must be those of the labels
    held_out : frames to measure on; None: split off by the recipe's `holdout` and `holdout_by`
    recipe, options : how to train; options are fields of `Recipe`, such as ``network="small", iterations=300``

    Same labels, options, seed, machine and number of threads give the same detector.

    Raises
    ------
    LabelError : no labelled keypoint, or keypoints that `start` does not know
    ValueError : an option that does not exist or is out of range
    """
    base = recipe if recipe is not None else (start.recipe if start is not None else None)
    recipe = Recipe.from_options(options, base)
    labels, held_out, note = _prepare(labels, held_out, start, recipe)
    scale = start.scale if start is not None and recipe.scale == start.recipe.scale else _scale(labels, recipe)
    network = _network(labels, weights, start, recipe, seed)
    network.train()
    if weights is not None or start is not None:
        _freeze_norms(network)
    trainer = _Trainer(network, labels, held_out, recipe, scale, seed)
    history = trainer.run(progress)
    history["note"] = note
    detector = Detector(
        network=trainer.averaged.eval(),
        keypoints=labels.keypoints,
        recipe=recipe,
        scale=scale,
        animal_side=animal_side(labels, 95),
        uncertainty=uncalibrated(len(labels.keypoints), confidence_radius(labels)),
        symmetries=tuple(labels.symmetries or ()),
        history=history,
    )
    return calibrate_uncertainty(detector, held_out) if held_out is not None else detector


def calibrate_uncertainty(detector: Detector, labels: Labels) -> Detector:
    """The detector with confidence and covariance calibrated on frames it was not trained on."""
    found, truth = locate(detector, labels), labels.points_2d
    errors = found.points - truth
    fitted = fit_uncertainty(errors, found.mass, found.covariances, detector.uncertainty.radius)
    return replace(detector, uncertainty=fitted)


def animal_side(labels: Labels, percentile: float) -> float:
    """Percentile of the larger side of the labelled animal's box, image pixels (64 where no frame has two points)."""
    with np.errstate(invalid="ignore"):
        points = labels.points_2d[np.isfinite(labels.points_2d).all(-1).sum(-1) >= 2]
    if len(points) == 0:
        return 64.0
    sides = (np.nanmax(points, 1) - np.nanmin(points, 1)).max(-1)
    return float(max(np.percentile(sides, percentile), 8.0))


def confidence_radius(labels: Labels) -> float:
    """Pixels: 5, or 3 % of the animal's median side where that is more."""
    return float(max(5.0, round(0.03 * animal_side(labels, 50))))


def _prepare(labels: Labels, held_out: Labels | None, start: Detector | None, recipe: Recipe):
    if len(labels) == 0:
        raise LabelError("there are no labelled frames to train on; label some (see extract_frames)")
    if not np.isfinite(labels.points_2d).any():
        raise LabelError(f"none of the {len(labels)} frames has a labelled keypoint; there is nothing to learn")
    if start is not None and start.keypoints != labels.keypoints:
        unknown = sorted(set(labels.keypoints) - set(start.keypoints))
        if unknown:
            raise LabelError(f"the labels name keypoints {unknown} that the detector does not know: {start.keypoints}")
        labels = labels.select_keypoints(start.keypoints)
    if held_out is not None:
        return labels, held_out.select_keypoints(labels.keypoints), "held-out frames were given"
    return split_labels(labels, recipe.holdout, recipe.holdout_by)


def _scale(labels: Labels, recipe: Recipe) -> float:
    if recipe.scale != "auto":
        return float(recipe.scale)
    return float(min(1.0, 0.65 * recipe.crop / animal_side(labels, 50)))


def _network(labels: Labels, weights, start: Detector | None, recipe: Recipe, seed: int) -> PoseNet:
    if start is not None:
        if start.recipe.network != recipe.network:
            raise DetectorError(f"start= is a {start.recipe.network!r} network, the options ask for {recipe.network!r}")
        return copy.deepcopy(start.network)
    network = build_network(recipe.network, len(labels.keypoints), seed)
    if weights is not None:
        from .weights import load_weights

        load_weights(network.features, weights, recipe.network)
    return network


class _Trainer:
    """State of one training: network, running mean of the weights, optimiser, pictures."""

    def __init__(
        self, network: PoseNet, labels: Labels, held_out: Labels | None, recipe: Recipe, scale: float, seed: int
    ):
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.averaged = copy.deepcopy(self.network)
        self.means = [v for v in self.averaged.state_dict().values() if v.is_floating_point()]
        self.values = [v for v in self.network.state_dict().values() if v.is_floating_point()]
        self.labels, self.held_out, self.recipe, self.scale, self.seed = labels, held_out, recipe, scale, seed
        self.store = PictureStore(labels, scale * recipe.augmentation.zoom)
        groups = _parameter_groups(network, recipe.weight_decay)
        self.optimiser = torch.optim.AdamW(groups, lr=recipe.learning_rate, fused=True)
        self.bf16 = use_bf16(network, recipe.precision)

    def run(self, progress: bool) -> dict[str, Any]:
        recipe, history = self.recipe, {"loss": [], "iteration": [], "held_out": [], "seconds": 0.0}
        began, running = time.perf_counter(), None
        checks = {round(recipe.iterations * (i + 1) / recipe.checks) for i in range(recipe.checks)}
        bar = tqdm(total=recipe.iterations, desc="train", unit="step", disable=not progress)
        best, best_error, worse = None, np.inf, 0
        for iteration, (images, points) in enumerate(self._batches(), start=1):
            loss = self._step(iteration, images, points)
            running = loss if running is None else 0.95 * running + 0.05 * loss
            bar.update(1)
            if iteration in checks:
                error = self._held_out_error()
                history["iteration"].append(iteration)
                history["loss"].append(float(running))
                history["held_out"].append(error)
                bar.set_postfix_str(f"loss {running:.2f}" + (f", held-out median {error:.1f} px" if error else ""))
                if recipe.patience and error is not None:
                    worse = 0 if error < best_error else worse + 1
                    if error < best_error:
                        best, best_error = copy.deepcopy(self.averaged.state_dict()), error
                    if worse >= recipe.patience:
                        break
        bar.close()
        if best is not None:
            self.averaged.load_state_dict(best)
        history["seconds"] = time.perf_counter() - began
        return history

    def _step(self, iteration: int, images: Tensor, points: Tensor) -> float:
        for group in self.optimiser.param_groups:
            group["lr"] = self.recipe.learning_rate * one_cycle(iteration / self.recipe.iterations, self.recipe.warmup)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            maps = self.network(images)
        loss = pose_loss(self.network, maps, points, self.recipe)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimiser.step()
        self._average(iteration)
        return float(loss.detach())

    @torch.no_grad()
    def _average(self, iteration: int) -> None:
        """Running mean of the weights, short at first so that the random beginning is forgotten."""
        decay = min(self.recipe.average, iteration / (iteration + 10.0))
        torch._foreach_lerp_(self.means, self.values, 1 - decay)  # type: ignore[attr-defined]

    def _batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches made by threads a few steps ahead; a batch depends on the seed and its number only."""
        with ThreadPoolExecutor(2) as pool:
            ahead = [pool.submit(self._batch, i) for i in range(min(3, self.recipe.iterations))]
            for i in range(self.recipe.iterations):
                batch = ahead.pop(0).result()
                if i + len(ahead) + 1 < self.recipe.iterations:
                    ahead.append(pool.submit(self._batch, i + len(ahead) + 1))
                yield batch

    def _batch(self, number: int) -> tuple[Tensor, Tensor]:
        recipe = self.recipe
        samples = [self._sample(number * recipe.batch + i) for i in range(recipe.batch)]
        images = torch.from_numpy(np.stack([image for image, _ in samples]))
        points = torch.from_numpy(np.stack([cells for _, cells in samples])).float()
        return as_input(images), points

    def _sample(self, number: int) -> tuple[NDArray[np.uint8], Array]:
        """Crop number `number`: its picture and its keypoints in cells. Frames are shuffled anew each epoch."""
        epoch, place = divmod(number, len(self.labels))
        index = int(np.random.default_rng([self.seed, 1, epoch]).permutation(len(self.labels))[place])
        rng = np.random.default_rng([self.seed, 2, number])
        how = self.recipe.augmentation if self.labels.symmetries else replace(self.recipe.augmentation, flip=0.0)
        image, shrunk = self.store.picture(index)
        points = self.labels.points_2d[index]
        size = self.store.size(index)
        matrix, mirrored = random_view(rng, points, size, self.recipe.crop, self.scale, how)
        seen = apply_affine(matrix, points)
        if mirrored:
            seen = seen[self.labels.mirror]
        crop = warp(image, compose(matrix, invert_affine(shrunk)), (self.recipe.crop, self.recipe.crop))
        cells = apply_affine(invert_affine(scaling(self.network.stride)), seen)
        return spoil(rng, crop, how), cells

    def _held_out_error(self) -> float | None:
        if self.held_out is None:
            return None
        found = locate(engine_of(self.averaged, self.scale), self.held_out)
        return float(np.nanmedian(np.linalg.norm(found.points - self.held_out.points_2d, axis=-1)))


def _freeze_norms(network: PoseNet) -> None:
    """Pretrained normalisations keep their statistics: small batches of one scene would spoil them."""
    trunk = getattr(network.features, "trunk", network.features)
    for module in trunk.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def one_cycle(progress: float, warmup: float) -> float:
    """Fraction of the peak learning rate: up linearly, down as half a cosine (Smith 2018)."""
    if progress < warmup:
        return 0.05 + 0.95 * progress / warmup
    return 0.5 * (1 + np.cos(np.pi * (progress - warmup) / (1 - warmup))) + 1e-3


def _parameter_groups(network: nn.Module, weight_decay: float) -> list[dict]:
    decayed = [p for p in network.parameters() if p.ndim > 1]
    free = [p for p in network.parameters() if p.ndim <= 1]
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": free, "weight_decay": 0.0}]
