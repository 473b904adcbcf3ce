"""Poses go to other tools' files and come back; what is wrong with a file is named with its row."""

from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from muybridge.datasets import fps_of, pose_dataset
from muybridge.formats import FormatError, read_pose, write_pose
from muybridge.formats.catalogue import format_of, formats_of
from tests.formats.predictions.test_other_tools import label3d_file
from tests.helpers import SHARED, needs_shared


def is_installed(extra):
    """Whether the package of an extra is there; NWB needs two."""
    packages = {"": "numpy", "nwb": "ndx_pose", "c3d": "ezc3d", "parquet": "pyarrow"}
    return find_spec(packages[extra]) is not None


BOTH = [row for row in formats_of("pose", written=True) if row.read and is_installed(row.extra)]
NAMES = ["tail base", "nose", "left_paw"]


def make_pose(n_frames=9, unit="mm", n_individuals=0, first=0.0):
    rng = np.random.default_rng(3)
    points_3d = rng.normal(0, 100, (max(1, n_individuals), n_frames, 3, 3))
    points_3d[:, 4, 1] = np.nan
    points_3d = points_3d if n_individuals else points_3d[0]
    return pose_dataset(points_3d, keypoints=NAMES, times=first + np.arange(n_frames) / 125, unit=unit)


def written(pose, folder, row):
    return write_pose(pose, folder / f"pose{row.ending or row.suffixes[0]}", format=row.name)


def kept(pose, row):
    """The points to the precision that a format has."""
    points_3d = pose["position"].values
    return points_3d.astype(np.float32) if row.name == "c3d" else points_3d


def read_again(path, row, pose, **options):
    fps = 125.0 if row.name in ("sleap-anipose-h5",) else None
    unit = str(pose["position"].attrs["units"]) if row.name in ("csv", "csv-all", "sleap-anipose-h5") else None
    names = pose["keypoint"].values.tolist() if row.unnamed else None
    return read_pose(path, **{"fps": fps, "unit": unit, "keypoints": names} | options)


@pytest.mark.parametrize("row", BOTH, ids=lambda row: row.name)
def test_a_pose_comes_back_with_nan_names_order_and_frame_rate(tmp_path, row):
    pose = make_pose(unit="m")
    again = read_again(written(pose, tmp_path, row), row, pose)
    np.testing.assert_array_equal(again["position"].values, kept(pose, row))
    assert again["keypoint"].values.tolist() == NAMES
    assert again["position"].attrs["units"] == "m"
    assert fps_of(again) == pytest.approx(125)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(st.one_of(st.floats(-1e6, 1e6), st.just(np.nan)), min_size=2, max_size=6),
       row=st.sampled_from(BOTH))  # fmt: skip
def test_any_numbers_come_back(tmp_path, values, row):
    assume(not np.isnan(values).all())  # caliscope's table forgets a point that is never there
    points_3d = np.array([[[value, 0.5, 2.0], [1.0, 2.0, 3.0]] for value in values])
    pose = pose_dataset(points_3d, keypoints=["a", "b"], times=np.arange(len(values)) / 125, unit="m")
    again = read_again(written(pose, tmp_path, row), row, pose)
    np.testing.assert_array_equal(again["position"].values, kept(pose, row))


@pytest.mark.parametrize("row", BOTH, ids=lambda row: row.name)
def test_individuals_come_back_or_are_refused(tmp_path, row):
    herd = make_pose(n_individuals=2, unit="m")
    try:
        path = written(herd, tmp_path, row)
    except FormatError as error:
        assert "one animal, the pose 2" in str(error)  # noqa: PT017
        return
    np.testing.assert_array_equal(read_again(path, row, herd)["position"].values, herd["position"].values)


def trc_of(folder, **changes):
    path = write_pose(make_pose(), folder / "a.trc")
    text = path.read_text()
    for old, new in changes.items():
        text = text.replace(old, new, 1)
    path.write_text(text)
    return path


def test_a_trc_is_opensims(tmp_path):
    lines = write_pose(make_pose(6, first=1.0), tmp_path / "a.trc").read_text().splitlines()
    assert lines[0] == "PathFileType\t4\t(X/Y/Z)\ta.trc"
    assert lines[2].split("\t")[2:5] == ["6", "3", "mm"]
    assert lines[3].split("\t")[:3] == ["Frame#", "Time", "tail base"]
    assert lines[4] == "\t\tX1\tY1\tZ1\tX2\tY2\tZ2\tX3\tY3\tZ3"
    assert lines[5] == ""
    assert lines[6].split("\t")[:2] == ["1", "1.0"]
    assert len(lines) == 12


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda text: text[: text.rindex("\t")], r"a\.trc, row 14 has 10 of 11 cells"),
        (lambda text: text[: text.rindex("\n9\t")], "8 rows where its header declares NumFrames 9"),
        (lambda text: text.replace("\t9\t3\tmm", "\t9\t4\tmm"), "NumMarkers 4 and NumFrames 9, and names 3"),
        (lambda text: text.replace("\t9\t3\tmm", f"\t{10**11}\t3\tmm"), "declares NumFrames 100000000000"),
        (lambda text: text.replace("\n2\t", "\n2\tx"), "row 7: could not convert"),
        (lambda text: text.replace("NumFrames", "Frames", 1), "lacks NumFrames"),
        (lambda text: "x", "PathFileType"),
    ],
)
def test_what_is_wrong_with_a_trc_is_named(tmp_path, spoil, message):
    path = write_pose(make_pose(), tmp_path / "a.trc")
    path.write_text(spoil(path.read_text()))
    with pytest.raises(FormatError, match=message):
        read_pose(path)


