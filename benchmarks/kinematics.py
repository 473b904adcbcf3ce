"""Kinematics against truth: accuracy, coverage and speed, beside the peers' formulas in the same run.

    python benchmarks/kinematics.py [--quick] [--full] [--seed=303] [angles] [velocity] [turning] [gait] [speed]

The peers' formulas are written out below as published (anipose 1.0 `compute_angles`, pose2sim 0.10 `points_to_angles`
and its 6 Hz Butterworth default, movement 0.x on xarray), so nothing of theirs needs installing. Times are the best of
three runs after compilation, on all processors. Random numbers are fixed. Two
to three minutes; --full adds gaits in 1 and 5 mm of noise to those in 2 mm, --seed is of the gaits.
"""

from __future__ import annotations

import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import xarray as xr
from scipy.signal import butter, savgol_filter, sosfiltfilt
from scipy.spatial.transform import Rotation

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.gaits import accuracy_of_gait
from muybridge.datasets import pose_dataset
from muybridge.kinematics import (
    angular_velocity,
    estimate_axis,
    hinge_angle,
    interpolate_gaps,
    joint_angles,
    median_filter,
    velocity,
)

QUICK = "--quick" in sys.argv


def best_time(function, repeats: int = 3) -> float:
    """Milliseconds of the fastest of several runs; the first, which compiles, does not count."""
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return 1e3 * min(times)


# ---- the peers' formulas


def anipose_flex(a, b, c):
    u, v = a - b, c - b
    u, v = (w / np.linalg.norm(w, axis=1)[:, None] for w in (u, v))
    with np.errstate(invalid="ignore"):
        return np.rad2deg(np.arccos(np.sum(u * v, axis=1)))


def pose2sim_angle(a, b, c):
    u, v = a - b, c - b
    dot = np.einsum("ij,ij->i", u, v)
    return np.rad2deg(np.arccos(np.clip(dot / np.linalg.norm(u, axis=1) / np.linalg.norm(v, axis=1), -1, 1)))


def anipose_chain(points):
    """(n_points, n_frames, 3) -> three angles of n_points - 2 joints: a frame per bone, Euler angles between them."""
    frames = []
    for i in range(len(points) - 1):
        z = points[i + 1] - points[i]
        z = z / np.linalg.norm(z, axis=1)[:, None]
        x = points[i + 2] - points[i + 1] if i + 2 < len(points) else points[i] - points[i - 1]
        x = x - np.sum(x * z, axis=1)[:, None] * z
        x = x / np.linalg.norm(x, axis=1)[:, None]
        frames.append(Rotation.from_matrix(np.stack([x, np.cross(z, x), z], axis=-1)))
    return [(a.inv() * b).as_euler("zyx", degrees=True) for a, b in pairwise(frames)]


# ---- accuracy


def bend(n_frames: int, degrees, noise: float, rng):
    """Noisy points of a hinge about z with bones of 100 mm, (n_frames, 3 points, 3), and the true flexion."""
    angle = np.broadcast_to(np.deg2rad(degrees), n_frames)
    straight = np.zeros_like(angle)
    points = np.stack([
        np.stack([straight - 100, straight, straight], -1), np.zeros((n_frames, 3)),
        100 * np.stack([np.cos(angle), np.sin(angle), straight], -1),
    ], axis=1)  # fmt: skip
    return points + noise * rng.standard_normal(points.shape), angle


