"""The lens model is that of the greatest evidence, pinhole or fisheye."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from muybridge.calibration import (
    BoardDetections,
    CalibrationError,
    Camera,
    CameraRig,
    CharucoBoard,
    calibrate,
    simulate_board_motion,
    simulate_detections,
)
from muybridge.calibration.boards.recordings import one_recording
from muybridge.calibration.model_choice import lens_selection, part_of_rig
from muybridge.calibration.model_choice.lens_selection import compared_frames
from muybridge.calibration.solver.robust_solution import Problem, Start
from tests.calibration.synthetic import BOARD, render_board, small_rig
from tests.helpers import needs_shared

WIDE_BOARD = CharucoBoard(9, 8, 60.0, 45.0)
BEND = (-0.02, 0.005, -0.003, 0.0005)


def with_fisheyes(which, focal=250.0, n_cameras=3):
    """`small_rig` with some of its cameras as wide equidistant lenses (104 degrees across at 250 px)."""
    cameras = []
    for i, camera in enumerate(small_rig(n_cameras)):
        K = np.array([[focal + 5 * i, 0, 322.0], [0, focal + 5 * i, 238.0], [0, 0, 1]])
        wide = replace(camera, K=K, distortion=np.array(BEND), model="fisheye")
        cameras.append(wide if i in which else camera)
    return CameraRig(tuple(cameras))


def radial(camera, degrees):
    """Distance from the principal point, pixels, at angles from the axis."""
    angles = np.radians(degrees)
    points = np.column_stack([np.sin(angles), np.zeros(len(angles)), np.cos(angles)])
    seen = replace(camera, R=np.eye(3), t=np.zeros(3)).project(points)
    return seen[:, 0] - camera.K[0, 2]


@pytest.mark.parametrize("which", [pytest.param((0, 1, 2), marks=pytest.mark.long), (1,)])
def test_a_fisheye_is_chosen_and_found_without_being_asked_for(which):
    rig = with_fisheyes(which)
    seen = simulate_detections(rig, motion=simulate_board_motion(24, reach=700.0, seed=2), board=WIDE_BOARD, noise=0.15)
    found = calibrate(seen, WIDE_BOARD, progress=False)
    assert [camera.model == "fisheye" for camera in found.rig] == [c in which for c in range(3)]
    for camera, true in zip(found.rig, rig, strict=True):
        np.testing.assert_allclose(camera.K, true.K, rtol=0.003, atol=1.0)
        np.testing.assert_allclose(radial(camera, [10, 20, 29]), radial(true, [10, 20, 29]), atol=0.5)
    for c in which:
        np.testing.assert_allclose(radial(found.rig[c], [40, 50]), radial(rig[c], [40, 50]), atol=0.5)
    apart = [np.linalg.norm(r.centers[1:] - r.centers[0], axis=1) for r in (found.rig, rig)]
    np.testing.assert_allclose(*apart, rtol=0.003)
    assert found.report.table().loc["all", "heldout_median_px"] < 0.19


@pytest.mark.long  # shorter: rigs of few cameras
def test_in_a_rig_of_many_cameras_a_lens_is_tried_among_those_nearest_to_it(monkeypatch):
    monkeypatch.setattr(lens_selection, "ENOUGH", 2)
    monkeypatch.setattr(part_of_rig, "ENOUGH", 2)
    rig = with_fisheyes((1,))
    seen = simulate_detections(rig, motion=simulate_board_motion(24, reach=700.0, seed=2), board=WIDE_BOARD, noise=0.15)
    found = calibrate(seen, WIDE_BOARD, progress=False)
    assert [camera.model for camera in found.rig] == ["pinhole", "fisheye", "pinhole"]


def test_models_of_many_cameras_are_compared_on_as_many_frames_as_those_of_few():
    seen = np.zeros((30, 400, 12, 2)) + np.random.default_rng(0).normal(size=(30, 400, 1, 2))
    corners = np.where(np.arange(400)[:, None, None] < 300, seen, np.nan)
    corners[:29, 380:], corners[29, :300], corners[29, 380:] = np.nan, np.nan, seen[29, 380:]
    names, each = tuple(f"cam_{i}" for i in range(30)), np.arange(30)
    nothing = np.zeros(30, bool)
    clock = one_recording(400), np.arange(400)
    problem = Problem(BOARD, names, ((640, 480),) * 30, corners, each, nothing, nothing, ~nothing, *clock)
    frames = np.flatnonzero(np.isfinite(corners[..., 0]).any(axis=(0, 2)))
    poses = np.zeros((len(frames), 3))
    start = Start(np.zeros((30, 18)), (2,) * 30, np.zeros((30, 3, 3)), np.zeros((30, 3)), frames, poses, poses)
    chosen = compared_frames(problem, start).frames
    assert 60 <= len(chosen) <= 80
    assert np.isfinite(corners[:, chosen, 0, 0]).sum(axis=1).min() >= 8


def test_tangential_terms_are_estimated_though_the_corners_hardly_ask_for_them():
    bent = np.array([0.0, 0.0, 3e-4, -3e-4])
    rig = CameraRig(tuple(replace(camera, distortion=bent) for camera in small_rig(2)))
    seen = simulate_detections(rig, motion=simulate_board_motion(14, reach=80.0, seed=3), noise=0.2)
    found = calibrate(seen, BOARD, progress=False)
    for camera in found.rig:
        assert (camera.model, len(camera.distortion)) == ("pinhole", 4)
        assert (camera.distortion[2:] != 0).all()
        for name, true in (("p1", 3e-4), ("p2", -3e-4)):
            deviation = found.covariance.loc[(camera.name, name), (camera.name, name)] ** 0.5
            assert abs(camera.distortion[2 + (name == "p2")] - true) < 3 * deviation


def test_a_rendered_fisheye_video_is_calibrated_from_its_pixels():
    pinholes, rig = small_rig(2, size=(1600, 1200)), with_fisheyes((0, 1), n_cameras=2)
    board = CharucoBoard(9, 8, 60.0, 45.0)
    K = np.array([[380.0, 0, 800], [0, 380.0, 600], [0, 0, 1]])
    wide = CameraRig(tuple(replace(camera, K=K) for camera in pinholes))
    images = render_board(wide, *simulate_board_motion(24, reach=420.0, tilt=0.4, seed=5), board=board)
    bent = {}
    for ideal, lens in zip(wide, rig, strict=True):
        rays = _rays(lens)
        at = (rays @ ideal.K.T)[..., :2] / rays[..., 2:]
        x, y = (at[..., i].astype(np.float32) for i in range(2))
        bent[lens.name] = [cv2.remap(image, x, y, cv2.INTER_AREA, borderValue=128) for image in images[lens.name]]
    found = calibrate(bent, board, progress=False)
    assert [camera.model for camera in found.rig] == ["fisheye", "fisheye"]
    for camera, true in zip(found.rig, rig, strict=True):
        np.testing.assert_allclose(camera.K[[0, 1], [0, 1]], true.K[[0, 1], [0, 1]], rtol=0.01)
    assert found.report.table().loc["all", "heldout_median_px"] < 0.3


def _rays(camera):
    """(height, width, 3) directions in the camera's frame, for each pixel."""
    pixels = np.stack(np.meshgrid(np.arange(camera.size[0]), np.arange(camera.size[1])), axis=-1).astype(float)
    return replace(camera, R=np.eye(3), t=np.zeros(3)).rays(pixels)


