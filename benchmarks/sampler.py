"""Exact posterior sampling beside the Gaussian about the mode: speed, mixing, error, coverage and calibration.

    python benchmarks/sampler.py [--frames 500 2000] [--samples 100] [--hard] [--worlds 100] [--seeds 0]

Ring recordings of ../shared/data with a prior of 20 states learned from their truth. A draw is a sweep in which every
block of frames is decided twice; its time is what sampling takes longer than `infer_poses`, over the draws of all
chains, those dropped included. The published sampler (GIMBAL, Hamiltonian on all positions) takes 0.16 s per
iteration at 500 frames and 0.50 s at 2,000 on the same kind of machine, and about 1,000 of its draws, which are
strongly correlated. Then simulation-based calibration on a small model: chi-square of the rank histograms.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.bayes import CHI2_95, FPS, shared_ring
from benchmarks.sampler_calibration import World, flatness, ranks
from muybridge.triangulate import PosePrior, infer_poses, sample_poses

N_CHAINS, N_STATES, WARMUP = 4, 20, 0.2


def timed(function):
    begin = time.perf_counter()
    result = function()
    return result, time.perf_counter() - begin


def accuracy(points_3d, covariances, truth, left) -> dict:
    d = points_3d - truth
    error = np.linalg.norm(d, axis=-1)
    inside = np.einsum("tki,tkij,tkj->tk", d, np.linalg.inv(covariances), d) < CHI2_95
    values = {"median mm": np.median(error), "p95 mm": np.quantile(error, 0.95), "in 95 %": inside.mean()}
    if (left == 1).any():
        alone = left == 1
        values |= {"median, 1 view": np.median(error[alone]), "in 95 %, 1 view": inside[alone].mean()}
    return values


def compare(name: str, n_frames: int, n_samples: int) -> pd.DataFrame:
    points_2d, confidence, truth, left, rig, skeleton = shared_ring(name, n_frames)
    prior = PosePrior.fit(shared_ring("base", 2000)[2], skeleton, N_STATES)
    shared = {"fps": FPS, "skeleton": skeleton, "prior": prior}
    few = points_2d[:, :20], rig
    sample_poses(*few, **shared, confidence=confidence[:, :20], n_samples=8, n_chains=1)  # compile
    shared["confidence"] = confidence
    gaussian, seconds = timed(lambda: infer_poses(points_2d, rig, **shared))
    rows = {"infer_poses": {"s": seconds} | accuracy(gaussian.points_3d, gaussian.covariances_3d, truth, left)}
    drawn, seconds = timed(lambda: sample_poses(points_2d, rig, **shared, n_samples=n_samples, n_chains=N_CHAINS))
    n_sweeps = N_CHAINS * np.ceil((1 + WARMUP) * n_samples)
    effective = drawn.effective_sample_size
    rows["sample_poses"] = {
        "s": seconds,
        "s/draw": (seconds - rows["infer_poses"]["s"]) / n_sweeps,
        "accepted": drawn.acceptance.mean(),
        "draws": N_CHAINS * n_samples,
        "ESS min": effective.min(),
        "ESS 1 %": np.quantile(effective, 0.01),
        "ESS median": np.median(effective),
        "min/s": effective.min() / seconds,
        "median/s": np.median(effective) / seconds,
        "R-hat 99 %": np.quantile(drawn.r_hat, 0.99),
        "R-hat max": drawn.r_hat.max(),
    } | accuracy(drawn.mean, drawn.covariance, truth, left)
    return pd.DataFrame(rows).T


def calibration(n_worlds: int, seeds: list[int], n_draws: int = 31, thin: int = 10, n_bins: int = 16) -> pd.DataFrame:
    """Chi-square and p-value of the rank histogram of every quantity, over the worlds of all seeds."""
    parts = [ranks(World.make(), n_worlds, n_draws, thin, seed) for seed in seeds]
    found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    rows = {name: (*flatness(rank, n_draws, n_bins), rank.mean() / n_draws) for name, rank in found.items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["chi-square", "p", "mean rank, 0.5"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, nargs="*", default=[500, 2000])
    parser.add_argument("--samples", type=int, default=50, help="per chain, of four")
    parser.add_argument("--hard", action="store_true", help="the recording with stretches of one and two views, too")
    parser.add_argument("--worlds", type=int, default=100, help="of the calibration; 0 for none")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0], help="of the calibration; each draws its worlds")
    arguments = parser.parse_args()
    pd.set_option("display.width", 250, "display.max_columns", 30, "display.precision", 3)
    for name in ("base", "hard") if arguments.hard else ("base",):
        for n_frames in arguments.frames:
            print(f"\n{name}, {n_frames} frames\n{compare(name, n_frames, arguments.samples).T}", flush=True)
    if arguments.worlds:
        table, seconds = timed(lambda: calibration(arguments.worlds, arguments.seeds))
        print(f"\ncalibration, {arguments.worlds} worlds of each seed {arguments.seeds}, {seconds:.0f} s")
        print(table)


if __name__ == "__main__":
    main()