def accuracy_of_angles() -> None:
    print("\nJoint angle, bones of 100 mm, noise 3 mm: mean error (degrees) and share of truths inside 95 % intervals")
    print(
        f"{'flexion':>8}{'arccos':>9}{'3-point':>9}{'corrected':>11}{'hinge':>8}{'estimated axis':>16}"
        f"{'coverage':>10}{'arccos NaN':>12}"
    )
    rng = np.random.default_rng(0)
    n = 20_000 if QUICK else 200_000
    mixed = bend(n, np.linspace(-10, 60, n), 3.0, rng)[0]
    axis, _ = estimate_axis(*mixed.swapaxes(0, 1))
    for degrees in (0, 2, 5, 10, 30, 90):
        points, truth = bend(n, degrees, 3.0, rng)
        pose = pose_dataset(points, keypoints=list("abc"), times=np.arange(n) / 120, unit="mm",
                            covariance=np.broadcast_to(9 * np.eye(3), (n, 3, 3, 3)))  # fmt: skip
        out = joint_angles(pose, {
            "plain": ("a", "b", "c"), "corrected": {"points": ["a", "b", "c"], "corrected": True},
            "hinge": {"kind": "hinge", "points": ["a", "b", "c"], "axis": [0, 0, 1]},
        })  # fmt: skip
        plain, corrected = np.rad2deg(np.pi - truth[0] - out["angle"].values[:, :2]).mean(axis=0)
        error = out["angle"].values[:, 2] - truth
        inside = np.mean(np.abs(error) < 1.96 * out["angle_std"].values[:, 2])
        estimated = np.rad2deg(hinge_angle(*points.swapaxes(0, 1), axis) - truth).mean()
        quiet = bend(n, degrees, 0.0, rng)[0] @ Rotation.random(
            random_state=degrees
        ).as_matrix() + 1e3 * rng.standard_normal((n, 1, 3))
        arccos = anipose_flex(*points.swapaxes(0, 1))
        nan = np.isnan(anipose_flex(*quiet.swapaxes(0, 1))).mean()
        print(f"{degrees:>8}{np.nanmean(180 - degrees - arccos):>9.2f}{plain:>9.2f}{corrected:>11.2f}"
              f"{np.rad2deg(error).mean():>8.3f}{estimated:>16.3f}{inside:>10.3f}{nan:>12.1%}")  # fmt: skip


def gallop(rng, fps: float, noise: float, duration: float = 2.5):
    t = np.arange(round(duration * fps)) / fps
    x, v = 15 * t, np.full(len(t), 15.0)
    for size, rate, phase in zip((0.25, 0.06, 0.015), (3.5, 7.0, 10.5), rng.uniform(0, 2 * np.pi, 3), strict=True):
        x = x + size * np.sin(2 * np.pi * rate * t + phase)
        v = v + 2 * np.pi * rate * size * np.cos(2 * np.pi * rate * t + phase)
    return t, x + noise * rng.standard_normal(len(t)), v


def hand_tuned(t, x, fps):
    """Every filter a patient user would try: {family: [velocities]}."""
    found = {"butterworth": [], "savgol": []}
    for order in (2, 4):
        for cutoff in (6, 8, 10, 12, 14, 16, 18, 20, 24, 28):
            if cutoff < 0.45 * fps:
                smooth = sosfiltfilt(butter(order, cutoff, fs=fps, output="sos"), x)
                found["butterworth"].append(np.gradient(smooth, t))
    for degree in (3, 5):
        for window in (7, 9, 11, 13, 15, 17, 19, 21, 25, 31, 37, 43):
            if window > degree + 1:
                found["savgol"].append(savgol_filter(x, window, degree, 1, delta=1 / fps))
    return found


