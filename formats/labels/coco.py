"""Labels in COCO's JSON of keypoints."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from .labelled_frames import LabelError, Labels
from .picture_files import labels_of_pictures


def read_coco_labels(path: Path, images: Path | None, camera: str | None) -> Labels:
    """x, y, v per keypoint, v = 0 not labelled; COCO's origin is the corner of the first pixel, hence -0.5.

    Raises
    ------
    LabelError
        No category has keypoints.
    """
    content = json.loads(path.read_text(encoding="utf-8"))
    category = next((c for c in content["categories"] if c.get("keypoints")), None)
    if category is None:
        raise LabelError(f"{path} has no category with keypoints")
    files = {image["id"]: image["file_name"] for image in content["images"]}
    annotations = [annotation for annotation in content["annotations"] if annotation.get("keypoints")]
    shown = [annotation["image_id"] for annotation in annotations]
    several = len(set(shown)) < len(shown)
    individuals = [f"animal_{shown[:k].count(image)}" for k, image in enumerate(shown)] if several else None
    values = np.array([a["keypoints"] for a in annotations], float).reshape(len(annotations), -1, 3)
    points_2d = np.where(values[..., 2:] > 0, values[..., :2] - 0.5, np.nan)
    names = [files[i] for i in shown]
    return labels_of_pictures(points_2d, names, category["keypoints"], path, images, camera, individuals)
