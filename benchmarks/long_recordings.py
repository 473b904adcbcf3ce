"""Memory and processor time of the reconstruction of recordings of any length, file to file.

    python benchmarks/long_recordings.py [--frames 20000 100000] [--method smooth] [--keypoints 20] [--cameras 6]

One line per length: the peak of the process (RSS) and processor seconds. The views are written in stretches, too.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sys
import tempfile
import time
from pathlib import Path

import h5netcdf
import numpy as np
import xarray as xr

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.rings import make_rig
from muybridge.datasets import Skeleton, views_dataset
from muybridge.datasets.stretches import write_pieces

FPS, STRETCH = 100.0, 10_000


def skeleton_of(n_keypoints: int) -> Skeleton:
    """A tree: every keypoint hangs from the one of half its number."""
    names = tuple(f"point_{i}" for i in range(n_keypoints))
    return Skeleton(names, tuple((names[(i - 1) // 2], names[i]) for i in range(1, n_keypoints)), root=names[0])


def truth_at(frames: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """(n_frames, n_keypoints, 3) bones of 40 mm that swing about a path, mm."""
    times, points = frames / FPS, np.zeros((len(frames), len(skeleton.keypoints), 3))
    points[:, 0] = np.stack([120 * np.sin(1.1 * times), 120 * np.cos(0.9 * times), 15 * np.sin(3 * times)], -1)
    for i, (parent, child) in enumerate(skeleton.bone_indices):
        tilt, turn = 1.2 + 0.5 * np.sin((1 + i % 3) * times + i), i + 0.6 * np.sin(0.7 * times + i)
        direction = np.stack([np.sin(tilt) * np.cos(turn), np.sin(tilt) * np.sin(turn), np.cos(tilt)], -1)
        points[:, child] = points[:, parent] + 40 * direction
    return points


def write_views(path: Path, rig, skeleton: Skeleton, n_frames: int) -> None:
    """Views with 1.5 px of noise and 2 % of outliers."""
    write_pieces((views_at(start, rig, skeleton, n_frames) for start in range(0, n_frames, STRETCH)), path, n_frames)


def views_at(start: int, rig, skeleton: Skeleton, n_frames: int) -> xr.Dataset:
    """The views of a stretch that begins at frame `start`."""
    frames, rng = np.arange(start, min(start + STRETCH, n_frames)), np.random.default_rng(start)
    points = rig.project(truth_at(frames, skeleton))
    points += rng.normal(0, 1.5, points.shape)
    wrong = rng.random(points.shape[:-1]) < 0.02
    points[wrong] += rng.uniform(-150, 150, (wrong.sum(), 2))
    return views_dataset(
        points, cameras=rig.names, keypoints=skeleton.keypoints, times=frames / FPS,
        confidence=np.where(wrong, 0.6, 0.95),
    )  # fmt: skip


def measure(source: Path, rig, skeleton: Skeleton, method: str, check_coverage: bool, out) -> None:
    """Peak memory in GB, processor seconds and median error in mm, sent to the parent."""
    from muybridge.triangulate import reconstruct_file

    started = time.perf_counter()
    own = None if method in ("dlt", "ransac", "median", "pairs") else skeleton
    reconstruct_file(
        source, rig, source.with_name("pose.nc"), method=method, check_coverage=check_coverage, skeleton=own
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    with h5netcdf.File(source.with_name("pose.nc"), "r") as pose:
        last = np.asarray(pose.variables["position"][-2000:])
        n_frames = pose.dimensions["time"].size
    error = np.linalg.norm(last - truth_at(np.arange(n_frames - len(last), n_frames), skeleton), axis=-1)
    out.send((peak, time.process_time(), time.perf_counter() - started, float(np.nanmedian(error))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, nargs="+", default=[20_000, 100_000])
    parser.add_argument("--method", nargs="+", default=["smooth"])
    parser.add_argument("--keypoints", type=int, default=20)
    parser.add_argument("--cameras", type=int, default=6)
    parser.add_argument("--coverage", action="store_true", help="check the error bars, too, as a session does")
    arguments = parser.parse_args()
    rig, skeleton = make_rig(arguments.cameras), skeleton_of(arguments.keypoints)
    print("| method | frames | peak memory, GB | processor s per 100,000 frames | median error of the end, mm |")
    print("|---|---|---|---|---|")
    context = multiprocessing.get_context("spawn")
    for method in arguments.method:
        for n_frames in arguments.frames:
            with tempfile.TemporaryDirectory() as folder:
                source = Path(folder, "views.nc")
                write_views(source, rig, skeleton, n_frames)
                here, there = context.Pipe(duplex=False)
                task = (source, rig, skeleton, method, arguments.coverage, there)
                worker = context.Process(target=measure, args=task)
                worker.start()
                peak, seconds, _, error = here.recv()
                worker.join()
            print(
                f"| {method} | {n_frames:,} | {peak:.2f} | {1e5 * seconds / n_frames:.0f} | {error:.2f} |", flush=True
            )


if __name__ == "__main__":
    main()
