"""The steps' lines as the page shows them, and the session file that learns of new labels."""

import tomllib

import pytest

from muybridge.labelling.loop_jobs import LoopJobs, free_folder, name_labels
from muybridge.session import SessionError, read_session


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ["labels"]),
        ("[train]\n# small is enough\nnetwork = 'small'\n", ["labels"]),
        ("[train]\nlabels = 'old'  # the first\n", ["old", "labels"]),
        ("[train]\nnetwork = 'small'\nlabels = [\n 'old',\n 'b',\n]\n[predict]\nn_tta = 2\n", ["old", "b", "labels"]),
        ("[train]\nlabels = ['labels']\n", ["labels"]),
    ],
)  # fmt: skip
def test_a_folder_is_added_to_the_labels_and_all_else_stays(tmp_path, before, after):
    head = "# my session\n[session]\nunit = 'mm' # millimetres\n[cameras.a]\n"
    (tmp_path / "session.toml").write_text(head + before)
    session = read_session(tmp_path)
    wanted = tomllib.loads(head + before)
    wanted.setdefault("train", {})["labels"] = after
    changed = name_labels(session, tmp_path / "labels")
    text = (tmp_path / "session.toml").read_text()
    assert text.startswith(head)
    if changed:
        assert tomllib.loads(text) == wanted
    assert not name_labels(session, tmp_path / "labels")


def test_a_file_that_cannot_be_edited_safely_is_left_alone(tmp_path):
    text = "train.network = 'small'\n[cameras.a]\n"
    (tmp_path / "session.toml").write_text(text)
    with pytest.raises(SessionError, match="yourself"):
        name_labels(read_session(tmp_path), tmp_path / "labels")
    assert (tmp_path / "session.toml").read_text() == text


def test_a_progress_bar_is_one_line():
    jobs, is_bar = LoopJobs(), False
    for line, bar in (("reading", False), (" 10%", True), (" 20%", True), ("100%", False), ("done", False)):
        is_bar = jobs.say(line, is_bar, bar)
    assert jobs.lines == ["reading", "100%", "done"]


def test_a_step_writes_to_a_folder_that_is_free(tmp_path):
    assert free_folder(tmp_path / "labels").name == "labels"
    (tmp_path / "labels").mkdir()
    assert free_folder(tmp_path / "labels").name == "labels"
    (tmp_path / "labels" / "config.yaml").touch()
    assert free_folder(tmp_path / "labels").name == "labels-2"
