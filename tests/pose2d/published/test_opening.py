"""Files of other programs open as detectors: their networks, their names, and what can be wrong with them."""

import json

import numpy as np
import pytest
import torch

from muybridge.pose2d import DetectorError, load_detector
from muybridge.pose2d.published.checkpoint_files import own_keys
from muybridge.pose2d.published.deeplabcut import QUADRUPED, TOP_VIEW_MOUSE
from muybridge.pose2d.published_networks.published_heads import HeatmapHead, ShuffleHead, SimCCHead
from muybridge.pose2d.published_networks.residual_trunks import ResNetTrunk
from tests.pose2d.animals import KEYPOINTS
from tests.pose2d.published_networks.reference_networks import cspnext, made_up, resnet, rtmcc

TINY = {"type": "CSPNeXt", "deepen_factor": 0.33, "widen_factor": 0.125, "norm_layer": "SyncBN"}
RTMCC = {
    "type": "RTMCCHead", "in_channels": 128, "out_channels": 4, "input_size": [64, 96], "simcc_split_ratio": 2.0,
    "final_layer_kernel_size": 7, "gau_cfg": {"hidden_dims": 16, "s": 8, "expansion_factor": 2, "use_rel_bias": False},
}  # fmt: skip
HEATMAP = {
    "type": "HeatmapHead", "predictor": {"type": "HeatmapPredictor", "location_refinement": True, "locref_std": 7.2801},
    "heatmap_config": {"channels": [128, 8, 4], "kernel_size": [3, 3], "strides": [2, 2]},
    "locref_config": {"channels": [128, 8, 8], "kernel_size": [3, 3], "strides": [2, 2]},
}  # fmt: skip


def settings(head, method="td", backbone=TINY, names=KEYPOINTS):
    return {
        "data": {"colormode": "RGB", "inference": {"normalize_images": True}},
        "metadata": {"bodyparts": list(names)},
        "method": method,
        "model": {"backbone": backbone, "heads": {"bodypart": head}},
    }


def rtmpose_state():
    """Weights of a tiny RTMPose in DeepLabCut's names."""
    from muybridge.pose2d.published_networks.cspnext import CSPNeXtTrunk

    trunk = made_up({n: tuple(v.shape) for n, v in own_keys(CSPNeXtTrunk(0.33, 0.125)).items()})
    head = made_up({n: tuple(v.shape) for n, v in SimCCHead(128, 4, (64, 96), width=16, size=8).state_dict().items()})
    return {f"backbone.{n}": v for n, v in trunk.items()} | {f"heads.bodypart.{n}": v for n, v in head.items()}


def write_snapshot(folder, state, config):
    torch.save({"model": state, "metadata": {"epoch": 200, "metrics": {"test.mAP": np.float64(61.0)}}}, folder / "s.pt")
    if config is not None:
        (folder / "pytorch_config.yaml").write_text(json.dumps(config))  # JSON is YAML
    return folder / "s.pt"


def part(state, prefix):
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


