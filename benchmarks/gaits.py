"""Synthetic gaits with known events: five gaits, six ways to leave the ground, strides that differ from each other."""

from __future__ import annotations

import numpy as np

from muybridge.datasets import pose_dataset
from muybridge.kinematics import gait
from muybridge.kinematics.gait_analysis.gait_names import IDEALS

LIMBS = ("left_hind", "right_hind", "left_fore", "right_fore")
GAITS = {  # duty factor, stride period (s), stride length and foot clearance (mm)
    "walk": (0.65, 0.5, 400, 40),
    "trot": (0.45, 0.35, 700, 60),
    "pace": (0.45, 0.35, 700, 60),
    "canter": (0.35, 0.35, 1200, 80),
    "gallop": (0.22, 0.30, 3000, 150),
}
# share of the swing -> share of the way forwards, and of the clearance; named by how speed and height begin
SWINGS = {
    "jerk: speed, speed": lambda s: (s, np.sin(np.pi * s)),
    "push: s^2, s": lambda s: (s * s * (3 - 2 * s), 6.75 * s * (1 - s) ** 2),
    "gentle: s^2, s^2": lambda s: (s * s * (3 - 2 * s), np.sin(np.pi * s) ** 2),
    "minimum jerk: s^3, s^2": lambda s: (s**3 * (10 - 15 * s + 6 * s * s), 16 * s**2 * (1 - s) ** 2),
    "cycloid: s^3, s^2": lambda s: (s - np.sin(2 * np.pi * s) / (2 * np.pi), 0.5 * (1 - np.cos(2 * np.pi * s))),
    "softest: s^3, s^3": lambda s: (s**3 * (10 - 15 * s + 6 * s * s), 64 * s**3 * (1 - s) ** 3),
}
BEGINS = dict(zip(SWINGS, ((1, 1), (2, 1), (2, 2), (3, 2), (3, 2), (3, 3)), strict=True))  # powers of time
VARIATION = 0.03  # of stride period, length and duty factor from stride to stride


def walking_animal(name: str, swing: str, noise: float, fps: float, seed: int, seconds: float = 4.0):
    """A pose of four feet in mm, and the true {limb: (touch-downs, lift-offs)} in seconds."""
    rng = np.random.default_rng(seed)
    duty, period, length, height = GAITS[name]
    t = np.arange(round(seconds * fps)) / fps
    feet, events = [], {}
    for i, (limb, phase) in enumerate(zip(LIMBS, (0.0, *IDEALS[name][0]), strict=True)):
        n = int(seconds / period) + 6
        downs = (np.arange(-3, n - 3) + phase + VARIATION * rng.uniform(-0.5, 0.5, n)) * period + rng.uniform(
            0, 1 / fps
        )
        offs = downs[:-1] + duty * np.diff(downs) * (1 + VARIATION * rng.uniform(-1, 1, n - 1))
        steps = length * (1 + VARIATION * rng.standard_normal(n))
        places = np.concatenate([[0.0], np.cumsum(steps)])
        stride = np.searchsorted(downs, t, side="right") - 1
        share = np.clip((t - offs[stride]) / (downs[stride + 1] - offs[stride]), 0, 1)
        forward, up = SWINGS[swing](share)
        foot = np.stack([places[stride] + forward * steps[stride], np.full(len(t), 50.0 * i), height * up], axis=-1)
        feet.append(foot + noise * rng.standard_normal(foot.shape))
        events[limb] = (downs, offs)
    pose = pose_dataset(np.stack(feet, axis=1), keypoints=list(LIMBS), times=t, unit="mm")
    return pose.assign_attrs(up=[0.0, 0.0, 1.0]), events


def event_errors(name: str, swing: str, noise: float, fps: float, seed: int):
    """Errors of all events and their standard deviations in frames, share of the strides found, and named."""
    pose, events = walking_animal(name, swing, noise, fps, seed)
    strides = gait(pose, {limb: limb for limb in LIMBS}).strides
    errors, stds, expected = [], [], 0
    for limb, truth in events.items():
        own = strides[strides["limb"] == limb]
        inside = (truth[0] > 0.02) & (truth[0] < pose["time"].values[-1] - 0.02)
        expected += inside.sum() - 1
        for column, right in zip(("touch_down", "lift_off"), truth, strict=True):
            apart = own[column].to_numpy()[:, None] - right
            errors.append(fps * apart[np.arange(len(apart)), np.abs(apart).argmin(axis=1)])
            stds.append(fps * own[f"{column}_std"].to_numpy())
    named = strides["gait"][strides["gait"] != ""]
    return np.concatenate(errors), np.concatenate(stds), len(strides) / expected, float((named == name).mean())


def attainable_std(name: str, swing: str, noise: float, fps: float, n_strides: int = 10) -> float:
    """Frames: the least standard deviation of a lift-off that an unbiased estimate can have (Cramér-Rao) which knows
    with which powers of time the swing begins, and has to find their coefficients, all strides alike, from its first
    35 %. (One that does not know the powers has no bound: a shift of s^3 is a part of s^2.)
    """
    duty, period, length, height = GAITS[name]
    duration = period * (1 - duty) * fps
    frames = np.arange(-12, int(0.35 * duration) + 1)[:, None] + (np.arange(n_strides) + 0.5) / n_strides
    share, step = np.clip(frames / duration, 0, 1).T, 1e-6
    slopes = [(b - a) / step for a, b in zip(SWINGS[swing](share), SWINGS[swing](share + step), strict=True)]
    informed = np.zeros((n_strides, n_strides))
    for extent, slope, begin in zip((length, height), slopes, BEGINS[swing], strict=True):
        speed = extent * np.where(share > 0, slope, 0.0) / duration
        speed = speed - speed.mean(axis=1, keepdims=True)
        powers = np.stack([share**p for p in range(begin, begin + 3)], axis=-1)
        powers = powers - powers.mean(axis=1, keepdims=True)
        shape, both = np.einsum("nmp,nmq->pq", powers, powers), np.einsum("nm,nmp->np", speed, powers)
        informed += np.diag((speed**2).sum(axis=1)) - both @ np.linalg.solve(shape, both.T)
    return float(noise * np.sqrt(np.diag(np.linalg.inv(informed)).mean()))


def accuracy_of_gait(full: bool, seed: int) -> None:
    noises = (1.0, 2.0, 5.0) if full else (2.0,)
    what = "share within a frame | in 95 % intervals | least std possible (frames)"
    print(f"\nGait events at 120 Hz, seed {seed}: {what}")
    print(f"{'noise mm, swing':<30}" + "".join(f"{name:>21}" for name in GAITS))
    for noise in noises:
        everything = []
        for swing in SWINGS:
            row = ""
            for name in GAITS:
                errors, stds, found, named = event_errors(name, swing, noise, 120.0, seed)
                everything.append((np.mean(np.abs(errors) <= 1), found, named))
                inside = np.mean(np.abs(errors) < 1.96 * stds)
                bound = attainable_std(name, swing, noise, 120.0)
                row += f"{everything[-1][0]:>9.2f} |{inside:>5.2f} |{bound:>4.2f}"
            print(f"{noise:<4g}{swing:<26}{row}", flush=True)
        share, found, named = np.mean(everything, axis=0)
        print(
            f"{noise:<4g}all: {share:.3f} within a frame, {found:.3f} of the strides found, {named:.3f} rightly named"
        )
