"""Pixels + cameras -> 3D points with honest error bars."""

from ..datasets import Skeleton
from .consensus import Triangulation, estimate_sigma, triangulate_ransac
from .dlt import point_covariances, triangulate_dlt
from .filters import hampel_filter, interpolate_gaps, median_filter
from .pairs import triangulate_pairs
from .posterior import Trajectory
from .reconstruct import reconstruct
from .smooth import smooth

__all__ = [
    "Skeleton",
    "Trajectory",
    "Triangulation",
    "estimate_sigma",
    "hampel_filter",
    "interpolate_gaps",
    "median_filter",
    "point_covariances",
    "reconstruct",
    "smooth",
    "triangulate_dlt",
    "triangulate_pairs",
    "triangulate_ransac",
]