@torch.no_grad()
def test_a_deeplabcut_rtmpose_computes_what_it_does_written_out(tmp_path):
    state = rtmpose_state()
    detector = load_detector(write_snapshot(tmp_path, state, settings(RTMCC)))
    assert detector.keypoints == KEYPOINTS
    assert detector.symmetries == (("ear_left", "ear_right"),)
    assert detector.network.input_size == (64, 96)
    images = torch.rand(1, 3, 96, 64) * 2 - 1
    mean, std = (torch.tensor(v)[:, None, None] for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    votes = rtmcc(part(state, "heads.bodypart."), cspnext(part(state, "backbone."), ((images + 1) / 2 - mean) / std))
    seen = detector.network.raw(images * detector.network.gain + detector.network.bias)
    torch.testing.assert_close(seen[:, :, 0], torch.cat(votes, -1), rtol=1e-3, atol=1e-3 * float(votes[0].abs().max()))


@torch.no_grad()
def test_a_deeplabcut_heatmap_network_is_saved_and_read_again(tmp_path):
    head = HeatmapHead(HEATMAP["heatmap_config"], HEATMAP["locref_config"])
    state = {n: v for n, v in rtmpose_state().items() if n.startswith("backbone")}
    state |= {f"heads.bodypart.{n}": v for n, v in head.state_dict().items()}
    detector = load_detector(write_snapshot(tmp_path, state, settings(HEATMAP, "bu")))
    meaning = detector.network.meaning
    assert (meaning.stride, meaning.reading, detector.network.input_size) == (8, "logits", None)
    again = load_detector(detector.save(tmp_path / "own.safetensors"))
    images = torch.rand(1, 3, 64, 64)
    torch.testing.assert_close(again.network(images).logits, detector.network(images).logits)
    assert again.keypoints == detector.keypoints


@torch.no_grad()
def test_a_lightning_pose_checkpoint_opens_with_settings_of_other_classes_dropped(tmp_path):
    trunk, head = ResNetTrunk(18), ShuffleHead([128, 4, 4])
    with torch.no_grad():
        state = {n: tuple(v.shape) for n, v in own_keys(trunk).items()}
    state = made_up(state)
    parts = {"conv1": "0", "bn1": "1"} | {f"layer{i + 1}": str(4 + i) for i in range(4)}
    theirs = {f"backbone.{parts[n.split('.')[0]]}.{n.split('.', 1)[1]}": v for n, v in state.items()}
    theirs |= {f"head.{n}": v for n, v in head.state_dict().items()}
    torch.save({"state_dict": theirs, "epoch": 300, "hyper_parameters": {"seed": np.int64(3)}}, tmp_path / "last.ckpt")
    config = {"data": {"keypoint_names": list(KEYPOINTS), "image_resize_dims": {"height": 64, "width": 128}},
              "model": {"model_type": "heatmap", "backbone": "resnet18"}}  # fmt: skip
    (tmp_path / "config.yaml").write_text(json.dumps(config))
    detector = load_detector(tmp_path / "last.ckpt")
    assert (detector.network.stride, detector.network.input_size, detector.network.whole) == (4.0, (128, 64), True)
    images = torch.randn(1, 3, 64, 128)
    theirs = head(resnet(state, images, 32))
    torch.testing.assert_close(detector.network.raw(images), theirs, rtol=1e-3, atol=1e-3 * float(theirs.abs().max()))


def test_superanimals_are_known_by_the_names_of_their_files():
    from muybridge.pose2d.published.deeplabcut import settings_of, superanimal_keypoints

    assert (len(QUADRUPED), len(TOP_VIEW_MOUSE)) == (39, 27)
    assert superanimal_keypoints("superanimal_topviewmouse_hrnet_w32.pt", 27) == TOP_VIEW_MOUSE
    assert superanimal_keypoints("mine.pt", 27) is None
    for net, kind in (("hrnet_w32", "HRNet"), ("resnet_50", "ResNet"), ("rtmpose_s", "CSPNeXt")):
        known = settings_of(f"superanimal_quadruped_{net}.pt")
        assert known["model"]["backbone"]["type"] == kind
        assert tuple(known["metadata"]["bodyparts"]) == QUADRUPED


def test_a_snapshot_without_its_configuration_is_refused(tmp_path):
    path = write_snapshot(tmp_path, {"a.weight": torch.zeros(1)}, None)
    with pytest.raises(DetectorError, match=r"s\.pt needs DeepLabCut's pytorch_config\.yaml.*give config="):
        load_detector(path)


def test_weights_of_another_architecture_are_named(tmp_path):
    trunk = own_keys(ResNetTrunk(18))
    path = write_snapshot(tmp_path, {f"backbone.model.{n}": v for n, v in trunk.items()}, settings(RTMCC))
    with pytest.raises(DetectorError, match=r"not those of a cspnext.*the keys are those of ResNet-18"):
        load_detector(path)
    state = rtmpose_state() | {"heads.bodypart.cls_x.weight": torch.zeros(7, 16)}
    with pytest.raises(DetectorError, match=r"cls_x.weight is of shape \(7, 16\), this head needs \(128, 16\)"):
        load_detector(write_snapshot(tmp_path, state, settings(RTMCC)))
    with pytest.raises(DetectorError, match=r"a backbone HRNet hrnet_w40 is not read; known: ResNet"):
        load_detector(
            write_snapshot(tmp_path, state, settings(RTMCC, backbone={"type": "HRNet", "model_name": "hrnet_w40"}))
        )
    with pytest.raises(DetectorError, match="a head of type DEKRHead finds several animals at once"):
        load_detector(write_snapshot(tmp_path, state, settings({"type": "DEKRHead"})))


class Evil:
    def __reduce__(self):
        return print, ("executed",)


def test_a_checkpoint_that_carries_code_is_refused(tmp_path, capsys):
    (tmp_path / "pytorch_config.yaml").write_text(json.dumps(settings(RTMCC)))
    torch.save({"model": {}, "metadata": Evil()}, tmp_path / "evil.pt")
    with pytest.raises(DetectorError, match=r"evil\.pt carries code \(\w*\.print\) and is not opened"):
        load_detector(tmp_path / "evil.pt")
    (tmp_path / "plain.pt").write_bytes(b"\x80\x04N.")
    with pytest.raises(DetectorError, match=r"plain\.pt is a pickle, which can carry code, and is not opened"):
        load_detector(tmp_path / "plain.pt")
    (tmp_path / "broken.pt").write_bytes(b"PK\x03\x04 no zip")
    with pytest.raises(DetectorError, match=r"broken\.pt cannot be read as a checkpoint"):
        load_detector(tmp_path / "broken.pt")
    (tmp_path / "pytorch_config.yaml").write_text("a: !!python/object/apply:os.system ['true']")
    with pytest.raises(DetectorError, match="cannot be read as YAML"):
        load_detector(write_snapshot(tmp_path, {}, None))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "wrong",
    [{"metadata": None}, {"data": None}, {"model": {"backbone": "HRNet", "heads": {"bodypart": RTMCC}}},
     {"model": {"backbone": TINY, "heads": {"bodypart": None}}},
     {"model": {"backbone": TINY, "heads": {"bodypart": RTMCC | {"input_size": 256}}}}],
)  # fmt: skip
def test_settings_of_another_form_are_an_error_of_their_file(tmp_path, wrong):
    path = write_snapshot(tmp_path, rtmpose_state(), settings(RTMCC) | wrong)
    with pytest.raises(DetectorError, match=r"pytorch_config\.yaml (does not hold the settings|has no entry)"):
        load_detector(path)


def test_a_wrong_number_of_names_is_said(tmp_path):
    path = write_snapshot(tmp_path, rtmpose_state(), settings(RTMCC, names=("nose",)))
    with pytest.raises(DetectorError, match=r"finds 4 keypoints and there are 1 names: give keypoints="):
        load_detector(path)
    assert load_detector(path, keypoints=("a", "b", "c", "d")).keypoints == ("a", "b", "c", "d")
