"""Pictures of two animals of one kind: labels with individuals, a detector for both, and tracks of each."""

import json
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from muybridge.formats.labels.labelled_frames import LabelError
from muybridge.pose2d import evaluate, join_labels, load_detector, predict, read_labels, train
from muybridge.pose2d.inference.animal_search import finder_of
from muybridge.pose2d.inference.engine import ROW_WIDTH, Found
from muybridge.pose2d.inference.several_animals import TrackOfSeveral
from muybridge.pose2d.prediction.predicted_views import more_animals
from muybridge.pose2d.prediction.stored_rows import Rows
from muybridge.pose2d.prediction.video_prediction import with_animals
from tests.pose2d.animals import COLOURS, KEYPOINTS, OPTIONS, SHAPE, write_dlc, write_picture

SIZE = (192, 128)


def two_animals(n, seed=0):
    """(n, 2, 4, 2) pixels of two animals that circle in the two halves of the picture."""
    t, rng = np.arange(n) * 0.3, np.random.default_rng(seed)
    points = []
    for a in range(2):
        phase = rng.uniform(0, 2 * np.pi)
        centre = np.stack([52 + 88 * a + 14 * np.sin(t + phase), 64 + 28 * np.cos(0.8 * t + phase)], -1)
        turn = 0.5 * np.sin(0.8 * t + phase)
        rotation = np.stack([np.cos(turn), -np.sin(turn), np.sin(turn), np.cos(turn)], -1).reshape(-1, 2, 2)
        points.append(np.einsum("nij,kj->nki", rotation, SHAPE) + centre[:, None])
    return np.stack(points, axis=1)


