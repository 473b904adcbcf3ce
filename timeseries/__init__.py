"""Filters, gaps, derivatives and state-space smoothers of sampled signals; windows in seconds.

Imports datasets and numerics."""

from .derivative_filters import butterworth_derivative, central_difference, local_polynomial
from .gaps import interpolate_gaps
from .medians import hampel_filter, median_filter
from .state_space import SmoothedMotion, smooth_motion

__all__ = [
    "SmoothedMotion",
    "butterworth_derivative",
    "central_difference",
    "hampel_filter",
    "interpolate_gaps",
    "local_polynomial",
    "median_filter",
    "smooth_motion",
]
