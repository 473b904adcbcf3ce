"""Parts of the smoother against plain numpy, and what its prior in time and its second sides are for."""

from dataclasses import replace

import numpy as np
import pytest

from muybridge.triangulate import smooth
from muybridge.triangulate.smoothing import _kernels_smooth
from muybridge.triangulate.smoothing.bone_lengths import measure_bones
from muybridge.triangulate.smoothing.difference_prior import (
    smooth_tracks,
    stencil,
    tune_precisions,
)
from muybridge.triangulate.smoothing.independent_tracks import Tracks
from muybridge.triangulate.smoothing.joint_mode import AlternativeMode, joint_posterior
from muybridge.triangulate.smoothing.long_recordings.learning import learn
from muybridge.triangulate.smoothing.long_recordings.overlapping_windows import open_window
from muybridge.triangulate.smoothing.long_recordings.tracked_frames import track_frames, windows
from muybridge.triangulate.smoothing.modes.mode_search import converge_near, find_mode
from muybridge.triangulate.smoothing.modes.ray_alternatives import reflected
from muybridge.triangulate.smoothing.observations import linearise
from muybridge.triangulate.smoothing.perturbed_solutions import draw_noise
from muybridge.triangulate.smoothing.smoother import check_problem
from muybridge.triangulate.smoothing.unsteady_motion import row_precisions, steady, with_jumps
from tests.triangulate.recordings import FPS, coverage, seen


def some_information(rng, *shape):
    half = rng.normal(size=(*shape, 3, 3))
    return half @ half.swapaxes(-1, -2)


def test_the_gram_is_that_of_the_weighted_differences():
    rng = np.random.default_rng(0)
    for order in (1, 2, 4):
        rows = rng.uniform(0.1, 2, 12)
        differences = np.diff(np.eye(12), order, axis=0)
        dense = differences.T @ np.diag(rows[: 12 - order]) @ differences
        gram = _kernels_smooth.weighted_gram(stencil(order), rows)
        for lag in range(order + 1):
            np.testing.assert_allclose(gram[: 12 - lag, lag], dense.diagonal(lag), atol=1e-12)


def test_surprise_is_the_innovation_of_what_the_rest_expects():
    rng = np.random.default_rng(1)
    own, rest = some_information(rng, 4, 2), some_information(rng, 4, 2)
    place, expected = rng.normal(size=(4, 2, 3)), rng.normal(size=(4, 2, 3))
    own[2, 1] = 0
    posterior = np.linalg.inv(own + rest)
    mean = np.einsum("...ij,...j->...i", own, place) + np.einsum("...ij,...j->...i", rest, expected)
    mean = np.einsum("...ij,...j->...i", posterior, mean)
    vector, chi2 = np.einsum("...ij,...j->...i", own, place), np.empty((4, 2))
    _kernels_smooth.innovation_chi2(own, vector, mean, posterior, 0, 4, chi2)
    assert chi2[2, 1] == 0
    own[2, 1] = np.eye(3)
    away = place - expected
    wanted = np.einsum("...i,...ij,...j->...", away, np.linalg.inv(np.linalg.inv(own) + np.linalg.inv(rest)), away)
    wanted[2, 1] = 0
    np.testing.assert_allclose(chi2, wanted, rtol=1e-5)


def test_a_push_of_the_whole_body_is_found_and_does_not_loosen_the_tracks(ring_rig, moving_skeleton):
    pushed = moving_skeleton.copy()
    pushed[100:] += np.cumsum(np.full((100, 1, 3), [0.0, 3.0, 0.0]), axis=0)  # 300 mm/s from one frame to the next
    points_2d, confidence, _ = seen(ring_rig, pushed)
    learned = learn(check_problem(points_2d, ring_rig, FPS, confidence, None, None))
    added = learned.tracks.changes[:, 1]
    found = np.flatnonzero(np.isfinite(added) & (added > 0))
    assert len(found)
    assert (abs(found + learned.prior.order / 2 - 100) < 5).all()
    calm, calm_confidence, _ = seen(ring_rig, moving_skeleton)
    still = learn(check_problem(calm, ring_rig, FPS, calm_confidence, None, learned.prior.order))
    assert not np.nan_to_num(still.tracks.changes[:, 1], posinf=0).any()
    ratio = np.median(learned.prior.precisions / still.prior.precisions)
    assert 0.1 < ratio < 10
    track = smooth(points_2d, ring_rig, fps=FPS, confidence=confidence)
    near = slice(95, 106)
    assert 0.85 < coverage(track.points_3d[near], track.covariances_3d[near], pushed[near]) < 0.99


