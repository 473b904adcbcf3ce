"""Calibrated confidence and covariance mean what they say."""

import numpy as np
import torch
from scipy.stats import spearmanr

from muybridge.pose2d.inference.decoding import cholesky_factor
from muybridge.pose2d.inference.engine import Found
from muybridge.pose2d.inference.uncertainty import Uncertainty, fit_uncertainty, uncalibrated
from muybridge.pose2d.networks.registry import build_network
from muybridge.pose2d.training.covariance_head import Residuals


def make_claims(n, rng, overconfidence=9.0):
    """Errors of known covariance, claims that are too small by a factor and noisy, and some far false peaks."""
    scale = np.exp(rng.normal(0, 0.5, (n, 3)))
    true = scale[..., None, None] ** 2 * np.array([[4.0, 1.0], [1.0, 2.0]])
    errors = np.einsum("...ij,...j", np.linalg.cholesky(true), rng.standard_normal((n, 3, 2)))
    lost = rng.random((n, 3)) < 0.05
    errors[lost] = rng.uniform(-300, 300, (lost.sum(), 2))
    mass = np.where(lost, rng.uniform(0.1, 0.6, (n, 3)), rng.uniform(0.7, 0.99, (n, 3)))
    # a peak's width and evidence follow the size of its errors as loosely as they do in a network
    width = scale * np.exp(rng.normal(0, 0.3, (n, 3)))
    evidence = np.where(lost, 1.0, 6.0) - np.log(scale) + rng.normal(0, 1, (n, 3))
    return errors, Found(np.zeros((n, 3, 2)), mass, true / overconfidence, evidence, width)


def scaled(fitted, found):
    return found.covariances * fitted.scale(found)[..., None, None]


def std_of(covariances):
    return np.linalg.det(covariances) ** 0.25


def test_ninety_percent_ellipses_hold_ninety_percent_of_new_errors():
    rng = np.random.default_rng(0)
    errors, found = make_claims(300, rng)
    fitted = fit_uncertainty(errors, found, radius=5.0)
    errors, found = make_claims(2000, rng)
    covariances = scaled(fitted, found)
    distance2 = np.einsum("...i,...ij,...j", errors, np.linalg.inv(covariances), errors)
    assert 0.85 < (distance2 < 4.605).mean() < 0.95
    assert spearmanr(std_of(covariances).ravel(), np.linalg.norm(errors, axis=-1).ravel())[0] > 0.45


def test_ellipses_fitted_to_a_dozen_frames_hold_ninety_percent_of_new_errors_all_the_same():
    rng = np.random.default_rng(4)
    inside = []
    for _ in range(40):
        fitted = fit_uncertainty(*make_claims(12, rng), radius=5.0)
        errors, found = make_claims(200, rng)
        covariances = scaled(fitted, found)
        distance2 = np.einsum("...i,...ij,...j", errors, np.linalg.inv(covariances), errors)
        inside.append((distance2 < 4.605).mean())
    assert 0.88 < np.mean(inside) < 0.95


def test_confidence_is_the_probability_of_being_within_the_radius():
    rng = np.random.default_rng(1)
    errors, found = make_claims(400, rng)
    fitted = fit_uncertainty(errors, found, radius=3.0)
    errors, found = make_claims(4000, rng)
    confidence = fitted.confidence(found)
    hit = np.linalg.norm(errors, axis=-1) < 3.0
    for low in (0.1, 0.3, 0.5, 0.7):
        within = (confidence >= low) & (confidence < low + 0.2)
        if within.sum() > 300:
            assert abs(hit[within].mean() - confidence[within].mean()) < 0.08


def test_few_labels_leave_the_claims_as_they_are():
    rng = np.random.default_rng(2)
    errors, found = make_claims(5, rng)
    fitted = fit_uncertainty(errors, found, radius=5.0)
    assert fitted.n_held_out == 0
    np.testing.assert_allclose(fitted.confidence(found), found.mass, atol=1e-6)
    np.testing.assert_array_equal(fitted.scale(found), 1.0)


def test_missing_labels_count_for_nothing():
    rng = np.random.default_rng(3)
    errors, found = make_claims(100, rng)
    with_gaps = np.concatenate([errors, np.full((50, 3, 2), np.nan)])
    longer = Found(*(np.concatenate([values, values[:50]]) for values in found))
    same = fit_uncertainty(with_gaps, longer, radius=5.0)
    np.testing.assert_allclose(same.temperature, fit_uncertainty(errors, found, 5.0).temperature)


def test_it_survives_being_written_as_json():
    import json

    before = uncalibrated(3, 5.0)
    after = Uncertainty.from_dict(json.loads(json.dumps(before.as_dict())))
    assert after.radius == before.radius
    np.testing.assert_array_equal(after.temperature, before.temperature)


def test_the_spread_head_learns_covariances_from_residuals_that_obey_what_the_network_saw():
    """The scale follows one feature, the direction another, 3 % of the errors are far false peaks."""
    network, random = build_network("small", 2), torch.Generator().manual_seed(0)
    n_seen = network.spread_hidden.in_features

    def draw(n):
        seen = torch.rand(n, 2, n_seen, generator=random)
        factor = torch.zeros(n, 2, 2, 2)
        factor[..., 0, 0] = torch.exp(2 * seen[..., 0] - 1)
        factor[..., 1, 1] = 0.5 * factor[..., 0, 0]
        factor[..., 1, 0] = seen[..., 1] - 0.5
        # a Student t of four degrees of freedom, which is what the head is fitted to
        normal = torch.randn(n, 2, 2, generator=random)
        chi2 = (torch.randn(n, 2, 4, generator=random) ** 2).sum(-1, keepdim=True)
        return seen, factor, (factor @ (normal / (chi2 / 4).sqrt())[..., None])[..., 0]

    residuals = Residuals()
    for _ in range(300):
        seen, _, errors = draw(8)
        errors[torch.rand(8, 2, generator=random) < 0.03] = 40.0
        errors[torch.rand(8, 2, generator=random) < 0.1] = torch.nan
        residuals.seen.append(seen)
        residuals.errors.append(errors)
    residuals.fit(network, 1500, seed=0)
    seen, factor, _ = draw(500)
    with torch.no_grad():
        learned = cholesky_factor(network.spread_at(seen))
    for row, column in ((0, 0), (1, 1)):
        ratio = (learned[..., row, column] / factor[..., row, column]).log()
        assert abs(float(ratio.mean())) < 0.15
        assert float(ratio.std()) < 0.2
    assert spearmanr(learned[..., 1, 0].ravel(), factor[..., 1, 0].ravel())[0] > 0.8
