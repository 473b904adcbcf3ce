"""Pixels + cameras -> 3D points with honest error bars."""

from ..cameras.regions import Region, mirror_camera, region_camera, split_views
from ..datasets import Skeleton
from ..timeseries import hampel_filter, interpolate_gaps, median_filter
from .articulated.body_fit import fit_body
from .articulated.body_posterior import BodyFit
from .articulated.movement.movement_prior import MovementPrior
from .bodies.body_drawing import plot_body
from .bodies.body_files import read_body, write_body
from .bodies.body_parts import Marker, Segment, Turn
from .bodies.kinematic_tree import Body
from .bodies.proposed_bodies import body_from_skeleton
from .diagnosis.view_agreement import Diagnosis, diagnose
from .file_reconstruction import reconstruct_file
from .hidden_labels import label_hidden
from .identity.candidates_to_individuals import Individuals, find_individuals
from .identity.tracks_across_views import Association, match_individuals, match_views
from .identity.views_of_individuals import separate_individuals
from .left_out_camera import check_coverage, leave_one_camera_out, predict_left_out
from .noise.detector_noise import DetectorNoise
from .placement.placed_cameras import PointCalibration
from .placement.point_calibration import calibrate_from_points
from .points.candidates import Candidates, triangulate_candidates
from .points.consensus import Triangulation, triangulate_ransac
from .points.dlt import point_covariances, triangulate_dlt
from .points.pairs import triangulate_pairs
from .points.recording_noise import estimate_noise, estimate_sigma
from .points.swaps import SwapRepair, repair_swaps
from .pose_states.inferred_poses import PoseInference
from .pose_states.pose_inference import infer_poses
from .pose_states.pose_prior import PosePrior
from .predicted_regions import Coverage
from .reconstruction import reconstruct
from .reconstruction_settings import RECONSTRUCTION_METHODS, method_options
from .rig_refinement.frame_offset_search import FrameOffsets, frame_offsets
from .rig_refinement.frame_shift import shift_frames
from .rig_refinement.refined_rig import Refinement
from .rig_refinement.refinement import refine_rig
from .rig_refinement.report import RefinementReport
from .sampling.pose_samples import PoseSamples
from .sampling.posterior_samples import sample_poses
from .smoothing.smoother import smooth
from .smoothing.trajectory import Trajectory

__all__ = [
    "RECONSTRUCTION_METHODS",
    "Association",
    "Body",
    "BodyFit",
    "Candidates",
    "Coverage",
    "DetectorNoise",
    "Diagnosis",
    "FrameOffsets",
    "Individuals",
    "Marker",
    "MovementPrior",
    "PointCalibration",
    "PoseInference",
    "PosePrior",
    "PoseSamples",
    "Refinement",
    "RefinementReport",
    "Region",
    "Segment",
    "Skeleton",
    "SwapRepair",
    "Trajectory",
    "Triangulation",
    "Turn",
    "body_from_skeleton",
    "calibrate_from_points",
    "check_coverage",
    "diagnose",
    "estimate_noise",
    "estimate_sigma",
    "find_individuals",
    "fit_body",
    "frame_offsets",
    "hampel_filter",
    "infer_poses",
    "interpolate_gaps",
    "label_hidden",
    "leave_one_camera_out",
    "match_individuals",
    "match_views",
    "median_filter",
    "method_options",
    "mirror_camera",
    "plot_body",
    "point_covariances",
    "predict_left_out",
    "read_body",
    "reconstruct",
    "reconstruct_file",
    "refine_rig",
    "region_camera",
    "repair_swaps",
    "sample_poses",
    "separate_individuals",
    "shift_frames",
    "smooth",
    "split_views",
    "triangulate_candidates",
    "triangulate_dlt",
    "triangulate_pairs",
    "triangulate_ransac",
    "write_body",
]
