"""A run says at most three warnings, the worst first, and checks the error bars unless it is told not to."""

import re

import numpy as np
import pytest

from muybridge.calibration import write_rig
from muybridge.datasets import read_dataset, views_dataset, write_dataset
from muybridge.report.quality import left_out_table
from muybridge.session import SessionError, read_session, run_session
from muybridge.session.run_warnings import for_session, step_warnings
from tests.conftest import make_ring_rig

N_FRAMES = 120
NAMES = [f"point_{i}" for i in range(6)]


@pytest.fixture
def session_of(tmp_path):
    """A function that writes the session of a 2D recording by a ring of cameras and reads it."""

    def write(points_2d, rig, extra=""):
        write_rig(rig, tmp_path / "rig.toml")
        cameras = "".join(f"[cameras.{name}]\n" for name in rig.names)
        (tmp_path / "session.toml").write_text(
            f"[session]\nrig = 'rig.toml'\n{cameras}[reconstruct]\nmethod = 'ransac'\n{extra}"
        )
        (tmp_path / "results").mkdir(exist_ok=True)
        times = np.arange(N_FRAMES) / 100
        views = views_dataset(points_2d, cameras=rig.names, keypoints=NAMES, times=times)
        write_dataset(views, tmp_path / "results" / "views.nc")
        return read_session(tmp_path)

    return write


def seen_by(rig, noise=1.0):
    rng = np.random.default_rng(0)
    points_2d = rig.project(rng.uniform(-100, 100, (N_FRAMES, len(NAMES), 3)))
    return points_2d + rng.normal(0, noise, points_2d.shape)


def reconstructed(session):
    lines = []
    run_session(session, ("reconstruct",), say=lines.append)
    beside = ("reconstruct: ", "compiling kernels")  # what it made, and that of a machine that has no kernels yet
    return [line for line in lines if not line.startswith(beside)], read_dataset(session.output / "pose.nc")


def test_a_good_recording_has_no_warnings_and_its_error_bars_are_checked(session_of):
    rig = make_ring_rig(4)
    said, pose = reconstructed(session_of(seen_by(rig), rig))
    assert said == []
    assert pose.attrs["coverage_words"].startswith("95 % regions hold 9")


def test_each_camera_is_left_out_once_whether_the_error_bars_are_checked_or_not(session_of):
    """The check of the error bars and the comparison with robust points rest on one computation."""
    rig = make_ring_rig(4)
    points_2d = seen_by(rig)
    _, checked = reconstructed(session_of(points_2d, rig))
    _, unchecked = reconstructed(session_of(points_2d, rig, "check_coverage = false"))
    assert "left_out" not in checked.attrs
    assert "coverage" not in unchecked.attrs
    tables = [left_out_table(pose) for pose in (checked, unchecked)]
    assert list(tables[0].index) == [*rig.names, "all"]
    np.testing.assert_allclose(*tables, rtol=0.02)


def test_three_warnings_are_said_the_worst_first_and_the_others_are_counted(session_of):
    rig, rng = make_ring_rig(6), np.random.default_rng(1)
    points_2d = seen_by(rig)
    points_2d[5] += [40.0, 0.0]
    for k, (share, size) in enumerate([(0.5, 60), (0.5, 200), (0.45, 30)]):
        wrong = rng.random((3, N_FRAMES)) < share
        points_2d[1:4, :, k][wrong] += rng.normal(0, size, (int(wrong.sum()), 2))
    points_2d[:, :70, 3] = np.nan
    said, _ = reconstructed(session_of(points_2d, rig))
    assert [re.match(r"warning: (\w+ '\w+')", line)[1] for line in said] == [
        "Keypoint 'point_1'", "Keypoint 'point_3'", "Camera 'cam_5'"
    ]  # fmt: skip
    assert said[-1].endswith("(5 more warnings in the report)")
    for line in said:
        assert re.search(r"\d mm", line)
        assert re.search("label more frames|calibrate it again", line)


def test_the_check_can_be_switched_off_and_needs_three_cameras(session_of):
    rig = make_ring_rig(4)
    _, pose = reconstructed(session_of(seen_by(rig), rig, "check_coverage = false"))
    assert not any(name.startswith("coverage") for name in pose.attrs)
    pair = rig.subset(["cam_0", "cam_1"])
    said, pose = reconstructed(session_of(seen_by(pair), pair))
    assert [line.partition(":")[0] for line in said] == ["note"]  # on what two cameras do not show
    assert "at least three" in pose.attrs["coverage_failed"]
    with pytest.raises(SessionError, match="true or false"):
        reconstructed(session_of(seen_by(rig), rig, "check_coverage = 'yes'"))


def test_animals_in_the_videos_that_were_not_declared_are_named_in_the_words_of_the_session(session_of):
    rig = make_ring_rig(3)
    session = session_of(seen_by(rig), rig)
    path, words = (
        session.output / "views.nc",
        "camera 'cam_1' shows up to 3 animals at a time; set n_animals=3, or crop",
    )
    write_dataset(read_dataset(path).assign_attrs(animal_warnings=words), path)
    assert list(map(for_session, step_warnings(session, "predict"))) == [
        "Camera 'cam_1' shows up to 3 animals at a time; set [animals] count = 3, or crop"
    ]
