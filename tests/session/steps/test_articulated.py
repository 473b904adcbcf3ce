"""A session whose animal is an articulated body: its angles in kinematics.nc and in the report."""

import numpy as np

from muybridge.datasets import read_dataset
from muybridge.session import run_session
from muybridge.session.session_problems import foreseen
from muybridge.session.steps import reconstruction_files
from muybridge.session.steps.reconstruction import RECONSTRUCT
from muybridge.triangulate import MovementPrior, PosePrior, body_from_skeleton, write_body
from tests.session.synthetic import SKELETON, make_session


def test_angles_of_the_body_reach_kinematics_and_report_and_a_long_recording_goes_from_file_to_file(
    tmp_path, monkeypatch
):
    recording = make_session(n_cameras=3, n_frames=60)
    del recording.tables["skeleton"]
    options = {"method": "articulated", "body": "own.toml", "prior": "walk.npz", "check_coverage": False}
    recording.tables["reconstruct"] = options
    session = recording.write(tmp_path)
    body = body_from_skeleton(SKELETON, recording.truth, name="walker")
    write_body(body, tmp_path / "own.toml")
    names = list(SKELETON.keypoints)
    MovementPrior.fit(recording.truth, body, fps=100.0, keypoints=names).save(tmp_path / "walk.npz")
    run_session(session, progress=False)
    pose, motion = (read_dataset(session.output / name) for name in ("pose.nc", "kinematics.nc"))
    assert np.median(np.linalg.norm(pose["position"].values - recording.truth, axis=-1)) < 2.0
    turns = list(body.angle_names[3:])
    assert [str(name) for name in motion["joint"].values] == [*turns, "knee"]
    own = pose.sel(body_joint=turns)
    np.testing.assert_array_equal(motion["angle"].sel(joint=turns), own["body_angle"])
    np.testing.assert_array_equal(motion["angle_std"].sel(joint=turns), own["body_angle_std"])
    page = (session.output / "report.html").read_text()
    assert "Bone lengths" in page
    assert "Of the trained prior of movement: which joints move together was taken" in page
    assert turns[-1] in page
    monkeypatch.setattr(reconstruction_files, "LONG", 0)
    RECONSTRUCT.work(session, False)
    found = read_dataset(session.output / "pose.nc")
    assert found.attrs.keys() == pose.attrs.keys()
    for name in ("position", "covariance", "body_angle", "body_velocity_std"):
        np.testing.assert_allclose(found[name], pose[name], rtol=1e-6, atol=1e-9, err_msg=name)


def test_a_prior_of_another_method_or_body_is_refused_before_the_run(tmp_path):
    recording = make_session(n_cameras=3, n_frames=20)
    options = {"method": "articulated", "body": "rodent", "prior": "poses.npz", "check_coverage": False}
    recording.tables["reconstruct"] = options
    session = recording.write(tmp_path)
    PosePrior.fit(recording.truth, SKELETON, 1).save(tmp_path / "poses.npz")
    problems, _, _ = foreseen(session)
    assert "poses.npz is not a movement prior" in "".join(problems)
    MovementPrior(("pitch", "wing_flap"), np.eye(2)).save(tmp_path / "poses.npz")
    problems, _, _ = foreseen(session)
    assert "the prior has none of the turns of body 'rodent'" in "".join(problems)


def test_markers_that_the_points_lack_are_the_cause_that_check_names(tmp_path):
    recording = make_session(n_cameras=3, n_frames=20)
    recording.tables["reconstruct"] = {"method": "articulated", "body": "rodent", "check_coverage": False}
    problems, warnings, _ = foreseen(recording.write(tmp_path))
    assert problems == []
    assert "The 2D points lack 13 of the 19 markers of body 'rodent' ['spine', 'tail_base'" in warnings[0]
    assert "angles that only these show are not determined; the body has no markers ['tail']" in warnings[0]
