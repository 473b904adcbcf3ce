"""2D points of other tools: what they hold arrives, and what is wrong is named."""

import h5py
import numpy as np
import pytest

from muybridge.datasets import views_dataset, write_dataset
from muybridge.formats import FormatError, read_views
from muybridge.formats.predictions.reading import read_track
from tests.formats.pandas_files import write_table_format
from tests.helpers import SHARED, needs_shared

KEYPOINTS = ("nose", "tail", "paw")


@pytest.fixture
def points():
    rng = np.random.default_rng(1)
    points = rng.uniform(0, 1000, (12, 3, 2))
    points[3, 1] = np.nan
    return points


def write_dlc(path, points, confidence=None, individuals=None, index=None, keypoints=KEYPOINTS):
    coords = ["x", "y"] + ([] if confidence is None else ["likelihood"])
    names = [(i, k, c) for i in individuals or [""] for k in keypoints for c in coords]
    header = [["scorer", *["me"] * len(names)]]
    if individuals:
        header.append(["individuals", *[name[0] for name in names]])
    header += [["bodyparts", *[name[1] for name in names]], ["coords", *[name[2] for name in names]]]
    values = points if confidence is None else np.concatenate([points, confidence[..., None]], -1)
    rows = values.reshape(len(values), -1)
    lines = [",".join(row) for row in header]
    for i, row in zip(range(len(rows)) if index is None else index, rows, strict=True):
        lines.append(",".join([str(i), *["" if np.isnan(v) else repr(float(v)) for v in row]]))
    path.write_text("\n".join(lines) + "\n")
    return path


def write_sleap(path, tracks, scores=None, names=("track_0",)):
    """tracks (n_tracks, n_frames, n_nodes, 2)"""
    with h5py.File(path, "w") as file:
        file["tracks"] = np.transpose(tracks, (0, 3, 2, 1))
        file["node_names"] = np.array(KEYPOINTS, "S")
        file["track_names"] = np.array(names, "S")
        if scores is not None:
            file["point_scores"] = np.transpose(scores, (0, 2, 1))
    return path


def test_a_deeplabcut_csv_gives_its_points_and_likelihoods(tmp_path, points):
    confidence = np.linspace(0, 1, 36).reshape(12, 3)
    views = read_views({"top": write_dlc(tmp_path / "top.csv", points, confidence)}, fps=50)
    np.testing.assert_array_equal(views["position"].values[0], points)
    expected = np.where(np.isnan(points[..., 0]), 0, confidence)
    np.testing.assert_array_equal(views["confidence"].values[0], expected)
    np.testing.assert_allclose(views["time"].values, np.arange(12) / 50)
    assert list(views["keypoint"].values) == list(KEYPOINTS)


def test_a_table_without_likelihood_has_confidence_one_where_a_point_is(tmp_path, points):
    views = read_views({"top": write_dlc(tmp_path / "top.csv", points)}, fps=50)
    np.testing.assert_array_equal(views["confidence"].values[0], np.isfinite(points[..., 0]))


def test_a_point_with_one_coordinate_is_missing_in_both(tmp_path, points):
    points[5, 2, 1] = np.nan
    views = read_views({"top": write_dlc(tmp_path / "top.csv", points)}, fps=50)
    assert np.isnan(views["position"].values[0, 5, 2]).all()


def test_absent_rows_are_frames_of_nan(tmp_path, points):
    index = [0, 1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]
    views = read_views({"top": write_dlc(tmp_path / "top.csv", points, index=index)}, fps=50)
    assert views.sizes["time"] == 14
    assert np.isnan(views["position"].values[0, 2:4]).all()
    np.testing.assert_array_equal(views["position"].values[0, 4:], points[2:])
    assert views.attrs["notes"] == "camera 'top': top.csv has no row for 2 frames (2-3): they are gaps"


@pytest.mark.parametrize(("first", "said"), [(0, False), (1, True), (7, False)])
def test_rows_that_are_numbered_from_one_are_said(tmp_path, points, first, said):
    index = range(first, first + len(points))
    notes = read_views({"top": write_dlc(tmp_path / "top.csv", points, index=index)}, fps=50).attrs.get("notes", "")
    assert ("camera 'top': the rows of top.csv are numbered from 1, so that frame 0 is missing" in notes) == said


