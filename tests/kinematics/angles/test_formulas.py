import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

from muybridge.datasets import DatasetError
from muybridge.kinematics import (
    corrected_three_point_angle,
    dihedral_angle,
    estimate_axis,
    hinge_angle,
    joint_angles,
    median_filter,
    three_point_angle,
    velocity,
)
from tests.kinematics.synthetic import pose_of

triangles = arrays(float, (4, 3), elements=st.floats(-100, 100, width=32))


def bent(angle, axis=(0, 0, 1.0)):
    """Points a, b, c of a hinge about `axis` flexed by `angle` (0 straight), bones of 100 mm."""
    turn = Rotation.from_rotvec(np.multiply.outer(np.atleast_1d(angle), axis)).as_matrix()
    b = np.zeros((len(turn), 3))
    return b - [100.0, 0, 0], b, turn @ [100.0, 0, 0]


def twin_three_point(a, b, c):
    """2 atan2(|û − v̂|, |û + v̂|), Kahan's formula: another way to the same angle."""
    u, v = a - b, c - b
    u, v = u / np.linalg.norm(u, axis=-1, keepdims=True), v / np.linalg.norm(v, axis=-1, keepdims=True)
    return 2 * np.arctan2(np.linalg.norm(u - v, axis=-1), np.linalg.norm(u + v, axis=-1))


def twin_dihedral(a, b, c, d):
    """Angle between the planes' normals, with the sign of the triple product."""
    n, m = np.cross(b - a, c - b), np.cross(c - b, d - c)
    cosine = (n * m).sum(-1) / np.linalg.norm(n, axis=-1) / np.linalg.norm(m, axis=-1)
    return np.sign((n * (d - c)).sum(-1)) * np.arccos(np.clip(cosine, -1, 1))


def test_the_kernel_equals_its_numpy_twins():
    a, b, c, d = np.random.default_rng(0).normal(size=(4, 500, 3))
    np.testing.assert_allclose(three_point_angle(a, b, c), twin_three_point(a, b, c), atol=1e-13)
    np.testing.assert_allclose(dihedral_angle(a, b, c, d), twin_dihedral(a, b, c, d), atol=1e-7)


@pytest.mark.parametrize("small", [0.0, 1e-12, 1e-9, 1e-6, 1e-3])
def test_angles_are_exact_on_straight_and_folded_limbs(small):
    for offset in (0, 1e4):
        a, b, c = (points + offset for points in bent(small))
        assert three_point_angle(a, b, c)[0] == pytest.approx(np.pi - small, abs=1e-7)
        assert hinge_angle(a, b, c, [0, 0, 1.0])[0] == pytest.approx(small, abs=1e-7)
        a, b, c = (points + offset for points in bent(np.pi - small))
        assert three_point_angle(a, b, c)[0] == pytest.approx(small, abs=1e-7)
        assert abs(hinge_angle(a, b, c, [0, 0, 1.0])[0]) == pytest.approx(np.pi - small, abs=1e-7)


@settings(max_examples=50, deadline=None)
@given(triangles, st.floats(0.1, 10), st.integers(0, 1000))
def test_angles_do_not_see_translation_rotation_or_scale(points, scale, seed):
    R = Rotation.random(random_state=seed).as_matrix()
    moved = scale * points @ R.T + [5.0, -3, 8]
    before, after = three_point_angle(*points[:3]), three_point_angle(*moved[:3])
    if np.linalg.norm(points[0] - points[1]) > 1 and np.linalg.norm(points[2] - points[1]) > 1:
        assert after == pytest.approx(before, abs=1e-6)
    lever = [np.linalg.norm(np.cross(points[i] - points[1], points[2] - points[1])) for i in (0, 3)]
    if min(lever) > 10:
        turn = dihedral_angle(*moved) - dihedral_angle(*points)
        assert np.abs(np.angle(np.exp(1j * turn))) < 1e-6


def test_a_mirror_turns_the_sign_of_signed_angles_only():
    a, b, c, d = np.random.default_rng(1).normal(size=(4, 50, 3))
    mirror = np.array([-1.0, 1, 1])
    np.testing.assert_allclose(
        dihedral_angle(a * mirror, b * mirror, c * mirror, d * mirror), -dihedral_angle(a, b, c, d)
    )
    np.testing.assert_allclose(three_point_angle(a * mirror, b * mirror, c * mirror), three_point_angle(a, b, c))


