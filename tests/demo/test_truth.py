"""Known errors put into a perfect session come out of the comparison with the truth, and nothing else does."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from muybridge.calibration import CameraRig, write_rig
from muybridge.datasets import DatasetError, pose_dataset, views_dataset, write_dataset
from muybridge.demo.animal import TRUNK
from muybridge.demo.truth import compare_with_truth

N = 40
NAMES = ("a", "b", "c")
TIMES = np.arange(N) / 100


def rotation(axis, angle):
    axis = np.asarray(axis, float) / np.linalg.norm(axis)
    x = np.cross(np.eye(3), axis)
    return np.eye(3) + np.sin(angle) * x + (1 - np.cos(angle)) * x @ x


def moved(rig, R, t):
    """The same rig in a world turned by R and shifted by t: x_new = R x + t."""
    return CameraRig(tuple(replace(c, R=c.R @ R.T, t=c.t - c.R @ R.T @ t) for c in rig), unit=rig.unit)


@pytest.fixture
def truth(tmp_path, ring_rig):
    rng = np.random.default_rng(0)
    points = rng.uniform(-100, 100, (N, 3, 3))
    pose = pose_dataset(points, keypoints=NAMES, times=TIMES, unit="mm").assign_coords(view=list(ring_rig.names))
    pose["visible"] = (("view", "time", "keypoint"), np.ones((6, N, 3), np.int8))
    pose["visible"][0, :, 1] = 0
    write_dataset(pose, tmp_path / "truth.nc")
    write_rig(ring_rig, tmp_path / "truth_rig.toml")
    angles = xr.Dataset(
        {"angle": (("time", "joint"), rng.uniform(0, np.pi, (N, 2)), {"units": "rad"})},
        coords={"time": TIMES, "joint": ["knee", "elbow"]},
    )
    write_dataset(angles, tmp_path / "truth_kinematics.nc")
    return tmp_path, points, angles


def value(table, stage, quantity, unit=None):
    rows = table[(table.stage == stage) & table.quantity.str.startswith(quantity)]
    rows = rows if unit is None else rows[rows.unit == unit]
    assert len(rows) == 1, rows
    return rows.value.item()


def test_another_world_frame_is_no_error(truth, ring_rig):
    folder, points, _ = truth
    R, t = rotation([1, 2, 3], 2.0), np.array([300.0, -80, 41])
    pose = pose_dataset(points @ R.T + t, keypoints=NAMES, times=TIMES, unit="mm")
    table = compare_with_truth(folder, rig=moved(ring_rig, R, t), pose=pose)
    for stage, quantity, unit in (("calibrate", "camera centre, worst", "mm"), ("reconstruct", "3D point, p95", "mm"),
                                  ("calibrate", "camera direction, worst", "deg")):  # fmt: skip
        assert value(table, stage, quantity, unit) < 1e-6
    assert value(table, "calibrate", "focal length, worst") < 1e-9


def test_a_wrong_scale_is_shown(truth, ring_rig):
    smaller = CameraRig(tuple(replace(c, t=0.99 * c.t) for c in ring_rig))
    table = compare_with_truth(truth[0], rig=smaller)
    assert value(table, "calibrate", "scale of the rig") == pytest.approx(1.0)
    assert value(table, "calibrate", "camera centre, median") == pytest.approx(8, abs=2)


def test_a_wrong_focal_length_is_shown_in_percent(truth, ring_rig):
    first = ring_rig[0]
    wrong = replace(first, K=first.K * [[1.004, 1, 1], [1, 1, 1], [1, 1, 1]])
    table = compare_with_truth(truth[0], rig=CameraRig((wrong, *ring_rig.cameras[1:])))
    assert value(table, "calibrate", "focal length, worst") == pytest.approx(0.4)
    assert value(table, "calibrate", "focal length, median") == pytest.approx(0.0)


def test_the_detectors_errors_are_those_of_visible_and_apart_of_hidden_points_that_were_found(truth, ring_rig):
    folder, points, _ = truth
    seen = ring_rig.project(points) + np.array([3.0, 4.0])
    seen[0, :, 1] += [27.0, 36.0]  # not visible there
    seen[1, :10] = np.nan
    covariance = np.broadcast_to(25.0 * np.eye(2), (*seen.shape, 2))
    views = views_dataset(seen, cameras=ring_rig.names, keypoints=NAMES, times=TIMES, covariances_2d=covariance)
    table = compare_with_truth(folder, views=views)
    for name in ("median", "p95"):
        assert value(table, "predict", f"visible keypoint, {name}") == pytest.approx(5)
        assert value(table, "predict", f"hidden keypoint, {name}") == pytest.approx(50)
    assert value(table, "predict", "90 % ellipses of visible") == 100
    assert value(table, "predict", "90 % ellipses of hidden") == 0
    assert value(table, "predict", "visible keypoints found") == pytest.approx(100 * (1 - 30 / (17 * N)))


def test_3d_errors_are_in_millimetres_and_in_body_lengths(truth, ring_rig):
    folder, points, _ = truth
    covariance = np.broadcast_to(np.eye(3) * 4.0, (N, 3, 3, 3)).copy()
    offset = np.zeros_like(points)
    offset[..., 0] = 3.0
    offset[:10, ..., 0] = 30.0
    pose = pose_dataset(points + offset, keypoints=NAMES, times=TIMES, unit="mm", covariance=covariance)
    table = compare_with_truth(folder, rig=ring_rig, pose=pose)
    assert value(table, "reconstruct", "3D point, median", "mm") == pytest.approx(3)
    assert value(table, "reconstruct", "3D point, median", "% of body") == pytest.approx(300 / TRUNK.length)
    assert value(table, "reconstruct", "3D point, p95", "mm") == pytest.approx(30)
    assert value(table, "reconstruct", "95 % regions") == pytest.approx(75)


def test_95_percent_regions_hold_95_percent_of_correct_errors(truth, ring_rig):
    folder, points, _ = truth
    rng = np.random.default_rng(1)
    spread = rng.normal(size=(N, 3, 3, 3))
    covariance = spread @ np.swapaxes(spread, -1, -2) + 0.1 * np.eye(3)
    error = np.einsum("...ij,...j->...i", np.linalg.cholesky(covariance), rng.normal(size=points.shape))
    R, t = rotation([0, 1, 1], 1.0), np.array([5.0, 6, 7])
    pose = pose_dataset((points + error) @ R.T + t, keypoints=NAMES, times=TIMES, unit="mm",
                        covariance=R @ covariance @ R.T)  # fmt: skip
    table = compare_with_truth(folder, rig=moved(ring_rig, R, t), pose=pose)
    assert value(table, "reconstruct", "95 % regions") == pytest.approx(95, abs=6)


def test_angles_give_their_rmse_in_degrees_and_name_the_worst_joint(truth):
    folder, _, angles = truth
    wrong = angles.copy(deep=True)
    wrong["angle"][:, 1] += np.radians(5.0)
    wrong["angle"][:4, 0] = np.nan
    table = compare_with_truth(folder, kinematics=wrong)
    rmse = table[table.quantity == "joint angle, RMSE"].value.item()
    assert rmse == pytest.approx(5 * np.sqrt(N / (2 * N - 4)))
    assert value(table, "kinematics", "joint angle, RMSE of the worst (elbow)") == pytest.approx(5)
    assert value(table, "kinematics", "angles computed") == pytest.approx(95)


def test_frames_are_matched_by_time(truth, ring_rig):
    folder, points, _ = truth
    later = pose_dataset(points[7:20], keypoints=NAMES, times=TIMES[7:20], unit="mm")
    table = compare_with_truth(folder, rig=ring_rig, pose=later)
    assert value(table, "reconstruct", "3D point, p95", "mm") < 1e-9


def test_what_does_not_fit_the_truth_is_named(truth, ring_rig):
    folder, points, angles = truth
    pose = pose_dataset(points, keypoints=("x", "y", "z"), times=TIMES, unit="mm")
    with pytest.raises(DatasetError, match=r"keypoints .*'x'"):
        compare_with_truth(folder, rig=ring_rig, pose=pose)
    with pytest.raises(DatasetError, match="give the rig"):
        compare_with_truth(folder, pose=pose)
    metres = pose_dataset(points, keypoints=NAMES, times=TIMES, unit="m")
    with pytest.raises(DatasetError, match="'m'"):
        compare_with_truth(folder, rig=ring_rig, pose=metres)
    with pytest.raises(DatasetError, match="no frame lies at a time"):
        compare_with_truth(folder, kinematics=angles.assign_coords(time=TIMES + 100))


def test_nothing_given_is_an_empty_table(truth):
    table = compare_with_truth(truth[0])
    assert list(table.columns) == ["stage", "quantity", "value", "unit", "goal"]
    assert len(table) == 0


def test_stances_are_counted_frame_by_frame(truth):
    folder, _, angles = truth
    stands = xr.DataArray(np.ones((N, 2), np.int8), dims=("time", "limb"), coords={"limb": ["left", "right"]})
    true = angles.assign(stance=stands.assign_attrs(units="1"))
    write_dataset(true, folder / "truth_kinematics.nc")
    found = true.copy(deep=True)
    found["stance"][:10, 0] = 0
    assert value(compare_with_truth(folder, kinematics=found), "kinematics", "stance or swing") == 100 * 70 / 80
