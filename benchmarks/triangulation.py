"""Triangulation against truth: accuracy, speed and how cost grows, beside the published tools in the same run.

    python benchmarks/triangulation.py [--quick]

Peers that are not installed are left out (aniposelib, movement; OpenCV is always there). Points per second are the best
of three runs after compilation, on all processors. The bound is what no unbiased method can beat frame by frame: errors
drawn from the Cramér-Rao covariance of the inliers at the truth.
"""

from __future__ import annotations

import sys
import time
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import xarray as xr

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.rings import Recording, errors, known_inliers, make_recording
from muybridge.calibration import Camera, CameraRig
from muybridge.datasets import Skeleton
from muybridge.triangulate import (
    estimate_sigma,
    hampel_filter,
    median_filter,
    point_covariances,
    repair_swaps,
    triangulate_dlt,
    triangulate_pairs,
    triangulate_ransac,
)

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "synthetic_ring"
CHI2_95 = 7.815


def shared_recording(name: str) -> Recording | None:
    if not (SHARED / f"{name}.npz").is_file():
        return None
    ring = np.load(SHARED / f"{name}.npz")
    rig = CameraRig(
        tuple(
            Camera(f"cam_{c}", tuple(ring["wh"]), ring["K"][c], ring["dist"][c], ring["R"][c], ring["t"][c])
            for c in range(len(ring["K"]))
        )
    )
    return Recording(rig, ring["points2d"], ring["confidence"], ring["is_outlier"], ring["truth"], 1.0)


def timed(function, repeats: int = 3):
    """(result, seconds of the best of some runs after the first)."""
    result = function()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = function()
        seconds.append(time.perf_counter() - start)
    return result, min(seconds)


# --- peers ------------------------------------------------------------------------------------------------------------


def anipose_group(rig: CameraRig):
    from aniposelib.cameras import CameraGroup

    return CameraGroup.from_dicts(
        [
            {
                "name": c.name,
                "size": list(c.size),
                "matrix": c.K.tolist(),
                "distortions": c.distortion.tolist(),
                "rotation": cv2.Rodrigues(c.R)[0].ravel().tolist(),
                "translation": c.t.tolist(),
            }
            for c in rig
        ]
    )


def opencv_pair(points_2d, rig: CameraRig, window: int = 5):
    """DeepLabCut 3D's way: one pair of neighbouring cameras, undistorted, `triangulatePoints`, then a median filter."""
    flat = points_2d.reshape(len(rig), -1, 2)
    ideal = [cv2.undistortPoints(flat[c][:, None], rig[c].K, rig[c].distortion, P=rig[c].K)[:, 0] for c in (0, 1)]
    homogeneous = cv2.triangulatePoints(rig[0].projection_matrix, rig[1].projection_matrix, ideal[0].T, ideal[1].T)
    points_3d = (homogeneous[:3] / homogeneous[3]).T.reshape(*points_2d.shape[1:-1], 3)
    return median_filter(points_3d, window, fps=1)


def weighted_dlt(
    points_2d, confidence, rig: CameraRig, threshold: float = 10.0, likelihood: float = 0.3, least: int = 2
):
    """Weighted DLT with exclusion of cameras as Pose2Sim publishes it (Pagnon et al. 2022).

    Rows weighted by the likelihood; while the mean reprojection error exceeds a threshold, every subset with one camera
    fewer is tried, and the best kept. One point after the other, as there.
    """
    flat, weights = rig.undistort(points_2d).reshape(len(rig), -1, 2), confidence.reshape(len(rig), -1)
    matrices, answer = rig.projection_matrices, np.full((flat.shape[1], 3), np.nan)
    for i in range(flat.shape[1]):
        usable = [c for c in range(len(rig)) if np.isfinite(flat[c, i, 0]) and weights[c, i] >= likelihood]
        excluded = 0
        while len(usable) - excluded >= least:
            best = np.inf
            for kept in combinations(usable, len(usable) - excluded):
                X, error = _solve(flat[list(kept), i], weights[list(kept), i], matrices[list(kept)])
                if error < best:
                    best, answer[i] = error, X
            if best < threshold:
                break
            excluded += 1
        else:
            answer[i] = np.nan
    return answer.reshape(*points_2d.shape[1:-1], 3)


