"""2D files read by windows of time: the views are those of the files read whole, and what is wrong is named."""

import numpy as np
import pytest
import xarray as xr

from muybridge.formats import FormatError, read_views
from muybridge.formats.predictions.long_recordings import long_tables, windowed_views
from muybridge.formats.predictions.long_recordings.windowed_views import views_in_windows
from muybridge.formats.tables.deeplabcut_csv import write_deeplabcut_csv
from muybridge.formats.tables.frame_rows import PointTable
from muybridge.formats.tables.pandas_h5_writing import write_pandas_h5
from tests.formats.pandas_files import write_table_format

COLUMNS = [("net", name, value) for name in ("nose", "tail") for value in ("x", "y", "likelihood")]


@pytest.fixture(autouse=True)
def _short_windows(monkeypatch):
    monkeypatch.setattr(windowed_views, "LONG", 0)
    for module in (long_tables, windowed_views):
        monkeypatch.setattr(module, "WINDOW", 10)
    monkeypatch.setattr(long_tables, "_SAMPLE", 8)


def write(path, n_frames=40, frames=None, change=None):
    values = np.random.default_rng(n_frames).uniform(0, 1, (n_frames, 6)) * ([200, 100, 1] * 2)
    values[3, :3] = np.nan
    if change is not None:
        change(values)
    table = PointTable(COLUMNS, values, np.arange(n_frames) if frames is None else frames)
    (write_deeplabcut_csv if path.suffix == ".csv" else write_pandas_h5)(table, path)
    return path


def both(folder, sources, **options):
    """The views in windows, joined, and those of the files read whole."""
    read = views_in_windows(sources, folder, fps=50, **options)
    pieces = list(read.pieces)
    whole = read_views(sources, fps=50, **options)
    assert len(pieces) > 1
    assert read.n_frames == whole.sizes["time"]
    return xr.concat(pieces, "time", data_vars="minimal"), whole, pieces[0].attrs


@pytest.mark.parametrize("suffix", [".csv", ".h5"])
@pytest.mark.parametrize("n_frames", [40, 43])
def test_windows_give_the_views_of_the_whole(tmp_path, suffix, n_frames):
    sources = {c: write(tmp_path / f"{c}{suffix}", n_frames) for c in ("top", "side")}
    in_windows, whole, attributes = both(tmp_path, sources, keypoints=["tail", "nose"])
    xr.testing.assert_equal(in_windows, whole)
    assert attributes == whole.attrs
    assert {path.suffix for path in tmp_path.iterdir()} == {suffix}


def test_frames_without_a_row_and_ends_that_lack_are_missing(tmp_path):
    frames = np.r_[1:15, 32:58]
    sources = {"top": write(tmp_path / "top.csv", 40, frames), "side": write(tmp_path / "side.h5", 25)}
    in_windows, whole, _ = both(tmp_path, sources, pad=True)
    xr.testing.assert_equal(in_windows, whole)
    with pytest.raises(FormatError, match="differ in their number of frames"):
        views_in_windows(sources, tmp_path, fps=50)


def test_pytables_records_are_read_by_windows(tmp_path):
    values = np.random.default_rng(0).uniform(0, 1, (25, 6))
    path = tmp_path / "top.h5"
    write_table_format(path, COLUMNS, values, np.arange(25))
    in_windows, whole, _ = both(tmp_path, {"top": path})
    xr.testing.assert_equal(in_windows, whole)


def test_a_cropped_part_is_told_by_all_of_the_file(tmp_path):
    """The points of the first windows lie in both the part and the picture."""
    (tmp_path / "config.yaml").write_text("cropping: true\nx1: 50\nx2: 260\ny1: 20\ny2: 130\n")
    in_windows, whole, attributes = both(tmp_path, {"top": write(tmp_path / "topDLC_net.csv")})
    xr.testing.assert_equal(in_windows, whole)
    assert "corner (50, 20)" in attributes["notes"] == whole.attrs["notes"]

    def leave(values):
        values[20:, :2] += 500

    in_windows, whole, attributes = both(tmp_path, {"top": write(tmp_path / "sideDLC_net.csv", change=leave)})
    xr.testing.assert_equal(in_windows, whole)
    assert "notes" not in attributes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda values: values.__setitem__((35, 2), 40), "likelihood goes from"),
        (lambda values: values.__setitem__((slice(None), [2, 5]), 0), "likelihood is 0 everywhere"),
        (lambda values: values.__setitem__((35, 0), 1e308), r"top\.csv has the coordinate 1e\+308"),
    ],
)
def test_what_is_wrong_in_one_window_is_one_sentence(tmp_path, change, message):
    with pytest.raises(FormatError, match=message):
        list(views_in_windows({"top": write(tmp_path / "top.csv", change=change)}, tmp_path, fps=50).pieces)


def test_a_window_without_likelihoods_is_no_fault(tmp_path):
    def hide(values):
        values[10:20, [2, 5]] = 0

    in_windows, whole, _ = both(tmp_path, {"top": write(tmp_path / "top.csv", change=hide)})
    xr.testing.assert_equal(in_windows, whole)


def test_a_bad_cell_is_named_with_its_row(tmp_path):
    path = write(tmp_path / "top.csv")
    lines = path.read_text().splitlines()
    lines[3 + 25] = "25,odd" + lines[3 + 25][lines[3 + 25].index(",", 3) :]
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(FormatError, match="row 29: 'nose/x' is 'odd'"):
        views_in_windows({"top": path}, tmp_path, fps=50)


def test_rows_in_disorder_are_read_whole(tmp_path):
    assert views_in_windows({"top": write(tmp_path / "a.csv", frames=np.arange(40)[::-1])}, tmp_path, fps=50) is None
