"""A rig is put right from the animal: knocked cameras, late cameras, and nothing where nothing is wrong."""

from dataclasses import replace

import numpy as np
import pytest

from muybridge.calibration import Camera, CameraRig
from muybridge.cameras._kernels_epipolar import sampson_distances
from muybridge.cameras.alignment import align_images
from muybridge.cameras.epipolar import epipolar_distances, fundamental_matrix
from muybridge.cameras.rotations import rotation_matrix, rotation_vector
from muybridge.datasets import views_dataset
from muybridge.formats import read_views
from muybridge.triangulate import frame_offsets, shift_frames
from muybridge.triangulate import refine_rig as refine_with_all
from muybridge.triangulate.rig_refinement._kernels_bundle import reduced_equations
from muybridge.triangulate.rig_refinement.bundle_adjustment import adjust, design_effect
from muybridge.triangulate.rig_refinement.camera_motion import find_camera_motion
from tests.conftest import make_moving_points
from tests.helpers import SHARED, needs_shared

N_FRAMES, PER_FRAME = 500, 5


@pytest.fixture(scope="module")
def motion(skeleton):
    """(N_FRAMES * PER_FRAME, 7, 3): the animal at fine steps of time, twice as fast as the shared one."""
    return make_moving_points(skeleton, N_FRAMES * PER_FRAME, fps=100.0 * PER_FRAME / 2)


def refine_rig(*arguments, n_points=1500, **options):
    """With fewer points than usual: quicker."""
    return refine_with_all(*arguments, n_points=n_points, **options)


def film(rig, motion, delays=None, noise=1.0, outliers=0.03, missing=0.1, seed=0, bias=0.0):
    """(n_cameras, N_FRAMES, 7, 2) what the cameras show, each `delays` frames late."""
    rng = np.random.default_rng(seed)
    shown = []
    for camera, delay in zip(rig, np.zeros(len(rig)) if delays is None else delays, strict=True):
        at = np.clip(np.arange(N_FRAMES) * PER_FRAME - round(delay * PER_FRAME), 0, len(motion) - 1)
        shown.append(camera.project(motion[at]))
    shown = np.stack(shown)
    shown += rng.normal(0, bias, (len(rig), 1, shown.shape[2], 2)) + rng.normal(0, noise, shown.shape)
    gross = rng.random(shown.shape[:-1]) < outliers
    shown[gross] += rng.normal(0, 100, (gross.sum(), 2))
    shown[rng.random(shown.shape[:-1]) < missing] = np.nan
    return shown


def knocked(camera, degrees, distance, seed=1):
    rng = np.random.default_rng(seed)
    turn, shift = rng.normal(size=(2, 3))
    R = rotation_matrix(np.radians(degrees) * turn / np.linalg.norm(turn)) @ camera.R
    return replace(camera, R=R, t=-R @ (camera.center + distance * shift / np.linalg.norm(shift)))


def with_camera(rig, name, camera):
    return CameraRig(tuple(camera if c.name == name else c for c in rig), rig.unit, rig.up)


def rat_rig():
    """Rounded result of `calibrate` on rodent_4cam: name, fx fy cx cy, distortion, rotation vector, t."""
    cameras = []
    for name, lens, distortion, turn, t in (
        (
            "back",
            [760.374, 762.299, 639.25, 514.125],
            [-0.36284, 0.19135, -0.00076, -0.00058, -0.05999],
            [0.0, 0.0, 0.0],
            [0.0, 0.0, 0.0],
        ),
        (
            "mid",
            [759.076, 759.461, 652.665, 516.174],
            [-0.37347, 0.24576, -0.00161, -0.0012, -0.1364],
            [-0.5733, -1.472512, -2.607071],
            [-81.409, -231.304, 148.917],
        ),
        (
            "side",
            [760.591, 764.935, 644.299, 503.401],
            [-0.36158, 0.18977, -0.00177, -0.00037, -0.05891],
            [0.099098, 1.843836, 1.625013],
            [-111.027, -336.022, 273.996],
        ),
        (
            "top",
            [955.361, 957.155, 648.064, 520.802],
            [-0.32012, 0.21293, 0.00015, -0.0002, -0.17492],
            [0.514565, 0.497173, 2.715578],
            [-88.126, -61.891, 91.021],
        ),
    ):
        K = np.array([[lens[0], 0, lens[2]], [0, lens[1], lens[3]], [0, 0, 1.0]])
        cameras.append(
            Camera(name, (1280, 1024), K, np.array(distortion), rotation_matrix(np.array(turn)), np.array(t))
        )
    return CameraRig(tuple(cameras))


