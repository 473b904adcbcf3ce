"""DeepLabCut's SuperAnimal networks by the names of their files, which come without a configuration."""

from __future__ import annotations

import re
from typing import Any

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
