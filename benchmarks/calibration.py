"""Calibration beside aniposelib, caliscope and plain OpenCV: accuracy on held-out boards, time, memory, honesty.

    python benchmarks/calibration.py [--peers] [--only accuracy folds detection scale uncertainty]

Held out: fold k of 5 leaves out frames[k::5] of those that two cameras see; cameras are frozen and each held-out board
fitted as a rigid body (pixels); lengths are those between neighbouring corners, each triangulated by itself (percent
of a square). Peers run where they are installed. Everything but the peers takes about a minute.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.calibration_peers import their_board, with_aniposelib, with_caliscope, with_opencv
from benchmarks.calibration_rigs import honesty
from benchmarks.calibration_worker import clock, n_seen, timed
from muybridge.calibration import BoardDetections, Camera, CameraRig, CharucoBoard, Checkerboard, calibrate, read_rig
from muybridge.calibration.boards.corner_finders import opencv_board
from muybridge.calibration.boards.detection import detect_board, detect_boards
from muybridge.calibration.boards.image_sources import image_files
from muybridge.calibration.boards.marker_dictionaries import opencv_dictionary
from muybridge.calibration.solver.bundle_adjustment import minimise
from muybridge.calibration.solver.bundle_unknowns import BundleSpec, BundleState, Loss, make_views
from muybridge.calibration.solver.held_out_boards import closer
from muybridge.calibration.solver.initial_lenses import lens_row
from muybridge.calibration.solver.initial_poses import board_outline, frame_poses, plane_poses
from muybridge.calibration.solver.problem_setup import stacked_corners

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
RAT, WEBCAMS, STEREO = (
    DATA / "rodent_4cam",
    DATA / "charuco_4cam" / "calibration" / "extrinsic",
    DATA / "stereo_checker",
)
CAMERAS = ("back", "mid", "side", "top")
BOARD = CharucoBoard(8, 11, 24.0, 18.75)
PARTS = ("accuracy", "folds", "detection", "scale", "uncertainty")


def frozen_errors(rig: CameraRig, corners: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distances (n_obs,) px of boards fitted to (n_cameras, n_frames, n_corners, 2) with the rig as it is; lengths."""
    R, t = np.stack([camera.R for camera in rig]), np.stack([camera.t for camera in rig])
    alone = [Camera(c.name, c.size, c.K, c.distortion, np.eye(3), np.zeros(3), c.model) for c in rig]
    candidates = [plane_poses(part, BOARD.points, camera)[:2] for part, camera in zip(corners, alone, strict=True)]
    frame_R, frame_t = frame_poses(R, t, candidates, board_outline(BOARD))
    frames = np.flatnonzero(np.isfinite(frame_t[:, 0]))
    views, n = make_views(corners, frames), len(rig)
    lens = np.stack([lens_row(camera.K, camera.distortion) for camera in rig])
    state = BundleState(lens, R, t, frame_R[frames], frame_t[frames], points, np.zeros(n))
    still, fisheye = np.zeros(n, bool), np.array([camera.model == "fisheye" for camera in rig])
    spec = BundleSpec(np.arange(n), fisheye, np.zeros((n, 18), bool), still, still)
    keep = np.ones(len(views.corner), bool)
    near = minimise(state, spec, views, Loss(1.0, keep)).state
    fit = minimise(near, spec, views, Loss(1e6, keep))
    X = points @ fit.state.frame_R.swapaxes(1, 2) + fit.state.frame_t[:, None]
    for _ in range(3):
        X = closer(rig, corners[:, frames], X)
    first, second = BOARD.neighbours.T
    lengths = np.linalg.norm(X[:, first] - X[:, second], axis=-1)
    wrong = np.abs(lengths / np.linalg.norm(points[first] - points[second], axis=-1) - 1)
    return np.linalg.norm(fit.residuals, axis=-1), wrong[np.isfinite(wrong)]


def folds(detections: dict[str, BoardDetections], calibrator) -> dict[str, float]:
    """A row of the accuracy table for a calibrator {camera: detections} -> (rig, board points)."""
    module, spent = sys.modules[calibrate.__module__], []
    own, module.held_out = module.held_out, timed(module.held_out, spent)
    start = clock()
    calibrator(detections)
    seconds = clock() - start
    module.held_out = own
    corners, errors, lengths = stacked_corners(detections), [], []
    for train, test in parted(detections):
        rig, points = calibrator(train)
        parts = frozen_errors(rig, corners[:, test], points)
        errors.append(parts[0])
        lengths.append(parts[1])
    return row(np.concatenate(errors), np.concatenate(lengths), (seconds - sum(spent))[0], seconds[0])


