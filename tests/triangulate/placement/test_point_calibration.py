"""Cameras placed by what they film: true poses within their covariance, scale, vertical, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest

from muybridge.calibration import CalibrationError, volume_uncertainty
from muybridge.cameras import Camera, CameraRig, move_rig
from muybridge.cameras.rotations import rotation_matrix, rotation_vector
from muybridge.datasets import Skeleton
from muybridge.triangulate import calibrate_from_points, read_body, triangulate_ransac
from muybridge.triangulate.placement.epipolar_start import resected
from muybridge.triangulate.placement.floor import find_floor
from muybridge.triangulate.placement.gauge import camera_distance_change, gauge_motions
from muybridge.triangulate.placement.lengths import read_lengths, scale_of
from muybridge.triangulate.placement.placement import Arrangement, different_arrangements
from tests.conftest import look_at, make_ring_rig

NAMES = ("nose", "back", "tail", "left_fore", "right_fore", "left_hind", "right_hind")
FEET = NAMES[3:]
SIDES = Skeleton(NAMES, (("back", "nose"), ("back", "tail")), (FEET[:2], FEET[2:]))
BACK = 60.0  # mm from back to tail


def walk(n_frames=120, seed=0):
    """(n_frames, 7, 3) mm: an animal on the plane z = 0 that walks in a loop; each foot is planted most of the time."""
    times = np.arange(n_frames) / 60.0

    def body(at):
        angle = 2.2 * at + seed
        middle = np.stack([160 * np.cos(angle), 120 * np.sin(angle), 0 * angle], -1)
        return middle, np.stack([-np.sin(angle), np.cos(angle), 0 * angle], -1)

    middle, ahead = body(times)
    up = np.array([0, 0, 1.0])
    height = 50 + 6 * np.sin(15 * times)[:, None]
    points = [middle + 70 * ahead + (height + 10) * up, middle + height * up, middle - BACK * ahead + height * up]
    for along, side, start in ((40, 20, 0.0), (40, -20, 0.5), (-40, 20, 0.5), (-40, -20, 0.0)):
        phase = (times / 0.4 + start) % 1.0
        swing = np.clip((phase - 0.6) / 0.4, 0, 1)
        where, forward = body(times + (0.3 - phase + swing) * 0.4)
        across = np.cross(up, forward)
        points.append(where + along * forward + side * across + (12 * np.sin(np.pi * swing))[:, None] * up)
    return np.stack(points, axis=1)


def film(rig, points_3d, noise=0.8, outliers=0.03, missing=0.05, seed=0):
    rng = np.random.default_rng(seed)
    shown = rig.project(points_3d) + rng.normal(0, noise, (len(rig), *points_3d.shape[:2], 2))
    gross = rng.random(shown.shape[:-1]) < outliers
    shown[gross] += rng.normal(0, 100, (gross.sum(), 2))
    shown[rng.random(shown.shape[:-1]) < missing] = np.nan
    return shown


@pytest.fixture(scope="module")
def rig():
    return make_ring_rig(n_cameras=4)


@pytest.fixture(scope="module")
def shown(rig):
    return film(rig, walk())


@pytest.fixture(scope="module")
def placed(rig, shown):
    lengths = [("back", "tail", BACK, 0.3)]
    return calibrate_from_points(shown, rig, lengths=lengths, floor=FEET, keypoints=NAMES, n_points=1500)


def in_first_camera(rig):
    return move_rig(rig, rig[0].R, rig[0].t)


def pose_errors(found, rig):
    """(n_cameras, 6) small motions of the cameras' own frames, relative to the first camera."""
    rows = []
    for got, true in zip(in_first_camera(found), in_first_camera(rig), strict=True):
        turn = got.R @ true.R.T
        rows.append([*rotation_vector(turn), *(got.t - turn @ true.t)])
    return np.array(rows)


def refuse(points_2d, rig, words, **options):
    with pytest.raises(CalibrationError, match=words):
        calibrate_from_points(points_2d, rig, keypoints=NAMES, n_points=600, **options)


def test_cameras_stand_where_they_were(placed, rig):
    errors = pose_errors(placed.rig, rig)
    assert np.degrees(np.abs(errors[:, :3])).max() < 0.3
    distances = np.linalg.norm(rig.centers, axis=1)
    assert (np.linalg.norm(errors[:, 3:], axis=1) < 0.015 * distances).all()
    assert placed.report.warnings == ()
    assert placed.report.notes == ()


