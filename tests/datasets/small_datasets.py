"""Small random views and poses."""

import numpy as np

from muybridge.datasets import frame_times, pose_dataset, views_dataset

CAMERAS, KEYPOINTS = ["left", "right"], ["nose", "neck", "tail"]


def some_views(**changes):
    points_2d = np.random.default_rng(0).uniform(0, 100, (2, 5, 3, 2))
    values = {"cameras": CAMERAS, "keypoints": KEYPOINTS, "times": frame_times(5, 50)} | changes
    return views_dataset(values.pop("points_2d", points_2d), **values)


def some_pose(**changes):
    points_3d = np.random.default_rng(0).uniform(0, 100, (5, 3, 3))
    values = {"keypoints": KEYPOINTS, "times": frame_times(5, 50), "unit": "mm"} | changes
    return pose_dataset(points_3d, **values)