@pytest.mark.parametrize("kind", [12, 14, "fisheye"])
def test_rich_lenses_are_fitted_where_asked_for(kind):
    rng, rig = np.random.default_rng(0), small_rig(3)
    n = 4 if kind == "fisheye" else kind
    d = np.concatenate([[-0.1, 0.05, 1e-3, -1e-3, 0.02, 0.05, 0.02, 0.01], rng.normal(0, 1e-3, 4), [0.01, -0.01]])[:n]
    model = "fisheye" if kind == "fisheye" else "pinhole"
    bent = CameraRig(tuple(replace(camera, distortion=d, model=model) for camera in rig))
    seen = simulate_detections(bent, motion=simulate_board_motion(30, reach=150.0, seed=1), noise=0.05)
    found = calibrate(seen, BOARD, distortion_model=kind, progress=False)
    assert len(found.rig[0].distortion) == n
    assert found.rig[0].model == model
    assert found.report.table().loc["all", "heldout_median_px"] < 0.065


def test_one_lens_kind_per_camera_may_be_stated():
    seen = simulate_detections(small_rig(3), motion=simulate_board_motion(14, reach=80.0, seed=1))
    found = calibrate(seen, BOARD, distortion_model={"cam_0": 1, "cam_1": 4, "cam_2": 0}, progress=False)
    counts = found.covariance.loc[:, found.covariance.columns.get_level_values("parameter").str.match("[kp][0-9]")]
    assert counts.columns.get_level_values("camera").value_counts().to_dict() == {"cam_0": 1, "cam_1": 4}


@pytest.mark.parametrize("lens", [3, "wide", {"cam_1": -1}])
def test_a_lens_model_that_does_not_exist_is_refused(lens):
    seen = simulate_detections(small_rig(2), motion=simulate_board_motion(8, reach=80.0, seed=1))
    with pytest.raises(CalibrationError, match=r"camera 'cam_.*distortion_model .* is unknown"):
        calibrate(seen, BOARD, distortion_model=lens, progress=False)


