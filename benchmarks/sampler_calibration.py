"""Simulation-based calibration of the exact sampler (Talts et al. 2018) on a small model whose prior can be drawn from.

Positions, states and headings from the prior (long chains of another sampler, Hamiltonian, with none of the library's
code), pixels given positions; then the rank of the truth among the sampler's draws, which is uniform if the draws are
from the posterior.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import i0e
from scipy.stats import chi2

from benchmarks.rings import make_rig
from muybridge.calibration import CameraRig
from muybridge.triangulate.pose_states.state_model import StateModel
from muybridge.triangulate.pose_states.window_states import FollowedPoses, PoseModel
from muybridge.triangulate.sampling.posterior_samples import draw_chains
from muybridge.triangulate.sampling.target_density import Target
from muybridge.triangulate.smoothing.bone_lengths import Bones
from muybridge.triangulate.smoothing.independent_tracks import TimePrior, smooth_in_time
from muybridge.triangulate.smoothing.modes.mode_search import find_mode
from muybridge.triangulate.smoothing.observations import Observations, observe_window
from muybridge.triangulate.smoothing.unsteady_motion import LOG_LEVELS

PAIRS = np.array([[0, 1], [1, 2], [1, 3]])  # bones (parent, child) of four keypoints: root, spine, head, arm
LENGTHS, STDS = np.array([40.0, 30.0, 35.0]), np.array([4.0, 3.0, 3.0])
ORDER, PROCESS_STD, REACH = 2, 3.0, 30.0  # mm; REACH is the anchor's standard deviation
SIGMA, INLIER, MISSING = 2.5, 0.9, 0.15
SIZE = (1280, 1024)
N_FRAMES, N_CAMERAS = 12, 3


@dataclass(frozen=True, eq=False)
class World:
    """The model's fixed parts: cameras and states (n_states, 3 bones)."""

    rig: CameraRig
    model: StateModel

    @classmethod
    def make(cls, seed: int = 0) -> World:
        rng = np.random.default_rng(seed)
        directions = rng.normal(size=(3, 3, 3))
        directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
        transitions = 0.7 * np.eye(3) + 0.1
        model = StateModel(directions, rng.uniform(2, 8, (3, 3)), np.array([0.5, 0.3, 0.2]), transitions)
        return cls(make_rig(N_CAMERAS, seed), model)

    def draw_states(self, points_3d, rng):
        """States and headings (n, n_frames) given points (n, n_frames, 4, 3)."""
        d = directions_of(points_3d)[0]
        weighted = self.model.concentrations[..., None] * self.model.directions
        A = d[..., 0] @ weighted[..., 0].T + d[..., 1] @ weighted[..., 1].T
        B = d[..., 1] @ weighted[..., 0].T - d[..., 0] @ weighted[..., 1].T
        R = np.hypot(A, B)
        kappa = self.model.concentrations
        log_e = np.log(kappa / np.sinh(kappa)).sum(axis=1) + d[..., 2] @ weighted[..., 2].T + np.log(i0e(R)) + R
        likely = np.exp(log_e - log_e.max(axis=2, keepdims=True))
        later = np.ones(likely.shape)
        for t in range(N_FRAMES - 2, -1, -1):
            later[:, t] = (likely[:, t + 1] * later[:, t + 1]) @ self.model.transitions.T
            later[:, t] /= later[:, t].sum(axis=1, keepdims=True)
        states, prior = np.zeros(likely.shape[:2], int), self.model.probabilities
        for t in range(N_FRAMES):
            cumulated = np.cumsum(prior * likely[:, t] * later[:, t], axis=1)
            states[:, t] = (cumulated < rng.random((len(likely), 1)) * cumulated[:, -1:]).sum(axis=1)
            prior = self.model.transitions[states[:, t]]
        A, B = (np.take_along_axis(part, states[..., None], axis=2)[..., 0] for part in (A, B))
        return states, rng.vonmises(np.arctan2(B, A), np.hypot(A, B))

    def force(self, points_3d, states, headings):
        """Log density over the time prior's given states and headings, and its gradient in the positions."""
        u, length = directions_of(points_3d)
        c, s = np.cos(headings)[..., None], np.sin(headings)[..., None]
        weighted = (self.model.concentrations[..., None] * self.model.directions)[states]
        x, y, z = np.moveaxis(weighted, -1, 0)
        pull = np.stack([c * x - s * y, s * x + c * y, z], axis=-1)
        deviation = (length - LENGTHS) / STDS
        along = (pull * u).sum(axis=-1)
        by_bone = (pull - along[..., None] * u) / length[..., None] - (deviation / STDS)[..., None] * u
        gradient = np.zeros(points_3d.shape)
        for b, (parent, child) in enumerate(PAIRS):
            gradient[..., child, :] += by_bone[..., b, :]
            gradient[..., parent, :] -= by_bone[..., b, :]
        return (along - 0.5 * deviation**2).sum(axis=(-1, -2)), gradient


