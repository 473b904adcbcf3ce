"""Stance and swing of the feet, strides, phases between limbs, the name of the gait.

Imports the flat modules of kinematics except plots, and the floors below."""
