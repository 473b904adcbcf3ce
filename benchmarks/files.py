"""Seconds to write and read 100,000 frames of 20 keypoints in each format that has no packages of its own.

python benchmarks/files.py
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np

from muybridge.datasets import pose_dataset, views_dataset
from muybridge.formats import read_pose, read_views, write_pose, write_views

N_FRAMES, N_KEYPOINTS = 100_000, 20
POSES = {
    "csv": "a.csv",
    "anipose-csv": "a.csv",
    "csv-all": "a.csv",
    "trc": "a.trc",
    "netcdf": "a.nc",
    "parquet": "a.parquet",
}
VIEWS = ("deeplabcut-csv", "deeplabcut-h5", "sleap-h5")


def measured(function) -> tuple[float, object]:
    """Processor seconds of the second of two calls, and what it returned."""
    for _ in range(2):
        started = time.process_time()
        value = function()
        seconds = time.process_time() - started
    return seconds, value


def make_data():
    """A pose with confidence, number of cameras and covariances, and one camera's views."""
    rng = np.random.default_rng(0)
    shape, names = (N_FRAMES, N_KEYPOINTS), [f"keypoint_{i}" for i in range(N_KEYPOINTS)]
    times, confidence = np.arange(N_FRAMES) / 100, rng.uniform(0.1, 1, shape)
    spread = rng.normal(size=(*shape, 3, 3))
    pose = pose_dataset(
        rng.normal(0, 300, (*shape, 3)),
        keypoints=names,
        times=times,
        unit="mm",
        confidence=confidence,
        n_cameras=rng.integers(2, 6, shape),
    )
    points_2d = rng.uniform(0, 1000, (1, *shape, 2))
    views = views_dataset(points_2d, cameras=["a"], keypoints=names, times=times, confidence=confidence[None])
    whole = pose.assign(covariance=(("time", "keypoint", "space", "space_"), spread, {"units": "mm^2"}))
    return pose, whole.assign_coords(space_=["x", "y", "z"]), views


def main() -> None:
    pose, whole, views = make_data()
    with tempfile.TemporaryDirectory() as folder:
        print("| format | write s | read s | MB |\n|---|---|---|---|")
        for name, file in POSES.items():
            data, path = whole if name in ("csv-all", "netcdf", "parquet") else pose, Path(folder, file)
            seconds, _ = measured(lambda data=data, path=path, name=name: write_pose(data, path, format=name))
            again, _ = measured(lambda path=path: read_pose(path))
            print(f"| pose `{name}` | {seconds:.2f} | {again:.2f} | {path.stat().st_size / 1e6:.0f} |", flush=True)
        for name in VIEWS:
            seconds, paths = measured(lambda name=name: write_views(views, folder, format=name))
            again, _ = measured(lambda paths=paths: read_views({"a": paths[0]}, fps=100))
            print(f"| views `{name}` | {seconds:.2f} | {again:.2f} | {paths[0].stat().st_size / 1e6:.0f} |", flush=True)


if __name__ == "__main__":
    main()
