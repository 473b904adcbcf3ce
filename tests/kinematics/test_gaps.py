import numpy as np
import pandas as pd
import pytest

from muybridge.datasets import DatasetError
from muybridge.kinematics import interpolate_gaps, median_filter
from muybridge.kinematics.gaps import fill_gaps, running_median
from tests.kinematics.synthetic import pose_of


def test_short_gaps_are_bridged_and_long_ones_stay_open():
    points = np.cumsum(np.random.default_rng(0).normal(size=(100, 2, 3)), axis=0)
    holed = points.copy()
    holed[20:23, 0] = holed[50:70, 0] = holed[:4, 1] = np.nan
    out = interpolate_gaps(pose_of(holed, fps=100), longest=0.05)
    np.testing.assert_allclose(out["position"][21, 0], (holed[19, 0] + holed[23, 0]) / 2)
    assert np.isnan(out["position"].values[50:70, 0]).all()
    assert np.isnan(out["position"].values[:4, 1]).all()
    assert list(np.flatnonzero(out["interpolated"].values[:, 0])) == [20, 21, 22]
    np.testing.assert_array_equal(out["position"].values[np.isfinite(holed)], holed[np.isfinite(holed)])


def test_filling_equals_numpys_interpolation_with_uneven_frames():
    rng = np.random.default_rng(1)
    times = np.sort(rng.uniform(0, 10, 200))
    values = rng.normal(size=(200, 3))
    values[rng.random((200, 3)) < 0.4] = np.nan
    found = fill_gaps(values, times, np.inf)
    for column in range(3):
        known = np.isfinite(values[:, column])
        twin = np.interp(times, times[known], values[known, column], left=np.nan, right=np.nan)
        np.testing.assert_allclose(found[:, column], twin)


@pytest.mark.parametrize("window", [1, 3, 5, 9, 11])
def test_the_running_median_equals_pandas_rolling_median_also_across_shares(window):
    rng = np.random.default_rng(2)
    values = rng.normal(size=(9000, 2)).round(1)  # with ties; more than one share
    values[rng.random(values.shape) < 0.2] = np.nan
    twin = pd.DataFrame(values).rolling(window, center=True, min_periods=1).median().where(np.isfinite(values))
    np.testing.assert_array_equal(running_median(values, window), twin)


def test_a_wild_frame_is_taken_out():
    points = np.linspace(0, 1, 50)[:, None, None] * np.ones((1, 1, 3))
    wild = points.copy()
    wild[20] = 100
    assert np.abs(median_filter(pose_of(wild), 5)["position"].values - points).max() < 0.1


def test_windows_and_gap_lengths_that_cannot_be_are_refused():
    pose = pose_of(np.zeros((10, 1, 3)))
    with pytest.raises(DatasetError, match="odd number"):
        median_filter(pose, 4)
    with pytest.raises(DatasetError, match="positive time"):
        interpolate_gaps(pose, 0)
