"""The demo's recording: a rig, a board and a galloping animal rendered to the files that a real session has.

Everything is drawn from a known truth, which is kept beside the session (`truth.nc`, `truth_rig.toml`,
`truth_kinematics.nc`) and which no step of the session reads.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock

import cv2
import numpy as np
import tomli_w
import xarray as xr
from numpy.typing import NDArray
from tqdm import tqdm

from ..cameras import CameraRig, write_rig
from ..datasets import frame_times, pose_dataset, write_dataset
from ..formats.labels.deeplabcut_project import write_labels
from ..formats.video.writing import open_video_writer
from ..numerics.arrays import Array
from ..numerics.threads import over_items
from . import _kernels_render as kernels
from .animal import DEMO_JOINTS, DEMO_LIMBS, DEMO_SKELETON, Gallop, Motion, gallop, stance_of
from .board import SHEET, board_picture, board_poses, floor_pose
from .coat import make_coat, parts_of
from .scene import MOMENTS, SIZE, Image, Noise, Room, View, draw_animal, draw_board, make_rig, make_view
from .shadows import animal_shadow, plane_shadow

FPS = 100.0  # hertz, as high-speed recordings of running animals
BOARD_FPS = 10.0  # hertz: a board is moved slowly
EXPOSURE = 0.0024  # seconds, in which the animal runs 4 mm: a little motion blur
LABEL_JITTER = 0.5  # pixels, standard deviation of a careful human
_BOARD_SAMPLES = 8  # instants of an exposure at which the board is drawn: its edges blur as on a sensor
N_FLOOR = 3  # first frames of the board videos, in which the board lies on the floor: a middle one and its neighbours
SCORER = "demo"
# how far from the skin towards the camera a keypoint may lie before a human no longer marks it, mm: where it lies below
# the skin, and a thin leg in front of it
_DEPTHS = {"nose": 10, "neck": 8, "spine": 8, "tail_base": 10, "shoulder": 34, "elbow": 18, "wrist": 12, "paw": 11,
           "hip": 44, "knee": 20, "ankle": 12, "toe": 11}  # fmt: skip
_GUESSED = 40.0  # mm of a thin leg in front through which a human still guesses the keypoint


@dataclass(frozen=True, eq=False)
class Filmed:
    """The animal at some instants: what is drawn, and the truth."""

    motion: Motion
    parts: Array
    dorsal: Array
    shadows: tuple


def render_demo(
    folder: str | os.PathLike,
    *,
    seed: int = 0,
    n_frames: int = 110,
    n_board_frames: int = 70,
    n_labelled: int = 40,
    n_iterations: int = 550,
    title: str = "demo",
    progress: bool = True,
) -> None:
    """Write a whole recording into `folder`, ready for ``muybridge run``.

    Files: ``videos/<camera>.mp4`` and ``boards/<camera>.mp4`` of six cameras, ``labels/<camera>/`` in DeepLabCut's
    layout, ``session.toml``, and the truth: ``truth.nc`` (a pose, with ``visible (view, time, keypoint)``),
    ``truth_rig.toml``, ``truth_kinematics.nc``. The labelled instants come from other runs of the animal than the
    video.

    Parameters
    ----------
    folder : str or PathLike
        Where to write; it is made where it does not exist.
    seed : int, optional
        Of the noise, the labels' jitter and the motions.
    n_frames : int, frames, optional
        Length of each video, at 100 frames per second.
    n_board_frames : int, frames, optional
        Length of each board video, at 10 frames per second.
    n_labelled : int, optional
        Instants labelled in all six views.
    n_iterations : int, optional
        Steps of the detector's training.
    title : str, optional
        Of the session.
    progress : bool, optional
        Show a progress bar.

    Raises
    ------
    ValueError
        One of the numbers is below 1.
    OSError
        A file cannot be written.

    Examples
    --------
    One picture of each kind and camera, of the 1320 that the whole recording has:

    >>> from pathlib import Path
    >>> from muybridge.demo import render_demo
    >>> render_demo("demo", n_frames=1, n_board_frames=1, n_labelled=1, progress=False)
    >>> sorted(path.name for path in Path("demo/videos").iterdir())[:2]
    ['north.mp4', 'northeast.mp4']
    """
    for name, n in (("n_frames", n_frames), ("n_board_frames", n_board_frames), ("n_labelled", n_labelled)):
        if n < 1:
            raise ValueError(f"{name} must be at least 1, got {n}")
    folder = Path(folder)
    for name in ("videos", "boards", "labels"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    rig = make_rig()
    times = frame_times(n_frames, FPS)
    films = {"video": _film(times, _main_run(seed)), "labels": _film_labelled(n_labelled, seed)}
    _write_truth(folder, rig, times, films["video"])
    _write_session(folder, rig, title, n_iterations)
    room, lock = Room(seed), Lock()
    total = len(rig) * (n_frames + n_board_frames + n_labelled)
    with tqdm(total=total, desc="rendering", unit="image", disable=not progress) as bar:

        def render(index: int) -> None:
            for _ in _render_camera(folder, index, make_view(rig[index], room), films, n_board_frames, seed):
                with lock:
                    bar.update()

        over_items(render, range(len(rig)))


def _main_run(seed: int) -> Gallop:
    rng = np.random.default_rng([seed, 1])
    return Gallop(turn=rng.uniform(0, 2 * np.pi), phase=rng.uniform())


def _film_labelled(n: int, seed: int) -> Filmed:
    """Instants of several other runs: other curves, speeds and heights, one in eight clockwise."""
    rng = np.random.default_rng([seed, 2])
    films = []
    for k in range(n):
        run = Gallop(
            radius=rng.uniform(230, 340), oblong=rng.uniform(0, 0.2), centre=tuple(rng.uniform(-50, 50, 2)),
            turn=2 * np.pi * (k + rng.uniform()) / n, anticlockwise=k % 8 != 7, speed=rng.uniform(1400, 1850),
            stride=rng.uniform(0.33, 0.4), phase=k * 0.618 + rng.uniform(0, 0.1), height=rng.uniform(220, 232),
            flex=rng.uniform(0.26, 0.4), gaze=rng.normal(0, 0.12),
        )  # fmt: skip
        films.append(_film(np.array([0.0]), run))
    return _join(films)


def _film(times: Array, run: Gallop) -> Filmed:
    """The animal at the middle of each exposure, and its parts at the moments of the exposure."""
    instants = times[:, None] + EXPOSURE * MOMENTS
    parts, dorsal = parts_of(gallop(instants.ravel(), run))
    parts, dorsal = parts.reshape(len(times), len(MOMENTS), -1, 8), dorsal.reshape(len(times), len(MOMENTS), -1, 3)
    motion = gallop(times, run)
    return Filmed(motion, parts, dorsal, tuple(animal_shadow(p) for p in parts[:, 1]))


def _join(films: Sequence[Filmed]) -> Filmed:
    motions = [film.motion for film in films]
    joined = Motion(*(np.concatenate([getattr(m, name) for m in motions]) for name in Motion.__dataclass_fields__))
    parts, dorsal = (np.concatenate([getattr(film, name) for film in films]) for name in ("parts", "dorsal"))
    return Filmed(joined, parts, dorsal, tuple(shadow for film in films for shadow in film.shadows))


def visible_keypoints(rig: CameraRig, keypoints: Array, parts: Array) -> NDArray[np.bool_]:
    """(n_cameras, n_frames, n_keypoints) whether a human would mark the keypoint in the image.

    Parameters
    ----------
    keypoints : (n_frames, n_keypoints, 3)
    parts : (n_frames, n_parts, 8)
    """
    depths = np.array([_DEPTHS[name.removeprefix("left_").removeprefix("right_")] for name in DEMO_SKELETON.keypoints])
    cones = [kernels.prepared(one) for one in parts]
    hidden = np.array([[kernels.hidden_by(p, camera.center, k) for k, p in zip(keypoints, cones, strict=True)]
                       for camera in rig])  # fmt: skip
    pixels = rig.project(keypoints)
    size = np.array([camera.size for camera in rig])[:, None, None]
    return (hidden < 1.3 * depths + _GUESSED) & ((pixels > 0) & (pixels < size - 1)).all(axis=-1)


def _render_camera(folder: Path, index: int, view: View, films: dict, n_board_frames: int, seed: int) -> Iterator[None]:
    """Both videos and the labelled images of one camera; yields after each image."""
    coat, noise, name = make_coat(), Noise(seed + 100 * index), view.camera.name

    def animal(film: Filmed) -> Iterator[Image]:
        for k, shadow in enumerate(film.shadows):
            yield noise.add(draw_animal(view, coat, film.parts[k], film.dorsal[k], shadow), k)

    board, labelled = _board_images(view, noise, n_board_frames, seed), films["labels"]
    yield from _write_video(folder / "videos" / f"{name}.mp4", FPS, animal(films["video"]))
    yield from _write_video(folder / "boards" / f"{name}.mp4", BOARD_FPS, board)
    yield from _write_labels(folder / "labels" / name, view, animal(labelled), labelled, seed + 100 * index)


def _board_images(view: View, noise: Noise, n_frames: int, seed: int) -> Iterator[Image]:
    picture = board_picture()
    for k in range(n_frames):
        instants = k / BOARD_FPS + EXPOSURE * ((np.arange(_BOARD_SAMPLES) + 0.5) / _BOARD_SAMPLES - 0.5)
        poses = floor_pose() if k < N_FLOOR else board_poses(instants, seed)
        yield noise.add(draw_board(view, picture, SHEET.texel, poses, plane_shadow(_outline(poses))), 1000 + k)


def _outline(poses: Array) -> Array:
    """(4, 3) corners of the sheet at the first of its poses."""
    sides = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * SHEET.size
    return poses[0, 0] + sides @ poses[0, 1:3]


def _write_video(path: Path, fps: float, images: Iterator[Image]) -> Iterator[None]:
    with open_video_writer(path, fps, SIZE) as writer:
        for image in images:
            writer.write(image)
            yield


def _write_labels(folder: Path, view: View, images: Iterator[Image], film: Filmed, seed: int) -> Iterator[None]:
    """Images and ``CollectedData_demo.csv`` as DeepLabCut writes them: three header rows, empty where not marked."""
    folder.mkdir(parents=True, exist_ok=True)
    rig = CameraRig((view.camera,))
    keypoints, names = film.motion.keypoints, DEMO_SKELETON.keypoints
    jitter = np.random.default_rng([seed, 3]).normal(0, LABEL_JITTER, (*keypoints.shape[:2], 2))
    marked = rig.project(keypoints)[0] + jitter
    marked[~visible_keypoints(rig, keypoints, film.parts[:, 1])[0]] = np.nan
    files = []
    for k, image in enumerate(images):
        files.append(f"labeled-data/{view.camera.name}/img{k:04d}.jpg")
        cv2.imwrite(str(folder / Path(files[-1]).name), image, [cv2.IMWRITE_JPEG_QUALITY, 95])
        yield
    write_labels(folder / f"CollectedData_{SCORER}.csv", files, marked, names, SCORER)


def joint_angles_of(keypoints: Array) -> Array:
    """(n_frames, n_joints) radians between the two bones of each joint of the demo, from the positions alone."""
    index = {name: i for i, name in enumerate(DEMO_SKELETON.keypoints)}
    a, b, c = (keypoints[:, [index[joint[k]] for joint in DEMO_JOINTS.values()]] for k in range(3))
    first, second = a - b, c - b
    across = np.linalg.norm(np.cross(first, second), axis=-1)
    return np.arctan2(across, np.sum(first * second, axis=-1))


def _write_truth(folder: Path, rig: CameraRig, times: Array, film: Filmed) -> None:
    names, keypoints = DEMO_SKELETON.keypoints, film.motion.keypoints
    visible = visible_keypoints(rig, keypoints, film.parts[:, 1])
    truth = pose_dataset(keypoints, keypoints=names, times=times, unit=rig.unit)
    truth = truth.assign_coords(view=list(rig.names))
    truth["visible"] = (("view", "time", "keypoint"), visible.astype(np.int8), {"units": "1"})
    write_dataset(truth, folder / "truth.nc")
    write_rig(rig, folder / "truth_rig.toml")
    angles = xr.Dataset(
        {
            "angle": (("time", "joint"), joint_angles_of(keypoints), {"units": "rad"}),
            "stance": (("time", "limb"), stance_of(film.motion.phase).astype(np.int8), {"units": "1"}),
        },
        coords={"time": ("time", times, {"units": "s"}), "joint": list(DEMO_JOINTS), "limb": list(DEMO_LIMBS)},
    )
    write_dataset(angles, folder / "truth_kinematics.nc")


def _write_session(folder: Path, rig: CameraRig, title: str, n_iterations: int) -> None:
    session = {
        "session": {"name": title, "output": "results", "unit": "mm", "floor_frame": N_FLOOR // 2},
        "cameras": {name: {"video": f"videos/{name}.mp4", "board": f"boards/{name}.mp4"} for name in rig.names},
        "board": {
            "type": "charuco", "squares_x": SHEET.squares_x, "squares_y": SHEET.squares_y,
            "square_length": SHEET.square, "marker_length": SHEET.marker, "dictionary": SHEET.dictionary,
        },
        "skeleton": asdict(DEMO_SKELETON),
        "joints": DEMO_JOINTS,
        "gait": DEMO_LIMBS,
        # the coat tells left from right: this preset does not mirror pictures. At its learning rate, a third of this
        # one, as good a detector takes 700 steps
        "train": {"labels": "labels", "network": "small", "iterations": n_iterations, "learning_rate": 0.01,
                  "n_evaluations": 2},
        "reconstruct": {"method": "smooth"},
    }  # fmt: skip
    (folder / "session.toml").write_text(tomli_w.dumps(session))
