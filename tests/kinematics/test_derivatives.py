import numpy as np
import pytest
from scipy.signal import savgol_filter

from muybridge.datasets import DatasetError
from muybridge.kinematics import acceleration, jerk, velocity
from tests.kinematics.synthetic import cubic, gallop, pose_of


def test_the_gallop_is_untuned_below_the_best_hand_tuned_filter():
    rng = np.random.default_rng(0)
    errors = []
    for _ in range(25):
        t, x, v = gallop(rng)
        points = np.stack([x, np.full_like(x, np.nan), np.full_like(x, np.nan)], axis=-1)[:, None]
        points[..., 1:] = 0.0
        found = velocity(pose_of(points, times=t))["velocity"].values[:, 0, 0]
        errors.append(np.mean((found - v) ** 2))
    assert np.sqrt(np.mean(errors)) < 0.09  # the best Butterworth filter of these draws has 0.142


def test_uneven_frames_are_taken_at_their_times():
    rng = np.random.default_rng(1)
    times = np.sort(rng.choice(np.arange(600) / 240, 300, replace=False))
    t, x, v = gallop(rng, times=times)
    pose = pose_of(x[:, None, None] * np.ones(3), times=t)
    assert np.sqrt(np.mean((velocity(pose)["velocity"].values[:, 0, 0] - v) ** 2)) < 0.13


def test_a_missing_frame_costs_only_itself():
    points = np.random.default_rng(4).normal(size=(60, 2, 3))
    points[20, 0, 1] = np.nan  # half a point is no point
    for method, options in (("central", {}), ("savgol", {})):
        out = velocity(pose_of(points), method=method, **options)["velocity"].values
        assert list(np.flatnonzero(np.isnan(out[:, 0]).any(axis=1))) == [20]
    assert np.isfinite(velocity(pose_of(points))["velocity"].values).all()


def test_a_polynomial_across_a_long_pause_is_missing_and_nothing_else():
    t = np.arange(60) / 100
    t[30:] += 1e4
    out = velocity(pose_of(cubic(t)[0] * 1e-3, times=t), method="savgol")["velocity"].values[:, 0, 0]
    assert np.isnan(out[25:35]).any()
    assert np.isfinite(np.delete(out, np.arange(25, 35))).all()


def test_butterworth_needs_a_cutoff_and_even_frames():
    pose = pose_of(np.random.default_rng(6).normal(size=(60, 1, 3)))
    assert velocity(pose, method="butterworth", cutoff=12)["velocity"].shape == (60, 1, 3)
    with pytest.raises(DatasetError, match="no cutoff suits every movement"):
        velocity(pose, method="butterworth")
    with pytest.raises(DatasetError, match="half the frame rate, 60 Hz"):
        velocity(pose, method="butterworth", cutoff=70)
    uneven = pose.assign_coords(time=np.arange(60) ** 1.1)
    with pytest.raises(DatasetError, match="evenly spaced"):
        velocity(uneven, method="butterworth", cutoff=0.1)


def test_the_poses_own_state_comes_first():
    rng = np.random.default_rng(7)
    own, spread = rng.normal(size=(2, 30, 2, 3))
    covariance = np.abs(spread)[..., None] * np.eye(3)
    pose = pose_of(rng.normal(size=(30, 2, 3)), velocity=own, velocity_covariance=covariance, acceleration=own)
    out = velocity(pose)
    assert out.attrs["method"] == "state"
    np.testing.assert_array_equal(out["velocity"], own)
    np.testing.assert_allclose(out["velocity_std"], np.sqrt(np.abs(spread)))
    np.testing.assert_allclose(out["speed"], np.linalg.norm(own, axis=-1))
    np.testing.assert_array_equal(acceleration(pose)["acceleration"], own)
    np.testing.assert_allclose(jerk(pose)["jerk"], np.gradient(own, pose["time"].values, axis=0))


def test_error_bars_of_acceleration_and_jerk_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(8)
    t = np.arange(600) / 120
    w = 2 * np.pi * 2
    for function, power in ((acceleration, 2), (jerk, 3)):
        name, squares, inside = function.__name__, [], []
        for _ in range(4):
            phases = rng.uniform(0, 2 * np.pi, (1, 2, 3))
            x = np.sin(w * t[:, None, None] + phases)
            right = w**power * np.sin(w * t[:, None, None] + phases + power * np.pi / 2)
            out = function(pose_of(x + 0.002 * rng.standard_normal(x.shape), times=t))
            error = out[name].values - right
            assert np.sqrt(np.mean(error[20:-20] ** 2)) < 0.08 * np.sqrt(np.mean(right**2))
            squares.append(np.mean(error**2 / out[f"{name}_std"].values ** 2))
            inside.append(np.mean(np.abs(error) < 1.96 * out[f"{name}_std"].values))
        assert 0.4 < np.mean(squares) < 1.7
        assert 0.88 < np.mean(inside) < 0.995


@pytest.mark.parametrize("fps", [30, 200])
def test_the_savgol_window_is_a_stretch_of_time(fps):
    rng = np.random.default_rng(10)
    values = rng.normal(size=(3 * fps, 1, 3))
    n_frames = {30: 7, 200: 41}[fps]
    found = velocity(pose_of(values, fps=fps), method="savgol", window=0.205, polyorder=2)["velocity"].values
    twin = savgol_filter(values, n_frames, 2, 1, delta=1 / fps, axis=0)
    np.testing.assert_allclose(found[n_frames:-n_frames], twin[n_frames:-n_frames], atol=1e-9 * fps)
    assert np.isfinite(velocity(pose_of(values, fps=fps), method="savgol")["velocity"]).all()


def test_units_and_methods_are_written_down_and_wrong_ones_refused():
    pose = pose_of(np.random.default_rng(9).normal(size=(30, 1, 3)))
    assert velocity(pose)["velocity"].attrs["units"] == "mm/s"
    assert jerk(pose, method="central")["jerk"].attrs["units"] == "mm/s^3"
    with pytest.raises(DatasetError, match="did you mean 'savgol'"):
        velocity(pose, method="savgo")
    with pytest.raises(DatasetError, match="method 'savgol' has no option 'cutoff', which belongs to 'butterworth'"):
        velocity(pose, method="savgol", cutoff=5)
    with pytest.raises(DatasetError, match="velocity has no option 'polyorde', did you mean 'polyorder'"):
        velocity(pose, method="savgol", polyorde=3)
    with pytest.raises(DatasetError, match="carries no 'velocity'"):
        velocity(pose, method="state")
    with pytest.raises(DatasetError, match="at least two frames"):
        velocity(pose.isel(time=[0]))
