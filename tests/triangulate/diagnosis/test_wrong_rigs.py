"""Rigs and clocks that are wrong, not the points: the cause is named; a sound recording is not suspected."""

from dataclasses import replace

import numpy as np
import pytest

from muybridge.cameras import CameraRig, read_rig
from muybridge.cameras.rotations import rotation_matrix
from muybridge.datasets import combine_ensemble, views_dataset
from muybridge.formats import read_views
from muybridge.triangulate import diagnose, reconstruct
from muybridge.triangulate.diagnosis.cause import find_cause
from muybridge.triangulate.diagnosis.systematic import with_focal as with_focal_length
from tests.conftest import look_at, make_moving_points
from tests.helpers import SHARED, needs_shared
from tests.triangulate.diagnosis.wrong_views import KEYPOINTS, NO_AND_A_MAJORITY, SKELETON, judged, recording


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
