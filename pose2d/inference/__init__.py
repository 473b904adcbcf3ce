"""Apply a trained detector: finding the animal, decoding, calibration of its uncertainty, evaluation.

Imports pose2d.networks and the floors below pose2d."""
