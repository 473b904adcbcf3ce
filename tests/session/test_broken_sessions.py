"""Sessions broken in one way each end in one sentence with file or entry, value and remedy, or in the right result.

None ends in an error that the command line would call internal.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from unicodedata import normalize

import cv2
import numpy as np
import pytest
import tomli_w

from muybridge import triangulate
from muybridge.cameras import picture_camera, write_rig
from muybridge.datasets import read_dataset
from muybridge.session import read_session, run_session
from muybridge.session.config import SessionError
from muybridge.session.recording_facts import describe
from muybridge.session.run_warnings import for_session
from muybridge.session.session_problems import foreseen
from tests.conftest import look_at
from tests.helpers import write_video
from tests.session.synthetic import SKELETON, Recording, deeplabcut_csv, make_session
from tests.triangulate.diagnosis.wrong_views import wrong_camera

N_CAMERAS, N_FRAMES = 4, 80
EXPECTED = (ValueError, OSError, ImportError, RuntimeError, MemoryError)  # what the command line prints as a sentence


def run(recording, folder, steps=("predict", "reconstruct")):
    """(error's message or "", lines said, pose or None)"""
    recording.tables.setdefault("reconstruct", {}).setdefault("method", "ransac")
    recording.tables["reconstruct"].setdefault("check_coverage", False)
    said = []
    try:
        session = recording.write(folder)
        run_session(session, steps, progress=False, say=said.append)
    except EXPECTED as error:
        return " ".join(str(error).split()), said, None
    return "", said, read_dataset(session.output / "pose.nc")


def assert_foreseen(folder):
    """`muybridge check` finds a problem, too; a session that cannot be read is refused by both alike."""
    try:
        session = read_session(folder)
    except EXPECTED:
        return
    problems = describe(session)[1] + foreseen(session)[0]
    assert problems
    for problem in problems:
        sentence(problem)


def sentence(message):
    assert message
    assert not re.search(r"Traceback|KeyError|object at 0x|NoneType", message)
    return message


@pytest.fixture(scope="module", autouse=True)
def _each_recording_is_diagnosed_once():
    """A run and the check of the same session ask for the same diagnosis."""
    known, original = {}, triangulate.diagnose

    def diagnose(views, rig):
        numbers = [views["position"].values, views["confidence"].values]
        numbers += [part for camera in rig for part in (camera.K, camera.distortion, camera.R, camera.t)]
        key = (*rig.names, *(part.tobytes() for part in numbers))
        if key not in known:
            known[key] = original(views, rig)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(triangulate, "diagnose", diagnose)
        yield


@pytest.fixture
def recording() -> Recording:
    return make_session(N_CAMERAS, N_FRAMES)


def csv_of(recording, camera=1, **changes):
    """The text of a camera's 2D file."""
    points, seen = recording.points_2d[camera], recording.likelihood[camera]
    return deeplabcut_csv(changes.get("points", points), changes.get("likelihood", seen), recording.names)


def replaced(old, new, count=-1):
    return lambda recording: recording.files.update({"cam_1.csv": csv_of(recording).replace(old, new, count)})


def content(text):
    return lambda recording: recording.files.update({"cam_1.csv": text})


def likelihood(value):
    def spoil(recording):
        recording.likelihood[1] = value

    return spoil


def renamed(suffix):
    def spoil(recording):
        recording.files[f"cam_1{suffix}"] = csv_of(recording)
        recording.tables["cameras"]["cam_1"]["points"] = f"cam_1{suffix}"

    return spoil


def lines(change):
    def spoil(recording):
        rows = csv_of(recording).splitlines()
        recording.files["cam_1.csv"] = "\n".join(change(rows)) + "\n"

    return spoil


def _gone(recording):
    recording.tables["cameras"]["cam_1"]["points"] = "gone.csv"


def _one_file_for_two(recording):
    recording.tables["cameras"]["cam_1"]["points"] = "cam_0.csv"


def _one_file_for_all(recording):
    for table in recording.tables["cameras"].values():
        table["points"] = "cam_0.csv"


def _nothing_seen(recording):
    recording.points_2d[1] = np.nan


def _nothing_seen_at_all(recording):
    recording.points_2d[:] = np.nan


def _one_frame(recording):
    recording.points_2d, recording.likelihood = recording.points_2d[:, :1], recording.likelihood[:, :1]


def _never_together(recording):
    for camera in range(N_CAMERAS):
        recording.points_2d[camera, np.arange(N_FRAMES) % N_CAMERAS != camera] = np.nan


def encoded(encoding, old="", new=""):
    return lambda recording: recording.files.update({"cam_1.csv": csv_of(recording).replace(old, new).encode(encoding)})


def _another_case(recording):
    recording.tables["cameras"]["cam_1"]["points"] = "Cam_1.CSV"


def halves(rows):
    """Rows numbered in half frames."""
    return [*rows[:3], *(f"{i / 2}," + row.split(",", 1)[1] for i, row in enumerate(rows[3:]))]


# 2D files: {what is wrong: (how, words of the refusal)}
FILES = {
    "missing": (_gone, ["gone.csv", "does not exist", "correct the path"]),
    "empty": (content(""), ["cam_1.csv"]),
    "header alone": (lines(lambda rows: rows[:3]), ["not a single frame in", "cam_1.csv"]),
    "two rows of header": (lines(lambda rows: [rows[0], *rows[2:]]), ["cam_1.csv"]),
    "cut off within a row": (lines(lambda rows: [*rows[:-1], rows[-1][:9]]), ["cam_1.csv"]),
    "a word in a cell": (replaced("0.950", "good", 1), ["cam_1.csv", "good"]),
    "semicolons": (replaced(",", ";"), ["cam_1.csv has semicolons between", "with commas"]),
    "tabs": (replaced(",", "\t"), ["cam_1.csv has tabs between", "with commas"]),
    "UTF-16": (encoded("utf-16"), ["cam_1.csv is in UTF-16", "in UTF-8"]),
    "Latin 1": (encoded("latin-1", "nose", "Näschen"), ["cam_1.csv", "in UTF-8"]),
    "a spreadsheet's first row": (lines(lambda rows: ["sep=,", *rows]), ["cam_1.csv", "first row is ['sep=', '']"]),
    "a keypoint twice": (replaced("nose", "neck"), ["cam_1.csv has the column net/neck", "more than once"]),
    "half frames": (lines(halves), ["cam_1.csv has the frame number 0.5", "whole numbers"]),
    "negative frames": (replaced("\n0,", "\n-1,", 1), ["cam_1.csv has the frame number -1"]),
    "upper and lower case": (_another_case, ["Cam_1.CSV", "does not exist", "beside it lies cam_1.csv"]),
    "binary": (content(b"\x89HDF\r\n\x1a\n" + bytes(200)), ["cam_1.csv"]),
    "prose": (content("These points were lost, sorry.\n"), ["cam_1.csv"]),
    "fewer rows": (lines(lambda rows: rows[:53]), ["cam_0 80", "cam_1 50"]),
    "rows twice": (lines(lambda rows: [*rows, rows[-1]]), ["cam_1", "more than once", "remove all its rows but one"]),
    "likelihood 0": (likelihood(0.0), ["cam_1.csv", "likelihood is 0"]),
    "likelihood in percent": (likelihood(95.0), ["cam_1.csv", "95", "divide"]),
    "negative likelihood": (likelihood(-3.0), ["cam_1.csv", "-3"]),
    "a keypoint less": (replaced("nose", "snout"), ["nose", "snout", "cam_1"]),
    "two scorers": (replaced("net,net,net", "me,me,me", 1), ["cam_1.csv", "scorers"]),
    "three dimensions": (replaced("likelihood", "z"), ["cam_1.csv", "3D"]),
    "x alone": (replaced("x,y,likelihood", "x,q,likelihood", 1), ["cam_1.csv", "x and y"]),
    "unknown suffix": (renamed(".dat"), ["cam_1.dat", ".csv"]),
    "pickle": (renamed(".pickle"), ["cam_1.pickle", "pickle"]),
    "SLEAP project": (renamed(".slp"), ["cam_1.slp", "no HDF5"]),
    "no HDF5": (renamed(".h5"), ["cam_1.h5"]),
    "one file for two cameras": (_one_file_for_two, ["cam_0.csv", "cam_1", "own file"]),
    "one file for all cameras": (_one_file_for_all, ["cam_0.csv", "own file"]),
    "nothing seen by a camera": (_nothing_seen, ["cam_1", "single 2D point", "another file"]),
    "nothing seen at all": (_nothing_seen_at_all, ["cam_0", "single 2D point"]),
    "a single frame": (_one_frame, ["session.toml", "a single frame", "two frames"]),
    "no two cameras see a point": (_never_together, ["no two cameras see a keypoint"]),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_broken_2d_file_is_one_sentence(recording, tmp_path, kind):
    spoil, parts = FILES[kind]
    spoil(recording)
    message = sentence(run(recording, tmp_path)[0])
    for part in parts:
        assert part in message
    assert_foreseen(tmp_path)


def each_camera(kind, cameras):
    def spoil(recording):
        for camera in cameras:
            recording.points_2d, recording.rig = wrong_camera(kind, camera, recording.points_2d, recording.rig)

    return spoil


def _exchanged(recording):
    recording.points_2d[[0, 1]] = recording.points_2d[[1, 0]]


def _rotated(recording):
    recording.points_2d = np.roll(recording.points_2d, 1, axis=0)


def _copied(recording):
    recording.points_2d[1] = recording.points_2d[0]


def _random(recording):
    recording.points_2d = np.random.default_rng(1).uniform(0, 1000, recording.points_2d.shape)


def _scattered(recording):
    recording.points_2d += np.random.default_rng(1).normal(0, 20, recording.points_2d.shape)


def _fractions(recording):
    recording.points_2d /= np.array([1280, 1024])


def _fractions_of_one(recording):
    recording.points_2d[1] /= np.array([1280, 1024])


def _reversed(recording):
    recording.rig = replace(recording.rig, cameras=tuple(replace(camera, t=-camera.t) for camera in recording.rig))


def _reversed_and_short(recording):
    """Too few points for a cause to be found: 28 in each camera."""
    _reversed(recording)
    recording.points_2d, recording.likelihood = recording.points_2d[:, :4], recording.likelihood[:, :4]


def _small_rig(recording):
    small = tuple(picture_camera(camera, scale=0.5) for camera in recording.rig)
    recording.rig = replace(recording.rig, cameras=small)


def _transposed(recording):
    recording.rig = replace(recording.rig, cameras=tuple(replace(camera, R=camera.R.T) for camera in recording.rig))


def _inverted(recording):
    inverse = tuple(replace(camera, R=camera.R.T, t=-camera.R.T @ camera.t) for camera in recording.rig)
    recording.rig = replace(recording.rig, cameras=inverse)


def _other_day(recording):
    rng, cameras = np.random.default_rng(1), []
    for camera in recording.rig:
        R, t = look_at(camera.center + rng.normal(0, 60, 3), rng.normal(0, 40, 3))
        cameras.append(replace(camera, R=R, t=t))
    recording.rig = replace(recording.rig, cameras=tuple(cameras))


# views that do not belong to the rig, no majority of which is right: {what is wrong: (how, words of the refusal)}
HOPELESS = {
    "two cameras exchanged": (_exchanged, ["cameras 'cam_0' and 'cam_1' are exchanged", "exchange their files"]),
    "all names rotated": (_rotated, ["assigned to the wrong cameras"]),
    "the same points twice": (_copied, ["'cam_0' and 'cam_1' have the same 2D points"]),
    "mirrored": (each_camera("mirrored", range(4)), ["All cameras", "mirrored"]),
    "x and y exchanged": (each_camera("x and y", range(4)), ["All cameras", "x and y"]),
    "y from below": (each_camera("y from below", range(4)), ["All cameras", "counted from the bottom"]),
    "half the size": (each_camera("half size", range(4)), ["All cameras", "state scale = 0.5"]),
    "left and right in half": (each_camera("left and right", (0, 1)), ["left and right keypoints are exchanged"]),
    "a rig of half the size": (_small_rig, ["of a picture of 2 times the calibrated size"]),
    "rotations transposed": (_transposed, ["All cameras", "rotations in the rig file are transposed"]),
    "poses inverted": (_inverted, ["All cameras", "those of the cameras in the world", "R becomes R^T"]),
    "random points": (_random, ["do not belong together", "1 % of the image's width"]),
    "detections that scatter": (_scattered, ["do not belong together", "detections that scatter so far"]),
    "fractions of the picture": (_fractions, ["fractions of the picture, not pixels", "multiply x by its width"]),
    "fractions of one camera": (_fractions_of_one, ["the 2D points of 'cam_1' lie between", "multiply x by its width"]),
    "translations reversed": (_reversed, ["All translations", "wrong sign", "multiply each by -1"]),
    "behind the cameras, 4 frames": (_reversed_and_short, ["not a single point can be reconstructed"]),
    "another day": (_other_day, ["another day", "1 % of the image's width", "calibrate again"]),
}


@pytest.mark.parametrize("kind", HOPELESS)
def test_views_without_a_right_majority_are_refused_with_the_cause(recording, tmp_path, kind):
    spoil, parts = HOPELESS[kind]
    spoil(recording)
    message = sentence(run(recording, tmp_path)[0])
    assert message.count("session.toml") == 1
    for part in parts:
        assert part in message
    assert_foreseen(tmp_path)


def _late(recording):
    recording.points_2d[1, 4:] = recording.points_2d[1, :-4].copy()
    recording.points_2d[1, :4] = np.nan


def _moved(recording):
    recording.points_2d[1] += [15.0, -9.0]


def _random_camera(recording):
    recording.points_2d[1] = np.random.default_rng(1).uniform(0, 1000, recording.points_2d[1].shape)


# one wrong camera of four: {what is wrong: (how, words of the warning)}
ONE_WRONG = {
    **{kind: (each_camera(kind, (1,)), ["cam_1"]) for kind in ("mirrored", "x and y", "y from below", "upside down")},
    "half size": (each_camera("half size", (1,)), ["cam_1", "state scale = 0.5"]),
    "shifted": (each_camera("shifted", (1,)), ["cam_1", "state crop = [200, 100]"]),
    "left and right": (each_camera("left and right", (1,)), ["cam_1", "left and right keypoints are exchanged"]),
    "unit": (each_camera("unit", (1,)), ["cam_1", "metres for millimetres", "multiply its translation by 1000"]),
    "late": (_late, ["cam_1", "delayed", "state delay = 4"]),
    "moved": (_moved, ["cam_1", "as if it had moved", "calibrate it again or refine the rig"]),
    "random": (_random_camera, ["cam_1", "its points are not those of the others"]),
}


# a run leaves the camera out, whatever is wrong with it: the quick tests run a wrong picture, rig, time and place, and
# noise
RUN = ("half size", "unit", "late", "moved", "random")


@pytest.mark.parametrize("kind", [kind for kind in ONE_WRONG if kind not in RUN])
def test_one_wrong_camera_is_named_by_check(recording, tmp_path, kind):
    spoil, parts = ONE_WRONG[kind]
    spoil(recording)
    problems, warnings, _ = foreseen(recording.write(tmp_path))
    assert problems == []
    for part in parts:
        assert part in for_session(warnings[0])


@pytest.mark.parametrize(
    "kind", [kind if kind in RUN else pytest.param(kind, marks=pytest.mark.long) for kind in ONE_WRONG]
)
def test_one_wrong_camera_is_named_and_the_others_give_the_right_result(recording, tmp_path, kind):
    spoil, parts = ONE_WRONG[kind]
    spoil(recording)
    message, said, pose = run(recording, tmp_path)
    assert message == ""
    warning = next(line for line in said if line.startswith("warning: "))
    for part in parts:
        assert part in warning
    off = np.linalg.norm(pose["position"].values - recording.truth, axis=-1)
    right = off < 6.0
    assert np.nanmedian(off) < 1.5
    assert pose["confidence"].values.mean() <= right.mean() + 0.05


def rig_text(old, new):
    """A change of rig.toml's text."""

    def spoil(folder):
        path = folder / "rig.toml"
        assert re.search(old, path.read_text())
        path.write_text(re.sub(old, new, path.read_text(), count=1))

    return spoil


def rig_content(text):
    return lambda folder: (folder / "rig.toml").write_text(text)


def rig_number(key, position, value):
    """A change of one number, counted through the rows, of the first camera's entry."""

    def spoil(folder):
        tables = tomllib.loads((folder / "rig.toml").read_text())
        camera = tables["cam_0"]
        if key == "rotation_matrix":
            camera["rotation"] = cv2.Rodrigues(np.array(camera["rotation"], float))[0].tolist()
        entry = camera["rotation" if key == "rotation_matrix" else key]
        if isinstance(entry[0], list):
            entry[position // 3][position % 3] = value
        else:
            entry[position] = value
        (folder / "rig.toml").write_text(tomli_w.dumps(tables))

    return spoil


def _camera_twice(folder):
    tables = tomllib.loads((folder / "rig.toml").read_text())
    tables["cam_1"] = tables["cam_0"] | {"name": "cam_1"}
    (folder / "rig.toml").write_text(tomli_w.dumps(tables))


# rig files: {what is wrong: (how, words of the refusal)}
RIGS = {
    "missing": (lambda folder: (folder / "rig.toml").unlink(), ["rig.toml", "does not exist"]),
    "empty": (rig_content(""), ["rig.toml", "no camera"]),
    "no TOML": (rig_content("[cam_0"), ["rig.toml", "not valid TOML"]),
    "the session itself": (rig_content("[session]\nname = 'x'\n"), ["rig.toml", "no camera"]),
    "another name": (rig_text(r'name = "cam_1"', 'name = "left"'), ["rig.toml", "no camera 'cam_1'", "left"]),
    "a name twice": (rig_text(r'name = "cam_1"', 'name = "cam_0"'), ["rig.toml", "cam_0"]),
    "no size": (rig_text(r"size = \[\s*1280,\s*1024,?\s*\]", "size = []"), ["rig.toml"]),
    "an endless size": (rig_text(r"1280", "1e24"), ["rig.toml", "cam_0"]),
    "a matrix of 2 rows": (rig_text(r"matrix = \[\s*\[[^\]]*\],", "matrix = ["), ["rig.toml"]),
    "NaN": (rig_text(r"translation = \[\s*[-\d.e]+", "translation = [ nan"), ["rig.toml", "cam_0", "not finite"]),
    "a translation of 2": (rig_text(r"translation = \[\s*[-\d.e]+,", "translation = ["), ["rig.toml", "translation"]),
    "no rotation": (rig_text(r"rotation = \[[^\]]*\]", ""), ["rig.toml", "rotation"]),
    "focal length 0": (rig_number("matrix", 0, 0.0), ["rig.toml", "cam_0", "[[fx, s, cx]"]),
    "focal length tiny": (rig_number("matrix", 0, 1e-30), ["rig.toml", "cam_0", "1e-30", "no lens has"]),
    "focal length negative": (rig_number("matrix", 4, -950.0), ["rig.toml", "cam_0", "fy > 0"]),
    "focal length endless": (rig_number("matrix", 0, 1e9), ["rig.toml", "cam_0", "1e+09", "no lens has"]),
    "pixels that are no squares": (rig_number("matrix", 0, 95.0), ["rig.toml", "cam_0", "95", "no camera has"]),
    "principal point far off": (rig_number("matrix", 2, 1e7), ["rig.toml", "cam_0", "principal point"]),
    "distortion 1e6": (rig_number("distortions", 0, 1e6), ["rig.toml", "cam_0", "distortion coefficient of 1e+06"]),
    "distortion -1e6": (rig_number("distortions", 0, -1e6), ["rig.toml", "cam_0", "distortion coefficient of -1e+06"]),
    "no rotation matrix": (rig_number("rotation_matrix", 0, 7.0), ["rig.toml", "cam_0"]),
    "a camera far away": (rig_number("translation", 0, 9e8), ["rig.toml", "cam_0", "stands at"]),
    "a camera in millions of pieces": (rig_number("translation", 0, 1e7 * 9e8), ["rig.toml", "cam_0", "stands at"]),
    "a camera twice": (lambda folder: _camera_twice(folder), ["'cam_0' and 'cam_1' stand at the same place"]),
    "another unit": (rig_text(r'unit = "mm"', 'unit = "m"'), ["unit is 'mm'", "rig.toml is in 'm'"]),
}


@pytest.mark.parametrize("kind", RIGS)
def test_a_broken_rig_file_is_one_sentence(recording, tmp_path, kind):
    spoil, parts = RIGS[kind]
    recording.tables["reconstruct"] = {"method": "ransac", "check_coverage": False}
    recording.write(tmp_path)
    spoil(tmp_path)
    with pytest.raises(EXPECTED) as caught:
        run_session(read_session(tmp_path), ("predict", "reconstruct"), progress=False)
    message = sentence(" ".join(str(caught.value).split()))
    for part in parts:
        assert part in message
    assert_foreseen(tmp_path)


def entry(table, **values):
    return lambda recording: recording.tables.setdefault(table, {}).update(values)


def _unit_of(factor):
    def spoil(recording):
        moved = tuple(replace(camera, t=camera.t / factor) for camera in recording.rig)
        recording.rig = replace(recording.rig, cameras=moved)

    return spoil


def _names_exchanged(recording):
    recording.points_2d[:, :, [5, 6]] = recording.points_2d[:, :, [6, 5]]


def _frames_lost(recording):
    recording.points_2d[1, 40:-8] = recording.points_2d[1, 48:].copy()
    recording.points_2d[1, -8:] = np.nan


def _rounded(recording):
    recording.points_2d = np.round(recording.points_2d / 10) * 10


def _orthographic(recording):
    far = []
    for camera in recording.rig:
        K = camera.K.copy()
        K[:2, :2] *= 50
        far.append(replace(camera, K=K, t=camera.t * 50, distortion=np.zeros(0)))
    recording.rig = replace(recording.rig, cameras=tuple(far))
    recording.points_2d = recording.rig.project(recording.truth)


# all cameras agree, and something is wrong: {what is wrong: (how, words of a warning)}
AGREEING = {
    "metres called millimetres": (_unit_of(1000), ["another unit than 'mm'"]),
    "inches called millimetres": (_unit_of(25.4), ["The animal measures", "another unit than 'mm'", "[session] unit"]),
    "ten times the frame rate": (entry("session", fps=1000.0), ["times gravity", "1000 Hz", "[session] fps"]),
    "names exchanged": (_names_exchanged, ["'right_hip' and 'right_knee' seem to be exchanged", "2D files"]),
    "frames lost midway": (_frames_lost, ["'cam_1' lost 8 frames at about frame 4", "frame_offsets = true"]),
    "points rounded to 10 px": (_rounded, ["multiples of 10 px", "2.9 px", "with decimals"]),
    "a vertical of its own": (entry("session", up=[0, 0, -1]), ["and the rig file says [0.0, 0.0, 1.0]"]),
    "nearly orthographic": (_orthographic, ["is close to orthographic"]),
}


@pytest.mark.parametrize("kind", AGREEING)
def test_what_is_wrong_in_all_cameras_alike_is_warned_of(recording, tmp_path, kind):
    spoil, parts = AGREEING[kind]
    spoil(recording)
    message, said, _ = run(recording, tmp_path)
    assert message == ""
    for part in parts:
        assert any(part in line for line in said if line.startswith("warning: "))


@pytest.mark.parametrize("kind", ["inches called millimetres", "names exchanged", "points rounded to 10 px"])
def test_what_no_animal_is_like_is_foreseen_by_check(recording, tmp_path, kind):
    spoil, parts = AGREEING[kind]
    spoil(recording)
    problems, warnings, _ = foreseen(recording.write(tmp_path))
    assert problems == []
    for part in parts:
        assert any(part in warning for warning in warnings)


def camera_entry(**values):
    return lambda recording: recording.tables["cameras"]["cam_1"].update(values)


def _without(table, key=None):
    def spoil(recording):
        recording.tables.pop(table) if key is None else recording.tables[table].pop(key)

    return spoil


def _one_camera(recording):
    recording.tables["cameras"] = {"cam_0": {"points": "cam_0.csv"}}


def _points_of_some(recording):
    recording.tables["cameras"]["cam_1"].pop("points")


def _unknown_bone(recording):
    recording.tables["skeleton"]["bones"].append(["tail", "wing"])


def _prior_that_is_none(recording):
    recording.files["prior.npz"] = "no prior"
    recording.tables["reconstruct"] = {"method": "gimbal", "prior": "prior.npz", "check_coverage": False}


def _results_is_a_file(recording):
    recording.files["results"] = "a file"


# entries of session.toml: {what is wrong: (how, words of the refusal)}
ENTRIES = {
    "unknown table": (entry("sesion", name="x"), ["session.toml", "'sesion'", "did you mean 'session'"]),
    "unknown key": (entry("session", fsp=100), ["session.toml", "'fsp'", "did you mean 'fps'"]),
    "unknown key of a camera": (camera_entry(pionts="cam_1.csv"), ["pionts", "did you mean 'points'"]),
    "rate 0": (entry("session", fps=0), ["[session] fps is 0", "positive"]),
    "rate as text": (entry("session", fps="fast"), ["[session] fps is 'fast'"]),
    "no rate": (_without("session", "fps"), ["session.toml", "frame rate", "[session] fps"]),
    "unit a number": (entry("session", unit=1000), ["[session] unit is 1000", "'mm'"]),
    "no vertical": (entry("session", up=[0, 0, 0]), ["[session] up is [0, 0, 0]"]),
    "no camera": (_without("cameras"), ["session.toml", "no camera", "[cameras.NAME]"]),
    "one camera": (_one_camera, ["two"]),
    "points of some": (_points_of_some, ["cam_1", "points", "all or none"]),
    "points a number": (camera_entry(points=5), ["cam_1", "points = 5", "give a path"]),
    "scale negative": (camera_entry(scale=-1), ["[cameras.cam_1] scale is -1"]),
    "crop as text": (camera_entry(crop="left"), ["[cameras.cam_1] crop is 'left'", "[x, y]"]),
    "crop beyond the picture": (camera_entry(crop=[1000, 0, 640, 512]), ["640 x 512", "1280 x 1024", "state crop"]),
    "crop far off": (camera_entry(crop=[5000, 0]), ["corner (5000, 0)", "1280 x 1024", "state crop = [x, y]"]),
    "mirror as text": (camera_entry(mirror="yes"), ["[cameras.cam_1] mirror is 'yes'", "true or false"]),
    "delay as text": (camera_entry(delay="late"), ["[cameras.cam_1] delay is 'late'", "frames"]),
    "unknown method": (entry("reconstruct", method="smoth"), ["'smoth'", "did you mean 'smooth'"]),
    "unknown option": (entry("reconstruct", treshold=3.0), ["'treshold'", "did you mean 'threshold'"]),
    "option of a wrong type": (entry("reconstruct", swaps="yes"), ["swaps is 'yes'", "true or false"]),
    "option of another method": (entry("reconstruct", method="smooth", max_gap=0.1), ["max_gap", "'ransac'"]),
    "a prior without states": (_prior_that_is_none, ["prior.npz"]),
    "poses without a skeleton": (
        lambda r: (_without("skeleton")(r), entry("reconstruct", method="gimbal")(r)), ["gimbal", "[skeleton]"]
    ),
    "swaps without sides": (
        lambda r: (_without("skeleton", "symmetries")(r), entry("reconstruct", swaps=True)(r)),
        ["swaps", "symmetries"],
    ),
    "unknown keypoint of a bone": (_unknown_bone, ["[skeleton]", "wing"]),
    "unknown keypoint of a joint": (entry("joints", knee=["nose", "neck", "wing"]), ["wing", "knee"]),
    "unknown keypoint of a foot": (entry("gait", left="wing"), ["wing", "left"]),
    "skeleton of another animal": (
        lambda r: r.tables.update(skeleton={"keypoints": ["nose", "wing"], "bones": [["nose", "wing"]]}, joints={}),
        ["[skeleton] names ['wing']", "2D points lack"],
    ),
    "results is a file": (_results_is_a_file, ["results"]),
    "results below a file": (
        lambda r: (_results_is_a_file(r), entry("session", output="results/today")(r)), ["results"]
    ),
    "joint of two": (entry("joints", knee=["left_hip", "left_knee"]), ["joint 'knee'", "3 keypoint names"]),
    "no source of points": (
        lambda r: r.tables.update(cameras={name: {} for name in r.rig.names}), ["points", "[train] labels"]
    ),
    "labels that are absent": (
        lambda r: r.tables.update(cameras={name: {} for name in r.rig.names}, train={"labels": "gone"}), ["gone"]
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", ENTRIES)
def test_a_broken_entry_is_one_sentence(recording, tmp_path, kind):
    spoil, parts = ENTRIES[kind]
    spoil(recording)
    steps = ("train", "predict", "reconstruct", "kinematics")
    message = sentence(run(recording, tmp_path, steps)[0])
    for part in parts:
        assert part in message
    assert_foreseen(tmp_path)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"[session\nname = 3", r"session\.toml is no valid TOML"),
        ("[session]\nname = 'Mäuse'".encode("latin-1"), r"session\.toml is not text in UTF-8; save it"),
        (b'[cameras.a]\nvideo = "C:\\data"', r"write \\\\ for \\, or / in paths"),
    ],
)
def test_text_that_is_no_toml_is_one_sentence(tmp_path, text, sentence):
    (tmp_path / "session.toml").write_bytes(text)
    with pytest.raises(ValueError, match=sentence):
        read_session(tmp_path)


def test_files_of_other_systems_give_the_right_result(recording, tmp_path):
    """A byte order mark, Windows' line ends, blanks, and a name whose accents macOS encodes in two characters."""
    recording.files["cam_0.csv"] = b"\xef\xbb\xbf" + csv_of(recording, 0).replace("\n", "\r\n").encode()
    recording.files["cam_1.csv"] = csv_of(recording, 1).replace(",", ", ")
    recording.files[normalize("NFD", "Käfig 1.csv")] = csv_of(recording, 2)
    recording.tables["cameras"]["cam_2"]["points"] = normalize("NFC", "Käfig 1.csv")
    recording.write(tmp_path)
    text = (tmp_path / "session.toml").read_bytes()
    (tmp_path / "session.toml").write_bytes(b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n"))
    said = []
    run_session(read_session(tmp_path), ("predict",), progress=False, say=said.append)
    views = read_dataset(tmp_path / "results" / "views.nc")
    np.testing.assert_allclose(views["position"].transpose("view", "time", "keypoint", "space"),
                               recording.points_2d, atol=1e-3)  # fmt: skip


def with_videos(recording, folder, size, n_frames=N_FRAMES, cameras=None):
    """Videos of a size beside the 2D files."""
    for name in cameras or recording.rig.names:
        write_video(folder / f"{name}.mp4", n_frames=n_frames, size=size, fps=100.0)
        recording.tables["cameras"][name]["video"] = f"{name}.mp4"


SMALL = (320, 256)  # a quarter of the calibrated size


@pytest.mark.parametrize(
    ("size", "parts"),
    [
        (SMALL, ["320x256", "1280x1024", "state scale = 0.25 in [cameras.cam_0]"]),
        (SMALL[::-1], ["256x320", "1280x1024", "state crop"]),
        ((1024, 1280), ["1024x1280", "1280x1024", "turned by 90 degrees"]),
        ((640, 400), ["640x400", "1280x1024", "state crop = [x, y]"]),
    ],
)
def test_videos_of_another_size_are_refused_with_both_sizes_and_the_remedy(recording, tmp_path, size, parts):
    with_videos(recording, tmp_path, size, n_frames=3)
    message = sentence(run(recording, tmp_path)[0])
    for part in parts:
        assert part in message
    assert_foreseen(tmp_path)


@pytest.mark.parametrize("kind", ["videos", "size", "nothing"])
def test_a_rig_file_without_image_sizes_takes_them_from_videos_or_the_session(tmp_path, kind):
    recording = make_session(N_CAMERAS, 12)  # large pictures take long to write
    plain = tuple(replace(camera, distortion=np.zeros(0)) for camera in recording.rig)
    recording.rig = replace(recording.rig, cameras=plain)
    noise = np.random.default_rng(2).normal(0, 1, recording.points_2d.shape)
    recording.points_2d = recording.rig.project(recording.truth) + noise
    write_rig(replace(recording.rig, up=None), tmp_path / "rig.csv")
    recording.tables["session"]["rig"] = "rig.csv"
    for number, name in enumerate(recording.rig.names):
        recording.tables["cameras"][f"cam_{number}"]["points"] = f"{name}.csv"
    if kind == "videos":
        with_videos(recording, tmp_path, (1280, 1024), n_frames=12)
    if kind == "size":
        for table in recording.tables["cameras"].values():
            table["size"] = [1280, 1024]
    message, said, pose = run(recording, tmp_path)
    if kind == "nothing":
        assert "rig.csv" in sentence(message)
        assert "size = [width, height] in each [cameras.NAME]" in message
    else:
        assert_right(message, said, pose, recording)


def test_a_declared_scale_gives_the_right_result(recording, tmp_path):
    recording.points_2d = (recording.points_2d + 0.5) / 4 - 0.5
    for table in recording.tables["cameras"].values():
        table["scale"] = 0.25
    with_videos(recording, tmp_path, SMALL)
    assert_right(*run(recording, tmp_path), recording)


def test_a_declared_crop_gives_the_right_result(recording, tmp_path):
    recording.points_2d[1] -= [200, 100]
    recording.tables["cameras"]["cam_1"]["crop"] = [200, 100]
    assert_right(*run(recording, tmp_path), recording)


def test_a_declared_mirror_gives_the_right_result(recording, tmp_path):
    each_camera("mirrored", [1])(recording)
    recording.tables["cameras"]["cam_1"]["mirror"] = True
    assert_right(*run(recording, tmp_path), recording)


def test_a_declared_crop_of_a_mirrored_picture_of_half_the_size_gives_the_right_result(recording, tmp_path):
    recording.points_2d[1] = (recording.points_2d[1] - [200, 100] + 0.5) / 2 - 0.5
    recording.points_2d[1, ..., 0] = 400 - 1 - recording.points_2d[1, ..., 0]
    recording.tables["cameras"]["cam_1"] |= {"mirror": True, "crop": [200, 100, 800, 800], "scale": 0.5}
    assert_right(*run(recording, tmp_path), recording)


def test_frames_lost_midway_are_put_back(recording, tmp_path):
    _frames_lost(recording)
    recording.tables["reconstruct"] = {"frame_offsets": True}
    message, said, pose = run(recording, tmp_path)
    assert_right(message, said, pose, recording)
    assert any(line.startswith("note: Camera 'cam_1' lost 8 frames") for line in said)


def test_a_declared_delay_gives_the_right_result(recording, tmp_path):
    _late(recording)
    recording.tables["cameras"]["cam_1"]["delay"] = 4
    assert_right(*run(recording, tmp_path), recording)


def test_an_animal_that_does_not_move_gives_the_right_result(recording, tmp_path):
    recording.points_2d[:] = recording.rig.project(recording.truth[:1])
    recording.truth[:] = recording.truth[:1]
    assert_right(*run(recording, tmp_path), recording)


def test_points_without_a_likelihood_give_the_right_result(recording, tmp_path):
    for camera, name in enumerate(recording.rig.names):
        rows = [row.split(",") for row in csv_of(recording, camera).splitlines()]
        kept = [i for i in range(len(rows[0])) if rows[2][i] != "likelihood"]
        recording.files[f"{name}.csv"] = "\n".join(",".join(row[i] for i in kept) for row in rows)
    assert_right(*run(recording, tmp_path), recording)


def assert_right(message, said, pose, recording):
    assert message == ""
    assert not [line for line in said if line.startswith("warning: ")]
    assert np.nanmedian(np.linalg.norm(pose["position"].values - recording.truth, axis=-1)) < 1.5


def test_points_of_more_frames_than_the_video_and_videos_of_different_lengths_are_named(recording, tmp_path):
    with_videos(recording, tmp_path, SMALL, n_frames=9, cameras=["cam_0"])
    with_videos(recording, tmp_path, SMALL, n_frames=12, cameras=["cam_1"])
    for name in ("cam_0", "cam_1"):
        recording.tables["cameras"][name]["scale"] = 0.25
    message = sentence(run(recording, tmp_path)[0])
    assert "differ in length" in message


@pytest.mark.parametrize("cameras", [["cam_1"], None])
def test_points_that_go_on_behind_their_video_are_refused_by_check_and_run(recording, tmp_path, cameras):
    with_videos(recording, tmp_path, SMALL, n_frames=1, cameras=cameras)
    for table in recording.tables["cameras"].values():
        table["scale"] = 0.25
    recording.points_2d = (recording.points_2d + 0.5) / 4 - 0.5
    message = sentence(run(recording, tmp_path)[0])
    assert ".csv has points of 80 frames, its video has 1;" in message
    assert_foreseen(tmp_path)


def test_points_that_end_long_before_their_video_are_noted_by_check_and_run(recording, tmp_path):
    with_videos(recording, tmp_path, SMALL, n_frames=100, cameras=["cam_1"])
    recording.tables["cameras"]["cam_1"]["scale"] = 0.25
    recording.points_2d[1] = (recording.points_2d[1] + 0.5) / 4 - 0.5
    message, said, _ = run(recording, tmp_path)
    assert message == ""
    words = "cam_1.csv ends after 80 of the video's 100 frames; the rest is not reconstructed"
    assert any(words in line for line in said if line.startswith("note: "))
    assert any(words in warning for warning in foreseen(read_session(tmp_path))[1])


@pytest.mark.parametrize("text", ["", "no video " * 40])
def test_a_video_that_is_none_is_named(recording, tmp_path, text):
    recording.files["cam_1.mp4"] = text
    recording.tables["cameras"]["cam_1"]["video"] = "cam_1.mp4"
    message = sentence(run(recording, tmp_path)[0])
    assert "cam_1" in message
    assert "cam_1.mp4" in message


def test_board_videos_of_another_size_than_the_animals_are_refused_before_the_calibration(recording, tmp_path):
    recording.tables["session"].pop("rig")
    recording.tables["board"] = {"squares_x": 7, "squares_y": 10, "square_length": 25.0, "marker_length": 18.0}
    with_videos(recording, tmp_path, SMALL, n_frames=3)
    for name in recording.rig.names:
        write_video(tmp_path / f"board_{name}.mp4", n_frames=3, size=(640, 512))
        recording.tables["cameras"][name]["board"] = f"board_{name}.mp4"
    message = sentence(run(recording, tmp_path, ("calibrate", "predict"))[0])
    for part in ("320x256", "640x512", "board_cam_0.mp4", "state scale = 0.5"):
        assert part in message


def test_every_skeleton_keypoint_is_of_the_recording():
    assert make_session().names == SKELETON.keypoints
    assert tomli_w.dumps(make_session().tables)


def test_check_says_how_large_cameras_and_animal_are_which_no_point_tells(recording, tmp_path):
    """A rig of ten times the size agrees with all points: only the reader can see it."""
    _, _, (as_given,) = foreseen(recording.write(tmp_path / "given"))
    recording.rig = replace(recording.rig, cameras=tuple(replace(c, t=10 * c.t) for c in recording.rig))
    _, _, (larger,) = foreseen(recording.write(tmp_path / "larger"))
    numbers = [np.array(re.findall(r"[\d.]+(?:e\+\d+)?(?= mm)", note), dtype=float) for note in (as_given, larger)]
    np.testing.assert_allclose(numbers[0][0], 1600, rtol=0.02)  # two opposite cameras of a ring
    np.testing.assert_allclose(numbers[1] / numbers[0], 10, rtol=0.02)
    assert "between its outermost keypoints" in as_given


def test_check_names_frames_without_a_row(recording, tmp_path):
    lines(lambda rows: [*rows[:15], *rows[20:]])(recording)
    _, _, told = foreseen(recording.write(tmp_path))
    assert told[0] == "camera 'cam_1': cam_1.csv has no row for 5 frames (12-16): they are gaps"


def test_a_missing_video_is_not_taken_for_the_table_beside_it(recording, tmp_path):
    camera_entry(video="cam_1.mp4")(recording)
    with pytest.raises(SessionError, match=r"cam_1\.mp4, does not exist; correct the path$"):
        recording.write(tmp_path)