def test_signs_are_as_documented():
    assert hinge_angle([-1.0, 0, 0], [0, 0, 0], [1.0, 1, 0], [0, 0, 1.0]) == pytest.approx(np.pi / 4)
    assert dihedral_angle([1.0, 0, 0], [0, 0, 0], [0, 0, 1.0], [1.0, 0, 1]) == pytest.approx(0)
    assert dihedral_angle([1.0, 0, 0], [0, 0, 0], [0, 0, 1.0], [0, 1.0, 1]) == pytest.approx(np.pi / 2)


def test_a_missing_frame_and_coincident_points_cost_only_themselves():
    points = np.random.default_rng(2).normal(size=(20, 3, 3))
    points[5, 1] = np.nan
    points[9, 0] = points[9, 1]
    with pytest.warns(UserWarning, match=r"knee \(1 frames\)"):
        angles = joint_angles(pose_of(points), {"knee": ("a", "b", "c")})["angle"].values[:, 0]
    assert list(np.flatnonzero(np.isnan(angles))) == [5, 9]


@pytest.mark.parametrize("std", [1.0, 3.0])
def test_a_signed_hinge_is_unbiased_at_full_extension(std):
    rng = np.random.default_rng(3)
    bend = np.repeat(np.deg2rad([0.0, 5.0, 40.0]), 40_000)
    points = np.stack(bent(bend), axis=1) + std * rng.standard_normal((len(bend), 3, 3))
    known = hinge_angle(*points.swapaxes(0, 1), [0, 0, 1.0])
    axis, share = estimate_axis(*points.swapaxes(0, 1))
    assert share > 0.8
    estimated = hinge_angle(*points.swapaxes(0, 1), axis)
    for angles in (known, estimated):
        bias = np.rad2deg((angles - bend).reshape(3, -1).mean(axis=1))
        assert np.abs(bias).max() < 0.1


def test_the_unsigned_angle_is_biased_at_full_extension_and_the_correction_takes_most_of_it():
    rng = np.random.default_rng(4)
    for bend in np.deg2rad([0.0, 2.0, 5.0, 10.0]):
        points = np.stack(bent(np.full(20_000, bend)), axis=1) + 3 * rng.standard_normal((20_000, 3, 3))
        out = joint_angles(
            pose_of(points, noise=3.0),
            {"raw": ("a", "b", "c"), "right": {"points": ["a", "b", "c"], "corrected": True}},
        )
        raw, right = np.rad2deg(out["angle"].values - (np.pi - bend)).mean(axis=0)
        assert abs(right) < 0.6 * abs(raw) + 0.15
        if bend == 0:
            assert raw == pytest.approx(-5.3, abs=0.2)


def test_the_correction_leaves_angles_far_from_the_ends_alone():
    angles = np.deg2rad([40.0, 90.0, 140.0])
    np.testing.assert_allclose(corrected_three_point_angle(angles, np.full(3, 0.02)), angles, atol=6e-4)
    np.testing.assert_array_equal(corrected_three_point_angle(angles, np.zeros(3)), angles)
    assert np.isnan(corrected_three_point_angle(np.array([np.nan]), np.array([0.1])))


def test_an_axis_that_turns_with_the_body_is_found_in_its_segment_and_warned_of_in_the_world():
    rng = np.random.default_rng(5)
    bend = 0.6 + 0.5 * np.sin(np.linspace(0, 20, 400))
    a, b, c = bent(bend)
    side = np.broadcast_to([-50.0, 30, 40], a.shape)
    turn = Rotation.from_rotvec(np.linspace(0, 6, 400)[:, None] * [0.6, 0.0, 0.8]).as_matrix()
    points = np.einsum("tij,tkj->tki", turn, np.stack([a, b, c, side], axis=1)) + 0.5 * rng.standard_normal((400, 4, 3))
    hinge = {"kind": "hinge", "points": ["a", "b", "c"], "frame": ["a", "b", "d"]}
    out = joint_angles(pose_of(points), {"knee": hinge})
    assert np.rad2deg(np.sqrt(np.mean((out["angle"].values[:, 0] - bend) ** 2))) < 1.0
    with pytest.warns(UserWarning, match="axis of hinge 'knee'"):
        joint_angles(pose_of(points), {"knee": {"kind": "hinge", "points": ["a", "b", "c"]}})


