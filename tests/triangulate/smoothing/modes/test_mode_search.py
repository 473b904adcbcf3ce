"""The joint mode is a mode, wherever it is begun and whatever window it is found in."""

import numpy as np
import pytest

from muybridge.triangulate import smooth
from muybridge.triangulate.smoothing.long_recordings import learning
from muybridge.triangulate.smoothing.long_recordings.overlapping_windows import open_window
from muybridge.triangulate.smoothing.long_recordings.tracked_frames import track_frames
from muybridge.triangulate.smoothing.modes.mode_search import find_mode
from muybridge.triangulate.smoothing.observations import linearise
from muybridge.triangulate.smoothing.smoother import check_problem
from tests.conftest import make_moving_points, make_ring_rig
from tests.triangulate.recordings import FPS

N_FRAMES, ALONE = 500, slice(130, 190)


@pytest.fixture(scope="module")
def pixels(skeleton):
    """A moving skeleton in three cameras, 3 px of noise, which for 0.6 s only one of them sees."""
    truth = make_moving_points(skeleton, N_FRAMES, FPS)
    points_2d = make_ring_rig(3).project(truth)
    points_2d += np.random.default_rng(0).normal(0, 3.0, points_2d.shape)
    points_2d[1:, ALONE] = np.nan
    return points_2d


@pytest.fixture(scope="module")
def window(pixels, skeleton):
    problem = check_problem(pixels, make_ring_rig(3), FPS, None, skeleton, None)
    learned = learning.learn(problem)
    return open_window(learned, track_frames(learned, slice(0, 300)), None)


def cost(window, points_3d):
    """Minus the log posterior, written out."""
    bones, (a, b) = window.bones, window.bones.pairs.T
    lengths = np.linalg.norm(points_3d[:, a] - points_3d[:, b], axis=-1)
    squares = (np.diff(points_3d, window.prior.order, axis=0) ** 2).sum(axis=2)
    return (
        linearise(window.observations, points_3d).cost.sum()
        + 0.5 * window.observations.anchor * (points_3d**2).sum()
        + 0.5 * (window.prior.rows(len(points_3d))[: len(squares)] * squares).sum()
        + 0.5 * (((lengths - bones.lengths) / bones.own_frame_stds) ** 2).sum()
    )


def test_no_way_leads_down_from_the_mode(window):
    given = window.observations, window.spread, window.prior, window.bones
    mode = find_mode(given[0], window.points_3d, *given[1:])
    assert mode.converged
    least, rng, frames = cost(window, mode.points_3d), np.random.default_rng(0), np.arange(300)[:, None, None]
    for _ in range(20):  # a bump of all keypoints about some instant
        bump = np.exp(-0.5 * ((frames - rng.uniform(0, 300)) / rng.uniform(3, 20)) ** 2)
        way = rng.normal(size=(1, *mode.points_3d.shape[1:])) * bump
        up, down = (cost(window, mode.points_3d + sign * 1e-3 * window.observations.pixel * way) for sign in (1, -1))
        assert abs(up - down) < 0.2 * (up + down - 2 * least)  # the slope is nothing beside the curvature


def test_windows_of_a_skeleton_give_the_answer_in_one_piece(pixels, skeleton, monkeypatch):
    monkeypatch.setattr(learning, "_LEARNING_FRAMES", 200)  # else what is learned on is the whole
    given = {"fps": FPS, "skeleton": skeleton}
    whole, found = (smooth(pixels, make_ring_rig(3), **given, window=window) for window in (100.0, 0.8))
    assert whole.converged
    std = np.sqrt(np.diagonal(whole.covariances_3d, axis1=-2, axis2=-1))
    assert (np.abs(found.points_3d - whole.points_3d) / std).max() < 0.01
    np.testing.assert_allclose(found.covariances_3d, whole.covariances_3d, rtol=0.02, atol=1e-3 * std.min() ** 2)
