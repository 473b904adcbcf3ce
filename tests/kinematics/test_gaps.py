import numpy as np
import pytest

from muybridge.kinematics import interpolate_gaps, median_filter
from tests.kinematics.synthetic import pose_of


def test_short_gaps_are_bridged_and_long_ones_stay_open():
    points = np.cumsum(np.random.default_rng(0).normal(size=(100, 2, 3)), axis=0)
    holed = points.copy()
    holed[20:23, 0] = holed[50:70, 0] = holed[:4, 1] = np.nan
    out = interpolate_gaps(pose_of(holed, fps=100), max_gap=0.04)
    np.testing.assert_allclose(out["position"][21, 0], (holed[19, 0] + holed[23, 0]) / 2)
    assert np.isnan(out["position"].values[50:70, 0]).all()
    assert np.isnan(out["position"].values[:4, 1]).all()
    assert list(np.flatnonzero(out["interpolated"].values[:, 0])) == [20, 21, 22]
    np.testing.assert_array_equal(out["position"].values[np.isfinite(holed)], holed[np.isfinite(holed)])


def test_a_wild_frame_is_taken_out():
    points = np.linspace(0, 1, 50)[:, None, None] * np.ones((1, 1, 3))
    wild = points.copy()
    wild[20] = 100
    assert np.abs(median_filter(pose_of(wild, fps=100), 0.05)["position"].values - points).max() < 0.1


def test_windows_and_gap_lengths_that_cannot_be_are_refused():
    pose = pose_of(np.zeros((10, 1, 3)))
    with pytest.raises(ValueError, match="positive number of seconds"):
        median_filter(pose, 0)
    with pytest.raises(ValueError, match="must not be negative"):
        interpolate_gaps(pose, -1)
