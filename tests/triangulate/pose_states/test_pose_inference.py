"""Pose states in a reconstruction: what they repair, and what they leave alone."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from benchmarks.real_recordings import rat
from muybridge.calibration import Camera, CameraRig
from muybridge.datasets import Skeleton
from muybridge.triangulate import PosePrior, infer_poses, smooth, triangulate_dlt
from tests.conftest import make_moving_points
from tests.helpers import SHARED, needs_shared
from tests.triangulate.recordings import CHI2_50, FPS, coverage, seen


def knee_swung_out(rig, skeleton, truth, stretch, cameras=(0, 1, 3, 4)):
    """Pixels and confidence of a motion in which some views see the left knee 60 degrees off for a stretch."""
    points_2d, confidence, _ = seen(rig, truth)
    knee, hip, tail = (skeleton.keypoints.index(name) for name in ("left_knee", "left_hip", "tail"))
    bone = truth[stretch, knee] - truth[stretch, hip]
    axis = np.cross(bone, truth[stretch, hip] - truth[stretch, tail])
    swing = Rotation.from_rotvec(np.deg2rad(60) * axis / np.linalg.norm(axis, axis=1, keepdims=True))
    wrong = rig.project(truth[stretch, hip] + swing.apply(bone))
    for camera in cameras:
        missing = np.isnan(points_2d[camera, stretch, knee])
        noise = np.random.default_rng(camera).normal(0, 1, wrong[camera].shape)
        points_2d[camera, stretch, knee] = np.where(missing, np.nan, wrong[camera] + noise)
    return points_2d, confidence, knee


@pytest.mark.parametrize("fps", [30, 120])
def test_a_limb_put_in_the_wrong_place_by_most_views_is_put_right(ring_rig, skeleton, fps):
    truth = make_moving_points(skeleton, 9 * fps, fps=fps)
    prior = PosePrior.fit(truth[4 * fps :], skeleton, 8)
    truth, stretch = truth[: 4 * fps], slice(fps * 3 // 4, fps * 13 // 4)
    points_2d, confidence, knee = knee_swung_out(ring_rig, skeleton, truth, stretch)
    shared = {"fps": fps, "confidence": confidence, "skeleton": skeleton}
    plain, posed = smooth(points_2d, ring_rig, **shared), infer_poses(points_2d, ring_rig, prior=prior, **shared)
    before, after = (np.linalg.norm(found.points_3d - truth, axis=-1) for found in (plain, posed))
    assert before[stretch, knee].mean() > 10
    assert after[stretch, knee].mean() < before[stretch, knee].mean() / 4
    assert posed.overridden[stretch, knee].mean() > 0.9
    elsewhere = np.ones(before.shape, bool)
    elsewhere[stretch, knee] = False
    assert np.median(after[elsewhere]) < 1.05 * np.median(before[elsewhere])
    assert posed.overridden[elsewhere].mean() < 0.03


def test_where_nothing_is_wrong_no_view_is_overridden(ring_rig, skeleton, moving_skeleton):
    points_2d, confidence, _ = seen(ring_rig, moving_skeleton)
    shared = {"fps": FPS, "confidence": confidence, "skeleton": skeleton}
    plain, posed = smooth(points_2d, ring_rig, **shared), infer_poses(points_2d, ring_rig, **shared)
    errors = [np.median(np.linalg.norm(found.points_3d - moving_skeleton, axis=-1)) for found in (plain, posed)]
    assert errors[1] < 1.05 * errors[0]
    assert not posed.overridden.any()
    assert 0.9 < coverage(posed.points_3d, posed.covariances_3d, moving_skeleton) < 0.99
    assert posed.states.shape == posed.headings.shape == (200,)
    np.testing.assert_allclose(posed.state_probabilities.sum(axis=1), 1)
    assert posed.prior.skeleton.keypoints == skeleton.keypoints


def test_the_heading_needs_the_vertical(ring_rig, skeleton, moving_skeleton):
    with pytest.raises(ValueError, match="vertical"):
        infer_poses(ring_rig.project(moving_skeleton), replace(ring_rig, up=None), fps=FPS, skeleton=skeleton)


def test_bones_and_keypoints_of_a_prior_are_matched_by_name(ring_rig, skeleton, moving_skeleton):
    prior = PosePrior.fit(moving_skeleton, skeleton, 2)
    backward = Skeleton(skeleton.keypoints[::-1], skeleton.bones[::-1], root="neck")
    points_2d = ring_rig.project(moving_skeleton[:40])
    points_2d[:, :, skeleton.keypoints.index("left_knee")] = np.nan  # its bone takes the prior's length
    shared = {"fps": FPS, "skeleton": skeleton}
    found = [infer_poses(points_2d, ring_rig, prior=p, **shared) for p in (prior, prior.in_order_of(backward))]
    knee = skeleton.bones.index(("left_hip", "left_knee"))
    for one in found:
        np.testing.assert_allclose(one.bone_lengths[knee], prior.bone_lengths[knee], rtol=1e-12)
    np.testing.assert_array_equal(found[0].points_3d, found[1].points_3d)
    np.testing.assert_array_equal(found[0].headings, found[1].headings)


def test_a_skeleton_may_list_its_bones_in_any_order(ring_rig, skeleton, moving_skeleton):
    prior = PosePrior.fit(moving_skeleton, skeleton, 2)
    other = Skeleton(skeleton.keypoints, skeleton.bones[2:] + skeleton.bones[:2], root="neck")
    points_2d = ring_rig.project(moving_skeleton[:40])
    points_2d[:, :, [4, 5]] = np.nan
    found = [infer_poses(points_2d, ring_rig, fps=FPS, prior=prior, skeleton=s) for s in (skeleton, other)]
    for bone in skeleton.bones:
        lengths = [f.bone_lengths[s.bones.index(bone)] for f, s in zip(found, (skeleton, other), strict=True)]
        np.testing.assert_allclose(*lengths, rtol=1e-9)
    np.testing.assert_allclose(found[0].points_3d, found[1].points_3d, atol=1e-6)


@pytest.mark.parametrize("change", [slice(0, -1), slice(1, None)])
def test_a_prior_with_missing_or_additional_bones_is_refused(ring_rig, skeleton, moving_skeleton, change):
    fewer = Skeleton(skeleton.keypoints, skeleton.bones[change], root="neck")
    lost = next(iter(set(skeleton.bones) - set(fewer.bones)))
    for own, wanted in ((skeleton, fewer), (fewer, skeleton)):
        prior = PosePrior.fit(moving_skeleton, own, 2)
        with pytest.raises(ValueError, match="other bones") as refusal:
            infer_poses(ring_rig.project(moving_skeleton), ring_rig, fps=FPS, skeleton=wanted, prior=prior)
        assert str(lost) in str(refusal.value)


def test_same_input_same_output(ring_rig, skeleton, moving_skeleton):
    points_2d, confidence, _ = seen(ring_rig, moving_skeleton[:80])
    shared = {"fps": FPS, "confidence": confidence, "skeleton": skeleton, "n_states": 3}
    a, b = (infer_poses(points_2d, ring_rig, **shared) for _ in range(2))
    assert (a.points_3d == b.points_3d).all()
    assert (a.state_probabilities == b.state_probabilities).all()


@pytest.mark.parametrize("n_frames", [1, 2, 5])
def test_a_few_frames_and_empty_keypoints_do_no_harm(ring_rig, skeleton, moving_skeleton, n_frames):
    prior = PosePrior.fit(moving_skeleton, skeleton, 3)
    points_2d = ring_rig.project(moving_skeleton[:n_frames])
    points_2d[:, :, 0] = np.nan
    found = infer_poses(points_2d, ring_rig, fps=FPS, skeleton=skeleton, prior=prior)
    np.testing.assert_allclose(found.points_3d[:, 1:], moving_skeleton[:n_frames, 1:], atol=0.3)
    assert np.isnan(found.points_3d[:, 0]).all()


def test_nothing_seen_gives_nothing(ring_rig, skeleton, moving_skeleton):
    prior = PosePrior.fit(moving_skeleton, skeleton, 3)
    found = infer_poses(np.full((6, 9, 7, 2), np.nan), ring_rig, fps=FPS, skeleton=skeleton, prior=prior)
    assert np.isnan(found.points_3d).all()


def test_no_frames_and_empty_frames_do_no_harm(ring_rig, skeleton, moving_skeleton):
    prior = PosePrior.fit(moving_skeleton, skeleton, 3)
    shared = {"fps": FPS, "skeleton": skeleton, "prior": prior}
    assert infer_poses(np.zeros((6, 0, 7, 2)), ring_rig, **shared).points_3d.shape == (0, 7, 3)
    points_2d = ring_rig.project(moving_skeleton[:60])
    points_2d[:, 20:25] = np.nan
    found = infer_poses(points_2d, ring_rig, **shared)
    np.testing.assert_allclose(found.points_3d, moving_skeleton[:60], atol=1.0)
    assert np.isfinite(found.covariances_3d).all()


def test_one_camera_gives_nothing_and_no_crash(ring_rig, skeleton, moving_skeleton):
    alone = ring_rig.subset(["cam_0"])
    prior = PosePrior.fit(moving_skeleton, skeleton, 3)
    found = infer_poses(alone.project(moving_skeleton[:30]), alone, fps=FPS, skeleton=skeleton, prior=prior)
    assert np.isnan(found.points_3d).all()
    assert not found.overridden.any()


def test_keypoints_outside_the_skeleton_are_tracked_by_themselves(ring_rig, skeleton, moving_skeleton):
    part = Skeleton(skeleton.keypoints, skeleton.bones[:4], root="neck")
    points_2d, confidence, _ = seen(ring_rig, moving_skeleton[:100])
    found = infer_poses(points_2d, ring_rig, fps=FPS, skeleton=part, n_states=2, confidence=confidence)
    error = np.linalg.norm(found.points_3d - moving_skeleton[:100], axis=-1)
    assert (np.median(error, axis=0) < 0.8).all()


@pytest.mark.shared
@needs_shared
@pytest.mark.parametrize(("trained_noise", "order"), [(False, None), (True, 2)])
def test_a_real_rat_under_its_trained_prior_is_located_and_its_regions_hold_the_motion_capture(trained_noise, order):
    recording = rat()
    truth = recording.truth
    options = {"fps": recording.fps, "skeleton": recording.skeleton, "prior": recording.prior, "order": order}
    noise = recording.noise if trained_noise else None
    found = infer_poses(recording.points_2d, recording.rig, **options, noise=noise)
    error = np.linalg.norm(found.points_3d - truth, axis=-1)
    assert np.nanmean(error) <= (5.5 if trained_noise else 5.8)
    assert np.nanmedian(error) <= (4.3 if trained_noise else 4.1)
    assert np.nanquantile(error, 0.95) <= (15 if trained_noise else 20)
    assert 0.88 < coverage(found.points_3d, found.covariances_3d, truth) < 0.98
    assert 0.40 < coverage(found.points_3d, found.covariances_3d, truth, CHI2_50) < 0.65


@pytest.mark.shared
@needs_shared
@pytest.mark.parametrize("name", ["L00_minimal", "L01_noise", "L02_outliers", "L03_missingness"])
def test_published_fixtures_with_outliers_and_gaps_at_most_half_the_error_of_plain_triangulation(name):
    with np.load(SHARED / "data" / "gimbal_fixtures" / f"{name}.npz") as file:
        truth, points_2d, P, parents = (file[key] for key in ("x_true", "y_2d", "camera_proj", "parents"))
        spec = json.loads(str(file["config_json"]))["dataset_spec"]
    truth, points_2d = truth[:900], points_2d[:, :900].copy()
    rig = CameraRig(tuple(_camera(c, p) for c, p in zip(spec["cameras"]["cameras"], P, strict=True)), up=(0, 0, 1))
    names = spec["skeleton"]["joint_names"]
    skeleton = Skeleton(tuple(names), tuple((names[p], names[i]) for i, p in enumerate(parents) if p >= 0), root="root")
    rng = np.random.default_rng(0)
    wrong = rng.random(points_2d.shape[:-1]) < 0.05
    points_2d[wrong] = rng.uniform(0, [1280, 720], (wrong.sum(), 2))
    points_2d[rng.random(points_2d.shape[:-1]) < 0.1] = np.nan
    found = infer_poses(points_2d, rig, fps=1 / 0.0167, skeleton=skeleton, n_states=spec["states"]["num_states"])
    errors = [np.linalg.norm(p - truth, axis=-1) for p in (triangulate_dlt(points_2d, rig), found.points_3d)]
    assert np.nanmean(errors[1]) < 0.5 * np.nanmean(errors[0])
    assert np.nanmedian(errors[1]) < 0.5 * np.nanmedian(errors[0])


def _camera(spec, P):
    K = np.array(spec["K"])
    pose = np.linalg.inv(K) @ P
    pose /= np.cbrt(np.linalg.det(pose[:, :3]))
    return Camera(spec["name"], tuple(spec["image_size"]), K, [], pose[:, :3], pose[:, 3])
