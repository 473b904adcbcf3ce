"""Bands of angles and regions of markers, neither too wide nor too narrow."""

import numpy as np

from benchmarks.detector_errors import pixels_per_unit
from muybridge.triangulate import fit_body
from muybridge.triangulate.noise.lasting_errors import COMMON_CONSTANT
from tests.conftest import make_ring_rig
from tests.triangulate.articulated.test_body_fit import BODY, FPS, LENGTHS, course


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
        error = found.points_3d - truth
        squares = (error[..., None, :] @ np.linalg.solve(found.covariances_3d, error[..., None]))[..., 0, 0]
        regions.append(squares < 7.815)  # 95 % of chi squared with three degrees of freedom
    assert 0.88 < np.mean(bands) < 0.98
    assert 0.9 < np.mean(regions) < 0.98
