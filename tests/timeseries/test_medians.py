"""Filters over time: equal to their slow definitions, and silent about gaps."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muybridge.datasets import pose_dataset
from muybridge.triangulate import hampel_filter, interpolate_gaps, median_filter


def gappy(seed=0, n_frames=60, missing=0.2):
    rng = np.random.default_rng(seed)
    points_3d = rng.normal(0, 10, (n_frames, 3, 3)).cumsum(axis=0)
    points_3d[rng.random((n_frames, 3)) < missing] = np.nan
    return points_3d


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([1, 3, 5, 11, 99]))
def test_the_running_median_equals_that_of_pandas(seed, window):
    points_3d = gappy(seed)
    table = pd.DataFrame(points_3d.reshape(60, -1)).rolling(window, center=True, min_periods=1).median()
    expected = np.where(np.isnan(points_3d), np.nan, table.to_numpy().reshape(points_3d.shape))
    np.testing.assert_array_equal(median_filter(points_3d, window, fps=1), expected)


@pytest.mark.parametrize("half", [3, 10])
def test_hampel_equals_its_definition(half):
    points_3d = gappy(3)
    points_3d[[10, 30], 1] += 500
    filtered, jumps = hampel_filter(points_3d, 2 * half + 1, fps=1, n_sigmas=3)
    for frame, keypoint in np.ndindex(points_3d.shape[:2]):
        around = points_3d[max(0, frame - half) : frame + half + 1, keypoint]
        if np.isnan(points_3d[frame, keypoint, 0]):
            assert not jumps[frame, keypoint]
            continue
        median = np.nanmedian(around, axis=0)
        spread = 1.4826 * np.nanmedian(np.abs(around - median), axis=0)
        jumped = (np.abs(points_3d[frame, keypoint] - median) > 3 * spread).any()
        assert jumps[frame, keypoint] == jumped
        np.testing.assert_allclose(filtered[frame, keypoint], median if jumped else points_3d[frame, keypoint])
    there = np.isfinite(points_3d[[10, 30], 1, 0])
    assert jumps[[10, 30], 1][there].all()


def test_hampel_removes_jumps_and_keeps_the_rest():
    times = np.arange(200)[:, None, None] / 100
    smooth = np.sin(times * [1.0, 2.0, 3.0]) * 50
    jumpy = smooth.copy()
    jumpy[[50, 120]] += 40
    filtered, jumps = hampel_filter(jumpy, 0.09, fps=100)
    assert np.flatnonzero(jumps[:, 0]).tolist() == [50, 120]
    assert np.abs(filtered - smooth).max() < 2
    missing, _ = hampel_filter(jumpy, 0.09, fps=100, replace="nan")
    assert np.isnan(missing[[50, 120]]).all()


def test_medians_neither_fill_nor_widen_gaps():
    points_3d = gappy(5, missing=0.4)
    np.testing.assert_array_equal(np.isnan(median_filter(points_3d, 5, fps=1)), np.isnan(points_3d))
    assert np.isnan(median_filter(np.full((9, 1, 3), np.nan), 3, fps=1)).all()
    assert median_filter(np.empty((0, 2, 3)), 3, fps=1).shape == (0, 2, 3)


def test_short_gaps_are_bridged_and_long_ones_and_ends_are_not():
    line = np.arange(30.0)[:, None, None] * [1.0, -2.0, 3.0]
    gaps = line.copy()
    gaps[[0, 5, 6, 7, 12, 13, 14, 15, 28, 29]] = np.nan
    filled = interpolate_gaps(gaps, 0.03, fps=100)
    np.testing.assert_allclose(filled[5:8], line[5:8])
    assert np.isnan(filled[[0, 12, 13, 14, 15, 28, 29]]).all()
    np.testing.assert_array_equal(interpolate_gaps(gaps, 0, fps=100), gaps)


def test_gaps_are_bridged_in_time_not_in_frames():
    times = np.array([0.0, 1.0, 4.0])
    points_3d = np.array([0.0, np.nan, 8.0])[:, None, None] * np.ones(3)
    np.testing.assert_allclose(interpolate_gaps(points_3d, 3, times=times)[1], 2.0)


@pytest.mark.parametrize("window", [0, -3, np.nan])
def test_a_window_must_be_a_positive_time(window):
    with pytest.raises(ValueError, match="positive number of seconds"):
        median_filter(np.zeros((5, 1, 3)), window, fps=100)


def test_other_impossible_options_are_refused():
    points_3d = np.zeros((5, 1, 3))
    with pytest.raises(ValueError, match="replace"):
        hampel_filter(points_3d, 3, fps=1, replace="mean")
    with pytest.raises(ValueError, match="n_sigmas"):
        hampel_filter(points_3d, 3, fps=1, n_sigmas=-1)
    with pytest.raises(ValueError, match="max_gap"):
        interpolate_gaps(points_3d, -1, fps=1)
    with pytest.raises(ValueError, match="increasing"):
        interpolate_gaps(points_3d, 1, times=np.zeros(5))
    with pytest.raises(ValueError, match="fps is None"):
        median_filter(points_3d, 3)


@pytest.mark.parametrize("fps", [30, 200])
def test_windows_and_gaps_are_times_at_any_frame_rate(fps):
    points_3d = np.random.default_rng(1).normal(size=(4 * fps, 2, 3))
    points_3d[fps : fps + fps // 10, 0] = points_3d[2 * fps : 2 * fps + fps // 5, 0] = np.nan
    pose = pose_dataset(points_3d, keypoints=["a", "b"], times=np.arange(4 * fps) / fps, unit="mm")
    filled = interpolate_gaps(pose, 0.1)
    missing = np.flatnonzero(np.isnan(filled[:, 0, 0])) / fps
    assert missing.min() == pytest.approx(2.0)
    assert missing.max() == pytest.approx(2.2 - 1 / fps)
    n_frames = {30: 3, 200: 21}[fps]
    table = pd.DataFrame(points_3d[:, 1]).rolling(n_frames, center=True, min_periods=1).median()
    np.testing.assert_array_equal(median_filter(pose, 0.1)[:, 1], table)
    np.testing.assert_array_equal(median_filter(pose["position"], 0.1), median_filter(points_3d, 0.1, fps=fps))


def test_gaps_are_bridged_as_numpy_interpolates_also_at_uneven_times():
    rng = np.random.default_rng(1)
    times = np.sort(rng.uniform(0, 10, 200))
    values = rng.normal(size=(200, 3, 1))
    values[rng.random(values.shape) < 0.4] = np.nan
    found = interpolate_gaps(values, 1e9, times=times)
    for k in range(3):
        known = np.isfinite(values[:, k, 0])
        twin = np.interp(times, times[known], values[known, k, 0], left=np.nan, right=np.nan)
        np.testing.assert_allclose(found[:, k, 0], twin)


def test_a_gap_beside_a_long_pause_stays_open():
    times = np.array([0.0, 0.01, 0.02, 50.0, 50.01])
    for frame in (2, 3):
        points_3d = np.arange(5.0)[:, None, None] * np.ones(3)
        points_3d[frame] = np.nan
        assert np.isnan(interpolate_gaps(points_3d, 0.05, times=times)[frame]).all()
