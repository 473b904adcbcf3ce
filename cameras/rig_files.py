"""Read and write rigs: anipose-compatible TOML, and through `formats` the files of other tools; values are checked."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import astuple
from itertools import combinations
from pathlib import Path

import numpy as np

from ..formats.files import FormatError
from ..formats.rigs.reading import read_rig_record, write_rig_record
from ..formats.rigs.records import CameraRecord, RigRecord, Sizes
from .camera import Camera
from .rig import CameraRig

# what no camera has
_FOCAL = (0.02, 1e5)  # of the image's longer side: from a fisheye lens to a microscope's
_STRETCH = 5.0  # of a pixel: the ratio of the focal lengths
_OFF_CENTRE = 100.0  # of the image's longer side, by which the principal point may lie off
_BENT = 20.0  # times by which the lens may move a point half way to the edge away from the middle, or towards it
_FARTHEST = 1e5  # times the cameras' own distances by which one of them may stand apart
# of each unit
METRES = {"um": 1e-6, "mm": 1e-3, "cm": 1e-2, "dm": 0.1, "m": 1.0, "in": 0.0254, "inch": 0.0254, "ft": 0.3048}
_EARTHLY = 1e5  # metres from the world's origin
_LEAST_SHIFT = 25.0  # pixels: with less, a board as wide as a third of the view shows no perspective


class LensFoldWarning(UserWarning):
    """A lens of a calibration file is not one-to-one over its image: points where it folds have no ray and are NaN."""


class NearlyOrthographicWarning(UserWarning):
    """A camera of a calibration file has so long a focal length that its image says nothing about depth."""


class PrincipalPointWarning(UserWarning):
    """A camera of a calibration file has its principal point outside its image: a sign, a unit, or a cut picture."""


class SamePoseWarning(UserWarning):
    """Two cameras of a calibration file have the same pose: the file holds lenses without poses, or a camera twice."""


def read_rig(
    path: str | os.PathLike,
    *,
    size: Sizes | None = None,
    names: Sequence[str] | None = None,
    unit: str | None = None,
    origin: str | None = None,
) -> CameraRig:
    """Read the cameras of a calibration file.

    .toml anipose, Pose2Sim, caliscope; .json plain or an AcinoSet scene (fisheye); .yaml, .yml, .xml OpenCV; .mat
    Label3D or DANNCE; .xml, .qca.txt Qualisys; .csv, .txt eleven DLT coefficients per camera; a folder with one .yaml,
    .yml, .xml or .mat file per camera (JARVIS, DANNCE). No pickle is opened.

    Parameters
    ----------
    path : str or path
        File or folder.
    size : (int, int) or dict of str to (int, int), pixels, optional
        Width and height for all cameras or for each; needed for .mat and DLT files.
    names : sequence of str, optional
        New camera names, in the file's order.
    unit : str, optional
        The world unit; overrides the file's. A file that does not state it is taken to be in "mm".
    origin : {"top", "bottom"}, optional
        DLT coefficients: where pixel rows are counted from. None: found out.

    Returns
    -------
    CameraRig
        The cameras in the file's order.

    Raises
    ------
    FormatError
        The file is missing, of an unknown kind, a pickle, lacks something, or holds an impossible camera.

    Warns
    -----
    LensFoldWarning
        A lens folds inside its image; the message names the camera and the share of its pixels that are lost.
    NearlyOrthographicWarning
        A focal length is so long that the camera is close to orthographic; the message says what that costs in depth.
    PrincipalPointWarning
        A principal point lies outside its image: a sign or unit, or a picture cut from a larger one.
    SamePoseWarning
        Two cameras stand at the same place and look in the same direction: the file holds lenses without poses, which
        serve as intrinsics but give no 3D, or a camera twice.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.cameras import Camera, CameraRig, read_rig, write_rig
    >>> K = [[600, 0, 320], [0, 600, 240], [0, 0, 1]]
    >>> rig = CameraRig((Camera("left", (640, 480), K, [], np.eye(3), [0, 0, 500]),), unit="cm")
    >>> _ = write_rig(rig, "rig.toml")
    >>> again = read_rig("rig.toml")
    >>> again.names, again.unit
    (('left',), 'cm')
    """
    record = read_rig_record(path, size=size, names=names, unit=unit, origin=origin)
    try:
        cameras = tuple(Camera(*camera) for camera in record.cameras)  # type: ignore[arg-type]
        rig = CameraRig(cameras, unit=record.unit or "mm", up=record.up)
    except ValueError as error:
        raise FormatError(f"{path}: {error}") from error
    wrong = impossible_value(rig)
    if wrong:
        raise FormatError(f"{path}: {wrong}; correct it, or calibrate again")
    double = cameras_in_one_place(rig)
    if double:
        warnings.warn(f"{path}: {double}", SamePoseWarning, stacklevel=2)
    for camera in rig:
        said = {
            NearlyOrthographicWarning: orthographic_sentence(camera.name, camera.size, camera.K[0, 0]),
            PrincipalPointWarning: off_image_sentence(camera),
            LensFoldWarning: _fold_sentence(camera),
        }
        for category, sentence in said.items():
            if sentence:
                warnings.warn(f"{path}: {sentence}", category, stacklevel=2)
    return rig


def _fold_sentence(camera: Camera) -> str:
    lost = lost_share(camera)
    if not lost:
        return ""
    return (
        f"the lens of camera '{camera.name}' folds inside its image; points in {lost:.1%} of its pixels have no ray and"
        " are left out (NaN); calibrate it again with the board in the corners, or with fewer coefficients"
    )


def lost_share(camera: Camera) -> float:
    """Share of the image's pixels beyond the fold of the camera's lens, from a grid of 65 x 49 of them.

    A fisheye's pixels beyond 90 degrees from the axis are not counted: there no camera of this model sees anything.
    """
    if camera.model == "fisheye" and camera.domain_limit >= 0.5 * np.pi:
        return 0.0
    axes = (np.linspace(0, side - 1, n) for side, n in zip(camera.size, (65, 49), strict=True))
    return float(np.isnan(camera.undistort(np.stack(np.meshgrid(*axes), axis=-1))[..., 0]).mean())


def depth_shift(size: tuple[int, int], focal: float) -> float:
    """Pixels by which a point at the image's corner moves when it comes nearer by the width of what the camera sees.

    Parameters
    ----------
    size : (width, height), pixels
    focal : focal length, pixels
    """
    return 0.5 * float(np.hypot(*size)) * size[0] / focal


def orthographic_sentence(name: str, size: tuple[int, int], focal: float) -> str:
    """What it costs that a camera is close to orthographic; nothing where it is not."""
    shift = depth_shift(size, abs(focal))
    if shift >= _LEAST_SHIFT:
        return ""
    return (
        f"camera '{name}' is close to orthographic (focal length {abs(focal):.0f} px, images of {size[0]}x{size[1]}"
        f" px): a point that comes nearer by the whole width of its view moves by {shift:.2g} px at the image's corner,"
        " so its distance and focal length are hardly determined, and depth along its axis is left to the other cameras"
    )


def off_image_sentence(camera: Camera) -> str:
    """What a principal point outside the image means; nothing where it lies inside."""
    (x, y), (width, height) = camera.K[:2, 2], camera.size
    if 0 <= x <= width and 0 <= y <= height:
        return ""
    return (
        f"camera '{camera.name}' has its principal point at ({x:.1f}, {y:.1f}) px, outside its images of"
        f" {width}x{height} px: right only if they are a part cut from a larger picture; otherwise correct its sign or"
        " unit, or the size of the images"
    )


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
                " file holds lenses without poses, or a camera twice; calibrate the cameras together (the lenses serve"
                " as its intrinsics)"
            )
    return ""


def write_rig(rig: CameraRig, path: str | os.PathLike) -> Path:
    """Write a rig in the format of the suffix, atomically.

    .toml is anipose's; unit, up and lens model go into keys that anipose ignores, and `read_rig` returns the same rig
    to the last bit. So do .json and OpenCV's .yaml, .yml, .xml. .mat (Label3D) and .csv, .txt (DLT coefficients) hold
    less and refuse what they cannot hold.

    Parameters
    ----------
    rig : CameraRig
        The cameras.
    path : str or path
        File to write; its suffix chooses the format.

    Returns
    -------
    pathlib.Path
        The file written.

    Raises
    ------
    FormatError
        The suffix is unknown, or the format cannot hold the rig.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.cameras import Camera, CameraRig, write_rig
    >>> K = [[600, 0, 320], [0, 600, 240], [0, 0, 1]]
    >>> rig = CameraRig((Camera("left", (640, 480), K, [], np.eye(3), [0, 0, 500]),))
    >>> write_rig(rig, "rig.json").name
    'rig.json'
    """
    cameras = tuple(CameraRecord(*astuple(camera)) for camera in rig.cameras)
    return write_rig_record(RigRecord(cameras, rig.unit, rig.up), path)
