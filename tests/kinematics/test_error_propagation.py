import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from muybridge.datasets import DatasetError, pose_dataset
from muybridge.kinematics import joint_angles, joint_covariance, propagate
from muybridge.kinematics.angles.formulas import hinge_angle
from tests.kinematics.synthetic import pose_of

JOINTS = {
    "angle": ("a", "b", "c"),
    "hinge": {"kind": "hinge", "points": ["a", "b", "c"], "axis": ["d", "e"]},
    "fixed": {"kind": "hinge", "points": ["a", "b", "c"], "axis": [0.1, 0.2, 1.0]},
    "torsion": {"kind": "dihedral", "points": ["a", "b", "c", "d"]},
    "trunk": {"kind": "orientation", "forward": ["a", "b"], "lateral": ["c", "d"]},
    "hip": {"kind": "segments", "proximal": {"long": ["a", "b"], "lateral": ["c", "d"]},
            "distal": {"long": ["b", "e"], "lateral": ["c", "d"]}},
}  # fmt: skip


def correlated_pose(rng, n_frames=200, std=0.5):
    """A wobbling, rotating body of five points whose errors go together, every pair's covariance given."""
    base = np.array([[0.0, 0, 0], [100, 10, 0], [150, 90, 20], [30, 60, 90], [60, -80, -40]])
    points = Rotation.from_rotvec(rng.normal(size=(n_frames, 3))).as_matrix()[:, None] @ base[None, :, :, None]
    points = points[..., 0] + rng.normal(size=(n_frames, 5, 3)) * 5
    root = std * rng.normal(size=(15, 15)) / 4
    full = root @ root.T
    noisy = points + (rng.normal(size=(n_frames, 15)) @ root.T).reshape(n_frames, 5, 3)
    blocks = full.reshape(5, 3, 5, 3).transpose(0, 2, 1, 3)
    names = list("abcde")
    pairs = [(names[j], names[i]) if (i + j) % 2 else (names[i], names[j]) for i in range(5) for j in range(i)]
    cross = np.stack([blocks[names.index(a), names.index(b)] for a, b in pairs])
    common = {"keypoints": names, "times": np.arange(n_frames) / 100, "unit": "mm"}
    with_error = pose_dataset(
        noisy, **common, pairs=pairs, covariance=np.broadcast_to(blocks[range(5), range(5)], (n_frames, 5, 3, 3)),
        cross_covariance=np.broadcast_to(cross, (n_frames, len(pairs), 3, 3)),
    )  # fmt: skip
    return pose_dataset(points, **common), with_error.assign_attrs(up=[0, 0, 1.0])


def test_the_analytic_error_bars_equal_numerical_differences_with_all_covariances():
    _, pose = correlated_pose(np.random.default_rng(0), 50)
    fast = joint_angles(pose, {"hinge": JOINTS["hinge"]})["angle_std"].values
    points = pose["position"].values

    def function(p):
        return hinge_angle(p[:, 0], p[:, 1], p[:, 2], p[:, 4] - p[:, 3])[:, None]

    _, slow = propagate(function, points, joint_covariance(pose, list("abcde")))
    np.testing.assert_allclose(fast, slow, rtol=1e-5)


@pytest.mark.parametrize("method", ["unscented", "monte_carlo"])
def test_sigma_points_and_samples_agree_with_the_linear_method(method):
    _, pose = correlated_pose(np.random.default_rng(1), 60)
    first, other = joint_angles(pose, JOINTS)["angle_std"], joint_angles(pose, JOINTS, std=method)["angle_std"]
    ratio = np.median(other / first, axis=0)
    assert np.abs(ratio - 1).max() < 0.05


def test_intervals_hold_the_truth_95_percent_of_the_time():
    truth, pose = correlated_pose(np.random.default_rng(2), 4000)
    signed = {name: joint for name, joint in JOINTS.items() if name != "angle"}
    right = joint_angles(truth, signed, up=[0, 0, 1.0])["angle"].values
    out = joint_angles(pose, signed)
    error = np.angle(np.exp(1j * (out["angle"].values - right)))
    # pitch folds at the poles; elsewhere every angle's interval must hold
    inside = (np.abs(error) < 1.96 * out["angle_std"].values).mean(axis=0)
    assert inside.min() > 0.93
    assert inside.max() < 0.97


def test_intervals_of_a_hinge_hold_at_full_extension():
    rng = np.random.default_rng(3)
    points = np.array([[-100.0, 0, 0], [0, 0, 0], [100, 0, 0]]) + 3 * rng.standard_normal((20_000, 3, 3))
    out = joint_angles(
        pose_of(points, noise=3.0), {"knee": {"kind": "hinge", "points": list("abc"), "axis": [0, 0, 1]}}
    )
    inside = np.abs(out["angle"].values) < 1.96 * out["angle_std"].values
    assert 0.93 < inside.mean() < 0.97
    # an unsigned angle cannot: π lies outside its reach
    unsigned = joint_angles(pose_of(points, noise=3.0), {"knee": ("a", "b", "c")})
    assert unsigned["angle"].values.max() < np.pi


def test_errors_taken_as_independent_are_named_in_the_attributes():
    _, pose = correlated_pose(np.random.default_rng(4), 20)
    alone = pose.drop_vars("cross_covariance")
    assert "independent" in joint_angles(alone, JOINTS).attrs["angle_std"]
    assert "between keypoints" in joint_angles(pose, JOINTS).attrs["angle_std"]
    bare = joint_angles(alone.drop_vars("covariance"), JOINTS)
    assert "no covariance" in bare.attrs["angle_std"]
    assert "angle_std" not in bare
    with pytest.raises(DatasetError, match="no 'covariance'"):
        joint_covariance(alone.drop_vars("covariance"), ["a"])


def test_a_missing_covariance_costs_the_error_bar_and_not_the_angle():
    _, pose = correlated_pose(np.random.default_rng(5), 20)
    pose = pose.copy(deep=True)
    pose["covariance"][7, 1] = np.nan
    out = joint_angles(pose, {"knee": ("a", "b", "c")})
    assert np.isfinite(out["angle"].values).all()
    assert list(np.flatnonzero(np.isnan(out["angle_std"].values[:, 0]))) == [7]