def test_labelled_images_stand_at_the_frame_in_their_name(tmp_path, points):
    index = [f"labeled-data/rat/img{3 * i:04d}.png" for i in range(12)]
    views = read_views({"top": write_dlc(tmp_path / "top.csv", points, index=index)}, fps=50)
    assert views.sizes["time"] == 34
    np.testing.assert_array_equal(views["position"].values[0, ::3], points)


def test_a_cut_off_csv_is_refused(tmp_path, points):
    path = write_dlc(tmp_path / "top.csv", points)
    path.write_text(path.read_text()[:-60])
    with pytest.raises(FormatError, match=r"top\.csv is cut off: row 15 has \d of 7 cells"):
        read_views({"top": path}, fps=50)


def test_a_row_within_that_is_cut_off_or_no_number_is_named(tmp_path, points):
    path = write_dlc(tmp_path / "top.csv", points)
    rows = path.read_text().splitlines()
    row = rows[6].split(",")
    for cells, message in (
        (row[:4], "row 7 has 4 of 7 cells"),
        ([*row[:-1], "x"], "row 7: 'paw/y' is 'x' where a num"),
    ):
        path.write_text("\n".join([*rows[:6], ",".join(cells), *rows[7:]]) + "\n")
        with pytest.raises(FormatError, match=message):
            read_views({"top": path}, fps=50)


def test_other_coordinates_of_lightning_pose_are_passed_over(tmp_path):
    (tmp_path / "lp.csv").write_text(
        "scorer,a,a,a,a,a\nbodyparts,nose,nose,nose,nose,set\ncoords,x,y,likelihood,x_ens_var,\n0,1,2,0.5,9,train\n"
    )
    views = read_views({"lp": tmp_path / "lp.csv"}, fps=1)
    np.testing.assert_array_equal(views["position"].values.ravel(), [1, 2])
    assert views["confidence"].values.item() == 0.5


def test_a_csv_of_something_else_is_named(tmp_path):
    (tmp_path / "a.csv").write_text("frame,x,y\n0,1,2\n")
    with pytest.raises(FormatError, match="scorer, bodyparts, coords"):
        read_views({"a": tmp_path / "a.csv"}, fps=1)


def test_sleap_points_and_scores_arrive_in_order(tmp_path, points):
    scores = np.full((1, 12, 3), 0.7)
    scores[0, 0, 0], scores[0, 1, 0] = 1.09, np.nan
    views = read_views({"top": write_sleap(tmp_path / "top.h5", points[None], scores)}, fps=50)
    np.testing.assert_array_equal(views["position"].values[0], points)
    assert views["confidence"].values[0, 0, 0] == 1.0, "the height of a peak may exceed 1"
    assert views["confidence"].values[0, 1, 0] == 1.0, "a point without a score was placed by a person"
    assert views["confidence"].values[0, 3, 1] == 0.0


def test_several_tracks_are_individuals(tmp_path, points):
    tracks = np.stack([points, points + 5])
    views = read_views({"top": write_sleap(tmp_path / "top.h5", tracks, names=("a", "b"))}, fps=50)
    assert list(views["individual"].values) == ["a", "b"]
    assert views["position"].dims == ("individual", "view", "time", "keypoint", "space")
    np.testing.assert_array_equal(views["position"].sel(individual="b").values[0], points + 5)


def test_individuals_must_agree_between_cameras(tmp_path, points):
    tracks = np.stack([points, points + 5])
    one = write_sleap(tmp_path / "a.h5", tracks, names=("a", "b"))
    other = write_sleap(tmp_path / "b.h5", tracks, names=("b", "a"))
    with pytest.raises(FormatError, match="camera 'right' has the individuals"):
        read_views({"left": one, "right": other}, fps=50)


@pytest.mark.parametrize("levels", [("me",), ("me", "mouse")])
def test_a_pandas_h5_is_read_without_pandas(tmp_path, points, levels):
    confidence = np.full((12, 3), 0.25)
    columns = [(*levels, k, c) for k in KEYPOINTS for c in ("x", "y", "likelihood")]
    values = np.concatenate([points, confidence[..., None]], -1).reshape(12, -1)
    views = read_views({"a": write_table_format(tmp_path / "a.h5", columns, values, np.arange(12))}, fps=50)
    np.testing.assert_array_equal(views["position"].values.reshape(12, 3, 2), points)
    assert ("individual" in views.dims) == (len(levels) == 2)