def test_the_covariance_holds_the_errors(placed, rig):
    errors = pose_errors(placed.rig, rig)[1:]
    own = placed.pose_covariance[np.arange(1, 4), :, np.arange(1, 4)]
    z = errors / np.sqrt(np.diagonal(own, axis1=1, axis2=2))
    assert 0.4 < np.sqrt((z**2).mean()) < 1.8
    assert placed.covariance.loc[(rig.names[0], "tx"), (rig.names[0], "tx")] == pytest.approx(0, abs=1e-6)


def test_the_floor_is_the_plane_of_the_planted_feet(placed, rig):
    assert np.array_equal(placed.rig.up, [0, 0, 1])
    assert np.abs(placed.rig.centers[:, 2] - rig.centers[:, 2]).max() < 6
    tilt = np.arccos((placed.rig[0].R @ [0, 0, 1.0]) @ (rig[0].R @ [0, 0, 1.0]))
    assert np.degrees(tilt) < 3 * placed.up_std < 1.5


def test_the_scale_is_that_of_the_bone(placed, rig):
    got, true = (np.linalg.norm(r[0].center - r[2].center) for r in (placed.rig, rig))
    assert abs(got / true - 1) < 3 * placed.scale_std
    assert 0.003 < placed.scale_std < 0.01
    assert "back to tail = 60 ± 0.3 mm" in placed.report.facts["scale"]


def test_predicted_error_of_points_takes_the_result_as_a_calibration(placed):
    assert volume_uncertainty(placed, np.zeros((1, 3))).shape == (1, 3, 3)


def test_up_is_that_of_a_level_camera_and_the_scale_that_of_two_cameras(rig, shown):
    distance = float(np.linalg.norm(rig[0].center - rig[1].center))
    names, up = rig.names, {rig.names[1]: rig[1].R @ [0, 0, 1.0]}
    found = calibrate_from_points(
        shown, {c.name: c for c in rig}, lengths=[(names[0], names[1], distance)], up=up, keypoints=NAMES, n_points=800
    ).rig
    assert np.linalg.norm(found[0].center - found[1].center) == pytest.approx(distance)
    assert found[0].R @ found.up == pytest.approx(rig[0].R @ [0, 0, 1.0], abs=0.01)
    assert np.allclose(found[0].R, np.eye(3))


def test_an_arbitrary_scale_and_a_late_camera_are_said(rig, shown):
    late = shown[:3].copy()
    late[2] = np.roll(late[2], 1, axis=0)
    found = calibrate_from_points(late, rig.subset(rig.names[:3]), n_points=600)
    assert np.isinf(found.scale_std)
    assert "scale is arbitrary" in found.report.warnings[0]
    assert f"camera '{rig.names[2]}' is delayed by" in found.report.warnings[-1]


def test_a_mirrored_picture_is_named(rig, shown):
    mirrored = shown.copy()
    mirrored[2, ..., 0] = rig[2].size[0] - 1 - mirrored[2, ..., 0]
    refuse(mirrored, rig, f"camera '{rig.names[2]}' fits the others if its picture is mirrored")


def test_exchanged_sides_are_named(rig, shown):
    exchanged = shown.copy()
    exchanged[1] = exchanged[1][:, [0, 1, 2, 4, 3, 6, 5]]
    refuse(exchanged, rig, f"camera '{rig.names[1]}' fits the others if its left and right", skeleton=SIDES)


def test_another_focal_length_is_warned_of(rig, shown):
    zoomed = replace(rig[1], K=rig[1].K * np.array([[1.2], [1.2], [1]]))
    wrong = CameraRig((rig[0], zoomed, *rig.cameras[2:]))
    warnings = calibrate_from_points(shown, wrong, keypoints=NAMES, n_points=800).report.warnings
    assert any(f"camera '{rig.names[1]}': the points ask for a focal length" in line for line in warnings)


def test_cameras_that_share_no_points_are_named(rig, shown):
    apart = shown.copy()
    apart[:2, 60:] = np.nan
    apart[2:, :60] = np.nan
    refuse(apart, rig, "share fewer than 20 points")


