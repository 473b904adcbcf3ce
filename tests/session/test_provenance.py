"""Runs that are killed, interrupted, repeated or made at once end in the same results, which say how they were made."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from typer.testing import CliRunner

from muybridge import __version__
from muybridge.datasets import read_dataset
from muybridge.session import entry_point, read_session, run_session
from muybridge.session.command_line import app
from muybridge.session.provenance import Ledger, only_run
from muybridge.session.session_run import planned_steps
from tests.session.synthetic import make_session

STEPS = ("predict", "reconstruct")
COMMAND = [sys.executable, "-m", "muybridge.session.command_line", "run", "--quiet"]


def make(folder):
    recording = make_session(3, 40)
    recording.tables["reconstruct"] = {"method": "dlt", "check_coverage": False}
    return recording.write(folder)


def test_a_step_is_current_until_input_option_or_output_changes(tmp_path):
    ledger = Ledger(tmp_path / "provenance")
    source, output = tmp_path / "in.txt", tmp_path / "out.txt"
    source.write_text("one")
    output.write_text("made of one")
    fingerprint = ledger.fingerprint("step", [source], {"a": 1})
    assert not ledger.is_current("step", fingerprint, [output])
    ledger.record("step", fingerprint, [output], {"a": 1})
    assert ledger.is_current("step", ledger.fingerprint("step", [source], {"a": 1}), [output])
    assert not ledger.is_current("step", ledger.fingerprint("step", [source], {"a": 2}), [output])
    output.write_text("edited by hand")
    assert not ledger.is_current("step", fingerprint, [output])
    source.write_text("two, and longer")
    assert ledger.fingerprint("step", [source], {"a": 1}) != fingerprint


def test_a_moved_but_equal_input_gives_the_same_fingerprint(tmp_path):
    ledger = Ledger(tmp_path / "provenance")
    for name in ("a", "b"):
        (tmp_path / name).write_text("same")
    assert ledger.fingerprint("s", [tmp_path / "a"], {}) == ledger.fingerprint("s", [tmp_path / "b"], {})


def test_a_damaged_record_means_the_step_runs_again(tmp_path):
    ledger = Ledger(tmp_path)
    output = tmp_path / "out.txt"
    output.write_text("x")
    for damaged in ("{half", "[1, 2]"):
        (tmp_path / "step.json").write_text(damaged)
        (tmp_path / "hashes.json").write_text(damaged)
        assert not ledger.is_current("step", ledger.fingerprint("step", [output], {}), [output])
    assert not ledger.is_current("step", "anything", [output])


def test_each_step_records_version_options_and_hashes_and_its_file_carries_them(tmp_path):
    session = make(tmp_path)
    run_session(session, STEPS, progress=False)
    record = json.loads((session.output / "provenance" / "reconstruct.json").read_text())
    assert record["version"] == __version__
    assert record["options"]["options"] == {"method": "dlt", "check_coverage": False}
    assert {os.path.basename(name) for name in record["inputs"]} == {"views.nc", "rig.toml"}
    for name in ("views.nc", "pose.nc"):
        attrs = read_dataset(session.output / name).attrs
        assert attrs["muybridge_version"] == __version__
        carried = json.loads(attrs["inputs"])
        assert carried["cam_0.csv" if name == "views.nc" else "results/views.nc"]


def test_a_dry_run_says_what_would_run_and_why(tmp_path):
    session = make(tmp_path)
    assert planned_steps(session, STEPS) == {"predict": "there is no views.nc", "reconstruct": "after predict"}
    assert CliRunner().invoke(app, ["run", "--dry-run", str(tmp_path)]).stdout.splitlines()[:2] == [
        "predict: would run (there is no views.nc)",
        "reconstruct: would run (after predict)",
    ]
    assert not list(session.output.glob("*.nc"))
    run_session(session, STEPS, progress=False)
    assert planned_steps(session, STEPS) == {"predict": "", "reconstruct": ""}
    points = tmp_path / "cam_1.csv"
    text = points.read_text()
    points.write_text(text.replace("0.950", "0.940"))
    assert planned_steps(session, STEPS) == {"predict": "cam_1.csv has changed", "reconstruct": "after predict"}
    points.write_text(text)
    path = tmp_path / "session.toml"
    path.write_text(path.read_text().replace('"dlt"', '"pairs"'))
    again = read_session(tmp_path)
    assert planned_steps(again, STEPS) == {"predict": "", "reconstruct": "changed in the session file: method"}
    (session.output / "pose.nc").write_bytes(b"edited")
    assert planned_steps(session, ("reconstruct",)) == {"reconstruct": "its outputs were changed by hand"}


def test_what_a_killed_run_left_half_written_is_cleared_by_the_next(tmp_path):
    session = make(tmp_path)
    for name in (".pose.0123456789ab.partial.nc", "provenance/.predict.0123456789ab.partial.json",
                 "board_corners/.cam_0-ab.0123456789ab.partial.npz"):  # fmt: skip
        (session.output / name).parent.mkdir(parents=True, exist_ok=True)
        (session.output / name).write_bytes(b"half")
    run_session(session, ("predict",), progress=False)
    assert not list(session.output.rglob(".*.partial*"))


def test_a_second_run_of_a_session_waits_and_says_so(tmp_path):
    order, entered, end = [], threading.Event(), threading.Event()

    def first():
        with only_run(tmp_path, order.append):
            entered.set()
            end.wait(20)
            order.append("first ends")

    def second():
        with only_run(tmp_path, lambda line: (order.append(line), end.set())):
            order.append("second runs")

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    entered.wait(20)
    threads[1].start()
    for thread in threads:
        thread.join(20)
    assert order == [f"another run works in {tmp_path}: waiting until it ends", "first ends", "second runs"]


def killed_after(session, seconds, how):
    """The exit code of a run that is sent a signal after some seconds, and what it printed."""
    process = subprocess.Popen(
        [*COMMAND, str(session.path)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    time.sleep(seconds)
    process.send_signal(how)
    return process.communicate(timeout=120)[0], process.returncode


@pytest.mark.long
def test_ctrl_c_ends_with_one_line_and_130(tmp_path):
    session = make(tmp_path)
    (tmp_path / "session.toml").write_text((tmp_path / "session.toml").read_text().replace('"dlt"', '"smooth"'))
    for seconds in (3.0, 2.0, 1.5, 1.0):
        said, code = killed_after(session, seconds, signal.SIGINT)
        if code == 130:
            break
    assert code == 130
    assert "Traceback" not in said
    assert said.splitlines()[-1].startswith("interrupted: finished steps are kept")


def test_ctrl_c_while_the_libraries_are_loaded_ends_with_one_line_and_130(monkeypatch, capsys):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr("muybridge.session.command_line.main", interrupted)
    with pytest.raises(SystemExit, match="130"):
        entry_point.main()
    assert capsys.readouterr().err.startswith("interrupted: finished steps are kept")
