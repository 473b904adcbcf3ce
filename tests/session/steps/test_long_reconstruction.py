"""The step "reconstruct" from file to file gives what it gives in memory."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from unittest.mock import Mock

import numpy as np
import pytest
import xarray as xr

from muybridge.cameras import read_rig
from muybridge.datasets import read_dataset, size_limit, write_dataset
from muybridge.session import SessionError, read_session, run_session
from muybridge.session.steps import reconstruction_files
from muybridge.session.steps.reconstruction import RECONSTRUCT
from muybridge.triangulate.rig_refinement import long_recordings
from tests.session.synthetic import make_session


@pytest.mark.parametrize("limit", [60e6, 0])
def test_views_of_several_detectors_are_combined(tmp_path, monkeypatch, limit):
    recording = make_session(n_frames=60)
    recording.tables["reconstruct"] = {"method": "ransac", "check_coverage": False}
    session = recording.write(tmp_path)
    run_session(session, ("predict",), progress=False)
    path, rng = session.output / "views.nc", np.random.default_rng(0)
    one = read_dataset(path)
    parts = [one.assign(position=one["position"] + rng.normal(0, 0.5, one["position"].shape)) for _ in range(3)]
    write_dataset(xr.concat(parts, dim=xr.DataArray(list("abc"), dims="detector", name="detector")), path)
    monkeypatch.setattr(reconstruction_files, "LONG", limit)
    RECONSTRUCT.work(session, False)
    found = read_dataset(session.output / "pose.nc")
    assert np.nanmedian(np.linalg.norm(found["position"].values - recording.truth, axis=-1)) < 3
    assert "detector" not in read_dataset(session.output / found.attrs["views_file"]).dims


@pytest.mark.parametrize("method", ["smooth", "ransac"])
def test_a_long_recording_gives_the_pose_of_a_short_one(tmp_path, monkeypatch, method):
    recording = make_session(n_frames=80)
    recording.tables["skeleton"]["keypoints"] = recording.tables["skeleton"]["keypoints"][::-1]  # another order
    recording.tables["reconstruct"] = {"method": method}
    recording.tables["session"]["fps"] = 2000  # no animal is as fast: both say so
    recording.points_2d[2] += [0.0, 45.0]  # a camera that moved, and is left out
    session = recording.write(tmp_path)
    run_session(session, ("predict", "reconstruct"), progress=False)
    whole = read_dataset(session.output / "pose.nc")
    monkeypatch.setattr(reconstruction_files, "LONG", 0)
    with ThreadPoolExecutor(1) as pool:
        monkeypatch.setattr(pool, "submit", Mock(wraps=pool.submit))
        run_session(read_session(tmp_path), ("reconstruct",), progress=False, force=True, executor=pool)
    assert pool.submit.called == (method == "smooth")
    found = read_dataset(session.output / "pose.nc")
    assert found.attrs["left_out_cameras"] == whole.attrs["left_out_cameras"] == "cam_2"
    assert set(found.attrs) == set(whole.attrs)
    assert "accelerates" in found.attrs["rig_warnings"]
    assert json.loads(found.attrs["inputs"]) == json.loads(whole.attrs["inputs"])
    assert set(found.variables) == set(whole.variables)
    for name in ("position", "covariance", "confidence", "reprojection_error"):
        np.testing.assert_allclose(found[name], whole[name], rtol=1e-6, atol=1e-9, err_msg=name)
    assert {path.name for path in session.output.glob("*.nc")} == {"pose.nc", "views.nc"}


def test_delays_and_cameras_of_a_long_recording_are_corrected_as_those_of_a_short_one(tmp_path, monkeypatch):
    recording = make_session(n_frames=400, noise=0.3)
    recording.points_2d[1, 3:] = recording.points_2d[1, :-3].copy()  # what frame_offsets finds
    recording.points_2d[2, 2:] = recording.points_2d[2, :-2].copy()  # what the session states
    recording.tables["cameras"]["cam_2"]["delay"] = 2
    turned = list(recording.rig.cameras)
    angle = np.radians(0.7)
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    turned[3] = replace(turned[3], R=turn @ turned[3].R, t=turn @ turned[3].t)
    recording.rig = replace(recording.rig, cameras=tuple(turned))
    options = {"method": "dlt", "check_coverage": False, "frame_offsets": True, "refine_rig": True}
    recording.tables["reconstruct"] = options
    session = recording.write(tmp_path)
    run_session(session, ("predict", "reconstruct"), progress=False)
    whole, rig = read_dataset(session.output / "pose.nc"), read_rig(session.output / "refined_rig.toml")
    monkeypatch.setattr(reconstruction_files, "LONG", 0)
    monkeypatch.setattr(long_recordings, "_STRETCHES", 5)
    monkeypatch.setattr(long_recordings, "_SAMPLED", 300 * 7)
    run_session(read_session(tmp_path), ("reconstruct",), progress=False, force=True)
    found = read_dataset(session.output / "pose.nc")
    notes = found.attrs["notes"].splitlines()
    assert any(line.startswith("camera 'cam_1' is delayed by 3.0") for line in notes)
    assert any("'cam_3' no longer stands" in line and line.endswith("the refined rig was used") for line in notes)
    assert notes[-1] == "delays and cameras were judged by 300 of 400 frames"
    assert found.attrs["views_file"] == whole.attrs["views_file"] == "corrected_views.nc"
    np.testing.assert_allclose(read_rig(session.output / "refined_rig.toml")[3].R, rig[3].R, atol=1e-3)
    errors = np.linalg.norm(found["position"].values - recording.truth, axis=-1)
    assert np.nanmedian(errors) < 0.5
    assert np.isfinite(errors[:397]).all()


def test_frames_lost_in_a_long_recording_are_found_and_located(tmp_path, monkeypatch):
    recording = make_session(n_frames=600, noise=0.3)
    recording.points_2d[1, 330:-4] = recording.points_2d[1, 334:].copy()
    options = {"method": "dlt", "check_coverage": False, "frame_offsets": True}
    recording.tables["reconstruct"] = options
    session = recording.write(tmp_path)
    monkeypatch.setattr(reconstruction_files, "LONG", 0)
    monkeypatch.setattr(long_recordings, "_STRETCHES", 6)
    monkeypatch.setattr(long_recordings, "_SAMPLED", 360 * 7)
    run_session(session, ("predict", "reconstruct"), progress=False)
    found = read_dataset(session.output / "pose.nc")
    assert "'cam_1' lost 4 frames" in found.attrs["notes"]
    errors = np.linalg.norm(found["position"].values - recording.truth, axis=-1)
    wrong = np.flatnonzero(~(np.nanmedian(errors, axis=1) < 2))
    assert len(wrong) <= 12


def test_views_held_whole_are_refused_where_the_memory_is_too_small_before_they_are_read(tmp_path, monkeypatch):
    session = make_session(n_frames=20).write(tmp_path)
    run_session(session, ("predict",), progress=False)
    one = read_dataset(session.output / "views.nc")
    both = xr.concat([one, one], dim=xr.DataArray(["a", "b"], dims="detector", name="detector"))
    write_dataset(both, session.output / "views.nc")
    monkeypatch.setattr(reconstruction_files, "LONG", 0)
    monkeypatch.setattr(reconstruction_files, "_HELD", 1e7)
    monkeypatch.setattr(size_limit, "available_memory", lambda: 3 * 2.0**30)
    words = r"views of several detectors are held whole in memory, which takes some \d+\.\d GB of the 3\.0 GB"
    with pytest.raises(SessionError, match=words) as refusal:
        RECONSTRUCT.work(session, False)
    limit = str(refusal.value).rpartition("MUYBRIDGE_MAX_GB=")[2].split()[0]
    monkeypatch.setenv("MUYBRIDGE_MAX_GB", limit)
    reconstruction_files.check_memory(session)
