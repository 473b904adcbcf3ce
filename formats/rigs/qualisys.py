"""Cameras in Qualisys Track Manager's calibration files (XML, often named .qca.txt)."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from ..files import FormatError
from .records import BY_HAND, CameraRecord, RigRecord, numbers, rotation_matrix

SUBPIXELS = 64.0  # Qualisys states lengths in the image in 64ths of a pixel
# a Qualisys camera looks along -z with y up, ours along +z with y down
_TURN = np.diag([1.0, -1.0, -1.0])


def is_qualisys(path: Path) -> bool:
    """Whether a file begins as XML that OpenCV did not write."""
    beginning = path.read_bytes()[:1024]
    return beginning.lstrip().startswith(b"<") and b"<opencv_storage" not in beginning


def read_qualisys(path: Path) -> RigRecord:
    """Read the video cameras of a Qualisys calibration, named by serial number, in millimetres, z up.

    Focal lengths and principal point are in 1/64 pixel, counted over the whole sensor, of which ``fov_video`` is the
    part in the video; x, y, z is the camera's centre; the lens coefficients are Brown's, without unit (Pose2Sim
    divides them by 64, too, which makes every lens nearly perfect). Cameras that are not ``active`` are left out.

    Raises
    ------
    FormatError
        No such XML, or a camera lacks a part.
    """
    text = path.read_bytes()
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise FormatError(f"{path} declares entities, which no Qualisys calibration does; it is not read")
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise FormatError(f"{path} is not valid XML: {error}") from error
    found = [camera for camera in root.iter("camera") if camera.get("active", "1") not in ("0", "false")]
    if not found:
        raise FormatError(f"{path} holds no active <camera>; is it a Qualisys calibration?")
    if root.find(".//camera/intrinsic") is None:
        raise FormatError(f"{path} is XML of another tool (<{root.tag}>) than Qualisys or OpenCV; {BY_HAND}")
    return RigRecord(tuple(_camera(path, camera) for camera in found), "mm", np.array([0.0, 0.0, 1.0]))


def _camera(path: Path, camera: ElementTree.Element) -> CameraRecord:
    where = f"{path}: camera '{camera.get('serial')}'"
    view = camera.find("fov_video") if camera.find("fov_video") is not None else camera.find("fov_marker")
    left, top, right, bottom = _numbers(view, ("left", "top", "right", "bottom"), f"{where}: fov_video")
    pose = camera.find("transform")
    center = _numbers(pose, ("x", "y", "z"), f"{where}: transform")
    turn = _numbers(pose, [f"r{i}{j}" for i in (1, 2, 3) for j in (1, 2, 3)], f"{where}: transform")
    R = _TURN @ rotation_matrix(turn.reshape(3, 3), f"{where}: transform")
    lens = camera.find("intrinsic")
    fx, fy, cx, cy = _numbers(
        lens, ("focalLengthU", "focalLengthV", "centerPointU", "centerPointV"), f"{where}: intrinsic"
    )
    radial = _numbers(lens, [f"radialDistortion{i}" for i in (1, 2, 3)], f"{where}: intrinsic")
    tangential = _numbers(lens, [f"tangentalDistortion{i}" for i in (1, 2)], f"{where}: intrinsic")
    K = np.array([[fx / SUBPIXELS, 0, cx / SUBPIXELS - left], [0, fy / SUBPIXELS, cy / SUBPIXELS - top], [0, 0, 1.0]])
    return CameraRecord(
        name=str(camera.get("serial")),
        size=(round(right - left) + 1, round(bottom - top) + 1),
        K=K,
        distortion=np.concatenate([radial[:2], tangential, radial[2:]]),
        R=R,
        t=-R @ center,
    )


def _numbers(element: ElementTree.Element | None, keys, where: str):
    if element is None:
        raise FormatError(f"{where} is missing")
    lacking = [key for key in keys if element.get(key) is None]
    if lacking:
        raise FormatError(f"{where} lacks {', '.join(lacking)}")
    return numbers([element.get(key) for key in keys], (len(keys),), where)
