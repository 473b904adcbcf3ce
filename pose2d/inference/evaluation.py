"""Errors of a detector on labelled frames."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ...datasets import Array
from ...datasets.names import named_options
from ...formats.labels.labelled_frames import LabelError, Labels
from ..pictures.labelled_pictures import images_of
from .animal_boxes import labelled_centres
from .animal_search import Finder, finder_of
from .detector import Detector
from .engine import Found
from .several_animals import at_place


def locate(detector: Detector | Finder, labels: Labels, tracked: bool = False) -> Found:
    """Predictions of a detector on each labelled picture, shapes (n, n_keypoints, ...), covariances not calibrated.

    tracked : see the animal through the window that a video's prediction would use (`Finder.track`)
    """
    finder = detector if isinstance(detector, Finder) else finder_of(detector)
    look = finder.track if tracked else finder.find
    if isinstance(finder, Finder) and finder.bottom_up:
        found = _located_bottom_up(finder, labels)
    elif isinstance(finder, Finder) and (labels.n_animals > 1 or finder.finds_several):
        centres = labelled_centres(labels)
        known = np.asarray(np.isfinite(centres).all(axis=-1))
        found = {i: at_place(finder, image, centres[i]) if known[i] else look(image) for i, image in images_of(labels)}
    else:
        found = {index: look(image) for index, image in images_of(labels)}
    parts = [found[i] for i in range(len(labels))]
    return Found(*(np.stack(values) for values in zip(*parts, strict=True)))


def _located_bottom_up(finder: Finder, labels: Labels) -> dict[int, Found]:
    """{entry: what is found}: the animals of each picture at one look, from their labelled middles."""
    centres, found = labelled_centres(labels), {}
    known = np.asarray(np.isfinite(centres).all(axis=-1))
    for index, image in images_of(labels):
        own = labels.entries[labels.pictures[index]]
        if index != own[0]:
            continue
        seen = [i for i in own if known[i]]
        if seen:
            found |= zip(seen, finder.animals(image, len(seen), centres[seen]), strict=True)
        found |= {i: finder.find(image) for i in own if not known[i]}
    return found


@named_options()
def evaluate(detector: Detector, labels: Labels, *, min_confidence: float = 0.0) -> pd.DataFrame:
    """Errors of a detector on labelled frames.

    Parameters
    ----------
    detector : Detector
        Of `train` or `load_detector`.
    labels : Labels
        Labelled frames that were not used for training.
    min_confidence : float, probability
        Points with a lower confidence are left out.

    Returns
    -------
    pandas.DataFrame
        One row per keypoint and one named "all". Columns: n (labelled points compared), mean, rmse, median and p95 of
        the Euclidean distance (pixels; DeepLabCut calls the mean RMSE), pck5 and pck10 (fraction nearer than 5 and 10
        pixels). NaN where a keypoint has no label.

    Raises
    ------
    LabelError
        If there is no frame, or the labels name keypoints that the detector does not know.

    Examples
    --------
    >>> detector, labels = load_detector("detector.safetensors"), read_labels("labels")
    >>> table = evaluate(detector, labels)
    >>> list(table.index), bool(table.loc["all", "median"] < 5)
    (['nose', 'ear_left', 'ear_right', 'tail', 'all'], True)
    """
    labels = matching_labels(detector, labels)
    found = locate(detector, labels)
    errors = np.linalg.norm(found.points - labels.points_2d, axis=-1)
    errors[detector.uncertainty.confidence(found) < min_confidence] = np.nan
    return error_table(errors, detector.keypoints)


def matching_labels(detector: Detector, labels: Labels) -> Labels:
    """The labels with the detector's keypoints in its order. Raises LabelError where nothing can be compared."""
    if len(labels) == 0:
        raise LabelError("there are no labelled frames to compare with")
    unknown = sorted(set(labels.keypoints) - set(detector.keypoints))
    if unknown:
        raise LabelError(
            f"the labels name keypoints {unknown} that the detector does not know: {list(detector.keypoints)}"
        )
    return labels.select_keypoints(detector.keypoints)


def error_table(errors: Array, keypoints: tuple[str, ...]) -> pd.DataFrame:
    """The columns of `evaluate` from distances (n, n_keypoints) in pixels, NaN where nothing is compared."""
    rows = {name: _row(errors[:, k]) for k, name in enumerate(keypoints)}
    rows["all"] = _row(errors.ravel())
    return pd.DataFrame.from_dict(rows, orient="index").astype({"n": int}).rename_axis("keypoint")


def _row(errors: Array) -> dict[str, float]:
    errors = errors[np.isfinite(errors)]
    if len(errors) == 0:
        return {"n": 0} | dict.fromkeys(("mean", "rmse", "median", "p95", "pck5", "pck10"), np.nan)
    return {
        "n": len(errors),
        "mean": float(errors.mean()),
        "rmse": float(np.sqrt((errors**2).mean())),
        "median": float(np.median(errors)),
        "p95": float(np.percentile(errors, 95)),
        "pck5": float((errors < 5).mean()),
        "pck10": float((errors < 10).mean()),
    }
