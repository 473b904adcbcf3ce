"""Markov chains over the positions of all frames: blocks of frames move together, each with its own decision.

A block's proposal is a Crank-Nicolson step of the Gaussian near the target, conditioned on the frames beside the
block (Neal 1998; Cotter et al. 2013): mean + keep (x - mean) + (1 - keep²)^½ noise. It leaves the Gaussian as it is,
so that the Metropolis ratio is that of target over Gaussian, frame by frame. A keep a little below 0 lands on the
other side of the mean, so that averages converge faster than those of independent draws (Adler 1981).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...numerics.arrays import Array, for_kernel
from . import _kernels_sampler
from .target_density import Place, Target, couple

_KEEP = -0.3  # with 0.7 in every third sweep a fifth to a third fewer effective draws, also of a real rat
_VARIANCE = 0.3  # of a block's log weight: acceptance about 0.7; speed alone
_LONGEST, _SHORTEST = 250, 16  # frames of a block: bounds of the length that the variance asks for; speed alone


@dataclass(frozen=True, eq=False)
class Partition:
    """Blocks of frames (n_blocks, 2) that move while the frames between them stand still.

    fixed (n_frames,): which stand still; cut (n_frames, n_keypoints, order + 1): the gram of what ties them to the
    blocks; factor: of the Gaussian's precision without that.
    """

    blocks: NDArray[np.int64]
    fixed: NDArray[np.bool_]
    cut: Array
    factor: Array

    @classmethod
    def of(cls, target: Target, blocks: NDArray[np.int64]) -> Partition:
        fixed = np.ones(target.n_frames, bool)
        for start, stop in blocks:
            fixed[start:stop] = False
        kept = target.gram.copy()
        for j in range(1, kept.shape[2]):
            kept[:-j, :, j] *= (~fixed[:-j] & ~fixed[j:])[:, None]
        return cls(blocks, fixed, target.gram - kept, target.factor(kept))

    def propose(self, target: Target, away: Array, noise: Array) -> Array:
        """Another way from the origin (n_frames, n_keypoints, 3), the fixed frames as they are; white noise alike."""
        step = np.sqrt(1 - _KEEP**2)
        shift = -(1 - _KEEP) * couple(self.cut, away)
        shift[self.fixed], noise = 0.0, np.where(self.fixed[:, None, None], 0.0, step * noise)
        vector = shift.reshape(-1)
        kernel: Any = _kernels_sampler.draw_band
        kernel(self.factor, vector, noise.reshape(-1))
        return np.where(self.fixed[:, None, None], away, _KEEP * away + vector.reshape(away.shape))


@dataclass(frozen=True, eq=False)
class Draw:
    """One draw of everything: positions, states, headings, inlier probabilities, and the share of accepted blocks."""

    points_3d: Array
    states: NDArray[np.int64]
    headings: Array
    inlier: Array
    accepted: Array


def gaussian_draws(target: Target, n_draws: int, rng: np.random.Generator) -> list[Array]:
    """Draws of the Gaussian itself: ways (n_frames, n_keypoints, 3) from the origin."""
    factor, ways = target.factor(target.gram), []
    kernel: Any = _kernels_sampler.draw_band
    for _ in range(n_draws):
        vector = np.zeros(target.origin.size)
        kernel(factor, vector, rng.normal(size=target.origin.size))
        ways.append(vector.reshape(target.origin.shape))
    return ways


def plan(target: Target, pilots: list[Place]) -> list[Partition]:
    """Two partitions whose gaps interleave; blocks are short where the Gaussian is far from the target.

    The variance of the log weights of draws of the Gaussian, summed over a block, gives how often the block will be
    accepted.
    """
    log_prior = target.states.log_probabilities
    states = [target.share * np.logaddexp.reduce(p.log_evidence + log_prior, axis=1) for p in pilots]
    weights = np.stack([p.log_weights + p.log_steps for p in pilots]) + np.stack(states)
    blocks = _cut(weights, target.order)
    if len(blocks) == 1:
        return [Partition.of(target, blocks)]
    edges = np.concatenate([[0], blocks.mean(axis=1).astype(int), [target.n_frames]])
    shifted = np.column_stack([edges[:-1], edges[1:] - target.order])
    shifted[-1, 1] = target.n_frames
    return [Partition.of(target, part) for part in (blocks, shifted[shifted[:, 1] > shifted[:, 0]])]


def _cut(weights: Array, gap: int) -> NDArray[np.int64]:
    """Blocks as long as the variance of the log weights (n_draws, n_frames), summed over a block, allows."""
    n_frames = weights.shape[1]
    total = np.pad(np.cumsum(weights, axis=1), ((0, 0), (1, 0)))
    blocks, start = [], 0
    while start < n_frames:
        stop = min(start + _SHORTEST, n_frames)
        while stop < min(start + _LONGEST, n_frames) and np.var(total[:, stop + 1] - total[:, start]) < _VARIANCE:
            stop += 1
        if n_frames - stop <= gap + _SHORTEST:
            stop = n_frames
        blocks.append((start, stop))
        start = stop + gap
    return np.array(blocks, np.int64)


def sweep(
    target: Target, partition: Partition, here: Place, rng: np.random.Generator
) -> tuple[Place, NDArray[np.bool_]]:
    """Every block proposed and decided once; also (n_blocks,) which moved."""
    there = target.at(partition.propose(target, here.away, rng.normal(size=here.away.shape)))
    accepted = np.zeros(len(partition.blocks), bool)
    model = target.states
    states = _kernels_sampler.StateChain(for_kernel(model.transitions), for_kernel(model.probabilities), target.share)
    log_uniform = np.log(rng.random(len(accepted)))
    kernel: Any = _kernels_sampler.accept_blocks
    kernel(_weights(here), _weights(there), states, target.order, partition.blocks, log_uniform, accepted)
    return here.moved(there, partition.blocks[accepted], target.order), accepted


def _weights(place: Place) -> _kernels_sampler.Weights:
    return _kernels_sampler.Weights(place.log_evidence, place.log_weights, place.log_steps)


def run_chain(
    target: Target,
    partitions: list[Partition],
    place: Place,
    n_warmup: int,
    n_samples: int,
    rng: np.random.Generator,
    tick: Callable[[], object] = lambda: None,
) -> Iterator[Draw]:
    """Draws of one chain from a place, each after a sweep of every partition."""
    moving = np.sum([~partition.fixed for partition in partitions], axis=0)
    for i in range(n_warmup + n_samples):
        accepted = np.zeros(target.n_frames)
        for partition in partitions:
            place, moved = sweep(target, partition, place, rng)
            for start, stop in partition.blocks[moved]:
                accepted[start:stop] += 1
        tick()
        if i >= n_warmup:
            yield _complete(target, place, accepted / moving, rng)


def _complete(target: Target, place: Place, accepted: Array, rng: np.random.Generator) -> Draw:
    """States and headings drawn from their distributions given the positions."""
    model, states = target.states, np.zeros(target.n_frames, np.int64)
    kernel: Any = _kernels_sampler.draw_states
    chain = for_kernel(model.transitions), for_kernel(model.probabilities)
    kernel(place.log_evidence, *chain, rng.random(target.n_frames), states)
    headings = target.headings(place.points_3d, states, rng)
    return Draw(place.points_3d, states, headings, place.inlier, accepted)
