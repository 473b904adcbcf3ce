"""The command as a user meets it, judged by exit code and output; one command runs in a process of its own."""

import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from unittest import mock

import pytest

from muybridge.session.command_line import main
from tests.helpers import edit_session, write_video

COMMANDS = (
    "demo",
    "init",
    "check",
    "calibrate",
    "train",
    "predict",
    "reconstruct",
    "kinematics",
    "report",
    "run",
    "batch",
    "collect",
    "extract",
    "suggest",
    "corruption",
)


def muybridge(*arguments):
    """Exit code and output of a command, run in this process."""
    out, err, code = StringIO(), StringIO(), 0
    in_place = mock.patch.object(sys, "argv", ["muybridge", *map(str, arguments)]), mock.patch.dict(os.environ)
    with in_place[0], in_place[1], redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def assert_one_sentence(result, *parts):
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    lines = [line for line in result.stderr.strip().splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, result.stderr
    for part in parts:
        assert part in lines[0]


def test_every_command_has_help():
    result = muybridge("--help")
    assert result.returncode == 0
    for command in COMMANDS:
        assert f"  {command} " in result.stdout
    assert muybridge("run", "--help").returncode == 0


def test_the_command_loads_no_engine_before_a_step_runs():
    code = (
        "import sys, muybridge.session.command_line;"
        "print([m for m in ('numpy', 'cv2', 'xarray', 'numba') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.stdout.strip() == "[]"


def test_check_states_the_facts_in_a_process_of_its_own(small_recording):
    command = [sys.executable, "-m", "muybridge", "check", str(small_recording)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert result.returncode == 0
    assert "160x120" in result.stdout
    assert "unit mm" in result.stdout


def test_check_fails_on_a_broken_video(small_recording):
    (small_recording / "left.mp4").write_bytes(b"")
    result = muybridge("check", small_recording)
    assert result.returncode == 1
    assert "camera 'left'" in result.stderr


def test_init_then_check(tmp_path):
    write_video(tmp_path / "a.mp4", 3)
    write_video(tmp_path / "b.mp4", 3)
    made = muybridge("init", tmp_path)
    assert made.returncode == 0
    assert "session.toml: correct the board, name a source of 2D points" in made.stdout
    assert made.stdout.endswith(f"then 'muybridge check {tmp_path / 'session.toml'}'\n")
    assert (tmp_path / "session.toml").exists()
    assert_one_sentence(muybridge("init", tmp_path), "already exists")


@pytest.mark.parametrize("name", ["video", "board"])
def test_a_missing_file_is_one_sentence(small_recording, name):
    edit_session(small_recording, f'{name} = "', f'{name} = "gone_')
    assert_one_sentence(muybridge("run", small_recording), "gone_", "does not exist")


def test_videos_without_a_board_are_refused_and_nothing_is_written(small_recording):
    before = set(small_recording.iterdir())
    assert_one_sentence(muybridge("calibrate", small_recording, "-q"), "board")
    made = [path for path in (small_recording / "results").rglob("*") if path.is_file()]
    # what was found in each recording is kept, in the results alone
    assert {path.name for path in made if path.parent.name != "board_corners"} <= {"hashes.json", ".lock"}
    assert set(small_recording.iterdir()) - before == {small_recording / "results"}


def test_board_videos_of_different_lengths_are_one_sentence(small_recording):
    write_video(small_recording / "board_left.mp4", n_frames=5)
    assert_one_sentence(muybridge("run", small_recording, "-q"), "left 5 frames", "right 12 frames")


def test_a_step_whose_input_is_missing_says_which_step_makes_it(small_recording):
    assert_one_sentence(muybridge("reconstruct", small_recording), "views.nc", "muybridge predict")


def test_an_unknown_option_of_a_step_is_named(small_recording):
    path = small_recording / "session.toml"
    path.write_text(path.read_text() + "\n[calibrate]\nrobustt = 3\n")
    assert_one_sentence(muybridge("calibrate", small_recording), "[calibrate] has no option 'robustt'")


@pytest.mark.long  # shorter: batches of runs that take no time (recordings/test_batch.py)
def test_one_bad_session_of_a_batch_does_not_stop_the_others(small_recording, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "session.toml").write_text("[cameras")
    edit_session(small_recording, "squares_x", "squars_x")  # refused before any engine is loaded
    result = muybridge("batch", tmp_path, "-j", "2")
    assert result.returncode == 1
    assert "[2/2]" in result.stdout
    assert "no valid TOML" in result.stdout
    assert "did you mean 'squares_x'" in result.stdout
    assert "0 of 2 sessions done, 2 failed" in result.stdout


@pytest.mark.parametrize(
    ("entry", "parts"),
    [
        ("[calibrate]\nprogress = true", ["[calibrate] 'progress' is set by the session"]),
        ("[calibrate]\nframe_step = 'x'", ["[calibrate] frame_step is 'x'; give a whole number"]),
        ("[predict]\ndetector = 5", ["[predict] detector is 5; give a path"]),
    ],
)
def test_a_value_of_the_wrong_kind_is_one_sentence(small_recording, entry, parts):
    path = small_recording / "session.toml"
    path.write_text(path.read_text() + "\n" + entry + "\n")
    assert_one_sentence(muybridge("run", small_recording, "-q"), *parts)


def test_check_names_what_a_run_would_lack(small_recording):
    edit_session(small_recording, "squares_x", "squars_x")
    edit_session(small_recording, 'labels = "labels"', "")
    result = muybridge("check", small_recording)
    assert result.returncode == 1
    assert "did you mean 'squares_x'" in result.stderr
    assert "2D points have no source" in result.stderr


def test_a_batch_survives_a_log_that_cannot_be_written(small_recording):
    (small_recording / "session.log").mkdir()
    result = muybridge("batch", small_recording)
    assert result.returncode == 1
    assert "cannot write" in result.stdout
    assert "0 of 1 sessions done" in result.stdout


def test_check_foresees_wrong_options_and_a_floor_frame_beyond_the_end(small_recording):
    text = (small_recording / "session.toml").read_text() + "\n[report]\nstride = 'x'\n[reconstruct]\nmax_gp = 3\n"
    text = text.replace('unit = "mm"', 'unit = "mm"\nfloor_frame = 500')
    text = text.replace('labels = "labels"', 'labels = "labels"\niteration = 3')
    (small_recording / "session.toml").write_text(text)
    result = muybridge("check", small_recording)
    assert result.returncode == 1
    for part in (
        "[report] has no option 'stride'; known: []",
        "[reconstruct] has no option 'max_gp', did you mean 'max_gap'?",
        "did you mean 'iterations'?",
        "end with frame 11",
    ):
        assert part in result.stderr


def test_check_compares_the_points_with_the_video(small_recording):
    rows = [["scorer", *["me"] * 3], ["bodyparts", *["hip"] * 3], ["coords", "x", "y", "likelihood"]]
    rows += [[str(i), "5", "6", "0.9"] for i in range(15)]
    (small_recording / "left.csv").write_text("\n".join(",".join(row) for row in rows))
    edit_session(small_recording, 'video = "left.mp4"', 'video = "left.mp4"\npoints = "left.csv"')
    result = muybridge("check", small_recording)
    assert "left.csv has points of 15 frames, its video has 12" in result.stderr
