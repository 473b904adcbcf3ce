"""Snapshots of DeepLabCut 3 with their ``pytorch_config.yaml``: single animals, top-down networks, SuperAnimal.

DeepLabCut counts the place of cell c, of s pixels, as s c + s / 2: half a pixel beyond the middle that is counted here.
"""

from __future__ import annotations

import math
import os
import re
from pathlib import Path
from typing import Any

from torch import Tensor

from ..inference.detector import DetectorError
from ..published_networks.published_network import TrunkAndHead
from .checkpoint_files import fill, read_checkpoint, tensors_of
from .settings_files import entry, find_settings, read_settings, reading

QUADRUPED = (
    "nose", "upper_jaw", "lower_jaw", "mouth_end_right", "mouth_end_left", "right_eye", "right_earbase", "right_earend",
    "right_antler_base", "right_antler_end", "left_eye", "left_earbase", "left_earend", "left_antler_base",
    "left_antler_end", "neck_base", "neck_end", "throat_base", "throat_end", "back_base", "back_end", "back_middle",
    "tail_base", "tail_end", "front_left_thai", "front_left_knee", "front_left_paw", "front_right_thai",
    "front_right_knee", "front_right_paw", "back_left_paw", "back_left_thai", "back_right_thai", "back_left_knee",
    "back_right_knee", "back_right_paw", "belly_bottom", "body_middle_right", "body_middle_left",
)  # fmt: skip
TOP_VIEW_MOUSE = (
    "nose", "left_ear", "right_ear", "left_ear_tip", "right_ear_tip", "left_eye", "right_eye", "neck", "mid_back",
    "mouse_center", "mid_backend", "mid_backend2", "mid_backend3", "tail_base", "tail1", "tail2", "tail3", "tail4",
    "tail5", "left_shoulder", "left_midside", "left_hip", "right_shoulder", "right_midside", "right_hip", "tail_end",
    "head_midpoint",
)  # fmt: skip
_KINDS = {"quadruped": QUADRUPED, "topviewmouse": TOP_VIEW_MOUSE}

Described = tuple[dict[str, Any], dict[str, Tensor], tuple[str, ...] | None]


def describe_deeplabcut(path: Path, config: str | os.PathLike | None) -> Described:
    """What `build_published` makes the network from, its weights, and its keypoints (None: not named)."""
    known = settings_of(path.name) if config is None else None
    if known is not None and path.is_file() and not (path.parent / "pytorch_config.yaml").is_file():
        settings, source = known, path
    else:
        source = find_settings(path, config, ("pytorch_config.yaml",), "DeepLabCut")
        settings = read_settings(source)
    content = read_checkpoint(path)
    tensors = tensors_of(content, "model", "state_dict")
    tensors = {name.removeprefix("module."): value for name, value in tensors.items()}
    with reading(source, "DeepLabCut 3"):
        return _described(path, settings, source, tensors)


def _described(path: Path, settings: dict[str, Any], source: Path, tensors: dict[str, Tensor]) -> Described:
    names = settings.get("metadata", {}).get("bodyparts")
    head = entry(settings, "model.heads.bodypart", source)
    trunk, prefix = _trunk(entry(settings, "model.backbone", source), source)
    kind = head.get("type")
    if kind == "RTMCCHead":
        spec = _simcc(head)
    elif kind == "HeatmapHead":
        spec = _heatmap(head, tensors, source)
    else:
        raise DetectorError(
            f"{source}: a head of type {kind} finds several animals at once, which is not read; train with top-down or"
            " single-animal heads (HeatmapHead, RTMCCHead), or give its predictions as points"
        )
    if settings.get("method", "bu") != "bu":
        crop = entry(settings, "data", source).get("inference", {}).get("top_down_crop") or {}
        spec.setdefault("input_size", [crop.get("width", 256), crop.get("height", 256)])
    if not entry(settings, "data", source).get("inference", {}).get("normalize_images", True):
        spec |= {"mean": [0.0, 0.0, 0.0], "std": [1 / 255] * 3}  # values of 0..255, as they are
    network = TrunkAndHead(trunk, spec["head"])
    if kind == "HeatmapHead":
        spec["stride"] = network.backbone.stride / math.prod(head["heatmap_config"].get("strides", []))
    _fill(network, tensors, prefix, path, trunk)
    n = spec["n_keypoints"]
    names = tuple(map(str, names)) if names else superanimal_keypoints(path.name, n)
    weights = {f"raw.{name}": value for name, value in network.state_dict().items()}
    return {"trunk": trunk, "labels_from_corner": True} | spec, weights, names