def errors(rig, truth):
    """Degrees and distance by which cameras are off, the larger of all cameras."""
    turns = [np.degrees(np.linalg.norm(rotation_vector(a.R @ b.R.T))) for a, b in zip(rig, truth, strict=True)]
    return max(turns), max(np.linalg.norm(a.center - b.center) for a, b in zip(rig, truth, strict=True))


def test_a_good_rig_is_kept(ring_rig, motion):
    found = refine_rig(film(ring_rig, motion), ring_rig)
    assert found.report.kept_old_rig
    assert found.report.warnings == ()
    assert found.rig is ring_rig
    assert "is kept" in str(found.report)


def test_a_camera_knocked_since_calibration_is_put_right(ring_rig, motion):
    old = with_camera(ring_rig, "cam_2", knocked(ring_rig["cam_2"], 3.0, 25.0))
    found = refine_rig(film(ring_rig, motion), old)
    turned, shifted = errors(found.rig, ring_rig)
    assert turned < 0.12
    assert shifted < 2.5
    (warning,) = found.report.warnings
    assert "camera 'cam_2' no longer stands where it was calibrated" in warning
    row = found.report.table().loc["cam_2"]
    assert row["rotation_deg"] == pytest.approx(3.0, abs=0.15)
    assert row["translation"] == pytest.approx(25.0, abs=2.0)
    assert row["epipolar_px_after"] < 1.2 < 10 < row["epipolar_px_before"]


def test_small_errors_of_all_cameras_shrink(ring_rig, motion):
    old = CameraRig(tuple(knocked(c, 0.25, 2.0, seed=i) for i, c in enumerate(ring_rig)), "mm")
    found = refine_rig(film(ring_rig, motion, noise=0.5), old, sync=False, detect_camera_motion=False)
    table = found.report.table()
    assert (table["epipolar_px_after"] < 0.5).all()
    assert (table["epipolar_px_before"] > 0.9).any()


def test_a_camera_knocked_halfway_is_found_with_its_frame(ring_rig, motion):
    shown = film(ring_rig, motion)
    new = knocked(ring_rig["cam_4"], 1.0, 8.0)
    moved = film(with_camera(ring_rig, "cam_4", new), motion)
    shown[4, 317:] = moved[4, 317:]
    found = refine_rig(shown, ring_rig)
    assert abs(found.report.table().loc["cam_4", "moved_at_frame"] - 317) <= 1
    assert found.report.table()["moved_at_frame"].notna().sum() == 1
    before, after = found.parts
    assert (before.first_frame, after.stop_frame) == (0, N_FRAMES)
    assert errors(before.rig, ring_rig)[0] < 0.12
    assert errors(after.rig.subset(["cam_4"]), [new])[0] < 0.12
    assert "moved at frame" in found.report.warnings[0]


def test_faster_motion_is_no_knock(ring_rig, motion):
    shown = film(ring_rig, motion)
    noise = np.random.default_rng(5).normal(0, 3.0, shown[:, 250:].shape)
    shown[:, 250:] += noise
    distances = epipolar_distances(ring_rig.undistort(shown), ring_rig)
    assert find_camera_motion(distances, 6) is None


def test_late_cameras_are_found_to_a_fraction_of_a_frame(ring_rig, motion):
    delays = np.array([0, 2, 0, -1, 0.4, 0])
    found = frame_offsets(film(ring_rig, motion, delays, noise=0.5), ring_rig)
    np.testing.assert_allclose(found.offsets, delays, atol=0.1)
    assert (np.abs(found.offsets - delays) < 4 * found.std + 1e-9).all()
    np.testing.assert_array_equal(found.significant(), delays != 0)
    late, early, fraction = found.sentences()
    assert late.startswith("camera 'cam_1' is delayed by")
    assert "frames; shift its recording by 2 frames" in late
    assert early.endswith("frames; shift its recording by 1 frame")
    assert "is ahead by" in early
    assert "synchronise" in fraction


def test_a_late_camera_is_not_mistaken_for_a_knocked_one(ring_rig, motion):
    found = refine_rig(film(ring_rig, motion, [0, 3, 0, 0, 0, 0]), ring_rig)
    (warning,) = found.report.warnings
    assert "camera 'cam_1' is delayed by" in warning
    assert found.rig is ring_rig


