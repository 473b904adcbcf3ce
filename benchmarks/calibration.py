"""Calibration beside aniposelib and plain OpenCV, on the rat rig's ChArUco images, in one run.

Held out: fold k of 5 leaves out frames[k::5]; cameras are frozen and the board fitted as a rigid body (pixels).
Run: python benchmarks/calibration.py [--peers]. aniposelib 0.8 is used where it is installed.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import time
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from muybridge.calibration import Camera, CameraRig, CharucoBoard, calibrate
from muybridge.calibration.bundle import BundleSpec, BundleState, Loss, make_views, minimise
from muybridge.calibration.calibrate import stacked_corners
from muybridge.calibration.detection import BoardDetections, detect_boards
from muybridge.calibration.finders import opencv_board
from muybridge.calibration.images import image_files
from muybridge.calibration.initial import board_outline, frame_poses, lens_row, plane_poses

RAT = Path(__file__).resolve().parents[2] / "shared" / "data" / "rodent_4cam"
CAMERAS = ("back", "mid", "side", "top")
BOARD = CharucoBoard(8, 11, 24.0, 18.75)


def frozen_errors(rig: CameraRig, corners: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Distances (n_obs,) of boards fitted to corners (n_cameras, n_frames, n_corners, 2) with the rig as it is."""
    R, t = np.stack([camera.R for camera in rig]), np.stack([camera.t for camera in rig])
    alone = [Camera(c.name, c.size, c.K, c.distortion, np.eye(3), np.zeros(3), c.model) for c in rig]
    candidates = [plane_poses(part, BOARD.points, camera)[:2] for part, camera in zip(corners, alone, strict=True)]
    frame_R, frame_t = frame_poses(R, t, candidates, board_outline(BOARD))
    frames = np.flatnonzero(np.isfinite(frame_t[:, 0]))
    views, n = make_views(corners, frames), len(rig)
    lens = np.stack([lens_row(camera.K, camera.distortion) for camera in rig])
    state = BundleState(lens, R, t, frame_R[frames], frame_t[frames], points, np.zeros(n))
    still = np.zeros(n, bool)
    spec = BundleSpec(np.arange(n), still, np.zeros((n, 18), bool), still, still)
    keep = np.ones(len(views.corner), bool)
    near = minimise(state, spec, views, Loss(1.0, keep)).state
    return np.linalg.norm(minimise(near, spec, views, Loss(1e6, keep)).residuals, axis=-1)


def folds(detections: dict[str, BoardDetections], calibrator) -> tuple[np.ndarray, float]:
    """Held-out distances of a calibrator {camera: detections} -> (rig, board points), and its time on all frames."""
    start = time.perf_counter()
    calibrator(detections)
    seconds = time.perf_counter() - start
    corners, errors = stacked_corners(detections), []
    shared = np.flatnonzero(np.isfinite(corners[..., 0]).any(axis=-1).sum(axis=0) >= 2)
    for k in range(5):
        test = np.zeros(corners.shape[1], bool)
        test[shared[k::5]] = True
        train = {}
        for name, found in detections.items():
            part = np.where(test[:, None, None], np.nan, found.corners)
            train[name] = BoardDetections(BOARD, found.size, part)
        errors.append(frozen_errors(*_frozen(calibrator(train), corners[:, test])))
    return np.concatenate(errors), seconds


def _frozen(result, corners):
    rig, points = result
    return rig, corners, points


def with_muybridge(shape: bool):
    def run(detections):
        found = calibrate(detections, BOARD, lens=8, board_shape=shape, progress=False)
        return found.rig, found.board_shape

    return run


def with_opencv(detections):
    """calibrateCamera of each camera, then a chain of the median relative poses to the first."""
    names, cameras, poses = list(detections), [], []
    for found in detections.values():
        frames = [f for f in found.frames if found.seen[f].sum() >= 6]
        objects = [BOARD.points[found.seen[f]].astype(np.float32) for f in frames]
        pixels = [found.corners[f][found.seen[f]].astype(np.float32) for f in frames]
        _, K, d, turns, shifts = cv2.calibrateCamera(objects, pixels, found.size, None, None)
        cameras.append((K, d.ravel()))
        matrices = [cv2.Rodrigues(turn)[0] for turn in turns]
        poses.append({f: (R, s.ravel()) for f, R, s in zip(frames, matrices, shifts, strict=True)})
    rig = []
    for c, name in enumerate(names):
        both = sorted(set(poses[0]) & set(poses[c]))
        turns = np.stack([poses[c][f][0] @ poses[0][f][0].T for f in both])
        U, _, V = np.linalg.svd(turns.mean(axis=0))
        R = U @ V
        t = np.median([poses[c][f][1] - R @ poses[0][f][1] for f in both], axis=0)
        rig.append(Camera(name, detections[name].size, cameras[c][0], cameras[c][1], R, t))
    return CameraRig(tuple(rig)), BOARD.points


