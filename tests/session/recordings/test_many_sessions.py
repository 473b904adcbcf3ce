"""Sixty-four real sessions, one of them broken: every other result is there, and the table names the one.

They run in this process: what a process of its own costs (seconds of libraries) would be minutes for all of them.
"""

import io
import sys
from concurrent.futures import Future
from contextlib import redirect_stderr, redirect_stdout

import numpy as np
import pandas as pd
import pytest

from muybridge.datasets import read_dataset
from muybridge.session.command_line import main
from muybridge.session.recordings.command import run_batch_command
from muybridge.session.recordings.executors import Place
from muybridge.session.recordings.one_run import Ending
from tests.session.synthetic import make_session

N_SESSIONS, BROKEN = 64, 40
KEYPOINTS = ("nose", "neck", "tail")


class InProcess:
    """Runs the command `muybridge run` here, one session after the other; a run's last line is its message."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def places(self):
        return {"here": Place(1, 1e12)}

    def begin(self, place, session, force):
        future, said, code = Future(), io.StringIO(), 0
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(said), redirect_stderr(said):
            patch.setattr(sys, "argv", ["muybridge", "run", str(session), "--quiet"])
            try:
                main()
            except SystemExit as end:
                code = end.code or 0
        lines = said.getvalue().strip().splitlines()
        future.set_result(Ending(code, lines[-1] if lines else ""))
        return future


def write_tiny(folder, seed):
    """A session of 20 frames of 3 keypoints in 3 cameras; returns where the keypoints are."""
    recording = make_session(3, 20, seed=seed)
    recording.names = KEYPOINTS
    recording.points_2d, recording.likelihood = recording.points_2d[:, :, :3], recording.likelihood[:, :, :3]
    tables = recording.tables
    del tables["joints"]
    tables["skeleton"] = {"keypoints": list(KEYPOINTS), "bones": [["neck", "nose"], ["neck", "tail"]]}
    tables["reconstruct"] = {"method": "dlt", "check_coverage": False}
    recording.write(folder)
    return recording.truth[:, :3]


@pytest.mark.long
def test_one_broken_session_of_64_leaves_63_results_and_a_table_that_names_it_and_its_reason(tmp_path, monkeypatch):
    truth = [write_tiny(tmp_path / f"s{i:02}", i) for i in range(N_SESSIONS)]
    (tmp_path / f"s{BROKEN}" / "cam_1.csv").write_text("this is no table of keypoints")
    monkeypatch.setattr("muybridge.session.recordings.command.make_executor", lambda *_: InProcess())
    said, table = [], tmp_path / "table.csv"
    options = {"table": table, "force": False, "say": said.append}
    assert run_batch_command([tmp_path], "processes", None, None, **options) == 1
    assert f"{N_SESSIONS - 1} of {N_SESSIONS} sessions done, 1 failed:" in said
    rows = pd.read_csv(table)
    assert len(rows) == N_SESSIONS
    [bad] = rows[rows["outcome"] == "failed"].to_dict("records")
    assert f"s{BROKEN}" in bad["session"]
    assert "cam_1.csv" in bad["message"]
    for i in range(N_SESSIONS):
        output = tmp_path / f"s{i:02}" / "results"
        assert (output / "report.html").is_file() == (i != BROKEN)
        if i != BROKEN:
            found = read_dataset(output / "pose.nc")["position"].values
            assert np.nanmedian(np.linalg.norm(found - truth[i], axis=-1)) < 2
