"""A camera's picture cut and resized: the same place and lens, other pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .camera import Camera


def picture_camera(
    camera: Camera,
    *,
    crop: Sequence[float] | None = None,
    scale: float = 1.0,
    mirror: bool = False,
    size: tuple[int, int] | None = None,
) -> Camera:
    """The camera whose picture is a part of another one's, at another size, or mirrored.

    Parameters
    ----------
    camera : Camera
        As it was calibrated.
    crop : sequence of 2 or 4 numbers, pixels of the calibrated picture, optional
        Corner (x, y) of the part, and its width and height where they are given. None: the whole picture.
    scale : float
        Size of the new picture relative to the calibrated one: 0.5 for binning by two.
    mirror : bool
        Whether the new picture is mirrored left to right: column x of the part is its column width - 1 - x.
    size : (int, int), pixels, optional
        Width and height of the new picture. None: that of the part, times `scale`.

    Returns
    -------
    Camera
        Its name and pose are the same.

    Raises
    ------
    ValueError
        The part reaches beyond the calibrated picture, or `scale` is not positive.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.cameras import Camera, picture_camera
    >>> K = [[600, 0, 320], [0, 600, 240], [0, 0, 1]]
    >>> camera = Camera("left", (640, 480), K, [], np.eye(3), [0, 0, 500])
    >>> small = picture_camera(camera, crop=(100, 40), scale=0.5)
    >>> small.size, small.project([0.0, 0, 0])
    ((270, 220), array([109.75,  99.75]))
    """
    if not scale > 0:
        raise ValueError(f"camera '{camera.name}': scale is {scale}; it must be positive")
    x, y = (0.0, 0.0) if crop is None else (float(crop[0]), float(crop[1]))
    if crop is not None and len(crop) == 4:
        width, height = float(crop[2]), float(crop[3])
    else:
        width, height = (camera.size[0] - x, camera.size[1] - y) if size is None else (size[0] / scale, size[1] / scale)
    if not (0 <= x < camera.size[0] and 0 <= y < camera.size[1]):
        raise ValueError(
            f"camera '{camera.name}': the part's corner ({x:g}, {y:g}) lies outside the calibrated picture of"
            f" {camera.size[0]} x {camera.size[1]} pixels"
        )
    # a resized picture has whole pixels: the part may end up to one of them beyond
    slack = 1 / scale
    if x + width > camera.size[0] + slack or y + height > camera.size[1] + slack:
        raise ValueError(
            f"camera '{camera.name}': a part of {width:g} x {height:g} pixels at ({x:g}, {y:g}) reaches beyond the"
            f" calibrated picture of {camera.size[0]} x {camera.size[1]}"
        )
    K = camera.K.copy()
    K[0, 2] -= x
    K[1, 2] -= y
    # pixel (0, 0) is the centre of the first pixel: a picture is resized about its corner, half a pixel before
    K[:2, 2] += 0.5
    K[:2] *= scale
    K[:2, 2] -= 0.5
    shown = (round(width * scale), round(height * scale)) if size is None else size
    if mirror:
        K[0] *= -1
        K[0, 2] += shown[0] - 1
    return replace(camera, size=(int(shown[0]), int(shown[1])), K=K)
