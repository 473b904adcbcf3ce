"""TRC, the marker trajectories of OpenSim and Pose2Sim: a header and one row per frame, separated by tabs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from ...datasets import fps_of, pose_dataset
from ...numerics.arrays import Array
from ..files import FormatError, check_size
from ..tables.table_writing import write_table
from .csv_tables import single_animal

_COUNTS = "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames"


def read_trc(path: Path, *, fps: float | None = None, unit: str | None = None) -> xr.Dataset:
    """Read the markers; times are the file's, or by `fps`. An empty cell is a missing point.

    Raises
    ------
    FormatError
        A part of the header is absent, or the rows are not those that it declares.
    """
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    counts, markers = _header(lines, path)
    rows = [line for line in lines[5:] if line.strip()]
    n_frames = int(counts["NumFrames"])
    if len(rows) != n_frames:
        raise FormatError(
            f"{path} has {len(rows)} rows where its header declares NumFrames {n_frames}: it is cut off, or was joined"
            " from several; make it again"
        )
    check_size(8 * n_frames * (2 + 3 * len(markers)), path.stat().st_size, path)
    numbers = np.array([_row(cells, 2 + 3 * len(markers), i, path) for i, cells in enumerate(rows)])
    points_3d = numbers[:, 2:].reshape(n_frames, -1, 3)
    times = numbers[:, 1] if fps is None else (numbers[:, 0] - 1) / fps
    return pose_dataset(points_3d, keypoints=markers, times=times, unit=unit or counts["Units"])


def _header(lines: list[str], path: Path) -> tuple[dict[str, str], list[str]]:
    """The counts of the second and third line, and the markers of the fourth."""
    if len(lines) < 5 or not lines[0].startswith("PathFileType"):
        raise FormatError(f"{path} does not begin with TRC's five header rows, PathFileType first; export it again")
    counts = dict(zip(lines[1].split(), lines[2].split(), strict=False))
    lacking = [name for name in ("NumFrames", "NumMarkers", "Units") if name not in counts]
    if lacking:
        raise FormatError(f"{path}: its header lacks {', '.join(lacking)}; export it again")
    markers = [name.strip() for name in lines[3].split("\t")[2:] if name.strip()]
    if not (counts["NumFrames"].isdigit() and counts["NumMarkers"] == str(len(markers))):
        raise FormatError(
            f"{path}: its header declares NumMarkers {counts['NumMarkers']} and NumFrames {counts['NumFrames']}, and"
            f" names {len(markers)} markers; export it again"
        )
    return counts, markers


def _row(line: str, n: int, i: int, path: Path) -> list[float]:
    cells = line.rstrip("\r\n").split("\t")
    cells = cells[:n] if len(cells) == n + 1 and not cells[n] else cells  # a tab behind the last cell
    try:
        numbers = [float(cell) if cell.strip() else np.nan for cell in cells]
    except ValueError as error:
        raise FormatError(f"{path}, row {i + 6}: {error}; every cell is a number or empty") from error
    if len(numbers) != n:
        raise FormatError(f"{path}, row {i + 6} has {len(numbers)} of {n} cells: it is cut off; copy or make it again")
    return numbers


def write_trc(pose: xr.Dataset, path: Path) -> None:
    """Write all frames; a missing point is three empty cells. Confidence and covariances have no place.

    Raises
    ------
    FormatError
        Several individuals, or a keypoint whose name holds a tab or is empty.
    """
    pose = single_animal(pose, "a TRC file")
    markers = [str(name) for name in pose["keypoint"].values]
    bad = [name for name in markers if not name.strip() or set(name) & set("\t\n\r")]
    if bad:
        raise FormatError(f"TRC cannot hold the keypoint's name {bad[0]!r}; rename it")
    position: Array = pose["position"].transpose("time", "keypoint", "space").values
    n_frames, rate = len(position), fps_of(pose)
    values = (rate, rate, n_frames, len(markers), pose["position"].attrs["units"], rate, 1, n_frames)
    head = [
        f"PathFileType\t4\t(X/Y/Z)\t{path.name}",
        _COUNTS,
        "\t".join(map(str, values)),
        "Frame#\tTime\t" + "\t\t\t".join(markers) + "\t\t",
        "\t\t" + "\t".join(f"{axis}{i}" for i in range(1, len(markers) + 1) for axis in "XYZ"),
    ]
    columns = {"Frame#": np.arange(1, n_frames + 1), "Time": np.asarray(pose["time"].values, float)}
    columns |= {str(i): own for i, own in enumerate(position.reshape(n_frames, -1).T)}
    write_table(path, columns, head="\n".join(head) + "\n\n", separator="\t")
