"""Left and right exchanged in all views, in most and in one, with a known truth."""

import numpy as np

from muybridge.triangulate import fit_body, read_body
from muybridge.triangulate.articulated.starting_pose import exchanged_sides
from tests.conftest import make_ring_rig

BODY = read_body("rodent").scaled(2.0)
LEGS = [k for k, name in enumerate(BODY.marker_names) if name.split("_")[-1] in ("hip", "knee", "foot")]
PARTNER = BODY.skeleton.mirror


def strides(n_frames):
    angles, phase = np.tile(BODY.rest_angles, (n_frames, 1)), 0.19 * np.arange(n_frames)
    angles[:, 0], angles[:, 2] = 2.5 * np.arange(n_frames), 100
    for side, begin in (("left", 0), ("right", np.pi)):
        for limb in ("upper_arm", "thigh"):
            angles[:, BODY.angle_names.index(f"{side}_{limb}_swing")] += 0.6 * np.sin(phase + begin)
    return angles


def test_a_stretch_exchanged_in_all_views_is_found_and_nothing_else():
    points_3d = BODY.markers(strides(80))
    points_3d += np.random.default_rng(0).normal(0, 2, points_3d.shape)
    assert not exchanged_sides(BODY, points_3d).any()
    wrong = np.zeros(points_3d.shape[:2], bool)
    wrong[30:42, LEGS] = True
    points_3d = np.where(wrong[..., None], points_3d[:, PARTNER], points_3d)
    points_3d[35, LEGS[0]] = np.nan
    wrong[35, [LEGS[0], PARTNER[LEGS[0]]]] = False
    np.testing.assert_array_equal(exchanged_sides(BODY, points_3d), wrong)


def test_pixels_of_the_other_side_are_put_back_in_most_views_and_in_one():
    rig, truth = make_ring_rig(4), BODY.markers(strides(50))
    points_2d = rig.project(truth) + np.random.default_rng(1).normal(0, 2, (4, 50, len(PARTNER), 2))
    wrong = np.zeros(points_2d.shape[:-1], bool)
    wrong[:3, 10:20, LEGS] = wrong[1, 30:40, LEGS] = True
    points_2d = np.where(wrong[..., None], points_2d[:, :, PARTNER], points_2d)
    found = fit_body(points_2d, rig, fps=100.0, body=BODY)
    errors = np.linalg.norm(found.points_3d - truth, axis=-1)
    assert np.quantile(errors, 0.95) < 2.0
    np.testing.assert_array_equal(found.swap_probability > 0.5, wrong)
    assert (found.inlier_probability[wrong] < 0.5).all()
