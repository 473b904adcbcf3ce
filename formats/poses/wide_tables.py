"""Every variable of a dataset over time as a wide table: a row per frame, a column per name and coordinate.

Columns are NAME_x, NAME_y, NAME_z of positions, and NAME_VARIABLE of others, with their coordinates behind a point:
nose_confidence, nose_velocity.x, nose_covariance.xy, left_knee_angle_std. In Parquet the file's metadata keeps units,
names and attributes, so that the dataset comes back as it was; a CSV has the numbers alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...datasets.atomic_files import atomic_write
from ..files import FormatError, check_size, need_extra
from ..tables.table_writing import write_table
from .csv_tables import single_animal

_METADATA = b"muybridge"
_SPACES = ("space", "space_")


def columns_of(dataset: xr.Dataset) -> dict[str, NDArray]:
    """{column name: (n_frames,) values}, ``time`` first.

    Raises
    ------
    FormatError
        Two columns would have one name.
    """
    columns = {"time": np.asarray(dataset["time"].values, float)}
    for name, variable in _over_time(dataset):
        for column, values in _columns(name, variable, dataset):
            if column in columns:
                raise FormatError(f"two columns would be named '{column}'; rename a keypoint or joint")
            columns[column] = values
    return columns


def _over_time(dataset: xr.Dataset) -> Iterator[tuple[str, xr.DataArray]]:
    for name, variable in dataset.data_vars.items():
        if "time" in variable.dims:
            yield str(name), variable.transpose("time", ...)


def _columns(name: str, variable: xr.DataArray, dataset: xr.Dataset) -> Iterator[tuple[str, NDArray]]:
    dims = variable.dims[1:]
    labels = [[str(label) for label in dataset[dim].values] for dim in dims]
    n_before = sum(dim not in _SPACES for dim in dims)
    middle = [] if name == "position" else [name]
    flat = variable.values.reshape(len(variable), -1)
    for i, own in enumerate(product(*labels)):
        place = "".join(own[n_before:])
        column = "_".join([*own[:n_before], *middle]) + (place and f"{'.' if middle else '_'}{place}")
        yield column, flat[:, i].astype(float) if flat.dtype == bool else flat[:, i]


def write_csv(dataset: xr.Dataset, path: Path) -> None:
    """Write all variables over time as a CSV; every number to the last bit, NaN as an empty cell.

    Of covariances the columns xx, xy, xz, yy, yz and zz are written; the others equal them.

    Raises
    ------
    FormatError
        Several individuals.
    """
    columns = columns_of(single_animal(dataset, "a CSV"))
    mirrored = {name: f"{name[:-2]}{name[-1]}{name[-2]}" for name in columns if name[-3:] in (".yx", ".zx", ".zy")}
    same = {name for name, other in mirrored.items() if np.array_equal(columns[name], columns[other], equal_nan=True)}
    write_table(path, {name: values for name, values in columns.items() if name not in same})


def write_parquet(dataset: xr.Dataset, path: Path) -> None:
    """Write all variables over time as Parquet, with units, names, attributes and the other variables as metadata.

    Raises
    ------
    FormatError
        `pyarrow` is not installed.
    """
    arrow, parquet = (need_extra(name, "parquet", f"writing {path}") for name in ("pyarrow", "pyarrow.parquet"))
    described = {
        "coords": {
            str(dim): _listed(dataset[dim].values) for dim in dataset.dims if dim in dataset.coords and dim != "time"
        },
        "attrs": _plain(dataset.attrs),
        "time": _plain(dataset["time"].attrs),
        "variables": {
            str(name): {
                "dims": list(map(str, variable.dims)),
                "dtype": variable.dtype.str,
                "attrs": _plain(variable.attrs),
            }
            | ({} if "time" in variable.dims else {"values": _listed(variable.values)})
            for name, variable in dataset.data_vars.items()
        },
    }
    columns = columns_of(dataset)
    table = arrow.table(list(columns.values()), names=list(columns))
    table = table.replace_schema_metadata({_METADATA: json.dumps(described).encode("utf-8")})
    with atomic_write(path) as partial:
        parquet.write_table(table, partial)


def _listed(values: NDArray) -> list:
    return values.tolist() if values.dtype.kind in "fiub" else np.vectorize(str, otypes=[object])(values).tolist()


def _plain(attributes: dict) -> dict:
    """Attributes as JSON holds them; arrays become lists."""
    return {
        str(name): value.tolist() if isinstance(value, np.ndarray | np.generic) else value
        for name, value in attributes.items()
        if isinstance(value, str | int | float | list | np.ndarray | np.generic)
    }


def read_parquet(path: Path, *, fps: float | None = None, unit: str | None = None) -> xr.Dataset:
    """Read a dataset that `write_parquet` wrote; it states its times and units itself.

    Raises
    ------
    FormatError
        `pyarrow` is not installed, the file is damaged, or another tool wrote it.
    """
    arrow, parquet = (need_extra(name, "parquet", f"reading {path}") for name in ("pyarrow", "pyarrow.parquet"))
    try:
        facts = parquet.read_metadata(path)
        check_size(8 * facts.num_rows * facts.num_columns, path.stat().st_size, path)
        texts = [field.name for field in parquet.read_schema(path) if not _is_number(arrow, field.type)]
        if texts:
            raise FormatError(f"{path}: its column '{texts[0]}' holds no numbers; muybridge did not write it")
        table = parquet.read_table(path)
        described = json.loads((table.schema.metadata or {})[_METADATA])
        columns = {name: table[name].to_numpy() for name in table.column_names}
        return _dataset(described, columns)
    except FormatError:
        raise
    except KeyError as error:
        raise FormatError(
            f"{path} was not written by muybridge, or lacks the column {error}; read it as CSV"
        ) from error
    except (OSError, ValueError, arrow.ArrowException) as error:
        raise FormatError(f"{path} cannot be read as Parquet ({error}); copy or make it again") from error


def _is_number(arrow: Any, kind: Any) -> bool:
    return arrow.types.is_floating(kind) or arrow.types.is_integer(kind) or arrow.types.is_boolean(kind)


def _dataset(described: dict, columns: dict[str, NDArray]) -> xr.Dataset:
    coords = {dim: np.asarray(labels) for dim, labels in described["coords"].items()}
    frame = xr.Dataset(coords={"time": ("time", columns["time"], described["time"]), **coords})
    for name, facts in described["variables"].items():
        dims = facts["dims"]
        shape = tuple(frame.sizes[dim] for dim in dims)
        if "values" in facts:
            values = np.asarray(facts["values"])
        else:
            moved = ["time", *(dim for dim in dims if dim != "time")]
            empty = xr.DataArray(np.empty([frame.sizes[dim] for dim in moved], object), dims=moved)
            held = [columns[column] for column, _ in _columns(name, empty, frame)]
            values = np.stack(held, axis=-1).reshape(empty.shape)
            values = xr.DataArray(values, dims=moved).transpose(*dims).values
        frame[name] = (dims, values.reshape(shape).astype(facts["dtype"]), facts["attrs"])
    return frame.assign_attrs(described["attrs"])
