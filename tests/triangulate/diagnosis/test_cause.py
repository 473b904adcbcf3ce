"""Whole cameras that are wrong in one way each: the cause is named; without a right majority it is refused."""

from dataclasses import replace

import numpy as np
import pytest

from muybridge.cameras import CameraRig, read_rig
from muybridge.cameras.rotations import rotation_matrix
from muybridge.datasets import combine_ensemble, frame_times, views_dataset
from muybridge.demo.animal import DEMO_SKELETON, Gallop, gallop
from muybridge.demo.scene import make_rig
from muybridge.formats import read_views
from muybridge.triangulate import diagnose, reconstruct
from muybridge.triangulate.diagnosis.cause import find_cause
from muybridge.triangulate.diagnosis.systematic import with_focal as with_focal_length
from tests.conftest import look_at, make_moving_points, make_ring_rig
from tests.helpers import SHARED, needs_shared
from tests.triangulate.diagnosis.wrong_views import KEYPOINTS, SKELETON, WRONG_VIEWS, wrong_camera

N_CAMERAS = (2, 3, 4)
NO_AND_A_MAJORITY = (2, 3)  # sessions of four cameras with each mistake are in tests/session/test_broken_sessions.py


def recording(n_cameras, n_frames=None, noise=1.0):
    """Two cameras tell less: their mistakes show in more frames."""
    n_frames = n_frames or (150 if n_cameras == 2 else 80)
    rig, truth = make_ring_rig(n_cameras), make_moving_points(SKELETON, n_frames)
    return rig, rig.project(truth) + np.random.default_rng(0).normal(0, noise, (n_cameras, *truth.shape[:2], 2))


def judged(points_2d, rig):
    return diagnose(points_2d, rig, keypoints=KEYPOINTS, fps=100.0)


@pytest.mark.parametrize("n_cameras", N_CAMERAS)
@pytest.mark.parametrize("noise", [0.3, 3.0])
def test_a_sound_recording_has_no_cause_and_is_not_refused(n_cameras, noise):
    rig, points_2d = recording(n_cameras, noise=noise)
    found = judged(points_2d, rig)
    assert (found.mistakes, found.refusal, found.messages) == ((), "", ())
    assert found.chance < 0.1


@pytest.mark.parametrize("n_cameras", NO_AND_A_MAJORITY)
@pytest.mark.parametrize("kind", WRONG_VIEWS)
def test_one_wrong_camera_is_named_with_the_cause_and_two_cameras_are_refused(kind, n_cameras):
    if kind == "shifted" and n_cameras == 2:
        pytest.skip("two cameras cannot tell a shift from a movement of either")
    rig, points_2d = recording(n_cameras)
    points_2d, rig = wrong_camera(kind, 1, points_2d, rig)
    found = judged(points_2d, rig)
    assert len(found.mistakes) == 1
    assert WRONG_VIEWS[kind] in found.mistakes[0]
    relative = kind in ("left and right", "unit") and n_cameras == 2
    assert relative or "'cam_1'" in found.mistakes[0]
    assert bool(found.refusal) == (n_cameras == 2)
    assert len(found.messages) == 1


@pytest.mark.parametrize("n_cameras", N_CAMERAS)
@pytest.mark.parametrize("kind", ["mirrored", "y from below", "x and y", "half size"])
def test_a_mistake_in_all_cameras_is_named_once_and_refused(kind, n_cameras):
    rig, points_2d = recording(n_cameras)
    for camera in range(n_cameras):
        points_2d, rig = wrong_camera(kind, camera, points_2d, rig)
    found = judged(points_2d, rig)
    assert len(found.mistakes) == 1
    assert WRONG_VIEWS[kind] in found.mistakes[0]
    assert ("All cameras" if n_cameras > 2 else "Both cameras") in found.mistakes[0]
    assert found.refusal == found.mistakes[0]


