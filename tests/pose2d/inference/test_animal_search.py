"""The animal is found in a wide picture, and looked at once or several times."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from muybridge.datasets.skeleton import mirror_partners
from muybridge.pose2d import LabelError, read_labels, train
from muybridge.pose2d.inference.animal_search import TTAView, centre_of, finder_of, together, tta_views_of
from muybridge.pose2d.inference.engine import Found
from muybridge.pose2d.pictures.image_transforms import apply_affine, scaling, turned
from muybridge.pose2d.training.train_detector import is_small_in_pictures, train_animal_detector
from muybridge.pose2d.training_config import Augmentation, TrainingConfig
from tests.pose2d.animals import OPTIONS, animal_points, draw_animal, write_project

WIDE = (320, 240)  # nearly ten times the animal's side


@pytest.fixture(scope="module")
def pictures():
    """New pictures of the animal in a wide arena, and where its keypoints are."""
    points = animal_points(12, WIDE, seed=7)
    return [draw_animal(p, WIDE, 500 + i) for i, p in enumerate(points)], points


@pytest.fixture(scope="module")
def wide_labels(tmp_path_factory):
    root = tmp_path_factory.mktemp("arena")
    write_project(root, cameras=("top",), size=WIDE)
    return read_labels(root / "labels")


@pytest.fixture(scope="module")
def augmented(wide_labels):
    augmentation = OPTIONS["augmentation"] | {"flip": 0.5, "rotation": 180.0}
    return train(wide_labels, seed=2, progress=False, **OPTIONS | {"augmentation": augmentation, "n_tta": 4})


@given(st.floats(-180, 180), st.booleans(), st.integers(1, 40), st.integers(1, 40))
def test_a_turned_view_keeps_its_middle_and_its_lengths(angle, mirrored, width, height):
    view = scaling(1.5), (width, height)
    matrix, size = turned(view, angle, mirrored)
    middle = apply_affine(np.linalg.inv(np.vstack([view[0], [0, 0, 1]]))[:2], (np.array([width, height]) - 1) / 2)
    np.testing.assert_allclose(apply_affine(matrix, middle), (np.array(size) - 1) / 2, atol=1e-9)
    np.testing.assert_allclose(matrix[:, :2] @ matrix[:, :2].T, 1.5**2 * np.eye(2), atol=1e-9)
    assert np.linalg.det(matrix[:, :2]) < 0 if mirrored else np.linalg.det(matrix[:, :2]) > 0


@given(st.sampled_from([0.0, 90.0, 180.0, 270.0]), st.booleans())
def test_quarter_turns_show_the_same_corners(angle, mirrored):
    matrix, (width, height) = turned((scaling(1.0), (7, 4)), angle, mirrored)
    corners = apply_affine(matrix, np.array([[0, 0], [6, 0], [0, 3], [6, 3]], float))
    expected = [[x, y] for x in (0, width - 1) for y in (0, height - 1)]
    np.testing.assert_allclose(sorted(corners.round(9).tolist()), expected, atol=1e-8)


def counting(finder):
    """The finder, and a list of the sizes (values) of the inputs of its network."""
    sizes, run = [], finder.engine.run

    def noted(inputs):
        sizes.append(inputs.size)
        return run(inputs)

    return replace(finder, engine=replace(finder.engine, run=noted)), sizes


def test_several_test_time_views_cost_one_at_the_whole_picture_and_the_others_at_the_animal(augmented, pictures):
    images, truth = pictures
    finder, sizes = counting(finder_of(augmented, "fp32"))
    errors = np.linalg.norm(np.stack([finder.find(image).points for image in images]) - truth, axis=-1)
    assert np.median(errors) < 1.5
    assert len(sizes) >= 5 * len(images)
    assert sum(sizes) < 1.6 * sum(image.size for image in images)


def test_an_empty_picture_is_searched_as_a_whole_and_answered_with_little_mass(augmented):
    found = finder_of(augmented, "fp32").find(np.full((600, 800, 3), 115, np.uint8))
    assert found.points.shape == (4, 2)
    assert np.median(found.mass) < 0.3


def test_a_picture_is_tracked_through_the_window_that_a_video_is_seen_through(augmented, pictures):
    image = pictures[0][0]
    finder, sizes = counting(finder_of(replace(augmented, config=replace(augmented.config, n_tta=1)), "fp32"))
    found = finder.track(image)
    assert len(sizes) == 2
    assert sizes[1] == 3 * finder.window_side(*WIDE) ** 2
    np.testing.assert_allclose(found.points, finder.find(image).points, atol=1.0)
    whole = replace(finder, animal_side=np.inf)
    np.testing.assert_array_equal(whole.track(image).scatter, whole.find(image).scatter)


def test_mirrored_and_turned_test_time_views_name_left_and_right_as_the_straight_one(augmented, pictures):
    images, truth = pictures
    finder = finder_of(augmented, "fp32")
    assert finder.views == (
        TTAView(0, False),
        TTAView(0, True),
        TTAView(180, False),
        TTAView(180, True),
    )
    alone = []
    for look in finder.views:
        view = turned(finder.engine.whole_view(*WIDE), *look)
        found = np.stack([finder.engine.infer(image, view).points for image in images])
        alone.append(np.linalg.norm(found[:, finder.mirror] - truth if look.mirrored else found - truth, axis=-1))
    assert max(np.median(errors) for errors in alone) < 2.5
    combined = np.linalg.norm(np.stack([finder.find(image).points for image in images]) - truth, axis=-1)
    assert np.median(combined) <= np.mean([np.median(errors) for errors in alone])


def test_test_time_views_follow_what_training_did_to_its_pictures():
    def looks(n, can_mirror=True, **how):
        return tta_views_of(TrainingConfig(n_tta=n, augmentation=Augmentation(**how)), can_mirror)

    assert looks(1) == (TTAView(0, False),)
    assert looks(2, rotation=10.0) == (TTAView(0, False), TTAView(0, True))
    assert looks(2, flip=0.0, rotation=180.0) == (TTAView(0, False), TTAView(180, False))
    assert looks(3, can_mirror=False, rotation=20.0) == (
        TTAView(0, False),
        TTAView(-10, False),
        TTAView(10, False),
    )
    assert [look.angle for look in looks(4, can_mirror=False, rotation=180.0)] == [0, 90, 180, 270]
    with pytest.raises(ValueError, match="n_tta must be a whole number"):
        TrainingConfig(n_tta=0)


def test_the_covariance_of_several_test_time_views_is_their_mean_and_that_between_them():
    def found(x):
        claimed = np.array([[[2.0, 0.5], [0.5, 1.0]]])
        one = np.ones(1)
        return Found(np.array([[x, 5.0]]), 0.8 * one, claimed, x * one, x * one, 0.1 * x * one, x * claimed)

    joined = together([found(1.0), found(3.0), found(5.0)])
    np.testing.assert_allclose(joined.points, [[3, 5]])
    np.testing.assert_allclose(joined.covariances, [[[2 + 8 / 3, 0.5], [0.5, 1]]])
    np.testing.assert_allclose(joined.evidence, [3])
    np.testing.assert_allclose((joined.near, joined.elsewhere), [[3], [0.3]])
    np.testing.assert_allclose(joined.scatter, [[[6, 1.5], [1.5, 3]]])


def test_a_peak_far_from_the_others_does_not_move_the_window():
    points = np.array([[100.0, 100], [110, 100], [100, 120], [700, 500]])
    np.testing.assert_allclose(centre_of(points, np.full(4, 0.9), 50), [105, 110])
    assert centre_of(points, np.array([0.9, 0.1, 0.1, 0.1]), 50) is None


def test_mirror_partners():
    assert mirror_partners(("nose", "l", "r"), [("l", "r")]).tolist() == [0, 2, 1]


@pytest.fixture(scope="module")
def two_stages(augmented, wide_labels):
    config = replace(augmented.config, n_tta=1, animal_detector=True)
    animal_detector = train_animal_detector(wide_labels, replace(config, iterations=30), None, seed=0, progress=False)
    # batches of 2, so that going on with it is quick
    animal_detector = replace(animal_detector, config=replace(animal_detector.config, batch=2))
    return replace(augmented, config=config, animal_detector=animal_detector)


def test_the_animal_detector_leads_to_the_animal_and_spares_the_whole_picture(two_stages, pictures):
    images, truth = pictures
    finder, sizes = counting(finder_of(two_stages, "fp32"))
    errors = np.linalg.norm(np.stack([finder.find(image).points for image in images]) - truth, axis=-1)
    assert np.median(errors) < 2
    assert sum(sizes) < 0.5 * sum(image.size for image in images)


def test_an_animal_detector_that_points_outside_the_picture_costs_time_and_nothing_else(two_stages, pictures):
    images, truth = pictures
    finder = finder_of(two_stages, "fp32")

    two_keypoints = finder.animal_detector

    class Elsewhere:
        def find(self, image):
            found = two_keypoints.find(image)
            return found._replace(points=np.full_like(found.points, -200.0), mass=np.ones_like(found.mass))

    finder = replace(finder, animal_detector=Elsewhere())
    errors = np.linalg.norm(np.stack([finder.find(image).points for image in images]) - truth, axis=-1)
    assert np.median(errors) < 2


def test_an_animal_detector_is_trained_where_the_animal_is_small_and_the_network_is_not(
    two_stages, wide_labels, labels
):
    def wants(network, shown):
        return is_small_in_pictures(replace(two_stages, config=replace(two_stages.config, network=network)), shown)

    assert wants("mobilenet_v2", wide_labels)
    assert not wants("small", wide_labels)
    assert not wants("mobilenet_v2", labels)
    with pytest.raises(ValueError, match="animal_detector must be true, false"):
        TrainingConfig(animal_detector=1)
    with pytest.raises(ValueError, match="animal_detector must be true, false"):
        TrainingConfig(animal_detector="sometimes")
    with pytest.raises(LabelError, match="no frame has two labelled keypoints"):
        train(
            wide_labels.select_keypoints(("nose",)),
            progress=False,
            **OPTIONS | {"iterations": 1, "animal_detector": True},
        )


def test_by_default_training_adds_a_animal_detector_where_an_animal_has_a_box(wide_labels):
    options = OPTIONS | {"network": "mobilenet_v2", "iterations": 1, "holdout": 0.0}
    assert train(wide_labels, progress=False, **options).animal_detector is not None
    assert train(wide_labels.select_keypoints(("nose",)), progress=False, **options).animal_detector is None


def test_going_on_with_a_few_frames_keeps_what_the_animal_detector_knows(two_stages, wide_labels, pictures):
    images, truth = pictures
    taught = train(wide_labels.select([0, 1, 2]), start=two_stages, progress=False, iterations=1, holdout=0.0)
    centres = [finder_of(taught, "fp32").animal_detector.find(image).points[0] for image in images]
    middles = (truth.min(1) + truth.max(1)) / 2
    assert np.median(np.linalg.norm(centres - middles, axis=-1)) < 5
