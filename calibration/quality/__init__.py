"""Quality of a calibration: checks, causes of disagreement, the report, projection uncertainty.

Imports calibration.boards, calibration.solver and the floors below calibration."""
