import numpy as np
import pytest
import xarray as xr

from muybridge.datasets import (
    DatasetError,
    content_hash,
    frame_times,
    read_dataset,
    views_dataset,
    with_provenance,
    write_dataset,
)
from muybridge.datasets.netcdf import declared_bytes, opened_dataset


def some_views():
    points_2d = np.random.default_rng(0).uniform(0, 100, (2, 5, 3, 2))
    points_2d[0, 1, 2] = np.nan
    return views_dataset(points_2d, cameras=["a", "b"], keypoints=["näse", "neck", "tail"], times=frame_times(5, 50))


def test_netcdf_gives_back_values_names_and_attributes(tmp_path):
    views = with_provenance(some_views(), "predict", {"batch": 4}, {"video": "abc"})
    back = read_dataset(write_dataset(views, tmp_path / "views.nc"))
    xr.testing.assert_identical(back, views)


def test_a_failed_write_leaves_the_old_file_and_no_partial_one(tmp_path):
    path = write_dataset(some_views(), tmp_path / "views.nc")
    before = path.read_bytes()
    with pytest.raises(TypeError):
        write_dataset(some_views().assign_attrs(bad={"a": object()}), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["views.nc"]


def test_missing_and_truncated_files_are_named(tmp_path):
    with pytest.raises(DatasetError, match=r"no dataset file .*absent\.nc"):
        read_dataset(tmp_path / "absent.nc")
    path = write_dataset(some_views(), tmp_path / "views.nc")
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(DatasetError, match=r"views\.nc cannot be read"):
        read_dataset(path)


def test_the_content_hash_follows_content_not_place(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    for folder in ("one", "two"):
        (tmp_path / folder / "a.txt").write_text("same")
    assert content_hash(tmp_path / "one") == content_hash(tmp_path / "two")
    (tmp_path / "two" / "a.txt").write_text("other")
    assert content_hash(tmp_path / "one") != content_hash(tmp_path / "two")


def test_files_of_this_library_are_read_as_xarray_reads_them(tmp_path):
    """Text, numbers, truth values, gaps, single numbers, dimensions without coordinates; and files with groups."""
    dataset = xr.Dataset(
        {
            "position": (("time", "keypoint", "space"), np.arange(12.0).reshape(2, 2, 3), {"units": "mm"}),
            "stance": ("time", np.array([True, False])),
            "state": (("time", "keypoint"), np.array([["a", "bé"], ["", "c"]])),
            "n": ("time", np.array([1, 2], np.int16), {"shares": [0.5, 1.0], "names": ["x", "y"]}),
            "order": 2,
        },
        {"time": [0.0, 0.1], "keypoint": ["nose", "tail"], "frame": ("time", [4, 5])},
        {"up": [0.0, 0.0, 1.0], "step": "predict", "every": 3},
    )
    dataset["position"][1, 0] = np.nan
    own, other = write_dataset(dataset, tmp_path / "own.nc"), tmp_path / "other.nc"
    dataset.to_netcdf(other, engine="h5netcdf", group="part")
    dataset.rename(n="m").to_netcdf(other, engine="h5netcdf", mode="a")
    for path in (own, other):
        found, expected = read_dataset(path), xr.load_dataset(path, engine="h5netcdf", decode_times=False)
        assert found.identical(expected.assign_coords(keypoint=expected["keypoint"].astype(str)))
        assert list(found.data_vars) == list(expected.data_vars)
        assert {name: found[name].dtype.kind for name in found} == {name: expected[name].dtype.kind for name in found}
    with opened_dataset(own) as opened:
        assert opened.identical(read_dataset(own))
    assert declared_bytes(own) >= dataset["position"].nbytes