def test_a_camera_both_knocked_and_late_is_put_right(ring_rig, motion):
    old = with_camera(ring_rig, "cam_2", knocked(ring_rig["cam_2"], 2.0, 15.0))
    found = refine_rig(film(ring_rig, motion, [0, 0, 2, 0, 0, 0]), old)
    assert found.frame_offsets.to_apply()[2] == 2
    assert errors(found.rig, ring_rig)[0] < 0.15


def test_cameras_in_step_give_no_offset_despite_biased_keypoints(ring_rig, motion):
    found = frame_offsets(film(ring_rig, motion, bias=3.0), ring_rig)
    assert not found.significant().any()


def test_an_animal_that_rests_tells_no_offset(ring_rig, motion):
    still = np.repeat(motion[:1], len(motion), axis=0)
    found = frame_offsets(film(ring_rig, still), ring_rig)
    assert not found.significant().any()


def test_shifting_frames_undoes_a_delay(ring_rig, motion):
    clean = {"noise": 0.0, "outliers": 0.0, "missing": 0.0}
    late = film(ring_rig, motion, [0, 3, -2, 0, 0, 0.4], **clean)
    back = shift_frames(late, [0, 3, -2, 0, 0, 0.4])
    expected = film(ring_rig, motion, **clean)
    assert np.isnan(back[1, -3:]).all()
    assert np.isnan(back[2, :2]).all()
    np.testing.assert_allclose(back[:, 10:-10], expected[:, 10:-10], atol=0.1)


def test_focal_lengths_are_refined_when_asked(ring_rig, motion):
    camera = ring_rig["cam_1"]
    K = np.array(camera.K)
    K[:2, :2] *= 1.03
    old = with_camera(ring_rig, "cam_1", replace(camera, K=K))
    found = refine_rig(
        film(ring_rig, motion, noise=0.3, outliers=0), old, focal=True, sync=False, detect_camera_motion=False
    )
    assert found.report.table().loc["cam_1", "focal_percent"] == pytest.approx(-100 * 0.03 / 1.03, abs=0.6)


def test_two_cameras_cannot_say_which_one_moved(ring_rig, motion):
    pair = ring_rig.subset(["cam_0", "cam_2"])
    old = with_camera(pair, "cam_2", knocked(pair["cam_2"], 2.0, 0.0))
    found = refine_rig(film(pair, motion), old, sync=False)
    assert any("cannot show which" in warning for warning in found.report.warnings)
    assert found.report.table()["epipolar_px_after"].max() < 1.5


def test_a_foreign_rig_is_refused(ring_rig, motion):
    turned = CameraRig(tuple(replace(c, name=n) for c, n in zip(ring_rig.cameras[::-1], ring_rig.names, strict=True)))
    with pytest.raises(ValueError, match="named in the right order"):
        refine_rig(film(ring_rig, motion), turned, detect_camera_motion=False, n_points=500)


def test_a_camera_without_points_is_named_and_harms_nothing(ring_rig, motion):
    shown = film(ring_rig, motion)
    shown[3] = np.nan
    found = refine_rig(shown, ring_rig)
    assert found.report.warnings == ("camera 'cam_3' shares only 0 points with the others; its pose is not tested",)
    assert found.rig is ring_rig


def test_too_few_points_and_wrong_shapes_are_refused(ring_rig):
    nothing = np.full((6, 20, 7, 2), np.nan)
    with pytest.raises(ValueError, match="fewer than 50 points"):
        refine_rig(nothing, ring_rig)
    with pytest.raises(ValueError, match="n_frames, n_keypoints"):
        refine_rig(nothing[:, :, 0], ring_rig)


def test_the_answer_is_the_same_every_time(ring_rig, motion):
    old = with_camera(ring_rig, "cam_2", knocked(ring_rig["cam_2"], 1.0, 10.0))
    shown = film(ring_rig, motion)[:, :200]
    one, two = (refine_rig(shown, old, sync=False, detect_camera_motion=False, n_points=500) for _ in range(2))
    for a, b in zip(one.rig, two.rig, strict=True):
        np.testing.assert_array_equal(a.R, b.R)
        np.testing.assert_array_equal(a.t, b.t)


def test_the_report_goes_to_json(ring_rig, motion):
    import json

    report = refine_rig(film(ring_rig, motion)[:, :200], ring_rig, n_points=500).report
    assert json.loads(json.dumps(report.as_dict()))["cameras"]["cam_0"]["moved_at_frame"] is None


