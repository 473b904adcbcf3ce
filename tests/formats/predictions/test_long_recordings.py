"""2D files read by windows of time: the views are those of the files read whole, and what is wrong is named."""

import os
from unittest.mock import MagicMock, Mock

import h5py
import numpy as np
import pytest
import xarray as xr

from muybridge.datasets import combine_ensemble, size_limit, views_dataset, write_dataset
from muybridge.formats import FormatError, read_views, write_views
from muybridge.formats.predictions.long_recordings import kept_tracks, windowed_views
from muybridge.formats.predictions.long_recordings.windowed_views import views_in_windows
from muybridge.formats.tables import h5_arrays
from muybridge.formats.tables.deeplabcut_csv import write_deeplabcut_csv
from muybridge.formats.tables.frame_rows import PointTable
from muybridge.formats.tables.pandas_h5_writing import write_pandas_h5
from tests.formats.pandas_files import write_table_format

COLUMNS = [("net", name, value) for name in ("nose", "tail") for value in ("x", "y", "likelihood")]


@pytest.fixture(autouse=True)
def _short_windows(monkeypatch):
    monkeypatch.setattr(windowed_views, "LONG", 0)
    for module in (kept_tracks, windowed_views):
        monkeypatch.setattr(module, "WINDOW", 10)
    monkeypatch.setattr(kept_tracks, "_SAMPLE", 8)


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
    options = {"fps": 50} | options
    read = views_in_windows(sources, folder, **options)
    with read.held:
        pieces = list(read.pieces())
    whole = read_views(sources, **options)
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
        both(tmp_path, {"top": write(tmp_path / "top.csv", change=change)})


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


def test_rows_in_disorder_and_columns_of_several_cameras(tmp_path):
    in_windows, whole, _ = both(tmp_path, {"top": write(tmp_path / "a.csv", frames=np.arange(40)[::-1])})
    xr.testing.assert_equal(in_windows, whole)
    columns = [("eks", f"{name}_{c}", value) for c in "ab" for name in ("nose", "tail") for value in EKS]
    path = tmp_path / "all.csv"
    write_deeplabcut_csv(PointTable(columns, eks_values(len(columns)), np.arange(40)), path)
    in_windows, whole, _ = both(tmp_path, {"a": path, "b": path})
    compare_covariances(in_windows, whole)


EKS = ("x", "y", "likelihood", "x_ens_var", "y_ens_var")


def eks_values(n_columns):
    """Values of which some are not smoothed, and for ten frames none."""
    values = np.random.default_rng(n_columns).uniform(0.2, 1, (40, n_columns))
    values[20:30, 3::5] = values[20:30, 4::5] = np.nan
    return values


def compare_covariances(in_windows, whole):
    """Where nothing was smoothed they are of a sample's median variance; all else is equal."""
    xr.testing.assert_equal(in_windows.drop_vars("covariance"), whole.drop_vars("covariance"))
    own, expected = in_windows["covariance"], whole["covariance"]
    smoothed = np.delete(np.arange(40), np.arange(20, 30))
    xr.testing.assert_equal(own[:, smoothed], expected[:, smoothed])
    np.testing.assert_allclose(own, expected, atol=0.1)


def test_variances_of_eks_and_moving_parts_of_lightning_pose(tmp_path):
    for c in "ab":
        columns = [("eks", name, value) for name in ("nose", "tail") for value in EKS]
        write_deeplabcut_csv(PointTable(columns, eks_values(10), np.arange(40)), tmp_path / f"{c}.csv")
    boxes = np.column_stack([np.arange(40), np.arange(40) * 2 + 5, np.full(40, 20), np.full(40, 30)])
    (tmp_path / "a_bbox.csv").write_text("x,y,h,w\n" + "\n".join(",".join(map(str, row)) for row in boxes) + "\n")
    in_windows, whole, attributes = both(tmp_path, {c: tmp_path / f"{c}.csv" for c in "ab"})
    compare_covariances(in_windows, whole)
    assert "corner (0, 5)" in attributes["notes"] == whole.attrs["notes"]
    assert float(whole["position"][0, 39, 0, 0]) > 39


@pytest.mark.parametrize("name", ["sleap-h5", "openpose-json", "netcdf"])
def test_other_tools_files_give_the_views_of_the_whole(tmp_path, name):
    write_other(name, tmp_path)
    sources = {c: next(tmp_path.glob(f"{c}*")) for c in ("top", "side")}
    in_windows, whole, attributes = both(tmp_path, sources, individuals="numbered")
    xr.testing.assert_equal(in_windows, whole)
    assert attributes == whole.attrs
    assert ("individual" in whole.dims) == (name in ("sleap-h5", "openpose-json"))


