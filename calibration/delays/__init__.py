"""Cameras that do not expose together: whole frames, fractions of them, given times, and single late exposures.

Imports calibration.boards, calibration.solver and the floors below calibration."""