def _solve(pixels, weights, matrices):
    rows = (pixels[:, :, None] * matrices[:, 2:3] - matrices[:, :2]) * weights[:, None, None]
    X = np.linalg.svd(rows.reshape(-1, 4))[2][-1]
    seen = matrices @ X
    return X[:3] / X[3], np.linalg.norm(seen[:, :2] / seen[:, 2:] - pixels, axis=-1).mean()


# --- tables -----------------------------------------------------------------------------------------------------------


def accuracy_row(points_3d, truth, seconds: float | None, covariances=None) -> dict:
    error = errors(points_3d, truth)
    ok = np.isfinite(error)
    row = {
        "reconstructed": ok.mean(),
        "median mm": np.median(error[ok]),
        "p95 mm": np.percentile(error[ok], 95),
        "p99 mm": np.percentile(error[ok], 99),
        "off > 5 mm": (error[ok] > 5).mean(),
        "points/s": np.nan if seconds is None else error.size / seconds,
        "in 95 % region": np.nan,
    }
    if covariances is not None:
        off = points_3d[ok] - truth[ok]
        squared = np.einsum("ni,nij,nj->n", off, np.linalg.inv(covariances[ok]), off)
        row["in 95 % region"] = (squared < CHI2_95).mean()
    return row


def bound(recording: Recording) -> np.ndarray:
    """Points drawn from the Cramér-Rao covariance of the inliers about the truth."""
    inliers = np.isfinite(known_inliers(recording)).all(axis=-1)
    covariances = point_covariances(recording.truth, recording.rig, recording.noise, inliers)
    ok = np.isfinite(covariances).all(axis=(-2, -1))
    points_3d = np.full(recording.truth.shape, np.nan)
    drawn = np.random.default_rng(0).normal(size=(*points_3d[ok].shape, 1))
    points_3d[ok] = recording.truth[ok] + (np.linalg.cholesky(covariances[ok]) @ drawn)[..., 0]
    return points_3d


def accuracy(recording: Recording, quick: bool) -> pd.DataFrame:
    rig, points_2d, confidence, truth = recording.rig, recording.points_2d, recording.confidence, recording.truth
    rows = {"Cramér-Rao bound": accuracy_row(bound(recording), truth, None)}
    sigma = recording.noise
    oracle = triangulate_ransac(known_inliers(recording), rig, sigma=sigma, threshold=1e3 * sigma, min_confidence=0)
    rows["oracle: known inliers"] = accuracy_row(oracle.points_3d, truth, None, oracle.covariances_3d)
    found, seconds = timed(lambda: triangulate_ransac(points_2d, rig, confidence=confidence))
    rows["triangulate_ransac"] = accuracy_row(found.points_3d, truth, seconds, found.covariances_3d)
    found, seconds = timed(
        lambda: triangulate_ransac(points_2d, rig, confidence=confidence, sigma=estimate_sigma(points_2d, rig))
    )
    rows["triangulate_ransac, one sigma"] = accuracy_row(found.points_3d, truth, seconds, found.covariances_3d)
    for name, function in {
        "triangulate_dlt": lambda: triangulate_dlt(points_2d, rig, confidence=confidence),
        "triangulate_pairs": lambda: triangulate_pairs(points_2d, rig),
        "ransac + median_filter": lambda: median_filter(triangulate_ransac(points_2d, rig).points_3d, 5, fps=1),
        "OpenCV pair + median": lambda: opencv_pair(points_2d, rig),
    }.items():
        points_3d, seconds = timed(function)
        rows[name] = accuracy_row(points_3d, truth, seconds)
    n_slow = 25 if quick else 200
    few = slice(0, n_slow)
    start = time.perf_counter()
    points_3d = weighted_dlt(points_2d[:, few], confidence[:, few], rig)
    rows["weighted DLT (Pose2Sim's formula)"] = accuracy_row(points_3d, truth[few], time.perf_counter() - start)
    rows.update(anipose_rows(recording))
    return pd.DataFrame(rows).T


