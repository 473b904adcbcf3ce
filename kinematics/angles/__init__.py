"""Joint angles from points, with their standard deviations.

Imports kinematics.error_propagation, kinematics.pose_access and the floors below kinematics."""
