"""Places come out in the pixels of the picture, whatever way the network's program counts them."""

import cv2
import numpy as np
import pytest
import torch

from muybridge.pose2d import evaluate, load_detector, predict
from muybridge.pose2d.inference.animal_search import finder_of
from muybridge.pose2d.inference.detector import Detector
from muybridge.pose2d.inference.engine import engine_of
from muybridge.pose2d.inference.uncertainty import uncalibrated
from muybridge.pose2d.published_networks.published_network import InputForm, MapMeaning, PublishedNet
from muybridge.pose2d.training_config import TrainingConfig
from tests.pose2d.animals import KEYPOINTS, animal_points, draw_animal, write_video
from tests.pose2d.published.onnx_writer import node, write_onnx

pytest.importorskip("onnxruntime")
SIZE = (128, 96)


class DotFinder(torch.nn.Module):
    """Emits a heatmap and offsets as a program does that knows the dot's place in its input, by its own counting."""

    def __init__(self, counted, stride, locref_std=None):
        super().__init__()
        self.counted, self.stride, self.locref_std = counted, stride, locref_std

    def forward(self, images):
        light = (images.mean(1) - images.mean(1).amin((1, 2), keepdim=True)).clamp_min(0) ** 4
        down, across = torch.meshgrid(*(torch.arange(n, dtype=torch.float32) for n in light.shape[1:]), indexing="ij")
        x, y = ((light * axis).sum((1, 2)) / light.sum((1, 2)) for axis in (across, down))
        place = self.counted(torch.stack([x, y], -1))
        rows, columns = (n // self.stride for n in light.shape[1:])
        down, across = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
        cells = torch.stack([across, down], -1).float()[None]
        at = place / self.stride if self.locref_std is None else torch.floor(place / self.stride)
        heat = -((cells - at[:, None, None]) ** 2).sum(-1)[:, None] / 2
        if self.locref_std is None:
            return heat
        offsets = (place[:, None, None] - (cells + 0.5) * self.stride) / self.locref_std
        return torch.cat([8 + 5 * heat, offsets.permute(0, 3, 1, 2)], 1)


def dot(x, y, size=SIZE):
    down, across = np.mgrid[: size[1], : size[0]]
    image = 40 + 200 * np.exp(-((across - x) ** 2 + (down - y) ** 2) / 2 / 3.0**2)
    return np.repeat(image[..., None].astype(np.uint8), 3, -1)


def test_deeplabcuts_cells_and_offsets_are_counted_as_deeplabcut_does():
    raw = DotFinder(lambda p: p, 8, locref_std=7.2801)
    network = PublishedNet(raw, 1, MapMeaning("logits", 8.0, 0.5, offset_unit=7.2801, labels_from_corner=True))
    for x, y in ((40.3, 50.8), (71.9, 33.2)):
        np.testing.assert_allclose(engine_of(network, 1.0).infer(dot(x, y)).points[0], (x, y), atol=0.1)


def test_a_stretched_picture_is_counted_as_lightning_pose_does():
    """There labels are scaled by the factor alone, the picture about its corner: up to half a pixel apart."""
    factors = torch.tensor([64 / 128, 128 / 96])
    raw = DotFinder(lambda p: p + 0.5 - 0.5 * factors, 4)
    network = PublishedNet(
        raw, 1, MapMeaning("softmax", 4.0, -1.5, labels_from_corner=True), InputForm((64, 128), whole=True)
    )  # fmt: skip
    for x, y in ((40.3, 50.8), (71.9, 33.2)):
        np.testing.assert_allclose(engine_of(network, 1.0).infer(dot(x, y)).points[0], (x, y), atol=0.25)


COLOURS = np.array([[1, -1, -1], [-1, 1, -1], [-1, -1, 1], [1, 1, -2]], np.float32)[:, :, None, None] * 1.5


def simcc_file(path, side=96):
    """The colours' maxima along the columns and the rows, as votes between 0 and 1."""
    nodes = [
        node("Conv", ["pictures", "w", "b"], "c", kernel_shape=[1, 1]),
        node("Sigmoid", ["c"], "d"),
        node("AveragePool", ["d"], "s", kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1),
        node("ReduceMax", ["s"], "simcc_x", axes=[2], keepdims=0),
        node("ReduceMax", ["s"], "simcc_y", axes=[3], keepdims=0),
    ]
    constants = {"w": COLOURS * 2, "b": np.full(4, -4, np.float32)}
    outputs, names = {"simcc_x": 3, "simcc_y": 3}, {"keypoints": ",".join(KEYPOINTS)}
    return write_onnx(path, nodes, constants, [1, 3, side, side], outputs, names)


def heatmap_file(path):
    nodes = [
        node("Conv", ["pictures", "w"], "c", kernel_shape=[1, 1]),
        node("AveragePool", ["c"], "heat", kernel_shape=[4, 4], strides=[4, 4]),
    ]
    return write_onnx(path, nodes, {"w": COLOURS}, ["n", 3, "h", "w"], {"heat": 4})


HOW = {"mean": [0.5] * 3, "std": [0.25] * 3}


def test_an_onnx_heatmap_predicts_a_video_in_batches_as_one_by_one(tmp_path):
    detector = load_detector(heatmap_file(tmp_path / "net.onnx"), keypoints=KEYPOINTS, onnx=HOW | {"reading": "logits"})
    truth = [animal_points(5, SIZE, seed) for seed in (0, 1)]
    videos = {name: write_video(tmp_path / f"{name}.mp4", truth[i], SIZE) for i, name in enumerate("ab")}
    views = predict(detector, videos, progress=False)
    assert np.median(np.linalg.norm(views["position"].values - truth, axis=-1)) < 1.0
    together = predict(detector, videos, progress=False, batch_instants=3)
    np.testing.assert_allclose(together["position"].values, views["position"].values, atol=1e-3)
    again = load_detector(detector.save(tmp_path / "kept.safetensors"))
    np.testing.assert_array_equal(predict(again, videos, progress=False)["position"], views["position"])


def test_a_simcc_network_finds_the_animals_box_and_reads_it_again(tmp_path):
    detector = load_detector(simcc_file(tmp_path / "net.onnx"), onnx=HOW)
    assert (detector.keypoints, detector.network.input_size) == (KEYPOINTS, (96, 96))
    points = animal_points(1, (256, 192))[0]
    image = draw_animal(points, (256, 192), 3)
    finder = finder_of(detector)
    first, found = finder.engine.infer(image), finder.find(image)
    assert finder.place_of(first.points, first.mass)[2] > 4 * finder.engine.whole_view(256, 192)[0][0, 0]
    assert np.median(np.linalg.norm(found.points - points, axis=-1)) < 0.6
    given = load_detector(tmp_path / "net.onnx", onnx=HOW, box=(*(points.min(0) - 12), *(np.ptp(points, 0) + 24)))
    assert np.median(np.linalg.norm(finder_of(given).find(image).points - points, axis=-1)) < 0.6


def test_labels_calibrate_a_foreign_network(tmp_path, labels):
    path = heatmap_file(tmp_path / "net.onnx")
    how = {"keypoints": KEYPOINTS, "onnx": HOW | {"reading": "logits"}}
    plain, fitted = load_detector(path, **how), load_detector(path, **how, labels=labels.select(range(0, 48, 2)))
    assert (plain.uncertainty.n_held_out, fitted.uncertainty.n_held_out) == (0, 96)
    rest = labels.select(range(1, 48, 2))
    from muybridge.pose2d.inference.evaluation import locate

    found = locate(fitted, rest)
    errors = found.points - rest.points_2d
    lengths = np.einsum("nki,nkij,nkj->nk", errors, np.linalg.inv(fitted.uncertainty.ellipses(found)), errors)
    assert 0.8 < (lengths < 2 * np.log(10)).mean() <= 1
    assert evaluate(fitted, rest).loc["all", "median"] < 1.0


def test_a_box_is_followed_and_lost(tmp_path):
    """The window of a top-down network moves with the animal; where it leaves, the whole picture is searched."""
    detector = load_detector(simcc_file(tmp_path / "net.onnx"), onnx=HOW)
    points = animal_points(8, SIZE)
    points[4:] = points[4:][:, :, [0, 1]] * [-1, 1] + [SIZE[0] - 1, 0]  # jumps to the other side
    views = predict(detector, {"a": write_video(tmp_path / "a.mp4", points, SIZE)}, progress=False)
    assert np.median(np.linalg.norm(views["position"].values[0] - points, axis=-1)) < 1.2


def test_half_precision_is_close_to_float32():
    raw = DotFinder(lambda p: p, 8, locref_std=7.2801)
    network = PublishedNet(raw, 1, MapMeaning("logits", 8.0, 0.5, offset_unit=7.2801))
    image = dot(60.0, 41.0)
    exact, half = (engine_of(network, 1.0, precision).infer(image) for precision in ("fp32", "bf16"))
    np.testing.assert_allclose(half.points, exact.points, atol=0.5)


def test_a_detector_of_a_fixed_input_is_refused_no_picture_size(tmp_path):
    detector = load_detector(simcc_file(tmp_path / "net.onnx"), onnx=HOW)
    small = cv2.resize(draw_animal(animal_points(1, SIZE)[0], SIZE, 3), (40, 30), interpolation=cv2.INTER_AREA)
    assert finder_of(detector).find(small).points.shape == (4, 2)
    assert isinstance(detector, Detector)
    assert detector.config == TrainingConfig(network="published", crop=96)
    assert detector.uncertainty.as_dict() == uncalibrated(4, 5.0).as_dict()
