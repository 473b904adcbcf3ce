"""Windows of a recording in which the animal rests: the same as in one piece, whatever they begin and end in."""

import numpy as np
import pytest

from muybridge.triangulate import smooth
from muybridge.triangulate.smoothing import overlapping_windows
from muybridge.triangulate.smoothing.long_recordings import learning, tracked_frames
from tests.conftest import make_ring_rig

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
