"""Degrade pictures in the kinds and five severities of Horse-C, and measure the error of a detector on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import pandas as pd
from tqdm import tqdm

from ...datasets.names import named_options
from ...formats.labels.labelled_frames import Labels
from ...formats.video.reading import Image
from ..pictures.image_transforms import compress
from ..pictures.labelled_pictures import labelled_images
from .animal_search import finder_of
from .detector import Detector
from .evaluation import error_table, matching_labels

# one value per severity 1 to 5, as published with Horse-C and ImageNet-C (see `corrupt`)
_BRIGHTNESS = (0.1, 0.2, 0.3, 0.4, 0.5)  # added to the value channel
_CONTRAST = (0.4, 0.3, 0.2, 0.1, 0.05)  # factor of the deviations from the mean
_DEFOCUS = (3, 4, 6, 8, 10)  # radius, pixels
_MOTION = (10, 15, 15, 15, 20)  # length, pixels
_MOTION_SPREAD = (3, 5, 8, 12, 15)  # standard deviation of the trail, pixels
_NOISE = (0.08, 0.12, 0.18, 0.26, 0.38)  # standard deviation, of 1
_JPEG = (25, 18, 15, 10, 7)  # quality
_RESOLUTION = (0.6, 0.5, 0.4, 0.3, 0.25)  # factor


@named_options()
def corrupt(image: Image, kind: str, severity: int, seed: int = 0) -> Image:
    """Degrade a picture as bad light, optics or compression would.

    The kinds and severities are those of Horse-C [1]_, which took them from ImageNet-C [2]_; motion blur keeps its
    centre of mass in place, so that the labels stay valid.

    Parameters
    ----------
    image : ndarray, shape (height, width, 3), uint8
        RGB picture; it is not changed.
    kind : {"brightness", "contrast", "defocus", "motion", "noise", "jpeg", "resolution"}
        What is degraded.
    severity : int
        From 1 (mild) to 5.
    seed : int
        Of the random noise and of the direction of motion.

    Returns
    -------
    ndarray, shape (height, width, 3), uint8
        The degraded picture.

    Raises
    ------
    ValueError
        If the kind or the severity is not known.

    References
    ----------
    .. [1] Mathis et al., Pretraining boosts out-of-domain robustness for pose estimation, WACV 2021.
    .. [2] Hendrycks and Dietterich, Benchmarking neural network robustness, ICLR 2019.

    Examples
    --------
    >>> import numpy as np
    >>> grey = np.full((32, 32, 3), 100, np.uint8)
    >>> int(corrupt(grey, "brightness", 1)[0, 0, 0])
    126
    """
    if kind not in _KINDS:
        raise ValueError(f"there is no corruption {kind!r}; known: {', '.join(KINDS)}")
    if severity not in (1, 2, 3, 4, 5):
        raise ValueError(f"severity is 1 to 5, got {severity}")
    return _KINDS[kind](image, severity - 1, np.random.default_rng([seed, severity]))


def _brightness(image: Image, s: int, rng) -> Image:
    hsv = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2HSV)
    hsv[..., 2] = np.clip(hsv[..., 2] + _BRIGHTNESS[s], 0, 1)
    return _bytes(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB))


def _contrast(image: Image, s: int, rng) -> Image:
    values = image.astype(np.float32) / 255
    mean = values.mean((0, 1), keepdims=True)
    return _bytes((values - mean) * _CONTRAST[s] + mean)


def _defocus(image: Image, s: int, rng) -> Image:
    radius = _DEFOCUS[s]
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    disc = (x**2 + y**2 <= radius**2).astype(np.float32)
    disc = cv2.GaussianBlur(disc / disc.sum(), (3, 3), 0.5)
    return cv2.filter2D(image, -1, disc / disc.sum(), borderType=cv2.BORDER_REFLECT)


def _motion(image: Image, s: int, rng) -> Image:
    length, spread, angle = _MOTION[s], _MOTION_SPREAD[s], np.deg2rad(rng.uniform(-45, 45))
    kernel = np.zeros((2 * length + 1, 2 * length + 1), np.float32)
    steps = np.linspace(0, length, 4 * length)
    weights = np.exp(-0.5 * (steps / spread) ** 2)
    # The published trail lies on one side of its pixel, which displaces the whole picture by 2 to 8 pixels against its
    # labels and measures nothing of a detector: here its centre of mass stays in place.
    places = steps - np.average(steps, weights=weights)
    for place, weight in zip(places, weights, strict=True):
        kernel[round(length + place * np.sin(angle)), round(length + place * np.cos(angle))] += weight
    return cv2.filter2D(image, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT)


def _noise(image: Image, s: int, rng: np.random.Generator) -> Image:
    return _bytes(image.astype(np.float32) / 255 + rng.normal(0, _NOISE[s], image.shape).astype(np.float32))


def _jpeg(image: Image, s: int, rng) -> Image:
    return compress(image, _JPEG[s])


def _resolution(image: Image, s: int, rng) -> Image:
    height, width = image.shape[:2]
    small = (max(1, round(width * _RESOLUTION[s])), max(1, round(height * _RESOLUTION[s])))
    return cv2.resize(
        cv2.resize(image, small, interpolation=cv2.INTER_AREA), (width, height), interpolation=cv2.INTER_NEAREST
    )


def _bytes(values: np.ndarray) -> Image:
    return np.clip(np.rint(values * 255), 0, 255).astype(np.uint8)


_KINDS: dict[str, Callable] = {
    "brightness": _brightness,
    "contrast": _contrast,
    "defocus": _defocus,
    "motion": _motion,
    "noise": _noise,
    "jpeg": _jpeg,
    "resolution": _resolution,
}
KINDS = tuple(_KINDS)


@named_options()
def corruption_table(
    detector: Detector,
    labels: Labels,
    *,
    kinds: Sequence[str] = KINDS,
    severities: Sequence[int] = (1, 2, 3, 4, 5),
    progress: bool = False,
) -> pd.DataFrame:
    """Errors of a detector on degraded pictures.

    Parameters
    ----------
    detector : Detector
        Of `train` or `load_detector`.
    labels : Labels
        Labelled frames that were not used for training.
    kinds : sequence of str
        Kinds of `corrupt`.
    severities : sequence of int
        From 1 to 5.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    pandas.DataFrame
        One row per kind and severity, "clean" first: kind, severity (0: clean), the columns of `evaluate` over all
        keypoints, and cost (mean error over the mean error of clean pictures).

    Raises
    ------
    LabelError
        If there is no frame, or the labels name keypoints that the detector does not know.

    See Also
    --------
    evaluate : The same errors per keypoint on clean pictures.

    Examples
    --------
    >>> detector, labels = load_detector("detector.safetensors"), read_labels("labels")
    >>> table = corruption_table(detector, labels, kinds=["noise"], severities=[1, 3])
    >>> table["kind"].tolist(), table["severity"].tolist(), float(table["cost"][0])
    (['clean', 'noise', 'noise'], [0, 1, 3], 1.0)
    """
    labels = matching_labels(detector, labels)
    finder = finder_of(detector)
    images = labelled_images(labels)
    rows = []
    ways = [("clean", 0)] + [(kind, s) for kind in kinds for s in severities]
    for kind, severity in tqdm(ways, desc="corruptions", disable=not progress):
        degraded = images if severity == 0 else [corrupt(image, kind, severity, i) for i, image in enumerate(images)]
        points = np.stack([finder.find(image).points for image in degraded])
        table = error_table(np.linalg.norm(points - labels.points_2d, axis=-1), detector.keypoints)
        rows.append({"kind": kind, "severity": severity} | table.loc["all"].to_dict())
    result = pd.DataFrame(rows)
    return result.assign(cost=result["mean"] / result["mean"].iloc[0])
