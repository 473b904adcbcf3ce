"""R-hat and effective sample size of chains whose autocorrelation is known."""

import numpy as np
import pytest

from muybridge.triangulate.sampling.chain_diagnostics import rank_normalised


def autoregressive(rho, n_chains, n_draws, n_quantities, seed=0):
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(n_chains, n_draws, n_quantities))
    chains = noise.copy()
    for i in range(1, n_draws):
        chains[:, i] = rho * chains[:, i - 1] + np.sqrt(1 - rho**2) * noise[:, i]
    return chains


@pytest.mark.parametrize("rho", [-0.3, 0.0, 0.5, 0.8])
def test_the_effective_size_of_an_autoregressive_chain_is_that_of_theory(rho):
    r_hat, effective = rank_normalised(autoregressive(rho, 4, 1000, 40))
    assert effective.mean() == pytest.approx(4000 * (1 - rho) / (1 + rho), rel=0.06)
    assert r_hat.max() < 1.05
    assert r_hat.mean() < 1.01


def test_scale_order_preserving_maps_and_shape_change_nothing():
    draws = autoregressive(0.3, 3, 100, 6)
    effective = rank_normalised(draws)[1]
    again = rank_normalised(np.exp(draws).reshape(3, 100, 2, 3))
    np.testing.assert_allclose(again[1].ravel(), effective)
    assert again[0].shape == (2, 3)


def test_chains_in_different_places_or_of_different_width_are_found_out():
    draws = autoregressive(0.0, 4, 400, 3)
    draws[0, :, 1] += 2
    draws[0, :, 2] *= 4
    r_hat, effective = rank_normalised(draws)
    assert r_hat[0] < 1.01
    assert (r_hat[1:] > 1.1).all()
    assert effective[1] < 50 < effective[0]


def test_a_drift_within_a_chain_is_found_out():
    assert rank_normalised(autoregressive(0.0, 2, 300, 1) + np.linspace(0, 3, 300)[:, None])[0][0] > 1.2


def test_ties_nan_and_standing_still():
    draws = np.round(autoregressive(0.0, 2, 200, 3))
    draws[..., 1], draws[..., 2] = np.nan, 1.0
    r_hat, effective = rank_normalised(draws)
    assert effective[0] == pytest.approx(400, rel=0.4)
    assert np.isnan(effective[1:]).all()
    assert np.isnan(r_hat[1:]).all()


def test_too_few_draws_are_refused():
    with pytest.raises(ValueError, match="at least 8"):
        rank_normalised(np.zeros((2, 7, 1)))
