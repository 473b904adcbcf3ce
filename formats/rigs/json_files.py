"""Cameras in JSON: this library's plain form, and AcinoSet's scenes of fisheye cameras."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ...datasets.atomic_files import atomic_write
from ..files import FormatError
from .records import BY_HAND, RigRecord, camera_name, camera_of_fields, numbers


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
        tool = " (calib.io)" if isinstance(content, dict) and "Calibration" in content else ""
        raise FormatError(
            f"{path} holds no list of 'cameras', as this library or an AcinoSet scene has it{tool}; {BY_HAND}"
        )
    if "camera_resolution" in content:
        named = [(f"cam{i}", content | camera) for i, camera in enumerate(cameras, start=1)]
        keys = ("camera_resolution", "k", "d", "r", "t")
        return RigRecord(tuple(camera_of_fields(path, *camera, keys, "fisheye") for camera in named), "m")
    keys = ("size", "K", "distortion", "R", "t")
    named = [(camera_name(camera.get("name"), path), camera) for camera in cameras]
    parsed = tuple(camera_of_fields(path, name, c, keys, str(c.get("model", "pinhole"))) for name, c in named)
    up = numbers(content["up"], (3,), f"{path}: up") if content.get("up") is not None else None
    return RigRecord(parsed, content.get("unit"), up)


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
