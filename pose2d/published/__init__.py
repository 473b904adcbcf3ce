"""Detectors that other programs trained (DeepLabCut 3, Lightning Pose, ONNX), read as detectors of this library.

Imports the rooms `networks` and `inference` of pose2d."""