def anipose_rows(recording: Recording) -> dict:
    try:
        group = anipose_group(recording.rig)
    except ImportError:
        return {}
    flat, truth = recording.points_2d.reshape(len(recording.rig), -1, 2), recording.truth.reshape(-1, 3)
    rows = {}
    for name, options, n in (("triangulate", {}, None), ("triangulate fast", {"fast": True}, None)):
        points_3d, seconds = timed(
            lambda options=options, n=n: np.asarray(group.triangulate(flat[:, :n], **options)), 2
        )
        rows[f"aniposelib {name}"] = accuracy_row(points_3d, truth, seconds)
    start = time.perf_counter()
    points_3d = np.asarray(group.triangulate_ransac(flat[:, :100])[0])
    rows["aniposelib triangulate_ransac, 100 points"] = accuracy_row(
        points_3d, truth[:100], time.perf_counter() - start
    )
    return rows


def generality(quick: bool) -> pd.DataFrame:
    """Error relative to the oracle over noise, cameras and outliers, on seeds that nothing was tuned on."""
    cases = [{"noise": noise} for noise in (0.3, 1.0, 3.0, 8.0)]
    cases += [{"n_cameras": 4, "outliers": share} for share in (0.05, 0.1)]
    cases += [{"n_cameras": n, "outliers": 0.3} for n in (6, 8, 12, 24)]
    cases += [{"noise": 13.0, "outliers": 0.1, "model": "fisheye"}]
    rows = []
    for case in cases:
        for seed in (101,) if quick else (101, 102, 103):
            recording = make_recording(seed=seed, n_frames=250, **case)
            rows.append({**case, "seed": seed, **_against_oracle(recording)})
    return pd.DataFrame(rows).fillna({"n_cameras": 6, "outliers": 0.05, "noise": 1.0, "model": "pinhole"})


def _against_oracle(recording: Recording) -> dict:
    noise = recording.noise
    found = triangulate_ransac(recording.points_2d, recording.rig, confidence=recording.confidence)
    oracle = triangulate_ransac(
        known_inliers(recording), recording.rig, sigma=noise, threshold=1e3 * noise, min_confidence=0
    )
    error, best = errors(found.points_3d, recording.truth), errors(oracle.points_3d, recording.truth)
    both = np.isfinite(error) & np.isfinite(best)
    row = accuracy_row(found.points_3d, recording.truth, None, found.covariances_3d)
    return {
        "reconstructed / oracle's": np.isfinite(error).sum() / np.isfinite(best).sum(),
        "median / oracle": np.median(error[both]) / np.median(best[both]),
        "p95 / oracle": np.percentile(error[both], 95) / np.percentile(best[both], 95),
        "gross": (error[both] > 10 * np.percentile(best[both], 95)).mean(),
        "in 95 % region": row["in 95 % region"],
        "sigma / truth": np.median(found.sigma) / noise,
    }


def growth(quick: bool) -> pd.DataFrame:
    """Points per second of DLT and of consensus as frames, cameras and outliers grow."""
    rows = []
    cases = [{"n_frames": n} for n in ((500, 5_000) if quick else (500, 5_000, 50_000))]
    cases += [{"n_cameras": n} for n in (2, 3, 4, 8, 12, 16, 24)]
    cases += [{"outliers": share} for share in (0.0, 0.1, 0.2, 0.3)]
    for case in cases:
        recording = make_recording(**{"seed": 7, "n_frames": 1000, **case})
        n_points, rig = recording.truth[..., 0].size, recording.rig
        _, linear = timed(lambda r=recording: triangulate_dlt(r.points_2d, r.rig, confidence=r.confidence))
        _, robust = timed(lambda r=recording: triangulate_ransac(r.points_2d, r.rig, confidence=r.confidence))
        shares = {"n_frames": 1000, "n_cameras": len(rig), "outliers": 0.05, **case}
        rows.append({**shares, "DLT points/s": n_points / linear, "consensus points/s": n_points / robust})
    return pd.DataFrame(rows)


