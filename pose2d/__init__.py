"""Videos to keypoints in pixels: one detector for all cameras. The only part that uses torch.

Names are loaded when first used, so that reading labels or listing the module needs no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from ..formats.videos import VideoError, probe_video
from .label_files import read_labels
from .labels import LabelError, Labels, join_labels
from .recipe import Augmentation, Recipe

if TYPE_CHECKING:
    from .corruption import corrupt, corruption_table
    from .detector import Detector, DetectorError, load_detector
    from .drawing import draw_pose, label_video, plot_training
    from .evaluation import evaluate
    from .extraction import extract_frames
    from .prediction import predict
    from .suggestion import export_suggestions, pseudo_labels, suggest_frames
    from .training import train
    from .weights import WeightsError

_LAZY = {
    "Detector": "detector",
    "DetectorError": "detector",
    "WeightsError": "weights",
    "corrupt": "corruption",
    "corruption_table": "corruption",
    "draw_pose": "drawing",
    "evaluate": "evaluation",
    "export_suggestions": "suggestion",
    "extract_frames": "extraction",
    "label_video": "drawing",
    "load_detector": "detector",
    "plot_training": "drawing",
    "predict": "prediction",
    "pseudo_labels": "suggestion",
    "suggest_frames": "suggestion",
    "train": "training",
}

__all__ = [
    "Augmentation",
    "Detector",
    "DetectorError",
    "LabelError",
    "Labels",
    "Recipe",
    "VideoError",
    "WeightsError",
    "corrupt",
    "corruption_table",
    "draw_pose",
    "evaluate",
    "export_suggestions",
    "extract_frames",
    "join_labels",
    "label_video",
    "load_detector",
    "plot_training",
    "predict",
    "probe_video",
    "pseudo_labels",
    "read_labels",
    "suggest_frames",
    "train",
]


def __getattr__(name: str):
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f".{_LAZY[name]}", __name__), name)
    except ModuleNotFoundError as error:
        if error.name in ("torch", "safetensors"):
            raise ModuleNotFoundError(
                f"the detector needs {error.name}: pip install 'muybridge[pose2d]'", name=error.name
            ) from None
        raise


def __dir__() -> list[str]:
    return sorted(__all__)
