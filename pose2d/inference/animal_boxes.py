"""The animal's box as three keypoints, so that a small detector can find it: the idea of Faster R-CNN (Ren 2015),
coarse box first, then the keypoint network on a crop of it in full resolution."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...datasets import Array
from ...formats.labels.labelled_frames import Labels

BOX_KEYPOINTS = ("box_centre", "box_first_corner", "box_last_corner")


def box_labels(labels: Labels) -> Labels:
    """Labels of the box around the labelled keypoints: its centre and two opposite corners; NaN without two points."""
    points = labels.points_2d
    known = np.isfinite(points).all(-1).sum(-1) >= 2
    boxes = np.full((len(labels), 3, 2), np.nan)
    first, last = np.nanmin(points[known], axis=1), np.nanmax(points[known], axis=1)
    boxes[known] = np.stack([(first + last) / 2, first, last], axis=1)
    return replace(labels, points_2d=boxes, hidden_2d=None, keypoints=BOX_KEYPOINTS, symmetries=())


def box_centre(points: Array) -> Array:
    """(2,) middle of the animal from the found (3, 2) box keypoints: between the centre and what the corners imply."""
    return 0.5 * points[0] + 0.25 * (points[1] + points[2])
