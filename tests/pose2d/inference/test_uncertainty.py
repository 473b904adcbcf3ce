"""Calibrated confidence and covariance mean what they say."""

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from muybridge.pose2d.inference.decoding import cholesky_factor
from muybridge.pose2d.inference.engine import Found
from muybridge.pose2d.inference.uncertainty import (
    RADIUS2_90,
    SCATTER_PRIOR,
    Uncertainty,
    fit_uncertainty,
    mixture_ellipses,
    uncalibrated,
)
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
    # a peak's evidence follows the size of its errors as loosely as it does in a network
    evidence = np.where(lost, 1.0, 6.0) - np.log(scale) + rng.normal(0, 1, (n, 3))
    near = 4 * scale**2
    elsewhere = np.where(lost, rng.uniform(0.4, 0.9, (n, 3)), rng.uniform(0, 0.1, (n, 3)))
    scatter = np.broadcast_to(170.0**2 / 0.3 * np.eye(2), true.shape)
    return errors, Found(np.zeros((n, 3, 2)), mass, true / overconfidence, evidence, near, elsewhere, scatter)


def held(errors, covariances):
    """Which errors lie in the 90 % ellipses."""
    return np.einsum("...i,...ij,...j", errors, np.linalg.inv(covariances), errors) < RADIUS2_90


def draw_maps(n, rng, unlabelled=0.3):
    """Errors, what the maps show, and which keypoints are hidden, as the three parts of `Uncertainty` say.

    A seen keypoint's error is a Student t of the predicted covariance, a hidden one's as large as the peak is wide;
    with the probability that the map gives to other cells it lies there.
    """
    shape = (n, 4)
    absent = np.clip(np.where(rng.random(shape) < 0.3, rng.beta(4, 2, shape), rng.beta(1, 12, shape)), 1e-3, 0.99)
    hidden = rng.random(shape) < absent / (absent + unlabelled * (1 - absent))
    elsewhere = np.clip(np.where(hidden, rng.beta(2, 3, shape), rng.beta(1, 40, shape)), 1e-3, 0.99)
    std = np.exp(rng.normal(1, 0.4, shape)) * np.where(hidden, 2, 1)
    near, far = rng.uniform(8, 18, shape) ** 2, rng.uniform(40, 90, shape) ** 2
    student = rng.standard_normal((*shape, 2)) * np.sqrt(4 / rng.chisquare(4, shape))[..., None]
    errors = std[..., None] * student
    errors[hidden] = (np.sqrt(near)[..., None] * rng.standard_normal((*shape, 2)))[hidden]
    wrong = rng.random(shape) < elsewhere
    errors[wrong] = (np.sqrt(far)[..., None] * rng.standard_normal((*shape, 2)))[wrong]
    mass = (1 - absent) * (1 - elsewhere)
    square = std[..., None, None] ** 2 * np.eye(2)
    scatter = (far / SCATTER_PRIOR)[..., None, None] * np.eye(2)
    found = Found(np.zeros((*shape, 2)), mass, square / 2, np.log(mass / absent), near, elsewhere, scatter)
    return errors, found, hidden


@pytest.mark.parametrize(("guessed", "n_frames", "n_fits"), [(False, 60, 1), (True, 60, 1), (False, 12, 20)])
def test_ellipses_hold_ninety_percent_of_visible_and_of_hidden_keypoints_apart(guessed, n_frames, n_fits):
    """Whether labels of hidden keypoints are left out or guessed; with 30 labels on average over several fits."""
    rng, inside, surplus = np.random.default_rng(5), [], []
    new_errors, new, new_hidden = draw_maps(3000, rng)
    hit = np.linalg.norm(new_errors, axis=-1) < 5
    for _ in range(n_fits):
        errors, found, hidden = draw_maps(n_frames, rng)
        errors = errors if guessed else np.where(hidden[..., None], np.nan, errors)
        fitted = fit_uncertainty(errors, found, radius=5.0, unlabelled=0.3)
        holds, confidence = held(new_errors, fitted.ellipses(new)), fitted.confidence(new)
        inside.append([holds[~new_hidden].mean(), holds[new_hidden].mean()])
        surplus.append([(confidence - hit)[rows].mean() for rows in (confidence < 0.3, confidence >= 0.3)])
    np.testing.assert_allclose(np.mean(inside, axis=0), 0.9, atol=0.05)
    np.testing.assert_allclose(np.mean(surplus, axis=0), 0, atol=0.15)


