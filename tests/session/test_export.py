"""`muybridge export FORMAT` writes what the steps have made, in every format that can hold it."""

import numpy as np
import pytest
from typer.testing import CliRunner

from muybridge.datasets import pose_dataset, read_dataset, write_dataset
from muybridge.formats import read_kinematics, read_pose, read_views
from muybridge.formats.catalogue import FORMATS, format_of
from muybridge.session import SessionError
from muybridge.session import export as exporting
from muybridge.session.command_line import app
from muybridge.session.export import export_session
from tests.session.synthetic import make_session


@pytest.fixture
def session(tmp_path):
    """A session whose results are there, without having run: 2D points, a pose and angles."""
    recording = make_session(n_cameras=2, n_frames=12)
    session = recording.write(tmp_path)
    views = read_views(session.sources("points"), fps=100)
    write_dataset(views, session.output / "views.nc")
    pose = pose_dataset(recording.truth, keypoints=recording.names, times=views["time"].values, unit="mm")
    write_dataset(pose, session.output / "pose.nc")
    angle = (("time", "joint"), np.ones((12, 1)), {"units": "rad"})
    write_dataset(pose.drop_vars("position").assign(angle=angle).assign_coords(joint=["knee"]),
                  session.output / "kinematics.nc")  # fmt: skip
    return session


NAMES = list(dict.fromkeys(row.name for row in FORMATS if row.write and row.kind != "labels" and not row.extra))


@pytest.mark.parametrize("name", NAMES)
def test_every_format_is_written(session, name):
    try:
        paths = export_session(session, name)
    except ValueError as error:
        assert name == "dlt-csv"
        assert "lens distortion" in str(error)  # noqa: PT017
        return
    assert paths
    assert all(path.exists() and (session.output / "export" / name) in path.parents for path in paths)


def test_what_was_exported_is_what_was_made(session):
    (path,) = export_session(session, "trc")
    np.testing.assert_array_equal(read_pose(path)["position"], read_pose(session.output / "pose.nc")["position"])
    angles = export_session(session, "csv", session.folder / "out")
    assert sorted(path.name for path in angles) == ["angles.csv", "pose.csv"]
    (path,) = export_session(session, "mot")
    assert read_kinematics(path)["angle"].values.tolist() == [[1.0]] * 12


def test_nwb_has_the_sessions_cameras(session):
    pytest.importorskip("ndx_pose")
    from muybridge.cameras import read_rig

    paths = export_session(session, "nwb")
    assert [path.name for path in paths] == ["views.nwb", "pose.nwb"]
    assert read_rig(paths[1]).names == ("cam_0", "cam_1")
    views = read_dataset(session.output / "views.nc")
    again = read_views(dict.fromkeys(("cam_0", "cam_1"), paths[0]))
    np.testing.assert_array_equal(again["position"], views["position"])
    write_dataset(views.expand_dims(individual=["a", "b"]), session.output / "views.nc")
    assert {path.parent.name for path in export_session(session, "nwb")} == {"a", "b", "nwb"}


def test_a_format_of_few_frames_or_one_animal_gets_several_files(session, monkeypatch):
    row = format_of("pose", "trc")._replace(max_frames=5)
    monkeypatch.setattr(exporting, "FORMATS", [row])
    paths = export_session(session, "trc")
    assert [path.name for path in paths] == ["pose-1.trc", "pose-2.trc", "pose-3.trc"]
    pose = read_pose(session.output / "pose.nc")
    parts = [read_pose(path) for path in paths]
    np.testing.assert_array_equal(np.concatenate([part["position"] for part in parts]), pose["position"])
    np.testing.assert_array_equal(np.concatenate([part["time"] for part in parts]), pose["time"])
    monkeypatch.undo()
    write_dataset(pose.expand_dims(individual=["a", "b"]), session.output / "pose.nc")
    assert [path.name for path in export_session(session, "trc")] == ["pose_a.trc", "pose_b.trc"]


def test_what_cannot_be_exported_is_one_sentence(session):
    with pytest.raises(SessionError, match="no format 'xls' to export"):
        export_session(session, "xls")
    (session.output / "pose.nc").unlink()
    with pytest.raises(SessionError, match="run 'muybridge reconstruct"):
        export_session(session, "trc")


def test_the_command_names_what_it_wrote_and_help_lists_the_formats(session):
    done = CliRunner().invoke(app, ["export", "trc", str(session.folder), "--to", str(session.folder / "out")])
    assert done.output.split() == ["wrote", str(session.folder / "out" / "pose.trc")]
    listed = CliRunner().invoke(app, ["help", "formats", "trc"]).output
    assert listed.splitlines()[0] == "Poses"
    assert "trc: .trc, read and written" in listed
    assert isinstance(CliRunner().invoke(app, ["help", "formats", "xls"]).exception, ValueError)
