"""What `refine_rig` and `frame_offsets` find, against truth, on the ring recordings (see ../shared/README.md).

    python benchmarks/refinement.py [--quick]

Real boards: frame offsets put into one camera (how many are found). Per recording: the same from keypoints, with the
z-scores of all, movements of one camera before the recording (largest error left in any camera) and during it (the
frame found). Random numbers are fixed.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from muybridge.calibration import Camera, CameraRig, CharucoBoard, board_offsets
from muybridge.calibration.boards.detection import detect_boards
from muybridge.cameras.rotations import rotation_matrix, rotation_vector
from muybridge.triangulate import frame_offsets, refine_rig

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "synthetic_ring"
MOVED_AT = 1500


def load(name: str) -> tuple[CameraRig, np.ndarray, np.ndarray, np.ndarray]:
    """Rig, points_2d (6, 2000, 20, 2), confidence and truth."""
    held = np.load(DATA / f"{name}.npz")
    size = (int(held["wh"][0]), int(held["wh"][1]))
    cameras = [
        Camera(f"cam_{i}", size, held["K"][i], held["dist"][i], held["R"][i], held["t"][i])
        for i in range(len(held["K"]))
    ]
    return CameraRig(tuple(cameras)), held["points2d"], held["confidence"], held["truth"]


def delayed(points_2d: np.ndarray, camera: int, k: int) -> np.ndarray:
    shifted = points_2d.copy()
    shifted[camera] = np.nan
    if k > 0:
        shifted[camera, k:] = points_2d[camera, :-k]
    else:
        shifted[camera, :k] = points_2d[camera, -k:]
    return shifted


def turned_and_shifted(camera: Camera, degrees: float, rng: np.random.Generator) -> Camera:
    """Turned by so many degrees about a random axis and shifted by 8 mm per degree."""
    turn, shift = rng.normal(size=(2, 3))
    R = rotation_matrix(np.radians(degrees) * turn / np.linalg.norm(turn)) @ camera.R
    return replace(camera, R=R, t=-R @ (camera.center + 8 * degrees * shift / np.linalg.norm(shift)))


def with_camera(rig: CameraRig, index: int, camera: Camera) -> CameraRig:
    return CameraRig(tuple(camera if i == index else c for i, c in enumerate(rig)), rig.unit, rig.up)


def offsets_table(name: str, cameras: range) -> None:
    rig, points_2d, confidence, _ = load(name)
    found, z = 0, []
    for c in cameras:
        for k in (-2, 1, 3):
            result = frame_offsets(delayed(points_2d, c, k), rig, confidence=confidence)
            truth = np.eye(len(rig))[c] * k
            found += bool(np.array_equal(np.round(result.to_apply()), truth))
            z += list(((result.offsets - truth) / np.maximum(result.std, 1e-9))[result.std > 0])
    print(f"{name:5s} frame offsets: {found} of {3 * len(cameras)}, z RMS {np.sqrt(np.mean(np.square(z))):.2f}")


def boards_table() -> None:
    """Frame offsets put into the board images of the rat rig, one camera at a time; needs no calibrated rig."""
    board, found = CharucoBoard(8, 11, 24.0, 18.75), 0
    sources = {c: DATA.parent / "rodent_4cam" / c / "calibration_images" for c in ("back", "mid", "side", "top")}
    seen = detect_boards(sources, board, progress=False)
    for i, name in enumerate(seen):
        for k in (-2, 1, 3):
            corners = np.full_like(seen[name].corners, np.nan)
            corners[max(k, 0) : len(corners) + min(k, 0)] = seen[name].corners[max(-k, 0) : len(corners) - max(k, 0)]
            moved = board_offsets({**seen, name: replace(seen[name], corners=corners)}, max_offset=3)
            found += bool(np.array_equal(moved.offsets, np.eye(len(seen), dtype=int)[i] * k))
    print(f"real boards (rodent_4cam, {len(corners)} images a camera) frame offsets: {found} of 12")


def movements_table(name: str, cameras: range) -> None:
    rig, points_2d, confidence, truth = load(name)
    rng = np.random.default_rng(0)
    for degrees in (0.3, 1.0, 5.0):
        turned, shifted, named, seconds = [], [], 0, []
        for c in cameras:
            start = time.perf_counter()
            found = refine_rig(
                points_2d, with_camera(rig, c, turned_and_shifted(rig[c], degrees, rng)), confidence=confidence
            )
            seconds.append(time.perf_counter() - start)
            pairs = list(zip(found.rig, rig, strict=True))
            turned.append(max(np.degrees(np.linalg.norm(rotation_vector(a.R @ b.R.T))) for a, b in pairs))
            shifted.append(max(np.linalg.norm(a.center - b.center) for a, b in pairs))
            named += len(found.report.warnings) == 1 and f"'{rig[c].name}'" in found.report.warnings[0]
        print(
            f"{name:5s} moved by {degrees:3.1f} degrees before: left {max(turned):.3f} degrees, {max(shifted):.2f} mm"
            f" at worst; named {named} of {len(cameras)}; {np.median(seconds):.1f} s"
        )
    for degrees in (0.1, 0.3, 1.0):
        frames = []
        for c in cameras:
            after = turned_and_shifted(rig[c], degrees, rng)
            moved = points_2d.copy()
            moved[c, MOVED_AT:] += (after.project(truth) - rig[c].project(truth))[MOVED_AT:]
            table = refine_rig(moved, rig, confidence=confidence).report.table()
            frames.append(f"{table['moved_at_frame'].dropna().to_dict()}")
        print(f"{name:5s} moved by {degrees:3.1f} degrees at frame {MOVED_AT}: {', '.join(frames)}")


if __name__ == "__main__":
    cameras = range(1) if "--quick" in sys.argv else range(4)
    boards_table()
    for name in ("base", "hard"):
        offsets_table(name, cameras)
        movements_table(name, cameras)
