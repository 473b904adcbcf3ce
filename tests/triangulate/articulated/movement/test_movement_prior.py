"""Joints that move together: learned from other recordings, and taken as far as the pixels are likelier with it."""

import json
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from muybridge.datasets import pose_dataset, views_dataset
from muybridge.triangulate import MovementPrior, fit_body, reconstruct, write_body
from muybridge.triangulate.articulated.arrow_system import ArrowSystem
from muybridge.triangulate.articulated.movement.angle_prior import AnglePrior
from muybridge.triangulate.articulated.movement.movement_choice import log_evidence
from muybridge.triangulate.articulated.movement.turn_covariance import TurnCovariance
from tests.conftest import make_ring_rig
from tests.triangulate.articulated.test_body_fit import BODY, FPS

TURNS = BODY.angle_names[4:]  # pitch, roll, head_pitch, head_yaw, thigh_swing, shank_bend


def trot(n_frames, rate=9.0, phase=0.0, fps=FPS):
    """Nods as the thigh swings, and the shank against it; all else hardly moves."""
    times = np.arange(n_frames) / fps
    wave, angles = np.sin(rate * times + phase), np.zeros((n_frames, BODY.plan.n_angles))
    angles[:, 0], angles[:, 2] = 100 * np.sin(times), 120
    angles[:, 4], angles[:, 5] = 0.03 * np.sin(5 * times + 1), 0.03 * np.sin(6 * times + 2)
    angles[:, 6], angles[:, 7] = 0.5 * wave, 0.03 * np.cos(7 * times)
    angles[:, 8], angles[:, 9] = 0.8 * wave, 0.9 - 0.6 * wave
    return angles


def seen(angles, rig, sigma, seed=0):
    pixels = rig.project(BODY.markers(angles))
    return pixels + np.random.default_rng(seed).normal(0, sigma, pixels.shape)


def other_runs(fps=FPS, n_frames=120):
    return [BODY.markers(trot(n_frames, rate, phase, fps)) for rate, phase in ((8.0, 0.3), (10.0, 1.9), (9.5, 4.0))]


@pytest.fixture(scope="module")
def prior():
    return MovementPrior.fit(other_runs(), BODY, fps=FPS)


@pytest.fixture(scope="module")
def rig():
    return make_ring_rig(3)


def correlation(prior, a, b):
    i, j = prior.turns.index(a), prior.turns.index(b)
    return prior.covariance[i, j] / np.sqrt(prior.covariance[i, i] * prior.covariance[j, j])


def angle_error(fit, angles):
    return float(np.sqrt(((fit.angles - angles)[:, 4:] ** 2).mean()))


def test_motion_capture_shows_which_joints_move_together(prior):
    assert correlation(prior, "thigh_swing", "head_pitch") > 0.9
    assert correlation(prior, "thigh_swing", "shank_bend") < -0.9
    assert abs(correlation(prior, "thigh_swing", "head_yaw")) < 0.3
    spread = np.sqrt(np.diag(prior.covariance))
    wanted = 9.2 * 0.8 / np.sqrt(2)  # of a wave of the thigh
    assert spread[TURNS.index("thigh_swing")] == pytest.approx(wanted, rel=0.1)


def test_the_frame_rate_of_the_recordings_does_not_matter(prior):
    slower = MovementPrior.fit(other_runs(60.0, 72), BODY, fps=60.0)
    np.testing.assert_allclose(slower.covariance, prior.covariance, atol=0.05 * np.diag(prior.covariance).max())


@pytest.mark.parametrize("fps", [60.0, 100.0])
def test_a_recording_that_moves_alike_is_nearer_with_the_prior_at_its_own_frame_rate(prior, rig, fps):
    angles = trot(round(0.4 * fps), 9.0, 0.7, fps)
    points_2d = seen(angles, rig, 8.0)
    plain, trained = (fit_body(points_2d, rig, fps=fps, body=BODY, prior=own) for own in (None, prior))
    assert trained.prior_share == 1.0
    assert np.isnan(plain.prior_share)
    assert angle_error(trained, angles) < 0.85 * angle_error(plain, angles)
    inside = np.abs(trained.angles - angles)[:, 4:] < 1.96 * trained.angles_std[:, 4:]
    assert inside.mean() > 0.9


