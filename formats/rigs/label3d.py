"""Cameras in Label3D's and DANNCE's .mat files, which follow Matlab's conventions."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...datasets.atomic_files import atomic_write
from ...numerics.arrays import Array
from ..files import FormatError
from ..tables.mat_files import read_mat
from .records import CameraRecord, RigRecord, numbers, rotation_matrix

# Matlab counts pixels from one: subtracted from the principal point
ONE_BASED = np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]])


def read_label3d(path: Path) -> RigRecord:
    """Read ``params`` (one struct of K, r, t, RDistort, TDistort per camera) or one camera's own fields.

    Matlab multiplies row vectors from the left, x' = [X 1] [r; t] K, so K and r are the transposes of ours; its
    first pixel is (1, 1), so the principal point is one pixel less here. The files hold neither image size nor unit
    (DANNCE works in mm). Matlab's version 7.3 files are not read: save with ``-v7``.

    Raises
    ------
    FormatError
        No such .mat file, or no camera parameters in it.
    """
    content = read_mat(path)
    if "params" in content:
        found = [_fields(entry) for entry in np.asarray(content["params"], dtype=object).ravel()]
    elif {"K", "t"} <= set(content):
        found = [content]
    else:
        raise FormatError(
            f"{path} holds {sorted(content)}; expected 'params' (Label3D) or K, r, t, RDistort, TDistort (DANNCE)"
        )
    names = _names(content, len(found), path)
    return RigRecord(tuple(_camera(path, name, fields) for name, fields in zip(names, found, strict=True)), "mm")


def _fields(entry) -> dict:
    """A struct of the cell array as a dictionary."""
    entry = np.asarray(entry)
    if entry.dtype.names is None:
        return {}
    return {name: np.asarray(entry[name].ravel()[0]) for name in entry.dtype.names}


def _names(content: dict, n_cameras: int, path: Path) -> list[str]:
    if "camnames" in content:
        names = [str(np.asarray(name).ravel()[0]) for name in np.asarray(content["camnames"]).ravel()]
        if len(names) != n_cameras:
            raise FormatError(f"{path} names {len(names)} cameras and holds the parameters of {n_cameras}")
        return names
    return [f"Camera{i}" for i in range(1, n_cameras + 1)] if n_cameras > 1 else [path.stem]


def _camera(path: Path, name: str, fields: dict) -> CameraRecord:
    where = f"{path}: camera '{name}'"
    fields = {"r": fields["R"], **fields} if "R" in fields else fields
    lacking = [field for field in ("K", "r", "t", "RDistort", "TDistort") if field not in fields]
    if lacking:
        raise FormatError(f"{where} lacks {', '.join(lacking)}")
    return CameraRecord(
        name=name,
        size=None,
        K=numbers(fields["K"], (3, 3), f"{where}: K").T - ONE_BASED,
        distortion=_opencv_order(fields, where),
        R=rotation_matrix(np.asarray(fields["r"], float).T, f"{where}: r"),
        t=numbers(fields["t"], (3,), f"{where}: t"),
    )


def _opencv_order(fields: dict, where: str) -> Array:
    """k1 k2 p1 p2 k3 from Matlab's radial (2 or 3) and tangential (2) coefficients."""
    radial = numbers(fields["RDistort"], None, f"{where}: RDistort")
    tangential = numbers(fields["TDistort"], (2,), f"{where}: TDistort")
    if len(radial) not in (2, 3):
        raise FormatError(f"{where} has {len(radial)} radial coefficients, expected 2 or 3")
    return np.concatenate([radial[:2], tangential, radial[2:]])


def write_label3d(record: RigRecord, path: Path) -> None:
    """Write ``params`` and ``camnames`` as Label3D and DANNCE read them; unit, sizes and up have no place there.

    Raises
    ------
    FormatError
        A lens model that these tools do not know (fisheye, or more than five coefficients).
    """
    from scipy.io import savemat

    params, names = np.empty((len(record.cameras), 1), object), np.empty((1, len(record.cameras)), object)
    for i, camera in enumerate(record.cameras):
        k1, k2, p1, p2, k3 = np.concatenate([camera.distortion, np.zeros(5)])[:5]
        if camera.model != "pinhole" or np.any(camera.distortion[5:]):
            raise FormatError(
                f"the lens of camera '{camera.name}' ({camera.model}, {len(camera.distortion)} coefficients) has no"
                f" place in Label3D's files ({path}); it takes a pinhole lens of at most k1 k2 p1 p2 k3"
            )
        params[i, 0] = {
            "K": (camera.K + ONE_BASED).T,
            "r": camera.R.T,
            "t": camera.t.reshape(1, 3),
            "RDistort": np.array([[k1, k2, k3]]),
            "TDistort": np.array([[p1, p2]]),
        }
        names[0, i] = camera.name
    with atomic_write(path) as partial, partial.open("wb") as stream:
        savemat(stream, {"params": params, "camnames": names})