def parted(detections: dict[str, BoardDetections]) -> Iterator[tuple[dict[str, BoardDetections], np.ndarray]]:
    """The detections without each fifth of the frames that two cameras see, and which frames those are."""
    seen = np.isfinite(stacked_corners(detections)[..., 0]).any(axis=-1)
    shared = np.flatnonzero(seen.sum(axis=0) >= 2)
    for k in range(5):
        test = np.isin(np.arange(seen.shape[1]), shared[k::5])
        yield (
            {
                name: BoardDetections(BOARD, found.size, np.where(test[:, None, None], np.nan, found.corners))
                for name, found in detections.items()
            },
            test,
        )


def fold_models() -> None:
    """The lens model that each fold of rodent_4cam chooses, its error on all corners left out, and their number."""
    detections, rows = rat_boards(), {}
    corners = stacked_corners(detections)
    for train, test in parted(detections):
        found = calibrate(train, progress=False)
        errors = frozen_errors(found.rig, corners[:, test], found.board_shape)[0]
        rows[f"without {np.flatnonzero(test).tolist()}"] = {
            "lenses": ", ".join("fisheye" if c.model == "fisheye" else f"{len(c.distortion)}" for c in found.rig),
            "median_px": np.median(errors),
            "rms_px": np.sqrt(np.mean(errors**2)),
            "judged": len(errors),
            "left_out": np.isfinite(corners[:, test, :, 0]).sum(),
        }
    table("five folds of rodent_4cam, lens chosen by itself", rows, 3)


def row(errors: np.ndarray, lengths: np.ndarray, seconds: float, with_folds: float) -> dict[str, float]:
    return {
        "median_px": np.median(errors),
        "rms_px": np.sqrt(np.mean(errors**2)),
        "length_median_%": 100 * np.median(lengths),
        "seconds": seconds,
        "with_folds": with_folds,
    }


def with_muybridge(shape: bool):
    def run(detections):
        found = calibrate(detections, BOARD, distortion_model=8, estimate_board_deformation=shape, progress=False)
        return found.rig, found.board_shape

    return run


def accuracy(peers: list[str]) -> None:
    """rodent_4cam beside the peers; then muybridge's own report on the two other sets."""
    detections = rat_boards()
    methods = {"muybridge": with_muybridge(False), "muybridge, board shape": with_muybridge(True)}
    methods["OpenCV, pairs to the first"] = with_opencv
    methods |= {name: with_peer for name, with_peer in PEERS.items() if name in peers}
    with_muybridge(True)(detections)  # compiles
    table(f"rodent_4cam, held out; seconds of one calibration from {n_seen(detections)} corners, lens fixed",
          {name: folds(detections, method) for name, method in methods.items()}, 3)  # fmt: skip
    rows = {"rodent_4cam": from_report(detections, BOARD)}
    rows |= webcams()
    sides = {side: sorted(STEREO.glob(f"{side}*.jpg")) for side in ("left", "right")}
    squares = Checkerboard(9, 6, 1.0)
    sights = detect_boards(sides, squares, progress=False)
    rows["stereo_checker"] = from_report(sights, squares)
    table("muybridge's own report, lens chosen by itself (seconds with the choice and 5 folds)", rows, 3)
    focal = [camera.K[0, 0] for camera in calibrate(sights, squares, progress=False).rig]
    off = [100 * (f / reference - 1) for f, reference in zip(focal, (533.0, 537.0), strict=True)]
    print(f"stereo_checker focal lengths off the reference by {off[0]:+.2f} % and {off[1]:+.2f} %\n")


def webcams() -> dict[str, dict]:
    """charuco_4cam: taken as simultaneous, with delays found, with timestamps, and with the published lenses."""
    module, board = sys.modules[calibrate.__module__], CharucoBoard(4, 5, 54.0, 40.5, inverted=True)
    stamps = pd.read_csv(WEBCAMS / "timestamps.csv")
    times = {f"cam_{c}": part.sort_values("sync_index").frame_time for c, part in stamps.groupby("cam_id")}
    found = {camera: detect_board(WEBCAMS / f"{camera}.mp4", board, progress=False) for camera in times}
    rows, own = {}, module.try_delays
    module.try_delays = lambda solution, present: (present, ())
    try:
        rows["charuco_4cam, as if simultaneous"] = from_report(found, board)
    finally:
        module.try_delays = own
    rows["charuco_4cam, delays found (default)"] = from_report(found, board)
    rows["charuco_4cam, timestamps and delays"] = from_report(found, board, times=times)
    lenses = {camera.name: camera for camera in read_rig(WEBCAMS.parents[1] / "camera_array.toml")}
    late = {"cam_1": 1}  # of its other start, so that lenses which do not fit are not refused
    rows["charuco_4cam, published lenses"] = from_report(found, board, intrinsics=lenses, offsets=late)
    cam_2 = {"cam_2": lenses["cam_2"]}
    rows["charuco_4cam, published lens of cam_2"] = from_report(found, board, intrinsics=cam_2, offsets=late)
    return rows


