"""The steps after the reconstruction read a long recording in stretches, or some of its instants."""

from functools import cache

import numpy as np
import pytest
import xarray as xr

from muybridge.datasets import read_dataset
from muybridge.session import read_session, run_session, run_warnings
from muybridge.session.steps import kinematics, report
from tests.session.synthetic import make_session

HINGE = {"kind": "hinge", "points": ["tail", "left_hip", "left_knee"], "axis": "estimate"}


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """A function that reconstructs a session with all kinds of joints and a gait: with velocities, or without."""
    made = make_session(n_frames=90)
    made.tables["session"]["up"] = [0, 0, 1]
    made.tables["joints"] = {"turn": HINGE, "knee": ["tail", "right_hip", "right_knee"]}
    made.tables["gait"] = {"left_hind": "left_knee", "right_hind": "right_knee"}

    @cache
    def reconstructed(method):
        made.tables["reconstruct"] = {"method": method, "check_coverage": False}
        session = made.write(tmp_path_factory.mktemp(method))
        run_session(session, ("predict", "reconstruct", "kinematics"), progress=False)
        return session

    return reconstructed


@pytest.mark.parametrize("method", ["smooth", pytest.param("ransac", marks=pytest.mark.long)])
def test_kinematics_in_stretches_are_those_in_one_piece(recording, method, monkeypatch):
    path = recording(method).output / "kinematics.nc"
    whole, strides = read_dataset(path), (recording(method).output / "strides.csv").read_text()
    monkeypatch.setattr(kinematics, "_STRETCH", 40)
    run_session(read_session(recording(method).folder), ("kinematics",), progress=False, force=True)
    found = read_dataset(path)
    assert found.attrs == whole.attrs
    assert set(found.variables) == set(whole.variables)
    assert found["stance"].dtype == whole["stance"].dtype == bool
    assert found["joint"].values.tolist() == whole["joint"].values.tolist()
    # without velocities of its own a pose is smoothed here, each stretch by its own noise: with 1000 frames more on
    # either side that is the noise of all these frames
    for name in whole.data_vars:
        np.testing.assert_allclose(found[name], whole[name], rtol=1e-9, atol=1e-9, err_msg=str(name))
    assert (recording(method).output / "strides.csv").read_text() == strides


def test_the_page_of_a_long_recording_is_made_of_some_instants(recording, monkeypatch):
    session = read_session(recording("smooth").folder)
    monkeypatch.setattr(report, "MOST_INSTANTS", 40)
    made = report.made_by_steps(session)
    assert [getattr(made, name).sizes["time"] for name in ("views", "pose", "kinematics")] == [30, 30, 30]
    pose = read_dataset(session.output / "pose.nc")
    np.testing.assert_array_equal(made.pose["position"], pose["position"][::3])
    assert made.views["frame"].values[0].tolist() == list(range(0, 90, 3))
    page = report.write_session_report(session).read_text()
    assert "90 at 100 Hz (0.90 s); the page is made of one in 3" in page
    assert '"n_frames":90' in page.replace(" ", "")


def test_warnings_and_verdict_of_a_long_recording_are_made_of_what_its_page_is_made_of(recording, monkeypatch):
    session, read = read_session(recording("smooth").folder), []
    whole = run_warnings.verdict(session)
    monkeypatch.setattr(run_warnings, "MOST_INSTANTS", 40)
    monkeypatch.setattr(xr.Dataset, "load", lambda self, load=xr.Dataset.load: read.append(load(self)) or read[-1])
    some = run_warnings.verdict(session)
    assert some.partition(": ")[2].partition(":")[0] == whole.partition(": ")[2].partition(":")[0]
    assert max(part.sizes["time"] for part in read) == 90  # fewer than are read at a time
    assert not any("velocity" in part or "acceleration" in part for part in read)
    assert run_warnings.made_by_run(session, "pose.nc").sizes["time"] == 30
