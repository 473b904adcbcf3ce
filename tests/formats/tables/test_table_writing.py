"""Compiled and plain text of a table are the same, to the last character, for every number."""

import numpy as np

from muybridge.formats.tables.table_writing import compiled_cells, plain_cells, write_table


def numbers():
    rng = np.random.default_rng(0)
    values = np.concatenate(
        [
            rng.integers(0, 2**64, 20_000, dtype=np.uint64).view(np.float64),
            10 ** rng.uniform(-6, 18, 10_000) * rng.choice([-1, 1], 10_000),
            np.round(rng.uniform(0, 1e4, 5000), 3),
            2.0 ** np.arange(-1074, 1024),
            [0.0, -0.0, 0.1, 1e-4, 1e-5, 1e15, 1e16, 1e17, 9007199254740993.0, 5e-324, 1.7976931348623157e308],
            [np.inf, -np.inf, np.nan, 2.2250738585072014e-308, 123456789012345680.0],
        ]
    )
    return values[: len(values) // 2 * 2].reshape(-1, 2)


def test_compiled_cells_are_those_of_repr():
    values = numbers()
    whole = np.arange(-5, len(values) - 5) * 10**9
    columns = [values[:, 0], whole, values[:, 1]]
    assert compiled_cells(columns, ",mm\n", ",") == plain_cells(columns, ",mm\n", ",")


def test_a_table_has_a_header_and_rows(tmp_path):
    columns = {"a,b": np.array([1.0, np.nan]), "n": np.array([3, -4])}
    write_table(tmp_path / "t.csv", columns, ending=",cm")
    assert (tmp_path / "t.csv").read_text() == '"a,b",n\n1.0,3,cm\n,-4,cm\n'