def test_a_pickle_in_a_table_is_refused_not_run(tmp_path):
    path = write_table_format(tmp_path / "a.h5", [("me", "nose", "x")], np.zeros((2, 1)), np.arange(2))
    crafted = f"cos\nsystem\n(S'touch {tmp_path / 'owned'}'\ntR."
    with h5py.File(path, "a") as file:
        file["df_with_missing/table"].attrs["values_block_0_kind"] = np.bytes_(crafted.encode())
    with pytest.raises(FormatError, match="never loaded"):
        read_views({"a": path}, fps=50)
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("name", ["a.pickle", "a.pkl", "a.npz", "a.npy"])
def test_files_that_may_hold_pickles_are_not_opened(tmp_path, name):
    (tmp_path / name).write_bytes(b"\x80")
    with pytest.raises(FormatError, match="executes code"):
        read_views({"a": tmp_path / name}, fps=50)


def test_the_frame_rate_is_never_assumed(tmp_path, points):
    path = write_dlc(tmp_path / "top.csv", points)
    with pytest.raises(FormatError, match="frame rate is not in these files"):
        read_views({"top": path})
    with pytest.raises(FormatError, match="positive"):
        read_views({"top": path}, fps=0)
    assert read_views({"top": path}, times=np.arange(12) * 0.5)["time"].values[2] == 1.0


def test_different_lengths_are_named_and_padded_only_when_asked(tmp_path, points):
    sources = {"top": write_dlc(tmp_path / "a.csv", points), "side": write_dlc(tmp_path / "b.csv", points[:10])}
    with pytest.raises(FormatError, match="top 12, side 10"):
        read_views(sources, fps=50)
    views = read_views(sources, fps=50, pad=True)
    assert views.sizes["time"] == 12
    assert np.isnan(views["position"].sel(view="side").values[10:]).all()
    assert (views["confidence"].sel(view="side").values[10:] == 0).all()


def test_keypoints_are_put_in_one_order_and_differences_are_named(tmp_path, points):
    one = write_dlc(tmp_path / "a.csv", points)
    turned = write_dlc(tmp_path / "b.csv", points[:, ::-1], keypoints=KEYPOINTS[::-1])
    views = read_views({"top": one, "side": turned}, fps=50)
    np.testing.assert_array_equal(views["position"].values[0], views["position"].values[1])
    other = write_dlc(tmp_path / "c.csv", points, keypoints=("nose", "tail", "ear"))
    with pytest.raises(FormatError, match=r"camera 'other' lacks the keypoints \['paw'\]"):
        read_views({"top": one, "other": other}, fps=50)
    shared = read_views({"top": one, "other": other}, fps=50, keypoints=["tail", "nose"])
    assert list(shared["keypoint"].values) == ["tail", "nose"]
    np.testing.assert_array_equal(shared["position"].values[1], points[:, [1, 0]])


def test_netcdf_brings_its_own_times(tmp_path, points):
    views = views_dataset(
        np.stack([points, points + 1]), cameras=["a", "b"], keypoints=KEYPOINTS, times=np.arange(12) / 8
    )
    write_dataset(views, tmp_path / "all.nc")
    again = read_views(tmp_path / "all.nc")
    np.testing.assert_array_equal(again["position"].values, views["position"].values)
    write_dataset(views.isel(view=[1]), tmp_path / "b.nc")
    one = read_views({"side": tmp_path / "b.nc"})
    np.testing.assert_array_equal(one["position"].values[0], points + 1)
    np.testing.assert_allclose(one["time"].values, np.arange(12) / 8)


def test_a_missing_or_broken_file_is_named(tmp_path):
    with pytest.raises(FormatError, match=r"there is no file .*gone\.h5"):
        read_views({"a": tmp_path / "gone.h5"}, fps=50)
    (tmp_path / "broken.h5").write_bytes(b"nothing")
    with pytest.raises(FormatError, match="no HDF5 file"):
        read_views({"a": tmp_path / "broken.h5"}, fps=50)


