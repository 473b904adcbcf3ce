"""Calibrated confidence and covariance mean what they say."""

import numpy as np
from scipy.stats import spearmanr

from muybridge.pose2d.uncertainty import Uncertainty, fit_uncertainty, uncalibrated


def make_claims(n, rng, overconfidence=9.0):
    """Errors of known covariance, claims that are too small by a factor and noisy, and some far false peaks."""
    scale = np.exp(rng.normal(0, 0.5, (n, 3)))
    true = scale[..., None, None] ** 2 * np.array([[4.0, 1.0], [1.0, 2.0]])
    errors = np.einsum("...ij,...j", np.linalg.cholesky(true), rng.standard_normal((n, 3, 2)))
    lost = rng.random((n, 3)) < 0.05
    errors[lost] = rng.uniform(-300, 300, (lost.sum(), 2))
    mass = np.where(lost, rng.uniform(0.1, 0.6, (n, 3)), rng.uniform(0.7, 0.99, (n, 3)))
    return errors, mass, true / overconfidence


def std_of(covariances):
    return np.linalg.det(covariances) ** 0.25


def test_ninety_percent_ellipses_hold_ninety_percent_of_new_errors():
    rng = np.random.default_rng(0)
    errors, mass, claimed = make_claims(300, rng)
    fitted = fit_uncertainty(errors, mass, claimed, radius=5.0)
    errors, mass, claimed = make_claims(2000, rng)
    covariances = claimed * fitted.scale(mass, std_of(claimed))[..., None, None]
    distance2 = np.einsum("...i,...ij,...j", errors, np.linalg.inv(covariances), errors)
    assert 0.85 < (distance2 < 4.605).mean() < 0.95
    assert spearmanr(std_of(covariances).ravel(), np.linalg.norm(errors, axis=-1).ravel())[0] > 0.45


def test_confidence_is_the_probability_of_being_within_the_radius():
    rng = np.random.default_rng(1)
    errors, mass, claimed = make_claims(400, rng)
    fitted = fit_uncertainty(errors, mass, claimed, radius=3.0)
    errors, mass, claimed = make_claims(4000, rng)
    confidence = fitted.confidence(mass, std_of(claimed))
    hit = np.linalg.norm(errors, axis=-1) < 3.0
    for low in (0.1, 0.3, 0.5, 0.7):
        within = (confidence >= low) & (confidence < low + 0.2)
        if within.sum() > 300:
            assert abs(hit[within].mean() - confidence[within].mean()) < 0.08


def test_few_labels_leave_the_claims_as_they_are():
    rng = np.random.default_rng(2)
    errors, mass, claimed = make_claims(5, rng)
    fitted = fit_uncertainty(errors, mass, claimed, radius=5.0)
    assert fitted.n_held_out == 0
    np.testing.assert_allclose(fitted.confidence(mass, std_of(claimed)), mass, atol=1e-6)
    np.testing.assert_array_equal(fitted.scale(mass, std_of(claimed)), 1.0)


def test_missing_labels_count_for_nothing():
    rng = np.random.default_rng(3)
    errors, mass, claimed = make_claims(100, rng)
    with_gaps = np.concatenate([errors, np.full((50, 3, 2), np.nan)])
    same = fit_uncertainty(
        with_gaps, np.concatenate([mass, mass[:50]]), np.concatenate([claimed, claimed[:50]]), radius=5.0
    )
    np.testing.assert_allclose(same.temperature, fit_uncertainty(errors, mass, claimed, 5.0).temperature)


def test_it_survives_being_written_as_json():
    import json

    before = uncalibrated(3, 5.0)
    after = Uncertainty.from_dict(json.loads(json.dumps(before.as_dict())))
    assert after.radius == before.radius
    np.testing.assert_array_equal(after.temperature, before.temperature)
