"""The step "reconstruct" from file to file gives what it gives in memory."""

import json
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import Mock

import numpy as np
import pytest

from muybridge.datasets import read_dataset
from muybridge.session import read_session, run_session
from muybridge.session.steps import reconstruction
from tests.session.synthetic import make_session


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
    monkeypatch.setattr(reconstruction, "_LONG", 0)
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
