"""The demo's recording: a rendered rig, board and animal, and every stage's error against the known truth.

Imports calibration, cameras, datasets, formats, kinematics and numerics."""
