"""Every network keeps the interface: stride, width, and the same answer after folding."""

import copy

import numpy as np
import pytest
import torch

from muybridge.pose2d.networks.blocks import SamePad, fold_norms
from muybridge.pose2d.networks.fused_convolutions import SIZES, FusedConv, fuse_convolutions
from muybridge.pose2d.networks.registry import NETWORKS, build_network
from muybridge.pose2d.training.losses import bernoulli_loss, pose_loss
from muybridge.pose2d.training_config import TrainingConfig

LIGHT = [name for name in NETWORKS if "101" not in name]


@pytest.mark.parametrize("name", LIGHT)
def test_maps_have_the_networks_stride_and_a_loss_reaches_every_parameter(name):
    network = build_network(name, 3)
    maps = network(torch.rand(2, 3, 64, 96))
    assert maps.logits.shape == (2, 3, 64 // network.stride, 96 // network.stride)
    assert maps.features.shape[1] == network.features.width
    points = torch.tensor([[[2.0, 3.0], [5.0, 1.0], [float("nan")] * 2]] * 2)
    pose_loss(network, maps, points, TrainingConfig.from_options({"network": name})).backward()
    without = [n for n, p in network.named_parameters() if p.grad is None]
    assert all(n.startswith("spread_") for n in without), without  # fitted at the end, see test_uncertainty
    assert (maps.early is not None) == name.endswith("intermediate")


@pytest.mark.parametrize("name", ["small", "mobilenet_v2", "efficientnet_b0", "resnet50", "unet"])
def test_folded_normalisations_change_nothing(name):
    network = build_network(name, 2)
    with torch.no_grad():
        for part in network.modules():
            if isinstance(part, torch.nn.BatchNorm2d):
                part.running_mean.normal_(0, 0.1)
                part.running_var.uniform_(0.8, 1.2)
        network.eval()
        image = torch.rand(1, 3, 64, 64)
        folded = fold_norms(copy.deepcopy(network))
        torch.testing.assert_close(folded(image).logits, network(image).logits, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", ["small", "mobilenet_v2", "efficientnet_b0", "resnet50", "unet"])
def test_fused_convolutions_change_nothing_at_any_size(name):
    folded = fold_norms(build_network(name, 2).eval())
    fused = copy.deepcopy(folded)
    fuse_convolutions(fused)
    assert any(isinstance(part, FusedConv) for part in fused.modules())
    sides = [(64, 64), (32, 96)] if name == "unet" else [(64, 64), (32, 96), (75, 53)]  # the U-Net halves whole sides
    with torch.inference_mode():
        for height, width in sides:
            image = torch.rand(2, 3, height, width)
            torch.testing.assert_close(fused(image).logits, folded(image).logits, atol=1e-4, rtol=1e-4)


def test_fused_convolutions_take_more_sizes_than_they_keep_weights_for():
    folded = fold_norms(build_network("mobilenet_v2", 2).eval())
    fused = copy.deepcopy(folded)
    fuse_convolutions(fused)
    with torch.inference_mode():
        for i in range(SIZES + 2):
            image = torch.rand(1, 3, 32, 32 * (i + 1))
            torch.testing.assert_close(fused(image).logits, folded(image).logits, atol=1e-4, rtol=1e-4)
    assert max(len(part.packed) for part in fused.modules() if isinstance(part, FusedConv)) == SIZES


def test_the_first_layers_of_mobilenet_stay_in_float32():
    network = fold_norms(build_network("mobilenet_v2", 2).eval())
    image = torch.rand(1, 3, 64, 64)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        begun = network.features.begin(image)
        finished = network.features.finish(begun)
    assert begun.dtype == torch.float32
    assert finished.dtype == torch.bfloat16
    assert begun.equal(network.features.backbone.blocks[0](network.features.backbone.stem(image)))


def test_weights_depend_on_the_seed_and_leave_the_global_random_state_alone():
    state = torch.random.get_rng_state()
    first, same, other = (build_network("small", 2, seed) for seed in (1, 1, 2))
    assert torch.random.get_rng_state().equal(state)
    assert first.logits.weight.equal(same.logits.weight)
    assert not first.logits.weight.equal(other.logits.weight)
    with pytest.raises(ValueError, match="no network 'huge'"):
        build_network("huge", 2)


@pytest.mark.parametrize("side", [7, 8])
def test_same_padding_gives_half_the_size_rounded_up(side):
    for size in (3, 5):
        padded = SamePad(size)(torch.zeros(1, 1, side, side))
        assert torch.nn.functional.conv2d(padded, torch.zeros(1, 1, size, size), stride=2).shape[-1] == -(-side // 2)


def test_the_coin_likelihood_is_the_log_sum_exp_form():
    logits, wanted = torch.randn(1, 1, 4, 5), torch.zeros(1, 1, 4, 5)
    wanted[0, 0, 1, 2] = 1.0
    f, y = logits.numpy()[0, 0], wanted.numpy()[0, 0]
    cells = np.logaddexp(0, f) - y * f
    expected = 20 * (cells[1, 2] + (cells.sum() - cells[1, 2]) / 19)
    np.testing.assert_allclose(float(bernoulli_loss(logits, wanted)[0, 0]), expected, rtol=1e-5)
