"""A trained detector at work: where to look, decoding, calibration of its uncertainty, videos, evaluation.

Imports pose2d.networks and the floors below pose2d."""