def test_errors_of_hidden_keypoints_that_other_cameras_tell_widen_their_ellipses_only():
    """Maps that are too sure of where a hidden keypoint is."""
    rng, inside = np.random.default_rng(8), {}
    (errors, found, hidden), (new_errors, new, new_hidden) = draw_maps(60, rng), draw_maps(3000, rng)
    for given, moved in ((errors, hidden), (new_errors, new_hidden)):
        given[moved] *= 2
    labelled, told = (np.where(those[..., None], errors, np.nan) for those in (~hidden, hidden))
    for name, known in (("without", None), ("with", told)):
        fitted = fit_uncertainty(labelled, found, radius=5.0, unlabelled=0.3, hidden=known)
        holds = held(new_errors, fitted.ellipses(new))
        inside[name] = holds[new_hidden].mean()
        assert 0.85 < holds[~new_hidden].mean() < 0.96
    assert inside["without"] < 0.75
    assert 0.83 < inside["with"] < 0.95
    again = Uncertainty.from_dict(fitted.as_dict())
    np.testing.assert_array_equal(again.confidence(new), fitted.confidence(new))
    miss = np.linalg.norm(new_errors, axis=-1) < 5
    assert abs((fitted.confidence(new) - miss)[new_hidden].mean()) < 0.1


def test_whether_a_keypoint_is_hidden_is_learned_from_which_ones_are_labelled():
    rng = np.random.default_rng(6)
    errors, found, hidden = draw_maps(200, rng)
    fitted = fit_uncertainty(np.where(hidden[..., None], np.nan, errors), found, radius=5.0, unlabelled=0.3)
    _, found, hidden = draw_maps(3000, rng)
    claimed = fitted.hidden(found)
    for low in (0.0, 0.25, 0.5, 0.75):
        within = (claimed >= low) & (claimed < low + 0.25)
        assert abs(hidden[within].mean() - claimed[within].mean()) < 0.05


def test_the_ellipse_of_a_mixture_holds_ninety_percent_of_it():
    rng = np.random.default_rng(7)
    shares, sizes = np.array([0.7, 0.2, 0.1]), np.array([1.0, 9.0, 400.0])
    weights = np.concatenate([shares[:, None], np.eye(3), [[1 - 1e-4], [1e-4], [0]]], axis=1)
    covariances = np.broadcast_to((sizes[:, None] * np.ones(5))[..., None, None] * np.eye(2), (3, 5, 2, 2))
    ellipses = mixture_ellipses(weights, covariances)
    np.testing.assert_allclose(ellipses[1:4, 0, 0], sizes)
    assert ellipses[4, 0, 0] == pytest.approx(1.0, rel=1e-3)
    part = rng.choice(3, 100_000, p=shares)
    errors = np.sqrt(sizes[part])[:, None] * rng.standard_normal((len(part), 2))
    assert held(errors, ellipses[0]).mean() == pytest.approx(0.9, abs=0.003)


def std_of(covariances):
    return np.linalg.det(covariances) ** 0.25


def test_ninety_percent_ellipses_hold_ninety_percent_of_new_errors():
    rng = np.random.default_rng(0)
    errors, found = make_claims(300, rng)
    fitted = fit_uncertainty(errors, found, radius=5.0)
    errors, found = make_claims(2000, rng)
    covariances = fitted.ellipses(found)
    assert 0.85 < held(errors, covariances).mean() < 0.95
    assert spearmanr(std_of(covariances).ravel(), np.linalg.norm(errors, axis=-1).ravel())[0] > 0.45


def test_ellipses_fitted_to_a_dozen_frames_hold_ninety_percent_of_new_errors_all_the_same():
    rng = np.random.default_rng(4)
    inside = []
    for _ in range(40):
        fitted = fit_uncertainty(*make_claims(12, rng), radius=5.0)
        errors, found = make_claims(200, rng)
        inside.append(held(errors, fitted.ellipses(found)).mean())
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
    np.testing.assert_array_equal(fitted.ellipses(found), found.covariances)


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
