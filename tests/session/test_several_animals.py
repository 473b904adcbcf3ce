"""Videos of two animals to individuals, from the command line: labels with an individual level to labelled videos."""

import json
import tomllib

import cv2
import h5py
import numpy as np
import pytest
import tomli_w

from muybridge.calibration import Camera, CameraRig
from muybridge.cameras import write_rig
from muybridge.datasets import read_dataset
from muybridge.session import read_session, run_session
from muybridge.session.proposal import propose_sessions
from tests.conftest import look_at
from tests.formats.predictions.test_other_tools import slp_file
from tests.pose2d.animals import COLOURS, KEYPOINTS, OPTIONS, write_dlc, write_picture
from tests.session.steps.test_corrected_views import write_sleap
from tests.session.test_command_line import assert_one_sentence, muybridge

SIZE, N_LABELLED, N_FRAMES, FPS = (192, 144), 24, 30, 50.0
SHAPE_3D = np.array([[16.0, 0.0, 4.0], [8.0, -9.0, 8.0], [8.0, 9.0, 8.0], [-18.0, 0.0, 0.0]])  # mm


def small_rig() -> CameraRig:
    """Three cameras of 192x144 pixels above two animals, mm: 1 mm is a pixel."""
    cameras, K = [], np.array([[400.0, 0, 95.5], [0, 400, 71.5], [0, 0, 1]])
    for i, (x, y) in enumerate(((300, 0), (-150, 260), (-150, -260))):
        R, t = look_at((x, y, 300))
        cameras.append(Camera(f"cam_{i}", SIZE, K, np.zeros(5), R, t))
    return CameraRig(tuple(cameras), unit="mm", up=np.array([0.0, 0.0, 1.0]))


def two_in_3d(n, seed=0):
    """(2, n, 4, 3) mm of two animals that go round one centre, opposite each other, and turn."""
    times, rng = np.arange(n) * 0.06, np.random.default_rng(seed)
    start, animals = rng.uniform(0, 2 * np.pi), []
    for a in range(2):
        turn = start + times + np.pi * a
        R = np.stack([np.cos(turn), -np.sin(turn), np.sin(turn), np.cos(turn)], -1).reshape(-1, 2, 2)
        points = np.broadcast_to(SHAPE_3D, (n, 4, 3)).copy()
        points[..., :2] = np.einsum("nij,kj->nki", R, SHAPE_3D[:, :2])
        points[..., 0] += (36 * np.cos(turn + np.pi / 2))[:, None]
        points[..., 1] += (36 * np.sin(turn + np.pi / 2))[:, None]
        animals.append(points)
    return np.stack(animals)


def drawn(animals, seed):
    """RGB picture of animals, (n_animals, 4, 2) pixels."""
    rng = np.random.default_rng(seed)
    image = cv2.resize(rng.uniform(90, 140, (6, 8, 3)).astype(np.float32), SIZE, interpolation=cv2.INTER_CUBIC)
    for points in animals:
        cv2.circle(image, np.rint(points.mean(0) * 16).astype(int).tolist(), 7 * 16, (120, 80, 60), -1, cv2.LINE_AA, 4)
        for point, colour in zip(points, COLOURS, strict=True):
            cv2.circle(image, np.rint(point * 16).astype(int).tolist(), 56, colour, -1, cv2.LINE_AA, 4)
    return np.clip(cv2.GaussianBlur(image, (0, 0), 0.7) + rng.normal(0, 3, image.shape), 0, 255).astype(np.uint8)


def write_labels(path, names, points, animals=("ada", "bob")):
    """DeepLabCut's table with an individual level; points (n_pictures, n_animals, 4, 2)."""
    columns = [("me", animal, keypoint, axis) for animal in animals for keypoint in KEYPOINTS for axis in "xy"]
    levels = ("scorer", "individuals", "bodyparts", "coords")
    rows = [[level, *own] for level, own in zip(levels, zip(*columns, strict=True), strict=True)]
    rows += [[name, *(f"{v:.3f}" for v in frame.ravel())] for name, frame in zip(names, points, strict=True)]
    path.write_text("\n".join(",".join(row) for row in rows) + "\n")


