"""Whole cameras that are wrong in one way each: the cause is named; without a right majority it is refused."""

from dataclasses import replace

import numpy as np
import pytest

from muybridge.cameras import CameraRig
from muybridge.datasets import frame_times, views_dataset
from muybridge.demo.animal import DEMO_SKELETON, Gallop, gallop
from muybridge.demo.scene import make_rig
from muybridge.triangulate import diagnose
from tests.conftest import look_at, make_moving_points, make_ring_rig
from tests.triangulate.diagnosis.wrong_views import (
    NO_AND_A_MAJORITY,
    SKELETON,
    WRONG_VIEWS,
    judged,
    recording,
    wrong_camera,
)

N_CAMERAS = (2, 3, 4)


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


@pytest.mark.parametrize(("n_cameras", "delay"), [(2, 2), (3, 7)])
def test_a_delay_whose_fraction_is_not_determined_is_named_in_whole_frames(n_cameras, delay):
    rig, points_2d = recording(n_cameras, 120 + delay, noise=2.0 if n_cameras == 3 else 0.5)
    late = points_2d[:, delay:].copy()
    late[1] = points_2d[1, :120]
    (said,) = judged(late, rig).mistakes
    assert f"{delay}.00 ± 0.15 frames" in said