def test_unknown_keypoints_suggest_the_nearest():
    pose = pose_of(np.zeros((3, 3, 3)), names=["hip_left", "knee_left", "ankle_left"])
    with pytest.raises(DatasetError, match=r"'knee_lft', did you mean 'knee_left'\?"):
        joint_angles(pose, {"knee": ("hip_left", "knee_lft", "ankle_left")})


@pytest.mark.parametrize(
    ("declaration", "message"),
    [
        ({"kind": "hinged", "points": ["a", "b", "c"]}, "did you mean 'hinge'"),
        ({"kind": "hinge", "points": ["a", "b"]}, "needs 'points' with 3"),
        ({"kind": "hinge", "points": ["a", "b", "c"], "axis": "b"}, "expected 'estimate', three numbers"),
        ({"kind": "angle", "points": ["a", "b", "c"], "axes": 1}, "has no option 'axes'"),
        (("a", "a", "b"), "same keypoint twice"),
        ({"kind": "segments", "proximal": {}}, "needs 'proximal"),
        ("a-b-c", "expected keypoints"),
    ],
)
def test_a_declaration_that_cannot_be_read_is_refused_by_name(declaration, message):
    with pytest.raises(DatasetError, match=message):
        joint_angles(pose_of(np.zeros((3, 3, 3))), {"knee": declaration})


def test_a_chain_is_the_flexions_and_torsions_of_its_points():
    points = np.random.default_rng(6).normal(size=(30, 5, 3))
    out = joint_angles(pose_of(points), {"tail": {"kind": "chain", "points": list("abcde")}, "knee": ("a", "b", "c")})
    assert list(out["joint"].values) == [
        "tail_b_flexion",
        "tail_c_flexion",
        "tail_d_flexion",
        "tail_c_torsion",
        "tail_d_torsion",
        "knee",
    ]
    p = points.swapaxes(0, 1)
    np.testing.assert_array_equal(out["angle"].sel(joint="tail_c_flexion"), three_point_angle(p[1], p[2], p[3]))
    np.testing.assert_array_equal(out["angle"].sel(joint="tail_d_torsion"), dihedral_angle(p[1], p[2], p[3], p[4]))


def test_individuals_are_kept_apart():
    points = np.random.default_rng(7).normal(size=(2, 30, 3, 3))
    out = joint_angles(pose_of(points, times=np.arange(30) / 100), {"knee": ("a", "b", "c")})
    assert out["angle"].dims == ("individual", "time", "joint")
    assert len(out["individual"]) == 2
    np.testing.assert_array_equal(out["angle"][1, :, 0], three_point_angle(*points[1].swapaxes(0, 1)))


def test_frames_out_of_order_and_a_missing_time_axis_are_refused():
    pose = pose_of(np.zeros((5, 3, 3)))
    with pytest.raises(DatasetError, match="does not increase at frame 3"):
        joint_angles(pose.assign_coords(time=[0, 1, 2, 2, 3.0]), {"knee": ("a", "b", "c")})
    with pytest.raises(DatasetError, match="frame rate is never assumed"):
        joint_angles(pose.drop_vars("time"), {"knee": ("a", "b", "c")})
    position = pose["position"].copy()
    position.attrs.pop("units")
    with pytest.raises(DatasetError, match="no 'units'"):
        joint_angles(pose.assign(position=position), {"knee": ("a", "b", "c")})


@pytest.mark.parametrize(
    "function",
    [lambda pose: joint_angles(pose, {"knee": ("a", "b", "c")}), velocity, lambda pose: median_filter(pose, 0.05)],
)
def test_infinite_positions_are_refused_by_name(function):
    pose = pose_of(np.random.default_rng(9).normal(size=(30, 3, 3)))
    pose["position"].values[7, 1, 2] = np.inf
    with pytest.raises(
        DatasetError, match="1 infinite values, the first of keypoint 'b' at frame 7; a missing point is"
    ):
        function(pose)


def test_nothing_is_warned_of_on_ordinary_data():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        joint_angles(pose_of(np.random.default_rng(8).normal(size=(30, 3, 3)), noise=0.1), {"knee": ("a", "b", "c")})
