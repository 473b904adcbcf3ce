"""The demo's recording: a rendered rig, board and animal, and every stage's error against the known truth.

Imports cameras, datasets, formats and numerics.
"""

from .recording import render_demo
from .truth import compare_with_truth

__all__ = ["compare_with_truth", "render_demo"]
