"""Cameras placed by the animal alone (`calibrate_from_points`) against the published ones: ../shared/data and `rings`.

    python benchmarks/placement.py [--quick]

The cameras' poses are thrown away, the lenses kept. Both rigs triangulate the same points (`triangulate_ransac`), which
are laid on the truth by a similarity; errors are of the points that both have. Random numbers are fixed.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import real_recordings, refinement, rings
from muybridge.calibration import CalibrationError
from muybridge.cameras import CameraRig, read_rig
from muybridge.formats import read_views
from muybridge.triangulate import calibrate_from_points, triangulate_ransac


def aligned_errors(points_3d: np.ndarray, truth: np.ndarray, use: np.ndarray) -> np.ndarray:
    """(n,) distances of the points of use (n_frames, n_keypoints) from the truth after a similarity (Umeyama 1991)."""
    source, target = points_3d[use], truth[use]
    a, b = source - source.mean(axis=0), target - target.mean(axis=0)
    U, S, V = np.linalg.svd(b.T @ a)
    S[2] *= np.sign(np.linalg.det(U @ V))
    R = U @ np.diag([1, 1, np.sign(np.linalg.det(U @ V))]) @ V
    return np.linalg.norm(S.sum() / (a**2).sum() * a @ R.T - b, axis=1)


def row(name: str, rig: CameraRig, points_2d: np.ndarray, truth: np.ndarray, confidence=None) -> None:
    blank = replace(rig, up=None, cameras=tuple(replace(c, R=np.eye(3), t=np.zeros(3)) for c in rig))
    start = time.process_time()
    found = calibrate_from_points(points_2d, blank, confidence=confidence)
    seconds = time.process_time() - start
    points = [triangulate_ransac(points_2d, r, confidence=confidence).points_3d for r in (found.rig, rig)]
    use = np.isfinite(np.stack([*points, truth])).all(axis=(0, 3))
    (median, mean), (median_0, mean_0) = (
        (np.median(e), np.mean(e)) for e in (aligned_errors(p, truth, use) for p in points)
    )
    print(
        f"| {name} | {median:.3f} / {mean:.3f} | {median_0:.3f} / {mean_0:.3f} | {median / median_0:.3f} /"
        f" {mean / mean_0:.3f} | {seconds:.1f} |"
    )


def real_animals() -> None:
    """Recordings without a truth: the points of the placed rig beside those of the published one."""
    from benchmarks.real import FLY, FLY_FILES
    from tests.triangulate.rig_refinement.test_refinement import rat_rig

    rodent, rig, fly = real_recordings.DATA / "rodent_4cam", rat_rig(), read_rig(FLY / "calibration.toml")
    tracks = {c: rodent / c / f"minimal_{c}_proofread.analysis.h5" for c in rig.names}
    beside("rodent_4cam (120 frames)", rig, tracks)
    beside("fly_ensemble, one detector", fly, {c: FLY / FLY_FILES.format(c, 0) for c in fly.names})


def beside(name: str, rig: CameraRig, files: dict) -> None:
    points_2d = read_views(files, fps=30.0)["position"].to_numpy()
    blank = replace(rig, up=None, cameras=tuple(replace(c, R=np.eye(3), t=np.zeros(3)) for c in rig))
    start = time.process_time()
    try:
        found = calibrate_from_points(points_2d, blank)
    except CalibrationError as error:
        print(f"| {name} | refused: {error} |")
        return
    placed, published = (triangulate_ransac(points_2d, r) for r in (found.rig, rig))
    use = np.isfinite(np.stack([placed.points_3d, published.points_3d])).all(axis=(0, 3))
    apart = aligned_errors(placed.points_3d, published.points_3d, use)
    stated = np.sqrt(np.trace(published.covariances_3d[use], axis1=1, axis2=2))
    misfit = [np.nanmedian(np.linalg.norm(r.project(p.points_3d) - points_2d, axis=-1))
              for r, p in ((found.rig, placed), (rig, published))]  # fmt: skip
    print(
        f"| {name} | apart by {np.median(apart):.3f} / {np.mean(apart):.3f}, stated {np.median(stated):.3f} |"
        f" reprojection {misfit[0]:.2f} px, published {misfit[1]:.2f} px | {time.process_time() - start:.1f} |"
    )


if __name__ == "__main__":
    print("| recording | placed by the animal, median / mean mm | published cameras | ratio | processor s |")
    rat = real_recordings.rat()
    row("rat_mocap", rat.rig, rat.points_2d, rat.truth)
    for number in (1, 2):
        mouse, rng = real_recordings.mouse(number), np.random.default_rng(number)
        row(f"mouse_6cam {number}, 3 px", mouse.rig, rng.normal(mouse.points_2d, 3.0), mouse.truth)
    real_animals()
    for name in ("base", "hard"):
        rig, points_2d, confidence, truth = refinement.load(name)
        row(f"ring `{name}`", rig, points_2d, truth, confidence)
    for n_cameras in (2, 3, 6) if "--quick" in sys.argv else (2, 3, 6, 12):
        for seed in range(1 if "--quick" in sys.argv else 3):
            made = rings.make_recording(n_cameras, seed, n_frames=300)
            row(f"{n_cameras} cameras, seed {seed}", made.rig, made.points_2d, made.truth, made.confidence)