def directions_of(points_3d):
    """Unit vectors (..., 3 bones, 3) from parent to child, and their lengths."""
    d = points_3d[..., PAIRS[:, 1], :] - points_3d[..., PAIRS[:, 0], :]
    length = np.linalg.norm(d, axis=-1)
    return d / length[..., None], length


def draw_prior(world: World, n: int, rng, n_rounds: int = 40, n_steps: int = 30, step: float = 0.05):
    """Positions (n, n_frames, 4, 3), states and headings (n, n_frames), each from a chain of its own.

    Hamiltonian moves of the positions in coordinates in which the time prior is white, and states and headings drawn
    given them (Neal 2011).
    """
    D = np.diff(np.eye(N_FRAMES), ORDER, axis=0)
    root = np.linalg.inv(np.linalg.cholesky(D.T @ D / PROCESS_STD**2 + np.eye(N_FRAMES) / REACH**2)).T

    def positions(white):
        return np.einsum("ij,njka->nika", root, white)

    white = rng.normal(size=(n, N_FRAMES, 4, 3))
    for _ in range(n_rounds):
        states, headings = world.draw_states(positions(white), rng)
        momentum, at = rng.normal(size=white.shape), white
        density, force = world.force(positions(at), states, headings)
        before = density - 0.5 * (at**2 + momentum**2).sum(axis=(1, 2, 3))
        size = step * rng.uniform(0.5, 1.2, (n, 1, 1, 1))
        for _ in range(n_steps):
            momentum = momentum + 0.5 * size * (np.einsum("ij,nika->njka", root, force) - at)
            at = at + size * momentum
            density, force = world.force(positions(at), states, headings)
            momentum = momentum + 0.5 * size * (np.einsum("ij,nika->njka", root, force) - at)
        after = density - 0.5 * (at**2 + momentum**2).sum(axis=(1, 2, 3))
        good = np.log(rng.random(n)) < after - before
        white = np.where(good[:, None, None, None], at, white)
    points_3d = positions(white)
    return points_3d, *world.draw_states(points_3d, rng)


def observe(world: World, points_3d, rng) -> Observations:
    """Pixels with noise, outliers anywhere in the image and gaps."""
    points_2d = world.rig.project(points_3d)
    points_2d = points_2d + rng.normal(0, SIGMA, points_2d.shape)
    wrong = rng.random(points_2d.shape[:-1]) > INLIER
    points_2d[wrong] = rng.uniform(0, SIZE, (wrong.sum(), 2))
    points_2d[rng.random(wrong.shape) < MISSING] = np.nan
    return Observations(
        arrays=world.rig.arrays,
        points_2d=points_2d,
        prior=np.full(wrong.shape, INLIER),
        sigma=np.full((N_CAMERAS, 4), SIGMA),
        scale=np.ones(wrong.shape),
        log_outlier=np.full((N_CAMERAS, 4), -np.log(np.prod(SIZE))),
        centre=np.zeros(3),
        anchor=REACH**-2.0,
        powers=np.ones((len(LOG_LEVELS), 4)),
        power=np.ones(wrong.shape[1:]),
    )


