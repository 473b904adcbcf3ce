"""One synthetic rig and one moving skeleton: most tests start here."""

import gc
import os
import shutil

# a thread per process for BLAS and torch, before either is imported: the processes of pytest-xdist fill the cores, and
# threads that wait for one another there would burn processor time
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest

from muybridge.calibration import Camera, CameraRig
from muybridge.cameras.rotations import look_at
from muybridge.datasets import Skeleton
from tests.chromium import ARGUMENTS, CHROMIUM

# no test cuts the power: a file need not lie on the disk before its test goes on, which takes 10 ms each
os.fsync = lambda descriptor: None

# modules and test functions stay: to search for cycles of garbage after each 700 new objects, as Python does, takes a
# quarter of the time in which the tests are collected
gc.set_threshold(30_000, 10, 50)


def pytest_collection_finish():
    """What the modules and the collected tests hold stays to the end: the garbage collector need not look at it."""
    gc.freeze()


def make_ring_rig(n_cameras=6, radius=800.0, height=500.0, distortion=(-0.25, 0.08, 0.001, -0.001, 0.0)):
    cameras = []
    for i in range(n_cameras):
        angle = 2 * np.pi * i / n_cameras
        R, t = look_at((radius * np.cos(angle), radius * np.sin(angle), height + 40.0 * (i % 3)))
        focal = 950.0 + 20 * i
        K = np.array([[focal, 0, 640 + 5 * i], [0, focal + 3, 512 - 4 * i], [0, 0, 1.0]])
        cameras.append(Camera(f"cam_{i}", (1280, 1024), K, np.array(distortion), R, t))
    return CameraRig(tuple(cameras), unit="mm", up=np.array([0.0, 0.0, 1.0]))


@pytest.fixture(scope="session")
def ring_rig() -> CameraRig:
    """Six cameras with lens distortion around an arena of about 0.5 m, in mm, z up."""
    return make_ring_rig()


@pytest.fixture(scope="session")
def skeleton() -> Skeleton:
    return Skeleton(
        keypoints=("nose", "neck", "tail", "left_hip", "left_knee", "right_hip", "right_knee"),
        bones=(("neck", "nose"), ("neck", "tail"), ("tail", "left_hip"), ("left_hip", "left_knee"),
               ("tail", "right_hip"), ("right_hip", "right_knee")),
        symmetries=(("left_hip", "right_hip"), ("left_knee", "right_knee")),
        root="neck",
    )  # fmt: skip


@pytest.fixture(scope="session")
def moving_skeleton(skeleton) -> np.ndarray:
    """(200, 7, 3) mm at 100 Hz: rigid bones, smooth motion around the origin of the ring rig."""
    return make_moving_points(skeleton, 200)


def make_moving_points(skeleton, n_frames, fps=100.0, seed=0):
    rng = np.random.default_rng(seed)
    times = np.arange(n_frames) / fps
    points = np.zeros((n_frames, len(skeleton.keypoints), 3))
    phase = rng.uniform(0, 2 * np.pi, 3)
    root = skeleton.root_index
    points[:, root] = np.stack([120 * np.sin(1.1 * times + phase[0]), 120 * np.cos(0.9 * times + phase[1]),
                                60 + 15 * np.sin(3 * times + phase[2])], -1)  # fmt: skip
    for parent, child in skeleton.bone_indices:
        length, tilt, turn, rate = (
            rng.uniform(30, 60),
            rng.uniform(0, np.pi),
            rng.uniform(0, 2 * np.pi),
            rng.uniform(2, 6),
        )
        polar = tilt + 0.4 * np.sin(rate * times)
        azimuth = turn + 0.5 * np.sin(0.7 * rate * times)
        step = np.stack([np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth), np.cos(polar)], -1)
        points[:, child] = points[:, parent] + length * step
    return points


@pytest.fixture(scope="module")
def browser():
    """Headless chromium, for tests that are marked by `tests.chromium.needs_chromium`."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as engine:
        path = CHROMIUM if os.path.exists(CHROMIUM) else shutil.which("chromium")
        started = engine.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def context(browser):
    """What the pages of a module share, as windows of one browser do."""
    with browser.new_context() as shared:
        yield shared
