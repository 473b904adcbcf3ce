"""Distances and headings between animals: symmetry, motions of the world, and error bars."""

import numpy as np
import pytest

from muybridge.cameras.rotations import rotation_matrix
from muybridge.datasets import DatasetError, pose_dataset
from muybridge.kinematics import individual_distances, relative_headings

UP, NAMES = np.array([0.0, 0, 1]), ["tail", "neck"]


def pose_of(points, **more):
    return pose_dataset(points, keypoints=NAMES, times=np.arange(points.shape[1]) / 10, unit="mm", **more)


@pytest.fixture
def points():
    return np.random.default_rng(0).normal(0, 50, (3, 20, 2, 3))


def test_distances_are_a_metric_and_do_not_know_the_world(points):
    distance = individual_distances(pose_of(points))["distance"].values
    np.testing.assert_allclose(distance, distance.swapaxes(0, 1))
    assert (distance[0, 2] <= distance[0, 1] + distance[1, 2] + 1e-9).all()
    moved = points @ rotation_matrix(np.array([0.3, -0.2, 0.9])).T + [5, 6, 7]
    np.testing.assert_allclose(individual_distances(pose_of(moved))["distance"], distance, atol=1e-9)
    nose = individual_distances(pose_of(points), ["neck"])["distance"].values
    np.testing.assert_allclose(nose[0, 1], np.linalg.norm(points[0, :, 1] - points[1, :, 1], axis=-1))


def test_headings_turn_back_and_do_not_know_the_world(points):
    found = relative_headings(pose_of(points), *NAMES, up=UP)
    relative = found["relative_heading"].values
    np.testing.assert_allclose(relative[0, 1], -relative[1, 0])
    np.testing.assert_allclose(np.exp(1j * (relative[0, 1] + relative[1, 2])), np.exp(1j * relative[0, 2]))
    assert np.isnan(relative[0, 0]).all()
    turned = points @ rotation_matrix(1.1 * UP).T + [5, 6, 7]
    again = relative_headings(pose_of(turned), *NAMES, up=UP)
    for name in found:
        np.testing.assert_allclose(np.exp(1j * again[name].values[0, 1]), np.exp(1j * found[name].values[0, 1]))


def test_a_missing_point_is_missing_between_its_animal_and_the_others_alone(points):
    points[1, 3, 0] = np.nan
    pose = pose_of(points, covariance=np.broadcast_to(np.eye(3), (*points.shape, 3)))
    for found in (individual_distances(pose), relative_headings(pose, *NAMES, up=UP)):
        for values in found.data_vars.values():
            own = values.values
            assert np.isnan(own[0, 1, 3])
            assert np.isnan(own[1, 2, 3])
            assert np.isfinite(own[0, 2]).all()
            assert np.isfinite(own[0, 1, :3]).all()


def test_standard_deviations_are_those_of_many_draws():
    rng, sigma = np.random.default_rng(1), 2.0
    points = np.array([[[0.0, 0, 0], [60, 0, 0]], [[20, 100, 0], [70, 130, 10]]])[:, None]
    covariance = np.broadcast_to(sigma**2 * np.eye(3), (*points.shape, 3))
    drawn = pose_of(points + rng.normal(0, sigma, (2, 4000, 2, 3)))
    exact = pose_of(points, covariance=covariance)
    for found, many in (
        (individual_distances(exact), individual_distances(drawn)),
        (relative_headings(exact, *NAMES, up=UP), relative_headings(drawn, *NAMES, up=UP)),
    ):
        for name in many:
            assert many[name][0, 1].std() == pytest.approx(float(found[f"{name}_std"][0, 1, 0]), rel=0.05)


def test_one_animal_has_no_other(points):
    with pytest.raises(DatasetError, match="'individual'"):
        individual_distances(pose_of(points).isel(individual=0, drop=True))
