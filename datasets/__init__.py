"""Ground floor: the skeleton, the labelled datasets and their validators. Imports no other part."""

from .arrays import Array
from .files import content_hash, read_dataset, with_provenance, write_dataset
from .labelled import (
    DatasetError,
    check_kinematics,
    check_pose,
    check_views,
    fps_of,
    frame_times,
    pose_dataset,
    views_dataset,
)
from .skeleton import Skeleton

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
