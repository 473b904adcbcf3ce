"""Claimed uncertainty against what disjoint halves of a real recording of boards say: a check that needs no truth.

    python benchmarks/calibration_halves.py [--sets rodent_4cam charuco_4cam] [--splits 6] [--simulated 12]

Each half is calibrated alone; the differences of fx, fy, cx, cy and of the cameras' poses relative to the first camera
are divided by the two claimed standard deviations. Frames of a standing board stay in one half, and frames of a moving
one go in stretches. The parameters err together, so that even with a true covariance the root mean square of one split
is far from 1: `simulated` gives its range for recordings of the same rig, views and noise whose corners err
independently.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.calibration import STEREO, WEBCAMS, rat_boards, table
from muybridge.calibration import (
    BoardDetections,
    Calibration,
    CalibrationError,
    CharucoBoard,
    Checkerboard,
    calibrate,
)
from muybridge.calibration.boards.detection import detect_board, detect_boards
from muybridge.calibration.boards.recordings import join_recordings
from muybridge.calibration.boards.standing_boards import standing_frames
from muybridge.calibration.solver.problem_setup import stacked_corners
from muybridge.cameras.rotations import rotation_vector

SETS = ("rodent_4cam", "charuco_4cam", "stereo_checker")
STRETCH = {"charuco_4cam": 14}  # frames of a waved board that stay together: its motion is estimated from neighbours
SIMPLE_LENS = {"charuco_4cam": 5}  # coefficients beside the model chosen by itself, else 4
INTRINSICS = ("fx", "fy", "cx", "cy")

Detections = dict[str, BoardDetections]


def recorded(name: str) -> Detections:
    """The corners of one of the sets."""
    if name == "rodent_4cam":
        return rat_boards()
    if name == "charuco_4cam":
        board = CharucoBoard(4, 5, 54.0, 40.5, inverted=True)
        cameras = [f"cam_{i}" for i in range(4)]
        return {camera: detect_board(WEBCAMS / f"{camera}.mp4", board, progress=False) for camera in cameras}
    sides = {side: sorted(STEREO.glob(f"{side}*.jpg")) for side in ("left", "right")}
    return detect_boards(sides, Checkerboard(9, 6, 1.0), progress=False)


def parted(found: Detections, stretch: int, seed: int) -> tuple[Detections, Detections]:
    """Two halves of a recording, a stretch of frames or the frames of a standing board in one of them."""
    stands_for = standing_frames(stacked_corners(found), join_recordings({"all": found})[1])
    shown = np.isfinite(stacked_corners(found)[..., 0]).any(axis=-1).sum(axis=0) >= 2
    group = stands_for if stretch == 1 else np.arange(len(stands_for)) // stretch
    groups = np.random.default_rng(seed).permutation(np.unique(group[shown]))
    first = np.isin(group, groups[: len(groups) // 2])
    return only(found, first), only(found, ~first)


def only(found: Detections, frames: np.ndarray) -> Detections:
    """The corners of some frames, the others without a board."""
    return {
        name: replace(part, corners=np.where(frames[:, None, None], part.corners, np.nan))
        for name, part in found.items()
    }


def differences(a: Calibration, b: Calibration) -> np.ndarray:
    """Differences of the lenses' and poses' parameters in claimed standard deviations of both."""
    values, first, other = [], a.rig[0], b.rig[0]
    for one, two in zip(a.rig, b.rig, strict=True):
        values += [((one.name, key), d) for key, d in zip(INTRINSICS, intrinsics(one) - intrinsics(two), strict=True)]
        R, t = one.R @ first.R.T, one.t - one.R @ first.R.T @ first.t
        R2, t2 = two.R @ other.R.T, two.t - two.R @ other.R.T @ other.t
        moved = np.concatenate([rotation_vector(R @ R2.T), t - R @ R2.T @ t2])
        values += [((one.name, key), d) for key, d in zip(("rx", "ry", "rz", "tx", "ty", "tz"), moved, strict=True)]
    known = [dict(zip(each.parameters, np.diag(each.parameter_covariance), strict=True)) for each in (a, b)]
    return np.array([d / np.sqrt(known[0][key] + known[1][key]) for key, d in values if all(key in k for k in known)])


def intrinsics(camera) -> np.ndarray:
    return camera.K[[0, 1, 0, 1], [0, 1, 2, 2]]


def splits(found: Detections, stretch: int, lens, seeds: Iterable[int]) -> Iterator[tuple[np.ndarray, str]]:
    """The differences of the halves that each seed makes, or why a half was refused."""
    for seed in seeds:
        try:
            a, b = (calibrate(half, distortion_model=lens, progress=False) for half in parted(found, stretch, seed))
        except CalibrationError as error:
            yield np.array([]), str(error)
            continue
        yield differences(a, b), ""


def simulated(found: Detections, whole: Calibration, seed: int) -> Detections:
    """The recording as its own calibration explains it, with independent errors of the same size.

    The delays of cameras are not simulated.
    """
    rng = np.random.default_rng(seed)
    corners = {name: np.full_like(part.corners, np.nan) for name, part in found.items()}
    for frame, R, t in zip(whole.frames, whole.board_R, whole.board_t, strict=True):
        for camera, pixels in zip(whole.rig, whole.rig.project(whole.board_shape @ R.T + t), strict=True):
            corners[camera.name][frame] = pixels
    shown = {}
    for name, part in found.items():
        sigma = whole.report.cameras[name]["median_px"] / np.sqrt(2 * np.log(2))  # of one coordinate
        noisy = corners[name] + rng.normal(scale=sigma, size=part.corners.shape)
        shown[name] = replace(part, corners=np.where(np.isfinite(part.corners), noisy, np.nan))
    return shown


def rms(z: np.ndarray) -> float:
    return float(np.sqrt(np.mean(z**2)))


def judged(name: str, lens, n_splits: int, n_simulated: int) -> dict[str, object]:
    """A row: root mean square of the differences over all splits, each split's, and the range of simulated splits."""
    found, stretch = recorded(name), STRETCH.get(name, 1)
    done = list(splits(found, stretch, lens, range(n_splits)))
    refused = [reason for _, reason in done if reason]
    print(*(f"{name}, {lens}: {reason[:300]}" for reason in refused), sep="\n", flush=True)
    z = [z for z, reason in done if not reason]
    row = {"z_rms": rms(np.concatenate(z)), "splits": " ".join(f"{rms(one):.2f}" for one in z), "refused": len(refused)}
    if n_simulated:
        whole = calibrate(found, distortion_model=lens, progress=False)
        again = [next(splits(simulated(found, whole, seed), stretch, lens, [seed]))[0] for seed in range(n_simulated)]
        own = [rms(one) for one in again if one.size]
        row |= {"simulated_z_rms": rms(np.concatenate(again)), "of_a_split": f"{min(own):.2f} to {max(own):.2f}"}
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    parser.add_argument("--splits", type=int, default=6)
    parser.add_argument("--simulated", type=int, default=12)
    options = parser.parse_args()
    for name in options.sets:
        lenses = ("auto", SIMPLE_LENS.get(name, 4))
        rows = {f"{name}, {lens}": judged(name, lens, options.splits, options.simulated) for lens in lenses}
        table(f"differences of halves of {name} in claimed standard deviations", rows, 2)


if __name__ == "__main__":
    main()
