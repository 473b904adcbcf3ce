"""Errors that last: estimated from residuals, carried into positions and derivatives, against sums written out."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2

from benchmarks.real import FLY, FLY_FILES, MISPLACED
from benchmarks.real_recordings import rat
from muybridge.calibration import CameraRig, read_rig
from muybridge.datasets import Skeleton, combine_ensemble
from muybridge.formats import read_views
from muybridge.triangulate import DetectorNoise, reconstruct, smooth
from muybridge.triangulate.noise.lasting_errors import COMMON_SHARE
from muybridge.triangulate.smoothing import _kernels_smooth
from muybridge.triangulate.smoothing.correlated_noise import CorrelatedNoise, Filter
from muybridge.triangulate.smoothing.difference_prior import stencil
from muybridge.triangulate.smoothing.long_recordings.learning import learn
from muybridge.triangulate.smoothing.smoother import check_problem
from muybridge.triangulate.smoothing.unsteady_motion import LOG_LEVELS, USUAL, steady
from tests.conftest import make_moving_points
from tests.helpers import needs_shared
from tests.triangulate.recordings import FPS, coverage, relative_variance, squared_distances


def autoregressive(rng, shape, std, frames):
    """Errors (n_cameras, n_frames, ...) of this standard deviation whose correlation falls by e in so many frames."""
    keep = np.exp(-1 / frames)
    errors = rng.normal(0, std, shape)
    for t in range(1, shape[1]):
        errors[:, t] = keep * errors[:, t - 1] + np.sqrt(1 - keep**2) * errors[:, t]
    return errors


@pytest.fixture(scope="module")
def truth(skeleton):
    return make_moving_points(skeleton, 600, fps=FPS)


def learned_from(rig, points_2d):
    return learn(check_problem(points_2d, rig, FPS, None, None, None))


def test_the_correlation_of_errors_is_estimated(ring_rig, truth):
    rng = np.random.default_rng(0)
    shape = (6, *truth.shape[:2], 2)
    white = learned_from(ring_rig, ring_rig.project(truth) + rng.normal(0, 1, shape))
    assert (white.noise.lasting < 0.1).all()
    np.testing.assert_allclose(white.observations.power, 1, atol=0.1)
    lasting = learned_from(ring_rig, ring_rig.project(truth) + autoregressive(rng, shape, 2.0, 5.0))
    assert np.median(lasting.noise.lasting) > 0.8
    times = -1 / np.log(lasting.noise.correlation)
    assert 3 < np.median(times) < 8
    both = autoregressive(rng, shape, 1.0, 5.0) + rng.normal(0, 1, shape)
    mixed = learned_from(ring_rig, ring_rig.project(truth) + both)
    assert 0.35 < np.median(mixed.noise.lasting) < 0.65


@pytest.mark.parametrize("frames", [0.0, 5.0])
def test_the_mean_of_smoothed_errors_has_the_variance_of_so_many_independent_ones(frames):
    """Errors that last pass the filter; the variance of means over 1,000 frames against the time stated."""
    n, keep = 400_000, np.exp(-1 / frames) if frames else 0.0
    errors = autoregressive(np.random.default_rng(0), (1, n), 1.0, frames)[0] if frames else (
        np.random.default_rng(0).normal(size=n)
    )  # fmt: skip
    smoother, one = Filter(2, np.array([50.0])), np.ones(1)
    change = 2 - 2 * np.cos(np.pi * np.linspace(0, 1, n // 2 + 1))
    smoothed = np.fft.irfft(np.fft.rfft(errors) / (1 + 50.0 * change**2), n)
    means = smoothed.reshape(-1, 1000).mean(axis=1)
    noise = CorrelatedNoise(one * (not frames), one * bool(frames), keep * one, 0 * one, 0 * one, 0 * one)
    stated = noise.smoothed_times(smoother, one)[0]
    assert 1000 * means.var() / smoothed.var() == pytest.approx(stated, rel=0.15)


def test_a_share_that_never_changes_is_found_and_belongs_to_positions_only(ring_rig, truth):
    rng = np.random.default_rng(1)
    shape = (6, *truth.shape[:2], 2)
    constant = rng.normal(0, 3, (6, 1, truth.shape[1], 2))
    learned = learned_from(ring_rig, ring_rig.project(truth) + constant + rng.normal(0, 1, shape))
    found = learned.noise.constant * (learned.observations.sigma**2).mean(axis=0)
    assert 0.8 < np.median(found / (constant**2).mean(axis=(0, 1, 3))) < 1.25
    without = learned_from(ring_rig, ring_rig.project(truth) + rng.normal(0, 1, shape))
    assert np.sqrt(learned.displacement.trace(axis1=1, axis2=2)).mean() > 5 * np.sqrt(
        without.displacement.trace(axis1=1, axis2=2).mean() + 1e-6
    )
    track = smooth(ring_rig.project(truth) + constant + rng.normal(0, 1, shape), ring_rig, fps=FPS)
    velocity = np.gradient(truth, 1 / FPS, axis=0)[3:-3]
    z = squared_distances(track.velocities[3:-3], track.velocity_covariances[3:-3], velocity)
    assert 0.5 < z.mean() / 3 < 1.5


@pytest.mark.parametrize("white", [0.0, 1.0])
def test_error_bars_hold_where_errors_last(ring_rig, skeleton, truth, white):
    rng = np.random.default_rng(2)
    shape = (6, *truth.shape[:2], 2)
    points_2d = ring_rig.project(truth) + autoregressive(rng, shape, 2.0, 5.0) + rng.normal(0, white, shape)
    for options in ({}, {"skeleton": skeleton}):
        track = smooth(points_2d, ring_rig, fps=FPS, **options)
        # these views share nothing: what is meant for it is taken away
        own = track.covariances_3d - track.shared_std[:, None, None] ** 2 * np.eye(3)
        assert 0.88 < coverage(track.points_3d, own, truth) < 0.99
        assert 0.6 < relative_variance(track.points_3d, own, truth) < 1.5
        velocity = np.gradient(truth, 1 / FPS, axis=0)[3:-3]
        z = squared_distances(track.velocities[3:-3], track.velocity_covariances[3:-3], velocity)
        assert 0.6 < np.sqrt(z.mean() / 3) < 1.1  # velocities have their share of it, too


def test_error_bars_hold_where_all_views_share_a_part_of_what_lasts(ring_rig, skeleton, truth):
    """The label follows another place than the keypoint, in all views alike: no residual shows it."""
    rng = np.random.default_rng(5)
    shape, pixels = (6, *truth.shape[:2], 2), ring_rig.arrays.K[0, 0, 0] / np.linalg.norm(ring_rig.centers[0])
    shared = autoregressive(rng, (1, *truth.shape), np.sqrt(COMMON_SHARE) * 2.0 / pixels, 5.0)[0]
    points_2d = ring_rig.project(truth + shared) + autoregressive(rng, shape, 2.0, 5.0) + rng.normal(0, 1, shape)
    for options in ({}, {"skeleton": skeleton}):
        track = smooth(points_2d, ring_rig, fps=FPS, **options)
        own = track.covariances_3d - track.shared_std[:, None, None] ** 2 * np.eye(3)
        assert 0.92 < coverage(track.points_3d, track.covariances_3d, truth) < 0.985
        assert coverage(track.points_3d, own, truth) < 0.9
        velocity = np.gradient(truth, 1 / FPS, axis=0)[3:-3]
        z = squared_distances(track.velocities[3:-3], track.velocity_covariances[3:-3], velocity)
        assert 0.6 < np.sqrt(z.mean() / 3) < 1.1  # velocities have their share of it, too


def test_velocities_and_accelerations_of_smooth_motion_hold_under_white_noise(ring_rig, truth):
    points_2d = ring_rig.project(truth) + np.random.default_rng(8).normal(0, 1, (6, *truth.shape[:2], 2))
    track, inner = smooth(points_2d, ring_rig, fps=FPS), slice(3, -3)
    velocity, acceleration = np.gradient(truth, 1 / FPS, axis=0), np.zeros_like(truth)
    acceleration[1:-1] = np.diff(truth, 2, axis=0) * FPS**2
    for found, covariances, true in (
        (track.velocities, track.velocity_covariances, velocity),
        (track.accelerations, track.acceleration_covariances, acceleration),
    ):
        assert 0.8 < np.sqrt(squared_distances(found[inner], covariances[inner], true[inner]).mean() / 3) < 1.2


def test_soft_bones_are_not_taken_for_rigid_ones(ring_rig, skeleton, truth):
    rng = np.random.default_rng(3)
    times, soft = np.arange(len(truth)) / FPS, truth.copy()
    for child, parent in enumerate(skeleton.parents):
        if parent >= 0:
            bone = truth[:, child] - truth[:, parent]
            swing = 1.5 * np.sqrt(2) * np.sin(2 * np.pi * rng.uniform(1, 3) * times + rng.uniform(0, 6))
            soft[:, child] += bone / np.linalg.norm(bone, axis=1, keepdims=True) * swing[:, None]
    points_2d = ring_rig.project(soft) + rng.normal(0, 1, (6, *soft.shape[:2], 2))
    track = smooth(points_2d, ring_rig, fps=FPS, skeleton=skeleton)
    assert 0.92 < coverage(track.points_3d, track.covariances_3d, soft) < 0.99


def test_a_noise_that_is_given_replaces_what_is_estimated(ring_rig, truth):
    rng = np.random.default_rng(4)
    bias = rng.normal(0, 5, (6, 1, truth.shape[1], 2))
    points_2d = ring_rig.project(truth) + bias + rng.normal(0, 1, (6, *truth.shape[:2], 2))
    learned = DetectorNoise.fit(points_2d[:, :300], truth[:300], ring_rig)
    plain, told = (smooth(points_2d, ring_rig, fps=FPS, noise=noise) for noise in (None, learned))
    errors = [np.median(np.linalg.norm(found.points_3d - truth, axis=-1)) for found in (plain, told)]
    assert errors[1] < 0.5 * errors[0]
    np.testing.assert_allclose(told.sigma, np.hypot(learned.inlier_std, learned.bias_std))
    assert 0.9 < coverage(told.points_3d, told.covariances_3d, truth) < 0.999
    others = replace(learned, cameras=tuple(f"other_{c}" for c in range(6)))
    with pytest.raises(ValueError, match="knows the cameras"):
        smooth(points_2d, ring_rig, fps=FPS, noise=others)


def test_a_recording_of_few_frames_or_views_is_solved(ring_rig, truth):
    rng = np.random.default_rng(5)
    points_2d = ring_rig.project(truth[:12]) + rng.normal(0, 1, (6, 12, truth.shape[1], 2))
    for n_frames in (1, 2, 5, 12):
        track = smooth(points_2d[:, :n_frames], ring_rig, fps=FPS)
        assert np.isfinite(track.points_3d).all()
        assert np.isfinite(track.covariances_3d).all()
    pair = ring_rig.subset(ring_rig.names[:2])
    assert np.isfinite(smooth(points_2d[:2], pair, fps=FPS).covariances_3d).all()
    twins = CameraRig((ring_rig[0], replace(ring_rig[0], name="twin"), ring_rig[1]))  # two views, but no depth
    points_2d = points_2d[[0, 0, 1]]
    points_2d[2, 3:5] = np.nan
    assert np.isfinite(smooth(points_2d, twins, fps=FPS).points_3d).all()


def test_the_evidence_of_errors_that_last_is_that_of_the_dense_matrices():
    """The log evidence of two precisions differs as that of the Gaussian written out over all frames."""
    rng = np.random.default_rng(6)
    n, order, anchor, lasting, white, keep = 9, 2, 0.3, 0.7, 0.3, 0.8
    half = rng.normal(size=(n, 3, 3))
    information = half @ half.swapaxes(1, 2) + np.eye(3)
    information[4] = 0.0  # a frame without an observation
    seen = np.flatnonzero(information.any(axis=(1, 2)))
    observed = rng.normal(size=(n, 3))
    vector = np.einsum("tij,tj->ti", information, observed)
    lags = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    correlation = lasting * keep**lags + white * np.eye(n)
    noise = np.zeros((n, 3, n, 3))
    roots = [np.linalg.inv(np.linalg.cholesky(information[t])).T if t in seen else None for t in range(n)]
    for s in seen:
        for t in seen:
            noise[s, :, t] = roots[s] @ roots[t].T * correlation[s, t]
    noise = noise[seen][:, :, seen].reshape(3 * len(seen), -1)
    D = np.diff(np.eye(n), order, axis=0)

    def dense(precision):
        prior = np.kron(np.linalg.inv(precision * D.T @ D + anchor * np.eye(n)), np.eye(3))
        rows = (3 * seen[:, None] + np.arange(3)).ravel()
        covariance = noise + prior[np.ix_(rows, rows)]
        z = observed[seen].ravel()
        return -0.5 * (np.linalg.slogdet(covariance)[1] + z @ np.linalg.solve(covariance, z))

    def banded(precision):
        gram = _kernels_smooth.weighted_gram(stencil(order), np.full(n, precision))
        return _kernels_smooth.lasting_evidence(information, vector, gram, anchor, lasting, white, keep)

    assert banded(5.0) - banded(0.2) == pytest.approx(dense(5.0) - dense(0.2), rel=1e-9)


def test_what_passes_a_filter_is_the_sum_over_its_frequencies():
    """The variance of a position and its derivatives, from the smoother's matrix and the errors' covariance."""
    n, order, stiffness, lasting, keep = 400, 2, 50.0, 0.6, 0.8
    noise = CorrelatedNoise(
        np.array([1 - lasting]), np.array([lasting]), np.array([keep]), np.zeros(1), np.array([3.0]), np.array([2.0])
    )
    smoother = Filter(order, np.array([stiffness]))
    power = noise.power(smoother, 1.0)
    D = np.diff(np.eye(n), order, axis=0)
    posterior = np.linalg.inv(power[0] * np.eye(n) + stiffness * D.T @ D)
    lags = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    errors = lasting * keep**lags + (1 - lasting) * np.eye(n)
    gain = power[0] * posterior
    prior = posterior - gain @ gain.T / power[0]  # what the prior adds to the error, whatever the noise
    true, middle = gain @ errors @ gain.T + prior, n // 2
    assert true[middle, middle] == pytest.approx(posterior[middle, middle], rel=0.01)
    central = np.zeros(n)
    central[[middle - 1, middle + 1]] = -0.5, 0.5
    second = np.zeros(n)
    second[[middle - 1, middle, middle + 1]] = 1, -2, 1
    powers = noise.powers(smoother, 1.0)
    factors = noise.derivative_factors(smoother, powers, np.ones((len(LOG_LEVELS), 1)))
    np.testing.assert_allclose(powers[USUAL], power)
    for weights, factor in zip((central, second), factors, strict=True):
        assert factor[USUAL, 0] == pytest.approx(weights @ true @ weights / (weights @ posterior @ weights), rel=0.02)
    shared = 2.0**2 * gain @ keep**lags @ gain.T
    position, velocity, acceleration = noise.common_variances(smoother, power)
    assert position[0] == pytest.approx(3.0**2 + shared[middle, middle], rel=0.01)
    for weights, variance in ((central, velocity), (second, acceleration)):
        assert variance[0] == pytest.approx(weights @ shared @ weights, rel=0.02)


def smoothed(observed, order, stiffness):
    """Points (n_frames, n_keypoints, 3) of least squared distances plus stiffness times squared differences."""
    D = np.diff(np.eye(len(observed)), order, axis=0)
    solved = np.linalg.solve(np.eye(len(observed)) + stiffness * D.T @ D, observed.reshape(len(observed), -1))
    return solved.reshape(observed.shape)


def test_the_share_of_the_motion_beyond_the_filter_is_one_under_the_prior_little_of_slow_and_more_of_swaying_motion():
    rng, n, order, std = np.random.default_rng(9), 601, 2, 0.05
    stiffness, n_keypoints, time = std**-2.0, 6, np.arange(601)[:, None, None]
    rough = np.cumsum(np.cumsum(rng.normal(0, std, (n, n_keypoints, 3)), axis=0), axis=0)
    phase = rng.uniform(0, 6, (n_keypoints, 3))
    slow, swaying = 30 * np.sin(time / 40 + phase), np.sin(time / 5 + phase)  # half gain at 1 / 4.5
    mixed = np.where(np.arange(n_keypoints)[:, None] < 3, slow, swaying)
    nothing, filtered = CorrelatedNoise.independent(n_keypoints), Filter(order, np.full(n_keypoints, stiffness))
    ones, precisions = np.ones((len(LOG_LEVELS), n_keypoints)), np.full(n_keypoints, stiffness)
    for motion, least, most in ((rough, 0.5, 1.6), (slow, 0.0, 0.25), (swaying, 3.0, 15.0), (mixed, None, None)):
        points_3d = smoothed(motion + rng.normal(size=motion.shape), order, stiffness)
        shares = nothing.motion_shares(filtered, ones, precisions, points_3d, steady([n], order), [n])[USUAL]
        if least is not None:
            assert (shares >= least).all()
            assert (shares < most).all()
    assert shares[:3].max() < 0.3 * shares[3:].min()  # each keypoint has its own


def test_keypoints_that_nobody_sees_have_no_noise(ring_rig, truth):
    points_2d = ring_rig.project(truth) + np.random.default_rng(7).normal(0, 1, (6, *truth.shape[:2], 2))
    points_2d[:, :, 2] = np.nan
    track = smooth(points_2d, ring_rig, fps=FPS)
    assert np.isnan(track.points_3d[:, 2]).all()
    assert np.isfinite(np.delete(track.covariances_3d, 2, axis=1)).all()
    names = tuple("abcdefg")
    assert np.isnan(smooth(points_2d, ring_rig, fps=FPS, skeleton=Skeleton(names, (("a", "b"),))).points_3d[:, 2]).all()


@pytest.mark.shared
@needs_shared
def test_regions_of_a_real_rat_hold_the_motion_capture():
    recording = rat()
    counted = [name not in MISPLACED for name in recording.skeleton.keypoints]
    for options in ({}, {"skeleton": recording.skeleton}):
        found = smooth(recording.points_2d, recording.rig, fps=recording.fps, **options)
        held = coverage(found.points_3d[:, counted], found.covariances_3d[:, counted], recording.truth[:, counted])
        assert 0.88 < held < 0.98


@pytest.mark.shared
@needs_shared
def test_a_slow_movement_seen_by_two_cameras_is_not_taken_for_errors_that_last():
    rig = read_rig(FLY / "calibration.toml")
    files = {name: [FLY / FLY_FILES.format(name, i) for i in range(3)] for name in rig.names}
    views = combine_ensemble(read_views(files, fps=300.0))
    pair = ["Cam-A", "Cam-C"]
    target, sizes = views.sel(view="Cam-B"), {}
    for method in ("ransac", "smooth"):
        pose = reconstruct(views.sel(view=pair), rig.subset(pair), method=method, check_coverage=False)
        off = target["position"].values - rig["Cam-B"].project(pose["position"].values)
        jacobian = rig["Cam-B"].project_jacobian(pose["position"].values)
        spread = np.einsum("...ij,...jk,...lk->...il", jacobian, pose["covariance"].values, jacobian)
        squares = np.einsum(
            "...i,...i->...", off, np.linalg.solve(spread + target["covariance"].values, off[..., None])[..., 0]
        )
        sizes[method] = np.linalg.norm(off, axis=-1).mean()
    assert sizes["smooth"] < 1.03 * sizes["ransac"]
    assert 0.90 < np.mean(squares < chi2.ppf(0.95, 2)) < 0.98