def drawn(animals, seed=0):
    rng = np.random.default_rng(seed)
    image = cv2.resize(rng.uniform(90, 140, (6, 8, 3)).astype(np.float32), SIZE, interpolation=cv2.INTER_CUBIC)
    for points in animals:
        cv2.circle(image, np.rint(points.mean(0) * 16).astype(int).tolist(), 8 * 16, (120, 80, 60), -1, cv2.LINE_AA, 4)
        for point, colour in zip(points, COLOURS, strict=True):
            cv2.circle(image, np.rint(point * 16).astype(int).tolist(), 4 * 16, colour, -1, cv2.LINE_AA, 4)
    return np.clip(cv2.GaussianBlur(image, (0, 0), 0.8) + rng.normal(0, 3, image.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """labels/top/CollectedData_me.csv with an individual level, its pictures, and video.mp4 of other frames."""
    root = tmp_path_factory.mktemp("two")
    points, names = two_animals(32), [f"labels/top/img{i:03d}.png" for i in range(32)]
    for i, name in enumerate(names):
        write_picture(root / name, drawn(points[i], i))
    columns = [("me", animal, keypoint, axis) for animal in ("ada", "bob") for keypoint in KEYPOINTS for axis in "xy"]
    levels = ("scorer", "individuals", "bodyparts", "coords")
    rows = [[level, *own] for level, own in zip(levels, zip(*columns, strict=True), strict=True)]
    rows += [[name, *(f"{v:.3f}" for v in frame.ravel())] for name, frame in zip(names, points, strict=True)]
    (root / "labels/top/CollectedData_me.csv").write_text("\n".join(",".join(row) for row in rows) + "\n")
    writer = cv2.VideoWriter(str(root / "video.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 25.0, SIZE)
    for i, frame in enumerate(two_animals(12, seed=5)):
        writer.write(cv2.cvtColor(drawn(frame, 100 + i), cv2.COLOR_RGB2BGR))
    writer.release()
    return root


@pytest.fixture(scope="module")
def detector(folder):
    return train(read_labels(folder / "labels"), progress=False, **(OPTIONS | {"iterations": 40, "n_evaluations": 1}))


@pytest.fixture(scope="module")
def bottom_up(folder):
    how = {"iterations": 120, "n_evaluations": 1, "grouping": "bottom_up"}
    return train(read_labels(folder / "labels"), progress=False, **(OPTIONS | how))


def test_deeplabcuts_individuals_are_an_entry_each(folder):
    labels = read_labels(folder / "labels")
    assert len(labels) == 64
    assert labels.n_animals == 2
    assert labels.individuals[:4] == ("ada", "bob", "ada", "bob")
    np.testing.assert_allclose(labels.points_2d.reshape(32, 2, 4, 2), two_animals(32), atol=1e-3)
    assert labels.select([1, 3]).individuals == ("bob", "bob")


def test_cocos_annotations_of_one_picture_are_animals(folder):
    points = two_animals(2)
    annotations = [
        {"image_id": i, "keypoints": np.column_stack([points[i, a] + 0.5, np.full(4, 2)]).ravel().tolist()}
        for i in range(2)
        for a in range(2)
    ]
    content = {"images": [{"id": i, "file_name": f"img{i:03d}.png"} for i in range(2)], "annotations": annotations,
               "categories": [{"keypoints": list(KEYPOINTS)}]}  # fmt: skip
    path = folder / "labels/top/coco.json"
    path.write_text(json.dumps(content))
    labels = read_labels(path)
    path.unlink()
    assert labels.individuals == ("animal_0", "animal_1") * 2
    np.testing.assert_allclose(labels.points_2d, points.reshape(4, 4, 2))


def test_identities_in_some_files_only_are_refused(folder, tmp_path):
    write_picture(tmp_path / "img000.png", drawn(two_animals(1)[0]))
    single = read_labels(write_dlc(tmp_path, two_animals(1)[:, 0], ["img000.png"]))
    with pytest.raises(LabelError, match=r"name individuals and those of .* do not"):
        join_labels([read_labels(folder / "labels"), single])


@pytest.mark.long  # trainings of three networks: some 15 s of a processor
@pytest.mark.parametrize("how", ["top_down", "bottom_up"])
def test_both_animals_are_found_and_followed(folder, how, request, tmp_path):
    detector = request.getfixturevalue("bottom_up" if how == "bottom_up" else "detector")
    assert detector.n_animals == 2
    assert (detector.animal_detector is not None) == (how == "top_down")
    assert f"2 animals {how}: " in repr(detector)
    detector.save(tmp_path / "detector.safetensors")
    again = load_detector(tmp_path / "detector.safetensors")
    views = predict(again, {"top": folder / "video.mp4"}, progress=False)
    found, truth = views["position"].values[:, 0], two_animals(12, seed=5)
    assert views["position"].dims == ("individual", "view", "time", "keypoint", "space")
    off = np.linalg.norm(found[:, None] - np.moveaxis(truth, 1, 0)[None], axis=-1)
    who = np.nanmedian(off, axis=-1).argmin(axis=1)
    assert (who == who[:, :1]).all()
    assert set(who[:, 0]) == {0, 1}
    assert np.nanmedian(off.min(axis=1)) < 3
    assert views.attrs["damaged_frames"] == [0]
    assert "animal_warnings" not in views.attrs
    assert views["appearance"].dims == ("individual", "view", "time", "keypoint", "colour")
    together = predict(again, {"top": folder / "video.mp4"}, batch_instants=5, runtime="torch", progress=False)
    for name in ("position", "confidence", "appearance"):
        np.testing.assert_allclose(together[name], views[name], atol=0.02)


@pytest.mark.long
@pytest.mark.parametrize("seed", [0, 1])
def test_a_weakly_trained_bottom_up_detector_shows_no_animal_that_is_not_there(folder, seed):
    """Its maps have weak peaks in the ground, whose tags agree: with no least support 1-2 more animals in 7 frames."""
    how = {"iterations": 60, "n_evaluations": 1, "grouping": "bottom_up"}
    weak = train(read_labels(folder / "labels"), seed=seed, progress=False, **(OPTIONS | how))
    finder = finder_of(weak, "fp32")
    pictures = [drawn(frame, 100 + i) for i, frame in enumerate(two_animals(12, seed=5))]
    assert [len(finder.animals(picture, 2)) for picture in pictures] == [2] * 12
    finder.engine.network.least_support.zero_()
    assert max(len(finder.animals(picture, 2)) for picture in pictures) > 2


@pytest.mark.long
def test_a_bottom_up_detector_is_measured_and_trained_further(folder, bottom_up):
    labels = read_labels(folder / "labels")
    assert evaluate(bottom_up, labels).loc["all", "median"] < 2
    more = train(labels, start=bottom_up, iterations=2, n_evaluations=1, progress=False)
    assert more.bottom_up
    assert more.animal_detector is None
    assert "bottom_up: as the detector that start= gives" in repr(more)
    assert evaluate(more, labels).loc["all", "median"] < 2


@pytest.mark.long
def test_training_further_takes_the_other_grouping_where_it_is_asked_for(folder, detector, bottom_up):
    labels, few = read_labels(folder / "labels"), {"iterations": 1, "n_evaluations": 1, "progress": False}
    windows = train(labels, start=bottom_up, grouping="top_down", **few)
    assert not windows.bottom_up
    assert windows.animal_detector is not None
    assert "top_down: as asked for" in repr(windows)
    whole = train(labels, start=detector, grouping="bottom_up", **few)
    assert whole.bottom_up
    assert whole.animal_detector is None
    alone = train(labels.select(range(0, len(labels), 2)), start=bottom_up, **few)  # one animal of each picture
    assert not alone.finds_several


@pytest.mark.long
def test_animals_beyond_those_declared_are_named(folder, detector):
    views = predict(detector, {"top": folder / "video.mp4"}, n_animals=1, progress=False)
    assert views["position"].dims == ("view", "time", "keypoint", "space")
    assert np.isfinite(views["position"].values).all()
    assert views.attrs["animal_warnings"].startswith(
        "camera 'top' shows up to 2 animals at a time, more than the 1 declared, in 12 of 12 frames (0-11);"
    )


def test_animals_beyond_those_declared_are_a_sentence_for_each_camera_that_often_shows_them():
    detector, shown = SimpleNamespace(n_animals=2, finds_several=True), np.full((100, 9, 3), 0.5, np.float32)
    shown[:, -1, 0] = -1
    shown[10:20, -1, 0], shown[40, -1, 0] = 1, 2
    once = shown.copy()
    once[:, -1, 0] = np.arange(100) == 7
    rows = Rows(("left", "right"), None)
    for start, stop in ((0, 15), (15, 100)):
        rows.add(range(start, stop), {"left": list(shown[start:stop]), "right": list(once[start:stop])}, (9, 3))
    assert more_animals(detector, rows) == [
        "camera 'left' shows up to 4 animals at a time, more than the 2 declared, in 11 of 100 frames (10-19, 40);"
        " those seen worst were left out: set n_animals=4, or crop the videos to the animals that count"
    ]


def test_several_animals_are_refused_of_a_detector_of_one():
    detector = SimpleNamespace(n_animals=1, finds_several=False)
    with pytest.raises(ValueError, match="trained on one animal per picture"):
        with_animals(detector, 2)


def found_at(points):
    """What a window shows of an animal at these points, all sure."""
    n = len(points)
    ones, eyes = np.ones(n), np.tile(np.eye(2), (n, 1, 1))
    return Found(points, ones, eyes, ones, ones, 0 * ones, eyes, np.empty((n, 0, ROW_WIDTH)))


def followed(coats, exchanged):
    """Which animal each of two detections is, of one view, where both come back after 10 frames out of sight.

    coats : (2, 3) RGB; exchanged : whether each comes back where the other left
    """
    finder = SimpleNamespace(
        animal_side=40.0, engine=SimpleNamespace(network=SimpleNamespace(n_keypoints=4)), bottom_up=True
    )
    track, shape = TrackOfSeveral(finder, 2), SHAPE + np.array([[60.0, 60.0]])
    noise, rows = np.random.default_rng(0), None
    for frame in range(60):
        gone, swapped = 40 <= frame < 50, exchanged and frame >= 50
        image = np.full((120, 240, 3), 110.0)
        places = [shape + np.array([x + frame * 0.1, 0]) for x in (0, 100)]
        for a, place in enumerate(places[::-1] if swapped else places):
            x, y = place.min(0).astype(int) - 5
            image[y : y + 40, x : x + 60] = coats[a]
        image = np.clip(image + noise.normal(0, 8, image.shape), 0, 255).astype(np.uint8)
        rows = track.step(image, [] if gone else [found_at(place) for place in places])
    # the animal that is at the first place, and that at the second
    x = rows[:-1].reshape(2, 4, -1)[..., 0].mean(1)
    return np.argsort(x).tolist()


@pytest.mark.parametrize("exchanged", [False, True])
def test_who_comes_back_into_a_view_is_told_by_its_colours(exchanged):
    different = np.array([[40, 40, 40], [200, 190, 170]])
    assert followed(different, exchanged) == ([1, 0] if exchanged else [0, 1])
    assert followed(different[[0, 0]], exchanged) == [0, 1]  # alike: by the place
