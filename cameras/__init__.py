"""Cameras and rigs: projection, lens models, rotations, epipolar geometry, regions of an image.

Imports datasets, formats and numerics."""

from .alignment import move_rig
from .camera import Camera
from .pictures import picture_camera
from .regions import Region, mirror_camera, region_camera, split_views
from .rig import CameraRig
from .rig_files import (
    LensFoldWarning,
    NearlyOrthographicWarning,
    PrincipalPointWarning,
    SamePoseWarning,
    read_rig,
    write_rig,
)

__all__ = [
    "Camera",
    "CameraRig",
    "LensFoldWarning",
    "NearlyOrthographicWarning",
    "PrincipalPointWarning",
    "Region",
    "SamePoseWarning",
    "mirror_camera",
    "move_rig",
    "picture_camera",
    "read_rig",
    "region_camera",
    "split_views",
    "write_rig",
]
