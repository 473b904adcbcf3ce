"""Pretrained trunks from files: MobileNetV2 in folded TensorFlow order, and the key layouts of other libraries."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from .blocks import ConvNorm
from .mobilenet import MobileNetV2, MobileNetV2Trunk


class WeightsError(ValueError):
    """Weights that do not fit; the message names the file, the network and what is missing."""


def load_weights(features: nn.Module, source: str | os.PathLike, network: str) -> None:
    """Fill the trunk of a feature network with pretrained weights, in place.

    Raises
    ------
    WeightsError : the file is missing, unreadable, or of another architecture
    """
    path = Path(source)
    if not path.is_file():
        raise WeightsError(f"there is no weights file {path}")
    if path.suffix != ".npz" or not isinstance(features, MobileNetV2):
        raise WeightsError(f"{path} holds no weights for network {network!r}")
    load_folded(features.trunk, read_npz(path), path)


def read_npz(path: Path) -> dict[str, Tensor]:
    with np.load(path, allow_pickle=False) as arrays:
        return {name: torch.from_numpy(arrays[name].astype(np.float32)) for name in arrays.files}


@torch.no_grad()
def load_folded(trunk: MobileNetV2Trunk, arrays: dict[str, Tensor], path: Path) -> None:
    """Numbered convolutions with merged normalisation (``NN_conv_w``, ``NN_dw_w``, ``_b``) into a MobileNetV2 trunk.

    The merged bias becomes the normalisation's bias (its mean 0, variance 1), so that training can go on.
    """
    convolutions = [module for module in trunk.modules() if isinstance(module, ConvNorm)]
    numbered = sorted(name for name in arrays if name.endswith("_w"))
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
