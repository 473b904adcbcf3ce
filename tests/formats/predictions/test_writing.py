"""2D points go to other tools' files and come back: points, NaN, names, their order, individuals, frame numbers."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from muybridge.datasets import views_dataset
from muybridge.formats import FormatError, read_views, write_views
from muybridge.formats.catalogue import formats_of

FORMATS = [row.name for row in formats_of("views", written=True) if row.name not in ("netcdf", "nwb")]
NAMES = ("tail base", "nose", 'l"eft, paw')


def make_views(n_individuals=0, n_frames=7, names=NAMES, seed=0):
    rng = np.random.default_rng(seed)
    points = rng.uniform(1, 1000, (max(n_individuals, 1), 2, n_frames, len(names), 2))
    points[:, :, 3, 1] = np.nan
    if n_individuals:
        points[0, :, 2] = np.nan  # the first is not there, which must not make the second the first
    confidence = rng.uniform(0.1, 1, points.shape[:-1]) * np.isfinite(points[..., 0])
    if not n_individuals:
        points, confidence = points[0], confidence[0]
    views = views_dataset(points, cameras=["top", "side 2"], keypoints=names, times=np.arange(n_frames) / 50,
                          confidence=confidence)  # fmt: skip
    return views.assign_coords(individual=["b", "a"]) if n_individuals else views


def read_again(views, paths, **options):
    sources = dict(zip(map(str, views["view"].values), paths, strict=True))
    return read_views(sources, times=views["time"].values, **options)


def assert_same(again, views):
    for variable in ("position", "confidence"):
        np.testing.assert_array_equal(again[variable].values, views[variable].values)
    for names in ("view", "keypoint"):
        assert again[names].values.tolist() == views[names].values.tolist()


@pytest.mark.parametrize("format", FORMATS)
def test_points_come_back_to_the_last_bit(tmp_path, format):
    views = make_views()
    paths = write_views(views, tmp_path, format=format)
    assert_same(
        read_again(views, paths) if format != "openpose-json" else unnamed(read_again(views, paths), views), views
    )
    assert len(paths) == 2


def unnamed(again, views):
    """OpenPose's files hold no names of keypoints."""
    return again.assign_coords(keypoint=views["keypoint"].values)


@pytest.mark.parametrize("format", FORMATS)
def test_individuals_come_back(tmp_path, format):
    views = make_views(n_individuals=2)
    again = read_again(views, write_views(views, tmp_path, format=format))
    if format == "openpose-json":
        again = unnamed(again, views).assign_coords(individual=["b", "a"])
    assert_same(again, views)
    assert again["individual"].values.tolist() == ["b", "a"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(st.one_of(st.floats(-1e6, 1e6), st.just(np.nan)), min_size=2, max_size=6),
       format=st.sampled_from([name for name in FORMATS if name != "openpose-json"]))  # fmt: skip
def test_any_numbers_come_back(tmp_path, values, format):
    points = np.array([[[[value, 1.5]] for value in values]])
    times = np.arange(len(values)) / 100
    views = views_dataset(points, cameras=["a"], keypoints=["nose"], times=times)
    assert_same(read_again(views, write_views(views, tmp_path, format=format)), views)


@pytest.mark.parametrize("format", ["deeplabcut-csv", "deeplabcut-h5", "sleap-h5", "openpose-json"])
def test_a_camera_without_a_frame_has_a_gap(tmp_path, format):
    views = make_views(names=("a", "b", "c")).isel(time=slice(0, 3))
    views = views.assign(frame=(("view", "time"), np.array([[0, 2, 3], [0, -1, 1]])))
    top, side = write_views(views, tmp_path, format=format)
    one = read_views({"top": top}, fps=50)["position"].values[0]
    np.testing.assert_array_equal(one[[0, 2, 3]], views["position"].values[0])
    assert np.isnan(one[1]).all()
    assert read_views({"side": side}, fps=50).sizes["time"] == 2


def test_one_netcdf_holds_all(tmp_path):
    views = make_views(n_individuals=2)
    (path,) = write_views(views, tmp_path, format="netcdf")
    assert read_views(path)["position"].identical(views["position"])


def test_what_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(FormatError, match="no format 'coco'"):
        write_views(make_views(), tmp_path, format="coco")
    with pytest.raises(FormatError, match="'a/b' cannot be a file's"):
        write_views(make_views().assign_coords(view=["a/b", "c"]), tmp_path)
    with pytest.raises(FormatError, match="several detectors"):
        write_views(make_views().expand_dims(detector=["a", "b"]), tmp_path)
