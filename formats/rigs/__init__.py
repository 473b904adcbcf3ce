"""Calibration files of other tools, read into and written from plain records."""
