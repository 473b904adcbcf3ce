import numpy as np
import pytest
import xarray as xr
from scipy.spatial.transform import Rotation

from muybridge.datasets import DatasetError
from muybridge.kinematics import body_frame, centre_of_mass, path_length, speed_profile, velocity
from muybridge.kinematics.angles.segment_frames import orientation_angles
from muybridge.kinematics.body.body_motion import rigid_rotation
from tests.kinematics.synthetic import pose_of

NAMES = ["tail", "neck", "left", "right", "top"]
BODY = np.array([[-100.0, 0, 0], [100, 0, 0], [0, 30, 0], [0, -30, 0], [50, 0, 40]])


def turning_body(noise=0.0, seed=0, n_frames=400, up=(0, 0, 1.0)):
    """A pose of a body that turns, pitches and rolls as it runs, and its true heading, pitch, roll and turning rate."""
    t = np.arange(n_frames) / 120
    heading, pitch, roll = 0.8 * np.sin(2 * t) + 2.8, 0.2 * np.sin(3 * t), 0.3 * np.cos(4 * t)
    turn = Rotation.from_euler("ZYX", np.stack([heading, -pitch, roll], axis=1))
    points = np.stack([turn.apply(point) for point in BODY], axis=1)
    points += np.stack([300 * t, 50 * np.sin(t), 200 + 0 * t], axis=-1)[:, None]
    points += noise * np.random.default_rng(seed).standard_normal(points.shape)
    pose = pose_of(points, NAMES, t, noise=max(noise, 1e-6)).assign_attrs(up=list(up))
    return pose, (heading, pitch, roll), 1.6 * np.cos(2 * t)


def off(found, right):
    return np.abs((found - right + np.pi) % (2 * np.pi) - np.pi)


@pytest.mark.parametrize("rigid", [None, NAMES])
def test_heading_pitch_roll_and_egocentric_points_are_those_of_the_body(rigid):
    pose, angles, rate = turning_body()
    out = body_frame(pose, "tail", "neck", lateral=("left", "right"), rigid=rigid)
    for name, right in zip(("heading", "pitch", "roll"), angles, strict=True):
        assert off(out[name].values, right).max() < 1e-9
    np.testing.assert_allclose(out["egocentric"], np.broadcast_to(BODY, (400, 5, 3)), atol=1e-9)
    np.testing.assert_allclose(out["turning_rate"], rate, atol=1e-3)
    np.testing.assert_allclose(
        out["rotation"].values.swapaxes(1, 2) @ out["rotation"].values, np.eye(3)[None].repeat(400, 0), atol=1e-12
    )


@pytest.mark.parametrize("rigid", [None, NAMES])
def test_error_bars_of_the_body_frame_hold(rigid):
    pose, angles, _ = turning_body(noise=2.0, n_frames=1000)
    out = body_frame(pose, "tail", "neck", lateral=("left", "right"), rigid=rigid, method="central")
    for name, right in zip(("heading", "pitch", "roll"), angles, strict=True):
        assert 0.92 < (off(out[name].values, right) < 1.96 * out[f"{name}_std"].values).mean() < 0.98


def test_error_bars_of_the_turning_rate_hold_on_average_over_recordings():
    inside = []
    for seed in range(4):  # the errors of one recording go together over whole seconds
        pose, _, rate = turning_body(noise=2.0, n_frames=600, seed=seed)
        out = body_frame(pose, "tail", "neck")
        inside.append(np.abs(out["turning_rate"].values - rate) < 1.96 * out["turning_rate_std"].values)
    assert 0.82 < np.mean(inside) < 0.98


def test_error_bars_of_a_rigid_fit_are_those_of_sampled_points_also_without_one_of_them():
    rng = np.random.default_rng(3)
    pose, _, _ = turning_body(n_frames=12)
    points, names = pose["position"].values.copy(), ["tail", "neck", "left", "right", "top"]
    points[6:, 4] = np.nan
    root = rng.standard_normal((12, 5, 3, 3))
    covariance = root @ root.swapaxes(-1, -2) + 0.1 * np.eye(3)
    pose = pose.assign(position=pose["position"].copy(data=points), covariance=pose["covariance"].copy(data=covariance))
    frame = body_frame(pose, "tail", "neck", lateral=("left", "right"), rigid=names, method="central")
    shape = rigid_rotation(points, frame["rotation"].values)
    noise = np.einsum("tkij,nkj->ntki", np.linalg.cholesky(covariance), rng.standard_normal((4000, 5, 3)))
    many = (points[None] + noise).reshape(-1, 5, 3)
    clean = np.concatenate([points, many])  # the shape, a median, comes from the clean frames
    rough = np.concatenate([frame["rotation"].values, np.full((len(many), 3, 3), np.nan)])
    turned = rigid_rotation(clean, rough)[12:].reshape(4000, 12, 3, 3)
    np.testing.assert_allclose(rigid_rotation(clean, rough)[:12], shape, atol=1e-9)
    angles = orientation_angles(turned[..., 0], -turned[..., 1], np.array([0, 0, 1.0]))
    for i, name in enumerate(("heading", "pitch", "roll")):
        spread = np.std(np.unwrap(angles[..., i], axis=0), axis=0)
        np.testing.assert_allclose(frame[f"{name}_std"], spread, rtol=0.06)


