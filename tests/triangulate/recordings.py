"""Detections of a moving skeleton, with all that goes wrong in them, and how often error bars hold the truth."""

import numpy as np

FPS = 100.0
CHI2_50, CHI2_95 = 2.366, 7.815


def seen(rig, points_3d, noise=1.0, outliers=0.05, missing=0.1, seed=0):
    """Pixels with noise, gross outliers (half of them sure of themselves) and gaps, and their confidence."""
    rng = np.random.default_rng(seed)
    points_2d = rig.project(points_3d) + rng.normal(0, noise, (len(rig), *points_3d.shape[:2], 2))
    wrong = rng.random(points_2d.shape[:-1]) < outliers
    points_2d[wrong] = rng.uniform(0, 1000, (wrong.sum(), 2))
    points_2d[rng.random(points_2d.shape[:-1]) < missing] = np.nan
    sure = rng.beta(8, 1.5, wrong.shape)
    return points_2d, np.where(wrong & (rng.random(wrong.shape) < 0.5), rng.beta(1.5, 8, wrong.shape), sure), wrong


def coverage(points_3d, covariances, truth, limit=CHI2_95):
    """Share of the known truth inside the regions of 95 %, or of another limit of the squared distance."""
    known = np.isfinite(truth).all(axis=-1)
    return (squared_distances(points_3d[known], covariances[known], truth[known]) < limit).mean()


def relative_variance(points_3d, covariances, truth):
    """Mean squared error over what the covariances predict: 1 where they are right, 0.25 where twice too wide."""
    return squared_distances(points_3d, covariances, truth).mean() / 3


def squared_distances(points_3d, covariances, truth):
    d = points_3d - truth
    return np.einsum("...i,...ij,...j->...", d, np.linalg.inv(covariances), d)