@needs_shared
@pytest.mark.shared
def test_the_rodent_recording_is_read():
    folder = SHARED / "data" / "rodent_4cam"
    cameras = ("back", "mid", "side", "top")
    views = read_views({c: folder / c / f"minimal_{c}_proofread.analysis.h5" for c in cameras}, fps=30)
    assert dict(views["position"].sizes) == {"view": 4, "time": 120, "keypoint": 15, "space": 2}
    nose = views["position"].sel(view="top", keypoint="Nose").values[0]
    np.testing.assert_allclose(nose, [626.40893555, 682.6932373])
    seen = np.isfinite(views["position"].values[..., 0])
    np.testing.assert_allclose(seen.mean(axis=(1, 2)), [0.78222, 1.0, 0.87111, 1.0], atol=1e-4)
    assert views["confidence"].values[~seen].max() == 0


@needs_shared
@pytest.mark.shared
def test_deeplabcut_h5_and_csv_of_the_same_labels_agree():
    stem = SHARED / "data" / "openfield" / "labeled-data" / "m4s1" / "CollectedData_Pranav"
    h5, table = read_track(stem.with_suffix(".h5")), read_track(stem.with_suffix(".csv"))
    assert h5.keypoints == table.keypoints == ("snout", "leftear", "rightear", "tailbase")
    np.testing.assert_array_equal(h5.points_2d, table.points_2d)
    assert h5.points_2d.shape == (1, 116, 4, 2)


@needs_shared
@pytest.mark.shared
def test_lightning_pose_labels_are_read():
    track = read_track(SHARED / "data" / "mirror_mouse" / "CollectedData.csv")
    assert len(track.keypoints) == 17
    assert np.isfinite(track.points_2d[0, ..., 0]).any(axis=-1).sum() == 90


def test_points_in_3d_are_refused_by_name(tmp_path):
    columns = [("me", keypoint, axis) for keypoint in KEYPOINTS for axis in "xyz"]
    table = write_table_format(tmp_path / "a.h5", columns, np.ones((1, 9)), np.arange(1))
    rows = zip(("scorer", "bodyparts", "coords"), zip(*columns, strict=True), strict=True)
    (tmp_path / "a.csv").write_text("\n".join([*(",".join([name, *row]) for name, row in rows), "0" + ",1" * 9]))
    for path in (table, tmp_path / "a.csv"):
        with pytest.raises(FormatError, match="3D points"):
            read_views({"a": path}, fps=50)


def test_rows_of_several_videos_are_named(tmp_path, points):
    index = [f"labeled-data/{video}/img{i:04d}.png" for video in ("rat", "mouse") for i in range(6)]
    with pytest.raises(FormatError, match=r"frame 0 more than once.*mouse.*rat"):
        read_views({"top": write_dlc(tmp_path / "top.csv", points, index=index)}, fps=50)


@pytest.mark.parametrize("frame", [10**12, 10**30, -1])
def test_an_impossible_frame_number_is_refused(tmp_path, points, frame):
    path = write_dlc(tmp_path / "top.csv", points, index=[*range(11), frame])
    with pytest.raises(FormatError, match="frame number"):
        read_views({"top": path}, fps=50)


def test_one_table_of_several_cameras_is_split_by_the_ends_of_its_names(tmp_path, points):
    both = np.concatenate([points, points + 7], axis=1)
    names = [f"{keypoint}_{camera}" for camera in ("top", "side") for keypoint in KEYPOINTS]
    path = write_dlc(tmp_path / "all.csv", both, keypoints=names)
    views = read_views({"side": path, "top": path}, fps=50)
    assert list(views["keypoint"].values) == list(KEYPOINTS)
    np.testing.assert_array_equal(views["position"].sel(view="top").values, points)
    np.testing.assert_array_equal(views["position"].sel(view="side").values, points + 7)


def test_one_file_for_two_cameras_is_refused(tmp_path, points):
    path = write_dlc(tmp_path / "top.csv", points)
    (tmp_path / "side.csv").symlink_to(path)
    for other in (path, tmp_path / "side.csv"):
        with pytest.raises(FormatError, match=r"\['top', 'side'\] are read from the same file"):
            read_views({"top": path, "side": other}, fps=50)


@pytest.mark.parametrize(
    ("values", "message"), [((20, 99), "from 20 to 99"), ((-5, 0.9), "from -5 to 0.9"), ((0, 0), "0 everywhere")]
)
def test_a_likelihood_that_is_no_probability_is_refused(tmp_path, points, values, message):
    confidence = np.resize(np.array(values, float), (12, 3))
    with pytest.raises(FormatError, match=rf"top\.csv: the likelihood .*{message}"):
        read_views({"top": write_dlc(tmp_path / "top.csv", points, confidence)}, fps=50)