def test_a_rigid_fit_is_steadier_than_three_points_and_bridges_a_missing_one():
    pose, angles, _ = turning_body(noise=3.0)
    holed = pose.assign(position=pose["position"].copy())
    holed["position"][50:60, 2] = np.nan
    (three, fitted), (without, bridged) = (
        [
            body_frame(seen, "tail", "neck", lateral=("left", "right"), rigid=rigid, method="central")
            for rigid in (None, NAMES)
        ]
        for seen in (pose, holed)
    )
    errors = [np.mean(off(found["roll"].values, angles[2]) ** 2) for found in (fitted, three)]
    assert errors[0] < 0.95 * errors[1]
    assert np.isfinite(bridged["heading"].values).all()
    assert np.isnan(without["roll"].values).sum() == 10


def test_without_a_lateral_pair_the_frame_stays_upright():
    pose, angles, _ = turning_body()
    out = body_frame(pose, "tail", "neck")
    assert np.abs(out["roll"].values).max() < 1e-12
    assert off(out["heading"].values, angles[0]).max() < 1e-9


def test_the_vertical_is_never_assumed():
    pose, *_ = turning_body()
    del pose.attrs["up"]
    with pytest.raises(DatasetError, match="needs the vertical: give up="):
        body_frame(pose, "tail", "neck")
    with pytest.raises(DatasetError, match="up must be a direction"):
        body_frame(pose, "tail", "neck", up=(0, 0, 0))
    assert "heading" in body_frame(pose, "tail", "neck", up=(0, 0, 2.0))


def test_the_centre_of_mass_weighs_the_segments():
    pose, *_ = turning_body()
    out = centre_of_mass(pose, {"trunk": ("tail", "neck", 3.0, 0.25), "girdle": ("left", "right", 1.0, 0.5)})
    p = pose["position"].values
    right = 0.75 * (0.75 * p[:, 0] + 0.25 * p[:, 1]) + 0.25 * (0.5 * p[:, 2] + 0.5 * p[:, 3])
    np.testing.assert_allclose(out["position"], right)
    assert out["position_std"].values == pytest.approx(1e-6 * np.sqrt(0.5625**2 + 0.1875**2 + 2 * 0.125**2))
    with pytest.raises(DatasetError, match="mass share"):
        centre_of_mass(pose, {"trunk": ("tail", "neck", 0.0, 0.25)})


def test_path_length_does_not_count_noise_as_travel():
    t = np.arange(600) / 120
    rng = np.random.default_rng(1)
    points = np.stack([400 * t, 50 * np.sin(t), 0 * t], axis=-1)[:, None]
    right = np.linalg.norm(np.diff(points[:, 0], axis=0), axis=1).sum()
    pose = pose_of(points + 5 * rng.standard_normal(points.shape), times=t)
    assert path_length(pose)["path_length"].values[-1, 0] == pytest.approx(right, rel=0.02)
    assert path_length(pose, method="central")["path_length"].values[-1, 0] > 1.3 * right


def test_a_speed_profile_is_that_of_one_keypoint_and_each_individual():
    pose, *_ = turning_body(noise=1.0, n_frames=100)
    pose = pose.sel(keypoint=["tail", "neck"])
    profile = speed_profile(pose, "neck")
    assert list(profile.data_vars) == ["speed", "speed_std", "path_length"]
    assert profile["speed"].attrs["units"] == "mm/s"
    np.testing.assert_allclose(profile["speed"], velocity(pose.sel(keypoint=["neck"]))["speed"].values[:, 0])
    np.testing.assert_allclose(profile["path_length"], path_length(pose)["path_length"].sel(keypoint="neck"))
    two = xr.concat([pose, pose], dim=xr.DataArray(["ada", "bob"], dims="individual", name="individual"))
    both = speed_profile(two, "neck")
    np.testing.assert_array_equal(both["speed"].sel(individual="bob"), profile["speed"])
    with pytest.raises(DatasetError, match="did you mean 'neck'"):
        speed_profile(pose, "neckk")
