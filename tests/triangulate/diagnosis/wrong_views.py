"""Recordings in which all points of a camera, or its pose, are wrong in one way."""

from dataclasses import replace

import numpy as np

from muybridge.datasets import Skeleton
from muybridge.triangulate import diagnose
from tests.conftest import make_moving_points, make_ring_rig

SKELETON = Skeleton(
    keypoints=("nose", "neck", "tail", "left_hip", "left_knee", "right_hip", "right_knee"),
    bones=(("neck", "nose"), ("neck", "tail"), ("tail", "left_hip"), ("left_hip", "left_knee"),
           ("tail", "right_hip"), ("right_hip", "right_knee")),
    symmetries=(("left_hip", "right_hip"), ("left_knee", "right_knee")),
    root="neck",
)  # fmt: skip
KEYPOINTS = SKELETON.keypoints
NO_AND_A_MAJORITY = (2, 3)  # cameras; sessions of four with each mistake are in tests/session/test_broken_sessions.py

# {kind: words that the diagnosis must have}
WRONG_VIEWS = {
    "mirrored": "mirrored left to right",
    "y from below": "y of the 2D points is counted from the bottom",
    "upside down": "turned by 180 degrees",
    "x and y": "x and y of the 2D points are exchanged",
    "half size": "of a picture of 0.5 times the calibrated size",
    "two thirds": "of a picture of 0.667 times the calibrated size",
    "shifted": "off by the same (-200.0, -100.0) px",
    "left and right": "left and right keypoints are exchanged",
    "unit": "another unit than the others'",
}


def wrong_camera(kind, camera, points_2d, rig):
    """Points and rig with one camera wrong."""
    points_2d, (width, height) = points_2d.copy(), rig[camera].size
    seen = points_2d[camera]
    if kind == "mirrored":
        seen[..., 0] = width - 1 - seen[..., 0]
    elif kind == "y from below":
        seen[..., 1] = height - 1 - seen[..., 1]
    elif kind == "upside down":
        seen[:] = np.array([width - 1, height - 1]) - seen
    elif kind == "x and y":
        seen[:] = seen[..., ::-1].copy()
    elif kind in ("half size", "two thirds"):
        seen[:] = (seen + 0.5) * {"half size": 1 / 2, "two thirds": 2 / 3}[kind] - 0.5
    elif kind == "shifted":
        seen -= [200, 100]
    elif kind == "left and right":
        seen[:] = seen[:, SKELETON.mirror]
    elif kind == "unit":
        moved = replace(rig[camera], t=rig[camera].t / 1000)
        rig = replace(rig, cameras=tuple(moved if c == camera else own for c, own in enumerate(rig)))
    return points_2d, rig


def recording(n_cameras, n_frames=None, noise=1.0):
    """Two cameras tell less: their mistakes show in more frames."""
    n_frames = n_frames or (150 if n_cameras == 2 else 80)
    rig, truth = make_ring_rig(n_cameras), make_moving_points(SKELETON, n_frames)
    return rig, rig.project(truth) + np.random.default_rng(0).normal(0, noise, (n_cameras, *truth.shape[:2], 2))


def judged(points_2d, rig):
    return diagnose(points_2d, rig, keypoints=KEYPOINTS, fps=100.0)
