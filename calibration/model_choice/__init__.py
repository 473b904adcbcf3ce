"""Which model the corners ask for: kinds of lenses and the shape of the board, by their evidence.

Imports calibration.boards, calibration.solver and the floors below calibration."""
