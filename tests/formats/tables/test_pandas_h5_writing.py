"""The h5 that h5py writes is the one that pandas wrote: read_hdf gives the table back, and so does the own reader."""

import numpy as np
import pandas as pd
import pytest

from muybridge.formats.tables.frame_rows import PointTable
from muybridge.formats.tables.pandas_h5 import read_pandas_h5
from muybridge.formats.tables.pandas_h5_writing import write_pandas_h5

COLUMNS = [("me", keypoint, axis) for keypoint in ("tail", "nose", "öhr") for axis in "xy"]
ANIMALS = [("me", animal, keypoint, axis) for animal in ("b", "a") for keypoint in ("tail", "nose") for axis in "xy"]
PICTURES = np.array([f"labeled-data/cam 1/img{i:03d}.png" for i in (7, 3)], dtype=object)


@pytest.mark.parametrize("columns", [COLUMNS, ANIMALS])
@pytest.mark.parametrize("index", [np.array([4, 9]), PICTURES])
def test_pandas_opens_what_was_written(tmp_path, columns, index):
    pytest.importorskip("tables", reason="pandas.read_hdf needs PyTables")
    values = np.random.default_rng(0).normal(size=(2, len(columns)))
    values[1, 3] = np.nan
    write_pandas_h5(PointTable(columns, values, index), tmp_path / "a.h5")
    table = pd.read_hdf(tmp_path / "a.h5")  # noqa: TID251 - the file is our own, and this is what labellers call
    assert list(table.columns) == columns
    assert table.columns.names == ["scorer", *(["individuals"] if len(columns[0]) == 4 else []), "bodyparts", "coords"]
    np.testing.assert_array_equal(table.to_numpy(), values)
    rows = ["/".join(row) for row in table.index] if index.dtype == object else table.index.tolist()
    assert rows == index.tolist()


@pytest.mark.parametrize("index", [np.array([4, 9]), PICTURES])
def test_the_own_reader_gives_the_table_back(tmp_path, index):
    values = np.random.default_rng(0).normal(size=(2, len(COLUMNS)))
    write_pandas_h5(PointTable(COLUMNS, values, index), tmp_path / "a.h5")
    again = read_pandas_h5(tmp_path / "a.h5")
    assert again.columns == COLUMNS
    np.testing.assert_array_equal(again.values, values)
    assert again.index.tolist() == index.tolist()