def test_reduced_equations_equal_their_numpy_twin(ring_rig, motion):
    """Dense normal equations by central differences, the points eliminated with numpy."""
    from muybridge.cameras.rotations import moved

    rig, points = ring_rig.subset(["cam_0", "cam_1", "cam_3"]), motion[::900, :2].reshape(-1, 3)[:6]
    seen = rig.project(points) + np.random.default_rng(0).normal(0, 1, (3, 6, 2))
    weights = np.random.default_rng(1).uniform(0.5, 1, (3, 6))
    weights[1, 2] = 0

    def residuals(x):
        motion_of, shift = x[:21].reshape(3, 7), x[21:].reshape(-1, 3)
        R, t = moved(rig.arrays.R, rig.arrays.t, motion_of[:, :6])
        cameras = []
        for i, camera in enumerate(rig):
            K = np.array(camera.K)
            K[:2, :2] *= np.exp(motion_of[i, 6])
            cameras.append(replace(camera, K=K, R=R[i], t=t[i]))
        return (np.sqrt(weights)[..., None] * (CameraRig(tuple(cameras)).project(points + shift) - seen)).ravel()

    n, step = 21 + points.size, 1e-5
    J = np.stack([(residuals(step * e) - residuals(-step * e)) / (2 * step) for e in np.eye(n)], -1)
    H, g = J.T @ J, -J.T @ residuals(np.zeros(n))
    A, B, C = H[:21, :21], H[:21, 21:], H[21:, 21:]
    S, s = A - B @ np.linalg.solve(C, B.T), g[:21] - B @ np.linalg.solve(C, g[21:])
    found = reduced_equations(*rig.arrays, points, seen, weights, 0.0, True)
    np.testing.assert_allclose(found[0], S, rtol=1e-5, atol=1e-5 * np.abs(S).max())
    np.testing.assert_allclose(found[1], s, rtol=1e-5, atol=1e-5 * np.abs(s).max())
    np.testing.assert_allclose(found[2], np.diag(A), rtol=1e-5)


def test_sampson_distances_equal_their_numpy_twin(ring_rig, motion):
    F = fundamental_matrix(ring_rig, 0, 2)
    rng = np.random.default_rng(0)
    ideal = ring_rig.undistort(ring_rig.project(motion[::60, 0][:40]))[[0, 2]] + rng.normal(0, 1, (2, 40, 2))
    one, other = (np.column_stack([points, np.ones(40)]) for points in ideal)
    a, b = one @ F.T, other @ F
    expected = (other * a).sum(1) / np.sqrt(a[:, 0] ** 2 + a[:, 1] ** 2 + b[:, 0] ** 2 + b[:, 1] ** 2)
    np.testing.assert_allclose(sampson_distances(F, ideal[0].copy(), ideal[1].copy()), expected, rtol=0, atol=1e-11)
    assert np.isnan(sampson_distances(F, np.full((1, 2), np.nan), ideal[1][:1].copy())).all()


def test_epipolar_distances_vanish_without_noise_and_measure_it_otherwise(ring_rig, motion):
    seen = ring_rig.project(motion[::4])
    assert np.abs(epipolar_distances(ring_rig.undistort(seen), ring_rig)).max() < 1e-6
    noisy = ring_rig.undistort(seen) + np.random.default_rng(0).normal(0, 2.0, seen.shape)
    assert np.std(epipolar_distances(noisy, ring_rig)) == pytest.approx(2.0, rel=0.05)


def test_constant_biases_of_keypoints_count_as_few_views():
    rng = np.random.default_rng(0)
    keypoint = np.tile(np.arange(7), 100)
    white = rng.normal(size=(4, 700, 2))
    biased = white + rng.normal(0, 1, (4, 7, 2))[:, keypoint]
    assert design_effect(white, keypoint, np.ones(4)) < 1.5
    assert design_effect(biased, keypoint, np.ones(4)) > 50


def test_biased_keypoints_do_not_throw_the_rig_about(ring_rig, motion):
    """Labels that are off by a constant in each view are no reason for large changes."""
    found = refine_rig(film(ring_rig, motion, bias=3.0), ring_rig, sync=False)
    turned, shifted = errors(found.rig, ring_rig)
    assert turned < 0.5
    assert shifted < 8