def test_a_recording_that_moves_otherwise_is_fitted_as_without_the_prior(rig):
    angles = trot(40, 9.0, 0.7)
    points_2d = seen(angles, rig, 8.0)
    spreads = np.array([9.0, 9.0, 0.1, 9.0, 0.1, 0.1])  # what hardly moves here moves much there
    other = MovementPrior(TURNS, np.diag(spreads**2) + 0.9 * np.outer(spreads, spreads))
    plain, trained = (fit_body(points_2d, rig, fps=FPS, body=BODY, prior=own) for own in (None, other))
    assert np.isnan(trained.prior_share)
    np.testing.assert_allclose(trained.angles, plain.angles, atol=1e-9)


def test_wrong_correlations_are_left_out_and_variances_kept(prior, rig):
    variances = np.diag(prior.covariance)
    i, j = TURNS.index("thigh_swing"), TURNS.index("shank_bend")
    wrong = np.diag(variances)
    wrong[i, j] = wrong[j, i] = 0.97 * np.sqrt(variances[i] * variances[j])  # the shank bends with the thigh
    found = fit_body(seen(trot(40), rig, 8.0), rig, fps=FPS, body=BODY, prior=MovementPrior(TURNS, wrong))
    assert found.prior_share == 0.0


def test_a_fit_teaches_and_leaves_out_what_it_does_not_determine(rig):
    fit = fit_body(seen(trot(60), rig, 0.5), rig, fps=FPS, body=BODY)
    learned = MovementPrior.fit(fit)
    assert correlation(learned, "thigh_swing", "shank_bend") < -0.5
    blind = replace(fit, determined=fit.determined & (np.array(BODY.angle_names) != "head_yaw"))
    alone, i = MovementPrior.fit(blind), learned.turns.index("head_yaw")
    assert set(learned.turns) - set(alone.turns) == {"head_yaw"}
    assert MovementPrior.fit([fit, blind]).covariance[i, i] == pytest.approx(learned.covariance[i, i], rel=0.05)


def test_turns_are_matched_by_name():
    prior = MovementPrior(("shank_bend", "tail_wag", "thigh_swing"), [[4.0, 0.0, -1.0], [0.0, 9.0, 0.0], [-1, 0, 5]])
    with pytest.warns(UserWarning, match="lacks 4 of the 6 turns"):
        found = prior.for_body(BODY)
    i, j = TURNS.index("thigh_swing"), TURNS.index("shank_bend")
    assert found[i, j] == found[j, i] == -1.0
    assert found[i, i] == 5.0
    assert found[TURNS.index("roll"), TURNS.index("roll")] == 5.0  # the median


@pytest.mark.parametrize("turns", [("tail_wag",), ("pitch", "roll", "tail_wag")])
def test_the_prior_of_another_body_is_refused_although_every_root_pitches_and_rolls(turns):
    with pytest.raises(ValueError, match="none of the turns of body 'walker'"):
        MovementPrior(turns, np.eye(len(turns))).for_body(BODY)


def test_a_prior_that_lacks_few_turns_is_taken_silently(recwarn):
    MovementPrior(TURNS[:3], np.eye(3)).for_body(BODY)
    assert not recwarn


def test_a_pose_and_a_body_by_its_file_teach_as_points_do_and_empty_frames_do_not_count(prior, tmp_path):
    write_body(BODY, tmp_path / "walker.toml")
    gap = np.full((30, len(BODY.marker_names), 3), np.nan)
    poses = [
        pose_dataset(points, keypoints=BODY.marker_names, times=np.arange(len(points)) / FPS, unit="mm")
        for points in (np.concatenate([own, gap]) for own in other_runs())
    ]
    learned = MovementPrior.fit(poses, tmp_path / "walker.toml")
    assert learned.turns == prior.turns
    np.testing.assert_allclose(learned.covariance, prior.covariance, atol=0.02 * np.diag(prior.covariance).max())


