"""From a pose to a figure: joint angles with their 95 % bands, velocity, body frame, gait.

    python examples/kinematics_angles.py [pose.nc] [figure.png]

Without a pose file it makes a trotting animal with known truth. With one (what `muybridge reconstruct` wrote), put your
own keypoints into JOINTS and FEET.
"""

import sys

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt

from muybridge.datasets import pose_dataset, read_dataset
from muybridge.kinematics import (
    body_frame,
    gait,
    joint_angles,
    plot_angle,
    plot_gait,
    plot_speed,
    plot_strides,
    speed_profile,
    velocity,
)

LIMBS = ("left_hind", "right_hind", "left_fore", "right_fore")
FEET = {limb: f"{limb}_paw" for limb in LIMBS}
JOINTS = {f"{limb}_knee": [f"{limb}_hip", f"{limb}_knee", f"{limb}_paw"] for limb in LIMBS}
# a hinge about the animal's own left-right axis has a sign, and no bias when the limb is straight
JOINTS["left_hind_bend"] = {
    "kind": "hinge",
    "points": ["left_hind_hip", "left_hind_knee", "left_hind_paw"],
    "axis": ["left_hind_hip", "right_hind_hip"],
}


def trotting_animal(noise=2.0, fps=120.0, seconds=4.0, seed=0):
    """A pose in mm: a trunk that runs forwards, paws that stand still and swing, knees bent by both."""
    rng = np.random.default_rng(seed)
    times = np.arange(round(fps * seconds)) / fps
    period, duty, stride = 0.4, 0.45, 600.0
    names, tracks = [], []
    for limb, phase in zip(LIMBS, (0.0, 0.5, 0.5, 0.0), strict=True):
        side, end = (80.0 if "left" in limb else -80.0), (0.0 if "hind" in limb else 500.0)
        turns = times / period - phase
        swing = np.clip((turns % 1.0 - duty) / (1 - duty), 0, 1)
        paw = np.stack(
            [(np.floor(turns) + phase + swing) * stride + end, 0 * times + side, 60 * np.sin(np.pi * swing)], -1
        )
        bounce = 300 + 10 * np.cos(4 * np.pi * times / period)
        hip = np.stack([stride * (times / period - duty / 2) + end, 0 * times + side, bounce], -1)
        middle, bone = (hip + paw) / 2, 200.0
        reach = paw - hip
        ahead = np.stack([-reach[:, 2], 0 * times, reach[:, 0]], -1) / np.linalg.norm(reach, axis=1)[:, None]
        knee = middle + ahead * np.sqrt(np.maximum(bone**2 - (reach**2).sum(1) / 4, 1.0))[:, None]
        names += [f"{limb}_{part}" for part in ("hip", "knee", "paw")]
        tracks += [hip, knee, paw]
    points = np.stack(tracks, axis=1)
    points += noise * rng.standard_normal(points.shape)
    covariance = np.broadcast_to(noise**2 * np.eye(3), (*points.shape, 3))
    pose = pose_dataset(points, keypoints=names, times=times, unit="mm", covariance=covariance)
    return pose.assign_attrs(up=[0.0, 0.0, 1.0])


def main(pose, path):
    angles = joint_angles(pose, JOINTS)
    body = body_frame(pose, "left_hind_hip", "left_fore_hip")
    steps = gait(pose, FEET)
    profile = speed_profile(pose, "left_fore_hip")
    print(f"velocity by {velocity(pose).attrs['method']}; angles' error bars: {angles.attrs['angle_std']}")
    print(f"heading {np.rad2deg(float(body['heading'].mean())):.1f}°, speed {float(profile['speed'].mean()):.0f} mm/s")
    print(steps.summary().round(2).to_string())
    print(steps.strides["gait"].value_counts().to_string())

    figure, axes = plt.subplots(4, 1, figsize=(8, 10), layout="constrained")
    plot_angle(angles, "left_hind_bend", axes[0])
    plot_strides(angles["angle"].sel(joint="left_hind_bend"), steps, "left_hind", axes[1])
    plot_speed(profile, axes[2])
    plot_gait(steps, axes[3])
    figure.savefig(path, dpi=120)
    print(f"figure: {path}")


if __name__ == "__main__":
    pose = read_dataset(sys.argv[1]) if len(sys.argv) > 1 and sys.argv[1].endswith(".nc") else trotting_animal()
    main(pose, sys.argv[-1] if sys.argv[-1].endswith(".png") else "kinematics.png")