def with_aniposelib(detections):
    from aniposelib.boards import CharucoBoard as TheirBoard
    from aniposelib.cameras import CameraGroup

    board = TheirBoard(BOARD.squares_x, BOARD.squares_y, BOARD.square_length, BOARD.marker_length, 4, 1000)
    group = CameraGroup.from_names(list(detections))
    rows = []
    for camera, found in zip(group.cameras, detections.values(), strict=True):
        camera.set_size(found.size)
        own = []
        for f in found.frames:
            ids = np.flatnonzero(found.seen[f]).reshape(-1, 1)
            row = {
                "framenum": (0, int(f)),
                "corners": found.corners[f, ids.ravel()][:, None].astype(np.float32),
                "ids": ids,
            }
            row["filled"] = board.fill_points(row["corners"], row["ids"])
            own.append(row)
        rows.append(own)
    np.random.seed(0)  # noqa: NPY002, it draws from the global generator
    with contextlib.redirect_stdout(io.StringIO()):
        group.calibrate_rows(rows, board, verbose=False)
    rig = [
        Camera(c.name, c.size, c.matrix, c.dist, cv2.Rodrigues(np.asarray(c.rvec))[0], np.asarray(c.tvec).ravel())
        for c in group.cameras
    ]
    return CameraRig(tuple(rig)), BOARD.points


def detection_table(peers: bool) -> pd.DataFrame:
    """Milliseconds per frame and corners found, on the same decoded images, one thread at a time."""
    images = [
        cv2.imread(str(f), 0) for c in CAMERAS for f in (image_files(RAT / c / "calibration_images", c) or [])[::4]
    ]
    finders = {
        "muybridge": _counter(opencv_board(BOARD)),
        "OpenCV, whole dictionary": _counter(opencv_board(BOARD, cut=False)),
    }
    if peers:
        from aniposelib.boards import CharucoBoard as TheirBoard

        theirs = TheirBoard(BOARD.squares_x, BOARD.squares_y, BOARD.square_length, BOARD.marker_length, 4, 1000)
        finders["aniposelib"] = lambda image: len(theirs.detect_image(image)[1])
    rows = {}
    for name, count in finders.items():
        count(images[0])
        start = time.perf_counter()
        n = sum(count(image) for image in images)
        rows[name] = {"ms_per_frame": 1e3 * (time.perf_counter() - start) / len(images), "corners": n}
    return pd.DataFrame(rows).T


def _counter(board):
    detector = cv2.aruco.CharucoDetector(board)

    def count(image):
        ids = detector.detectBoard(image)[1]
        return 0 if ids is None else len(ids)

    return count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", action="store_true", help="run aniposelib, too (minutes)")
    peers = parser.parse_args().peers and importlib.util.find_spec("aniposelib") is not None
    print(detection_table(peers).round(1).to_string())
    sources = {camera: RAT / camera / "calibration_images" for camera in CAMERAS}
    detections = detect_boards(sources, BOARD, progress=False)
    methods = {
        "muybridge": with_muybridge(False),
        "muybridge, board shape": with_muybridge(True),
        "OpenCV": with_opencv,
    }
    if peers:
        methods["aniposelib"] = with_aniposelib
    with_muybridge(False)(detections)  # compiles
    rows = {}
    for name, method in methods.items():
        errors, seconds = folds(detections, method)
        rms = np.sqrt(np.mean(errors**2))
        rows[name] = {"heldout_median_px": np.median(errors), "heldout_rms_px": rms, "seconds_from_corners": seconds}
    print(pd.DataFrame(rows).T.round(3).to_string())


if __name__ == "__main__":
    main()
