"""Bands of angles and regions of markers, neither too wide nor too narrow."""

import numpy as np

from muybridge.triangulate import fit_body
from tests.conftest import make_ring_rig
from tests.triangulate.articulated.test_body_fit import BODY, FPS, LENGTHS, course


def test_bands_and_regions_hold_the_truth_about_95_times_in_100_where_offsets_are_as_declared():
    rig, angles, bands, regions = make_ring_rig(4), course(40), [], []
    for seed in range(100, 108):
        rng = np.random.default_rng(seed)
        offsets = rng.normal(0, BODY.marker_std, (BODY.plan.n_points, 3))
        offsets[len(BODY.attachments)] = 0.0
        truth = BODY.markers(angles, LENGTHS, offsets)
        found = fit_body(rig.project(truth) + rng.normal(0, 2, (4, 40, 6, 2)), rig, fps=FPS, body=BODY)
        bands.append(np.abs(found.angles - angles) < 1.96 * found.angles_std)
        error = found.points_3d - truth
        squares = (error[..., None, :] @ np.linalg.solve(found.covariances_3d, error[..., None]))[..., 0, 0]
        regions.append(squares < 7.815)  # 95 % of chi squared with three degrees of freedom
    assert 0.9 < np.mean(bands) < 0.98
    assert 0.9 < np.mean(regions) < 0.995
