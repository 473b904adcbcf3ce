"""What the step "reconstruct" corrects before it reconstructs: which row is which animal, delays, camera poses.

May import what the steps may; the step "reconstruct" imports it.
"""
