"""The demo's recording: a rendered rig, board and animal, and every stage's error against the known truth.

Imports cameras, datasets, formats and numerics.
"""

from .animal import DEMO_JOINTS, DEMO_LIMBS, DEMO_SKELETON
from .recording import render_demo
from .simulated_views import simulate_recording
from .truth import compare_with_truth

__all__ = ["DEMO_JOINTS", "DEMO_LIMBS", "DEMO_SKELETON", "compare_with_truth", "render_demo", "simulate_recording"]