@pytest.mark.parametrize("seed", [5, 6, 7])
def test_no_keypoint_of_a_short_recording_is_taken_for_rigid(seed):
    # half a second of noisy tracks: the evidence of some, by itself, is largest for a tenth of their movement
    rng, n_frames, n_keypoints = np.random.default_rng(seed), 33, 24
    stds = np.exp(rng.normal(0.0, 0.4, n_keypoints))
    tracks = np.cumsum(np.cumsum(rng.normal(0, 1, (n_frames, n_keypoints, 3)) * stds[:, None], axis=0), axis=0)
    information = np.broadcast_to(np.eye(3) / 30.0**2, (n_frames, n_keypoints, 3, 3)).copy()
    vector = (tracks + rng.normal(0, 30.0, tracks.shape)) / 30.0**2
    changes = steady([n_frames], 2)
    precisions, _ = tune_precisions(information, vector, 2, changes, 1e-9)
    ratios = 1 / np.sqrt(precisions) / stds
    assert ratios.min() > 0.3
    assert 0.7 < np.median(ratios) < 1.4
    means, covariances, _ = smooth_tracks(information, vector, 2, changes, precisions, 1e-9)
    errors = means - tracks
    squares = np.einsum("tki,tkij,tkj->tk", errors, np.linalg.inv(covariances[:, :, 0]), errors)
    assert 0.91 < np.mean(squares < 7.815) < 0.98


def test_without_a_push_none_is_found():
    rng = np.random.default_rng(3)
    order, precisions = 2, np.array([25.0, 100.0, 400.0])
    steps = rng.normal(size=(400, 3, 3)) / np.sqrt(precisions)[:, None]
    truth = np.cumsum(np.cumsum(steps, axis=0), axis=0)
    information = np.broadcast_to(np.eye(3), (400, 3, 3, 3)).copy()
    changes = steady([400], order)
    vector = truth + rng.normal(size=truth.shape)
    *_, differences = smooth_tracks(information, vector, order, changes, precisions, 1e-6)
    assert (with_jumps(changes, differences, precisions, order) == changes).all()
    assert np.isinf(changes[-2:, 1]).all()
    assert (row_precisions(precisions, changes)[-2:] == 0).all()


@pytest.fixture(scope="module")
def window(ring_rig, skeleton, moving_skeleton):
    points_2d, confidence, _ = seen(ring_rig, moving_skeleton)
    points_2d[np.arange(6) != 2, 60:90, 4] = np.nan
    problem = check_problem(points_2d, ring_rig, FPS, confidence, skeleton, None)
    learned = learn(problem)
    return open_window(learned, track_frames(learned, slice(0, 200)), None)


def test_settling_a_part_gives_the_mode_of_the_whole(window):
    fixed = window.observations, window.points_3d, window.spread, window.prior, window.bones
    mode = find_mode(*fixed)
    moved, moving = mode.points_3d.copy(), np.zeros(200, bool)
    moved[95:105, 3] += 0.8
    moving[95:105] = True
    again = converge_near(window.observations, moved, moving, window.prior, window.bones)
    np.testing.assert_allclose(again.points_3d, mode.points_3d, atol=0.01 * window.observations.pixel)
    assert again.converged


def test_the_wrong_side_of_a_ray_is_left(window, moving_skeleton):
    fixed = window.observations, window.points_3d, window.spread, window.prior, window.bones
    mode = reflected(window.observations, find_mode(*fixed), window.prior, window.bones)
    arrays, hidden = window.observations.arrays, slice(60, 90)
    centre = -arrays.R[2].T @ arrays.t[2]
    here = mode.points_3d[hidden, 4]
    ray = (here - centre) / np.linalg.norm(here - centre, axis=1, keepdims=True)
    wrong = mode.points_3d.copy()
    wrong[hidden, 4] -= 2 * ((here - mode.points_3d[hidden, 3]) * ray).sum(axis=1, keepdims=True) * ray
    far = np.linalg.norm(wrong - mode.points_3d, axis=-1)[hidden, 4].max()
    assert far > 5
    start = replace(mode, points_3d=wrong, seen=linearise(window.observations, wrong))
    back = reflected(window.observations, start, window.prior, window.bones)
    np.testing.assert_allclose(back.points_3d[hidden, 4], mode.points_3d[hidden, 4], atol=0.1 * far)


