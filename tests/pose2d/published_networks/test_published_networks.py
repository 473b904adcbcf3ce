"""The trunks and heads that others train: their key layouts, and their outputs against the networks written out."""

import pytest
import torch
from torch.nn import functional as F

from muybridge.pose2d.published.checkpoint_files import fill, own_keys
from muybridge.pose2d.published_networks.cspnext import CSPNeXtTrunk
from muybridge.pose2d.published_networks.published_heads import HeatmapHead, ShuffleHead, SimCCHead
from muybridge.pose2d.published_networks.published_network import InputForm, MapMeaning, PublishedNet
from muybridge.pose2d.published_networks.residual_trunks import HRNetTrunk, ResNetTrunk
from tests.pose2d.published_networks.reference_networks import cspnext, hrnet, made_up, resnet, rtmcc

# some keys and shapes as timm, torchvision and DeepLabCut publish them, and how many tensors there are in all
KNOWN = {
    "resnet50": (
        lambda: ResNetTrunk(50),
        {"conv1.weight": (64, 3, 7, 7), "bn1.running_var": (64,), "layer1.0.downsample.0.weight": (256, 64, 1, 1),
         "layer1.0.downsample.1.bias": (256,), "layer3.5.conv2.weight": (256, 256, 3, 3),
         "layer4.2.bn3.running_mean": (2048,)}, 265,
    ),
    "resnet101": (lambda: ResNetTrunk(101), {"layer3.22.conv3.weight": (1024, 256, 1, 1)}, 520),
    "resnet50_gn": (lambda: ResNetTrunk(50, 16, group_norm=True), {"layer4.0.downsample.1.weight": (2048,)}, 159),
    "hrnet_w18": (
        lambda: HRNetTrunk(18),
        {"conv2.weight": (64, 64, 3, 3), "layer1.3.conv3.weight": (256, 64, 1, 1),
         "transition1.0.0.weight": (18, 256, 3, 3), "transition1.1.0.0.weight": (36, 256, 3, 3),
         "transition2.2.0.1.running_mean": (72,), "stage2.0.fuse_layers.0.1.0.weight": (18, 36, 1, 1)}, 1525,
    ),
    "hrnet_w32": (
        lambda: HRNetTrunk(32),
        {"transition3.3.0.0.weight": (256, 128, 3, 3), "stage4.2.branches.3.3.bn2.weight": (256,),
         "stage4.2.fuse_layers.3.0.2.0.weight": (256, 32, 3, 3), "stage3.3.fuse_layers.2.0.0.1.bias": (32,)}, 1525,
    ),
    "hrnet_w48": (lambda: HRNetTrunk(48), {"stage3.0.fuse_layers.2.0.1.0.weight": (192, 48, 3, 3)}, 1525),
    "cspnext_m": (
        lambda: CSPNeXtTrunk(0.67, 0.75),
        {"stem.0.conv.weight": (24, 3, 3, 3), "stem.2.norm.running_var": (48,),
         "stage1.1.blocks.1.conv2.depthwise_conv.conv.weight": (48, 1, 5, 5),
         "stage2.1.attention.fc.bias": (192,), "stage3.1.blocks.3.conv1.conv.weight": (192, 192, 3, 3),
         "stage4.1.conv2.conv.weight": (768, 1536, 1, 1), "stage4.2.final_conv.norm.weight": (768,)}, 293,
    ),
    "rtmcc": (
        lambda: SimCCHead(768, 17, (192, 256)),
        {"final_layer.weight": (17, 768, 7, 7), "final_layer.bias": (17,), "mlp.0.g": (1,), "mlp.1.weight": (256, 48),
         "gau.uv.weight": (1152, 256), "gau.o.weight": (256, 512), "gau.gamma": (2, 128), "gau.ln.g": (1,),
         "gau.res_scale.scale": (256,), "cls_x.weight": (384, 256), "cls_y.weight": (512, 256)}, 12,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", KNOWN)
def test_the_keys_and_shapes_are_those_of_the_published_files(name):
    build, known, n_tensors = KNOWN[name]
    with torch.device("meta"):
        keys = own_keys(build())
    assert {key: tuple(keys[key].shape) for key in known} == known
    assert len(keys) == n_tensors


def shapes_of(module):
    return {name: tuple(value.shape) for name, value in own_keys(module).items()}


TRUNKS = {
    "resnet18": (lambda: ResNetTrunk(18, 32, width=8), lambda state, x: resnet(state, x, 32)),
    "resnet50, stride 16": (lambda: ResNetTrunk(50, 16, width=8), lambda state, x: resnet(state, x, 16)),
    "resnet50, stride 8": (lambda: ResNetTrunk(50, 8, width=8), lambda state, x: resnet(state, x, 8)),
    "hrnet": (lambda: HRNetTrunk(4, stem=8), hrnet),
    "cspnext": (lambda: CSPNeXtTrunk(0.33, 0.125), cspnext),
}


@torch.no_grad()
@pytest.mark.parametrize("name", TRUNKS)
def test_a_trunk_computes_what_its_network_written_out_does(name):
    build, reference = TRUNKS[name]
    trunk, images = build().eval(), torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    state = made_up(shapes_of(trunk))
    fill(trunk, state, "made up", name)
    ours, theirs = trunk(images), reference(state, images)
    assert ours.shape[1] == trunk.channels
    assert ours.shape[2:] == (64 // trunk.stride, 96 // trunk.stride)
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4 * float(theirs.abs().max()))


@torch.no_grad()
def test_rtmposes_head_computes_what_it_does_written_out():
    head = SimCCHead(12, 5, (64, 96), kernel=3, width=16, size=8)
    state = made_up(shapes_of(head))
    fill(head, state, "made up", "head")
    features = torch.randn(2, 12, 3, 2)
    torch.testing.assert_close(head(features)[:, :, 0], torch.cat(rtmcc(state, features), -1), rtol=1e-4, atol=1e-5)


def bump(x, y, rows, columns, sigma):
    down, across = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    return torch.exp(-((across - x) ** 2 + (down - y) ** 2) / 2 / sigma**2)


def test_heatmaps_of_each_meaning_give_the_place_and_the_score():
    from muybridge.pose2d.inference.decoding import find_peaks

    values = bump(7.3, 4.6, 12, 16, 1.5)[None, None]
    heats = {
        "values": 0.8 * values,
        "logits": torch.logit((0.8 * values).clamp(1e-4, 1 - 1e-4)),
        "softmax": values.clamp_min(1e-6).log(),
        "probabilities": values / values.sum(),
    }
    for reading, heat in heats.items():
        network = PublishedNet(torch.nn.Identity(), 1, MapMeaning(reading, 4.0))
        with torch.no_grad():
            peaks = find_peaks(network, network.maps_of(heat))
        torch.testing.assert_close(peaks.points[0, 0], torch.tensor([7.3, 4.6]), atol=0.08, rtol=0)
        if reading in ("values", "logits"):
            assert float(peaks.mass) == pytest.approx(0.8 * float(values.max()), abs=0.05)


def test_votes_along_x_and_y_give_the_place_to_a_fraction_of_a_cell():
    from muybridge.pose2d.inference.decoding import find_peaks

    network = PublishedNet(torch.nn.Identity(), 1, MapMeaning("simcc", 4.0), InputForm((64, 96)))
    x, y = 37.2, 60.4
    votes = [0.9 * torch.exp(-((torch.arange(2 * n) / 2 - at) ** 2) / 2 / 2.8**2) for n, at in ((64, x), (96, y))]
    with torch.no_grad():
        peaks = find_peaks(network, network.maps_of(torch.cat(votes)[None, None, None]))
    # cells of 4 pixels: their middles are 4 c + 1.5
    torch.testing.assert_close(4 * peaks.points[0, 0] + 1.5, torch.tensor([x, y]), atol=0.1, rtol=0)
    assert 0.7 < float(peaks.mass) <= 0.91
    assert 0.3 < float(4 * peaks.factor[0, 0, 0, 0]) < 4  # of an untrained head: as wide as the votes lie apart


def test_the_heads_of_deeplabcut_and_lightning_pose_are_their_layers_in_a_row():
    part = {"channels": [6, 5, 3], "kernel_size": [3, 3], "strides": [2, 2]}
    head = HeatmapHead(
        part,
        part
        | {"channels": [6, 4], "kernel_size": [3], "strides": [2]}
        | {
            "channels": [6, 6],
        },
    )
    state = made_up({
        "heatmap_head.deconv_layers.0.weight": (6, 5, 3, 3), "heatmap_head.deconv_layers.0.bias": (5,),
        "heatmap_head.deconv_layers.2.weight": (5, 3, 3, 3), "heatmap_head.deconv_layers.2.bias": (3,),
        "locref_head.deconv_layers.0.weight": (6, 6, 3, 3), "locref_head.deconv_layers.0.bias": (6,),
    })  # fmt: skip
    fill(head, state, "made up", "head")
    x = torch.randn(1, 6, 4, 4)
    y = F.conv_transpose2d(x, *(state[f"heatmap_head.deconv_layers.0.{p}"] for p in ("weight", "bias")), 2).relu()
    y = F.conv_transpose2d(y, *(state[f"heatmap_head.deconv_layers.2.{p}"] for p in ("weight", "bias")), 2)
    with torch.no_grad():
        torch.testing.assert_close(head.heatmap_head(x), y)
    shuffle = ShuffleHead([4, 3, 3])
    assert shapes_of(shuffle)["upsampling_layers.2.weight"] == (3, 3, 3, 3)
    assert shuffle(torch.randn(1, 16, 2, 3)).shape == (1, 3, 16, 24)
