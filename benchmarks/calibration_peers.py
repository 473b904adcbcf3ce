"""Other tools as functions of the same detections: {camera: BoardDetections} -> (rig, the board's corners)."""

from __future__ import annotations

import contextlib
import io

import cv2
import numpy as np
import pandas as pd

from muybridge.calibration import BoardDetections, Camera, CameraRig, CharucoBoard

Detections = dict[str, BoardDetections]
Calibrated = tuple[CameraRig, np.ndarray]
LEAST = 6  # corners of a view, as `calibrate` has it


def with_opencv(detections: Detections) -> Calibrated:
    """calibrateCamera of each camera, then each camera's median pose relative to the first; no bundle adjustment."""
    board, cameras, poses = _board(detections), [], []
    for found in detections.values():
        frames = [f for f in found.frames if found.seen[f].sum() >= LEAST]
        objects = [board.points[found.seen[f]].astype(np.float32) for f in frames]
        pixels = [found.corners[f][found.seen[f]].astype(np.float32) for f in frames]
        _, K, d, turns, shifts = cv2.calibrateCamera(objects, pixels, found.size, None, None)
        cameras.append((K, d.ravel()))
        matrices = [cv2.Rodrigues(turn)[0] for turn in turns]
        poses.append({f: (R, s.ravel()) for f, R, s in zip(frames, matrices, shifts, strict=True)})
    rig = []
    for c, (name, found) in enumerate(detections.items()):
        both = sorted(set(poses[0]) & set(poses[c]))
        U, _, V = np.linalg.svd(np.mean([poses[c][f][0] @ poses[0][f][0].T for f in both], axis=0))
        R = U @ V
        t = np.median([poses[c][f][1] - R @ poses[0][f][1] for f in both], axis=0)
        rig.append(Camera(name, found.size, *cameras[c], R, t))
    return CameraRig(tuple(rig)), board.points


def their_board(board: CharucoBoard):
    """aniposelib's object of a board of a 4x4 dictionary of 1000 markers."""
    from aniposelib.boards import CharucoBoard as TheirBoard

    return TheirBoard(board.squares_x, board.squares_y, board.square_length, board.marker_length, 4, 1000)


def with_aniposelib(detections: Detections) -> Calibrated:
    """aniposelib's `calibrate_rows` with its defaults: one focal length and k1, outliers thrown out in rounds."""
    from aniposelib.cameras import CameraGroup

    board = their_board(_board(detections))
    group, rows = CameraGroup.from_names(list(detections)), []
    for camera, found in zip(group.cameras, detections.values(), strict=True):
        camera.set_size(found.size)
        own = []
        for f in found.frames:
            ids = np.flatnonzero(found.seen[f]).reshape(-1, 1)
            corners = found.corners[f, ids.ravel()][:, None].astype(np.float32)
            own.append({"framenum": (0, int(f)), "corners": corners, "ids": ids})
            own[-1]["filled"] = board.fill_points(corners, ids)
        rows.append(own)
    np.random.seed(0)  # noqa: NPY002, it draws from the global generator
    with contextlib.redirect_stdout(io.StringIO()):
        group.calibrate_rows(rows, board, verbose=False)
    rig = [
        Camera(c.name, c.size, c.matrix, c.dist, cv2.Rodrigues(np.asarray(c.rvec))[0], np.asarray(c.tvec).ravel())
        for c in group.cameras
    ]
    return CameraRig(tuple(rig)), _board(detections).points


def with_caliscope(detections: Detections) -> Calibrated:
    """caliscope's scripting workflow: intrinsics of each camera, then `calibrate_extrinsics` held by the board."""
    from caliscope import api

    board = _board(detections)
    table, cameras = _caliscope_table(detections, board), {}
    for c, found in enumerate(detections.values()):
        own = api.ImagePoints(table[table.cam_id == c])
        cameras[c] = api.calibrate_intrinsics(own, api.CameraData(cam_id=c, size=found.size)).camera
    theirs = api.Charuco.from_squares(
        columns=board.squares_x, rows=board.squares_y, square_size_cm=board.square_length / 10
    )
    run = api.calibrate_extrinsics(
        api.ImagePoints(table), api.CameraArray(cameras), api.ConstraintSet.from_charuco(theirs)
    )
    found = run.capture_volume.camera_array.cameras
    rig = [
        Camera(
            name, found[c].size, found[c].matrix, found[c].distortions, found[c].rotation, 1e3 * found[c].translation
        )
        for c, name in enumerate(detections)
    ]
    return CameraRig(tuple(rig)), board.points


def _caliscope_table(detections: Detections, board: CharucoBoard) -> pd.DataFrame:
    parts = []
    for c, found in enumerate(detections.values()):
        frame, corner = np.nonzero(found.seen)
        place = board.points[corner] / 1e3
        parts.append(
            pd.DataFrame(
                {
                    "sync_index": frame,
                    "cam_id": c,
                    "object_id": 0,
                    "keypoint_id": corner,
                    "frame_time": frame / 30,
                    **{f"img_loc_{axis}": found.corners[frame, corner, i] for i, axis in enumerate("xy")},
                    **{f"obj_loc_{axis}": place[:, i] for i, axis in enumerate("xyz")},
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _board(detections: Detections) -> CharucoBoard:
    return next(iter(detections.values())).board  # type: ignore[return-value]
