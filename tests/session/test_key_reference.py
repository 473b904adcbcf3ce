"""The reference of session.toml names every key that a session takes, with its default and meaning."""

from dataclasses import fields

import pytest
from typer.testing import CliRunner

from muybridge.calibration import CharucoBoard, Checkerboard
from muybridge.session import config, read_session
from muybridge.session.command_line import app
from muybridge.session.config.entry_meanings import MEANINGS
from muybridge.session.key_reference import as_rst, as_text, chosen, documented, session_keys
from muybridge.session.steps import ALL_STEPS


@pytest.fixture(scope="module")
def keys():
    return session_keys()


def names(keys, table):
    return [key.name for key in keys if key.table == table]


def test_every_key_of_the_session_file_has_its_line(keys):
    assert set(names(keys, "cameras.NAME")) == {field.name for field in fields(config.CameraSources)}
    boards = {field.name for kind in (CharucoBoard, Checkerboard) for field in fields(kind)}
    assert set(names(keys, "board")) == {"type", *boards}
    for step in ALL_STEPS.values():
        assert set(step.own_entries) <= set(names(keys, step.name))


def test_no_key_is_listed_twice_and_all_have_a_meaning(keys):
    listed = [(key.table, key.name) for key in keys]
    assert len(listed) == len(set(listed))
    assert [key for key in keys if not key.meaning.strip() or not key.kind] == []


@pytest.mark.parametrize("step", ["calibrate", "train", "predict", "reconstruct", "kinematics"])
def test_what_is_listed_is_what_check_takes(keys, small_recording, step):
    path = small_recording / "session.toml"
    if step != "train":
        path.write_text(path.read_text() + f"\n[{step}]\n")
    session = read_session(path)
    takes = set(ALL_STEPS[step].options(session)) | set(ALL_STEPS[step].own_entries)
    assert takes <= set(names(keys, step))
    assert not set(names(keys, step)) & set(ALL_STEPS[step].set_by_session)


def test_options_of_one_method_say_so(keys):
    (order,) = [key for key in keys if (key.table, key.name) == ("reconstruct", "order")]
    assert "(With smooth, gimbal" in order.meaning


def test_help_prints_all_a_table_or_a_key(keys):
    run = CliRunner().invoke
    everything = run(app, ["help", "session"]).output
    assert everything.strip() == as_text(keys).strip()
    part = run(app, ["help", "session", "calibrate"]).output
    assert part.startswith("[calibrate]")
    assert "intrinsics" in part
    assert "[train]" not in part
    assert "overrules videos" in run(app, ["help", "session", "fps"]).output
    assert len(chosen(keys, "cameras")) == len(names(keys, "cameras.NAME"))


@pytest.mark.parametrize(
    ("words", "message"), [(["session", "recnstruct"], "did you mean 'reconstruct'"), (["x"], "no help")]
)
def test_an_unknown_word_is_refused(words, message):
    assert message in str(CliRunner().invoke(app, ["help", *words]).exception)


def test_the_page_of_the_documentation_has_every_key(keys):
    text = "\n".join(as_rst(keys))
    assert all(f"``{key.name}``" in text for key in keys)


def test_docstrings_are_read_by_parameter():
    def function(a, b=1):
        """Do.

        Parameters
        ----------
        a, c : int
            The first.
        b : float, seconds
            The second,
            on two lines.

        Returns
        -------
        int
        """

    assert documented(function) == {
        "a": ("int", "The first."), "c": ("int", "The first."), "b": ("float, seconds", "The second, on two lines.")
    }  # fmt: skip


def test_entries_that_no_session_knows_are_few():
    """Descriptions are of keys that exist; the others are of a later version."""
    known = {field.name for field in fields(config.CameraSources)}
    assert set(MEANINGS["cameras.NAME"]) - known <= {"size", "crop", "scale", "delay"}
