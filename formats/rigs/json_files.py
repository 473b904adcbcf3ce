"""Cameras in JSON: this library's plain form, and AcinoSet's scenes of fisheye cameras."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ...datasets.atomic_files import atomic_write
from ..files import FormatError
from .records import CameraRecord, RigRecord, camera_name, numbers, rotation_matrix


def read_json(path: Path) -> RigRecord:
    """Read the plain form that `write_json` writes, or an AcinoSet scene.

    An AcinoSet scene has one ``camera_resolution`` and per camera ``k, d, r, t`` of OpenCV's fisheye model, in
    metres; its cameras are called cam1, cam2, ... as its videos are.

    Raises
    ------
    FormatError
        No JSON, no cameras, or a camera lacks a field.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise FormatError(f"{path} is not valid JSON: {error}") from error
    cameras = content.get("cameras") if isinstance(content, dict) else None
    if not isinstance(cameras, list) or not cameras or not all(isinstance(camera, dict) for camera in cameras):
        raise FormatError(f"{path} holds no list of 'cameras', as this library or an AcinoSet scene has it")
    try:
        if "camera_resolution" in content:
            return _acinoset(path, content)
        parsed = tuple(_plain(path, camera) for camera in cameras)
    except KeyError as error:
        raise FormatError(f"{path}: a camera lacks the field {error}") from error
    up = numbers(content["up"], (3,), f"{path}: up") if content.get("up") is not None else None
    return RigRecord(parsed, content.get("unit"), up)


def _plain(path: Path, camera: dict) -> CameraRecord:
    name = camera_name(camera["name"], path)
    where = f"{path}: camera '{name}'"
    size = numbers(camera["size"], (2,), f"{where}: size")
    return CameraRecord(
        name=name,
        size=(round(size[0]), round(size[1])),
        K=numbers(camera["K"], (3, 3), f"{where}: K"),
        distortion=numbers(camera["distortion"], None, f"{where}: distortion"),
        R=rotation_matrix(camera["R"], f"{where}: R"),
        t=numbers(camera["t"], (3,), f"{where}: t"),
        model=str(camera.get("model", "pinhole")),
    )


def _acinoset(path: Path, scene: dict) -> RigRecord:
    size = numbers(scene["camera_resolution"], (2,), f"{path}: camera_resolution")
    cameras = tuple(
        CameraRecord(
            name=f"cam{i}",
            size=(round(size[0]), round(size[1])),
            K=numbers(camera["k"], (3, 3), f"{path}: cam{i}: k"),
            distortion=numbers(camera["d"], (4,), f"{path}: cam{i}: d"),
            R=rotation_matrix(camera["r"], f"{path}: cam{i}: r"),
            t=numbers(camera["t"], (3,), f"{path}: cam{i}: t"),
            model="fisheye",
        )
        for i, camera in enumerate(scene["cameras"], start=1)
    )
    return RigRecord(cameras, "m")


def write_json(record: RigRecord, path: Path) -> None:
    """Write ``{"unit", "up", "cameras": [{"name", "size", "model", "K", "distortion", "R", "t"}]}``.

    Every number is kept to the last bit."""
    content = {
        "unit": record.unit,
        "up": None if record.up is None else np.asarray(record.up, float).tolist(),
        "cameras": [
            {
                "name": camera.name,
                "size": list(camera.size or ()),
                "model": camera.model,
                "K": camera.K.tolist(),
                "distortion": camera.distortion.tolist(),
                "R": camera.R.tolist(),
                "t": camera.t.tolist(),
            }
            for camera in record.cameras
        ],
    }
    with atomic_write(path) as partial:
        partial.write_text(json.dumps(content, indent=1), encoding="utf-8")
