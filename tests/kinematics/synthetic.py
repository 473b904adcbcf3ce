"""Movements with known truth for the kinematics tests: a gallop's velocity, feet that stand and swing."""

import numpy as np

from muybridge.datasets import pose_dataset

LIMBS = ("left_hind", "right_hind", "left_fore", "right_fore")


def gallop(rng, fps=120.0, noise=0.005, duration=2.5, times=None):
    """Times, noisy positions and true velocities (m, m/s) of the issue's gallop, random phases."""
    t = np.arange(round(duration * fps)) / fps if times is None else times
    x, v = 15 * t, np.full(len(t), 15.0)
    for size, rate, phase in zip((0.25, 0.06, 0.015), (3.5, 7.0, 10.5), rng.uniform(0, 2 * np.pi, 3), strict=True):
        x = x + size * np.sin(2 * np.pi * rate * t + phase)
        v = v + 2 * np.pi * rate * size * np.cos(2 * np.pi * rate * t + phase)
    return t, x + noise * rng.standard_normal(len(t)), v


def pose_of(points, names=None, times=None, fps=120.0, noise=None, **variables):
    """A pose of (n_frames, n_keypoints, 3) points in mm; `noise` gives every point that covariance."""
    points = np.asarray(points, float)
    n_frames, n_keypoints = points.shape[-3:-1]
    names = names or [chr(ord("a") + i) for i in range(n_keypoints)]
    times = np.arange(n_frames) / fps if times is None else times
    if noise is not None:
        variables["covariance"] = np.broadcast_to(np.eye(3) * noise**2, (*points.shape, 3)).copy()
    return pose_dataset(points, keypoints=names, times=times, unit="mm", **variables)


def jerked(share):
    """Share of the way and of the clearance of a foot that leaves the ground at full speed."""
    return share, np.sin(np.pi * share)


def gentle(share):
    """Of one that leaves it, and comes down, with no speed: forwards by the least jerk, upwards by a half cosine."""
    return share**3 * (10 - 15 * share + 6 * share**2), np.sin(np.pi * share) ** 2


def walking(phases, duty, period, length, height, fps=120.0, duration=6.0, noise=2.0, seed=0, shape=jerked):
    """Feet (n_frames, 4, 3) in mm that stand still and swing in an arc, and the true events {limb: (downs, offs)}."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(duration * fps)) / fps
    feet, events = [], {}
    for i, (limb, phase) in enumerate(zip(LIMBS, phases, strict=True)):
        turns = t / period - phase + 10
        swing = np.clip((turns % 1.0 - duty) / (1 - duty), 0, 1)
        forward, up = shape(swing)
        foot = np.stack([(np.floor(turns) + forward) * length, np.full(len(t), 50.0 * i), height * up])
        feet.append(foot.T + noise * rng.standard_normal((len(t), 3)))
        downs = (np.arange(-12, int(duration / period) + 3) + phase) * period
        events[limb] = (downs, downs + duty * period)
    return t, np.stack(feet, axis=1), events


def cubic(t):
    """x = t³ − 2 t, y = 4 t², z = −t: positions, velocities, accelerations, jerks."""
    zero, one = np.zeros_like(t), np.ones_like(t)
    return [
        np.stack(columns, axis=-1)[:, None]
        for columns in (
            (t**3 - 2 * t, 4 * t**2, -t),
            (3 * t**2 - 2, 8 * t, -one),
            (6 * t, 8 * one, zero),
            (6 * one, zero, zero),
        )
    ]
