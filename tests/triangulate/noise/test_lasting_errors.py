"""Correlations and constant parts of residuals, against sums written out and planted errors."""

import numpy as np
import pytest

from muybridge.triangulate.noise.lasting_errors import autocorrelation, constant_variance, lag_correlation


def test_the_autocorrelation_is_that_of_sums_within_stretches():
    rng = np.random.default_rng(0)
    residuals = rng.normal(size=(3, 40, 2, 2))
    residuals[rng.random(residuals.shape[:-1]) < 0.2] = np.nan
    lengths, n_lags = (25, 15), 6
    found, counts = autocorrelation(residuals, n_lags, lengths)
    stretches = residuals[:, :25], residuals[:, 25:]
    for k in range(2):
        for lag in range(1, n_lags + 1):
            pairs = np.concatenate([(s[:, lag:, k] * s[:, :-lag, k]).ravel() for s in stretches])
            assert counts[k, lag - 1] == np.isfinite(pairs).sum()
            assert found[k, lag - 1] == pytest.approx(np.nanmean(pairs) / np.nanmean(residuals[:, :, k] ** 2))


def test_errors_of_an_autoregressive_process_have_its_correlation():
    rng, keep = np.random.default_rng(1), 0.8
    errors = rng.normal(size=(4, 3000, 1, 2))
    for t in range(1, errors.shape[1]):
        errors[:, t] = keep * errors[:, t - 1] + np.sqrt(1 - keep**2) * errors[:, t]
    np.testing.assert_allclose(autocorrelation(errors, 3, [3000])[0][0], keep ** np.arange(1, 4), atol=0.04)
    np.testing.assert_allclose(lag_correlation(errors), keep, atol=0.03)


def test_the_constant_part_is_found_beside_white_errors():
    rng = np.random.default_rng(2)
    constant = rng.normal(0, 3.0, (40, 1, 3, 2))
    residuals = constant + rng.normal(0, 2.0, (40, 200, 3, 2))
    found, moment = constant_variance(residuals, np.ones((1, 3)))
    np.testing.assert_allclose(found, (constant[:, 0] ** 2).mean(axis=(0, 2)), rtol=0.1)
    np.testing.assert_allclose(moment, found * 84 / 82)  # 80 means and a prior worth four
    np.testing.assert_allclose(constant_variance(residuals, np.full((1, 3), 0.5))[0], 2 * found)
    assert (constant_variance(residuals - constant, np.ones((1, 3)))[0] < 0.05).all()


def test_of_too_few_residuals_nothing_is_known():
    residuals = np.ones((2, 4, 1, 2))  # two frames in each half
    assert constant_variance(residuals, np.ones((1, 1)))[0] == 0
    nothing = np.full((2, 9, 1, 2), np.nan)
    assert constant_variance(nothing, np.ones((2, 1)))[0] == 0
    assert np.isnan(lag_correlation(nothing)).all()
    assert (autocorrelation(nothing, 2, [9])[0] == 0).all()
