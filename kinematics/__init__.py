"""From posterior 3D points to what papers plot: angles, velocities, body frame and gait, each with its error bar."""

from .angles import corrected_three_point_angle, dihedral_angle, hinge_angle, three_point_angle
from .derivatives import acceleration, jerk, velocity
from .hinges import estimate_axis
from .joints import Joint, parse_joints
from .labelled import joint_angles

__all__ = [
    "Joint",
    "acceleration",
    "corrected_three_point_angle",
    "dihedral_angle",
    "estimate_axis",
    "hinge_angle",
    "jerk",
    "joint_angles",
    "parse_joints",
    "three_point_angle",
    "velocity",
]
