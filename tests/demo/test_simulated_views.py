"""The simulated 2D points have the noise, outliers and gaps that were asked for; the bones are rigid."""

import numpy as np

from muybridge.demo import DEMO_SKELETON, simulate_recording


def test_noise_outliers_and_gaps_are_as_asked_for():
    views, rig, truth = simulate_recording(200, noise=1.5, outlier_share=0.1, missing_share=0.2, seed=5)
    error = views["position"].values - rig.project(truth["position"].values)
    missing = np.isnan(error).any(axis=-1)
    assert abs(missing.mean() - 0.2) < 0.01
    gross = np.linalg.norm(error[~missing], axis=-1) > 5 * 1.5
    assert 0.08 < gross.mean() < 0.1  # some outliers fall within the noise
    assert abs(np.median(np.abs(error[~missing])) / 0.6745 / 1.5 - 1) < 0.15


def test_bones_keep_their_lengths_and_seeds_are_different_recordings():
    (_, _, truth), (_, _, other) = (simulate_recording(50, seed=seed) for seed in (1, 2))
    parents, children = np.transpose(DEMO_SKELETON.bone_indices)
    lengths = np.linalg.norm(np.diff(truth["position"].values[:, [parents, children]], axis=1)[:, 0], axis=-1)
    assert np.ptp(lengths, axis=0).max() < 1e-6
    assert np.abs(truth["position"].values - other["position"].values).max() > 10
