"""Pixels + cameras -> 3D points with honest error bars."""

from ..datasets import Skeleton
from .candidates import Candidates, triangulate_candidates
from .consensus import Triangulation, estimate_sigma, triangulate_ransac
from .diagnosis import Diagnosis, diagnose
from .dlt import point_covariances, triangulate_dlt
from .filters import hampel_filter, interpolate_gaps, median_filter
from .individuals import Association, match_individuals, match_views
from .leave_out import leave_one_camera_out, predict_left_out
from .pairs import triangulate_pairs
from .poses import PoseInference, infer_poses
from .posterior import Trajectory
from .prior import PosePrior
from .reconstruct import reconstruct
from .refine import Refinement, refine_rig
from .refine_report import RefinementReport
from .regions import Region, mirror_camera, region_camera, split_views
from .sampler import PoseSamples, sample_poses
from .smooth import smooth
from .stream import reconstruct_file
from .swaps import SwapRepair, repair_swaps
from .sync import FrameOffsets, frame_offsets, shift_frames

__all__ = [
    "Association",
    "Candidates",
    "Diagnosis",
    "FrameOffsets",
    "PoseInference",
    "PosePrior",
    "PoseSamples",
    "Refinement",
    "RefinementReport",
    "Region",
    "Skeleton",
    "SwapRepair",
    "Trajectory",
    "Triangulation",
    "diagnose",
    "estimate_sigma",
    "frame_offsets",
    "hampel_filter",
    "infer_poses",
    "interpolate_gaps",
    "leave_one_camera_out",
    "match_individuals",
    "match_views",
    "median_filter",
    "mirror_camera",
    "point_covariances",
    "predict_left_out",
    "reconstruct",
    "reconstruct_file",
    "refine_rig",
    "region_camera",
    "repair_swaps",
    "sample_poses",
    "shift_frames",
    "smooth",
    "split_views",
    "triangulate_candidates",
    "triangulate_dlt",
    "triangulate_pairs",
    "triangulate_ransac",
]
