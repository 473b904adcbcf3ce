"""Delays of long recordings: told by a sample as by the whole, and removed piece by piece as at once."""

import numpy as np
import pytest
import xarray as xr

from muybridge.datasets import frame_times, views_dataset
from muybridge.triangulate import frame_offsets, shift_frames
from muybridge.triangulate.rig_refinement import long_recordings
from muybridge.triangulate.rig_refinement.long_recordings import sampled, shifted_pieces
from tests.conftest import make_moving_points

N_FRAMES = 1200


@pytest.fixture
def views(ring_rig, skeleton, monkeypatch):
    """Camera 1 is delayed by 3 frames; a sample is 10 stretches of 48 frames."""
    monkeypatch.setattr(long_recordings, "_STRETCHES", 10)
    monkeypatch.setattr(long_recordings, "_SAMPLED", 480 * len(skeleton.keypoints))
    monkeypatch.setattr(long_recordings, "_PIECE", 500)
    points_2d = ring_rig.project(make_moving_points(skeleton, N_FRAMES))
    points_2d[1, 3:] = points_2d[1, :-3].copy()
    points_2d += np.random.default_rng(0).normal(0, 0.3, points_2d.shape)
    points_2d[2, 100:110] = np.nan
    return views_dataset(
        points_2d, cameras=ring_rig.names, keypoints=skeleton.keypoints, times=frame_times(N_FRAMES, fps=100)
    )


def test_pieces_without_delays_are_those_of_the_whole(views):
    offsets = np.zeros((views.sizes["view"], N_FRAMES))
    offsets[1], offsets[2, 700:], offsets[3] = 2.5, -4.0, -1.25
    pieces = list(shifted_pieces(views, offsets))
    assert [piece.sizes["time"] for piece in pieces] == [500, 500, 200]
    xr.testing.assert_identical(xr.concat(pieces, dim="time", data_vars="minimal"), shift_frames(views, offsets))


def test_a_sample_holds_frames_of_the_recording_and_missing_ones_between_its_stretches(views):
    offsets = np.zeros((views.sizes["view"], N_FRAMES))
    offsets[1] = 3.0
    sample, whole = sampled(views, offsets), shift_frames(views, offsets)
    seen = sample.views["position"].notnull().any(("view", "keypoint", "space")).values
    assert seen.sum() == sample.n_known == 480
    np.testing.assert_array_equal(
        sample.views["position"].values[:, seen], whole["position"].values[:, sample.frames[seen]]
    )
    assert (sample.views["confidence"].values[:, ~seen] == 0).all()
    assert (sample.frames[0], sample.frames[-1]) == (0, N_FRAMES - 1)
    gaps = np.flatnonzero(np.diff(np.flatnonzero(seen)) > 1)
    assert len(gaps) == 9


def test_a_sample_tells_the_delays_of_the_whole_within_its_standard_error(views, ring_rig):
    whole = frame_offsets(views, ring_rig)
    part = frame_offsets(sampled(views, np.zeros((views.sizes["view"], N_FRAMES))).views, ring_rig)
    assert part.std[1] < 0.05
    apart = np.abs(part.offsets - whole.offsets)[np.arange(len(ring_rig)) != 1]
    assert (apart <= 3 * np.hypot(part.std, whole.std)[np.arange(len(ring_rig)) != 1]).all()
    assert abs(part.offsets[1] - 3) < 3 * part.std[1]


def test_a_recording_that_is_no_longer_than_its_sample_is_whole(views):
    short = views.isel(time=slice(400))
    sample = sampled(short, np.zeros((views.sizes["view"], 400)))
    xr.testing.assert_identical(sample.views, short)
    assert sample.n_known == 400