def filters() -> pd.DataFrame:
    """Running medians over 20 keypoints and 20,000 frames with gaps, beside pandas and xarray (movement's engine)."""
    rng = np.random.default_rng(0)
    points_3d = rng.normal(0, 1, (20_000, 20, 3)).cumsum(axis=0)
    points_3d[rng.random(points_3d.shape[:2]) < 0.1] = np.nan
    labelled = xr.DataArray(points_3d, dims=("time", "keypoint", "space"), coords={"time": np.arange(len(points_3d))})
    table = pd.DataFrame(points_3d.reshape(len(points_3d), -1))
    methods = {
        "median_filter": (lambda: median_filter(points_3d, 9, fps=1), 3),
        "hampel_filter": (lambda: hampel_filter(points_3d, 9, fps=1), 3),
        "pandas rolling median": (lambda: table.rolling(9, center=True, min_periods=1).median(), 1),
        "xarray rolling median": (
            lambda: labelled.rolling(time=9, center=True, min_periods=1).median(skipna=True).compute(),
            1,
        ),
    }
    try:
        from movement.filtering import rolling_filter

        methods["movement rolling_filter"] = (
            lambda: rolling_filter(labelled, window=9, statistic="median", min_periods=1),
            1,
        )
    except ImportError:
        pass
    return pd.DataFrame({name: {"frames/s": 20_000 / timed(*call)[1]} for name, call in methods.items()}).T


def swaps(recording: Recording) -> pd.DataFrame:
    """Left and right exchanged in 10 % of the frames of one view: undone, and introduced where there were none."""
    n_keypoints = recording.truth.shape[1]
    names = tuple(f"{part}_{side}" for part in range(n_keypoints // 2) for side in ("left", "right"))
    skeleton = Skeleton(names, symmetries=tuple((names[i], names[i + 1]) for i in range(0, n_keypoints, 2)))
    rows = []
    for camera in range(len(recording.rig)):
        where = np.zeros(recording.points_2d.shape[:-1], dtype=bool)
        where[camera, np.random.default_rng(camera).random(where.shape[1]) < 0.1] = True
        swapped = np.where(where[..., None], recording.points_2d[:, :, skeleton.mirror], recording.points_2d)
        start = time.perf_counter()
        found = repair_swaps(swapped, recording.rig, skeleton).swapped
        seconds = time.perf_counter() - start
        seen = np.isfinite(swapped[..., 0]) | np.isfinite(swapped[:, :, skeleton.mirror, 0])
        rows.append(
            {
                "camera": camera,
                "undone": found[where & seen].mean(),
                "introduced": found[~where & seen].mean(),
                "pairs/s": where[0].size / 2 / seconds,
            }
        )
    return pd.DataFrame(rows)


def show(title: str, table: pd.DataFrame) -> None:
    print(f"\n{title}\n" + table.to_string(float_format=lambda v: f"{v:,.0f}" if v >= 1000 else f"{v:.4g}"), flush=True)


def main() -> None:
    quick = "--quick" in sys.argv
    for name in ("base", "hard"):
        recording = shared_recording(name)
        if recording is not None:
            show(f"synthetic_ring/{name}, {recording.truth[..., 0].size} points", accuracy(recording, quick))
    ring = make_recording(seed=101, n_frames=500 if quick else 2000)
    show("own ring, 6 cameras, 1 px, 5 % outliers", accuracy(ring, quick))
    show("against the oracle", generality(quick))
    show("how cost grows", growth(quick))
    show("swaps", swaps(ring))
    show("filters over time", filters())


if __name__ == "__main__":
    main()
