"""The kinematics part."""
