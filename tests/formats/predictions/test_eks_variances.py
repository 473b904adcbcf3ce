"""Variances that EKS states for each point are the covariances of the views."""

import numpy as np
import pytest

from muybridge.formats import read_views
from muybridge.formats.tables.frame_rows import PointTable
from muybridge.formats.tables.pandas_h5_writing import write_pandas_h5

COORDINATES = ("x", "y", "likelihood", "x_ens_var", "y_ens_var", "x_posterior_var", "y_posterior_var")


def write(path, coordinates=COORDINATES, empty=False):
    columns = [("net", name, coordinate) for name in ("nose", "tail") for coordinate in coordinates]
    values = np.arange(5 * len(columns), dtype=float).reshape(5, -1) / 100 + 0.01
    if empty:
        values[2] = np.nan
    if path.suffix == ".h5":
        write_pandas_h5(PointTable(columns, values, np.arange(5)), path)
    else:
        header = [[row, *(column[i] for column in columns)] for i, row in enumerate(("scorer", "bodyparts", "coords"))]
        rows = [[str(i), *("" if np.isnan(v) else repr(float(v)) for v in row)] for i, row in enumerate(values)]
        path.write_text("\n".join(",".join(row) for row in header + rows) + "\n")
    return values.reshape(5, 2, -1)


@pytest.mark.parametrize("suffix", [".csv", ".h5"])
@pytest.mark.parametrize(("left_out", "used"), [(0, 5), (2, 3)])
def test_the_smoothers_variances_or_else_the_detectors_are_read(tmp_path, suffix, left_out, used):
    names = COORDINATES[: len(COORDINATES) - left_out]
    values = [write(tmp_path / f"{camera}{suffix}", names) for camera in ("a", "b")]
    views = read_views({camera: tmp_path / f"{camera}{suffix}" for camera in ("a", "b")}, fps=30.0)
    found = views["covariance"].transpose("view", "time", "keypoint", "space", "space_").values
    assert np.array_equal(found[..., 0, 0], np.stack([own[..., used] for own in values]))
    assert np.array_equal(found[..., 1, 1], np.stack([own[..., used + 1] for own in values]))
    assert not found[..., 0, 1].any()


def test_a_row_without_a_variance_has_the_cameras_median(tmp_path):
    values = write(tmp_path / "a.csv", empty=True)
    views = read_views({"a": tmp_path / "a.csv"}, fps=30.0)
    assert float(views["covariance"].values[0, 2, 0, 0, 0]) == np.nanmedian(values[..., 5:])


def test_cameras_of_which_one_states_no_variances_have_no_covariances(tmp_path):
    write(tmp_path / "a.csv")
    write(tmp_path / "b.csv", COORDINATES[:3])
    views = read_views({camera: tmp_path / f"{camera}.csv" for camera in ("a", "b")}, fps=30.0)
    assert "covariance" not in views
