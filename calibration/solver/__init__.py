"""From corners to cameras: initial poses and lenses, bundle adjustment, choice of the lens model, covariance.

Imports calibration.boards and the floors below calibration."""