def test_a_length_that_is_not_known_widens_the_error_bars_by_what_another_one_would_change(window):
    """Bones 0 and 3 have a length that is known within 2 mm, the same in all frames."""
    fixed = window.observations, window.points_3d, window.spread, window.prior
    unknown = np.where(np.isin(np.arange(len(window.bones.lengths)), (0, 3)), 2.0, 0.0)
    sure = joint_posterior(
        window.observations, find_mode(*fixed, replace(window.bones, length_stds=0 * unknown)), window.prior
    )
    unsure = replace(window.bones, length_stds=unknown)
    noise = draw_noise(400, 200, len(window.tracks.known), len(unknown), seed=0)
    found = joint_posterior(window.observations, find_mode(*fixed, unsure), window.prior, noise)
    expected, lagged = np.zeros_like(sure.within), np.zeros_like(sure.lagged)
    for b in (0, 3):
        longer = replace(window.bones, lengths=window.bones.lengths + np.where(np.arange(len(unknown)) == b, 2.0, 0.0))
        moved = find_mode(*fixed, longer).points_3d - sure.points_3d
        flat = moved.reshape(200, -1)
        expected += flat[:, :, None] * flat[:, None]
        lagged[:-1, :, 0] += moved[:-1, :, :, None] * moved[1:, :, None]
    scale = expected.max()
    np.testing.assert_allclose(found.within - sure.within, expected, atol=0.1 * scale)
    np.testing.assert_allclose((found.lagged - sure.lagged)[:, :, 0], lagged[:, :, 0], atol=0.1 * scale)
    drawn = found.samples.reshape(400, 200, -1)
    variance = np.diagonal(found.within, axis1=1, axis2=2)
    assert np.median(drawn.var(axis=0) / variance) == pytest.approx(1, abs=0.1)


def test_a_doubt_widens_the_error_bars_by_its_second_moment(window):
    mode = find_mode(window.observations, window.points_3d, window.spread, window.prior, window.bones)
    away = np.tile([1.0, 2.0, 0.0], (30, 1))
    sure = joint_posterior(window.observations, mode, window.prior)
    fresh = find_mode(window.observations, window.points_3d, window.spread, window.prior, window.bones)
    doubtful = replace(fresh, alternatives=(AlternativeMode(4, slice(60, 90), away, 0.25),))
    unsure = joint_posterior(window.observations, doubtful, window.prior)
    more = unsure.spread() - sure.spread()
    np.testing.assert_allclose(
        more[60:90, 4], np.broadcast_to(0.25 * np.outer(away[0], away[0]), (30, 3, 3)), atol=1e-9
    )
    np.testing.assert_allclose(unsure.lagged[60:89, 4, 0] - sure.lagged[60:89, 4, 0], more[60:89, 4], atol=1e-9)
    assert not more[:, 3].any()
    assert not more[:60].any()


def test_windows_cover_every_frame_once_and_overlap():
    for n_frames, length in ((2000, 1000), (1999, 700), (10, 50), (1, 5)):
        parts = list(windows(n_frames, length, 100))
        kept = np.concatenate([np.arange(n_frames)[keep] for _, keep in parts])
        np.testing.assert_array_equal(kept, np.arange(n_frames))
        assert all(f.start <= k.start and k.stop <= f.stop and k.stop - k.start <= length for f, k in parts)


