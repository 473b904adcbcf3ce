"""Other tools' files <-> plain arrays and labelled datasets. Knows no Camera, only names, arrays and numbers."""

from .files import FormatError
from .pose import read_pose, to_movement, write_pose
from .rig_dlt import fit_dlt
from .views import read_views

__all__ = ["FormatError", "fit_dlt", "read_pose", "read_views", "to_movement", "write_pose"]
