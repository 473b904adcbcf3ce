"""Keypoints that a picture hides are placed by the labels of the other cameras."""

from pathlib import Path

import numpy as np
import pytest

from muybridge.formats.labels.labelled_frames import Labels, Picture, join_labels
from muybridge.triangulate import label_hidden
from tests.conftest import make_ring_rig

RIG = make_ring_rig(n_cameras=4)
N, NAMES = 5, ("nose", "left_paw", "right_paw")
SHAPE = (4, N, 3, 2)


@pytest.fixture(scope="module")
def truth():
    return RIG.project(np.random.default_rng(0).uniform(-40, 40, (N, 3, 3)))


@pytest.fixture
def labels(truth):
    """All four cameras at five instants; the first does not see the nose, only the last one sees the left paw."""
    points = truth + np.random.default_rng(1).normal(0, 0.3, SHAPE)
    points[0, :, 0] = points[:3, :, 1] = np.nan
    return as_labels(points, np.arange(N))


def as_labels(points, instants):
    cameras = tuple(np.repeat(RIG.names, N))
    pictures = tuple(Picture(Path(camera) / f"img{i}.png") for camera in RIG.names for i in range(N))
    instants = tuple(int(i) for i in np.broadcast_to(instants, (len(RIG), N)).ravel())
    return Labels(pictures, points.reshape(-1, 3, 2), NAMES, cameras, groups=cameras, instants=instants)


def test_a_keypoint_that_two_others_see_is_placed_and_only_where_it_is_not_labelled(labels, truth):
    hidden = label_hidden(labels, RIG).hidden_2d.reshape(SHAPE)
    assert np.isfinite(hidden).all(-1).sum() == N  # one camera's left paw has no place in space
    np.testing.assert_allclose(hidden[0, :, 0], truth[0, :, 0], atol=2.0)


def test_the_places_stay_with_their_pictures_and_keypoints(labels):
    filled = label_hidden(labels, RIG)
    some = filled.select([3, 0]).select_keypoints(["tail", "nose"])
    np.testing.assert_array_equal(some.hidden_2d[:, 1], filled.hidden_2d[[3, 0], 0])
    np.testing.assert_array_equal(join_labels([some, some]).hidden_2d[2:], some.hidden_2d)


def test_labels_that_contradict_each_other_place_nothing(labels):
    points = labels.points_2d.reshape(SHAPE).copy()
    points[2, 0, 0] += 80.0
    hidden = label_hidden(as_labels(points, np.arange(N)), RIG).hidden_2d
    assert np.isnan(hidden.reshape(SHAPE)[0, 0, 0]).all()
    assert np.isfinite(hidden.reshape(SHAPE)[0, 1:, 0]).all()
    other_moments = as_labels(points, [np.roll(np.arange(N), c) for c in range(len(RIG))])
    assert np.isnan(label_hidden(other_moments, RIG).hidden_2d).all()


def test_cameras_that_the_rig_lacks_and_labels_of_one_camera_are_left_as_they_are(labels):
    few = RIG.subset(RIG.names[1:])
    hidden = label_hidden(labels, few).hidden_2d.reshape(SHAPE)
    assert np.isnan(hidden).all()
    alone = labels.select(np.array(labels.cameras) == RIG.names[1])
    assert np.isnan(label_hidden(alone, RIG).hidden_2d).all()
    assert len(label_hidden(labels.select([]), RIG)) == 0
