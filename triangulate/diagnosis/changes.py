"""What can be wrong with all 2D points of a camera, the change of points or pose that undoes it, and the words for it.

Sizes: the points of a camera are (n_individuals, n_frames, n_keypoints, 2), pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np

from ...cameras import Camera
from ...datasets.sides import symmetric_pairs
from ...numerics.arrays import Array

# sizes of the tracked picture relative to the calibrated one that are tried: binning, halves, common video sizes
_SCALES = (1 / 4, 1 / 3, 3 / 8, 4 / 9, 1 / 2, 2 / 3, 3 / 4, 8 / 9, 9 / 8, 4 / 3, 3 / 2, 9 / 4, 2.0, 3.0, 4.0)
_UNITS = {0.001: "metres for millimetres", 1000.0: "millimetres for metres", 0.01: "metres for centimetres",
          100.0: "centimetres for metres", 0.1: "centimetres for millimetres", 10.0: "millimetres for centimetres",
          1 / 25.4: "inches for millimetres", 25.4: "millimetres for inches"}  # fmt: skip
_LEAST_CROP = 8  # pixels: video codecs cut in blocks of so many
_MOST_ORDERS = 6  # orders of individuals that are tried


@dataclass(frozen=True, eq=False)
class Change:
    """A change of a camera's points, or of its pose, that undoes a mistake.

    kind : a key that tests and programs read
    words : what is wrong, a sentence in which {cameras} stands for the cameras
    remedy : what to do
    points : the right points from the wrong ones
    pose : the right camera from the wrong one
    keypoints : positions of the keypoints that it concerns, None: all
    n_fitted : numbers in it that were fitted to the points
    relative : whether cameras can only be told apart from others by it, so that of two halves either may be wrong
    """

    kind: str
    words: str
    remedy: str
    points: Callable[[Array, Camera], Array] = lambda points, camera: points
    pose: Callable[[Camera], Camera] = lambda camera: camera
    keypoints: tuple[int, ...] | None = None
    n_fitted: int = 0
    relative: bool = False


def tried_changes(keypoints: Sequence[str], n_individuals: int) -> list[Change]:
    """Every change that is tried with each camera and with all, the simplest first."""
    changes = [*_pictures(), *_scales(), *_units(), *_poses()]
    pairs = symmetric_pairs(keypoints)
    if pairs:
        changes.append(_sides(list(keypoints), pairs))
    return changes + [_order(order) for order in list(permutations(range(n_individuals)))[1 : _MOST_ORDERS + 1]]


def _pictures() -> list[Change]:
    """Pictures that were mirrored or turned, and pixels counted another way."""
    table: list[tuple[str, str, str, Callable[[Array, Array, float, float], tuple[Array, Array]]]] = [
        ("mirrored", "{cameras}: the 2D points are mirrored left to right",
         "state mirror = true in the camera's table of the session file, or mirror them back (x becomes width - 1 - x)",
         lambda x, y, w, h: (w - x, y)),
        ("y from below", "{cameras}: y of the 2D points is counted from the bottom of the picture",
         "count it from the top (y becomes height - 1 - y)",
         lambda x, y, w, h: (x, h - y)),
        ("turned by 180 degrees", "{cameras}: the 2D points are of a picture turned by 180 degrees",
         "turn it back (x becomes width - 1 - x, y becomes height - 1 - y)",
         lambda x, y, w, h: (w - x, h - y)),
        ("x and y exchanged", "{cameras}: x and y of the 2D points are exchanged",
         "exchange the columns",
         lambda x, y, w, h: (y, x)),
        ("turned by 90 degrees", "{cameras}: the 2D points are of a picture turned by 90 degrees clockwise",
         "turn it back: portrait and landscape are not the same pixels",
         lambda x, y, w, h: (y, h - x)),
        ("turned by 90 degrees", "{cameras}: the 2D points are of a picture turned by 90 degrees anticlockwise",
         "turn it back: portrait and landscape are not the same pixels",
         lambda x, y, w, h: (w - y, x)),
    ]  # fmt: skip
    return [Change(kind, words, remedy, _in_picture(place)) for kind, words, remedy, place in table]


def _in_picture(place: Callable[[Array, Array, float, float], tuple[Array, Array]]) -> Callable[[Array, Camera], Array]:
    def changed(points: Array, camera: Camera) -> Array:
        width, height = camera.size
        return np.stack(place(points[..., 0], points[..., 1], width - 1.0, height - 1.0), axis=-1)

    return changed


def _scales() -> list[Change]:
    words = "{cameras}: the 2D points are of a picture of %.3g times the calibrated size"
    return [
        Change(
            "another size",
            words % scale,
            f"state scale = {scale:.6g} in the camera's table of the session file, or track at the calibrated size",
            lambda points, camera, scale=scale: (points + 0.5) / scale - 0.5,
        )
        for scale in _SCALES
    ]


def _units() -> list[Change]:
    return [
        Change(
            "another unit",
            f"{{cameras}}: the position is in another unit than the others' ({words})",
            f"multiply its translation by {1 / factor:g}",
            pose=lambda camera, factor=factor: replace(camera, t=camera.t / factor),
            relative=True,
        )
        for factor, words in _UNITS.items()
    ]


def _poses() -> list[Change]:
    return [
        Change(
            "rotation transposed",
            "{cameras}: the rotations in the rig file are transposed",
            "transpose them (Matlab's r multiplies rows from the left)",
            pose=lambda camera: replace(camera, R=camera.R.T),
        ),
        Change(
            "pose inverted",
            "{cameras}: the poses in the rig file are those of the cameras in the world",
            "invert them (R becomes R^T, t becomes -R^T t): x_camera = R x_world + t is wanted",
            pose=lambda camera: replace(camera, R=camera.R.T, t=-camera.R.T @ camera.t),
        ),
    ]


def _sides(keypoints: list[str], pairs: Sequence[tuple[str, str]]) -> Change:
    order = np.arange(len(keypoints))
    for left, right in pairs:
        a, b = keypoints.index(left), keypoints.index(right)
        order[[a, b]] = order[[b, a]]
    sided = tuple(int(i) for i in np.flatnonzero(order != np.arange(len(order))))
    return Change(
        "left and right exchanged",
        "{cameras}: left and right keypoints are exchanged",
        "exchange their names in the 2D points",
        lambda points, camera: points[:, :, order],
        keypoints=sided,
        relative=True,
    )


def _order(order: tuple[int, ...]) -> Change:
    return Change(
        "individuals in another order",
        "{cameras}: the individuals are listed in another order than in the other cameras",
        "let them be matched across views (match_individuals = true under [reconstruct]; match_views in Python)",
        lambda points, camera: points[list(order)],
        relative=True,
    )


def shifted(offset: Array) -> Change:
    """The change by `offset` (2,), pixels, of a camera whose points are all off by the same."""
    x, y = (round(float(v)) for v in offset)
    words = f"{{cameras}}: all 2D points are off by the same ({-offset[0]:+.1f}, {-offset[1]:+.1f}) px, as if"
    moved, again = "the camera had moved", "calibrate it again or refine the rig"
    if min(x, y) >= 0 and max(x, y) >= _LEAST_CROP:  # a crop begins inside the calibrated picture
        moved += " or its video were cropped"
        again += f", or state crop = [{x}, {y}] in its table of the session file"
    return Change("shifted", f"{words} {moved}", again, lambda points, camera: points + offset, n_fitted=2)


@dataclass(frozen=True, eq=False)
class Mistake:
    """What is wrong with all points of some cameras.

    kind : "the same points", "exchanged", or a `Change.kind`
    cameras : whose points are concerned
    words, remedy : what is wrong, and what to do
    before_px, after_px : median epipolar error of these cameras as they are, and with the mistake undone
    keypoints : positions of the keypoints that are concerned, None: all
    """

    kind: str
    cameras: tuple[str, ...]
    words: str
    remedy: str
    before_px: float = np.nan
    after_px: float = np.nan
    keypoints: tuple[int, ...] | None = None

    @property
    def sentence(self) -> str:
        """Cause, evidence and remedy."""
        evidence = ""
        if np.isfinite(self.after_px):
            evidence = f" (with that undone the cameras agree to {self.after_px:.1f} px, now {self.before_px:.1f} px)"
        return f"{self.words}{evidence}; {self.remedy}."


def listed(names: Sequence[str], n_cameras: int) -> str:
    """ "Camera 'a'", "Cameras 'a' and 'b'", or "All cameras"."""
    if len(names) == n_cameras:
        return "All cameras" if n_cameras > 2 else "Both cameras"
    quoted = [f"'{name}'" for name in names]
    return f"Camera {quoted[0]}" if len(names) == 1 else f"Cameras {', '.join(quoted[:-1])} and {quoted[-1]}"