def test_pairs_that_follow_each_other_leave_the_distances_open(rig, shown):
    chain = shown.copy()
    chain[2:, :40] = chain[0, 40:] = chain[3, 40:80] = chain[1, 80:] = np.nan
    refuse(chain, rig, "so that its distance cannot be computed")


def test_one_place_tells_no_depth(rig):
    side_by_side = CameraRig(
        tuple(replace(rig[0], name=f"{i}", t=rig[0].t + np.array([2.0 * i, 0, 0])) for i in range(3))
    )
    refuse(film(side_by_side, walk()), side_by_side, "from nearly one place")


def test_two_cameras_do_not_place_themselves_by_a_plane(rig):
    flat = walk() * [1, 1, 0]
    refuse(film(rig, flat)[:2], rig.subset(rig.names[:2]), "lie in one plane")


@pytest.mark.long
def test_weak_perspective_is_decided_by_cameras_that_look_down():
    """Cameras so far away that 5 px of noise hide perspective: the mirrored arrangement explains the points as well."""
    rig = make_ring_rig(n_cameras=4)
    far = CameraRig(tuple(
        replace(c, K=c.K * np.array([[20], [20], [1]]) - [[0, 0, 19 * c.K[0, 2]], [0, 0, 19 * c.K[1, 2]], [0, 0, 0]],
                distortion=[], t=c.t * 20) for c in rig
    ))  # fmt: skip
    shown = film(far, walk(), noise=5.0, outliers=0.0)
    found = calibrate_from_points(shown, far, keypoints=NAMES, n_points=1500, lengths=[("back", "tail", BACK)])
    assert "mirrored in depth" in found.report.notes[0]
    errors = pose_errors(found.rig, far)
    assert np.degrees(np.abs(errors[:, :3])).max() < 8
    upside_down = {far.names[0]: far[0].R @ [0, 0, -1.0]}
    turned = calibrate_from_points(shown, far, up=upside_down, keypoints=NAMES, n_points=1500)
    assert np.degrees(np.abs(pose_errors(turned.rig, far)[:, :3])).max() > 30


def test_one_arrangement_found_from_two_starts_counts_once(rig):
    """The rat's mirrored arrangement came from a start and from the mirror: that both look down decided nothing."""
    turn, far = rotation_matrix(np.array([1e-3, 0, 0])), rotation_matrix(np.array([0.4, 0, 0]))
    again, other = (
        replace(rig, cameras=(rig[0], replace(rig[1], R=by @ rig[1].R), *rig.cameras[2:])) for by in (turn, far)
    )
    solutions = [Arrangement(one, np.zeros((1, 3)), loss) for one, loss in ((rig, 2.0), (other, 1.0), (again, 3.0))]
    assert [kept.loss for kept in different_arrangements(solutions)] == [1.0, 2.0]


def test_a_camera_close_to_orthographic_is_not_placed_by_perspective(rig):
    points = walk(20).reshape(-1, 3) / 100
    for far, placed in ((10.0, True), (1e4, False)):
        camera = replace(rig[1], t=np.array([0.3, -0.2, far]))
        seen = points @ camera.R.T + camera.t
        pose = resected(seen[:, :2] / seen[:, 2:], points)
        assert (pose is not None) == placed
        if pose is not None:
            np.testing.assert_allclose(pose[0], camera.R, atol=1e-5)
            np.testing.assert_allclose(pose[1], camera.t, rtol=1e-5)


def test_given_values_are_checked(rig, shown):
    refuse(shown, rig, "must name two cameras of", lengths=[("back", "tial", 3.0)])
    refuse(shown, rig, "it must be positive", lengths=[("back", "tail", -3.0)])
    refuse(shown, rig, "a length is", lengths=["back"])
    refuse(shown, rig, "give either", up={rig.names[0]: [0, -1, 0]}, floor=True)
    refuse(shown, rig, "a direction in the frame of one of", up={"nobody": [0, -1, 0]})
    with pytest.raises(CalibrationError, match="2 names of keypoints were given, the points have 7"):
        calibrate_from_points(shown, rig, keypoints=["nose", "tail"])