def test_the_track_kernels_equal_dense_algebra():
    rng = np.random.default_rng(1)
    n_frames, order, precision, anchor = 12, 3, 40.0, 1e-3
    half = rng.normal(size=(n_frames, 3, 3))
    information = half @ half.swapaxes(1, 2)
    information[4:7] = 0
    vector = np.einsum("tij,tj->ti", information, rng.normal(size=(n_frames, 3)))
    differences = np.diff(np.eye(n_frames), order, axis=0)
    gram_dense = precision * differences.T @ differences + anchor * np.eye(n_frames)
    matrix = np.kron(gram_dense, np.eye(3))
    for f in range(n_frames):
        matrix[3 * f : 3 * f + 3, 3 * f : 3 * f + 3] += information[f]
    gram = _kernels_smooth.weighted_gram(stencil(order), np.full(n_frames, precision))
    mean, covariances, squares = np.empty((n_frames, 3)), np.zeros((n_frames, 3, 3, 3)), np.zeros((n_frames, 2))
    _kernels_smooth.smooth_track(information, vector, gram, anchor, stencil(order), mean, covariances, squares)
    expected = np.linalg.solve(matrix, vector.reshape(-1))
    np.testing.assert_allclose(mean.reshape(-1), expected, rtol=1e-8)
    inverse = np.linalg.inv(matrix).reshape(n_frames, 3, n_frames, 3)
    for f in range(n_frames):
        for lag in range(3):
            wanted = inverse[f, :, f + lag] if f + lag < n_frames else np.zeros((3, 3))
            np.testing.assert_allclose(covariances[f, lag], wanted, rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(squares[: n_frames - order, 0], (np.diff(mean, order, axis=0) ** 2).sum(axis=1))
    spread = np.einsum("rt,tiui,su->rs", differences, inverse, differences).diagonal() / 3
    np.testing.assert_allclose(squares[: n_frames - order, 1], spread, rtol=1e-6)
    evidence = _kernels_smooth.track_evidence(information, vector, gram, anchor)
    dense = (
        1.5 * np.linalg.slogdet(gram_dense)[1]
        - 0.5 * np.linalg.slogdet(matrix)[1]
        + 0.5 * vector.reshape(-1) @ expected
    )
    assert evidence == pytest.approx(dense, rel=1e-9)


def test_a_bone_shorter_than_its_ends_are_uncertain_has_no_length():
    rng, pairs = np.random.default_rng(0), np.array([[0, 1]])
    points_3d = np.zeros((50, 2, 3)) + [[0, 0, 0], [0, 0, 3.0]] + 1e-3 * rng.normal(size=(50, 2, 3))
    for std, known in ((0.1, True), (50.0, False)):
        covariances = np.broadcast_to(std**2 * np.eye(3), (50, 2, 3, 3, 3))
        tracks = Tracks(points_3d, covariances, np.ones((3, 50, 2)), np.zeros((50, 2, 2)), np.zeros(50))
        found = measure_bones(pairs, np.arange(2), tracks, 0.01, np.ones(2), np.ones(2))
        assert np.isfinite(found.lengths[0]) == known
        assert not known or abs(found.lengths[0] - 3) < 0.02


@pytest.mark.parametrize("odd", [0.0, 0.5])
def test_the_bone_of_the_other_side_tells_a_length_as_far_as_both_sides_are_alike(odd):
    """Six pairs of bones, 4 % apart, of which an error of 8 % hides the length; one pair may be of unlike bones."""
    rng, n_frames, std = np.random.default_rng(1), 20, 8.0
    ends = np.arange(24).reshape(12, 2)  # bones 0 to 5 are the left ones
    mirror = np.roll(ends, 6, axis=0).reshape(-1)
    alone, pooled, z = [], [], []
    for _ in range(40):
        lengths = 100 * np.exp(rng.normal(0, 0.2, 6) + rng.normal(0, 0.04 / np.sqrt(2), (2, 6)))
        lengths[0, 0] *= np.exp(odd)
        lengths = lengths.reshape(-1)
        points_3d = np.zeros((n_frames, 24, 3))
        points_3d[:, ends[:, 1], 2] = lengths + rng.normal(0, std, 12)
        covariances = np.zeros((n_frames, 24, 3, 3, 3))
        covariances[..., 2, 2] = std**2 / 2
        tracks = Tracks(points_3d, covariances, np.ones((3, n_frames, 24)), np.zeros((n_frames, 24, 2)), np.zeros(20))
        lasting = np.ones(24), np.full(24, float(n_frames))  # the errors are the same in every frame
        alone.append(measure_bones(ends, np.arange(24), tracks, 0.01, *lasting).lengths - lengths)
        found = measure_bones(ends, mirror, tracks, 0.01, *lasting)
        pooled.append(found.lengths - lengths)
        z.append(pooled[-1] / found.stds)
    alone, pooled, z = (np.sqrt(np.mean(np.square(values))) for values in (alone, pooled, z))
    assert 0.75 < z < 1.25
    assert pooled < (0.9 if odd == 0 else 1.1) * alone
