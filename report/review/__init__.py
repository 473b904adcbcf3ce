"""The page that shows a calibration picture by picture: corners, residuals, what was rejected, and the volume.

Imports report's page and figures, calibration, and the floors below report."""
