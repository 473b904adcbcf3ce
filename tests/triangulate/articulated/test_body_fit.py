"""Joint angles from pixels, with a known truth."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

from muybridge.calibration import Camera, CameraRig
from muybridge.datasets import views_dataset
from muybridge.triangulate import Body, Marker, Segment, Turn, fit_body, read_body, reconstruct
from tests.conftest import make_ring_rig

FPS = 100.0
NOD = Turn("pitch", (0, 1, 0), -1, 1), Turn("yaw", (0, 0, 1), -1, 1)
BODY = Body(
    "walker",
    (
        Segment("trunk", end=(-120, 0, 0)),
        Segment("head", "trunk", (0, 0, 0), (70, 0, 0), turns=NOD),
        Segment("thigh", "trunk", "end", (0, 0, -60), turns=(Turn("swing", (0, 1, 0), -1.5, 1.5),)),
        Segment("shank", "thigh", "end", (0, 0, -50), turns=(Turn("bend", (0, 1, 0), -0.2, 2.5, 0.7),)),
    ),
    (
        Marker("neck", "trunk"), Marker("tail", "trunk", "end"), Marker("back", "trunk", (-60, 0, 25)),
        Marker("nose", "head", "end"), Marker("knee", "thigh", "end"), Marker("foot", "shank", "end"),
    ),
    marker_std=2.0, joint_std=2.0,
)  # fmt: skip


def course(n_frames):
    times = np.arange(n_frames) / FPS
    angles = np.zeros((n_frames, BODY.plan.n_angles))
    angles[:, 0], angles[:, 1], angles[:, 2] = (
        150 * np.sin(2 * times),
        100 * np.cos(2 * times),
        120 + 10 * np.sin(9 * times),
    )
    angles[:, 3], angles[:, 4], angles[:, 5] = 2.0 * times, 0.1 * np.sin(8 * times), 0.1 * np.cos(7 * times)
    angles[:, 6], angles[:, 7] = 0.4 * np.sin(6 * times), 0.4 * np.cos(5 * times)
    angles[:, 8], angles[:, 9] = 0.7 * np.sin(10 * times), 0.9 + 0.5 * np.cos(10 * times)
    return angles


LENGTHS = BODY.lengths * [1.05, 0.97, 1.02, 0.96]


@pytest.fixture(scope="module")
def walk():
    angles = course(80)
    rig = make_ring_rig(4)
    truth = BODY.markers(angles, LENGTHS)
    points_2d = rig.project(truth) + np.random.default_rng(0).normal(0, 1.5, (4, 80, 6, 2))
    return rig, angles, truth, points_2d


@pytest.fixture(scope="module")
def fit(walk):
    rig, _, _, points_2d = walk
    return fit_body(points_2d, rig, fps=FPS, body=BODY)


def test_angles_markers_and_lengths_are_found_within_their_bands(walk, fit):
    _, angles, truth, _ = walk
    off = np.abs(fit.angles - angles)
    assert np.median(off[:, 3:]) < np.radians(1.0)
    assert (off < 1.96 * fit.angles_std).mean() > 0.9
    assert 0.4 < (off < 0.6745 * fit.angles_std).mean() < 0.7
    assert np.median(np.linalg.norm(fit.points_3d - truth, axis=-1)) < 1.0
    assert (np.abs(fit.lengths / LENGTHS - 1) < 0.07).all()  # markers may lie 2 mm off: 4 % of the shank
    assert (np.abs(fit.lengths - LENGTHS) < 3 * fit.lengths_std).all()
    assert fit.determined.all()
    assert fit.rank == BODY.plan.n_angles
    assert fit.converged
    speeds = np.gradient(angles, axis=0) * FPS
    assert np.median(np.abs(fit.velocities - speeds)[:, 3:] / fit.velocities_std[:, 3:]) < 1.5


def test_bands_of_a_quiet_walk_are_neither_too_wide_nor_too_narrow():
    rig, inside = make_ring_rig(4), []
    for seed, (noise, spread) in enumerate([(1.5, 0.0), (4.0, 0.5), (1.5, 1.0), (4.0, 0.0), (1.5, 0.5), (4.0, 1.0)]):
        rng, angles = np.random.default_rng(seed), course(40)
        angles[:, 6:] = angles[0, 6:] + 0.4 * (angles[:, 6:] - angles[0, 6:])
        offsets = spread * rng.normal(0, BODY.marker_std, (BODY.plan.n_points, 3))
        offsets[len(BODY.attachments)] = 0.0
        truth = BODY.markers(angles, LENGTHS, offsets)
        points_2d = rig.project(truth) + rng.normal(0, noise, (4, 40, 6, 2))
        found = fit_body(points_2d, rig, fps=FPS, body=BODY)
        inside.append(np.abs(found.angles - angles)[..., None] < found.angles_std[..., None] * [0.6745, 1.96])
    half, most = np.mean(inside, axis=(0, 1, 2))
    assert 0.4 < half < 0.65
    assert most > 0.9


def test_lengths_do_not_drift_with_the_number_of_frames():
    rig, truth = make_ring_rig(4), BODY.markers(course(300), LENGTHS)
    points_2d = rig.project(truth) + np.random.default_rng(7).normal(0, 8, (4, 300, 6, 2))
    found = fit_body(points_2d, rig, fps=FPS, body=BODY)
    assert (np.abs(found.lengths / LENGTHS - 1) < 0.015).all()  # 0.048 where the volume of the angles is not counted


def test_the_same_again_is_the_same_to_the_bit(walk, fit):
    rig, _, _, points_2d = walk
    again = fit_body(points_2d, rig, fps=FPS, body=BODY)
    np.testing.assert_array_equal(again.angles, fit.angles)


def test_a_body_of_another_size_and_unit_is_found_just_as_well(walk, fit):
    rig, _, _, points_2d = walk
    other = fit_body(points_2d, rig, fps=FPS, body=BODY.scaled(0.01))
    np.testing.assert_allclose(other.points_3d, fit.points_3d, atol=0.2)  # errors are 0.4 mm


def test_gross_errors_lasting_and_exchanged_hardly_matter(walk):
    rig, _, truth, points_2d = walk
    wrong = points_2d.copy()
    rng = np.random.default_rng(1)
    for _ in range(20):
        c, t, k = rng.integers(4), rng.integers(70), rng.integers(6)
        wrong[c, t : t + 6, k] += rng.normal(0, 150, 2)
    found = fit_body(wrong, rig, fps=FPS, body=BODY)
    assert np.quantile(np.linalg.norm(found.points_3d - truth, axis=-1), 0.95) < 2.0


def test_another_order_of_keypoints_and_more_of_them_change_nothing(walk, fit):
    rig, _, _, points_2d = walk
    order = [3, 5, 0, 1, 4, 2]
    shuffled = np.concatenate([points_2d[:, :, order], points_2d[:, :, :1]], axis=2)
    names = [*(BODY.marker_names[k] for k in order), "tag"]
    found = fit_body(shuffled, rig, fps=FPS, body=BODY, keypoints=names)
    np.testing.assert_allclose(found.points_3d, fit.points_3d, atol=1e-6)


def test_a_marker_that_the_data_lack_is_named_and_predicted(walk):
    rig, _, truth, points_2d = walk
    with pytest.warns(UserWarning, match="lack the markers \\['knee'\\]"):
        found = fit_body(np.delete(points_2d, 4, axis=2), rig, fps=FPS, body=BODY,
                         keypoints=[name for name in BODY.marker_names if name != "knee"])  # fmt: skip
    assert np.median(np.linalg.norm(found.points_3d[:, 4] - truth[:, 4], axis=-1)) < 15


def test_a_stretch_that_one_camera_sees_is_carried_by_the_body(walk):
    rig, _, truth, points_2d = walk
    gap = points_2d.copy()
    gap[1:, 40:52] = np.nan
    found = fit_body(gap, rig, fps=FPS, body=BODY)
    errors = np.linalg.norm(found.points_3d - truth, axis=-1)[40:52]
    stds = np.sqrt(np.trace(found.covariances_3d, axis1=-2, axis2=-1))[40:52]
    assert np.median(errors) < 8
    assert np.median(errors / stds) < 2


def test_a_limb_never_seen_has_wide_bands_and_a_warning(walk):
    rig, _, _, points_2d = walk
    blind = points_2d.copy()
    blind[:, :, 5] = np.nan
    with pytest.warns(UserWarning, match="does not determine the angles \\['shank_bend'\\]"):
        found = fit_body(blind, rig, fps=FPS, body=BODY)
    assert found.rank == BODY.plan.n_angles - 1
    assert (found.angles_std[:, 9] > 0.5).all()
    assert np.isfinite(found.points_3d).all()


def test_frames_without_anything_are_bridged(walk, fit):
    rig, _, truth, points_2d = walk
    gap = points_2d.copy()
    gap[:, 30:35] = np.nan
    found = fit_body(gap, rig, fps=FPS, body=BODY)
    assert np.linalg.norm(found.points_3d - truth, axis=-1)[30:35].max() < 20
    assert (found.angles_std[32] > fit.angles_std[32]).all()


def test_limits_that_exclude_the_data_give_way_softly(walk):
    rig, _, _, points_2d = walk
    stiff = replace(
        BODY, segments=(*BODY.segments[:3], replace(BODY.segments[3], turns=(Turn("bend", (0, 1, 0), 0.0, 0.6),)))
    )
    found = fit_body(points_2d, rig, fps=FPS, body=stiff)
    assert found.angles[:, 9].max() > 0.6
    assert np.isfinite(found.points_3d).all()


def test_reconstruct_labels_angles_and_markers(walk, fit):
    rig, _, _, points_2d = walk
    views = views_dataset(points_2d, cameras=rig.names, keypoints=list(BODY.marker_names), times=np.arange(80) / FPS)
    pose = reconstruct(views, rig, method="articulated", body=BODY)
    assert pose["body_angle"].dims == ("time", "body_joint")
    assert list(pose["body_joint"].values) == list(BODY.angle_names)
    np.testing.assert_allclose(pose["position"].transpose("time", "keypoint", "space"), fit.points_3d, atol=1e-6)
    np.testing.assert_allclose(pose["body_angle_std"], fit.angles_std, rtol=1e-3)


def test_fisheye_cameras_and_one_frame_rate_later():
    angles = course(60)
    cameras = tuple(
        Camera(c.name, c.size, c.K, [0.01, -0.02, 0.003, 0.0], c.R, c.t, model="fisheye") for c in make_ring_rig(3)
    )
    rig = CameraRig(cameras, unit="mm")
    truth = BODY.markers(angles)
    found = fit_body(rig.project(truth), rig, fps=FPS, body=BODY)
    assert np.linalg.norm(found.points_3d - truth, axis=-1).max() < 1.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"keypoints": list("abcdef")}, "none of the markers"),
        ({"keypoints": ["a"] * 6}, r"repeat \['a'\]"),
        ({"keypoints": ["neck"]}, "1 names"),
        ({"order": 7}, "order is 7"),
        ({"window": -1.0}, "positive number of seconds"),
        ({"fps": None}, "fps"),
        ({"body": "cheetah"}, "24|names"),
    ],
)
def test_bad_requests_are_refused(walk, change, message):
    rig, _, _, points_2d = walk
    options = {"fps": FPS, "body": BODY} | change
    with pytest.raises(ValueError, match=message):
        fit_body(points_2d, rig, **options)


def test_too_few_frames_for_a_course_are_refused_and_three_are_fitted(walk):
    rig, _, truth, points_2d = walk
    with pytest.raises(ValueError, match="2 frames; a body's course in time needs at least 3"):
        fit_body(points_2d[:, :2], rig, fps=FPS, body=BODY)
    found = fit_body(points_2d[:, :3], rig, fps=FPS, body=BODY)
    assert np.linalg.norm(found.points_3d - truth[:3], axis=-1).max() < 5


def test_nothing_seen_is_refused_with_the_reason(walk):
    rig, _, _, points_2d = walk
    with pytest.raises(ValueError, match="cannot be placed"):
        fit_body(np.full_like(points_2d, np.nan), rig, fps=FPS, body=BODY)


def test_two_markers_only_are_refused_with_the_reason(walk):
    rig, _, _, points_2d = walk
    few = points_2d.copy()
    few[:, :, 2:] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ValueError, match=r"three located markers|fewer than two"):
            fit_body(few, rig, fps=FPS, body=BODY)


def test_shipped_bodies_fit_their_own_rest_pose():
    body = read_body("rodent").scaled(2.0)
    angles = np.tile(body.rest_angles, (20, 1))
    angles[:, 2] = 100
    rig = make_ring_rig(4)
    truth = body.markers(angles)
    points_2d = rig.project(truth) + np.random.default_rng(0).normal(0, 0.5, (4, 20, len(body.marker_names), 2))
    found = fit_body(points_2d, rig, fps=FPS, body="rodent")
    assert np.median(np.linalg.norm(found.points_3d - truth, axis=-1)) < 1.0


def test_a_camera_that_is_late_is_found_to_a_fraction_of_a_frame(walk):
    rig, angles, truth, points_2d = walk
    late, times = points_2d.copy(), np.arange(80) / FPS
    angles_late = np.array([np.interp(times - 0.004, times, column) for column in angles.T]).T
    shown = rig.subset([rig.names[1]]).project(BODY.markers(angles_late, LENGTHS))[0]
    late[1] += shown - rig.project(truth)[1]
    found = fit_body(late, rig, fps=FPS, body=BODY, time_offsets=True)
    apart = found.time_offsets - found.time_offsets[0]
    assert apart[1] == pytest.approx(0.004, abs=0.001)
    assert np.abs(apart[[2, 3]]).max() < 0.001


def test_an_animal_that_leaves_the_volume_is_carried_on_with_growing_bands(walk):
    rig, angles, _, points_2d = walk
    gone = points_2d.copy()
    gone[:, 55:] = np.nan
    found = fit_body(gone, rig, fps=FPS, body=BODY)
    assert np.isfinite(found.points_3d).all()
    stds = found.angles_std[:, 8:].mean(axis=1)
    assert stds[79] > 3 * stds[40]
    assert (np.abs(found.angles - angles)[60:] < 4 * found.angles_std[60:]).mean() > 0.9


def test_frames_with_fewer_than_three_markers_keep_the_animal_in_place(walk):
    rig, _, truth, points_2d = walk
    few = points_2d.copy()
    few[:, 30:45, 2:] = np.nan
    found = fit_body(few, rig, fps=FPS, body=BODY)
    errors = np.linalg.norm(found.points_3d - truth, axis=-1)[30:45]
    stds = np.sqrt(np.trace(found.covariances_3d, axis1=-2, axis2=-1))[30:45]
    assert np.median(errors / stds) < 2
    assert np.median(errors) < 15


def test_recordings_of_one_animal_share_its_build(walk, fit):
    rig, angles, truth, points_2d = walk
    other = make_ring_rig(3)
    again = other.project(truth[::-1]) + np.random.default_rng(4).normal(0, 1.5, (3, 80, 6, 2))
    both = fit_body([points_2d, again], [rig, other], fps=FPS, body=BODY)
    assert [len(found.sigma) for found in both] == [4, 3]
    np.testing.assert_allclose(both[0].lengths, both[1].lengths, rtol=0.02)
    alone = fit_body(again, other, fps=FPS, body=BODY)
    assert both[0].lengths_std.sum() < 0.5 * (fit.lengths_std + alone.lengths_std).sum()
    assert (np.abs(both[0].lengths - LENGTHS) < 3 * both[0].lengths_std).all()
    off = np.abs(both[0].angles - angles) / both[0].angles_std
    assert (off < 1.96).mean() > 0.9
    assert 0.4 < (off < 0.6745).mean() < 0.7
    with pytest.raises(ValueError, match="rig has 1 entries and there are 2 recordings"):
        fit_body([points_2d, again], [rig], fps=FPS, body=BODY)


def test_one_recording_in_a_list_is_that_recording(walk, fit):
    rig, _, _, points_2d = walk
    (alone,) = fit_body([points_2d], rig, fps=FPS, body=BODY)
    off = np.linalg.norm(alone.points_3d - fit.points_3d, axis=-1)
    assert np.median(off / np.sqrt(np.trace(fit.covariances_3d, axis1=-2, axis2=-1))) < 0.05