def test_pieces_of_one_animals_track_are_not_taken_for_animals(tmp_path, points):
    tracks = np.full((2, 12, 3, 2), np.nan)
    tracks[0, :5], tracks[1, 5:] = points[:5], points[5:]
    with pytest.raises(FormatError, match="2 tracks, never two in one frame"):
        read_views({"top": write_sleap(tmp_path / "top.h5", tracks, names=("a", "b"))}, fps=50)
    tracks[0, 5] = points[5]
    views = read_views({"top": write_sleap(tmp_path / "top.h5", tracks, names=("a", "b"))}, fps=50)
    assert views.sizes["individual"] == 2


def test_a_sleap_file_with_odd_parts_is_one_sentence(tmp_path, points):
    def changed(name, change):
        path = write_sleap(tmp_path / f"{name}.h5", points[None], np.ones((1, 12, 3)))
        with h5py.File(path, "a") as file:
            del file[name]
            change(file, name)
        return path

    odd = {
        "node_names": lambda file, name: file.__setitem__(name, h5py.SoftLink("/nowhere")),
        "tracks": lambda file, name: file.__setitem__(name, np.array([["a"]], "S")),
        "point_scores": lambda file, name: file.__setitem__(name, 0.5),
        "track_names": lambda file, name: file.__setitem__(name, h5py.ExternalLink("other.h5", "/names")),
    }
    for name, change in odd.items():
        with pytest.raises(FormatError):
            read_views({"top": changed(name, change)}, fps=50)


@pytest.mark.parametrize("name", ["top.h5", "top.slp"])
def test_links_that_lead_to_each_other_are_named_with_the_file(tmp_path, name):
    with h5py.File(tmp_path / name, "w") as file:
        for here, there in {"tracks": "a", "a": "tracks", "metadata": "metadata"}.items():
            file[here] = h5py.SoftLink(f"/{there}")
    with pytest.raises(FormatError, match=f"{name} cannot be read .*too many links"):
        read_views({"top": tmp_path / name}, fps=50)


def test_a_coordinate_beyond_all_pictures_is_named_with_the_file(tmp_path, points):
    points[5, 1, 0] = 1e308
    with pytest.raises(FormatError, match=r"top\.csv has the coordinate 1e\+308"):
        read_views({"top": write_dlc(tmp_path / "top.csv", points)}, fps=50)


def test_two_scorers_and_half_points_are_refused(tmp_path):
    (tmp_path / "a.csv").write_text("scorer,a,a,b,b\nbodyparts,n,n,n,n\ncoords,x,y,x,y\n0,1,2,3,4\n")
    with pytest.raises(FormatError, match="2 scorers"):
        read_views({"a": tmp_path / "a.csv"}, fps=1)
    (tmp_path / "b.csv").write_text("scorer,a,a\nbodyparts,n,n\ncoords,x,likelihood\n0,1,0.5\n")
    with pytest.raises(FormatError, match="only one of x and y"):
        read_views({"b": tmp_path / "b.csv"}, fps=1)


@pytest.mark.parametrize("sources", [["a.csv"], {"left": 3}, None])
def test_sources_that_are_no_paths_are_one_sentence(sources):
    with pytest.raises(FormatError, match="given by its path"):
        read_views(sources, fps=30.0)


@needs_shared
@pytest.mark.shared
def test_every_way_in_which_pandas_stores_a_table_gives_the_same_points():
    folder = SHARED / "cases" / "h5-variants"
    first = read_track(folder / "v00.h5")
    for n in (1, 2, 4, 5, 7, 8, 9, 10):  # fixed, float32, mixed types, zlib, names of pictures, names in parts
        track = read_track(folder / f"v{n:02d}.h5")
        assert track.keypoints == first.keypoints
        np.testing.assert_allclose(track.points_2d, first.points_2d, rtol=1e-6)
    for n, message in ((6, "blosc"), (12, r"2 pandas tables \['a', 'b'\]"), (13, "datetime"), (17, "3D points")):
        with pytest.raises(FormatError, match=message):
            read_track(folder / f"v{n:02d}.h5")
