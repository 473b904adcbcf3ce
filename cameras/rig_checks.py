"""Values of calibration files that no camera can have: focal lengths, principal points, lenses and places."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from .camera import Camera
from .rig import CameraRig

_FOCAL = (0.02, 1e5)  # of the image's longer side: from a fisheye lens to a microscope's
_STRETCH = 5.0  # of a pixel: the ratio of the focal lengths
_OFF_CENTRE = 100.0  # of the image's longer side, by which the principal point may lie off
_BENT = 20.0  # times by which the lens may move a point half way to the edge away from the middle, or towards it
_FARTHEST = 1e5  # times the cameras' own distances by which one of them may stand apart
METRES = {"um": 1e-6, "mm": 1e-3, "cm": 1e-2, "dm": 0.1, "m": 1.0, "in": 0.0254, "inch": 0.0254, "ft": 0.3048}
_EARTHLY = 1e5  # metres from the world's origin


def impossible_value(rig: CameraRig) -> str:
    """A sentence on the first value that no camera can have, empty where there is none."""
    found = (sentence for camera in rig for sentence in (_impossible_lens(camera), _far_away(camera, rig)) if sentence)
    return next(found, "")


def _impossible_lens(camera: Camera) -> str:
    K, side, where = camera.K, max(camera.size), f"camera '{camera.name}'"
    focal, images = np.abs([K[0, 0], K[1, 1]]), f"images of {camera.size[0]}x{camera.size[1]} px"
    if not (_FOCAL[0] * side <= focal.min() and focal.max() <= _FOCAL[1] * side):
        return f"{where} has focal lengths of {K[0, 0]:g} and {K[1, 1]:g} px, which no lens has for {images}"
    if focal.max() > _STRETCH * focal.min():
        return f"{where} has focal lengths of {K[0, 0]:g} and {K[1, 1]:g} px: no camera has such pixels"
    if np.abs(K[:2, 2]).max() > _OFF_CENTRE * side:
        return f"{where} has its principal point at ({K[0, 2]:g}, {K[1, 2]:g}), which no lens has for {images}"
    middle = (np.array(camera.size) - 1) / 2
    if not camera.distortion.any() or not (np.abs(K[:2, 2] - middle) < np.array(camera.size)).all():
        return ""  # a lens is judged where its middle is in the image
    angle = 2 * np.pi * np.arange(8) / 8
    ring = K[:2, 2] + 0.25 * min(camera.size) * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    straight = np.linalg.norm(camera.undistort(ring) - K[:2, 2], axis=-1) / (0.25 * min(camera.size))
    if not ((straight > 1 / _BENT) & (straight < _BENT)).all():
        largest = camera.distortion[np.argmax(np.abs(camera.distortion))]
        return f"{where} has a distortion coefficient of {largest:g}: no lens bends its {images} so"
    return ""


def _far_away(camera: Camera, rig: CameraRig) -> str:
    where = f"camera '{camera.name}' stands at ({', '.join(f'{x:.3g}' for x in camera.center)}) {rig.unit}"
    if np.abs(camera.center).max() * METRES.get(rig.unit, 0.0) > _EARTHLY:
        return f"{where}, more than {_EARTHLY / 1000:g} km from the world's origin"
    others = np.array([other.center for other in rig if other is not camera])
    if len(others) < 2:
        return ""
    own = np.linalg.norm(others - camera.center, axis=1).min()
    apart = np.linalg.norm(others - others.mean(axis=0), axis=1).max()
    return (
        f"{where}, {own / apart:.0e} times as far as the others from each other" if own > _FARTHEST * apart > 0 else ""
    )


def cameras_in_one_place(rig: CameraRig) -> str:
    """A sentence where two cameras look from the same place in the same direction: a file of lenses, or one twice."""
    for one, other in combinations(rig, 2):
        apart = float(np.linalg.norm(one.center - other.center))
        if apart <= 1e-9 * max(1.0, float(np.abs(rig.centers).max())) and np.allclose(one.R, other.R, atol=1e-9):
            return (
                f"cameras '{one.name}' and '{other.name}' stand at the same place and look in the same direction: the"
                " file holds lenses without poses, or a camera twice; calibrate the cameras together"
            )
    return ""
