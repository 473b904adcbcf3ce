"""Skeleton, the labelled datasets that pass between the stages, their validators and netCDF files.

May import numerics alone. The names load when they are used: functions of plain arrays need no xarray (60 MB).
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..numerics.arrays import Array
    from .builders import fps_of, frame_times, pose_dataset, views_dataset
    from .ensembles import combine_ensemble
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
    "combine_ensemble",
    "content_hash",
    "fps_of",
    "frame_times",
    "pose_dataset",
    "read_dataset",
    "views_dataset",
    "with_provenance",
    "write_dataset",
]
_HELD_BY = {
    "..numerics.arrays": ("Array",),
    ".builders": ("fps_of", "frame_times", "pose_dataset", "views_dataset"),
    ".ensembles": ("combine_ensemble",),
    ".netcdf": ("content_hash", "read_dataset", "with_provenance", "write_dataset"),
    ".skeleton": ("Skeleton",),
    ".validators": ("DatasetError", "check_kinematics", "check_pose", "check_views"),
}
_MODULES = {name: module for module, names in _HELD_BY.items() for name in names}


def __getattr__(name: str):
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name], __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
