"""Robust standard deviations against the truth, with and without gross errors."""

import numpy as np
import pytest

from muybridge.numerics.robust_scale import efficient_sigma, median_sigma, present_mean, present_median, robust_std


@pytest.mark.parametrize("share", [0.0, 0.1])
def test_a_tenth_of_gross_errors_hardly_changes_the_standard_deviation(share):
    rng = np.random.default_rng(0)
    values = 7 + 2 * rng.normal(size=20_000)
    values[rng.random(len(values)) < share] += 1000
    assert robust_std(values) == pytest.approx(2, rel=0.02 + 1.5 * share)


@pytest.mark.parametrize("estimate", [median_sigma, efficient_sigma])
@pytest.mark.parametrize("freedom", [1, 2])
def test_sigma_is_that_of_each_camera_with_leverage_taken_into_account(estimate, freedom):
    rng = np.random.default_rng(1)
    sigma, leverage = np.array([0.5, 1.0, 3.0]), np.full((3, 20_000), 0.3 if freedom == 2 else 0.65)
    left = np.sqrt((1 - leverage) * 2 / freedom)  # of the error's length along each free direction
    lengths = np.linalg.norm(rng.normal(size=(3, 20_000, freedom)), axis=-1) * sigma[:, None] * left
    np.testing.assert_allclose(estimate(lengths, leverage, freedom), sigma, rtol=0.02)
    lengths[:, ::20] = 1e4
    np.testing.assert_allclose(estimate(lengths, leverage, freedom), sigma, rtol=0.08)


def test_a_camera_without_residuals_is_nan():
    residuals = np.array([[np.nan] * 60, [1.0] * 60])
    assert np.isnan(median_sigma(residuals, np.zeros((2, 60)))[0])
    assert np.isfinite(efficient_sigma(residuals, np.zeros((2, 60)))[1])


def test_the_mean_of_what_is_present_equals_numpys_where_enough_is():
    values = np.array([[1.0, np.nan, 3.0], [np.nan, np.nan, 5.0], [np.nan] * 3])
    np.testing.assert_array_equal(present_mean(values, 1), [2.0, 5.0, np.nan])
    np.testing.assert_array_equal(present_mean(values, (0, 1)), 3.0)
    np.testing.assert_array_equal(present_mean(values, 1, least=2), [2.0, np.nan, np.nan])


def test_the_median_of_what_is_present_equals_numpys():
    values = np.random.default_rng(0).normal(size=(4, 6, 5))
    values[np.random.default_rng(1).random(values.shape) < 0.4] = np.nan
    for axis in (0, 2, -1, (0, 1), (1, 2), None):
        np.testing.assert_array_equal(present_median(values, axis), np.nanmedian(values, axis=axis))
    values[:, 2] = np.nan
    assert np.isnan(present_median(values, axis=(0, 2))).tolist() == [False, False, True, False, False, False]
    assert np.isnan(present_median(np.empty((3, 0)), axis=1)).all()
