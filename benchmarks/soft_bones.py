"""Bones that change their length: do error bars hold with a skeleton that takes them for what they are?

    python benchmarks/soft_bones.py [--animals 12]

New animals of the tests' skeleton in a ring of six cameras, 100 Hz, 400 frames, 1 px of white noise: bones are rigid,
or their lengths vary by 1.5 mm (standard deviation) at 1 to 3 Hz. For 0.3 s of every 2 s one keypoint after the other
is seen by one camera alone. Shares of the truth inside 95 % and 50 % regions, apart for one view; median error in mm.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.real import coverage
from benchmarks.rings import errors, make_rig
from muybridge.datasets import Skeleton
from muybridge.triangulate import smooth
from tests.conftest import make_moving_points, skeleton

FPS, N_FRAMES, NOISE = 100.0, 400, 1.0
ONE_VIEW = 0.3  # seconds that a keypoint is seen by one camera alone
EVERY = 2.0  # seconds from one such stretch of a keypoint to its next


def animal(bones: Skeleton, seed: int, swing: float) -> np.ndarray:
    """(n_frames, n_keypoints, 3) mm; lengths vary by `swing` mm (standard deviation), with all that hangs on a bone."""
    rigid, rng = make_moving_points(bones, N_FRAMES, fps=FPS, seed=seed), np.random.default_rng(seed)
    times, points_3d = np.arange(N_FRAMES) / FPS, rigid.copy()
    for parent, child in bones.bone_indices:
        bone = rigid[:, child] - rigid[:, parent]
        longer = swing * np.sqrt(2) * np.sin(2 * np.pi * rng.uniform(1, 3) * times + rng.uniform(0, 2 * np.pi))
        direction = bone / np.linalg.norm(bone, axis=1, keepdims=True)
        points_3d[:, child] = points_3d[:, parent] + bone + direction * longer[:, None]
    return points_3d


def seen(rig, truth: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (n_cameras, n_frames, n_keypoints, 2), and (n_frames, n_keypoints) where one camera alone sees."""
    rng = np.random.default_rng([seed, 1])
    points_2d = rig.project(truth) + rng.normal(0, NOISE, (len(rig), *truth.shape[:2], 2))
    n_keypoints = truth.shape[1]
    begin = EVERY * FPS * np.arange(n_keypoints) / n_keypoints
    alone = (np.arange(len(truth))[:, None] - begin) % (EVERY * FPS) < ONE_VIEW * FPS
    camera = rng.integers(0, len(rig), n_keypoints)
    hidden = alone & (np.arange(len(rig))[:, None, None] != camera)
    return np.where(hidden[..., None], np.nan, points_2d), alone


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--animals", type=int, default=12)
    n_animals = parser.parse_args().animals
    bones, rows = skeleton.__wrapped__(), []
    for swing in (0.0, 1.5):
        for seed in range(100, 100 + n_animals):
            rig, truth = make_rig(6, seed), animal(bones, seed, swing)
            points_2d, alone = seen(rig, truth, seed)
            for name, options in (("smooth", {}), ("smooth, skeleton", {"skeleton": bones})):
                found = smooth(points_2d, rig, fps=FPS, **options)
                row = {"bones": "rigid" if swing == 0 else "soft", "method": name}
                for where, kept in (("several views", ~alone), ("one view", alone)):
                    parts = found.points_3d[kept], found.covariances_3d[kept], truth[kept]
                    row |= {f"{where}, {level:.0%} hold": coverage(*parts, level) for level in (0.95, 0.5)}
                    row[f"{where}, mm"] = np.nanmedian(errors(parts[0], parts[2]))
                rows.append(row)
    table = pd.DataFrame(rows).groupby(["bones", "method"])
    print(table.mean().to_string(float_format=lambda value: f"{value:.3f}"))
    print("\nstandard error over animals")
    print((table.std() / np.sqrt(n_animals)).to_string(float_format=lambda value: f"{value:.3f}"))


if __name__ == "__main__":
    main()
