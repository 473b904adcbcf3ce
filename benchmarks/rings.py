"""Synthetic recordings with known truth: rings of cameras around moving keypoints, noise, gaps and gross outliers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from muybridge.calibration import Camera, CameraRig
from muybridge.cameras.rotations import look_at


@dataclass(frozen=True, eq=False)
class Recording:
    """points_2d (n_cameras, n_frames, n_keypoints, 2); confidence and outliers without the 2; truth in mm."""

    rig: CameraRig
    points_2d: np.ndarray
    confidence: np.ndarray
    outliers: np.ndarray
    truth: np.ndarray
    noise: float


def make_rig(n_cameras: int, seed: int = 0, model: str = "pinhole", size=(1280, 1024)) -> CameraRig:
    """Cameras on two heights around an arena of about half a metre, in mm, looking near its centre."""
    rng = np.random.default_rng(seed)
    cameras = []
    for c in range(n_cameras):
        angle = 2 * np.pi * (c + rng.uniform(-0.2, 0.2)) / n_cameras
        radius = rng.uniform(750, 1000)
        centre = np.array([radius * np.cos(angle), radius * np.sin(angle), (350, 700)[c % 2] + rng.uniform(-80, 80)])
        R, t = look_at(centre, rng.uniform(-30, 30, 3))
        focal = rng.uniform(1200, 1450) if model == "pinhole" else rng.uniform(600, 700)
        K = np.array(
            [[focal, 0, size[0] / 2 + rng.uniform(-20, 20)], [0, focal, size[1] / 2 + rng.uniform(-20, 20)], [0, 0, 1]]
        )
        if model == "pinhole":
            distortion = [rng.uniform(-0.3, -0.1), rng.uniform(0, 0.1), *rng.uniform(-1e-3, 1e-3, 2), 0.0]
        else:
            distortion = rng.uniform(-0.02, 0.02, 4)
        cameras.append(Camera(f"cam_{c}", size, K, np.array(distortion), R, t, model=model))
    return CameraRig(tuple(cameras), unit="mm", up=np.array([0.0, 0.0, 1.0]))


def wander(n_frames: int, n_keypoints: int, rng, centre=(0.0, 0.0, 30.0)) -> np.ndarray:
    """(n_frames, n_keypoints, 3) mm at 100 Hz: a body that walks about the arena while its keypoints sway."""
    times = np.arange(n_frames)[:, None] / 100.0
    rates, phases = rng.uniform(0.2, 1.2, (2, 3)), rng.uniform(0, 2 * np.pi, (2, 3))
    body = (np.array([90.0, 90.0, 12.0]) * np.sin(2 * np.pi * rates[:, None] * times + phases[:, None])).sum(axis=0)
    offset = rng.normal(0, 45, (n_keypoints, 3)) * [1, 1, 0.5]
    sway = rng.uniform(3, 12, (n_keypoints, 3)) * np.sin(
        2 * np.pi * rng.uniform(1, 4, (n_keypoints, 3)) * times[..., None] + rng.uniform(0, 2 * np.pi, (n_keypoints, 3))
    )
    return np.asarray(centre) + body[:, None] + offset + sway


def make_recording(
    n_cameras: int = 6,
    seed: int = 0,
    noise: float = 1.0,
    outliers: float = 0.05,
    missing: float = 0.1,
    n_frames: int = 500,
    n_keypoints: int = 20,
    model: str = "pinhole",
) -> Recording:
    """A recording whose gross outliers lie anywhere in the image, half of them with the confidence of a good view."""
    rng = np.random.default_rng([seed, n_cameras, 7])
    rig = make_rig(n_cameras, seed, model)
    truth = wander(n_frames, n_keypoints, rng)
    points_2d = rig.project(truth)
    points_2d = points_2d + rng.normal(0, noise, points_2d.shape)
    wrong = rng.random(points_2d.shape[:-1]) < outliers
    anywhere = rng.uniform(0, 1, points_2d.shape) * rig.cameras[0].size
    points_2d = np.where(wrong[..., None], anywhere, points_2d)
    confidence = 0.55 + 0.45 * rng.beta(5, 2, wrong.shape)
    confidence = np.where(wrong & (rng.random(wrong.shape) < 0.5), rng.uniform(0, 0.6, wrong.shape), confidence)
    gone = rng.random(wrong.shape) < missing
    points_2d[gone] = np.nan
    return Recording(rig, points_2d, np.where(gone, 0.0, confidence), wrong & ~gone, truth, noise)


def known_inliers(recording: Recording) -> np.ndarray:
    """The points with their outliers taken away, for the oracle."""
    return np.where(recording.outliers[..., None], np.nan, recording.points_2d)


def errors(points_3d: np.ndarray, truth: np.ndarray) -> np.ndarray:
    return np.linalg.norm(points_3d - truth, axis=-1)
