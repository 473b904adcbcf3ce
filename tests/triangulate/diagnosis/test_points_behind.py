"""Cameras in a row: their epipolar lines are the same whoever has whose points; exchanged, the points lie behind."""

from dataclasses import replace

import numpy as np
import pytest

from muybridge.cameras import CameraRig
from muybridge.triangulate import diagnose
from tests.conftest import make_moving_points, make_ring_rig
from tests.triangulate.diagnosis.wrong_views import SKELETON


def row(n_cameras, side=(1.0, 0.0, 0.0)):
    """Cameras side by side that look the same way, and their points (n_cameras, n_frames, n_keypoints, 2)."""
    first = make_ring_rig(2)[0]
    steps = 150.0 * np.arange(n_cameras)[:, None] * np.asarray(side)
    rig = CameraRig(tuple(replace(first, name=f"cam_{i}", t=first.t - step) for i, step in enumerate(steps)), unit="mm")
    truth = make_moving_points(SKELETON, 80)
    return rig, rig.project(truth) + np.random.default_rng(0).normal(0, 1.0, (n_cameras, *truth.shape[:2], 2))


@pytest.mark.parametrize("n_cameras", [2, 3, 6])
@pytest.mark.parametrize("side", [(1.0, 0.0, 0.0), (0.8, 0.6, 0.0), (0.95, 0.0, 0.3)])
def test_cameras_in_a_row_have_no_cause(n_cameras, side):
    rig, points_2d = row(n_cameras, side)
    found = diagnose(points_2d, rig)
    assert found.messages == ()
    assert found.cause.note == ""


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ((1, 0), "of both cameras are exchanged, or all pictures are mirrored left to right, or all translations"),
        ((1, 0, 2), "of cameras 'cam_0' and 'cam_1' are exchanged (as they are, 100% of the points lie behind"),
        ((0, 2, 1, 3, 4, 5), "of cameras 'cam_1' and 'cam_2' are exchanged (as they are"),
    ],
)
def test_exchanged_cameras_of_a_row_are_named(order, words):
    rig, points_2d = row(len(order))
    found = diagnose(points_2d[list(order)], rig)
    assert words in found.messages[0]
    assert len(found.messages) == 1
    assert bool(found.refusal) == (len(order) < 4)


def test_mirrored_pictures_of_a_row_are_named_beside_the_exchange_that_they_cannot_be_told_from():
    rig, points_2d = row(3)
    points_2d[..., 0] = rig[0].size[0] - 1 - points_2d[..., 0]
    assert "or all pictures are mirrored left to right" in diagnose(points_2d, rig).refusal


@pytest.mark.parametrize("n_cameras", [3, 4, 6])
def test_translations_of_the_wrong_sign_are_named_and_refused(n_cameras):
    rig, truth = make_ring_rig(n_cameras), make_moving_points(SKELETON, 80)
    points_2d = rig.project(truth) + np.random.default_rng(0).normal(0, 1.0, (n_cameras, *truth.shape[:2], 2))
    assert diagnose(points_2d, rig).messages == ()
    rig = replace(rig, cameras=tuple(replace(camera, t=-camera.t) for camera in rig))
    found = diagnose(points_2d, rig)
    assert "All translations in the rig file have the wrong sign (as they are, 100% of the points lie" in found.refusal
    assert len(found.messages) == 1