def test_the_posterior_of_the_covariance_lies_between_the_trained_one_and_the_recordings():
    trained, own = np.diag([1.0, 4.0]), np.array([[2.0, 1.0], [1.0, 2.0]])
    few = TurnCovariance.of(trained, 1.0, 1.0).learned(own, np.zeros((2, 2)), 1)
    many = TurnCovariance.of(trained, 1.0, 1.0).learned(5000 * own, np.zeros((2, 2)), 5000)
    np.testing.assert_allclose(many.covariance, own, rtol=0.02)
    assert abs(few.covariance[0, 1]) < 0.1
    np.testing.assert_allclose(many.precision @ many.covariance, np.eye(2), atol=1e-12)


def test_the_evidence_equals_that_of_the_dense_gaussian():
    """Of angles seen with noise, against the density of what is seen."""
    n_frames, n = 8, BODY.plan.n_angles
    rng, variance = np.random.default_rng(0), 0.01
    observed = 0.1 * rng.normal(size=(n_frames, n))
    plain = AnglePrior.of(BODY, FPS, 2, np.zeros(3), order=2)
    wide = np.full(n, np.inf)
    plain = replace(plain, precisions=np.full(n, 50.0), level=np.full(n, 2.0), middle=np.zeros(n), low=-wide, high=wide)
    root = rng.normal(size=(n - 4, n - 4))
    joint = replace(plain, together=TurnCovariance.of(root @ root.T + np.eye(n - 4), 1.0, 0.02))

    def dense(prior):
        blocks, gradient = np.zeros((n_frames, 3, n, n)), np.zeros((n_frames, n))
        prior.add_to(blocks, gradient, np.zeros((n_frames, n)))
        precision = np.zeros((n_frames, n, n_frames, n))
        for t in range(n_frames):
            for lag in range(min(3, n_frames - t)):
                precision[t, :, t + lag], precision[t + lag, :, t] = blocks[t, lag], blocks[t, lag].T
        covariance = np.linalg.inv(precision.reshape(n_frames * n, -1)) + variance * np.eye(n_frames * n)
        flat = observed.ravel()
        return -0.5 * (flat @ np.linalg.solve(covariance, flat) + np.linalg.slogdet(covariance)[1]), precision

    blocks = np.zeros((n_frames, 3, n, n))
    blocks[:, 0] = np.eye(n) / variance
    pixels = ArrowSystem(blocks, np.zeros((n_frames, n, 0)), np.zeros((0, 0)), observed / variance, np.zeros(0),
                         np.ones((n_frames, n)))  # fmt: skip
    at = np.zeros((n_frames, n))
    (one, first), (two, second) = dense(joint), dense(plain)
    # the level, which is the same in both, makes the prior's determinant differ from that of the innovations alone
    levels = np.diff([np.linalg.slogdet(p.reshape(n_frames * n, -1))[1] for p in (second, first)])[0]
    levels -= joint.log_precision(n_frames) - plain.log_precision(n_frames)
    found = log_evidence(joint, pixels, at) - log_evidence(plain, pixels, at)
    assert found == pytest.approx(one - two - 0.5 * levels, abs=1e-6)


def test_the_cost_is_the_one_that_the_gradient_falls_along():
    prior = AnglePrior.of(BODY, FPS, 3, np.zeros(3))
    root = np.random.default_rng(1).normal(size=(6, 6))
    prior = replace(prior, together=TurnCovariance.of(root @ root.T + np.eye(6), 1.0, 0.1))
    angles = trot(12)
    blocks, gradient = np.zeros((12, 4, 10, 10)), np.zeros((12, 10))
    prior.add_to(blocks, gradient, angles)
    step = 1e-5 * np.random.default_rng(2).normal(size=angles.shape)
    change = prior.cost(angles + step) - prior.cost(angles - step)
    assert change == pytest.approx(-2 * float((gradient * step).sum()), rel=1e-5)


