"""Where the board never was: error of the image's corners against the true lens, on rigs with boards in the middle.

    python benchmarks/lenses.py [--rigs 40] [--seed 1000] [--models 2 auto]

Each rig has two cameras of 1280 x 1024 px with lenses drawn at random (Brown's five coefficients, equidistant or
division model), 20 board frames that cover about a third of the image, and 0.3 px of noise. The error is that of
projection, in the boards' world, of points at the board's distance that the true cameras show in their four corners; a
rig's is the root mean square over cameras and corners. 40 rigs take about a minute for each model.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.calibration_rigs import boards_world
from muybridge.calibration import (
    CalibrationError,
    Camera,
    CameraRig,
    CharucoBoard,
    calibrate,
    simulate_board_motion,
    simulate_detections,
)
from muybridge.cameras.rotations import look_at

SIZE = (1280, 1024)
BOARD = CharucoBoard(7, 6, 40.0, 30.0)
CORNERS = np.array([[0, 0], [1, 0], [0, 1], [1, 1]]) * (np.array(SIZE) - 1.0)


def random_lens(rng: np.random.Generator, name: str) -> Camera:
    """A lens of one of three kinds as real ones are, one-to-one over the image and beyond, at the origin."""
    while True:
        focal, kind = rng.uniform(800, 1300), rng.integers(3)
        K = np.array([[focal, 0, 639.5 + rng.normal(0, 15)], [0, focal, 511.5 + rng.normal(0, 15)], [0, 0, 1]])
        radius, model = 0.5 * np.hypot(*SIZE) / focal, "pinhole"
        if kind == 0:
            k1 = rng.uniform(-0.25, 0.08)
            k2, k3 = -0.35 * k1 * rng.uniform(0.3, 1.5) + rng.normal(0, 0.01), rng.normal(0, 0.005)
            distortion = np.array([k1 / radius**2, k2 / radius**4, *rng.normal(0, 5e-4, 2), k3 / radius**6])
        elif kind == 1:
            distortion, model = rng.normal(0, 1, 4) * [0.03, 0.01, 0.003, 0.001], "fisheye"
        else:
            distortion = np.array([0, 0, 0, 0, 0, rng.uniform(0.0, 0.25) / radius**2, 0, 0])
        camera = Camera(name, SIZE, K, distortion, np.eye(3), np.zeros(3), model)
        if np.isfinite(camera.undistort(1.1 * (CORNERS - K[:2, 2]) + K[:2, 2])).all():
            return camera


def random_rig(seed: int) -> tuple[CameraRig, tuple[np.ndarray, np.ndarray]]:
    """Two cameras a metre above the origin, and a board's poses that cover about a third of their images."""
    rng, cameras = np.random.default_rng(seed), []
    for i in range(2):
        R, t = look_at((rng.uniform(300, 500) * (-1) ** i, -300.0, rng.uniform(900, 1000)))
        cameras.append(replace(random_lens(rng, f"cam_{i}"), R=R, t=t))
    R, t = simulate_board_motion(20, tilt=0.4, reach=rng.uniform(220, 320), seed=seed)
    return CameraRig(tuple(cameras)), (R, t + rng.uniform(-100, 100, 3) * [1, 1, 0])


def coverage(detections) -> float:
    """Share of the cells of a 16 x 12 grid in which corners were seen, over all cameras."""
    shares = []
    for found in detections.values():
        seen = found.corners[np.isfinite(found.corners[..., 0])]
        counts = np.histogram2d(*seen.T, bins=(16, 12), range=((0, found.size[0]), (0, found.size[1])))[0]
        shares.append((counts > 0).mean())
    return float(np.mean(shares))


def corner_error(found, rig: CameraRig, motion) -> float:
    """Root mean square, pixels, of where the rig projects what the true cameras show in their corners; NaN: nowhere."""
    turn, shift = boards_world(found, BOARD, *motion)
    errors = []
    for camera, true in zip(found.rig, rig, strict=True):
        points = true.center + np.linalg.norm(true.center) * true.rays(CORNERS)
        errors.append(camera.project(points @ turn.T + shift) - CORNERS)
    return float(np.sqrt(2 * np.mean(np.square(errors))))


def lost(found) -> float:
    """Share of the images' pixels that have no ray, percent."""
    grid = np.stack(np.meshgrid(*(np.linspace(0, side - 1, 65) for side in SIZE)), axis=-1)
    return 100 * float(np.mean([np.isnan(camera.undistort(grid)[..., 0]).mean() for camera in found.rig]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rigs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1000)
    parser.add_argument("--models", nargs="+", default=["2", "auto"])
    options = parser.parse_args()
    rows, shares = {}, []
    for model in options.models:
        start, errors, nowhere, lenses, refused = time.perf_counter(), [], [], [], 0
        for seed in range(options.seed, options.seed + options.rigs):
            rig, motion = random_rig(seed)
            seen = simulate_detections(rig, BOARD, motion, noise=0.3, seed=seed)
            shares.append(coverage(seen))
            try:
                found = calibrate(seen, distortion_model=int(model) if model.isdigit() else model, progress=False)
            except CalibrationError:
                refused += 1
                continue
            errors.append(corner_error(found, rig, motion))
            nowhere.append(lost(found))
            lenses.append(str(found.report.facts["lens model"]).removesuffix(" coefficients"))
        errors = np.nan_to_num(errors, nan=np.inf)
        rows[model] = {
            "corner_median_px": np.median(errors),
            "corner_p90_px": np.percentile(errors, 90, method="higher"),
            "rigs_with_lost_pixels": int(np.count_nonzero(nowhere)),
            "most_lost_%": max(nowhere),
            "refused": refused,
            "s_per_rig": (time.perf_counter() - start) / options.rigs,
            "lenses": pd.Series(lenses).value_counts().to_dict(),
        }
    print(f"{options.rigs} rigs, boards cover {100 * np.mean(shares):.0f} % of the image")
    print(pd.DataFrame.from_dict(rows, orient="index").round(2).to_string())


if __name__ == "__main__":
    main()
