"""Bayesian trajectories beside what else is used: error against truth and time after compilation, on fixed seeds.

    python benchmarks/bayes.py [--frames 600] [--peers] [--growth]

Rows: 3D error (median, 95th percentile, mm) and the share of the truth inside the 95 % regions, for the
shared ring recordings where they are present and for recordings made here. aniposelib is used where it is installed
(--peers; about 25 ms per frame).
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.signal import butter, filtfilt

from muybridge.calibration import Camera, CameraRig
from muybridge.datasets import Skeleton
from muybridge.triangulate import PosePrior, infer_poses, median_filter, smooth, triangulate_ransac

SHARED = Path(__file__).resolve().parents[1] / ".." / "shared" / "data" / "synthetic_ring"
CHI2_95 = 7.815
FPS = 100.0


def shared_ring(name: str, n_frames: int):
    """(points_2d, confidence, truth, number of views left by design or 0, rig, skeleton) of a shared recording."""
    with np.load(SHARED / f"{name}.npz") as file:
        data = {key: file[key] for key in file.files}
    cameras = [
        Camera(f"cam_{i}", tuple(data["wh"]), *(data[key][i] for key in ("K", "dist", "R", "t")))
        for i in range(len(data["K"]))
    ]
    names = [str(name) for name in data["names"]]
    bones = tuple((names[a], names[b]) for a, b in data["bones"])
    frames = slice(0, n_frames)
    parts = data["points2d"][:, frames], data["confidence"][:, frames], data["truth"][frames], data["occluded"][frames]
    return *parts, CameraRig(tuple(cameras), up=(0, 0, 1)), Skeleton(tuple(names), bones, root=names[0])


def new_noise(n_frames: int, seed: int, stretch: int = 30, hidden: float = 0.05):
    """The shared animal seen with new noise, outliers, gaps and stretches that only one or two cameras see."""
    _, _, truth, _, rig, skeleton = shared_ring("base", 2000)
    rng = np.random.default_rng(seed)
    truth = truth[::-1][:n_frames] if seed % 2 else truth[-n_frames:]
    n_keypoints = truth.shape[1]
    points_2d = rig.project(truth) + rng.normal(0, 1, (len(rig), n_frames, n_keypoints, 2))
    wrong = rng.random(points_2d.shape[:-1]) < 0.05
    points_2d[wrong] = rng.uniform(0, (1280, 1024), (wrong.sum(), 2))
    points_2d[rng.random(wrong.shape) < 0.1] = np.nan
    left = np.zeros((n_frames, n_keypoints), int)
    for _ in range(int(hidden * n_frames * n_keypoints / stretch)):
        start, k, n_views = rng.integers(0, n_frames - stretch), rng.integers(n_keypoints), rng.integers(1, 3)
        if left[start : start + stretch, k].any():
            continue
        left[start : start + stretch, k] = n_views
        points_2d[rng.permutation(len(rig))[n_views:], start : start + stretch, k] = np.nan
    sure = np.where(
        wrong & (rng.random(wrong.shape) < 0.5), rng.beta(1.5, 8, wrong.shape), rng.beta(8, 1.5, wrong.shape)
    )
    return points_2d, np.where(np.isnan(points_2d[..., 0]), 0, sure), truth, left, rig, skeleton


def butterworth(points_3d: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Zero-phase low-pass whose cut-off is the best there is, chosen with the truth."""
    filled = pd.DataFrame(points_3d.reshape(len(points_3d), -1)).interpolate(limit_direction="both").to_numpy()
    candidates = [
        filtfilt(*butter(4, cutoff, fs=FPS), filled, axis=0).reshape(points_3d.shape)
        for cutoff in np.arange(3, 40, 2.0)
    ]
    return min(candidates, key=lambda c: np.median(np.linalg.norm(c - truth, axis=-1)))


def anipose(points_2d, confidence, rig, skeleton):
    """aniposelib's optim_points with anipose's default settings, started from its own fast triangulation."""
    from aniposelib import cameras as peer

    group = peer.CameraGroup([
        peer.Camera(matrix=c.K, dist=c.distortion, size=c.size, rvec=_rodrigues(c.R), tvec=c.t, name=c.name)
        for c in rig
    ])  # fmt: skip
    flat = points_2d.reshape(len(rig), -1, 2)
    start = np.asarray(group.triangulate(flat, progress=False, fast=True)).reshape((*points_2d.shape[1:3], 3))
    return group.optim_points(
        points_2d, start, constraints=skeleton.bone_indices.tolist(), scale_smooth=4, scale_length=2,
        reproj_error_threshold=15, reproj_loss="soft_l1", n_deriv_smooth=1, scores=confidence,
    )  # fmt: skip


