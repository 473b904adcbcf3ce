"""Readers and writers of other tools' files: video/ labels/ predictions/ rigs/ poses/, and tables/ beneath them.

May import datasets and numerics: names, arrays and numbers, no Camera. The names load when they are used: reading a
rig needs neither xarray nor h5py.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .files import FormatError
    from .poses.movement import from_movement, to_movement
    from .poses.reading import read_kinematics, read_pose, write_kinematics, write_pose
    from .predictions.reading import read_views
    from .predictions.writing import write_views
    from .rigs.dlt_coefficients import fit_dlt

__all__ = [
    "FormatError",
    "fit_dlt",
    "from_movement",
    "read_kinematics",
    "read_pose",
    "read_views",
    "to_movement",
    "write_kinematics",
    "write_pose",
    "write_views",
]
_HOMES = {
    "FormatError": ".files",
    "fit_dlt": ".rigs.dlt_coefficients",
    "from_movement": ".poses.movement",
    "read_views": ".predictions.reading",
    "to_movement": ".poses.movement",
    "write_views": ".predictions.writing",
}


def __getattr__(name: str):
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, ".poses.reading"), __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
