"""Bayesian trajectories beside what else is used: error against truth and time after compilation, on fixed seeds.

    python benchmarks/bayes.py [--frames 600] [--peers] [--poses] [--growth]

Rows: 3D error (median, 95th percentile, mm) and the share of the truth inside the 95 % regions, for the
shared ring recordings and for new noise on them, whose seeds served no tuning. --peers: aniposelib and EKS where
they are installed (a minute, and as much again); --poses: what pose states repair and find (a minute); --growth:
frames against seconds and memory, each length in a process of its own (two minutes).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import resource
import subprocess
import sys
import time
from dataclasses import fields
from pathlib import Path

import bayes_peers
import bayes_poses
import numpy as np
import pandas as pd

from muybridge.calibration import Camera, CameraRig
from muybridge.datasets import Skeleton
from muybridge.triangulate import (
    PosePrior,
    infer_poses,
    leave_one_camera_out,
    median_filter,
    smooth,
    triangulate_dlt,
    triangulate_ransac,
)

DATA = Path(__file__).resolve().parents[1] / ".." / "shared" / "data"
SHARED, FIXTURES = DATA / "synthetic_ring", DATA / "gimbal_fixtures"
CHI2_95 = 7.815
FPS = 100.0
NEW_SEEDS = (201, 202, 203)  # tuned on `hard` and on seeds 0-20


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


def timed(function):
    begin = time.perf_counter()
    result = function()
    return result, time.perf_counter() - begin


def row(method: str, points_3d, covariances, truth, left, seconds: float, found=None) -> dict:
    error = np.linalg.norm(points_3d - truth, axis=-1)
    values = {"method": method, "s": seconds, "median": np.nanmedian(error), "p95": np.nanquantile(error, 0.95)}
    for n_views in (1, 2):
        hidden = error[left == n_views]
        if np.isfinite(hidden).any():
            values[f"median, {n_views} view"] = np.nanmedian(hidden)
            values[f"p95, {n_views} view"] = np.nanquantile(hidden, 0.95)
    if covariances is not None:
        inside = within(points_3d, covariances, truth)
        values["in 95 %"] = np.nanmean(inside)
        if np.isfinite(inside[left == 1]).any():
            values["in 95 %, 1 view"] = np.nanmean(inside[left == 1])
    if found is not None:
        velocity = 0.5 * FPS * (truth[2:] - truth[:-2])
        values["velocity"] = np.nanmean(within(found.velocities[1:-1], found.velocity_covariances[1:-1], velocity))
    return values


def within(values, covariances, truth) -> np.ndarray:
    """1 where the truth lies in the 95 % region, 0 where not, NaN where there is no value."""
    d = values - truth
    square = np.einsum("...i,...ij,...j->...", d, np.linalg.inv(covariances), d)
    return np.where(np.isfinite(square), square < CHI2_95, np.nan)


def compare(recording) -> pd.DataFrame:
    points_2d, confidence, truth, left, rig, skeleton = recording
    shared = {"fps": FPS, "confidence": confidence}
    robust, seconds = timed(lambda: triangulate_ransac(points_2d, rig, confidence=confidence))
    rows = [row("ransac", robust.points_3d, robust.covariances_3d, truth, left, seconds)]
    rows.append(row("ransac, median 5", median_filter(robust.points_3d, 5, fps=1), None, truth, left, seconds))
    smoothed = bayes_peers.butterworth(robust.points_3d, truth, FPS)
    rows.append(row("ransac, Butterworth, oracle cut-off", smoothed, None, truth, left, np.nan))
    for name, options in (("smooth", {}), ("smooth, skeleton", {"skeleton": skeleton})):
        found, seconds = best_of_three(lambda options=options: smooth(points_2d, rig, **shared, **options))
        rows.append(row(name, found.points_3d, found.covariances_3d, truth, left, seconds, found))
    prior = PosePrior.fit(truth, skeleton, 50)
    found, seconds = timed(lambda: infer_poses(points_2d, rig, skeleton=skeleton, prior=prior, **shared))
    rows.append(row("poses, 50 states", found.points_3d, found.covariances_3d, truth, left, seconds, found))
    return pd.DataFrame(rows).set_index("method")


def best_of_three(function):
    results = [timed(function) for _ in range(3)]
    return min(results, key=lambda r: r[1])


def compare_peers(recording, eks_frames: int = 200) -> None:
    """aniposelib's optimisation and EKS on the same pixels, and how this project's joint mode stands to the former."""
    points_2d, confidence, truth, left, rig, skeleton = recording
    if importlib.util.find_spec("aniposelib") is None:
        print("\npeers: aniposelib is not installed")
        return
    found, seconds = best_of_three(lambda: smooth(points_2d, rig, fps=FPS, confidence=confidence, skeleton=skeleton))
    rows = [row("smooth, skeleton", found.points_3d, found.covariances_3d, truth, left, seconds)]
    points_3d, seconds = timed(lambda: bayes_peers.anipose(points_2d, confidence, rig, skeleton))
    rows.append(row("aniposelib optim_points", points_3d, None, truth, left, seconds))
    table = pd.DataFrame(rows).set_index("method")
    ratios = table.loc["aniposelib optim_points", ["s", "median", "p95"]] / table.loc["smooth, skeleton"]
    print(f"\npeers, {points_2d.shape[1]} frames\n{table}")
    print(f"aniposelib over smooth: time {ratios['s']:.1f}, median {ratios['median']:.2f}, p95 {ratios['p95']:.2f}")
    if importlib.util.find_spec("eks") is None:
        print("EKS is not installed")
        return
    some, parts = slice(0, eks_frames), []
    seen, sure, true, hidden = points_2d[:, some], confidence[:, some], truth[some], left[some]
    (points_3d, variances), seconds = timed(lambda: bayes_peers.eks(seen, sure, rig, skeleton))
    covariances = variances[..., None] * np.eye(3)
    parts.append(row("EKS multi-camera", points_3d, covariances, true, hidden, seconds))
    found, seconds = timed(lambda: smooth(seen, rig, fps=FPS, confidence=sure, skeleton=skeleton))
    parts.append(row("smooth, skeleton", found.points_3d, found.covariances_3d, true, hidden, seconds))
    print(f"\nEKS, {eks_frames} frames\n{pd.DataFrame(parts).set_index('method')}")


def posterior_time(recording) -> str:
    """Seconds of the covariances alone: all but them done before, and after."""
    from muybridge.numerics.banded import one_blas_thread, selected_inverse
    from muybridge.numerics.threads import over_items
    from muybridge.triangulate.smoothing.long_recordings import learning, overlapping_windows, tracked_frames
    from muybridge.triangulate.smoothing.modes.mode_search import find_mode
    from muybridge.triangulate.smoothing.smoother import check_problem

    points_2d, confidence, _, _, rig, skeleton = recording
    problem = check_problem(points_2d, rig, FPS, confidence, skeleton, None)
    learned = learning.learn(problem)
    length = tracked_frames.window_length(learned, True)
    plan = list(tracked_frames.windows(problem.n_frames, length, tracked_frames.overlap_frames(learned)))
    factors = []
    for frames, _ in plan:
        tracked = tracked_frames.track_frames(learned, frames)
        window = overlapping_windows.open_window(learned, tracked, None)
        mode = find_mode(window.observations, window.points_3d, window.spread, window.prior, window.bones)
        factors.append(mode.system.factor(mode.seen, mode.terms)[0])
    block = 3 * problem.n_keypoints
    with one_blas_thread():
        inverse = lambda i: selected_inverse(factors[i], block)  # noqa: E731
        _, seconds = best_of_three(lambda: over_items(inverse, range(len(factors))))
    return f"covariances by selected inversion, {problem.n_frames} frames in {len(plan)} windows: {seconds:.2f} s"


def cameras_left_out(recording) -> pd.DataFrame:
    """Which method predicts the camera that it was not shown: no truth needed."""
    points_2d, confidence, _, _, rig, skeleton = recording
    methods = {
        "dlt": lambda y, r, c: triangulate_dlt(y, r, confidence=c),
        "ransac": lambda y, r, c: triangulate_ransac(y, r, confidence=c),
        "smooth": lambda y, r, c: smooth(y, r, fps=FPS, confidence=c),
        "smooth, skeleton": lambda y, r, c: smooth(y, r, fps=FPS, confidence=c, skeleton=skeleton),
    }
    table = leave_one_camera_out(points_2d, rig, methods, confidence=confidence)
    return table.xs("all", level="camera")


def growth(lengths: tuple[int, ...]) -> pd.DataFrame:
    """Seconds and memory of `smooth` with a skeleton as recordings get longer, each in a fresh process."""
    rows = []
    for n_frames in lengths:
        done = subprocess.run(
            [sys.executable, __file__, "--worker", str(n_frames)], check=True, capture_output=True, text=True
        )
        rows.append(json.loads(done.stdout.splitlines()[-1]))
    return pd.DataFrame(rows).set_index("frames")


def grow_once(n_frames: int) -> dict:
    """One length: the recording to and fro; the workspace is what is neither there before nor in the results."""
    points_2d, confidence, _, _, rig, skeleton = shared_ring("base", 2000)
    options = {"fps": FPS, "skeleton": skeleton}
    smooth(points_2d[:, :100], rig, confidence=confidence[:, :100], **options)  # compile
    long_2d, sure = np.empty((len(rig), n_frames, *points_2d.shape[2:])), np.empty((len(rig), n_frames, 20))
    for i, start in enumerate(range(0, n_frames, 2000)):
        stop, way = min(n_frames, start + 2000), slice(None, None, -1 if i % 2 else 1)
        long_2d[:, start:stop] = points_2d[:, way][:, : stop - start]
        sure[:, start:stop] = confidence[:, way][:, : stop - start]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    found, seconds = timed(lambda: smooth(long_2d, rig, confidence=sure, **options))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    results = sum(getattr(getattr(found, f.name), "nbytes", 0) for f in fields(found)) / 1e6
    return {"frames": n_frames, "s": seconds, "ms per frame": 1e3 * seconds / n_frames, "peak MB": peak,
            "before MB": before, "results MB": results, "workspace MB": peak - before - results}  # fmt: skip


def poses(recording) -> None:
    print(f"\na limb's keypoint 60 degrees off in 4 of 6 views\n{bayes_poses.overridden_limbs(recording)}")
    print(f"\n180 states, 100 frames x 18 keypoints: {bayes_poses.many_states(recording):.2f} s")
    print(f"\nplanted states, 6\n{bayes_poses.found_states(*recording[4:])}")
    print(f"\npublished model's recordings, outliers and gaps added (mm)\n{bayes_poses.fixtures(FIXTURES)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=2000)
    for flag in ("--peers", "--poses", "--growth"):
        parser.add_argument(flag, action="store_true")
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        print(json.dumps(grow_once(arguments.worker)))
        return
    pd.set_option("display.width", 220, "display.max_columns", 20, "display.precision", 3)
    base = shared_ring("base", 2000)
    smooth(base[0][:, :60], base[4], fps=FPS, confidence=base[1][:, :60], skeleton=base[5])  # compile
    recordings = {name: shared_ring(name, arguments.frames) for name in ("base", "hard")}
    recordings |= {f"new noise, seed {seed}": new_noise(arguments.frames, seed) for seed in NEW_SEEDS}
    for name, recording in recordings.items():
        print(f"\n{name}, {arguments.frames} frames\n{compare(recording)}", flush=True)
    print(f"\n{posterior_time(recordings['base'])}")
    print(f"\na camera left out, predicted from the others (px), base\n{cameras_left_out(recordings['base'])}")
    if arguments.peers:
        compare_peers(recordings["base"])
    if arguments.poses:
        poses(base)
    if arguments.growth:
        print(f"\ngrowth\n{growth((2000, 10_000, 30_000, 100_000))}")


if __name__ == "__main__":
    main()
