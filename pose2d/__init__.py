"""Videos to keypoints in pixels: one detector for all cameras. The only part that uses torch.

Names are loaded when first used, so that reading labels or listing the module needs no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from ..formats.labels.labelled_frames import LabelError, Labels, join_labels
from ..formats.labels.reading import read_labels
from ..formats.video.reading import VideoError, probe_video
from .training_config import Augmentation, TrainingConfig

if TYPE_CHECKING:
    from .active_learning.frame_extraction import extract_frames
    from .active_learning.frame_suggestion import export_suggestions, pseudo_labels, suggest_frames
    from .inference.corruption import corrupt, corruption_table
    from .inference.detector import Detector, DetectorError
    from .inference.drawing import draw_pose, label_video, plot_training
    from .inference.evaluation import evaluate
    from .networks.pretrained_weights import WeightsError
    from .prediction.video_prediction import predict, predict_file
    from .published.opening import load_detector
    from .training.train_detector import train

_LAZY = {
    "active_learning.frame_extraction": ("extract_frames",),
    "active_learning.frame_suggestion": ("export_suggestions", "pseudo_labels", "suggest_frames"),
    "inference.corruption": ("corrupt", "corruption_table"),
    "inference.detector": ("Detector", "DetectorError"),
    "inference.drawing": ("draw_pose", "label_video", "plot_training"),
    "inference.evaluation": ("evaluate",),
    "prediction.video_prediction": ("predict", "predict_file"),
    "networks.pretrained_weights": ("WeightsError",),
    "published.opening": ("load_detector",),
    "training.train_detector": ("train",),
}
_MODULES = {name: module for module, names in _LAZY.items() for name in names}

__all__ = [
    "Augmentation",
    "Detector",
    "DetectorError",
    "LabelError",
    "Labels",
    "TrainingConfig",
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
    "predict_file",
    "probe_video",
    "pseudo_labels",
    "read_labels",
    "suggest_frames",
    "train",
]


def __getattr__(name: str):
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f".{_MODULES[name]}", __name__), name)
    except ModuleNotFoundError as error:
        if error.name in ("torch", "safetensors"):
            raise ModuleNotFoundError(
                f"the detector needs {error.name}: pip install 'muybridge[pose2d]'", name=error.name
            ) from None
        raise


def __dir__() -> list[str]:
    return sorted(__all__)