def write_other(name, folder):
    """Files of two cameras, of two animals where the format has them: the second is seen late and by one camera."""
    rng, shape = np.random.default_rng(3), (2, 2, 43, 3, 2)
    points = rng.uniform(1, 200, shape)
    points[1, :, :12] = points[:, 1, 30:35] = np.nan
    points[1, 1, 20:] = np.nan
    one = name == "netcdf"
    views = views_dataset(
        points[0] if one else points, cameras=["top", "side"], keypoints=["nose", "ear", "tail"],
        times=np.arange(43) / 50, confidence=rng.uniform(0.1, 1, shape[1:-1] if one else shape[:-1]),
    )  # fmt: skip
    if not one:
        write_views(views, folder, format=name)
        return
    for c in ("top", "side"):
        write_dataset(views.sel(view=[c]), folder / f"{c}.nc")


def test_several_detectors_and_times_of_the_cameras_own(tmp_path):
    lengths = {"top": 43, "side": 40}
    sources = {c: [write(tmp_path / f"{c}{i}.csv", n) for i in range(3)] for c, n in lengths.items()}
    times = {"top": np.delete(np.arange(45), [11, 26]) / 50, "side": np.arange(2, 42) / 50}
    in_windows, whole, attributes = both(tmp_path, sources, fps=None, times=times)
    assert whole["position"].dims[0] == "detector"
    xr.testing.assert_equal(in_windows, whole)
    assert attributes == whole.attrs
    windows = views_in_windows(sources, tmp_path, fps=50, pad=True)
    with windows.held:
        like = windows.spread()
        parts = xr.concat([combine_ensemble(piece, like=like) for piece in windows.pieces()], "time")
    xr.testing.assert_allclose(parts, combine_ensemble(read_views(sources, fps=50, pad=True)))


def test_a_full_disk_is_named_with_the_folder(tmp_path, monkeypatch):
    full = Mock(seek=Mock(return_value=0), write=Mock(side_effect=OSError(28, "No space left on device")))
    monkeypatch.setattr(windowed_views.tempfile, "TemporaryFile", lambda dir: MagicMock(__enter__=lambda own: full))
    with pytest.raises(FormatError, match=r"kept in .* \(No space left on device\).*TMPDIR"):
        views_in_windows({"top": write(tmp_path / "top.csv")}, None, fps=50)


def test_a_file_that_is_held_whole_is_refused_by_its_size(tmp_path, monkeypatch):
    write_other("netcdf", tmp_path)
    monkeypatch.setattr(size_limit, "available_memory", lambda: 1e3)
    monkeypatch.setenv(size_limit.LIMIT, "0.00001")
    with pytest.raises(FormatError, match=r"held whole in memory, which takes some .* GB .*or convert it"):
        both(tmp_path, {"top": tmp_path / "top.nc"})


@pytest.mark.parametrize("suffix", [".analysis.h5", ".h5"])
def test_a_chunk_as_long_as_the_recording_is_unpacked_once(tmp_path, monkeypatch, suffix):
    """A small file of one compressed chunk took as often as long as it has windows."""
    if suffix == ".h5":
        path = write(tmp_path / "top.h5")
    else:
        points = np.random.default_rng(0).uniform(0, 90, (1, 40, 2, 2))
        write_views(views_dataset(points, cameras=["top"], keypoints=["nose", "tail"], times=np.arange(40) / 50),
                    tmp_path, format="sleap-h5")  # fmt: skip
        (path,) = tmp_path.glob("*.h5")
    arrays = set()
    with h5py.File(path, "r+") as file:
        names: list[str] = []
        file.visititems(lambda name, node: names.append(name) if isinstance(node, h5py.Dataset) and node.size else None)
        for name in [name for name in names if 40 in file[name].shape]:
            values, attributes = file[name][()], dict(file[name].attrs)
            del file[name]
            file.create_dataset(name, data=values, chunks=values.shape, compression="gzip").attrs.update(attributes)
            arrays.add(name)
    reads, read = [], h5_arrays.own_array
    monkeypatch.setattr(h5_arrays, "own_array", lambda *given: reads.append(given[1]) or read(*given))
    in_windows, whole, _ = both(tmp_path, {"top": path})
    xr.testing.assert_equal(in_windows, whole)
    assert arrays
    assert max(map(reads.count, reads)) <= 3  # once by windows, once at their end, once whole


def test_a_file_that_changes_while_it_is_read_is_named(tmp_path, monkeypatch):
    """HDF5 gives zeros for what was cut off meanwhile."""
    path, placed = write(tmp_path / "top.h5", 400), kept_tracks.placement

    def cut(*given):
        os.truncate(path, path.stat().st_size - 100)
        return placed(*given)

    monkeypatch.setattr(kept_tracks, "placement", cut)
    with pytest.raises(FormatError, match=r"top\.h5 had \d+ bytes and has \d+ now"):
        views_in_windows({"top": path}, tmp_path, fps=50)
