"""A killed training goes on exactly; the animal_detector does what it is for."""

import numpy as np
import pytest

from muybridge.pose2d import DetectorError, load_detector, train
from muybridge.pose2d.inference.animal_boxes import box_labels
from muybridge.pose2d.inference.animal_search import finder_of
from muybridge.pose2d.training.crops import Crops
from muybridge.pose2d.training.training_loop import one_cycle
from muybridge.pose2d.training_config import TrainingConfig
from tests.pose2d.animals import OPTIONS, draw_animal


def test_a_killed_training_goes_on_to_the_very_same_weights(detector, labels, tmp_path):
    short = OPTIONS | {"iterations": 6, "n_evaluations": 3, "animal_detector": False}
    short |= {"start": detector, "seed": 3, "progress": False}
    whole = train(labels, **short)
    steps = []

    def interrupt(network, inputs):
        steps.append(network.training)
        if sum(steps) == 6:
            raise KeyboardInterrupt

    hook = detector.network.register_forward_pre_hook(interrupt)  # training copies the network with its hooks
    with pytest.raises(KeyboardInterrupt):
        train(labels, checkpoint=tmp_path / "state.pt", **short)
    hook.remove()
    resumed = train(labels, checkpoint=tmp_path / "state.pt", **short)
    for name, value in whole.network.state_dict().items():
        assert value.equal(resumed.network.state_dict()[name]), name
    assert resumed.history["loss"] == whole.history["loss"]
    with pytest.raises(DetectorError, match="other labels, options or seed"):
        train(labels, checkpoint=tmp_path / "state.pt", **short | {"seed": 4})


def test_a_crop_depends_on_seed_and_number_only(labels):
    config = TrainingConfig.from_options(OPTIONS)
    crops = Crops(labels, config, 1.0, 4, seed=0)
    images, points = crops.batch(5)
    again = Crops(labels, config, 1.0, 4, seed=0).batch(5)
    assert images.equal(again[0])
    np.testing.assert_array_equal(points, again[1])
    assert not images.equal(Crops(labels, config, 1.0, 4, seed=1).batch(5)[0])
    assert not images.equal(crops.batch(6)[0])


def test_the_learning_rate_rises_once_and_falls_to_nearly_nothing():
    rates = [one_cycle(p, 0.2) for p in np.linspace(0, 1, 101)]
    assert max(rates) == pytest.approx(1.0, abs=2e-3)
    assert np.argmax(rates) == 20
    assert rates[-1] < 2e-3
    assert np.all(np.diff(rates[:20]) > 0)
    assert np.all(np.diff(rates[21:]) < 0)


def test_a_locator_looks_at_the_animal_only_and_is_saved_with_the_detector(labels, tmp_path):
    detector = train(labels, progress=False, **(OPTIONS | {"iterations": 2, "animal_detector": True}))
    path = detector.save(tmp_path / "two_stages.safetensors")
    finder = finder_of(load_detector(path), "fp32")
    assert finder.animal_detector is not None
    wide = np.full((400, 600, 3), 110, np.uint8)
    wide[200:296, 300:428] = draw_animal(labels.points_2d[0], (128, 96))
    finder.find(wide)  # two iterations find nothing: the answer must still come, from the whole picture
    boxes = box_labels(labels)
    np.testing.assert_allclose(boxes.points_2d[:, 0], boxes.points_2d[:, 1:].mean(1))


def test_patience_keeps_the_best_weights(labels):
    options = OPTIONS | {"iterations": 8, "n_evaluations": 8, "patience": 1, "learning_rate": 1e-9}
    detector = train(labels, progress=False, **options)
    errors = detector.history["held_out"]
    assert len(errors) <= 8
    assert detector.history["iteration"] == list(range(1, len(errors) + 1))
    assert detector.network.spread_bias.abs().sum() > 0  # fitted, however early training stopped