def test_adjustment_without_noise_is_exact(ring_rig, motion):
    points = motion[::20, ::3].reshape(-1, 3)
    old = with_camera(ring_rig, "cam_3", knocked(ring_rig["cam_3"], 1.0, 5.0))
    result = adjust(ring_rig.project(points), points + 1.0, old, focal=False)
    rig, _ = align_images(result.rig, result.points_3d, old)
    assert result.converged
    assert errors(rig, ring_rig)[0] < 0.02


@needs_shared
@pytest.mark.shared
@pytest.mark.parametrize("name", ["mid", "top"])
def test_a_knocked_camera_is_named_on_a_real_rat(name):
    """The two cameras whose labels agree best; the rig is one calibrated from the recording's ChArUco images."""
    cameras = ("back", "mid", "side", "top")
    folder = SHARED / "data" / "rodent_4cam"
    views = read_views({c: folder / c / f"minimal_{c}_proofread.analysis.h5" for c in cameras}, fps=30)
    rig = rat_rig()
    old = with_camera(rig, name, knocked(rig[name], 3.0, 5.0))
    found = refine_with_all(views["position"].values, old, sync=False)
    assert any(f"'{name}' no longer stands" in warning for warning in found.report.warnings)
    table = found.report.table()
    assert table.loc[name, "epipolar_px_before"] > 15
    assert table.loc[name, "epipolar_px_after"] < 4
    assert table["change_px"].idxmax() == name


def resampled(rig, skeleton, fps, delays, noise=1.0, seed=0):
    """Ten seconds of one motion seen at some frame rate by cameras that are delayed by so many seconds."""
    fine = 600  # frames a second, a multiple of every rate
    motion = make_moving_points(skeleton, 11 * fine, fps=fine)
    frames = np.arange(10 * fps) * (fine // fps) + fine // 2
    shown = np.stack([c.project(motion[frames - round(d * fine)]) for c, d in zip(rig, delays, strict=True)])
    return shown + np.random.default_rng(seed).normal(0, noise, shown.shape)


@pytest.mark.parametrize("fps", [30, 100, 200])
def test_a_delay_is_the_same_in_seconds_at_any_frame_rate(ring_rig, skeleton, fps):
    delays = np.array([0, 1, 0, -1, 0, 0]) / 30
    found = frame_offsets(resampled(ring_rig, skeleton, fps, delays), ring_rig, fps=fps)
    np.testing.assert_array_equal(found.significant(), delays != 0)
    np.testing.assert_allclose(found.offsets / fps, delays, atol=1e-3)


@pytest.mark.parametrize("fps", [30, 200])
def test_a_movement_is_found_at_the_same_second_at_any_frame_rate(ring_rig, skeleton, fps):
    shown = resampled(ring_rig, skeleton, fps, np.zeros(6))
    moved_rig = with_camera(ring_rig, "cam_4", knocked(ring_rig["cam_4"], 1.0, 8.0))
    shown[4, 7 * fps :] = resampled(moved_rig, skeleton, fps, np.zeros(6))[4, 7 * fps :]
    table = refine_rig(shown, ring_rig, sync=False).report.table()
    assert table["moved_at_frame"].dropna().index.tolist() == ["cam_4"]
    assert table.loc["cam_4", "moved_at_frame"] / fps == pytest.approx(7, abs=0.05)


def test_a_views_dataset_is_taken_with_its_frame_rate(ring_rig, skeleton):
    delays = np.array([0, 1, 0, 0, 0, 0]) / 30
    shown = resampled(ring_rig, skeleton, 200, delays)
    views = views_dataset(
        shown, cameras=ring_rig.names, keypoints=skeleton.keypoints, times=np.arange(shown.shape[1]) / 200
    )
    found = frame_offsets(views.isel(view=slice(None, None, -1)), ring_rig)
    assert found.to_apply()[1] == pytest.approx(20 / 3, abs=0.2)


def test_standard_deviations_of_offsets_are_neither_too_small_nor_too_large(ring_rig, skeleton):
    delays = np.array([0, 1, 0, -1, 0, 0]) / 30
    z = []
    for seed in range(6):
        shown = resampled(ring_rig, skeleton, 50, delays, seed=seed)
        found = frame_offsets(shown, ring_rig)
        other = found.std > 0  # not the reference camera
        reference = delays[~other].mean()
        z += list((found.offsets - 50 * (delays - reference))[other] / found.std[other])
    assert 0.5 < np.sqrt(np.mean(np.square(z))) < 1.5
