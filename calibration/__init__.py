"""Board images -> cameras. Camera and CameraRig live here."""

from .cameras import Camera, CameraRig
from .files import read_rig, write_rig

__all__ = [
    "Camera",
    "CameraRig",
    "read_rig",
    "write_rig",
]
