"""Joint angles of a galloping animal, and the pictures that show them.

    python examples/articulated_animal.py [folder]

Simulates half a second of a cheetah's sprint in front of six fisheye cameras with the errors of a real detector, fits
the shipped body, and writes four pictures: the body, the skeleton over the frames, angles over time with their bands,
and a strip of stick figures of one stride. With recordings of your own, replace `seen` by read_views and `cameras` by
read_rig.
"""

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt

from muybridge.calibration import Camera, CameraRig
from muybridge.triangulate import fit_body, plot_body, read_body

FPS, STRIDE = 100.0, 0.32
SHOWN = ("chest_pitch", "l_thigh_swing", "l_shank_bend", "l_upper_arm_swing", "l_forearm_bend", "tail_root_pitch")
SWINGS = {  # degrees: amplitude and mean; phase in turns of the stride
    "chest_pitch": (28, 5, 0.05), "tail_root_pitch": (15, -15, 0.8), "neck_pitch": (10, -20, 0.55),
    "l_thigh_swing": (42, -5, 0.50), "r_thigh_swing": (42, -5, 0.57), "l_shank_bend": (35, 60, 0.75),
    "r_shank_bend": (35, 60, 0.82), "l_back_foot_bend": (30, -50, 0.30), "r_back_foot_bend": (30, -50, 0.37),
    "l_upper_arm_swing": (45, 15, 0.05), "r_upper_arm_swing": (45, 15, 0.13), "l_forearm_bend": (40, -55, 0.80),
    "r_forearm_bend": (40, -55, 0.88), "l_front_foot_bend": (35, 35, 0.40), "r_front_foot_bend": (35, 35, 0.48),
}  # fmt: skip


def cameras():
    """Six fisheye cameras, three on either side of a track along x; mm."""
    rig = []
    for c in range(6):
        side = 1 if c % 2 else -1
        place = np.array([2000.0 + 5000 * (c // 2), 5000.0 * side, 1200.0])
        forward = np.array([5000.0 + 2500 * (c // 2), 0, 500]) - place
        forward /= np.linalg.norm(forward)
        right = np.cross(forward, [0, 0, 1])
        right /= np.linalg.norm(right)
        R = np.stack([right, np.cross(forward, right), forward])
        K = np.array([[1200, 0, 1360], [0, 1200, 760], [0, 0, 1.0]])
        rig.append(Camera(f"cam_{c}", (2720, 1530), K, [0.01, -0.01, 0.0, 0.0], R, -R @ place, model="fisheye"))
    return CameraRig(tuple(rig), unit="mm", up=np.array([0.0, 0, 1]))


def gallop(body, n_frames, seed):
    """Angles of half a second or so of an animal that swings its joints a little in its own way."""
    rng, times = np.random.default_rng(seed), np.arange(n_frames) / FPS
    angles, cycle = np.tile(body.rest_angles, (n_frames, 1)), times / STRIDE + rng.uniform()
    for name, (amplitude, mean, phase) in SWINGS.items():
        own = amplitude * (1 + 0.1 * rng.normal()), phase + 0.02 * rng.normal()
        angles[:, body.angle_names.index(name)] = np.radians(mean + own[0] * np.cos(2 * np.pi * (cycle + own[1])))
    angles[:, 0] = 1500 + 24000 * times
    angles[:, 2] = 740 + 55 * np.cos(2 * np.pi * (cycle + 0.4))
    return angles


def seen(angles, body, rig, rng):
    """Pixels as a detector finds them."""
    points_2d = rig.project(body.markers(angles))
    errors = rng.normal(0, 12, points_2d.shape)
    for t in range(1, len(angles)):  # errors that last for some frames
        errors[:, t] = 0.8 * errors[:, t - 1] + 0.6 * errors[:, t]
    gross = rng.uniform(size=points_2d.shape[:-1]) < 0.05
    errors[gross] = rng.normal(0, 400, (gross.sum(), 2))
    return points_2d + errors


def draw_skeleton(fit, ax, frames, shift=0.0):
    """Stick figures seen from the side; `shift` mm between them, else where they are."""
    for number, t in enumerate(frames):
        points = fit.points_3d[t] - (fit.points_3d[t, 4] * [1, 0, 0] - [shift * number, 0, 0] if shift else 0)
        for a, b in fit.body.skeleton.bone_indices:
            names = fit.body.marker_names[a], fit.body.marker_names[b]
            color = "#1b6ca8" if any(n.startswith("l_") for n in names) else "#444444"
            color = "#c8553d" if any(n.startswith("r_") for n in names) else color
            ax.plot(points[[a, b], 0], points[[a, b], 2], color=color, lw=1.2)
    ax.set_aspect("equal")
    ax.set_ylabel("up (mm)")


def draw_angles(fit, truth, axes):
    times = np.arange(len(truth)) / FPS
    for name, ax in zip(SHOWN, axes.flat, strict=True):
        i = fit.body.angle_names.index(name)
        angle, std = np.degrees(fit.angles[:, i]), np.degrees(fit.angles_std[:, i])
        ax.fill_between(times, angle - 1.96 * std, angle + 1.96 * std, alpha=0.3, label="95 % band")
        ax.plot(times, angle, label="fitted")
        ax.plot(times, np.degrees(truth[:, i]), "k--", lw=1, label="true")
        ax.set_title(name, fontsize=9)
        ax.set_xlabel("seconds")
        ax.set_ylabel("degrees")
    axes.flat[0].legend(fontsize=7)


def main(folder="articulated_animal"):
    folder = Path(folder)
    folder.mkdir(exist_ok=True)
    body, rig = read_body("cheetah"), cameras()
    truth = gallop(body, 50, seed=0)
    points_2d = seen(truth, body, rig, np.random.default_rng(0))
    fit = fit_body(points_2d, rig, fps=FPS, body=body)
    off = np.linalg.norm(fit.points_3d - body.markers(truth), axis=-1)
    print(f"markers: median error {np.median(off):.0f} mm, 90th percentile {np.quantile(off, 0.9):.0f} mm")
    inside = np.abs(fit.angles - truth) < 1.96 * fit.angles_std
    print(f"angles: {inside.mean():.0%} of the truth in the 95 % bands; {fit.rank} of {len(inside[0])} determined")

    figure, ax = plt.subplots(figsize=(9, 5))
    plot_body(body, ax)
    figure.savefig(folder / "body.png", dpi=110, bbox_inches="tight")
    figure, ax = plt.subplots(figsize=(12, 2.6))
    draw_skeleton(fit, ax, range(0, len(truth), 8))  # an animal's length apart
    ax.set_xlabel("along the track (mm)")
    figure.savefig(folder / "skeleton.png", dpi=110, bbox_inches="tight")
    figure, axes = plt.subplots(2, 3, figsize=(12, 6), layout="constrained")
    draw_angles(fit, truth, axes)
    figure.savefig(folder / "angles.png", dpi=110)
    figure, ax = plt.subplots(figsize=(12, 2.4))
    draw_skeleton(fit, ax, range(0, round(STRIDE * FPS) + 1, 4), shift=1900.0)
    ax.set_title("one stride, a figure every 40 ms")
    ax.set_xticks([])
    figure.savefig(folder / "stride.png", dpi=110, bbox_inches="tight")
    print(f"pictures in {folder}")


if __name__ == "__main__":
    main(*sys.argv[1:])
