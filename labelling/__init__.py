"""The labelling page: keypoints set by hand in all cameras of an instant, in a browser, served from this machine only.

May import every other part; the command line imports it when `muybridge label` runs.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .server import LabelServer, serve_labels

__all__ = ["LabelServer", "serve_labels"]


def __getattr__(name: str):
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(".server", __name__), name)
