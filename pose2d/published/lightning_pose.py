"""Checkpoints of Lightning Pose: heatmap trackers with a ResNet trunk, and their ``config.yaml``.

The whole picture is stretched to the size of the training (`data.image_resize_dims`). Cell c of a map of stride s is
the place s c in it (for a stride of 8: s c + 1).
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from torch import Tensor

from ..inference.detector import DetectorError
from ..published_networks.published_network import TrunkAndHead
from .checkpoint_files import fill, read_checkpoint, recognise, tensors_of
from .deeplabcut import Described
from .settings_files import entry, find_settings, read_settings, reading

_AHEAD = {2: 0.5, 4: 1.5, 8: 2.5}  # network pixels from where a cell is counted there to its middle, by stride


def describe_lightning_pose(path: Path, config: str | os.PathLike | None) -> Described:
    """What `build_published` makes the network from, its weights, and its keypoints (None: not named)."""
    source = find_settings(path, config, ("config.yaml", ".hydra/config.yaml"), "Lightning Pose")
    settings = read_settings(source)
    tensors = tensors_of(read_checkpoint(path), "state_dict")
    with reading(source, "Lightning Pose"):
        return _described(path, settings, source, tensors)


def _described(path: Path, settings: dict[str, Any], source: Path, tensors: dict[str, Tensor]) -> Described:
    names = tuple(map(str, entry(settings, "data.keypoint_names", source)))
    size = [int(entry(settings, f"data.image_resize_dims.{side}", source)) for side in ("width", "height")]
    model = str(settings.get("model", {}).get("model_type", "heatmap"))
    if model != "heatmap":
        raise DetectorError(f"{source}: a tracker of model_type {model!r} is not read, only 'heatmap'")
    depth = re.match(r"resnet(18|34|50|101)(?!\d|_3d)", str(settings.get("model", {}).get("backbone", "resnet50")))
    if depth is None:
        raise DetectorError(f"{source}: a backbone {settings['model']['backbone']!r} is not read, only ResNets")
    layers = _head_layers(tensors)
    if not layers:
        raise DetectorError(f"{path} holds no heatmap head of Lightning Pose; {recognise(tensors)}")
    channels = [layers[0].shape[0], *(weight.shape[1] for weight in layers)]
    trunk = {"kind": "resnet", "depth": int(depth[1])}
    spec = {"trunk": trunk, "head": {"kind": "shuffle", "channels": channels}}
    network = TrunkAndHead(**spec)
    fill(network.backbone, _trunk_keys(tensors), str(path), f"a ResNet-{depth[1]}")
    fill(network.head, {n.removeprefix("head."): v for n, v in tensors.items()}, str(path), "its head")
    stride = 16 // 2 ** len(layers)
    if stride not in _AHEAD:
        raise DetectorError(f"{path}: a heatmap of stride {stride} is not read; known: {sorted(_AHEAD)}")
    spec |= {"n_keypoints": channels[-1], "reading": "softmax", "stride": float(stride), "shift": -_AHEAD[stride]}
    spec |= {"input_size": size, "whole": True, "labels_from_corner": True}
    return spec, {f"raw.{name}": value for name, value in network.state_dict().items()}, names


def _head_layers(tensors: dict[str, Tensor]) -> list[Tensor]:
    """The weights of the transposed convolutions, in their order."""
    found = {}
    for name, value in tensors.items():
        match = re.fullmatch(r"(?:head\.)?upsampling_layers\.(\d+)\.weight", name)
        if match:
            found[int(match[1])] = value
    return [found[i] for i in sorted(found)]


def _trunk_keys(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """torchvision's names for the parts of the trunk, which are numbered: 0 conv1, 1 bn1, 4 to 7 the stages."""
    parts = {"0": "conv1", "1": "bn1"} | {str(4 + i): f"layer{i + 1}" for i in range(4)}
    renamed = {}
    for name, value in tensors.items():
        begin, _, rest = name.removeprefix("backbone.").partition(".")
        if name.startswith("backbone."):
            renamed[f"{parts.get(begin, begin)}.{rest}"] = value
    return renamed