def _fill(network: TrunkAndHead, tensors: dict[str, Tensor], prefix: str, path: Path, trunk: dict[str, Any]) -> None:
    wanted = " ".join(str(value) for value in trunk.values() if not isinstance(value, bool))
    for part, begins in ((network.backbone, prefix), (network.head, "heads.bodypart.")):
        own = {name.removeprefix(begins): value for name, value in tensors.items() if name.startswith(begins)}
        fill(part, own or tensors, str(path), f"a {wanted} trunk" if part is network.backbone else "this head")


def _trunk(backbone: dict[str, Any], source: Path) -> tuple[dict[str, Any], str]:
    """The trunk's kind and options, and what its keys begin with."""
    kind, model = backbone.get("type"), str(backbone.get("model_name", ""))
    if kind == "ResNet" and model.removesuffix("_gn") in ("resnet18", "resnet34", "resnet50", "resnet101"):
        depth = int(model.removesuffix("_gn").removeprefix("resnet"))
        stride = int(backbone.get("output_stride", 32))
        trunk = {"kind": "resnet", "depth": depth, "stride": stride, "group_norm": model.endswith("_gn")}
        return trunk, "backbone.model."
    if kind == "HRNet" and model in ("hrnet_w18", "hrnet_w32", "hrnet_w48"):
        unread = [n for n in ("interpolate_branches", "increased_channel_count") if backbone.get(n)]
        if unread:
            raise DetectorError(f"{source}: an HRNet with {unread[0]} (DEKR) is not read")
        return {"kind": "hrnet", "width": int(model.removeprefix("hrnet_w"))}, "backbone.model."
    if kind == "CSPNeXt" and backbone.get("arch", "P5") == "P5":
        options = {
            "deepen": ("deepen_factor", 0.67),
            "widen": ("widen_factor", 0.75),
            "expansion": ("expand_ratio", 0.5),
        }
        trunk = {name: float(backbone.get(key, default)) for name, (key, default) in options.items()}
        return {"kind": "cspnext", **trunk, "attention": bool(backbone.get("channel_attention", True))}, "backbone."
    raise DetectorError(
        f"{source}: a backbone {kind} {model} is not read; known: ResNet (resnet50, resnet101, also _gn), HRNet"
        " (hrnet_w18, hrnet_w32, hrnet_w48), CSPNeXt"
    )


def _heatmap(head: dict[str, Any], tensors: dict[str, Tensor], source: Path) -> dict[str, Any]:
    predictor = head.get("predictor", {})
    parts = {"heatmap": entry(head, "heatmap_config", source)}
    if head.get("locref_config") and predictor.get("location_refinement", True):
        parts["locref"] = head["locref_config"]
    counted = {name: _counted(f"heads.bodypart.{name}_head.", part, tensors) for name, part in parts.items()}
    final = counted["heatmap"].get("final_conv")
    n = final["out_channels"] if final else counted["heatmap"]["channels"][-1]
    return {
        "head": {"kind": "heatmap", **counted},
        "n_keypoints": n,
        "reading": "logits" if predictor.get("apply_sigmoid", True) else "values",
        "stride": 0.0,
        "shift": 0.5,
        "offset_unit": float(predictor.get("locref_std", 7.2801)),
    }