def target_of(world: World, observations: Observations) -> Target:
    """The posterior, about a mode found from the pixels alone."""
    prior, bones = (
        TimePrior(ORDER, np.full(4, PROCESS_STD**-2.0)),
        Bones.of_known_lengths(PAIRS, LENGTHS, STDS, np.ones(len(STDS))),
    )
    _, start, inliers = observe_window(observations, observations.points_2d, world.rig, None, observations.scale)
    tracks = smooth_in_time(observations, start, inliers, prior)
    every_frame_counts = 1.0  # frames per second
    poses = FollowedPoses(
        PoseModel(world.model, PAIRS[:, ::-1], np.eye(3), every_frame_counts), np.ones((N_FRAMES, len(PAIRS)))
    )
    first = find_mode(observations, tracks.points_3d, tracks.spread, prior, bones)
    mode = find_mode(observations, first.points_3d, np.zeros((N_FRAMES, 4, 3, 3)), prior, bones, poses)
    return Target.about(observations, prior, bones, poses, mode.points_3d)


def quantities(world: World, observations: Observations, points_3d, states, headings) -> dict[str, np.ndarray]:
    """Numbers of draws (..., n_frames, 4, 3) whose ranks are looked at."""
    projected = world.rig.project(points_3d.reshape(-1, 3)).reshape(N_CAMERAS, *points_3d.shape[:-1], 2)
    seen = observations.points_2d.reshape(N_CAMERAS, *[1] * (points_3d.ndim - 3), N_FRAMES, 4, 2)
    squared = ((projected - seen) ** 2).sum(axis=-1)
    inlier = INLIER * np.exp(-0.5 * squared / SIGMA**2) / (2 * np.pi * SIGMA**2)
    mixture = np.nan_to_num(np.log(inlier + (1 - INLIER) / np.prod(SIZE)))
    bone = np.linalg.norm(points_3d[..., 2, :] - points_3d[..., 1, :], axis=-1)
    return {
        "position, first frame": points_3d[..., 0, 3, 0],
        "position, middle": points_3d[..., 6, 2, 2],
        "speed": np.linalg.norm(points_3d[..., 6, 2, :] - points_3d[..., 5, 2, :], axis=-1),
        "bone length": bone[..., 8],
        "log likelihood": mixture.sum(axis=(0, -1, -2)),
        "roughness": (np.diff(points_3d, ORDER, axis=-3) ** 2).sum(axis=(-1, -2, -3)),
        "time in state 1": (states == 0).sum(axis=-1).astype(float),
        "heading": np.cos(headings[..., 5]),
    }


def ranks(world: World, n_worlds: int, n_draws: int, thin: int, seed: int = 0) -> dict[str, np.ndarray]:
    """(n_worlds,) rank of the truth among n_draws draws, 0 to n_draws, of every quantity; ties at random."""
    rng = np.random.default_rng(seed)
    found: dict[str, list] = {}
    for number, truth in enumerate(zip(*draw_prior(world, n_worlds, rng), strict=True)):
        observations = observe(world, truth[0], rng)
        drawn = draw_chains(target_of(world, observations), n_draws * thin, 1, seed + number)
        kept = [part[0, thin - 1 :: thin] for part in (drawn.points_3d, drawn.states, drawn.headings)]
        theirs, own = quantities(world, observations, *kept), quantities(world, observations, *truth)
        for name, values in theirs.items():
            below, equal = (values < own[name]).sum(), (values == own[name]).sum()
            found.setdefault(name, []).append(below + rng.integers(equal + 1))
    return {name: np.array(values) for name, values in found.items()}


def flatness(rank, n_draws: int, n_bins: int = 8) -> tuple[float, float]:
    """Chi-square of a rank histogram against a flat one, and its p-value; n_draws + 1 is a multiple of n_bins."""
    counts = np.bincount(rank * n_bins // (n_draws + 1), minlength=n_bins)
    expected = len(rank) / n_bins
    statistic = float(((counts - expected) ** 2 / expected).sum())
    return statistic, float(chi2.sf(statistic, n_bins - 1))
