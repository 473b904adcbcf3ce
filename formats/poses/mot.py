"""MOT, OpenSim's table of joint angles over time, in radians or degrees."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from ..files import FormatError, check_size
from ..tables.table_writing import write_table

_HEADER_END = "endheader"


def write_mot(kinematics: xr.Dataset, path: Path) -> None:
    """Write the angles in radians (``inDegrees=no``); standard deviations and velocities have no place.

    Raises
    ------
    FormatError
        There are no angles, several individuals, or a joint's name holds a tab or blank.
    """
    if "angle" not in kinematics:
        raise FormatError(f"there are no angles to write in {path}; name joints under [joints]")
    if "individual" in kinematics["angle"].dims:
        raise FormatError("a MOT file holds one animal; write each kinematics.sel(individual=...)")
    joints = [str(name) for name in kinematics["joint"].values]
    bad = [name for name in joints if not name or len(name.split()) != 1]
    if bad:
        raise FormatError(f"MOT cannot hold the joint's name '{bad[0]}', which has a blank; rename it")
    angles = kinematics["angle"].transpose("time", "joint").values
    lines = [path.stem, "version=1", f"nRows={len(angles)}", f"nColumns={len(joints) + 1}", "inDegrees=no", _HEADER_END,
             "\t".join(["time", *joints])]  # fmt: skip
    columns = {"time": np.asarray(kinematics["time"].values, float)} | dict(zip(joints, angles.T, strict=True))
    write_table(path, columns, head="\n".join(lines) + "\n", separator="\t", missing="nan")


def read_mot(path: Path) -> xr.Dataset:
    """Read angles as a ``kinematics`` dataset in radians.

    Raises
    ------
    FormatError
        A part of the header is absent, or the rows are not those that it declares.
    """
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    end = next((i for i, line in enumerate(lines[:50]) if line.strip().lower() == _HEADER_END), None)
    if end is None or len(lines) < end + 2:
        raise FormatError(f"{path} has no header that ends with '{_HEADER_END}'; export it again")
    facts = dict(line.replace(" ", "").split("=", 1) for line in lines[:end] if "=" in line)
    names, rows = lines[end + 1].split(), [line for line in lines[end + 2 :] if line.strip()]
    if facts.get("nRows") != str(len(rows)) or facts.get("nColumns") != str(len(names)) or names[:1] != ["time"]:
        raise FormatError(
            f"{path} declares nRows={facts.get('nRows')}, nColumns={facts.get('nColumns')} and has {len(rows)} rows of"
            f" the columns {names[:3]}...; it is cut off or was changed: export it again"
        )
    check_size(8 * len(rows) * len(names), path.stat().st_size, path)
    values = np.empty((len(rows), len(names)))
    for i, row in enumerate(rows):
        try:
            values[i] = [float(cell) for cell in row.split()]
        except ValueError as error:
            raise FormatError(f"{path}, row {end + 3 + i} is not {len(names)} numbers ({error})") from error
    angles = np.deg2rad(values[:, 1:]) if facts.get("inDegrees", "yes").lower() == "yes" else values[:, 1:]
    return xr.Dataset(
        {"angle": (("time", "joint"), angles, {"units": "rad"})},
        {"time": ("time", values[:, 0], {"units": "s"}), "joint": names[1:]},
    )