def test_lengths_that_disagree_are_named_and_widen_the_scale():
    lengths = read_lengths([("a", "b", 10.0, 0.1), ("b", "c", 30.0, 0.1)], (), ("a", "b", "c"))
    points_3d = np.tile(np.array([[0.0, 0, 0], [10, 0, 0], [10, 20, 0]]), (50, 1, 1))
    scale = scale_of(lengths, make_ring_rig(n_cameras=2), ("a", "b", "c"), points_3d, np.zeros((50, 3, 3, 3)))
    assert "disagree" in scale.warning
    assert scale.std > 0.05


def test_noise_across_a_bone_does_not_lengthen_it():
    rng = np.random.default_rng(0)
    points_3d = np.array([[0.0, 0, 0], [20, 0, 0]]) + rng.normal(0, 3, (4000, 2, 3))
    length = read_lengths([("a", "b", 20.0)], (), ("a", "b"))
    covariances = np.broadcast_to(9 * np.eye(3), (4000, 2, 3, 3))
    scale = scale_of(length, make_ring_rig(n_cameras=2), ("a", "b"), points_3d, covariances)
    assert scale.factor == pytest.approx(1, abs=0.01)


def test_feet_along_a_line_do_not_tell_the_vertical():
    rng = np.random.default_rng(0)
    line = np.linspace(0, 400, 200)[:, None, None] * np.array([1.0, 0, 0]) + rng.normal(0, 1, (200, 2, 3))
    with pytest.raises(CalibrationError, match="as if they lay along a line"):
        find_floor(line, np.broadcast_to(np.eye(3), (200, 2, 3, 3)), np.array([[0, 0, 900.0], [300, 0, 900]]))


def test_growth_of_the_world_changes_the_logarithm_of_a_distance_by_one(rig):
    assert camera_distance_change(rig, 0, 2) @ gauge_motions(rig) == pytest.approx([0, 0, 0, 0, 0, 0, 1], abs=1e-9)


def test_a_person_places_the_cameras_of_a_room():
    rng, body, times = np.random.default_rng(1), read_body("human"), np.arange(100) / 25.0
    angles = np.tile(body.rest_angles, (100, 1))
    angles[:, :4] = np.stack([1200 * np.cos(0.6 * times), 900 * np.sin(0.6 * times), 930 + 0 * times, 0.6 * times], -1)
    angles[:, 6:] += 0.35 * np.sin(6 * times[:, None] + rng.uniform(0, 6.3, angles.shape[1] - 6))
    truth = np.asarray(body.markers(angles))
    K, lenses = [[1500, 0, 960], [0, 1500, 540], [0, 0, 1]], []
    for i, turn in enumerate((0.3, 1.7, 3.4, 5.0)):
        R, t = look_at((4200 * np.cos(turn), 4200 * np.sin(turn), 1500 + 300 * i))
        lenses.append(Camera(f"cam_{i}", (1920, 1080), K, [-0.1, 0.03], R, t))
    rig = CameraRig(tuple(lenses))
    shown = film(rig, truth, noise=3.0) + rng.normal(
        0, 4, (4, 1, truth.shape[1], 2)
    )  # errors that last are a detector's
    thigh = float(np.linalg.norm(truth[0, 11] - truth[0, 13]))
    lengths = [(f"{side}_hip", f"{side}_knee", thigh, 10.0) for side in ("left", "right")]
    up = {"cam_0": rig[0].R @ [0, 0, 1.0]}
    found = calibrate_from_points(shown, rig, lengths=lengths, up=up, keypoints=body.marker_names, n_points=800)
    (scale, error), (_, least) = (
        scale_and_error(triangulate_ransac(shown, cameras).points_3d, truth) for cameras in (found.rig, rig)
    )
    assert error < 1.15 * least
    assert abs(scale - 1) < 3 * found.scale_std < 0.08


def scale_and_error(points_3d, truth):
    """Of the similarity that lays points on the truth (Umeyama 1991): its scale, and the median distance left."""
    use = np.isfinite(points_3d[..., 0])
    a, b = (points[use] - points[use].mean(axis=0) for points in (points_3d, truth))
    U, S, V = np.linalg.svd(b.T @ a)
    scale = S.sum() / (a**2).sum()
    return scale, np.median(np.linalg.norm(scale * a @ (U @ V).T - b, axis=1))