def test_reconstruct_takes_it(prior, rig):
    points_2d = seen(trot(40), rig, 4.0)
    views = views_dataset(points_2d, cameras=rig.names, keypoints=BODY.marker_names, times=np.arange(40) / FPS)
    own = fit_body(points_2d, rig, fps=FPS, body=BODY, confidence=np.ones(points_2d.shape[:-1]), prior=prior)
    pose = reconstruct(views, rig, method="articulated", body=BODY, prior=prior)
    np.testing.assert_allclose(pose["position"].values, own.points_3d, atol=1e-6)
    assert pose.attrs["prior_share"] == own.prior_share == 1.0


def test_several_animals_have_what_was_taken_and_their_lengths_by_name(prior, rig):
    """Those of the first one stood for all."""
    runs = [seen(trot(20, phase=phase), rig, 2.0) for phase in (0.7, 2.0)]
    known = {"cameras": rig.names, "keypoints": BODY.marker_names, "times": np.arange(20) / FPS}
    views = xr.concat([views_dataset(own, **known) for own in runs], dim="individual").assign_coords(
        individual=["a", "b"]
    )
    pose = reconstruct(views, rig, method="articulated", body=BODY, prior=prior)
    assert len(pose.attrs["prior_share"]) == 2
    assert set(json.loads(pose.attrs["bone_lengths"])) == {f"{own} {n}" for own in "ab" for n in BODY.length_names}
    with pytest.raises(TypeError, match=r"MovementPrior; pose states take a PosePrior"):
        reconstruct(views, rig, method="gimbal", skeleton=BODY.skeleton, prior=prior)


def test_it_survives_its_file(prior, tmp_path):
    prior.save(tmp_path / "trot.npz")
    again = MovementPrior.load(tmp_path / "trot.npz")
    assert again.turns == prior.turns
    np.testing.assert_array_equal(again.covariance, prior.covariance)
    np.savez(tmp_path / "other.npz", turns=np.array(["a"]))
    with pytest.raises(ValueError, match="not a movement prior"):
        MovementPrior.load(tmp_path / "other.npz")


@pytest.mark.parametrize(
    ("turns", "covariance", "words"),
    [
        (("a", "a"), np.eye(2), "repeat"),
        (("a", "b"), np.eye(3), "expected"),
        (("a", "b"), [[1, 2], [2, 1]], "positive definite"),
        (("a", "b"), [[1, np.nan], [np.nan, 1]], "finite"),
        (("a", "b"), [[1, 1 - 1e-9], [1 - 1e-9, 1]], "nearly not"),
        (("a", "b"), [["x", 0], [0, 1]], "no matrix of numbers"),
        ("ab", np.eye(2), "list of names"),
    ],
)
def test_a_prior_that_is_none_is_refused(turns, covariance, words):
    with pytest.raises(ValueError, match=words):
        MovementPrior(turns, covariance)


def test_recordings_that_cannot_teach_are_refused(rig):
    points = other_runs()[0]
    for recordings, options, words in (
        ([], {}, "no recordings"),
        (points, {"fps": FPS}, "need body="),
        (points, {"body": BODY}, "need body="),
        (points[:2], {"body": BODY, "fps": FPS}, "3 frames at least"),
        ([points, np.full_like(points, np.nan)], {"body": BODY, "fps": FPS}, "recording 2 of 2: 0 frames"),
        (np.tile(points[:1], (20, 1, 1)), {"body": BODY, "fps": FPS}, "no recording shows any angle that moves"),
        (points, {"body": BODY, "fps": "60"}, "fps is '60'"),
        (points, {"body": BODY, "fps": FPS, "keypoints": ["neck"]}, "there are 1 names"),
    ):
        with pytest.raises(ValueError, match=words):
            MovementPrior.fit(recordings, **options)
    with pytest.raises(TypeError, match="a recording is str"):
        MovementPrior.fit("trot.npz", BODY, fps=FPS)
    with pytest.raises(TypeError, match=r"MovementPrior\.fit"):
        fit_body(seen(trot(20), rig, 1.0), rig, fps=FPS, body=BODY, prior=np.eye(6))
