"""Animals that rest and run by turns: the activity of each frame, and error bars that follow it."""

import numpy as np
import pytest
from scipy.stats import chi2

from benchmarks.detector_errors import DetectorErrors
from benchmarks.real import fisheye_rig
from benchmarks.real_recordings import dog
from muybridge.triangulate import smooth
from muybridge.triangulate.smoothing.difference_prior import smooth_tracks
from muybridge.triangulate.smoothing.unsteady_motion import (
    LOG_LEVELS,
    USUAL,
    at_activity,
    between_cuts,
    disturbances,
    steady,
    with_activity,
)
from tests.helpers import needs_shared
from tests.triangulate.recordings import FPS, seen

ORDER, ACTIVITY_FRAMES = 2, 60.0


def coverage(found, truth, frames=slice(None)):
    errors, spread = (found.points_3d - truth)[frames], found.covariances_3d[frames]
    squares = np.einsum("tki,tki->tk", errors, np.linalg.solve(spread, errors[..., None])[..., 0])
    return np.mean(squares < chi2.ppf(0.95, 3))


def tracks_of(activity, n_keypoints, rng):
    """Noisy tracks (n_frames, n_keypoints, 3) whose second differences have this variance: information and vector."""
    steps = rng.normal(size=(len(activity), n_keypoints, 3)) * np.sqrt(activity)[:, None, None]
    truth = np.cumsum(np.cumsum(steps, axis=0), axis=0)
    information = np.broadcast_to(np.eye(3), (*truth.shape, 3)).copy()
    return information, truth + rng.normal(size=truth.shape)


@pytest.mark.parametrize("rest", [1.0, 0.01])
def test_the_planted_activity_is_found(rest):
    rng, n_keypoints = np.random.default_rng(1), 8
    planted = np.concatenate([np.full(200, rest), np.ones(200)])
    information, vector = tracks_of(planted, n_keypoints, rng)
    precisions, changes = np.ones(n_keypoints), steady([400], ORDER)
    for _ in range(20):
        *_, differences = smooth_tracks(information, vector, ORDER, changes, precisions, 1e-9)
        changes = with_activity(changes, differences, precisions, ACTIVITY_FRAMES)
    for part in (slice(20, 180), slice(220, 380)):
        assert np.log(changes[part, 0]).mean() == pytest.approx(np.log(planted[part]).mean(), abs=0.5)
    found, expected = disturbances(changes, differences, precisions)
    assert found.sum() == pytest.approx(expected.sum(), rel=0.05)


def test_tables_are_met_at_their_levels():
    table = np.exp(np.random.default_rng(0).normal(size=(len(LOG_LEVELS), 3)))
    np.testing.assert_allclose(at_activity(table, np.exp(LOG_LEVELS)), table)
    np.testing.assert_allclose(at_activity(table, np.ones(1))[0], table[USUAL])
    beyond = at_activity(table, np.exp([LOG_LEVELS[0] - 1, LOG_LEVELS[-1] + 1]))
    np.testing.assert_allclose(beyond, table[[0, -1]])


@pytest.mark.shared
@needs_shared
@pytest.mark.parametrize(("pixels", "lasting"), [(3.0, 0.0), (12.0, 5.0)])
def test_regions_hold_while_a_real_dog_stands_and_while_it_runs(pixels, lasting):
    truth, _ = dog("run04")
    truth = truth[300:700]
    rig = fisheye_rig(1, centre=tuple(truth.reshape(-1, 3).mean(axis=0)))
    rig = rig.subset([rig.names[c] for c in (1, 3, 5)])
    detector = DetectorErrors(0.0, pixels, 0.0, lasting, 0.0, 0.0)
    points_2d = detector.apply(rig.project(truth), np.random.default_rng(1))
    found = smooth(points_2d, rig, fps=60.0)
    speed = np.median(np.linalg.norm(np.gradient(truth, 1 / 60, axis=0), axis=-1), axis=1)
    assert 0.88 < coverage(found, truth, speed < 200) < 0.995
    assert 0.86 < coverage(found, truth, speed > 200) < 0.99


def test_where_films_were_joined_each_side_is_located_as_by_itself(ring_rig, moving_skeleton):
    elsewhere = moving_skeleton[::-1][:100] + np.array([250.0, -150.0, 0.0])
    truth = np.concatenate([moving_skeleton[:100], elsewhere])
    points_2d = seen(ring_rig, truth, outliers=0.02)[0]
    found = smooth(points_2d, ring_rig, fps=FPS)
    alone = [smooth(points_2d[:, part], ring_rig, fps=FPS) for part in (slice(0, 100), slice(100, 200))]
    error = np.linalg.norm(found.points_3d - truth, axis=-1)
    by_itself = np.linalg.norm(np.concatenate([one.points_3d for one in alone]) - truth, axis=-1)
    assert error.max() < 1.1 * by_itself.max()
    assert np.median(error) < 1.05 * np.median(by_itself)
    assert 0.93 < coverage(found, truth) < 0.99


def test_a_cut_is_where_the_animal_stays_elsewhere(moving_skeleton):
    elsewhere = moving_skeleton.copy()
    elsewhere[100:] += [500.0, 0.0, 0.0]
    assert between_cuts(elsewhere, [200], FPS) == [100, 100]
    assert between_cuts(elsewhere, [100, 100], FPS) == [100, 100]
    gap = elsewhere.copy()
    gap[95:103] = np.nan
    assert between_cuts(gap, [200], FPS) == [103, 97]
    one_frame = moving_skeleton.copy()
    one_frame[100] += [500.0, 0.0, 0.0]  # an error of that frame
    running = moving_skeleton + 400.0 * np.arange(200)[:, None, None] * [1.0, 0.0, 0.0]  # fast all the time
    for steady_motion in (moving_skeleton, one_frame, running, moving_skeleton[::20], np.full((5, 3, 3), np.nan)):
        assert between_cuts(steady_motion, [len(steady_motion)], FPS) == [len(steady_motion)]
    assert between_cuts(moving_skeleton[:0], [0], FPS) == [0]
