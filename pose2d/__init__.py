"""Videos to keypoints in pixels: one detector for all cameras. The only part that uses torch.

Names are loaded when first used, so that reading labels or listing the module needs no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from .label_files import read_labels
from .labels import LabelError, Labels, join_labels
from .video import VideoError, probe_video

if TYPE_CHECKING:
    from .detector import Detector, load_detector
    from .evaluation import evaluate
    from .prediction import predict
    from .training import Recipe, train

_LAZY = {
    "Detector": "detector",
    "load_detector": "detector",
    "evaluate": "evaluation",
    "predict": "prediction",
    "Recipe": "recipe",
    "train": "training",
}

__all__ = [
    "Detector",
    "LabelError",
    "Labels",
    "Recipe",
    "VideoError",
    "evaluate",
    "join_labels",
    "load_detector",
    "predict",
    "probe_video",
    "read_labels",
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
