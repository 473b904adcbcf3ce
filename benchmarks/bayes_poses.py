"""Pose states: what they repair, which states they find, and how long they take."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.spatial.transform import Rotation

from muybridge.calibration import Camera, CameraRig
from muybridge.datasets import Skeleton
from muybridge.triangulate import PosePrior, infer_poses, smooth, triangulate_dlt

FPS = 100.0


def swing(points_2d, truth, rig, skeleton, child: int, stretch: slice, cameras, degrees: float = 60.0):
    """Pixels with one keypoint swung about its joint, at constant bone length, in some cameras for a while."""
    parent = int(skeleton.parents[child])
    above = int(skeleton.parents[parent])
    bone = truth[stretch, child] - truth[stretch, parent]
    axis = np.cross(bone, truth[stretch, parent] - truth[stretch, above])
    turn = Rotation.from_rotvec(np.deg2rad(degrees) * axis / np.linalg.norm(axis, axis=1, keepdims=True))
    wrong = rig.project(truth[stretch, parent] + turn.apply(bone))
    swung, rng = points_2d.copy(), np.random.default_rng(5)
    for camera in cameras:
        here = wrong[camera] + rng.normal(0, 1, wrong[camera].shape)
        swung[camera, stretch, child] = np.where(np.isnan(points_2d[camera, stretch, child]), np.nan, here)
    return swung


def overridden_limbs(recording, children=("paw_L", "paw_R", "foot_L", "foot_R")) -> pd.DataFrame:
    """A limb's keypoint put 60 degrees off in 4 of 6 views for 300 frames; the prior knows the other 1,000 frames."""
    points_2d, confidence, truth, _, rig, skeleton = recording
    prior = PosePrior.fit(truth[1000:], skeleton, 50)
    seen, sure, truth, stretch = points_2d[:, :1000], confidence[:, :1000], truth[:1000], slice(350, 650)
    rows = []
    for name in children:
        if name not in skeleton.keypoints:
            continue
        k = skeleton.keypoints.index(name)
        swung = swing(seen, truth, rig, skeleton, k, stretch, (0, 1, 3, 4))
        shared = {"fps": FPS, "confidence": sure, "skeleton": skeleton}
        plain, begin = smooth(swung, rig, **shared), time.perf_counter()
        posed = infer_poses(swung, rig, prior=prior, **shared)
        seconds = time.perf_counter() - begin
        before, after = (np.linalg.norm(f.points_3d - truth, axis=-1)[stretch, k].mean() for f in (plain, posed))
        overridden = posed.overridden[stretch, k].mean()
        rows.append({"keypoint": name, "mean mm before": before, "after": after, "fold": before / after,
                     "overridden": overridden, "s": seconds})  # fmt: skip
    return pd.DataFrame(rows).set_index("keypoint")


def fixtures(folder: Path, n_frames: int = 900) -> pd.DataFrame:
    """The published model's own recordings with 5 % gross outliers and 10 % gaps, which the files lack."""
    rows = []
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as file:
            truth, points_2d, P, parents = (file[key] for key in ("x_true", "y_2d", "camera_proj", "parents"))
            spec = json.loads(str(file["config_json"]))["dataset_spec"]
        truth, points_2d = truth[:n_frames], points_2d[:, :n_frames].copy()
        cameras = tuple(_camera(c, p) for c, p in zip(spec["cameras"]["cameras"], P, strict=True))
        names = spec["skeleton"]["joint_names"]
        bones = tuple((names[p], names[i]) for i, p in enumerate(parents) if p >= 0)
        rig, skeleton = CameraRig(cameras, up=(0, 0, 1)), Skeleton(tuple(names), bones, root="root")
        rng = np.random.default_rng(0)
        wrong = rng.random(points_2d.shape[:-1]) < 0.05
        points_2d[wrong] = rng.uniform(0, [1280, 720], (wrong.sum(), 2))
        points_2d[rng.random(points_2d.shape[:-1]) < 0.1] = np.nan
        found = infer_poses(points_2d, rig, fps=1 / 0.0167, skeleton=skeleton, n_states=spec["states"]["num_states"])
        plain, posed = (np.linalg.norm(p - truth, axis=-1) for p in (triangulate_dlt(points_2d, rig), found.points_3d))
        rows.append({"file": path.stem, "mean, dlt": np.nanmean(plain), "mean, poses": np.nanmean(posed),
                     "median, dlt": np.nanmedian(plain), "median, poses": np.nanmedian(posed)})  # fmt: skip
    return pd.DataFrame(rows).set_index("file")


def _camera(spec, P):
    K = np.array(spec["K"])
    pose = np.linalg.inv(K) @ P
    pose /= np.cbrt(np.linalg.det(pose[:, :3]))
    return Camera(spec["name"], tuple(spec["image_size"]), K, [], pose[:, :3], pose[:, 3])