def _rodrigues(R):
    import cv2

    return cv2.Rodrigues(R)[0].ravel()


def timed(function):
    begin = time.perf_counter()
    result = function()
    return result, time.perf_counter() - begin


def row(method: str, points_3d, covariances, truth, left, seconds: float) -> dict:
    error = np.linalg.norm(points_3d - truth, axis=-1)
    values = {"method": method, "s": seconds, "median": np.nanmedian(error), "p95": np.nanquantile(error, 0.95)}
    for n_views in (1, 2):
        if (left == n_views).any():
            hidden = error[left == n_views]
            values |= {
                f"median, {n_views} view": np.nanmedian(hidden),
                f"p95, {n_views} view": np.nanquantile(hidden, 0.95),
            }
    if covariances is not None:
        d = points_3d - truth
        inside = np.einsum("tki,tkij,tkj->tk", d, np.linalg.inv(covariances), d) < CHI2_95
        values["in 95 %"] = inside.mean()
        if (left == 1).any():
            values["in 95 %, 1 view"] = inside[left == 1].mean()
    return values


def compare(recording, peers: bool) -> pd.DataFrame:
    points_2d, confidence, truth, left, rig, skeleton = recording
    shared = {"fps": FPS, "confidence": confidence}
    smooth(points_2d[:, :60], rig, fps=FPS, confidence=confidence[:, :60], skeleton=skeleton)  # compile
    robust, seconds = timed(lambda: triangulate_ransac(points_2d, rig, confidence=confidence))
    rows = [row("ransac", robust.points_3d, robust.covariances_3d, truth, left, seconds)]
    rows.append(row("ransac, median 5", median_filter(robust.points_3d, 5), None, truth, left, seconds))
    rows.append(
        row("ransac, Butterworth, oracle cut-off", butterworth(robust.points_3d, truth), None, truth, left, np.nan)
    )
    for name, options in (("smooth", {}), ("smooth, skeleton", {"skeleton": skeleton})):
        found, seconds = timed(lambda options=options: smooth(points_2d, rig, **shared, **options))
        rows.append(row(name, found.points_3d, found.covariances_3d, truth, left, seconds))
    prior = PosePrior.fit(truth, skeleton, 50)
    found, seconds = timed(lambda: infer_poses(points_2d, rig, skeleton=skeleton, prior=prior, **shared))
    rows.append(row("poses, 50 states", found.points_3d, found.covariances_3d, truth, left, seconds))
    if peers:
        points_3d, seconds = timed(lambda: anipose(points_2d, confidence, rig, skeleton))
        rows.append(row("aniposelib optim_points", points_3d, None, truth, left, seconds))
    return pd.DataFrame(rows).set_index("method")


def growth(n_frames: tuple[int, ...]) -> pd.DataFrame:
    """Seconds and largest memory of `smooth` with a skeleton as recordings get longer (one recording, repeated)."""
    import resource

    points_2d, confidence, _, _, rig, skeleton = shared_ring("base", 2000)
    rows = []
    for n in n_frames:
        repeats = -(-n // 2000)
        long_2d = np.concatenate([points_2d, points_2d[:, ::-1]] * repeats, axis=1)[:, :n]
        sure = np.concatenate([confidence, confidence[:, ::-1]] * repeats, axis=1)[:, :n]
        options = {"fps": FPS, "confidence": sure, "skeleton": skeleton}
        _, seconds = timed(lambda y=long_2d, options=options: smooth(y, rig, pairs=[], **options))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        rows.append({"frames": n, "s": seconds, "ms per frame": 1e3 * seconds / n, "peak GB": peak})
    return pd.DataFrame(rows).set_index("frames")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=2000)
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--growth", action="store_true")
    arguments = parser.parse_args()
    pd.set_option("display.width", 200, "display.max_columns", 20, "display.precision", 3)
    recordings = {name: shared_ring(name, arguments.frames) for name in ("base", "hard")}
    recordings |= {f"new noise, seed {seed}": new_noise(arguments.frames, seed) for seed in (11, 12, 13)}
    for name, recording in recordings.items():
        print(f"\n{name}, {arguments.frames} frames\n{compare(recording, arguments.peers and name == 'base')}")
    if arguments.growth:
        print(f"\ngrowth\n{growth((2000, 8000, 32000))}")


if __name__ == "__main__":
    main()