def accuracy_of_velocity() -> None:
    print("\nVelocity of the gallop, RMSE (m/s), whole | without 0.1 s at either end, 25 draws at 120 Hz, 10 elsewhere")
    names = ("evidence", "butterworth", "savgol", "central", "6 Hz")
    print(f"{'noise mm':>9}{'fps':>5}" + "".join(f"{name:>17}" for name in names) + f"{'ratio':>8}{'coverage':>10}")
    for fps in (60.0, 120.0, 240.0):
        draws = 5 if QUICK else 25 if fps == 120 else 10
        for noise in (0.001, 0.002, 0.005, 0.010, 0.020):
            rng = np.random.default_rng(1000)  # the method was made on other seeds
            squares: dict = {}
            inside = []
            cut = slice(round(0.1 * fps), -round(0.1 * fps))
            for _ in range(draws):
                t, x, v = gallop(rng, fps, noise)
                points = np.stack([x, 0 * x, 0 * x], axis=-1)[:, None]
                out = velocity(pose_dataset(points, keypoints=["nose"], times=t, unit="m"))
                found = {"evidence": [out["velocity"].values[:, 0, 0]], "central": [np.gradient(x, t)]} | hand_tuned(
                    t, x, fps
                )
                found["6 Hz"] = [np.gradient(sosfiltfilt(butter(4, 6, fs=fps, output="sos"), x), t)]
                for name, tries in found.items():
                    errors = [[np.mean((u - v) ** 2), np.mean((u - v)[cut] ** 2)] for u in tries]
                    squares.setdefault(name, []).append(errors)
                inside.append(np.abs(found["evidence"][0] - v) < 1.96 * out["velocity_std"].values[:, 0, 0])
            rmse = {name: np.sqrt(np.mean(values, axis=0)).min(axis=0) for name, values in squares.items()}
            ratio = rmse["evidence"] / np.minimum(rmse["butterworth"], rmse["savgol"])
            row = "".join(f"{rmse[name][0]:>9.3f} |{rmse[name][1]:>6.3f}" for name in names)
            print(f"{1e3 * noise:>9g}{fps:>5g}{row}{ratio.max():>8.2f}{np.mean(inside):>10.3f}")


def accuracy_of_angular_velocity() -> None:
    t = np.arange(600) / 120
    swing = Rotation.from_euler("ZYX", np.stack([2 * t, 1.2 * np.sin(5 * t), np.sin(7 * t)], axis=1))
    step = 1e-6
    ahead = Rotation.from_euler(
        "ZYX", np.stack([2 * (t + step), 1.2 * np.sin(5 * (t + step)), np.sin(7 * (t + step))], 1)
    )
    truth = (ahead * swing.inv()).as_rotvec() / step
    body = np.array([[-60.0, 0, 0], [60, 10, 0], [0, 40, 15], [10, -30, 30]])
    points = np.einsum("tij,kj->tki", swing.as_matrix(), body) + 0.5 * np.random.default_rng(0).standard_normal(
        (600, 4, 3)
    )
    pose = pose_dataset(points, keypoints=list("abcd"), times=t, unit="mm")
    found = angular_velocity(pose, {"trunk": list("abcd")})["angular_velocity"].values[:, 0]
    euler = np.gradient(np.unwrap(swing.as_euler("ZYX"), axis=0), t, axis=0)[:, ::-1]
    rms = np.sqrt(np.mean((np.rad2deg(found - truth)) ** 2)), np.sqrt(np.mean(np.rad2deg(euler - truth) ** 2))
    size = np.sqrt(np.mean(np.rad2deg(truth) ** 2))
    print(
        f"\nAngular velocity, RMS error of {size:.0f} °/s: from 0.5 mm noisy points"
        f" {rms[0]:.1f}, Euler rates of exact frames {rms[1]:.1f}"
    )


# ---- speed


def row(name: str, ours: float, goal: float, peers: dict[str, float]) -> None:
    others = ", ".join(f"{peer} {ms:,.0f} ({ms / ours:.1f}x)" for peer, ms in peers.items())
    print(f"{name:<34}{ours:>10,.1f}{goal:>9,.0f}   {others}")


def moving_animal(n_frames: int, n_keypoints: int, rng):
    """(n_frames, n_keypoints, 3) mm at 120 Hz: keypoints swaying at a stride's rate on a wandering body, 2 mm noise."""
    t = np.arange(n_frames)[:, None, None] / 120
    body = 400 * np.sin(t * rng.uniform(0.2, 0.6, (1, 1, 3)) + rng.uniform(0, 6, (1, 1, 3)))
    sway = 30 * np.sin(2 * np.pi * rng.uniform(2, 4, (1, n_keypoints, 1)) * t + rng.uniform(0, 6, (1, n_keypoints, 3)))
    return (
        body
        + sway
        + 100 * rng.standard_normal((1, n_keypoints, 3))
        + 2 * rng.standard_normal((n_frames, n_keypoints, 3))
    )


