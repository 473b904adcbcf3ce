"""Training finds an easy animal, and is deterministic."""

import numpy as np
import pytest

from muybridge.pose2d import evaluate, load_detector, predict, train
from tests.pose2d.animals import KEYPOINTS, OPTIONS, animal_points, write_project, write_video

SIZE = (128, 96)


def test_a_detector_from_random_weights_finds_new_pictures_of_the_animal(detector, tmp_path):
    from muybridge.pose2d import read_labels

    write_project(tmp_path, n=12, cameras=("other",))
    table = evaluate(detector, read_labels(tmp_path))
    assert list(table.index) == [*KEYPOINTS, "all"]
    assert list(table.columns) == ["n", "mean", "rmse", "median", "p95", "pck5", "pck10"]
    assert table.loc["all", "n"] == 48
    assert table.loc["all", "median"] < 1.0
    assert table.loc["all", "pck5"] > 0.9


def test_prediction_of_videos_is_labelled_in_seconds_and_close_to_the_truth(detector, tmp_path):
    truth = {name: animal_points(10, SIZE, seed=7 + i) for i, name in enumerate("ab")}
    videos = {name: write_video(tmp_path / f"{name}.mp4", points, SIZE) for name, points in truth.items()}
    views = predict(detector, videos, progress=False)
    assert list(views["view"].values) == ["a", "b"]
    np.testing.assert_allclose(views["time"], np.arange(10) / 25)
    errors = np.linalg.norm(views["position"].values - np.stack(list(truth.values())), axis=-1)
    assert np.median(errors) < 1.5
    assert views["covariance"].shape == (2, 10, 4, 2, 2)
    assert (np.linalg.eigvalsh(views["covariance"].values) > 0).all()


def test_a_saved_detector_answers_as_before(detector, labels, tmp_path):
    path = detector.save(tmp_path / "detector.safetensors")
    again = load_detector(path)
    assert again.keypoints == detector.keypoints
    assert evaluate(again, labels.select(range(3))).equals(evaluate(detector, labels.select(range(3))))


def test_a_trained_detector_goes_on_with_a_few_new_frames_and_forgets_nothing(detector, labels):
    again = train(labels.select(range(0, 48, 6)), start=detector, progress=False, iterations=6)
    assert again.config.learning_rate == pytest.approx(0.3 * detector.config.learning_rate)
    assert again.scale == detector.scale
    assert evaluate(again, labels).loc["all", "median"] < 1.0


def test_the_same_seed_gives_the_same_weights(labels):
    short = OPTIONS | {"iterations": 3}
    first, second, other = (train(labels, seed=seed, progress=False, **short) for seed in (0, 0, 1))
    for name, value in first.network.state_dict().items():
        assert value.equal(second.network.state_dict()[name]), name
    assert not first.network.logits.weight.equal(other.network.logits.weight)


def test_an_unknown_option_is_refused_with_the_known_ones(labels):
    with pytest.raises(ValueError, match="no option 'iteration', did you mean 'iterations'"):
        train(labels, iteration=3)
    with pytest.raises(ValueError, match="no option 'contrst', did you mean 'contrast'"):
        train(labels, augmentation={"contrst": 0.1})


def test_a_detector_shows_what_it_finds_and_how_it_was_trained(detector):
    line = repr(detector)
    assert line.startswith(f"<Detector: {len(detector.keypoints)} keypoints ({detector.keypoints[0]}, ")
    assert line.endswith(f"network {detector.config.network}, trained for {detector.config.iterations} iterations>")
    assert f"<td>{detector.scale:.4g}</td>" in detector._repr_html_()
