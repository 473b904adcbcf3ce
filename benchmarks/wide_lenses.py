"""Wide lenses: six cameras 3 to 12 m away, a small board often at their images' edge, against the true rig.

    python benchmarks/wide_lenses.py [--rigs 20] [--seed 2000]

Each rig has cameras of 1280 x 1024 px around an arena of 5 to 10 m, 60 frames of a board of 70 x 60 cm, and 0.3 px of
noise. Two rigs of three have fisheyes (equidistant with four coefficients, 55 to 75 degrees from the axis to the
corner), the others pinholes of four coefficients (42 to 50 degrees). Held-out errors are per coordinate, relative to
the noise; regions are those of `projection_covariance` where boards may be. A rig takes about 5 seconds.
"""

from __future__ import annotations

import argparse
import sys
import time
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
    projection_covariance,
    simulate_board_motion,
    simulate_detections,
)
from muybridge.cameras.rotations import look_at

SIZE, NOISE = (1280, 1024), 0.3
BOARD = CharucoBoard(7, 6, 100.0, 75.0)
CORNERS = np.array([[0, 0], [1, 0], [0, 1], [1, 1]]) * (np.array(SIZE) - 1.0)
RAYLEIGH_MEDIAN = np.sqrt(2 * np.log(2))


def wide_lens(rng: np.random.Generator, name: str, fisheye: bool) -> Camera:
    """A lens at the origin, one-to-one over its image and beyond."""
    corner = 0.5 * np.hypot(*SIZE)
    while True:
        angle = np.radians(rng.uniform(55, 75) if fisheye else rng.uniform(42, 50))
        if fisheye:
            focal, distortion = corner / angle, rng.normal(0, 1, 4) * [0.03, 0.01, 0.003, 0.001]
        else:
            focal, k1 = corner / np.tan(angle), rng.uniform(-0.2, -0.05) / np.tan(angle) ** 2
            distortion = np.array([k1, -0.3 * k1 / np.tan(angle) ** 2, *rng.normal(0, 5e-4, 2)])
        K = np.array([[focal, 0, 639.5 + rng.normal(0, 15)], [0, focal, 511.5 + rng.normal(0, 15)], [0, 0, 1]])
        camera = Camera(name, SIZE, K, distortion, np.eye(3), np.zeros(3), "fisheye" if fisheye else "pinhole")
        if np.isfinite(camera.undistort(1.1 * (CORNERS - K[:2, 2]) + K[:2, 2])).all():
            return camera


def wide_rig(seed: int) -> tuple[CameraRig, tuple[np.ndarray, np.ndarray], bool]:
    """Six cameras of one kind 3 to 12 m from the middle of the arena, and the board's poses all over it."""
    rng, cameras, fisheye = np.random.default_rng(seed), [], seed % 3 != 0
    reach = rng.uniform(2500, 5000)
    for i in range(6):
        angle, away = np.pi * (i + rng.uniform(-0.3, 0.3)) / 3, rng.uniform(3000, min(2.4 * reach, 12000))
        eye = (away * np.cos(angle), away * np.sin(angle), rng.uniform(1500, 3000))
        R, t = look_at(eye)
        lens = wide_lens(rng, f"cam_{i}", fisheye)
        cameras.append(Camera(lens.name, SIZE, lens.K, lens.distortion, R, t, lens.model))
    R, t = simulate_board_motion(60, tilt=0.6, reach=reach, seed=seed)
    return CameraRig(tuple(cameras)), (R, t * [1, 1, 0.2]), fisheye


def judged(seed: int) -> dict[str, float]:
    """What the calibration of one rig is worth."""
    rig, motion, fisheye = wide_rig(seed)
    seen = simulate_detections(rig, BOARD, motion, noise=NOISE, seed=seed)
    start = time.perf_counter()
    found = calibrate(seen, progress=False)
    seconds, row = time.perf_counter() - start, found.report.table().loc["all"]
    turn, shift = boards_world(found, BOARD, *motion)
    squares, off = [], []
    reach = float(np.abs(motion[1][:, :2]).max())
    points = simulate_board_motion(12, tilt=0.6, reach=reach, seed=seed + 1)[1] * [1, 1, 0.2]
    claimed = projection_covariance(found, points @ turn.T + shift)
    for c, (camera, true) in enumerate(zip(found.rig, rig, strict=True)):
        pixels = true.project(points)
        shown = ((pixels >= 0) & (pixels <= np.array(SIZE) - 1)).all(axis=-1) & np.isfinite(claimed[c]).all(axis=(1, 2))
        error = (camera.project(points @ turn.T + shift) - pixels)[shown]
        squares.append(np.einsum("pi,pij,pj->p", error, np.linalg.inv(claimed[c][shown]), error))
        off.append(np.linalg.norm(error, axis=-1))
    square = np.concatenate(squares)
    return {
        "heldout_median": row.heldout_median_px / RAYLEIGH_MEDIAN / NOISE,
        "heldout_rms": row.heldout_rms_px / np.sqrt(2) / NOISE,
        "inside": 100 * float((square < 5.991).mean()),
        "z": float(np.sqrt(0.5 * square.mean())),
        "n_points": len(square),
        "points_px": float(np.median(np.concatenate(off))),
        "right": float(all((camera.model == "fisheye") == fisheye for camera in found.rig)),
        "fisheye": fisheye,
        "seconds": seconds,
        "lens": found.report.facts["lens model"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rigs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=2000)
    options = parser.parse_args()
    rows, refused = [], []
    for seed in range(options.seed, options.seed + options.rigs):
        try:
            rows.append(judged(seed))
            print(seed, {k: round(v, 2) if isinstance(v, float) else v for k, v in rows[-1].items()}, flush=True)
        except CalibrationError as error:
            refused.append(f"{seed}: {error}")
            print(refused[-1], flush=True)
    print(f"{options.rigs} rigs, {len(refused)} refused")
    print(summary(pd.DataFrame(rows)).round(2).to_string())


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """By kind of the true lenses, and whether all lenses were found to be of it."""
    groups = {
        f"{'fisheyes' if fisheye else 'pinholes'}, {which}": part
        for fisheye, own in table.groupby("fisheye")
        for which, part in {"all": own, "one taken for the other kind": own[own.right == 0]}.items()
        if len(part)
    }
    return pd.DataFrame.from_dict(
        {
            name: {
                "rigs": len(part),
                "held-out RMS / noise, median": part.heldout_rms.median(),
                "worst": part.heldout_rms.max(),
                "95 % regions hold %": np.average(part.inside, weights=part.n_points),
                "z, root mean square": np.sqrt(np.average(part.z**2, weights=part.n_points)),
                "points off, median px": part.points_px.median(),
                "s": part.seconds.mean(),
            }
            for name, part in groups.items()
        },
        orient="index",
    )


if __name__ == "__main__":
    main()
