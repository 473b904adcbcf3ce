"""What an animal looks like: the colours around its keypoints, and how well they tell it from the others in view."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ...datasets import Array
from ...formats.video.reading import Image
from ...numerics.robust_scale import present_mean

N_COLOURS = 3  # lightness and two hues (CIE L*a*b*), in which equal distances look about equally different
_PATCH = 0.02  # sides of the animal: half the side of the square around a keypoint that is averaged
_MEMORY = 200.0  # frames that an animal's colours are averaged over: a crossing is shorter, a change of light longer
_LEARNED = 20.0  # comparisons after which the distances of the same animal and of others count half
_MOST = 6.0  # log-odds of a single frame's colours at most: they are no proof
_FEWEST = 3  # keypoints that two looks must share to be compared


def colours_at(image: Image, points: Array, seen: NDArray[np.bool_], side: float) -> Array:
    """(n_keypoints, `N_COLOURS`) mean colour around points (n_keypoints, 2) of a picture; NaN where not `seen`.

    side : of the animal, image pixels
    """
    height, width = image.shape[:2]
    reach = max(1, round(_PATCH * side))
    means = np.full((len(points), 3), np.nan, np.float32)
    at = np.rint(np.where(seen[:, None], points, -1)).astype(int)
    for k in np.flatnonzero(seen & (at >= 0).all(-1) & (at < (width, height)).all(-1)):
        x, y = at[k]
        patch = image[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1]
        means[k] = patch.reshape(-1, 3).mean(0) / 255
    return cv2.cvtColor(np.nan_to_num(means)[None], cv2.COLOR_RGB2Lab)[0] + 0 * means


def unlikeness(colours: Array, others: Array) -> Array:
    """(...) root mean square distance of the colours (..., n_keypoints, n_colours) of two looks; NaN with too few
    keypoints in common."""
    square = ((colours - others) ** 2).sum(-1)
    return np.sqrt(present_mean(square, -1, min(_FEWEST, colours.shape[-2])))


@dataclass(eq=False)
class Looks:
    """The colours of each animal of a view, and how far looks of one animal and of two have been apart so far."""

    n_animals: int
    n_keypoints: int

    def __post_init__(self):
        self.colours = np.full((self.n_animals, self.n_keypoints, N_COLOURS), np.nan)
        # number, mean and sum of squared deviations of the logarithm of `unlikeness`: of the same animal, of others
        self.same, self.other = np.zeros(3), np.zeros(3)

    def log_odds(self, colours: Array) -> Array:
        """(n_animals,) that a look (n_keypoints, n_colours) is of each animal and not of another; 0: no information."""
        apart = np.log(np.maximum(unlikeness(colours, self.colours), 1e-3))
        trust = min(self.same[0], self.other[0])
        if trust < 2:
            return np.zeros(self.n_animals)
        odds = trust / (trust + _LEARNED) * (_log_density(apart, self.same) - _log_density(apart, self.other))
        return np.clip(np.nan_to_num(odds), -_MOST, _MOST)

    def follow(self, colours: Array) -> None:
        """Learn from what the animals (n_animals, n_keypoints, n_colours) look like in a frame."""
        apart = np.log(np.maximum(unlikeness(colours[:, None], self.colours[None]), 1e-3))  # (looks, animals)
        own = np.eye(self.n_animals, dtype=bool)
        for moments, values in ((self.same, apart[own]), (self.other, apart[~own])):
            for value in values[np.isfinite(values)]:
                moments[0] += 1
                off = value - moments[1]
                moments[1] += off / moments[0]
                moments[2] += off * (value - moments[1])
        fresh = np.where(np.isfinite(self.colours), self.colours, colours)
        self.colours = np.where(np.isfinite(colours), fresh + (colours - fresh) / _MEMORY, fresh)


def _log_density(values: Array, moments: Array) -> Array:
    """Of a normal distribution of these moments, which is never narrower than a tenth."""
    variance = max(moments[2] / moments[0], 0.01)
    return -0.5 * (values - moments[1]) ** 2 / variance - 0.5 * np.log(variance)