def planted_states(rig: CameraRig, skeleton: Skeleton, seed: int, n_frames: int = 1500, n_states: int = 6):
    """Points of an animal that goes through well separated poses, 40 to 80 frames each, and the states."""
    rng = np.random.default_rng(seed)
    pairs = _from_root(skeleton)
    poses = rng.normal(size=(n_states, len(pairs), 3))
    poses /= np.linalg.norm(poses, axis=-1, keepdims=True)
    states: list[int] = []
    while len(states) < n_frames:
        others = [s for s in range(n_states) if not states or s != states[-1]]
        states += [int(rng.choice(others))] * int(rng.integers(40, 80))
    planted = np.array(states[:n_frames])
    kernel = np.hanning(9)[:, None, None] / np.hanning(9).sum()
    wobble = _slow(rng, n_frames, (len(pairs), 3), 15) * 0.12
    padded = np.pad(poses[planted], ((4, 4), (0, 0), (0, 0)), mode="edge")
    directions = sum(padded[i : i + n_frames] * kernel[i] for i in range(9)) + wobble
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    turned = Rotation.from_rotvec([[0, 0, 1]] * _slow(rng, n_frames, (1,), 60) * 2)
    points = np.zeros((n_frames, len(skeleton.keypoints), 3))
    points[:, skeleton.root_index] = _slow(rng, n_frames, (3,), 60) * [60, 60, 10]
    for b, (k, parent) in enumerate(pairs):
        points[:, k] = points[:, parent] + 25 * turned.apply(directions[:, b])
    return points, planted


def _from_root(skeleton: Skeleton) -> list[tuple[int, int]]:
    """(keypoint, parent), parents before their children."""
    parents = [int(p) for p in skeleton.parents]
    depth = [0 if p < 0 else 1 for p in parents]
    for k, p in enumerate(parents):
        while p >= 0:
            depth[k], p = depth[k] + 1, parents[p]
    return [(k, parents[k]) for k in sorted(range(len(parents)), key=depth.__getitem__) if parents[k] >= 0]


def _slow(rng, n_frames: int, shape, width: int):
    noise = rng.normal(size=(n_frames + 6 * width, *shape))
    window = np.exp(-0.5 * (np.arange(-3 * width, 3 * width + 1) / width) ** 2)
    window /= np.sqrt((window**2).sum())
    return np.apply_along_axis(lambda x: np.convolve(x, window, "valid"), 0, noise)[:n_frames]


def found_states(rig, skeleton, seeds=(21, 22, 23)) -> pd.DataFrame:
    """Adjusted Rand index of the states found in pixels with noise, outliers and gaps; only their number is given."""
    rows = []
    for seed in seeds:
        truth, planted = planted_states(rig, skeleton, seed)
        rng = np.random.default_rng(seed)
        points_2d = rig.project(truth) + rng.normal(0, 1, (len(rig), *truth.shape[:2], 2))
        points_2d[rng.random(points_2d.shape[:-1]) < 0.05] = 500.0
        points_2d[rng.random(points_2d.shape[:-1]) < 0.1] = np.nan
        found = infer_poses(points_2d, rig, fps=FPS, skeleton=skeleton, n_states=6)
        rows.append({"seed": seed, "adjusted Rand": adjusted_rand(planted, found.states)})
    return pd.DataFrame(rows).set_index("seed")


def adjusted_rand(a, b) -> float:
    """Agreement of two labellings, 1 if the same up to names, 0 by chance (Hubert and Arabie 1985)."""
    table = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(table, (a, b), 1)
    pairs = lambda n: (n * (n - 1) / 2).sum()  # noqa: E731
    both, rows, columns = pairs(table), pairs(table.sum(axis=1)), pairs(table.sum(axis=0))
    chance = rows * columns / pairs(np.array([len(a)]))
    return float((both - chance) / (0.5 * (rows + columns) - chance))


def many_states(recording, n_states: int = 180, n_frames: int = 100, n_keypoints: int = 18) -> float:
    """Seconds of `infer_poses` with many states on a few frames, the prior given."""
    points_2d, confidence, truth, _, rig, skeleton = recording
    names = skeleton.keypoints[:n_keypoints]
    part = Skeleton(names, tuple(bone for bone in skeleton.bones if set(bone) <= set(names)), root=skeleton.root)
    prior = PosePrior.fit(truth[:, :n_keypoints], part, n_states)
    seen, sure = points_2d[:, :n_frames, :n_keypoints], confidence[:, :n_frames, :n_keypoints]
    infer_poses(seen[:, :20], rig, fps=FPS, confidence=sure[:, :20], skeleton=part, prior=prior)
    begin = time.perf_counter()
    infer_poses(seen, rig, fps=FPS, confidence=sure, skeleton=part, prior=prior)
    return time.perf_counter() - begin
