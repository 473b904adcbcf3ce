"""Views of detections without identity become views of individuals, which `reconstruct` takes."""

import numpy as np
import pytest

from benchmarks.individuals import FPS, LIMBS, PARTS, candidates_of, right_parts, room_rig, walking_people
from muybridge.datasets import DatasetError, Skeleton, views_dataset
from muybridge.triangulate import reconstruct, separate_individuals

RIG, NAMES = room_rig(), [name for name, *_ in PARTS]
SKELETON = Skeleton(NAMES, [(NAMES[a], NAMES[b]) for a, b in LIMBS])


def detections(n_frames=60, shuffle=True, seed=0):
    """(truth, views) of two people whose rows are in another order in every frame and camera."""
    rng, truth = np.random.default_rng(seed), walking_people(2, n_frames, seed)
    points = np.stack([RIG.project(own) for own in truth]) + rng.normal(0, 2, (2, 5, n_frames, 17, 2))
    points[rng.random(points.shape[:-1]) < 0.1] = np.nan
    if shuffle:
        order = np.argsort(rng.random((2, 5, n_frames)), axis=0)
        points = np.take_along_axis(points, order[..., None, None], axis=0)
    return truth, views_dataset(points, cameras=RIG.names, keypoints=NAMES, times=np.arange(n_frames) / FPS)


@pytest.mark.parametrize("shuffle", [True, False])
def test_people_in_any_order_become_individuals_with_poses(shuffle):
    truth, views = detections(shuffle=shuffle)
    found = separate_individuals(views, RIG, n_individuals=2)
    assert found["individual"].values.tolist() == ["individual_0", "individual_1"]
    assert found.attrs["left_over_frames"] == 0
    pose = reconstruct(found, RIG, method="ransac")
    assert pose["position"].dims == ("individual", "time", "keypoint", "space")
    assert right_parts(pose["position"].values, truth) > 0.97


def test_candidates_need_the_bones_of_a_skeleton():
    truth = walking_people(2, 40, 3)
    candidates, _, _ = candidates_of(truth, RIG, seed=3)
    views = views_dataset(
        np.moveaxis(candidates, 3, 0), cameras=RIG.names, keypoints=NAMES, times=np.arange(40) / FPS
    ).rename(individual="candidate")
    pose = reconstruct(separate_individuals(views, RIG, skeleton=SKELETON), RIG, method="ransac")
    assert right_parts(pose["position"].values, truth) > 0.96
    with pytest.raises(ValueError, match="nothing says which keypoints"):
        separate_individuals(views, RIG)


def test_views_without_rows_and_without_animals_are_refused():
    _, views = detections(n_frames=6)
    with pytest.raises(DatasetError, match="neither a 'candidate' nor"):
        separate_individuals(views.isel(individual=0, drop=True), RIG)
    with pytest.raises(DatasetError, match="no animal was found"):
        separate_individuals(views.assign(confidence=views["confidence"] * 0), RIG)
