"""Skeleton, the labelled datasets that pass between the stages, their validators and netCDF files.

May import numerics alone. The names load when they are used: functions of plain arrays need no xarray (60 MB).
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..numerics.arrays import Array
    from .builders import fps_of, frame_times, pose_dataset, views_dataset
    from .netcdf import content_hash, read_dataset, with_provenance, write_dataset
    from .skeleton import Skeleton
    from .validators import DatasetError, check_kinematics, check_pose, check_views

__all__ = [
    "Array",
    "DatasetError",
    "Skeleton",
    "check_kinematics",
    "check_pose",
    "check_views",
    "content_hash",
    "fps_of",
    "frame_times",
    "pose_dataset",
    "read_dataset",
    "views_dataset",
    "with_provenance",
    "write_dataset",
]
_FILES = ("content_hash", "read_dataset", "with_provenance", "write_dataset")
_CHECKS = ("DatasetError", "check_kinematics", "check_pose", "check_views")
_HOMES = {
    "Array": "..numerics.arrays",
    "Skeleton": ".skeleton",
    **dict.fromkeys(_FILES, ".netcdf"),
    **dict.fromkeys(_CHECKS, ".validators"),
}


def __getattr__(name: str):
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, ".builders"), __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
