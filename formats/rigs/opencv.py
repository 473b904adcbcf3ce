"""Cameras in OpenCV's YAML and XML (``cv2.FileStorage``): EasyMocap's names, stereo pairs, single cameras, JARVIS."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from ...datasets.atomic_files import atomic_write
from ..files import FormatError, existing
from .records import BY_HAND, CameraRecord, RigRecord, camera_of_fields, numbers, rotation_vector

_LARGEST = 1 << 24  # bytes of a file of cameras
_MOST_NESTED = 10_000  # lists or tags, of some 200 cameras in XML; OpenCV's stack ends at 30,000 within each other


def read_opencv(path: Path) -> RigRecord:
    """Read the cameras of an OpenCV file.

    Known layouts: ``names`` with ``K_NAME, dist_NAME, Rot_NAME (or R_NAME, a rotation vector), T_NAME`` and optionally
    ``W_NAME, H_NAME, model_NAME`` (EasyMocap's intri.yml and extri.yml in one file; with only intri.yml given, the
    extri.yml beside it is read too); a stereo pair ``M1 D1 M2 D2 R T`` with the first camera at the origin; one
    ``camera_matrix`` with ``distortion_coefficients`` and, where given, ``R`` and ``T`` (else at the origin); one
    camera of JARVIS, ``intrinsicMatrix, distortionCoefficients, R, T``, whose matrices are transposed.

    Raises
    ------
    FormatError
        The file cannot be parsed, or has none of these layouts.
    """
    nodes = _nodes(path)
    beside = path.with_name(f"extri{path.suffix}")
    if path.stem == "intri" and beside.exists():
        nodes |= _nodes(existing(beside))
    if "names" in nodes:
        cameras = tuple(_named(path, nodes, str(name)) for name in nodes["names"])
    elif {"M1", "D1", "M2", "D2", "R", "T"} <= set(nodes):
        first = _camera(path, nodes, "left", ("M1", "D1", None, None))
        cameras = (first, _camera(path, nodes, "right", ("M2", "D2", "R", "T")))
    elif "camera_matrix" in nodes:
        pose = tuple(key if key in nodes else None for key in ("R", "T"))
        cameras = (_camera(path, nodes, path.stem, ("camera_matrix", "distortion_coefficients", *pose)),)
    elif "intrinsicMatrix" in nodes:
        transposed = {key: np.transpose(nodes[key]) for key in ("intrinsicMatrix", "R") if key in nodes}
        keys = ("intrinsicMatrix", "distortionCoefficients", "R", "T")
        cameras = (_camera(path, nodes | transposed, path.stem, keys),)
    else:
        raise FormatError(
            f"{path} holds {sorted(nodes)}; expected 'names' with K_, dist_, Rot_, T_ per name, or M1 D1 M2 D2 R T,"
            " or camera_matrix"
        )
    up = numbers(nodes["up"], (3,), f"{path}: up") if "up" in nodes else None
    unit = nodes.get("unit")
    return RigRecord(cameras, None if unit is None else str(unit), up)


def _nodes(path: Path) -> dict:
    """The top level of the file: matrices as arrays, numbers, texts, and lists of texts or numbers."""
    _check_nesting(path)
    try:
        storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_READ)
    except (cv2.error, SystemError) as error:
        raise FormatError(f"{path} cannot be read as OpenCV's YAML or XML: {error}") from error
    if not storage.isOpened():
        raise FormatError(f"{path} cannot be read as OpenCV's YAML or XML")
    try:
        root = storage.root()
        return {key: _value(root.getNode(key)) for key in list(root.keys())}
    except (cv2.error, SystemError) as error:
        raise FormatError(
            f"{path} holds tables that are not matrices of OpenCV (as files of ROS or Kalibr); {BY_HAND}"
        ) from error
    finally:
        storage.release()


def _check_nesting(path: Path) -> None:
    """Refuse what may be nested so deeply that OpenCV's reader ends the process."""
    if path.stat().st_size > _LARGEST:
        raise FormatError(
            f"{path} has {path.stat().st_size / 2**20:.0f} MB, more than cameras need; give a file of cameras alone"
        )
    content = path.read_bytes()
    n = max(map(content.count, (b"[", b"{", b"<", b"- ")))
    if n > _MOST_NESTED:
        raise FormatError(f"{path} begins {n} lists or tags, more than cameras need; give a file of cameras alone")


def _value(node):
    if node.isMap():
        matrix = node.mat()
        return matrix if matrix is not None else {key: _value(node.getNode(key)) for key in list(node.keys())}
    if node.isSeq():
        return [_value(node.at(i)) for i in range(node.size())]
    return node.string() if node.isString() else node.real()


def _named(path: Path, nodes: dict, name: str) -> CameraRecord:
    rotation = next((key for key in (f"Rot_{name}", f"R_{name}") if key in nodes), f"Rot_{name}")
    return _camera(path, nodes, name, (f"K_{name}", f"dist_{name}", rotation, f"T_{name}"))


def _camera(path: Path, nodes: dict, name: str, keys: tuple[str | None, ...]) -> CameraRecord:
    sides = [nodes.get(f"W_{name}", nodes.get("image_width")), nodes.get(f"H_{name}", nodes.get("image_height"))]
    model = str(nodes.get(f"model_{name}", "fisheye" if nodes.get("fisheye_model") else "pinhole"))
    return camera_of_fields(path, name, nodes | {"size": sides}, (None if None in sides else "size", *keys), model)


def write_opencv(record: RigRecord, path: Path) -> None:
    """Write EasyMocap's names in one OpenCV file; YAML or XML by the suffix.

    Raises
    ------
    FormatError
        A camera's name cannot be part of a key in OpenCV's files (letters, digits, - and _ can).
    """
    for camera in record.cameras:
        if not all(c.isascii() and (c.isalnum() or c in "-_") for c in camera.name):
            raise FormatError(
                f"camera '{camera.name}' cannot be named in OpenCV's files ({path}): use letters, digits, - and _"
            )
    with atomic_write(path) as partial:
        storage = cv2.FileStorage(str(partial), cv2.FILE_STORAGE_WRITE)
        storage.startWriteStruct("names", cv2.FileNode_SEQ)
        for camera in record.cameras:
            storage.write("", camera.name)
        storage.endWriteStruct()
        if record.unit:
            storage.write("unit", record.unit)
        if record.up is not None:
            storage.write("up", np.asarray(record.up, float).reshape(3, 1))
        for camera in record.cameras:
            _write_camera(storage, camera)
        storage.release()


def _write_camera(storage, camera: CameraRecord) -> None:
    name = camera.name
    storage.write(f"K_{name}", np.array(camera.K))
    storage.write(f"dist_{name}", np.array(camera.distortion).reshape(1, -1))
    storage.write(f"R_{name}", rotation_vector(camera.R).reshape(3, 1))
    storage.write(f"Rot_{name}", np.array(camera.R))
    storage.write(f"T_{name}", np.array(camera.t).reshape(3, 1))
    storage.write(f"model_{name}", camera.model)
    if camera.size is not None:
        storage.write(f"W_{name}", int(camera.size[0]))
        storage.write(f"H_{name}", int(camera.size[1]))
