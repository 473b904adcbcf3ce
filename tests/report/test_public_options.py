"""Every documented option of the report's functions works."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from muybridge import report
from tests.public_options import assert_all_functions_are_called, assert_options_can_be_given, options_of
from tests.report.session import board_images, spoiled_calibration

AX = Figure().add_subplot()
RNG = np.random.default_rng(0)
TIMES = np.arange(5) / 10
# {function: [(arguments, options), ...]}
PLOTS = {
    "plot_bone_lengths": [((RNG.normal(90, 1, (20, 2)), ["femur", "tibia"], AX), {})],
    "plot_error_shares": [((RNG.exponential(1, (2, 30)), ["left", "right"], AX), {})],
    "plot_lone_frames": [((TIMES, np.array([1, np.nan, 2, np.nan, 3]), AX), {"colour": "C1"})],
    "plot_presence": [((np.eye(4), TIMES, list("abcd"), AX), {"label": "cameras", "top": 2.0, "colour": "C1"})],
}


def test_every_public_function_is_called():
    assert_all_functions_are_called(
        report, {*PLOTS, "write_calibration_review", "write_figures", "write_film", "write_report"}
    )


@pytest.mark.parametrize("name", PLOTS)
def test_every_documented_option_of_a_plot_can_be_given(name):
    assert_options_can_be_given(getattr(report, name), PLOTS[name])


def test_every_documented_option_of_write_report_can_be_given(session, tmp_path):
    columns = ("frequency", "duty_factor", "length", "speed", "clearance", "phase")
    strides = pd.DataFrame({"limb": ["left_hind"], "gait": ["walk"], **dict.fromkeys(columns, 0.5)})
    options = {"title": "t", "summary": {}, "videos": {}, "errors": session["errors"], "data_files": {"pose.nc": "all"}}
    made = {name: value for name, value in session.items() if name not in options} | {"strides": strides}
    assert set(made) == options_of(report.SessionResults)
    arguments = tmp_path / "report.html", report.SessionResults(**made)
    assert_options_can_be_given(report.write_report, [(arguments, options)])
    assert "left_hind" in (tmp_path / "report.html").read_text()


def test_every_documented_option_of_write_figures_can_be_given(session, tmp_path):
    names = ("rig", "views", "pose", "skeleton")
    made = {name: session[name] for name in names} | {"kinematics": session["kinematics"].sel(joint=["neck"])}
    assert_options_can_be_given(report.write_figures, [((tmp_path, report.SessionResults(**made)), {"format": "png"})])


def test_every_documented_option_of_write_film_can_be_given(session, tmp_path):
    names = ("views", "videos", "pose", "rig", "skeleton")
    options = {name: session[name] for name in names}
    options |= {"kind": "both", "frames": (0, 2), "speed": 0.5, "width": 160, "turn": 20.0}
    assert_options_can_be_given(report.write_film, [((tmp_path / "film.mp4",), options)])


def test_every_documented_option_of_write_calibration_review_can_be_given(tmp_path):
    calibration = spoiled_calibration()
    options = {"sources": board_images(calibration), "title": "Two cameras", "n_pictures": 2, "width": 120}
    calls = [((tmp_path / "review.html", calibration), options)]
    assert_options_can_be_given(report.write_calibration_review, calls)
