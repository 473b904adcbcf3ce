"""Weights of other programs: read without running anything, and put into the layers that their names belong to."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...datasets.size_limit import oversize
from ..inference.detector import DetectorError
from ..networks.blocks import ConvNorm
from ..networks.pretrained_weights import declared_size
from ..published_networks.residual_trunks import BLOCKS

# modules whose objects hold settings: each is replaced by an empty one, none of their code runs
_SETTINGS = ("omegaconf.", "collections.", "typing.", "numpy.", "pathlib.", "lightning", "pytorch_lightning.")
# keys by which an architecture is recognised
_RECOGNISED = {
    "HRNet": ("stage2.0.branches", "stage2.0.fuse_layers"),
    "CSPNeXt (RTMPose)": ("stage1.1.main_conv", "stage4.1.conv1"),
    "ResNet": ("layer1.0.conv1", "layer4.0.conv1", "backbone.4.0.conv1"),
    "MobileNetV2": ("features.1.conv.0.0",),
    "EfficientNet": ("_blocks.0._depthwise_conv", "blocks.0.0.conv_dw"),
    "a vision transformer": ("blocks.0.attn.qkv", "encoder.layer.0.attention"),
    "Faster R-CNN, a box detector": ("rpn.head",),
}


class Setting:
    """Stands for an object of another program; what it held is dropped."""

    def __new__(cls, *_arguments, **_options):
        return super().__new__(cls)

    def __setstate__(self, _state):
        pass


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The contents of a torch file, by `weights_only`: tensors and plain values, other objects as empty `Setting`.

    Raises
    ------
    DetectorError : the file is missing, too large, unreadable, or holds code
    """
    if not path.is_file():
        raise DetectorError(f"there is no file {path}")
    reason = oversize(declared_size(path), path.stat().st_size)
    if reason:
        raise DetectorError(f"{path}: {reason}")
    if _begins_as_pickle(path):
        raise DetectorError(
            f"{path} is a pickle, which can carry code, and is not opened; save its weights with PyTorch 1.6 or later:"
            " torch.save(model.state_dict())"
        )
    try:
        unknown = torch.serialization.get_unsafe_globals_in_checkpoint(os.fspath(path))
        code = sorted(name for name in unknown if not name.startswith(_SETTINGS))
        if code:
            raise DetectorError(
                f"{path} carries code ({code[0]}) and is not opened; save its weights: torch.save(model.state_dict())"
            )
        with torch.serialization.safe_globals([(Setting, name) for name in unknown]):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except DetectorError:
        raise
    except Exception as error:
        raise DetectorError(f"{path} cannot be read as a checkpoint ({type(error).__name__}); copy it again") from error
    if not isinstance(content, dict):
        raise DetectorError(f"{path} holds {type(content).__name__}, not the weights of a network")
    return content


def _begins_as_pickle(path: Path) -> bool:
    """Whether a file is a pickle by its first byte; those that torch.save writes since PyTorch 1.6 are zip archives."""
    with path.open("rb") as stream:
        return stream.read(1) == b"\x80"


def tensors_of(content: dict[str, Any], *names: str) -> dict[str, Tensor]:
    """The state dict under the first of the names that is there, else the content itself."""
    inner = next((content[name] for name in names if isinstance(content.get(name), dict)), content)
    return {name: value.float() for name, value in inner.items() if isinstance(value, Tensor)}


@torch.no_grad()
def fill(module: nn.Module, tensors: dict[str, Tensor], where: str, wanted: str) -> None:
    """Copy weights into every layer of a module, in place.

    tensors : by the names that the program of their training used
    where, wanted : what messages call the file and the architecture

    Raises
    ------
    DetectorError : weights are missing or of another shape; the message names the architecture that the keys are of
    """
    missing, wrong = [], []
    for key, value in own_keys(module).items():
        theirs = tensors.get(key)
        if theirs is None:
            missing.append(key)
        elif theirs.shape != value.shape:
            wrong.append(f"{key} is of shape {tuple(theirs.shape)}, {wanted} needs {tuple(value.shape)}")
        else:
            value.copy_(theirs)
    if missing:
        raise DetectorError(
            f"{where}: the weights are not those of {wanted}: {missing[0]!r} and {len(missing) - 1} others are missing;"
            f" {recognise(tensors)}"
        )
    if wrong:
        raise DetectorError(f"{where}: {wrong[0]}; {recognise(tensors)}")


def own_keys(module: nn.Module) -> dict[str, Tensor]:
    """Every weight and statistic of a trunk or a head by its name in the files of its origin."""
    rename = getattr(module, "file_keys", None)
    layers = {name: part for name, part in module.named_modules() if isinstance(part, ConvNorm)}
    keys = {}
    for name, value in module.state_dict().items():
        owner, part, leaf = (["", *name.rsplit(".", 2)])[-3:]
        if leaf == "num_batches_tracked" or owner not in layers:
            keys |= {} if leaf in ("num_batches_tracked", "equal") else {name: value}
        elif part != "pad":
            conv, norm = rename(owner) if rename is not None else (f"{owner}.conv", f"{owner}.norm")
            keys[f"{conv if part == 'conv' else norm}.{leaf}"] = value
    return keys


def recognise(tensors: dict[str, Tensor]) -> str:
    """Of which architecture weights are, by their keys, as the end of a sentence."""
    for architecture, parts in _RECOGNISED.items():
        key = next((key for part in parts for key in tensors if part in key), None)
        if key is not None:
            return f"the keys are those of {architecture}{_size(architecture, tensors)}"
    known = ", ".join(list(_RECOGNISED)[:3])
    return f"the keys ({', '.join(sorted(tensors)[:2])}, ...) are of no architecture that is read ({known})"


def _size(architecture: str, tensors: dict[str, Tensor]) -> str:
    """The depth of a ResNet and the width of an HRNet, as the end of its name."""
    if architecture == "HRNet":
        widths = [v.shape[0] for key, v in tensors.items() if key.endswith("stage2.0.branches.0.0.conv1.weight")]
        return f"-w{widths[0]}" if widths else ""
    if architecture == "ResNet":
        bottleneck = any(".conv3." in key for key in tensors)
        n_blocks = tuple(
            len(
                {
                    found[1]
                    for key in tensors
                    if (found := re.search(rf"(?:layer{i + 1}|backbone\.{i + 4})\.(\d+)\.", key))
                }
            )
            for i in range(4)
        )
        depth = next((d for d, blocks in BLOCKS.items() if blocks == n_blocks and (d >= 50) == bottleneck), None)
        return f"-{depth}" if depth else ""
    return ""
