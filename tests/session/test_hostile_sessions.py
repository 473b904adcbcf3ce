"""A session of a stranger writes into its own folder alone, and no name in it steers the terminal or a spreadsheet."""

import os
import re

import numpy as np
import pytest
import tomli_w
from typer.testing import CliRunner

from muybridge.datasets import DatasetError, content_hash, frame_times, pose_dataset
from muybridge.formats import FormatError, write_pose
from muybridge.formats.labels.deeplabcut_project import write_label_csv
from muybridge.session import SessionError, read_session, run_session
from muybridge.session.command_line import app
from muybridge.session.provenance import only_run
from muybridge.session.recordings.one_run import run_one
from tests.session.synthetic import make_session

ESCAPE = "\x1b]0;owned\x07\x1b[2J"


def read(folder, tables):
    (folder / "session.toml").write_text(tomli_w.dumps(tables))
    return read_session(folder)


@pytest.mark.parametrize("name", ["../../evil", "..", "a/b", "a\\b", "", f"a{ESCAPE}", "a\n", "a\u202eb"])
@pytest.mark.parametrize("table", ["cameras", "board_recordings"])
def test_a_name_that_leads_out_of_the_folder_or_cannot_be_printed_is_refused(tmp_path, table, name):
    with pytest.raises(SessionError, match=rf"\[{table}\] has the name .*without slashes") as caught:
        read(tmp_path, {"cameras": {"a": {}}} | {table: {name: {}}})
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(("table", "entry"), [("session", "output"), ("calibrate", "cache")])
@pytest.mark.parametrize("value", ["..", "../other", "results/../../other"])
def test_results_leave_the_sessions_folder_only_by_a_whole_path(tmp_path, table, entry, value):
    with pytest.raises(SessionError, match=rf"\[{table}\] {entry} is '{re.escape(value)}', which leaves the session's"):
        read(tmp_path, {"cameras": {"a": {}}, table: {entry: value}})
    read(tmp_path, {"cameras": {"a": {}}, table: {entry: str(tmp_path.parent / "elsewhere")}})
    read(tmp_path, {"cameras": {"a": {}}, table: {entry: "results/../others"}})


def test_a_file_without_an_end_is_refused_before_it_is_hashed(tmp_path):
    (tmp_path / "a.csv").symlink_to("/dev/zero")
    with pytest.raises(SessionError, match=r"camera 'a', .*a\.csv is a device or a pipe"):
        read(tmp_path, {"cameras": {"a": {"points": "a.csv"}}})
    with pytest.raises(DatasetError, match="is a device or a pipe"):
        content_hash(tmp_path / "a.csv")
    (tmp_path / "session.toml").unlink()
    (tmp_path / "session.toml").symlink_to("/dev/zero")
    with pytest.raises(SessionError, match="there is no session file"):
        read_session(tmp_path)


def test_a_text_that_is_nested_deeply_is_refused(tmp_path):
    for text in ("[" * 100_000, "9" * 5000):
        (tmp_path / "session.toml").write_text(f"a = {text}")
        with pytest.raises(SessionError, match="is no valid TOML"):
            read_session(tmp_path)


def test_hashes_that_are_nested_deeply_are_made_anew(tmp_path):
    session = make_session(3, 10).write(tmp_path)
    session.output.mkdir()
    (session.output / "hashes.json").write_text("[" * 200_000)
    run_session(session, ("predict",), progress=False)
    assert (session.output / "views.nc").is_file()


def test_links_among_the_results_are_replaced_and_not_followed(tmp_path):
    own = tmp_path / "of_the_user.txt"
    own.write_text("dear")
    recording = make_session(3, 10)
    session = recording.write(tmp_path / "session")
    session.output.mkdir()
    for name in (".lock", "views.nc"):
        (session.output / name).symlink_to(own)
    run_session(session, ("predict",), progress=False)
    assert own.read_text() == "dear"
    assert not (session.output / "views.nc").is_symlink()
    (tmp_path / "session" / "session.log").symlink_to(own)
    assert run_one(session.path, False, 1).message.startswith("cannot write")
    assert own.read_text() == "dear"


def test_a_lock_that_is_a_pipe_stops_no_run(tmp_path):
    os.mkfifo(tmp_path / ".lock")
    with only_run(tmp_path, print):
        pass


def test_names_in_messages_do_not_steer_the_terminal(tmp_path):
    (tmp_path / "session.toml").write_text(tomli_w.dumps({"session": {ESCAPE: 3}, "cameras": {"a": {}}}))
    shown = CliRunner().invoke(app, ["check", str(tmp_path)])
    assert "\x1b" in str(shown.exception)
    recording = make_session(3, 10)
    recording.names = (f"nose{ESCAPE}", *recording.names[1:])
    del recording.tables["skeleton"], recording.tables["joints"]
    recording.tables["session"]["name"] = f"cat{ESCAPE}"
    session = recording.write(tmp_path / "session")
    shown = CliRunner().invoke(app, ["check", str(session.folder)], color=True)
    assert r"cat\x1b]0;owned\x07\x1b[2J: world unit mm" in shown.output
    assert "\x1b" not in shown.output


def test_names_that_a_spreadsheet_would_compute_are_not_written(tmp_path):
    for name in ("=cmd|' /C calc'!A0", "+1", "-x", "@sum", "\tx"):
        pose = pose_dataset(np.zeros((2, 1, 3)), keypoints=[name], times=frame_times(2, 10), unit="mm")
        with pytest.raises(FormatError, match="would be a formula in a spreadsheet"):
            write_pose(pose, tmp_path / "pose.csv")
        with pytest.raises(FormatError, match="would be a formula in a spreadsheet"):
            write_label_csv(tmp_path / "labels.csv", ["img0.png"], np.zeros((1, 1, 2)), [name], "me")
    assert not list(tmp_path.iterdir())