def speed() -> None:
    n_frames, n_keypoints = (20_000 if QUICK else 100_000), 20
    rng = np.random.default_rng(0)
    points = moving_animal(n_frames, n_keypoints, rng)
    names = [f"k{i}" for i in range(n_keypoints)]
    common = {"keypoints": names, "times": np.arange(n_frames) / 120, "unit": "mm"}
    pose = pose_dataset(points, **common)
    root = rng.standard_normal((n_frames, n_keypoints, 3, 3))
    with_error = pose_dataset(points, **common, covariance=root @ root.swapaxes(-1, -2))
    ten = {f"joint{i}": names[i : i + 3] for i in range(10)}
    columns = {name: np.ascontiguousarray(points[:, i]) for i, name in enumerate(names)}
    print(f"\nSpeed, {n_frames:,} frames x {n_keypoints} keypoints (ms){'goal':>9}   peers")

    row("ten angles", best_time(lambda: joint_angles(pose, ten)), 25, {
        "anipose": best_time(lambda: [anipose_flex(*(columns[k] for k in joint)) for joint in ten.values()]),
        "pose2sim": best_time(lambda: [pose2sim_angle(*(columns[k] for k in joint)) for joint in ten.values()]),
    })  # fmt: skip
    row("ten angles with std", best_time(lambda: joint_angles(with_error, ten)), 80, {})
    peer = {"movement": best_time(lambda: pose["position"].differentiate("time"))}
    row("velocity, central", best_time(lambda: velocity(pose, method="central")), 20, peer)
    carried = pose.assign(velocity=pose["position"])
    row("velocity, carried", best_time(lambda: velocity(carried)), 20, peer)
    start = time.perf_counter()
    velocity(pose)
    row("velocity, tuned by evidence", 1e3 * (time.perf_counter() - start), 15_000, {})
    uneven = pose.assign_coords(time=pose["time"].values + rng.uniform(-0.3, 0.3, n_frames) / 120)
    start = time.perf_counter()
    velocity(uneven)
    row("the same, uneven frames", 1e3 * (time.perf_counter() - start), 30_000, {})
    chains = {f"leg{i}": {"kind": "chain", "points": names[4 * i : 4 * i + 7]} for i in range(4)}
    stacks = [points[:, 4 * i : 4 * i + 7].swapaxes(0, 1) for i in range(4)]
    anipose = best_time(lambda: [anipose_chain(stack) for stack in stacks], 1)
    row("four chains of five joints", best_time(lambda: joint_angles(pose, chains)), 200, {"anipose": anipose})
    holes = pose.assign(position=pose["position"].where(rng.random((n_frames, n_keypoints, 1)) > 0.05))
    movement = best_time(lambda: holes["position"].interpolate_na("time"), 1)
    row("gap interpolation", best_time(lambda: interpolate_gaps(holes, 0.1)), 100, {"movement": movement})
    rolling = holes["position"].rolling(time=5, center=True, min_periods=1)
    with xr.set_options(use_bottleneck=False):
        movement = best_time(lambda: rolling.median(), 1)
    row("running median of 5 frames", best_time(lambda: median_filter(holes, 5 / 120)), 300, {"movement": movement})


if __name__ == "__main__":
    seed = next((int(a.partition("=")[2]) for a in sys.argv if a.startswith("--seed=")), 303)
    parts = {
        "angles": accuracy_of_angles,
        "velocity": accuracy_of_velocity,
        "turning": accuracy_of_angular_velocity,
        "gait": lambda: accuracy_of_gait("--full" in sys.argv, seed),
        "speed": speed,
    }
    wanted = [name for name in sys.argv[1:] if name in parts]
    for name in wanted or parts:
        parts[name]()
