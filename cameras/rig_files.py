"""Read and write rigs: anipose-compatible TOML, and through `formats` the files of other tools."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path

import numpy as np

from ..formats.files import FormatError
from ..formats.rigs.reading import read_rig_record, write_rig_record
from ..formats.rigs.records import CameraRecord, RigRecord, Sizes
from .camera import Camera
from .rig import CameraRig
from .rig_checks import impossible_value

_LEAST_SHIFT = 25.0  # pixels: with less, a board as wide as a third of the view shows no perspective


class LensFoldWarning(UserWarning):
    """A lens of a calibration file is not one-to-one over its image: points where it folds have no ray and are NaN."""


class NearlyOrthographicWarning(UserWarning):
    """A camera of a calibration file has so long a focal length that its image says nothing about depth."""


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
    for camera in rig:
        sentence = orthographic_sentence(camera.name, camera.size, camera.K[0, 0])
        if sentence:
            warnings.warn(f"{path}: {sentence}", NearlyOrthographicWarning, stacklevel=2)
        lost = lost_share(camera)
        if lost:
            warnings.warn(
                f"{path}: the lens of camera '{camera.name}' folds inside its image; points in {lost:.1%} of its pixels"
                " have no ray and are left out (NaN); calibrate it again with the board in the corners, or with fewer"
                " coefficients",
                LensFoldWarning,
                stacklevel=2,
            )
    return rig


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
