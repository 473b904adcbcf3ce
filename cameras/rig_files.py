"""Rigs on disk: anipose-compatible TOML, and through `formats` the files of other tools."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path

from ..formats.files import FormatError
from ..formats.rigs.reading import read_rig_record, write_rig_record
from ..formats.rigs.records import CameraRecord, RigRecord, Sizes
from .camera import Camera, CameraRig


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
    size : (width, height) pixels for all cameras or {name: (width, height)}; needed for .mat and DLT files
    names : new camera names, in the file's order
    unit : the world unit; overrides the file's. A file that does not say is taken to be in "mm"
    origin : DLT coefficients: pixel rows count from the "top" or the "bottom"; None: found out

    Raises
    ------
    FormatError : the file is missing, of an unknown kind, a pickle, lacks something, or holds an impossible camera
    """
    record = read_rig_record(path, size=size, names=names, unit=unit, origin=origin)
    try:
        cameras = tuple(Camera(*camera) for camera in record.cameras)  # type: ignore[arg-type]
        return CameraRig(cameras, unit=record.unit or "mm", up=record.up)
    except ValueError as error:
        raise FormatError(f"{path}: {error}") from error


def write_rig(rig: CameraRig, path: str | os.PathLike) -> Path:
    """Write a rig in the format of the suffix, atomically.

    .toml is anipose's; unit, up and lens model go into keys that anipose ignores, and `read_rig` returns the same rig
    to the last bit. So do .json and OpenCV's .yaml, .yml, .xml. .mat (Label3D) and .csv, .txt (DLT coefficients) hold
    less and refuse what they cannot hold.

    Raises
    ------
    FormatError : the suffix is unknown, or the format cannot hold the rig
    """
    cameras = tuple(CameraRecord(*astuple(camera)) for camera in rig.cameras)
    return write_rig_record(RigRecord(cameras, rig.unit, rig.up), path)