def _counted(prefix: str, part: dict[str, Any], tensors: dict[str, Tensor]) -> dict[str, Any]:
    """The head's options with numbers for the words that DeepLabCut's templates hold, taken from the weights."""
    last = len(part.get("kernel_size", [])) - 1
    channels = list(part["channels"])
    for i in range(last + 1):
        weight = tensors.get(f"{prefix}deconv_layers.{2 * i}.weight")
        if weight is not None:
            channels[i], channels[i + 1] = (
                n if isinstance(word, int) else size
                for n, word, size in zip(channels[i : i + 2], channels[i : i + 2], weight.shape[:2], strict=True)
            )
    final, weight = part.get("final_conv"), tensors.get(f"{prefix}final_conv.weight")
    if final and weight is not None:
        n_out, n_in = weight.shape[:2]
        channels[-1] = channels[-1] if isinstance(channels[-1], int) else n_in
        final = {**final, "out_channels": final["out_channels"] if isinstance(final["out_channels"], int) else n_out}
    counted = {"channels": channels, "kernel_size": part.get("kernel_size", []), "strides": part.get("strides", [])}
    return counted | ({"final_conv": final} if final else {})


def _simcc(head: dict[str, Any]) -> dict[str, Any]:
    gau, size, split = head.get("gau_cfg", {}), list(head["input_size"]), float(head.get("simcc_split_ratio", 2.0))
    unread = [name for name in ("use_rel_bias", "pos_enc") if gau.get(name)]
    if unread:
        raise DetectorError(f"an RTMCC head with {unread[0]} is not read")
    options = {
        "n_in": int(head["in_channels"]),
        "n_keypoints": int(head["out_channels"]),
        "input_size": size,
        "split": split,
        "kernel": int(head.get("final_layer_kernel_size", 7)),
        "width": int(gau.get("hidden_dims", 256)),
        "size": int(gau.get("s", 128)),
        "expansion": float(gau.get("expansion_factor", 2)),
    }
    n = options["n_keypoints"]
    return {
        "head": {"kind": "simcc", **options},
        "n_keypoints": n,
        "reading": "simcc",
        "stride": 4.0,
        "input_size": size,
    } | {"split": split}


def superanimal_keypoints(name: str, n: int) -> tuple[str, ...] | None:
    """The keypoints of the SuperAnimal network in a file of this name, if it has `n`; else None."""
    known = next((names for kind, names in _KINDS.items() if kind in name.lower().replace("_", "")), None)
    return known if known is not None and len(known) == n else None


def settings_of(name: str) -> dict[str, Any] | None:
    """The configuration of a SuperAnimal file, such as ``superanimal_quadruped_hrnet_w32.pt``; None for other names."""
    found = re.match(r"superanimal_(quadruped|topviewmouse)_(hrnet_?w32|resnet_?50|rtmpose_?s)\b", name.lower())
    if found is None:
        return None
    names, net = _KINDS[found[1]], found[2].replace("_", "")
    final = {"channels": [32 if net == "hrnetw32" else 2048], "kernel_size": [], "strides": []}
    if net == "hrnetw32":
        backbone: dict[str, Any] = {"type": "HRNet", "model_name": "hrnet_w32"}
        head = _heatmap_head({"channels": [32, len(names)], "kernel_size": [1], "strides": [1]}, None)
    elif net == "resnet50":
        backbone = {"type": "ResNet", "model_name": "resnet50_gn", "output_stride": 16}
        head = _heatmap_head(
            final | {"final_conv": {"out_channels": len(names), "kernel_size": 1}},
            final | {"final_conv": {"out_channels": 2 * len(names), "kernel_size": 1}},
        )
    else:
        backbone = {"type": "CSPNeXt", "deepen_factor": 0.33, "widen_factor": 0.5}
        head = {"type": "RTMCCHead", "in_channels": 512, "out_channels": len(names), "input_size": [256, 256]}
    return {
        "method": "td",
        "data": {"inference": {"normalize_images": True}},
        "metadata": {"bodyparts": list(names)},
        "model": {"backbone": backbone, "heads": {"bodypart": head}},
    }


def _heatmap_head(heatmap: dict[str, Any], locref: dict[str, Any] | None) -> dict[str, Any]:
    predictor = {"apply_sigmoid": False, "location_refinement": locref is not None}
    return {"type": "HeatmapHead", "predictor": predictor, "heatmap_config": heatmap, "locref_config": locref}