@pytest.fixture
def recording(tmp_path):
    """A session of three cameras: rig, labelled pictures of two animals, videos, and the truth (2, n, 4, 3) mm."""
    rig, truth = small_rig(), two_in_3d(N_FRAMES, seed=7)
    shown = np.concatenate([two_in_3d(4, seed) for seed in range(N_LABELLED // 4)], axis=1)
    write_rig(rig, tmp_path / "rig.toml")
    for c, name in enumerate(rig.names):
        labelled, filmed = ([rig.project(own)[c] for own in animals] for animals in (shown, truth))
        labelled, filmed = np.stack(labelled, axis=1), np.stack(filmed, axis=1)
        pictures = [f"img{i:03d}.png" for i in range(N_LABELLED)]
        for i, picture in enumerate(pictures):
            write_picture(tmp_path / "labels" / name / picture, drawn(labelled[i], 100 * c + i))
        write_labels(tmp_path / "labels" / name / "CollectedData_me.csv", pictures, labelled)
        writer = cv2.VideoWriter(str(tmp_path / f"{name}.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), FPS, SIZE)
        for i, frame in enumerate(filmed):
            writer.write(cv2.cvtColor(drawn(frame, 1000 * c + i), cv2.COLOR_RGB2BGR))
        writer.release()
    tables = {
        "session": {"rig": "rig.toml", "unit": "mm"},
        "cameras": {name: {"video": f"{name}.mp4"} for name in rig.names},
        "animals": {"count": 2},
        "skeleton": {"keypoints": list(KEYPOINTS), "bones": [["nose", k] for k in KEYPOINTS[1:]]},
        "joints": {"back": ["nose", "ear_left", "tail"]},
        "train": {"labels": "labels"} | OPTIONS | {"n_evaluations": 1, "iterations": 60},
    }
    (tmp_path / "session.toml").write_text(tomli_w.dumps(tables))
    return tmp_path, truth


@pytest.mark.long  # two networks are trained: some 40 s of a loaded processor
def test_two_animals_from_labels_to_labelled_videos(recording):
    folder, truth = recording
    result = muybridge("run", folder, "--quiet")
    assert result.returncode == 0, result.stderr
    pose = read_dataset(folder / "results/pose.nc")
    found = pose["position"].transpose("individual", "time", "keypoint", "space").values
    assert found.shape == truth.shape
    off = np.nanmedian(np.linalg.norm(found[:, None] - truth[None], axis=-1), axis=-1)  # (found, true, frames)
    who = off.argmin(axis=1)
    assert (who == who[:, :1]).all()
    assert set(who[:, 0]) == {0, 1}
    assert np.median(off.min(axis=1)) < 2
    assert "individual" in read_dataset(folder / "results/kinematics.nc").dims
    assert (folder / "results/report.html").stat().st_size > 10_000
    assert muybridge("label-videos", folder).returncode == 0
    assert len(list((folder / "results/videos").glob("*_labelled.mp4"))) == 3


def write_as_other_programs(folder, rig, shown):
    """Labels of nose and tail of two animals: SLEAP's project, its analysis file and COCO's JSON, a camera each.

    shown : (2, n, 4, 3) mm, in the pictures that lie there
    """
    for c, name in enumerate(rig.names):
        own = folder / "labels" / name
        points = np.stack([rig.project(animal)[c][:, [0, 3]] for animal in shown])  # (animals, pictures, 2, 2)
        pictures = sorted(own.glob("*.png"))
        (own / "CollectedData_me.csv").unlink()
        if c == 2:
            rows = [np.column_stack([p + 0.5, np.full(2, 2)]).ravel().tolist() for p in points.reshape(-1, 2, 2)]
            annotations = [{"image_id": i % len(pictures), "keypoints": row} for i, row in enumerate(rows)]
            images = [{"id": i, "file_name": picture.name} for i, picture in enumerate(pictures)]
            content = {"images": images, "annotations": annotations, "categories": [{"keypoints": ["nose", "tail"]}]}
            (own / "coco.json").write_text(json.dumps(content))
            continue
        writer = cv2.VideoWriter(str(own / "clip.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), FPS, SIZE)
        for picture in pictures:
            writer.write(cv2.imread(str(picture)))
        writer.release()
        if c == 0:
            placed = [(0, i, 0, a, -1, points[a, i], None) for i in range(len(pictures)) for a in range(2)]
            slp_file(own / "labels.slp", placed, videos=("clip.mp4",))
        else:
            write_sleap(own / "clip.analysis.h5", points, ("nose", "tail"))
            with h5py.File(own / "clip.analysis.h5", "a") as file:
                file["video_path"] = "clip.mp4"


@pytest.mark.long  # two networks are trained
def test_labels_of_sleap_and_coco_with_individuals_train_a_detector_of_several(recording):
    folder, truth = recording
    rig, shown = small_rig(), np.concatenate([two_in_3d(4, seed) for seed in range(N_LABELLED // 4)], axis=1)
    write_as_other_programs(folder, rig, shown)
    tables = tomllib.loads((folder / "session.toml").read_text())
    tables["skeleton"] = {"keypoints": ["nose", "tail"], "bones": [["nose", "tail"]]}
    del tables["joints"]
    (folder / "session.toml").write_text(tomli_w.dumps(tables))
    run_session(read_session(folder), ("train", "predict"), progress=False)
    views = read_dataset(folder / "results/views.nc")
    found = views["position"].transpose("individual", "view", "time", "keypoint", "space").values
    pixels = np.stack([rig.project(animal)[:, :, [0, 3]] for animal in truth])
    off = np.linalg.norm(found[:, None] - pixels[None], axis=-1)  # (found, true, cameras, frames, keypoints)
    assert (np.nanmedian(off.min(axis=0), axis=(1, 2, 3)) < 3).all()  # each animal is found


def refusal(folder, count, **animals_of_folder):
    """What 'muybridge train' says of two cameras whose labels name these animals ("" of one: no individual level)."""
    (folder / "session.toml").write_text(
        f"[cameras.a]\n[cameras.b]\n[train]\nlabels = 'labels'\n[animals]\ncount = {count}\n"
    )
    for camera, animals in animals_of_folder.items():
        (folder / "labels" / camera).mkdir(parents=True)
        (folder / "labels" / camera / "img0.png").touch()
        if animals:
            points = np.ones((1, len(animals), 4, 2))
            write_labels(folder / "labels" / camera / "CollectedData_me.csv", ["img0.png"], points, animals)
        else:
            write_dlc(folder / "labels" / camera, np.ones((1, 4, 2)), ["img0.png"])
    return muybridge("train", folder)


def test_init_counts_the_animals_of_a_multi_animal_project(tmp_path):
    for camera in ("a", "b"):
        (tmp_path / f"{camera}.mp4").touch()
        labelled = tmp_path / "labeled-data" / camera
        labelled.mkdir(parents=True)
        (labelled / "img0.png").touch()
        write_labels(labelled / "CollectedData_me.csv", ["img0.png"], np.ones((1, 2, 4, 2)))
    (proposal,) = propose_sessions(tmp_path)
    assert proposal.tables["animals"] == {"count": 2}
    assert any("2 animals are labelled in a picture" in note for note in proposal.notes)


def test_more_labelled_animals_than_declared_are_refused_before_training(tmp_path):
    result = refusal(tmp_path, 2, a=("ada", "bob"), b=("ada", "bob", "eve"))
    assert_one_sentence(result, "img0.png has 3 labelled animals, but [animals] count is 2; set count = 3")


def test_labels_of_one_animal_are_refused_where_two_are_declared(tmp_path):
    result = refusal(tmp_path, 2, a=(), b=())
    assert_one_sentence(result, "[animals] count is 2, but no picture has labels of more than one animal")


def test_identities_in_some_files_only_are_refused(tmp_path):
    result = refusal(tmp_path, 2, a=("ada", "bob"), b=())
    assert_one_sentence(result, "labels/a name individuals and those of", "labels/b do not")
