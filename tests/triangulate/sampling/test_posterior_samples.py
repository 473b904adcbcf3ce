"""The exact sampler: against posteriors that are known, against planted truth, and on a ring of cameras."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.sampler_calibration import World, flatness, ranks
from muybridge.calibration import Camera, CameraRig
from muybridge.datasets import Skeleton
from muybridge.triangulate import PosePrior, infer_poses, sample_poses
from muybridge.triangulate.pose_states.state_model import StateModel
from muybridge.triangulate.pose_states.window_states import FollowedPoses, PoseModel
from muybridge.triangulate.sampling.posterior_samples import draw_chains
from muybridge.triangulate.sampling.target_density import Target
from muybridge.triangulate.smoothing.bone_lengths import Bones
from muybridge.triangulate.smoothing.independent_tracks import TimePrior
from muybridge.triangulate.smoothing.observations import Observations, linearise
from muybridge.triangulate.smoothing.unsteady_motion import LOG_LEVELS
from tests.conftest import look_at
from tests.triangulate.recordings import FPS, coverage, seen

FAR = 1e6  # mm: from there, projections are linear


def far_target():
    """Two keypoints seen by cameras so far away that the posterior is Gaussian, without bones and outliers; its
    covariance (54, 54) and mean. The proposal is put beside it, so that the decisions have work to do."""
    rng = np.random.default_rng(0)
    cameras = []
    for i in range(3):
        R, t = look_at((FAR * np.cos(2 * i), FAR * np.sin(2 * i), 0.4 * FAR))
        K = np.array([[FAR, 0, 500], [0, FAR, 500], [0, 0, 1.0]])
        cameras.append(Camera(f"cam_{i}", (1000, 1000), K, np.zeros(0), R, t))
    rig = CameraRig(tuple(cameras))
    truth = np.cumsum(rng.normal(0, 3, (9, 2, 3)), axis=0)
    points_2d = rig.project(truth) + rng.normal(0, 2, (3, 9, 2, 2))
    points_2d[:, 4] = np.nan
    shape = points_2d.shape[:3]
    sure, sigma, outside = np.full(shape, 1 - 1e-9), np.full((3, 2), 2.0), np.full((3, 2), -np.log(1e6))
    observations = Observations(
        rig.arrays,
        points_2d,
        sure,
        sigma,
        np.ones(shape),
        outside,
        np.zeros(3),
        1e-4,
        np.ones((len(LOG_LEVELS), 2)),
        np.ones((9, 2)),
    )
    none, prior = (
        Bones.of_known_lengths(np.zeros((0, 2), np.int64), *np.zeros((3, 0))),
        TimePrior(2, np.array([0.2, 0.05])),
    )
    D, seen_there = np.diff(np.eye(9), 2, axis=0), linearise(observations, truth)
    precision = np.zeros((9, 2, 3, 9, 2, 3))
    for k, a in np.ndindex(2, 3):
        precision[:, k, a, :, k, a] = prior.precisions[k] * D.T @ D + 1e-4 * np.eye(9)
    for t, k in np.ndindex(9, 2):
        precision[t, k, :, t, k] += seen_there.information[t, k]
    covariance = np.linalg.inv(precision.reshape(54, 54))
    mean = covariance @ seen_there.vector.reshape(-1)
    beside = mean + np.linalg.cholesky(covariance) @ rng.choice([-0.1, 0.1], 54)
    one_state = StateModel(np.zeros((1, 0, 3)), np.zeros((1, 0)), np.ones(1), np.ones((1, 1)))
    poses = FollowedPoses(PoseModel(one_state, none.pairs, np.eye(3), FPS), np.zeros((9, 0)))
    return Target.about(observations, prior, none, poses, beside.reshape(9, 2, 3)), mean, covariance


def test_a_gaussian_posterior_is_drawn_with_its_mean_and_covariance():
    target, mean, covariance = far_target()
    std = np.sqrt(np.diagonal(covariance))
    drawn = draw_chains(target, 1200, 2, seed=0).points_3d.reshape(2400, -1)
    assert np.abs((drawn.mean(axis=0) - mean) / std).max() < 0.14
    np.testing.assert_allclose(drawn.std(axis=0) / std, 1, atol=0.1)
    off = np.corrcoef(drawn.T) - covariance / np.outer(std, std)
    assert np.sqrt((off**2).mean()) < 0.05


def test_ranks_of_the_truth_among_the_draws_are_uniform():
    found = ranks(World.make(), 28, n_draws=15, thin=5, seed=1)
    for name, rank in found.items():
        assert flatness(rank, 15, 4)[1] > 0.01, (name, np.bincount(rank, minlength=16))


@pytest.mark.long
def test_ranks_of_the_truth_are_uniform_in_many_worlds():
    found = ranks(World.make(), 300, n_draws=31, thin=10, seed=1000)
    for name, rank in found.items():
        assert flatness(rank, 31, 16)[1] > 0.01, (name, np.bincount(rank, minlength=32))


def planted(n_frames=60):
    """A star of bones in one of three states at a slowly turning heading: prior, truth (mm), states and headings."""
    names = ("root", "a", "b", "c", "d")
    skeleton = Skeleton(names, tuple(("root", name) for name in names[1:]))
    rng = np.random.default_rng(5)
    directions = rng.normal(size=(3, 5, 3))
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    transitions = 0.94 * np.eye(3) + 0.02
    prior = PosePrior(
        skeleton, directions, np.full((3, 5), 60.0), np.full(3, 1 / 3), np.full(4, 50.0), np.full(4, 0.5), transitions
    )
    states, headings = np.repeat([0, 2, 1], n_frames // 3), np.linspace(-1, 1, n_frames)
    c, s, z = np.cos(headings), np.sin(headings), np.zeros(n_frames)
    turn = np.stack([np.stack([c, -s, z], -1), np.stack([s, c, z], -1), np.stack([z, z, z + 1], -1)], axis=1)
    points_3d = 50 * np.einsum("tij,tkj->tki", turn, directions[states])
    points_3d[:, 0] = 0
    return prior, points_3d, states, headings


def test_planted_states_and_headings_are_found(ring_rig):
    prior, truth, states, headings = planted()
    points_2d, confidence, _ = seen(ring_rig, truth)
    shared = {"fps": FPS, "confidence": confidence, "skeleton": prior.skeleton, "prior": prior}
    found = sample_poses(points_2d, ring_rig, **shared, n_samples=40, n_chains=2)
    assert (found.state_probabilities.argmax(axis=1) == states).mean() > 0.95
    mean = np.angle(np.exp(1j * found.headings).mean(axis=(0, 1)))
    assert np.abs(np.angle(np.exp(1j * (mean - headings)))).mean() < 0.1
    # a heading of four bones at this concentration is known to 1 / (2 · 60^½) or a little worse
    assert 0.04 < np.angle(np.exp(1j * (found.headings - headings))).std() < 0.2


@pytest.fixture(scope="module")
def ring_samples(ring_rig, skeleton, moving_skeleton):
    truth = moving_skeleton[:80]
    points_2d, confidence, wrong = seen(ring_rig, truth, seed=3)
    prior = PosePrior.fit(moving_skeleton, skeleton, 3)
    shared = {"fps": FPS, "confidence": confidence, "skeleton": skeleton, "prior": prior}
    drawn = sample_poses(points_2d, ring_rig, **shared, n_samples=150, n_chains=2)
    return truth, wrong, drawn, infer_poses(points_2d, ring_rig, **shared), points_2d, shared


def test_on_a_ring_the_draws_hold_the_truth_and_agree_with_the_gaussian_about_the_mode(ring_samples):
    truth, wrong, drawn, gaussian, points_2d, _ = ring_samples
    assert 0.9 < coverage(drawn.mean, drawn.covariance, truth) < 0.995  # 0.99 of two times 500 draws
    std = np.sqrt(gaussian.covariances_3d.trace(axis1=2, axis2=3))
    assert (np.linalg.norm(drawn.mean - gaussian.points_3d, axis=-1) / std).mean() < 0.15
    assert np.sqrt(drawn.covariance.trace(axis1=2, axis2=3) / std**2).mean() == pytest.approx(1, abs=0.05)
    pixel = np.isfinite(points_2d[..., 0])
    assert (drawn.inlier_probability[pixel & wrong] < 0.5).mean() > 0.95
    assert (drawn.inlier_probability[pixel & ~wrong] > 0.5).mean() > 0.99
    assert np.isnan(drawn.inlier_probability[~pixel]).all()
    assert drawn.acceptance.min() > 0.3


def test_how_far_the_draws_can_be_trusted_is_said(ring_samples):
    drawn = ring_samples[2]
    assert np.median(drawn.effective_sample_size) > 100
    assert np.nanquantile(drawn.r_hat, 0.9) < 1.05
    table = drawn.summary()
    assert table.index.tolist() == list(drawn.prior.skeleton.keypoints)
    assert any("effective sample size" in warning and "frame" in warning for warning in drawn.warnings)
    good = replace(drawn, effective_sample_size=drawn.effective_sample_size * 0 + 500, r_hat=drawn.r_hat * 0 + 1)
    assert good.warnings == ()


def test_the_same_seed_gives_the_same_draws_and_another_gives_others(ring_rig, ring_samples):
    points_2d, shared = ring_samples[4:]
    shared = shared | {"confidence": shared["confidence"][:, :15], "n_samples": 8, "n_chains": 2}
    a, b, c = (sample_poses(points_2d[:, :15], ring_rig, **shared, seed=seed) for seed in (0, 0, 1))
    assert (a.samples == b.samples).all()
    assert (a.headings == b.headings).all()
    assert (a.samples != c.samples).any()
    assert (a.samples[0] != a.samples[1]).any()


@pytest.mark.parametrize("n_frames", [1, 2, 5])
def test_a_few_frames_and_empty_keypoints_do_no_harm(ring_rig, skeleton, moving_skeleton, n_frames):
    points_2d = ring_rig.project(moving_skeleton[:n_frames])
    points_2d[:, :, 0] = np.nan
    prior = PosePrior.fit(moving_skeleton, skeleton, 2)
    drawn = sample_poses(
        points_2d, ring_rig, fps=FPS, skeleton=skeleton, prior=prior, n_samples=10, n_chains=1, progress=True
    )
    np.testing.assert_allclose(drawn.mean[:, 1:], moving_skeleton[:n_frames, 1:], atol=0.5)
    assert np.isnan(drawn.samples[..., 0, :]).all()
    assert np.isnan(drawn.effective_sample_size[:, 0]).all()
    assert drawn.samples.shape == (1, 10, n_frames, 7, 3)
    assert drawn.states.shape == drawn.headings.shape == (1, 10, n_frames)


def test_nothing_seen_gives_nothing(ring_rig, skeleton, moving_skeleton):
    prior = PosePrior.fit(moving_skeleton, skeleton, 2)
    drawn = sample_poses(
        np.full((6, 9, 7, 2), np.nan), ring_rig, fps=FPS, skeleton=skeleton, prior=prior, n_samples=8, n_chains=1
    )
    assert np.isnan(drawn.samples).all()
    assert drawn.warnings == ()
    assert len(drawn.summary()) == 7


def test_too_few_samples_and_a_rig_without_vertical_are_refused(ring_rig, skeleton, moving_skeleton):
    points_2d = ring_rig.project(moving_skeleton[:5])
    with pytest.raises(ValueError, match="at least one chain of 8"):
        sample_poses(points_2d, ring_rig, fps=FPS, skeleton=skeleton, n_samples=3)
    with pytest.raises(ValueError, match="at least one chain of 8"):
        sample_poses(points_2d, ring_rig, fps=FPS, skeleton=skeleton, n_chains=0)
    with pytest.raises(ValueError, match="vertical"):
        sample_poses(points_2d, replace(ring_rig, up=None), fps=FPS, skeleton=skeleton)
