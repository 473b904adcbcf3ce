"""The error that every refusal of a calibration raises."""


class CalibrationError(ValueError):
    """A calibration that cannot be made or must not be trusted; the message names camera, cause and remedy."""
