"""A detector goes on with other keypoints: known ones stay as they are, kept ones are not forgotten."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from muybridge.pose2d import DetectorError, LabelError, evaluate, load_detector, train
from muybridge.pose2d.training.fine_tuning import replayed, with_keypoints
from tests.pose2d.published.test_foreign_geometry import HOW, heatmap_file
from tests.pose2d.published.test_opening import HEATMAP, RTMCC, rtmpose_state, settings, write_snapshot

KEYPOINTS = ("nose", "ear_left", "ear_right", "tail")


@pytest.fixture(scope="module")
def foreign(tmp_path_factory):
    """Tiny networks in DeepLabCut's files: heatmaps with location refinement, and SimCC of square pictures."""
    from muybridge.pose2d.published_networks.published_heads import HeatmapHead, SimCCHead

    folder, state = tmp_path_factory.mktemp("foreign"), rtmpose_state()
    torch.manual_seed(0)
    trunk = {name: value for name, value in state.items() if name.startswith("backbone")}
    heads = {
        "heatmap": HeatmapHead(HEATMAP["heatmap_config"], HEATMAP["locref_config"]),
        "simcc": SimCCHead(128, 4, (64, 64), width=16, size=8),
    }
    detectors = {}
    for name, config in (("heatmap", settings(HEATMAP, "bu")), ("simcc", settings(RTMCC | {"input_size": [64, 64]}))):
        (folder / name).mkdir()
        own = {f"heads.bodypart.{n}": v for n, v in heads[name].state_dict().items()}
        detectors[name] = load_detector(write_snapshot(folder / name, trunk | own, config))
    return detectors


@torch.no_grad()
@pytest.mark.parametrize("kind", ["own", "heatmap", "simcc"])
def test_known_keypoints_keep_their_rows_in_any_order(kind, detector, foreign):
    start = detector if kind == "own" else foreign[kind]
    changed = with_keypoints(start, ("tail", "fin", "nose"))
    images = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    old, new = start.network(images).logits, changed.network(images).logits
    assert new.shape[1] == 3
    if kind != "simcc":  # its keypoints attend to each other
        torch.testing.assert_close(new[:, [0, 2]], old[:, [3, 0]])
    weights = [network.state_dict() for network in (start.network, changed.network)]
    rows = {"own": "logits.weight", "heatmap": "raw.head.heatmap_head.deconv_layers.2.bias",
            "simcc": "raw.head.final_layer.weight"}[kind]  # fmt: skip
    torch.testing.assert_close(weights[1][rows][[0, 2]], weights[0][rows][[3, 0]])


@pytest.mark.parametrize("kind", ["heatmap", "simcc"])
def test_a_foreign_network_is_fine_tuned_on_a_few_frames(kind, foreign, labels):
    few = labels.select(range(0, 48, 4))
    how = {"iterations": 2, "batch": 2, "crop": 64, "holdout": 0.25, "n_evaluations": 1, "animal_detector": False}
    tuned = train(few, start=foreign[kind], keep_keypoints=False, progress=False, **how)
    assert tuned.keypoints == labels.keypoints
    assert np.isfinite(evaluate(tuned, few).loc["all", "median"])
    assert tuned.network.input_size == ((64, 64) if kind == "simcc" else None)
    wider = replace(few, keypoints=("nose", "ear_left", "ear_right", "fin"), symmetries=None)
    kept = train(wider, start=foreign[kind], keep_keypoints=True, progress=False, **how)
    assert kept.keypoints == (*KEYPOINTS, "fin")


def test_replay_labels_what_the_start_is_sure_of(detector, labels):
    points = labels.points_2d.copy()
    points[:, 3] = np.nan
    shown = replayed(replace(labels, points_2d=points), detector)
    np.testing.assert_array_equal(shown.points_2d[:, :3], labels.points_2d[:, :3])
    assert np.isfinite(shown.points_2d[:, 3]).mean() > 0.5
    assert np.nanmedian(np.linalg.norm(shown.points_2d[:, 3] - labels.points_2d[:, 3], axis=-1)) < 2
    assert replayed(labels, detector) is labels


def test_kept_keypoints_are_not_forgotten(detector, labels):
    """The tail, labelled nowhere in the new frames, is found after a training with replay (without: 10 px off)."""
    names = ("nose", "ear_left", "ear_right", "belly")
    points = labels.points_2d.copy()
    points[:, 3] = points[:, :3].mean(1)
    other = replace(labels, points_2d=points, keypoints=names, symmetries=None)
    how = {"iterations": 20, "holdout": 0.0, "n_evaluations": 1, "progress": False, "learning_rate": 4e-3}
    kept = train(other, start=detector, keep_keypoints=True, **how)
    assert kept.keypoints == (*KEYPOINTS, "belly")
    assert evaluate(kept, labels).loc["tail", "median"] < 2
    assert evaluate(kept, other).loc["belly", "median"] < 4


def test_what_cannot_be_trained_is_said(foreign, labels, tmp_path):
    onnx = load_detector(heatmap_file(tmp_path / "net.onnx"), keypoints=labels.keypoints, onnx=HOW)
    with pytest.raises(DetectorError, match="an ONNX network cannot be trained"):
        train(labels, start=onnx, progress=False)
    other = replace(labels, keypoints=("nose", "ear_left", "ear_right", "fin"), symmetries=None)
    with pytest.raises(LabelError, match=r"\['fin'\] that the detector does not know.*keep_keypoints=True adds them"):
        train(other, start=foreign["heatmap"], progress=False)