@pytest.mark.parametrize("n_cameras", [3, 4, 5])
def test_exchanged_cameras_are_named_and_refused_unless_a_majority_is_right(n_cameras):
    rig, points_2d = recording(n_cameras)
    found = judged(points_2d[[1, 0, *range(2, n_cameras)]], rig)
    assert "cameras 'cam_0' and 'cam_1' are exchanged" in found.mistakes[0]
    assert bool(found.refusal) == (n_cameras - 2 <= n_cameras // 2)
    assert len(found.messages) == 1


@pytest.mark.parametrize("degrees", [10, 30, 90, 150])
def test_exchanged_files_of_two_cameras_are_not_taken_for_a_delay(degrees):
    """A delay brings the views of an animal that turns a little nearer to each other; it leaves far more than noise."""
    rig, points_2d = pair_at(degrees)
    found = judged(points_2d[::-1], rig)
    assert [mistake.kind for mistake in found.cause.mistakes] == ["exchanged"]
    assert judged(points_2d, rig).messages == ()


def pair_at(degrees):
    """Two cameras that many degrees apart around the animal, and its points."""
    first, truth, cameras = make_ring_rig(2)[0], make_moving_points(SKELETON, 150), []
    for i, angle in enumerate(np.radians([0, degrees])):
        R, t = look_at(800.0 * np.array([np.cos(angle), np.sin(angle), 0.5]))
        cameras.append(replace(first, name=f"cam_{i}", R=R, t=t))
    rig = CameraRig(tuple(cameras), unit="mm")
    return rig, rig.project(truth) + np.random.default_rng(0).normal(0, 1.0, (2, *truth.shape[:2], 2))


def test_of_two_opposite_cameras_the_points_do_not_tell_whose_they_are():
    """Turned by half a turn about the vertical, each of two opposite cameras is the other."""
    rig, points_2d = pair_at(180)
    found = [judged(points, rig) for points in (points_2d, points_2d[::-1])]
    for diagnosis in found:
        assert diagnosis.messages == ()
        assert "would agree as well with their files exchanged (0.7 px, as given 0.7 px)" in diagnosis.cause.note
    assert judged(*pair_at(90)[::-1]).cause.note == ""


def test_of_two_nearly_opposite_cameras_the_better_order_of_their_files_is_told():
    rig, points_2d = recording(2, noise=0.3)  # 180 degrees apart, 40 mm in height
    right, exchanged = (judged(points, rig) for points in (points_2d, points_2d[::-1]))
    assert right.messages == ()
    assert (
        "The two cameras would agree better with their files exchanged (0.2 px, as given 0.3 px)"
        in exchanged.messages[0]
    )


@pytest.mark.parametrize("n_cameras", [3, 5])
def test_names_that_are_all_rotated_are_assigned_anew(n_cameras):
    rig, points_2d = recording(n_cameras)
    found = judged(np.roll(points_2d, 1, axis=0), rig)
    assert "assigned to the wrong cameras: those of 'cam_1' to 'cam_0'" in found.refusal


@pytest.mark.parametrize("n_cameras", [2, 4])
def test_left_and_right_exchanged_in_half_of_the_cameras_is_refused(n_cameras):
    rig, points_2d = recording(n_cameras)
    for camera in range(n_cameras // 2):
        points_2d, rig = wrong_camera("left and right", camera, points_2d, rig)
    found = judged(points_2d, rig)
    assert "left and right keypoints are exchanged (or of the others" in found.refusal


@pytest.mark.parametrize("n_cameras", N_CAMERAS)
def test_the_same_points_in_two_cameras_and_in_all_are_refused(n_cameras):
    rig, points_2d = recording(n_cameras)
    two = points_2d.copy()
    two[1] = two[0]
    whose = "Both cameras" if n_cameras == 2 else "Cameras 'cam_0' and 'cam_1'"
    assert f"{whose} have the same 2D points" in judged(two, rig).refusal
    assert "cameras have the same 2D points" in judged(np.repeat(points_2d[:1], n_cameras, axis=0), rig).refusal


@pytest.mark.parametrize("n_cameras", N_CAMERAS)
def test_random_points_do_not_belong_together(n_cameras):
    rig, points_2d = recording(n_cameras)
    rng = np.random.default_rng(1)
    found = judged(rng.uniform(0, 1000, points_2d.shape), rig)
    assert "do not belong together" in found.refusal
    np.testing.assert_allclose(found.chance, 0.5, atol=0.06)
    if n_cameras > 2:
        points_2d[1] = rng.uniform(0, 1000, points_2d[1].shape)
        found = judged(points_2d, rig)
        assert not found.refusal
        assert "its points are not those of the others" in found.messages[0]


@pytest.mark.parametrize("n_cameras", [2, 4])
def test_a_rig_of_another_day_is_refused_as_that(n_cameras):
    rig, points_2d = recording(n_cameras)
    rng = np.random.default_rng(1)
    moved = []
    for camera in rig:
        R, t = look_at(camera.center + rng.normal(0, 60, 3), rng.normal(0, 40, 3))
        moved.append(replace(camera, R=R, t=t))
    found = judged(points_2d, CameraRig(tuple(moved), unit="mm"))
    assert "The rig does not fit these 2D points" in found.refusal
    assert "another day" in found.refusal
    assert len(found.messages) == 1


@pytest.mark.parametrize("n_cameras", NO_AND_A_MAJORITY)
@pytest.mark.parametrize("delay", [1, 4, 30])
def test_a_delayed_camera_is_found_and_not_taken_for_one_that_moved(n_cameras, delay):
    rig, points_2d = recording(n_cameras, n_frames=300 if n_cameras == 2 else 160)
    points_2d[1, delay:] = points_2d[1, :-delay].copy()
    points_2d[1, :delay] = np.nan
    found = judged(points_2d, rig)
    assert len(found.messages) == 1
    sign = "" if "'cam_1' is delayed" in found.messages[0] else "-"
    assert f"state delay = {sign}{delay} in" in found.messages[0]
    assert not found.refusal
    assert n_cameras == 2 or sign == ""


@pytest.mark.parametrize("n_cameras", [3, 4])
def test_two_individuals_in_another_order_are_no_camera_that_moved(n_cameras):
    rig, one = recording(n_cameras)
    truth = make_moving_points(SKELETON, 80, seed=3) + np.array([90.0, -40.0, 0.0])
    tracks = np.stack([one, rig.project(truth)])
    tracks[:, 1] = tracks[::-1, 1]
    views = views_dataset(tracks, cameras=rig.names, keypoints=KEYPOINTS, times=np.arange(80) / 100)
    found = diagnose(views, rig)
    assert "'cam_1': the individuals are listed in another order" in found.messages[0]
    assert len(found.messages) == 1


def with_focal(rig, factor, cameras):
    return replace(rig, cameras=tuple(with_focal_length(camera, factor) if i in cameras else camera
                                      for i, camera in enumerate(rig)))  # fmt: skip


@pytest.mark.parametrize(
    ("n_cameras", "factor", "noise"),
    [(3, 1.5, 0.3), (3, 1.5, 2.0), (3, 0.7, 1.0), (3, 1.2, 0.5), (4, 0.7, 1.0), (6, 1.2, 0.5)],
)
def test_focal_lengths_that_are_wrong_in_all_cameras_are_found_and_refused(n_cameras, factor, noise):
    rig, points_2d = recording(n_cameras, noise=noise)
    found = judged(points_2d, with_focal(rig, factor, range(n_cameras)))
    assert [mistake.kind for mistake in found.cause.mistakes] == ["focal length"]
    said = float(found.refusal.partition("the rig are ")[2].split()[0])
    assert said == pytest.approx(factor, rel=0.03)
    assert len(found.messages) == 1


@pytest.mark.parametrize(("n_cameras", "factor", "noise"), [(3, 1.5, 3.0), (4, 1.5, 4.0), (6, 0.67, 5.0)])
def test_focal_lengths_that_the_noise_nearly_hides_are_warned_of(n_cameras, factor, noise):
    rig, points_2d = recording(n_cameras, noise=noise)
    (message,) = judged(points_2d, with_focal(rig, factor, range(n_cameras))).messages
    said = float(message.partition("may be ")[2].split()[0])
    assert said == pytest.approx(factor, rel=0.1)
    assert "compare a bone's length" in message
    assert judged(points_2d, rig).messages == ()


@pytest.mark.parametrize("n_cameras", [3, 4])
def test_the_focal_length_of_one_camera_is_named_and_the_camera_left_out(n_cameras):
    rig, points_2d = recording(n_cameras)
    found = judged(points_2d, with_focal(rig, 1.5, [1]))
    assert "Camera 'cam_1': the focal lengths of the rig are 1.50 times" in found.messages[0]
    assert (found.wrong, found.refusal) == (("cam_1",), "")


def turned(rig, degrees, axis):
    """The rig with its second camera turned about an axis of its own."""
    R = rotation_matrix(np.radians(degrees) * np.eye(3)[axis]) @ rig[1].R
    return replace(rig, cameras=(rig[0], replace(rig[1], R=R, t=-R @ rig[1].center), *rig.cameras[2:]))


@pytest.mark.parametrize(
    ("degrees", "axis", "refused"), [(4, 0, True), (1, 1, True), (4, 1, True), (2, 0, False), (5, 2, False)]
)
def test_of_two_cameras_one_that_turned_is_warned_of_and_refused_where_the_error_is_large(degrees, axis, refused):
    rig, points_2d = recording(2)
    found = judged(points_2d, turned(rig, degrees, axis))
    assert bool(found.refusal) == refused
    assert len(found.messages) == 1
    assert "moved since the calibration" in found.messages[0]
    assert refused or "0.7 px if one is turned" in found.messages[0]


@pytest.mark.parametrize("noise", [0.3, 1.0, 3.0])
def test_of_two_cameras_a_small_error_of_the_calibration_is_no_warning(noise):
    rig, points_2d = recording(2, noise=noise)
    assert judged(points_2d, turned(rig, 0.3, 0)).messages == ()


def test_confidence_means_the_same_in_reconstruct_as_in_a_session():
    rig, points_2d = recording(3)
    times, truth = np.arange(points_2d.shape[1]) / 100, make_moving_points(SKELETON, points_2d.shape[1])
    views = views_dataset(points_2d, cameras=rig.names, keypoints=KEYPOINTS, times=times)
    sound = reconstruct(views, rig, method="ransac")
    assert sound["confidence"].mean() > 0.99
    with pytest.warns(UserWarning, match="the confidence of all points is 0: All cameras: the focal lengths"):
        refused = reconstruct(views, with_focal(rig, 1.5, range(3)), method="ransac")
    assert (refused["confidence"] == 0).all()
    assert "focal lengths" in refused.attrs["refusal"]
    one = reconstruct(views, with_focal(rig, 1.5, [1]), method="ransac")
    right = np.linalg.norm(one["position"].values - truth, axis=-1) < 6.0
    assert one["confidence"].values.mean() <= right.mean() + 0.05


@pytest.mark.parametrize(
    ("kind", "words"), [("exchanged", "'north' and 'northwest' are exchanged"), ("mirrored", "mirrored left to right")]
)
def test_an_animal_that_comes_back_hides_no_mistake_behind_a_delay(kind, words):
    """Views of an animal that runs in circles agree better some frames apart, whatever is wrong with them."""
    rig, times = make_rig(), frame_times(80, 100.0)
    rig = rig.subset(rig.names[:4])
    points_2d = rig.project(gallop(times, Gallop()).keypoints)
    if kind == "exchanged":
        points_2d[[0, 1]] = points_2d[[1, 0]]
    else:
        points_2d[..., 0] = rig[0].size[0] - 1 - points_2d[..., 0]
    points_2d += np.random.default_rng(1).normal(0, 1.0, points_2d.shape)
    views = views_dataset(points_2d, cameras=rig.names, keypoints=DEMO_SKELETON.keypoints, times=times)
    found = diagnose(views, rig)
    assert words in found.mistakes[0]
    assert not any("delayed" in mistake or "ahead" in mistake for mistake in found.mistakes)


@pytest.mark.shared
@needs_shared
@pytest.mark.parametrize("n_cameras", [2, 3])
@pytest.mark.parametrize("n_frames", [150, 300])
def test_a_real_fly_whose_steps_repeat_is_not_called_delayed(n_cameras, n_frames):
    folder = SHARED / "data" / "fly_ensemble"
    rig = read_rig(folder / "calibration.toml")
    files = {name: sorted(folder.glob(f"*{name}_rot*.csv")) for name in rig.names}
    rig = rig.subset(rig.names[:n_cameras])
    views = combine_ensemble(read_views({name: files[name] for name in rig.names}, fps=300.0))
    points_2d = views["position"].transpose("view", "time", "keypoint", "space").values[:, None, :n_frames]
    cause = find_cause(points_2d, rig, [str(name) for name in views.keypoint.values], 300.0)
    assert (cause.mistakes, cause.refusal, cause.warning) == ((), "", "")
