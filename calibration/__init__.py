"""The calibration part."""
