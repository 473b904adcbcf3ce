"""muybridge: from synchronised videos of a moving animal to joint kinematics with honest error bars."""

__version__ = "0.1.0"