def from_report(detections, board, **options) -> dict[str, float | str]:
    start = time.perf_counter()
    report = calibrate(detections, board, progress=False, **options).report
    seconds, all_ = time.perf_counter() - start, report.table().loc["all"]
    return {
        "median_px": all_.heldout_median_px,
        "rms_px": all_.heldout_rms_px,
        "length_median_%": report.facts.get("held-out length error, median (%)", np.nan),
        "seconds": seconds,
        "lens": report.facts["lens model"],
    }


def detection(peers: list[str]) -> None:
    """Milliseconds per frame and corners found, on the same decoded images, one thread at a time."""
    images = [
        cv2.imread(str(f), 0) for c in CAMERAS for f in (image_files(RAT / c / "calibration_images", c) or [])[::4]
    ]
    sides, dictionary = (BOARD.squares_x, BOARD.squares_y), opencv_dictionary(BOARD.dictionary)
    whole = cv2.aruco.CharucoBoard(sides, BOARD.square_length, BOARD.marker_length, dictionary)
    finders = {
        "muybridge": _counter(opencv_board(BOARD)),
        "OpenCV, whole dictionary": _counter(whole),
    }
    if "aniposelib" in peers:
        theirs = their_board(BOARD)
        finders["aniposelib"] = lambda image: len(theirs.detect_image(image)[1])
    rows = {}
    for name, count in finders.items():
        count(images[0])
        start = time.perf_counter()
        n = sum(count(image) for image in images)
        rows[name] = {"ms_per_frame": 1e3 * (time.perf_counter() - start) / len(images), "corners": n}
    table(f"detection, {len(images)} frames of rodent_4cam", rows, 1)


def _counter(board):
    detector = cv2.aruco.CharucoDetector(board)

    def count(image):
        ids = detector.detectBoard(image)[1]
        return 0 if ids is None else len(ids)

    return count


def scale() -> None:
    """Time and peak memory of whole calibrations from corners, each in a process of its own; lens model fixed."""
    rows = {}
    for what in ("rodent", "4x50", "12x250", "12x500", "12x1000"):
        out = subprocess.run(
            [sys.executable, Path(__file__).with_name("calibration_worker.py"), what],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        keys = ("corners", "seconds", "cpu_s", "with_folds", "its_cpu_s", "imports_MB", "kernels_MB", "peak_MB")
        rows[what] = dict(zip(keys, map(float, out), strict=True))
    table(
        "whole calibrations from corners, cameras x frames, lens fixed; seconds without and with 5 folds held out",
        rows,
        2,
    )


def uncertainty() -> None:
    """How many of all parameters lie within two claimed standard deviations of the truth, and of projected points."""
    rows = {}
    for name, gross in (("Gaussian noise", 0.0), ("1 % gross outliers", 0.01), ("3 % gross outliers", 0.03)):
        parts = [honesty(seed, gross) for seed in range(24)]
        z, square = (np.concatenate([part[i].ravel() for part in parts]) for i in (0, 1))
        rows[name] = {"parameters": z.size, "|z|<2_%": 100 * np.mean(np.abs(z) < 2)}
        rows[name] |= {"|z|<3_%": 100 * np.mean(np.abs(z) < 3), "z_rms": np.sqrt(np.mean(z**2))}
        rows[name] |= {"pixels_in_95_%": 100 * np.mean(square < 5.991), "pixels_rms": np.sqrt(np.mean(square) / 2)}
    table("claimed against true errors, 24 synthetic rigs (a normal: 95.4 %, 99.7 %, 1; 95 %, 1)", rows, 2)


def rat_boards() -> dict[str, BoardDetections]:
    return detect_boards({c: RAT / c / "calibration_images" for c in CAMERAS}, BOARD, progress=False)


def table(title: str, rows: dict[str, dict], digits: int) -> None:
    print(f"{title}\n{pd.DataFrame.from_dict(rows, orient='index').round(digits).to_string()}\n", flush=True)


PEERS = {"aniposelib": with_aniposelib, "caliscope": with_caliscope}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", action="store_true", help="run the other tools, too (two minutes)")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    options = parser.parse_args()
    peers = [name for name in PEERS if options.peers and importlib.util.find_spec(name) is not None]
    parts = {"accuracy": lambda: accuracy(peers), "folds": fold_models, "detection": lambda: detection(peers)}
    parts |= {"scale": scale, "uncertainty": uncertainty}
    for name in options.only:
        parts[name]()


if __name__ == "__main__":
    main()