def test_cameras_with_the_same_lens_share_one_and_learn_from_one_another():
    rig = small_rig(3)
    rig = CameraRig(tuple(replace(camera, K=rig[0].K) for camera in rig))
    seen = simulate_detections(rig, motion=simulate_board_motion(12, reach=80.0, seed=4), noise=0.2)
    shared = calibrate(seen, BOARD, distortion_model=2, shared_intrinsics=[["cam_0", "cam_1", "cam_2"]], progress=False)
    alone = calibrate(seen, BOARD, distortion_model=2, progress=False)
    assert all((camera.K == shared.rig[0].K).all() for camera in shared.rig)
    assert all((camera.distortion == shared.rig[0].distortion).all() for camera in shared.rig)
    assert {name for name, parameter in shared.parameters if parameter == "fx"} == {"cam_0"}
    own, common = (found.covariance.loc[("cam_0", "fx"), ("cam_0", "fx")] for found in (alone, shared))
    assert common < 0.6 * own
    assert abs(shared.rig[0].K[0, 0] - rig[0].K[0, 0]) < 4 * np.sqrt(common)


def test_same_lens_refuses_strangers_and_other_sizes():
    seen = simulate_detections(small_rig(2), motion=simulate_board_motion(8, reach=80.0, seed=1))
    with pytest.raises(CalibrationError, match="shared_intrinsics names the camera 'cam_9'"):
        calibrate(seen, BOARD, shared_intrinsics=[["cam_0", "cam_9"]], progress=False)
    other = replace(seen["cam_1"], size=(800, 600))
    with pytest.raises(CalibrationError, match="different image sizes"):
        calibrate({**seen, "cam_1": other}, BOARD, shared_intrinsics=[["cam_0", "cam_1"]], progress=False)


def test_lenses_known_from_separate_recordings_stay_as_they_are():
    rig = small_rig(3)
    alone = {
        camera.name: calibrate(
            simulate_detections(CameraRig((camera,)), motion=simulate_board_motion(20, reach=120.0, seed=c)),
            BOARD,
            distortion_model=2,
            progress=False,
        )
        for c, camera in enumerate(rig)
    }
    known = {name: found.rig[name] for name, found in alone.items()}
    seen = simulate_detections(rig, motion=simulate_board_motion(8, reach=80.0, seed=9))
    found = calibrate(seen, intrinsics=known)
    for camera in found.rig:
        np.testing.assert_array_equal(camera.K, known[camera.name].K)
        np.testing.assert_array_equal(camera.distortion, known[camera.name].distortion)
    assert not any(parameter in ("fx", "k1") for _, parameter in found.parameters)
    apart = [np.linalg.norm(r.centers[1:] - r.centers[0], axis=1) for r in (found.rig, rig)]
    np.testing.assert_allclose(*apart, rtol=0.01)


def test_a_known_camera_may_be_of_another_class():
    rig = with_fisheyes((1,))
    seen = simulate_detections(rig, motion=simulate_board_motion(20, reach=500.0, seed=2), board=WIDE_BOARD)
    given = Camera("cam_1", rig[1].size, rig[1].K, rig[1].distortion, np.eye(3), np.zeros(3), "fisheye")
    found = calibrate(seen, WIDE_BOARD, intrinsics={"cam_1": given}, distortion_model=1, progress=False)
    np.testing.assert_array_equal(found.rig["cam_1"].distortion, given.distortion)
    assert found.report.table().loc["cam_1", "heldout_median_px"] < 0.2


@needs_shared
@pytest.mark.shared
@pytest.mark.long
def test_folds_of_a_real_rig_choose_the_same_model(rat_boards):
    chosen = set()
    for fold in (0, 3):
        part = {}
        for name, found in rat_boards.items():
            corners = found.corners.copy()
            corners[fold::5] = np.nan
            part[name] = BoardDetections(found.board, found.size, corners)
        rig = calibrate(part, progress=False).rig
        chosen.add(tuple((camera.model, len(camera.distortion)) for camera in rig))
    assert len(chosen) == 1


def test_the_board_in_the_middle_is_enough_to_know_the_corners_within_a_hundredth_of_the_image():
    rig = with_fisheyes((0, 1), focal=330.0, n_cameras=2)
    motion = simulate_board_motion(24, reach=150.0, tilt=0.4, seed=7)
    seen = simulate_detections(rig, motion=motion, board=BOARD, noise=0.2, seed=7)
    found = calibrate(seen, BOARD, progress=False)
    for camera, true in zip(found.rig, rig, strict=True):
        np.testing.assert_allclose(radial(camera, [10, 30, 48]), radial(true, [10, 30, 48]), atol=6.4)
