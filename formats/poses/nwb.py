"""NWB with ndx-pose: 3D points, names, times, confidence, bones and the calibrated cameras.

Written by `pynwb` and `ndx-pose`; read with h5py alone, in the layout that both document.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr

from ...datasets import pose_dataset
from ...datasets.atomic_files import atomic_write
from ...datasets.individuals import each_individual
from ..files import FormatError, as_text, need_extra
from ..rigs.records import CameraRecord, RigRecord, numbers, rotation_matrix
from ..tables.h5_arrays import check_hdf5, read_numbers

MODULE, _CONTAINER = "behavior", "MultiCameraPoseEstimation"
_UNKNOWN_START = "1970-01-01T00:00:00+00:00"  # NWB demands one


def write_nwb(pose: xr.Dataset, path: Path, *, rig: Any = None) -> None:
    """Write a container per individual in the module "behavior", and the cameras among the devices.

    The pose's attribute ``session_start_time`` (ISO, with time zone) becomes the file's; without it 1970, which the
    file's description says. Positions, confidence and times are kept in double precision.

    Parameters
    ----------
    rig : CameraRig or RigRecord, optional

    Raises
    ------
    FormatError
        The packages are not installed, or a keypoint's name cannot be one in NWB.
    """
    pynwb, ndx, file = new_nwb(pose, path, "3D pose by muybridge")
    cameras = [] if rig is None else [_device(ndx, camera, rig) for camera in rig.cameras]
    for camera in cameras:
        file.add_device(camera)
    module = file.create_processing_module(MODULE, "3D pose estimation")
    skeletons, containers = [], []
    for animal, own in each_individual(pose):
        skeleton = ndx.Skeleton(
            name=animal or "subject",
            nodes=[str(name) for name in own["keypoint"].values],
            edges=np.zeros((0, 2), np.uint8),
        )
        skeletons.append(skeleton)
        containers.append(_container(ndx, own, animal or _CONTAINER, skeleton, cameras))
    module.add(ndx.Skeletons(skeletons=skeletons))
    for container in containers:
        module.add(container)
    with atomic_write(path) as partial, pynwb.NWBHDF5IO(str(partial), "w") as io:
        io.write(file)


def new_nwb(dataset: xr.Dataset, path: Path, description: str) -> tuple[Any, Any, Any]:
    """pynwb, ndx_pose and an empty NWB file that points of a dataset's keypoints can be put into.

    Raises
    ------
    FormatError
        The packages are not installed, or a keypoint's name cannot be one in NWB.
    """
    pynwb = need_extra("pynwb", "nwb", f"writing {path}")
    ndx = need_extra("ndx_pose", "nwb", f"writing {path}")
    check_nwb_names(map(str, dataset["keypoint"].values), "keypoint")
    start = dataset.attrs.get("session_start_time")
    known = "" if start else "; the session's start time is not known"
    file = pynwb.NWBFile(
        session_description=f"{description}{known}",
        identifier=hashlib.blake2b(dataset["position"].values.tobytes(), digest_size=16).hexdigest(),
        session_start_time=datetime.fromisoformat(start or _UNKNOWN_START).astimezone(UTC),
    )
    return pynwb, ndx, file


def check_nwb_names(names: Iterable[str], what: str) -> None:
    """FormatError where a name of a keypoint or camera cannot be one in NWB."""
    bad = [name for name in names if not name or set(name) & set("/:")]
    if bad:
        raise FormatError(f"the {what}'s name '{bad[0]}' cannot be one in NWB, which forbids '/' and ':'; rename it")


def _container(ndx, pose: xr.Dataset, name: str, skeleton, cameras: list):
    """The 3D series of one animal, and a link to each camera."""
    more = {"unit": str(pose["position"].attrs["units"]), "reference_frame": "the rig's world"}
    if "confidence" in pose:
        more["confidence_definition"] = "probability that the point is supported"
    views = [
        ndx.PoseEstimation(name=f"{camera.name}_view", device=camera, skeleton=skeleton, scorer="muybridge")
        for camera in cameras
    ]
    return ndx.MultiCameraPoseEstimation(
        name=name,
        pose_estimation_series=series_of(ndx, pose, **more),
        pose_estimations=views,
        skeleton=skeleton,
        source_software="muybridge",
        scorer="muybridge",
    )


def series_of(ndx, points: xr.Dataset, **more: str) -> list:
    """A series of each keypoint, (time, space) of one animal; all share the times of the first."""
    series = []
    for keypoint in map(str, points["keypoint"].values):
        own = points.sel(keypoint=keypoint)
        given = {"confidence": own["confidence"].values} if "confidence" in own else {}
        given["data"] = own["position"].transpose("time", "space").values
        given["timestamps"] = series[0] if series else np.asarray(points["time"].values, float)
        series.append(ndx.PoseEstimationSeries(name=keypoint, **given, **more))
    return series


def _device(ndx, camera, rig):
    """A camera; what ndx-pose has no place for is JSON in its description."""
    up = None if rig.up is None else np.asarray(rig.up, float).tolist()
    more = {"size": list(camera.size or ()), "model": camera.model, "unit": rig.unit, "up": up}
    return ndx.CalibratedCamera(
        name=camera.name,
        description=json.dumps(more),
        intrinsic_matrix=np.asarray(camera.K),
        rotation_matrix=np.asarray(camera.R),
        translation_vector=np.asarray(camera.t),
        distortion_coefficients=np.asarray(camera.distortion) if len(camera.distortion) else np.zeros(4),
    )


def read_nwb(path: Path, *, fps: float | None = None, unit: str | None = None) -> xr.Dataset:
    """Read the 3D points of a file with ndx-pose: the containers that hold series of x, y, z.

    Several containers are individuals under their names. Times are the file's timestamps, or its starting time and
    rate; `fps` replaces them.

    Raises
    ------
    FormatError
        There are no 3D points, or the series of a container differ in length.
    """
    check_hdf5(path)
    with h5py.File(path, "r") as file:
        found = containers(file, 3)
        if not found:
            raise FormatError(f"{path} holds no 3D points of ndx-pose (PoseEstimationSeries of x, y, z)")
        parts = [read_container(group, names, path, fps) for group, names in found]
        animals = [name_of(group) for group, _ in found]
        held = as_text(found[0][0][found[0][1][0]]["data"].attrs.get("unit", ""))
    names, times, _, _ = parts[0]
    if any(part[0] != names or not np.array_equal(part[1], times) for part in parts):
        raise FormatError(f"{path}: {animals} differ in keypoints or times; split them into one file each")
    points_3d = np.stack([part[2] for part in parts])
    scores = [part[3] for part in parts if part[3] is not None]
    confidence = np.stack(scores) if len(scores) == len(parts) else None
    if len(parts) == 1:
        points_3d, confidence = points_3d[0], None if confidence is None else confidence[0]
    pose = pose_dataset(points_3d, keypoints=names, times=times, unit=unit or held or "mm", confidence=confidence)
    return pose if len(parts) == 1 else pose.assign_coords(individual=animals)


def name_of(node: Any) -> str:
    return str(node.name).rsplit("/", 1)[-1]


def _type(node: Any) -> str:
    return as_text(node.attrs.get("neurodata_type", ""))


def containers(file: h5py.File, n_axes: int) -> list[tuple[Any, list[str]]]:
    """Groups that hold series of 2D or 3D points, with the series' names in the skeleton's order."""
    found = []
    for module in _groups(file.get("processing")):
        inner = [node for container in _groups(module) for node in _groups(container)]
        for container in [*_groups(module), *(node for node in inner if _type(node) == "PoseEstimation")]:
            series = [
                name_of(node)
                for node in _groups(container)
                if _type(node) == "PoseEstimationSeries" and node["data"].ndim == 2 and node["data"].shape[1] == n_axes
            ]
            if series:
                found.append((container, _in_order(container, series)))
    return found


def _groups(parent: Any) -> list[Any]:
    if not isinstance(parent, h5py.Group):
        return []
    return [parent[name] for name in parent if isinstance(parent.get(name), h5py.Group)]


def _in_order(container: Any, series: list[str]) -> list[str]:
    skeleton = next((node for node in _groups(container) if _type(node) == "Skeleton"), None)
    nodes = [] if skeleton is None or "nodes" not in skeleton else [as_text(node) for node in skeleton["nodes"][()]]
    return nodes if set(nodes) == set(series) else series


def read_container(group: Any, names: list[str], path: Path, fps: float | None = None):
    """Names, times, points (n_frames, n_keypoints, 2 or 3), confidence (or None) of one animal."""
    points = [read_numbers(group[name], "data", path) for name in names]
    lengths = {name: len(own) for name, own in zip(names, points, strict=True)}
    if len(set(lengths.values())) > 1:
        raise FormatError(f"{path}: the series of {group.name} differ in length: {lengths}; write the file again")
    first, n_frames = group[names[0]], len(points[0])
    if fps is not None:
        times = np.arange(n_frames) / fps
    elif "timestamps" in first:
        times = read_numbers(first, "timestamps", path)
    elif "starting_time" in first:
        start = first["starting_time"]
        times = float(start[()]) + np.arange(n_frames) / float(start.attrs["rate"])
    else:
        raise FormatError(f"{path}: {first.name} has no times; give fps=... (frames per second)")
    if len(times) != n_frames:
        raise FormatError(f"{path}: {first.name} has {n_frames} points and {len(times)} times; write the file again")
    if not all("confidence" in group[name] for name in names):
        return names, times, np.stack(points, axis=1), None
    confidence = np.stack([read_numbers(group[name], "confidence", path) for name in names], axis=1)
    return names, times, np.stack(points, axis=1), confidence


def read_nwb_cameras(path: Path) -> RigRecord:
    """Read the calibrated cameras of a file with ndx-pose, in the order of their names.

    Raises
    ------
    FormatError
        There is none, or one lacks its pose.
    """
    check_hdf5(path)
    with h5py.File(path, "r") as file:
        devices = [node for node in _groups(file.get("general/devices")) if _type(node) == "CalibratedCamera"]
        read = [_read_camera(device, path) for device in devices]
    if not read:
        raise FormatError(f"{path} holds no calibrated camera of ndx-pose (CalibratedCamera)")
    more = read[0][1]
    up = more.get("up")
    cameras = tuple(camera for camera, _ in read)
    return RigRecord(cameras, more.get("unit"), None if up is None else numbers(up, (3,), f"{path}: up"))


def _read_camera(device: Any, path: Path) -> tuple[CameraRecord, dict]:
    name = name_of(device)
    where = f"{path}: camera '{name}'"
    lacking = [part for part in ("intrinsic_matrix", "rotation_matrix", "translation_vector") if part not in device]
    if lacking:
        raise FormatError(f"{where} lacks {', '.join(lacking)}")
    try:
        more = json.loads(as_text(device.attrs.get("description", "{}")))
    except json.JSONDecodeError:
        more = {}
    more = more if isinstance(more, dict) else {}
    distortion = read_numbers(device, "distortion_coefficients", where) if "distortion_coefficients" in device else []
    size = more.get("size")
    return CameraRecord(
        name=name,
        size=(int(size[0]), int(size[1])) if isinstance(size, list) and len(size) == 2 else None,
        K=numbers(read_numbers(device, "intrinsic_matrix", where), (3, 3), f"{where}: intrinsic_matrix"),
        distortion=numbers(distortion, None, f"{where}: distortion_coefficients"),
        R=rotation_matrix(read_numbers(device, "rotation_matrix", where), f"{where}: rotation_matrix"),
        t=numbers(read_numbers(device, "translation_vector", where), (3,), f"{where}: translation_vector"),
        model=str(more.get("model", "pinhole")),
    ), more
