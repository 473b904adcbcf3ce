"""`muybridge collect`: strides, angles and speeds of many sessions, one table each, written session by session."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...datasets.atomic_files import atomic_write
from ...datasets.individuals import each_individual
from ...datasets.names import nearest
from ...datasets.netcdf import read_attributes
from ...formats.tables.table_writing import check_cell
from ..config import Session, SessionError, read_session
from ..steps.kinematics import read_strides

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

_FRAMES = 50_000  # of a session that are in memory at a time
_MEASURES = {"angles": ("angle", "joint"), "speeds": ("speed", "keypoint")}  # table: (variable, its names)
_OWN_STD = "angle_std"
_TEXT = ("session", "animal", "unit", "limb", "gait", "joint", "keypoint")  # columns of text; all others are numbers


def collect_sessions(paths: Sequence[Path], folder: Path, *, format: str = "parquet") -> Iterator[str]:
    """Write strides, angles and speeds of the sessions; yields a line per file, and per session that is left out.

    Every table has the columns session and animal; lengths and speeds are in the session's world unit, the column unit,
    angles in radians, times in seconds.

    Raises
    ------
    SessionError : the format is unknown, its extra is not installed, or no session has results
    """
    if format not in _WRITERS:
        raise SessionError(f"there is no table format '{format}'{nearest(format, _WRITERS)}; known: {[*_WRITERS]}")
    sessions, left_out = [], []
    for path in paths:
        try:
            session = read_session(path)
        except (ValueError, OSError) as error:
            left_out.append(f"left out: {error}")
            continue
        if _motion_file(session).is_file():
            sessions.append(session)
        else:
            left_out.append(f"left out: {path}: no kinematics yet; run 'muybridge run {path}' first")
    if not sessions:
        raise SessionError("; ".join(["no session has results to collect", *left_out[:3]]))
    yield from left_out
    with ExitStack() as stack:
        writers = {name: _WRITERS[format](stack, folder / f"{name}.{format}") for name in ("strides", *_MEASURES)}
        for session, name in zip(sessions, _names(sessions), strict=True):
            for table, part in _tables(session):
                columns = {"session": name, "animal": part.pop("animal"), **part}
                writers[table].add(columns)
    units = sorted(set(map(_unit, sessions)))
    if len(units) > 1:
        yield f"note: the sessions are in different units, {', '.join(units)}: see the column unit"
    for writer in writers.values():
        yield f"wrote {writer.path} ({writer.n_rows} rows of {len(sessions)} sessions)"


def _names(sessions: Sequence[Session]) -> list[str]:
    """The sessions' names; where two have the same, the paths of their files below the folder of all."""
    names = [session.name for session in sessions]
    if max(Counter(names).values()) == 1:
        return names
    root = os.path.commonpath([session.folder for session in sessions])
    return [session.path.relative_to(root).as_posix() for session in sessions]


def _unit(session: Session) -> str:
    """The unit of a session's lengths, as its results state it: that of a rig file need not stand in session.toml."""
    return str(read_attributes(_motion_file(session))["position_units"])


def _motion_file(session: Session) -> Path:
    return session.output / "kinematics.nc"


def _tables(session: Session) -> Iterator[tuple[str, dict[str, Any]]]:
    """(table, columns) of a session, a stretch of time after the other."""
    import xarray as xr

    strides = read_strides(session)
    if strides is not None:
        animal = strides.pop("individual") if "individual" in strides else session.animal
        yield "strides", {"animal": animal, "unit": _unit(session), **strides}
    with xr.open_dataset(_motion_file(session), engine="h5netcdf", decode_times=False) as motion:
        unit = str(motion.attrs["position_units"])
        for animal, own in each_individual(motion):
            for start in range(0, motion.sizes["time"], _FRAMES):
                part = own.isel(time=slice(start, start + _FRAMES))
                for table, (variable, dim) in _MEASURES.items():
                    if variable in part:
                        yield table, {"animal": animal or session.animal, **_long(part, variable, dim, unit)}


def _long(part: xr.Dataset, variable: str, dim: str, unit: str) -> dict[str, Any]:
    """One row per frame and joint or keypoint."""
    values, names = part[variable].transpose("time", dim).values, part[dim].values.astype(str)
    columns: dict[str, Any] = {} if variable == "angle" else {"unit": unit}
    columns |= {"time": np.repeat(part["time"].values, len(names)), dim: np.tile(names, len(values))}
    columns[variable] = values.ravel()
    if variable == "angle":
        std = part[_OWN_STD].transpose("time", dim).values if _OWN_STD in part else np.full(values.shape, np.nan)
        columns[_OWN_STD] = std.ravel()
    return columns


def _frame(columns: dict[str, Any]) -> pd.DataFrame:
    import pandas as pd

    table = pd.DataFrame(columns)
    return table.astype({name: str if name in _TEXT else float for name in table.columns})


class _Csv:
    """A CSV file that grows by tables; written whole or not at all."""

    def __init__(self, stack: ExitStack, path: Path):
        self.path, self.n_rows, self.header = path, 0, True
        self.file = stack.enter_context(stack.enter_context(atomic_write(path)).open("w", encoding="utf-8", newline=""))

    def add(self, columns: dict[str, Any]) -> None:
        table = _frame(columns)
        for name in (name for column in _TEXT if column in table for name in table[column].unique()):
            check_cell(str(name))
        table.to_csv(self.file, index=False, header=self.header, lineterminator="\n")
        self.header = False
        self.n_rows += len(table)


class _Parquet:
    """A Parquet file that grows by tables, a row group each; names are stored once."""

    def __init__(self, stack: ExitStack, path: Path):
        try:
            import pyarrow as pa
            import pyarrow.parquet
        except ModuleNotFoundError as error:
            raise SessionError("Parquet needs pyarrow: pip install 'muybridge[parquet]', or give --to csv") from error
        self.path, self.n_rows, self.pa, self.writer = path, 0, pa, None
        self.partial = stack.enter_context(atomic_write(path))
        stack.callback(self.close)

    def add(self, columns: dict[str, Any]) -> None:
        table = self.pa.Table.from_pandas(_frame(columns), preserve_index=False)
        if self.writer is None:
            self.writer = self.pa.parquet.ParquetWriter(self.partial, table.schema)
        self.writer.write_table(table.cast(self.writer.schema))
        self.n_rows += len(table)

    def close(self) -> None:
        if self.writer is None:
            self.pa.parquet.write_table(self.pa.table({"session": [], "animal": []}), self.partial)
        else:
            self.writer.close()


_WRITERS: dict[str, Callable[[ExitStack, Path], _Csv | _Parquet]] = {"parquet": _Parquet, "csv": _Csv}
