"""Calibration boards: their patterns, the images that show them, and the corners found in these images.

Imports cameras, datasets, formats and numerics; no other room of calibration."""
