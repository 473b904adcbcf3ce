"""Predict the keypoints of whole videos, in memory, to files, or in windows of time as tasks.

Imports pose2d.inference and the floors below pose2d."""
