"""Bands of angles and regions of markers, neither too wide nor too narrow."""

from dataclasses import replace

import numpy as np

from benchmarks.detector_errors import pixels_per_unit
from muybridge.triangulate import fit_body
from muybridge.triangulate.noise.lasting_errors import COMMON_CONSTANT, COMMON_SHARE
from tests.conftest import make_ring_rig
from tests.triangulate.articulated.test_body_fit import BODY, FPS, LENGTHS, course


def in_regions(found, truth):
    """Whether the 95 % regions of markers hold the truth."""
    error = found.points_3d - truth
    squares = (error[..., None, :] @ np.linalg.solve(found.covariances_3d, error[..., None]))[..., 0, 0]
    return squares < 7.815  # 95 % of chi squared with three degrees of freedom


def lasting(rng, size, n_frames, keep=0.9):
    """(n_frames, *size) of variance 1, which keep a share from frame to frame."""
    errors = rng.normal(size=(n_frames, *size))
    for t in range(1, n_frames):
        errors[t] = keep * errors[t - 1] + np.sqrt(1 - keep**2) * errors[t]
    return errors


def test_bands_and_regions_hold_the_truth_about_95_times_in_100_where_the_world_is_as_declared():
    """Places of markers and joints, and constant errors, of which views share a part, as the model says; errors that
    are common to all views are in no residual, so that they are drawn from what is known of real detectors."""
    rig, angles, bands, regions, own = make_ring_rig(4), course(40), [], [], 1.0
    for seed in range(100, 108):
        rng = np.random.default_rng(seed)
        offsets = rng.normal(0, BODY.marker_std, (BODY.plan.n_points, 3))
        offsets[len(BODY.attachments)] = 0.0
        truth = BODY.markers(angles, LENGTHS, offsets)
        common = np.sqrt(COMMON_CONSTANT) * own / pixels_per_unit(rig, truth) * rng.normal(size=(6, 3))
        errors = rng.normal(0, 2, (4, 40, 6, 2)) + rng.normal(0, own, (4, 1, 6, 2))
        found = fit_body(rig.project(truth + common) + errors, rig, fps=FPS, body=BODY)
        bands.append(np.abs(found.angles - angles) < 1.96 * found.angles_std)
        regions.append(in_regions(found, truth))
    assert 0.88 < np.mean(bands) < 0.98
    assert 0.9 < np.mean(regions) < 0.98


def test_regions_hold_where_views_share_errors_that_last_and_markers_are_not_rigid():
    rig, body, regions = make_ring_rig(4), replace(BODY, deviation_std=2.0), []
    truth = BODY.markers(course(60), LENGTHS)
    for seed in range(4):
        rng = np.random.default_rng(seed)
        own = 4 * np.sqrt(1 - COMMON_SHARE) * lasting(rng, (4, 6, 2), 60).swapaxes(0, 1)
        common = 4 * np.sqrt(COMMON_SHARE) / pixels_per_unit(rig, truth) * lasting(rng, (6, 3), 60)
        found = fit_body(rig.project(truth + common) + own, rig, fps=FPS, body=body)
        regions.append(in_regions(found, truth))
    assert 0.9 < np.mean(regions) < 0.98  # 0.8 without what no residual shows
