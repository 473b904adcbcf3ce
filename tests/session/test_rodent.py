"""The real recording of examples/: four cameras, a rat, boards on images, 2D points from SLEAP."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from muybridge.calibration import read_rig
from muybridge.datasets import read_dataset
from muybridge.session import read_session, run_session
from muybridge.triangulate import reconstruct
from tests.helpers import needs_shared

pytestmark = [pytest.mark.shared, needs_shared]
STEPS = ("calibrate", "predict", "reconstruct", "kinematics")
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "rodent_4cam"


@pytest.fixture(scope="module")
def rat(tmp_path_factory):
    session = replace(read_session(EXAMPLE), output=tmp_path_factory.mktemp("rat"))
    # that a lens of these boards is chosen well, and error bars checked, tests of the calibration and of smooth show
    given = {"calibrate": {"distortion_model": 4}, "reconstruct": {"method": "smooth", "check_coverage": False}}
    session = replace(session, options=session.options | given)
    run_session(session, STEPS, progress=False)
    return session


def median_error(session, cameras):
    return float(read_dataset(session.output / "pose.nc")["reprojection_error"].sel(view=cameras).median())


def test_the_cameras_that_agree_reproject_the_rat_within_a_pixel_and_a_half(rat):
    assert median_error(rat, ["mid", "top"]) < 1.5


def test_the_median_over_all_cameras_is_what_their_labels_allow(rat):
    # the labels of 'back' and 'side' disagree with each other and with the rest by up to 60 px (hidden keypoints were
    # guessed); the calibration's own corners lie within 0.15 px
    assert median_error(rat, ["back", "mid", "side", "top"]) < 3


def test_the_broken_calibration_published_with_it_cannot_do_that(rat):
    views = read_dataset(rat.output / "views.nc")
    broken = EXAMPLE.parents[2] / "shared/data/rodent_4cam/broken_reference_calibration.toml"
    errors = [
        float(reconstruct(views, read_rig(path), method="dlt")["reprojection_error"].median())
        for path in (rat.output / "rig.toml", broken)
    ]
    assert errors[0] < 6
    assert errors[1] > 15


def test_angles_and_speeds_are_those_of_a_resting_rat(rat):
    motion = read_dataset(rat.output / "kinematics.nc")
    assert set(motion["joint"].values) == {"neck", "back", "tail_base", "tail"}
    assert np.isfinite(motion["angle"]).mean() > 0.95
    speed = np.sqrt((motion["velocity"] ** 2).sum("space", skipna=False))
    assert float(speed.sel(keypoint="TTI").median()) < 50  # mm/s


def test_a_second_run_has_nothing_to_do(rat):
    lines = []
    assert run_session(rat, STEPS, progress=False, say=lines.append) == {}
    assert len(lines) >= len(STEPS)
    assert all(line.endswith("up to date") for line in lines)


def test_the_pose_says_how_well_a_camera_left_out_is_predicted(rat):
    records = json.loads(read_dataset(rat.output / "pose.nc").attrs["left_out"])
    assert {record["method"] for record in records} == {"ransac", "smooth"}
    assert {record["camera"] for record in records} == {*rat.cameras, "all"}
