"""Cameras in TOML: anipose's (Pose2Sim's, FreeMoCap's, sleap-anipose's) and caliscope's ``camera_array.toml``."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import tomli_w

from ...datasets.atomic_files import atomic_write
from ..files import FormatError
from .records import BY_HAND, CameraRecord, RigRecord, camera_name, camera_of_fields, numbers, rotation_vector


def read_toml(path: Path) -> RigRecord:
    """Read ``[cam_N]`` tables (anipose) or ``[cameras.N]`` tables (caliscope), in the file's order.

    A table is a camera when it has a matrix; caliscope's cameras marked ``ignore`` are left out. The rotation may be
    a rotation vector or a matrix. caliscope works in metres; anipose's files do not say their unit, those written by
    `write_toml` do.

    Raises
    ------
    FormatError
        No TOML, no camera, or a camera lacks its pose.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FormatError(f"{path} is not valid TOML: {error}") from error
    caliscope = isinstance(tables.get("cameras"), dict)
    found = tables["cameras"] if caliscope else tables
    found = {key: table for key, table in found.items() if isinstance(table, dict) and "matrix" in table}
    cameras = tuple(
        _camera(path, f"cam_{key}" if caliscope else key, table)
        for key, table in found.items()
        if not table.get("ignore")
    )
    if not cameras:
        raise FormatError(f"{path} holds no camera: none of its tables {sorted(tables)} has a 'matrix'; {BY_HAND}")
    metadata = tables.get("metadata", {})
    up = numbers(metadata["up"], (3,), f"{path}: up") if "up" in metadata else None
    metres = caliscope or all("cam_id" in table or "port" in table for table in found.values())
    return RigRecord(cameras, metadata.get("unit", "m" if metres else None), up)


def _camera(path: Path, key: str, table: dict) -> CameraRecord:
    keys = ("size", "matrix", "distortions", "rotation", "translation")
    model = "fisheye" if table.get("fisheye") else "pinhole"
    camera = camera_of_fields(path, camera_name(table.get("name", key), path), table, keys, model)
    if "rotation_matrix" in table:
        # the last bits that a rotation vector loses; a vector edited by hand wins
        matrix = numbers(table["rotation_matrix"], (3, 3), f"{path}: camera '{camera.name}': rotation_matrix")
        camera = camera._replace(R=matrix) if np.abs(matrix - camera.R).max() < 1e-12 else camera
    return camera


def write_toml(record: RigRecord, path: Path) -> None:
    """Write anipose's TOML; what anipose has no place for goes into keys that it ignores, so that nothing is lost.

    anipose sorts the tables by name as text, so their numbers are padded with zeros beyond ten cameras.
    """
    width = len(str(len(record.cameras) - 1))
    tables: dict = {}
    for i, camera in enumerate(record.cameras):
        tables[f"cam_{i:0{width}d}"] = table = {
            "name": camera.name,
            "size": list(camera.size or ()),
            "matrix": camera.K.tolist(),
            "distortions": camera.distortion.tolist(),
            "rotation": rotation_vector(camera.R).tolist(),
            "translation": camera.t.tolist(),
            "rotation_matrix": camera.R.tolist(),
            "mirrored": bool(camera.K[0, 0] < 0),
        }
        if camera.model == "fisheye":
            table["fisheye"] = True
    metadata: dict = {"unit": record.unit} if record.unit else {}
    if record.up is not None:
        metadata["up"] = np.asarray(record.up, float).tolist()
    tables["metadata"] = metadata
    with atomic_write(path) as partial, partial.open("wb") as stream:
        tomli_w.dump(tables, stream)
