"""Joint angles, velocities, body frame and gait from 3D points, each with its standard deviation.

Imports timeseries, the rotations of cameras, and the floors below."""

from ..timeseries import smooth_motion
from .angles.articulated_angles import body_angles
from .angles.formulas import corrected_three_point_angle, dihedral_angle, hinge_angle, three_point_angle
from .angles.hinge_axes import estimate_axis
from .angles.joint_angle_dataset import joint_angles
from .angles.joint_definitions import Joint, parse_joints
from .angles.segment_frames import orientation_angles, segment_angles, segment_frame
from .body.between_individuals import individual_distances, relative_headings
from .body.body_motion import body_frame, centre_of_mass
from .body.segment_rotation import angular_acceleration, angular_velocity, angular_velocity_of_rotations
from .body.travelled_path import path_length, speed_profile
from .derivatives import acceleration, jerk, velocity
from .error_propagation import joint_covariance, propagate
from .gait_analysis.strides import Gait, gait
from .gait_plots import plot_gait, plot_strides
from .gaps import interpolate_gaps, median_filter
from .plots import plot_angle, plot_phase, plot_speed, plot_stick_figures
from .spatial_plots import interactive_trajectories_3d, plot_trajectories_3d

__all__ = [
    "Gait",
    "Joint",
    "acceleration",
    "angular_acceleration",
    "angular_velocity",
    "angular_velocity_of_rotations",
    "body_angles",
    "body_frame",
    "centre_of_mass",
    "corrected_three_point_angle",
    "dihedral_angle",
    "estimate_axis",
    "gait",
    "hinge_angle",
    "individual_distances",
    "interactive_trajectories_3d",
    "interpolate_gaps",
    "jerk",
    "joint_angles",
    "joint_covariance",
    "median_filter",
    "orientation_angles",
    "parse_joints",
    "path_length",
    "plot_angle",
    "plot_gait",
    "plot_phase",
    "plot_speed",
    "plot_stick_figures",
    "plot_strides",
    "plot_trajectories_3d",
    "propagate",
    "relative_headings",
    "segment_angles",
    "segment_frame",
    "smooth_motion",
    "speed_profile",
    "three_point_angle",
    "velocity",
]
