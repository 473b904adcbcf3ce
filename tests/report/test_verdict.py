import numpy as np
import pytest

from muybridge.report.verdict import grade_of, judge
from muybridge.report.warning_ranking import SizedWarning, cameras_without_points, joints_without_angle

WARNING = SizedWarning("camera a", 3.0, 2.0, "Camera 'a' disagrees by 3 px; calibrate it again.")


def test_a_good_reconstruction_says_so_with_its_numbers(session):
    judged = judge(session["pose"], session["pose"]["reprojection_error"], [])
    assert judged.grade == "good"
    assert judged.judgement.startswith("This reconstruction can be used: 98.6 % of the points are in 3D")
    assert "± " in judged.judgement
    assert judged.wrong == "No step has warned; 'tail' is missing most often."
    assert judged.remedy == "Nothing has to be done; look at the worst instants in the images."


def test_a_report_without_pictures_sends_to_none(session):
    """The pose as it is, doubtful, of two cameras, and with a warning that names no remedy."""
    pose, errors = session["pose"], session["pose"]["reprojection_error"]
    low = pose.assign(confidence=(("time", "keypoint"), np.full((60, 7), 0.3)))
    plain = WARNING._replace(message="The error bars are too narrow.")
    for judged in (
        judge(pose, errors, [], False), judge(low, None, [], False), judge(pose, errors[:2], [], False),
        judge(pose, None, [plain], False),
    ):  # fmt: skip
        assert "the worst instants under 'Over time'" in judged.remedy


def test_the_worst_warning_is_taken_apart_into_what_is_wrong_and_what_to_do(session):
    judged = judge(session["pose"], None, [WARNING, WARNING])
    assert judged.grade == "care"
    assert judged.wrong == "Camera 'a' disagrees by 3 px (the worst of 2 warnings)."
    assert judged.remedy == "Calibrate it again."
    plain = judge(session["pose"], None, [WARNING._replace(message="The error bars are too narrow.")])
    assert plain.wrong == "The error bars are too narrow."
    assert "worst instants" in plain.remedy
    whose = judge(session["pose"], None, [WARNING._replace(message="rat_0: The error bars are too narrow.")])
    assert whose.wrong == "rat_0: The error bars are too narrow."


@pytest.mark.parametrize(
    ("confidence", "n_warnings", "grade"), [(0.4, 0, "bad"), (0.7, 0, "care"), (0.9, 1, "care"), (np.nan, 0, "good")]
)
def test_confidence_and_warnings_make_the_grade(confidence, n_warnings, grade):
    assert grade_of(confidence, n_warnings) == grade


def test_low_confidence_without_a_warning_sends_to_the_labels(session):
    pose = session["pose"].assign(confidence=(("time", "keypoint"), np.full((60, 7), 0.3)))
    judged = judge(pose, None, [])
    assert judged.grade == "bad"
    assert "label more frames" in judged.remedy


def test_what_is_mostly_missing_is_named(session):
    views = session["views"].copy(deep=True)
    views["position"][1] = np.nan
    assert [found.about for found in cameras_without_points(views)] == ["camera cam_1"]
    angles = session["kinematics"].copy(deep=True)
    angles["angle"][:, 2] = np.nan
    assert [found.about for found in joints_without_angle(angles)] == ["joint neck"]
