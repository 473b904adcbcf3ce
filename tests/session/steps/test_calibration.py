"""The step calibrate: lenses of a rig file, recordings for lenses, and recordings of some of the cameras."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from muybridge.calibration import CameraRig, CharucoBoard, read_rig, simulate_board_motion, write_rig
from muybridge.session import SessionError, read_session, run_session
from muybridge.session.command_line import app
from muybridge.session.recording_facts import describe
from muybridge.session.session_problems import foreseen
from tests.calibration.synthetic import BOARD, render_board, small_rig

SESSION = """
[session]
name = "lenses"

[cameras.cam_0]
board = "cam_0"

[cameras.cam_1]
board = "cam_1"

[board]
type = "charuco"
squares_x = 7
squares_y = 6
square_length = 40.0
marker_length = 30.0

[calibrate]
intrinsics = "lenses.toml"
"""


@pytest.fixture
def folder(tmp_path):
    rig = small_rig(2)
    for name, images in render_board(rig, *simulate_board_motion(10, reach=60.0, seed=3)).items():
        (tmp_path / name).mkdir()
        for i, image in enumerate(images):
            cv2.imwrite(str(tmp_path / name / f"{i}.png"), image)
    spare = replace(rig[0], name="spare")
    write_rig(CameraRig((*rig, spare)), tmp_path / "lenses.toml")
    (tmp_path / "session.toml").write_text(SESSION)
    return tmp_path


def files_below(folder):
    return {path for path in folder.rglob("*") if path.is_file()}


def test_the_lenses_of_a_rig_file_stay_and_only_the_poses_are_estimated(folder):
    session, before = read_session(folder), files_below(folder)
    describe(session)  # as `check` does
    assert list(run_session(session, ("calibrate",), progress=False)) == ["calibrate"]
    made = files_below(folder) - before
    assert {path.relative_to(folder).parts[0] for path in made} == {"results"}  # no cache among the recordings
    assert {path.parent.name for path in made} >= {"board_corners", "provenance"}
    found = read_rig(session.output / "rig.toml")
    assert found.names == ("cam_0", "cam_1")
    for camera, true in zip(found, small_rig(2), strict=True):
        np.testing.assert_array_equal(camera.K, true.K)
    apart = np.linalg.norm(found.centers[1] - found.centers[0])
    np.testing.assert_allclose(apart, np.linalg.norm(np.diff(small_rig(2).centers, axis=0)), rtol=0.01)
    assert run_session(session, ("calibrate",), progress=False) == {}
    write_rig(small_rig(2), folder / "lenses.toml")
    assert list(run_session(session, ("calibrate",), progress=False)) == ["calibrate"]


@pytest.mark.parametrize("kind", ["board of the camera", "recordings of several cameras"])
def test_lenses_alone_are_calibrated_from_boards_that_are_not_simultaneous(folder, kind):
    path = folder / "session.toml"
    text = path.read_text().replace('intrinsics = "lenses.toml"', "distortion_model = 0")
    if kind == "recordings of several cameras":
        for name in ("cam_0", "cam_1"):
            text = text.replace(f'board = "{name}"', "")
        text += '\n[board_recordings.monday]\ncam_0 = "cam_0"\ncam_1 = "cam_1"\n'
    path.write_text(text)
    for i in range(5):  # one camera lacks half of the pictures: instants differ
        (folder / "cam_1" / f"{2 * i}.png").unlink()
    run = CliRunner().invoke(app, ["calibrate", "--intrinsics-only", "--quiet", str(folder)])
    assert run.exit_code == 0, run.output
    assert 'intrinsics = "results/lenses.toml" under [calibrate]' in run.output
    lenses = read_rig(folder / "results" / "lenses.toml")
    for camera, true in zip(lenses, small_rig(2), strict=True):
        np.testing.assert_allclose(camera.K[0, 0], true.K[0, 0], rtol=0.02)


def test_a_recording_for_the_lens_joins_the_calibration(folder):
    path = folder / "session.toml"
    text = path.read_text().replace('intrinsics = "lenses.toml"', "distortion_model = 0")
    for name, images in render_board(small_rig(2), *simulate_board_motion(8, reach=60.0, seed=5)).items():
        (folder / f"lens_{name}").mkdir()
        for i, image in enumerate(images):
            cv2.imwrite(str(folder / f"lens_{name}" / f"{i}.png"), image)
        text = text.replace(f'board = "{name}"', f'board = "{name}"\nlens_board = "lens_{name}"')
    path.write_text(text)
    session = read_session(folder)
    run_session(session, ("calibrate",), progress=False)
    found = read_rig(session.output / "rig.toml")
    for camera, true in zip(found, small_rig(2), strict=True):
        np.testing.assert_allclose(camera.K[0, 0], true.K[0, 0], rtol=0.01)
    apart = np.linalg.norm(found.centers[1] - found.centers[0])
    np.testing.assert_allclose(apart, np.linalg.norm(np.diff(small_rig(2).centers, axis=0)), rtol=0.01)


def test_times_of_board_pictures_reach_the_calibration(folder):
    path = folder / "session.toml"
    text = path.read_text().replace('intrinsics = "lenses.toml"', "distortion_model = 0")
    for c, name in enumerate(("cam_0", "cam_1")):
        text = text.replace(f'board = "{name}"', f'board = "{name}"\nboard_timestamps = "{name}.csv"')
        (folder / f"{name}.csv").write_text("time\n" + "\n".join(f"{i / 10 + c / 1000}" for i in range(10)))
    path.write_text(text)
    session = read_session(folder)
    run_session(session, ("calibrate",), progress=False)
    assert "exposure times: held-out" in (session.output / "calibration.json").read_text()


def test_a_missing_rig_file_is_named(folder):
    (folder / "lenses.toml").unlink()
    with pytest.raises(SessionError, match=r"step 'calibrate' needs .*lenses.toml"):
        run_session(read_session(folder), ("calibrate",), progress=False)


def test_intrinsics_that_are_no_path_are_refused(folder):
    path = folder / "session.toml"
    path.write_text(path.read_text().replace('"lenses.toml"', "[1, 2]"))
    with pytest.raises(SessionError, match=r"\[calibrate\] intrinsics is \[1, 2\]; give a path"):
        read_session(folder)


SMALL = "board = { squares_x = 5, squares_y = 6, square_length = 45.0, marker_length = 33.0 }"
PAIRS = {"first": ((0, 1), ""), "second": ((1, 2), SMALL)}


@pytest.fixture
def pairs(tmp_path):
    """Three cameras, of which two film the board at a time, a smaller board the second time."""
    lines = [*SESSION.splitlines()[:3], *(f"[cameras.cam_{c}]" for c in range(3))]
    boards = {"first": BOARD, "second": CharucoBoard(5, 6, 45.0, 33.0)}
    for seed, (name, (cameras, own)) in enumerate(PAIRS.items()):
        lines += [f"[board_recordings.{name}]", own]
        rig = CameraRig(tuple(small_rig(3)[c] for c in cameras))
        for camera, images in render_board(
            rig, *simulate_board_motion(12, reach=60.0, seed=seed), boards[name]
        ).items():
            (tmp_path / name / camera).mkdir(parents=True)
            for i, image in enumerate(images):
                cv2.imwrite(str(tmp_path / name / camera / f"{i}.png"), image)
            lines.append(f'{camera} = "{name}/{camera}"')
    lines += [SESSION[SESSION.index("[board]") :].partition("[calibrate]")[0], "[calibrate]\ndistortion_model = 0"]
    (tmp_path / "session.toml").write_text("\n".join(lines))
    return tmp_path


def test_pairs_filmed_one_after_the_other_make_one_rig(pairs):
    session = read_session(pairs)
    assert session.make_board("second") == CharucoBoard(5, 6, 45.0, 33.0)
    run_session(session, ("calibrate",), progress=False)
    found, true = read_rig(session.output / "rig.toml"), small_rig(3)
    apart = [np.linalg.norm(rig.centers[[1, 2, 2]] - rig.centers[[0, 1, 0]], axis=1) for rig in (found, true)]
    np.testing.assert_allclose(*apart, rtol=0.01)
    assert run_session(session, ("calibrate",), progress=False) == {}
    assert describe(session)[0].board.tolist() == ["cam_0/ (12 pictures)", "cam_1/ (12 pictures), cam_1/ (12 pictures)",
                                                   "cam_2/ (12 pictures)"]  # fmt: skip


def test_the_floor_frame_is_counted_over_the_recordings(pairs):
    path = pairs / "session.toml"
    path.write_text(path.read_text().replace("[session]", "[session]\nfloor_frame = 24"))
    for name, cameras in (("first", (0, 1)), ("second", (1, 2))):
        for c in cameras:
            files = [f'"{name}/cam_{c}/{i}.png"' for i in range(12)]
            path.write_text(path.read_text().replace(f'"{name}/cam_{c}"', f"[{', '.join(files)}]"))
    (message,) = [p for p in foreseen(read_session(path))[0] if "[session] floor_frame" in p]
    assert "end with frame 23" in message


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('cam_2 = "second/cam_2"', 'cam_7 = "second/cam_2"', "'cam_7' is not among the cameras of"),
        ('cam_2 = "second/cam_2"', 'cam_2 = "third/cam_2"', "does not exist"),
        ('cam_2 = "second/cam_2"', "", "camera 'cam_2' is in none of"),
        ("board = { squares_x = 5", "board = { squares_z = 5", "'squares_z' is not among"),
        ("[board_recordings.first]", "[board_recordings.third]\n[board_recordings.first]", "names no camera"),
        (SMALL, 'board = "charuco"', "give the board's values"),
    ],
)
def test_board_recordings_that_cannot_be_used_are_named(pairs, old, new, words):
    path = pairs / "session.toml"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(SessionError, match=words):
        run_session(read_session(path), ("calibrate",), progress=False)


def test_a_review_of_the_pictures_is_written_where_a_board_calibrates(folder):
    done = CliRunner().invoke(app, ["calibrate", str(folder), "--review", "--quiet"])
    assert done.exit_code == 0, done.output
    page = (folder / "results" / "calibration_review.html").read_text()
    assert 16 <= page.count("data:image/jpeg;base64,") <= 20
    path = folder / "session.toml"
    path.write_text(path.read_text().replace('name = "lenses"', 'name = "lenses"\nrig = "lenses.toml"'))
    refused = CliRunner().invoke(app, ["calibrate", str(folder), "--review"])
    assert refused.exit_code == 1
    assert "a review shows the pictures of a board" in str(refused.exception)
