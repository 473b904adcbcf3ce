"""Windows of a recording in which the animal rests: the same as in one piece, whatever they begin and end in."""

import numpy as np
import pytest

from benchmarks.real import fisheye_rig
from benchmarks.real_recordings import dog
from muybridge.triangulate import smooth
from muybridge.triangulate.smoothing.long_recordings import learning, overlapping_windows, tracked_frames
from tests.conftest import make_ring_rig
from tests.helpers import needs_shared

N_FRAMES, REST = 1500, slice(400, 1100)


@pytest.fixture(scope="module")
def pixels():
    """Three keypoints that swing, stand still for 7 s, and swing again; in three cameras, with 2 px of noise."""
    phase = np.cumsum(np.where((np.arange(N_FRAMES) >= REST.start) & (np.arange(N_FRAMES) < REST.stop), 0.0, 0.12))
    turns = phase[:, None] + np.array([0.0, 1.0, 2.0])
    truth = np.stack([60 * np.sin(turns), 40 * np.cos(1.3 * turns), 20 * np.sin(0.7 * turns)], axis=-1)
    points_2d = make_ring_rig(3).project(truth)
    return points_2d + np.random.default_rng(0).normal(0, 2.0, points_2d.shape)


def distances(pixels):
    """(n_frames, n_keypoints, 3) of the answer in windows of 2 s from that in one piece, standard deviations."""
    whole, found = (smooth(pixels, make_ring_rig(3), fps=100.0, window=window) for window in (100.0, 2.0))
    std = np.sqrt(np.diagonal(whole.covariances_3d, axis1=-2, axis2=-1))
    return np.abs(found.points_3d - whole.points_3d) / std


def test_windows_that_end_in_a_rest_give_the_answer_in_one_piece(pixels, monkeypatch):
    monkeypatch.setattr(learning, "_LEARNING_FRAMES", 800)  # else what is learned on is the whole
    assert distances(pixels).max() < 0.01
    monkeypatch.setattr(tracked_frames, "far_enough", lambda learned, tracked, *_: tracked.frames)
    assert distances(pixels)[REST].max() > 0.05  # with the overlaps of a moving animal


def test_a_window_grows_by_no_more_than_its_room(pixels, monkeypatch):
    monkeypatch.setattr(learning, "_LEARNING_FRAMES", 800)
    monkeypatch.setattr(tracked_frames, "_WINDOW", 150)
    lengths, track = [], tracked_frames.track_window

    def noted(*given):
        tracked = track(*given)
        lengths.append(tracked.frames.stop - tracked.frames.start)
        return tracked

    monkeypatch.setattr(overlapping_windows, "track_window", noted)
    smooth(pixels, make_ring_rig(3), fps=100.0)
    assert len(lengths) == 10
    assert 150 < max(lengths) <= 300


def test_windows_that_end_where_one_camera_sees_a_keypoint_give_the_answer_in_one_piece(pixels, monkeypatch):
    monkeypatch.setattr(learning, "_LEARNING_FRAMES", 800)
    hidden = pixels.copy()
    hidden[1:, 150:260, 1] = np.nan
    assert distances(hidden).max() < 0.01
    monkeypatch.setattr(tracked_frames, "far_enough", lambda learned, tracked, *_: tracked.frames)
    assert distances(hidden)[:, 1].max() > 0.05


@pytest.mark.long  # 5 s
@pytest.mark.shared
@needs_shared
def test_windows_of_a_real_dog_that_stands_and_runs_give_the_answer_in_one_piece():
    truth, _ = dog("run04")
    rig = fisheye_rig(1, centre=tuple(truth.reshape(-1, 3).mean(axis=0)))
    rig, truth = rig.subset([rig.names[c] for c in (1, 3, 5)]), np.concatenate([truth, truth[::-1]] * 2)
    points_2d = rig.project(truth) + np.random.default_rng(1).normal(0, 3.0, (3, *truth.shape[:2], 2))
    whole, found = (smooth(points_2d, rig, fps=60.0, window=window) for window in (1e4, 10.0))
    std = np.sqrt(np.diagonal(whole.covariances_3d, axis1=-2, axis2=-1))
    # each window ends the rounds of its activity by itself
    assert np.nanmax(np.abs(found.points_3d - whole.points_3d) / std) < 0.05
    assert np.nanmean(np.linalg.norm(whole.points_3d - truth, axis=-1)) < 6.0  # of strides taken for jumps: 6.4