def test_caliscope_gets_metres(tmp_path):
    pose = make_pose(unit="mm")
    path = write_pose(pose, tmp_path / "xyz.csv", format="caliscope-xyz")
    assert path.read_text().startswith("sync_index,point_id,x_coord,y_coord,z_coord,frame_time\n0,0,")
    again = read_pose(path)
    assert again["keypoint"].values.tolist() == ["point_0", "point_1", "point_2"]
    np.testing.assert_allclose(again["position"].values, pose["position"].values / 1000, rtol=1e-15)
    path.write_text(path.read_text() + "3,0,1,2,3,0\n")
    with pytest.raises(FormatError, match="a point twice"):
        read_pose(path)
    with pytest.raises(FormatError, match="unit is 'inch'"):
        write_pose(make_pose(unit="inch"), tmp_path / "xyz.csv", format="caliscope-xyz")


def test_dannces_predictions_arrive(tmp_path):
    rng = np.random.default_rng(0)
    predicted, scores = rng.normal(size=(5, 3, 4)), rng.uniform(size=(5, 4))
    savemat(tmp_path / "save_data_AVG.mat", {"pred": predicted, "p_max": scores, "sampleID": np.arange(5)})
    pose = read_pose(tmp_path / "save_data_AVG.mat", fps=50, keypoints=list("abcd"))
    np.testing.assert_array_equal(pose["position"].values, np.swapaxes(predicted, 1, 2))
    np.testing.assert_array_equal(pose["confidence"].values, scores)
    assert pose["position"].attrs["units"] == "mm"
    savemat(tmp_path / "two.mat", {"pred": rng.normal(size=(5, 2, 3, 4))})
    assert read_pose(tmp_path / "two.mat", fps=50).sizes["individual"] == 2
    savemat(tmp_path / "bad.mat", {"pred": rng.normal(size=(5, 4))})
    with pytest.raises(FormatError, match=r"'pred' has shape \(5, 4\)"):
        read_pose(tmp_path / "bad.mat", fps=50)
    with pytest.raises(FormatError, match="has 4, not 2"):
        read_pose(tmp_path / "save_data_AVG.mat", fps=50, keypoints=["a", "b"])


@pytest.mark.parametrize("name", ["points3d.h5", "pose.nwb", "pose.nc"])
def test_an_hdf5_file_that_is_cut_off_is_one_sentence(tmp_path, name):
    if name.endswith("nwb"):
        pytest.importorskip("ndx_pose")
    path = write_pose(make_pose(400), tmp_path / name)
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(ValueError, match=rf"{name}.*(cut off|make it again)"):
        read_pose(path, fps=100)


def test_names_of_a_file_are_not_overwritten(tmp_path):
    path = write_pose(make_pose(), tmp_path / "a.trc")
    with pytest.raises(FormatError, match="names of its own"):
        read_pose(path, keypoints=["a", "b", "c"])


@needs_shared
@pytest.mark.shared
def test_label3ds_points_in_3d_and_their_projections_agree():
    from muybridge.cameras import read_rig
    from muybridge.formats import read_views

    path = SHARED / "data" / "mouse_6cam" / "mouse1_label3d_dannce.mat"
    rig = read_rig(path, size=(1152, 1024))
    pose, views = read_pose(path, fps=100), read_views(dict.fromkeys(rig.names, path), fps=100)
    error = np.linalg.norm(rig.project(pose["position"].values) - views["position"].values, axis=-1)
    assert np.nanmedian(error) < 1e-6


def test_jarvis_points_arrive(tmp_path):
    (tmp_path / "data3D.csv").write_text("a,a,a,a\nx,y,z,confidence\n1,2,3,0.5\nNaN,NaN,NaN,NaN\n")
    pose = read_pose(tmp_path / "data3D.csv", fps=10)
    np.testing.assert_array_equal(pose["position"].values[:, 0], [[1, 2, 3], [np.nan] * 3])
    assert pose["confidence"].values.ravel().tolist() == [0.5, 0]


def test_a_label3d_file_without_points_in_3d_is_refused(tmp_path):
    path = label3d_file(tmp_path / "a.mat", np.ones((1, 2, 3, 2)), [0, 1])
    with pytest.raises(FormatError, match="labelData has 'data_3d'"):
        read_pose(path, fps=10)


@pytest.mark.parametrize("name", ["caliscope-xyz", "trc", "sleap-anipose-h5"])
def test_formats_without_a_place_for_it_leave_the_rest_out(tmp_path, name):
    pose = make_pose(unit="m").assign(confidence=(("time", "keypoint"), np.full((9, 3), 0.5)))
    row = format_of("pose", name)
    assert "confidence" not in read_again(written(pose, tmp_path, row), row, pose)
