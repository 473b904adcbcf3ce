"""A made-up session: what the detector, the triangulation and the kinematics would have written."""

from dataclasses import replace

import cv2
import numpy as np
import pandas as pd
import xarray as xr

from muybridge.calibration import calibrate, simulate_detections
from muybridge.calibration.quality.report import COLUMNS, CalibrationReport
from muybridge.datasets import pose_dataset, views_dataset
from muybridge.report import SessionResults, write_report

FPS = 100.0


def make_session(rig, skeleton, points, folder=None, seed=3):
    """The keyword arguments of `report_of` for a skeleton moving in a rig; a folder gets videos."""
    rng = np.random.default_rng(seed)
    points = np.array(points)
    times = np.arange(len(points)) / FPS
    seen = rig.project(points)
    detected = seen + rng.normal(0, 0.8, seen.shape)
    detected[rng.random(detected.shape[:-1]) < 0.06] = np.nan
    sd = np.array([1.0, 2.0, 5.0]) * (1 + np.arange(points.shape[1]))[:, None] / 3
    covariances = np.broadcast_to(sd[:, :, None] ** 2 * np.eye(3), (*points.shape, 3)).copy()
    guess = points + rng.normal(0, 0.6, points.shape)
    guess[20:26, 2] = np.nan
    n_cameras = np.isfinite(detected).all(-1).sum(0)
    n_cameras[40:60, 4] = 1
    errors = np.linalg.norm(rig.project(guess) - detected, axis=-1)
    views = views_dataset(detected, cameras=rig.names, keypoints=skeleton.keypoints, times=times)
    views.attrs = {
        "muybridge_version": "0.1",
        "step": "predict",
        "options": '{"batch": 8}',
        "inputs": '{"a.mp4": "0f"}',
    }
    pose = pose_dataset(
        guess, keypoints=skeleton.keypoints, times=times, unit="mm", cameras=rig.names, covariance=covariances,
        reprojection_error=errors, n_cameras=n_cameras, velocity=np.gradient(guess, 1 / FPS, axis=0),
        velocity_covariance=covariances * 25,
    )  # fmt: skip
    session = {
        "title": "A made-up session",
        "summary": {"Animal": "seven points", "Cameras": "six, 1280 × 1024"},
        "rig": rig,
        "calibration_report": make_calibration(rig),
        "views": views,
        "pose": pose,
        "kinematics": make_kinematics(times),
        "skeleton": skeleton,
        "errors": pd.DataFrame({"stage": ["detector", "3D, median"], "error": [0.812, 1.07], "unit": ["px", "mm"]}),
    }
    if folder is not None:
        session["videos"] = write_videos(rig, skeleton, points, folder)
    return session


def report_of(path, *, title="t", summary=None, videos=None, errors=None, data_files=None, **made):
    """`write_report` of what a session has made, by keywords."""
    results, more = SessionResults(**made), {"videos": videos, "errors": errors, "data_files": data_files}
    return write_report(path, results, title=title, summary=summary or {}, **more)


def make_calibration(rig, seed=5):
    """A calibration's report: 600 corners per camera, one warning."""
    rng = np.random.default_rng(seed)
    n = len(rig)
    row = dict.fromkeys(COLUMNS, 0.25) | {"n_frames": 40, "n_corners": 600}
    return CalibrationReport(
        cameras=dict.fromkeys((*rig.names, "all"), row),
        facts={"lens model": "5 coefficients", "noise of a corner (px)": 0.0512},
        warnings=("camera cam_2 saw the board in 4 % of its image; wave it through the corners",),
        shared_frames=rng.integers(0, 40, (n, n)),
        positions=rig.centers,
        directions=np.stack([camera.R[2] for camera in rig]),
        corners=tuple(rng.uniform(0, camera.size, (600, 2)) for camera in rig),
        residuals=tuple(rng.normal(0, 0.2, (600, 2)) for _ in rig),
        sizes=tuple(camera.size for camera in rig),
    )


def make_kinematics(times):
    joints = ["left_knee", "right_knee", "neck"]
    angle = np.stack([1.9 + 0.6 * np.sin(9 * times + k) for k in range(3)], -1)
    angle[30:45, 1] = np.nan
    std = np.full_like(angle, 0.06)
    coords = {"time": times, "joint": joints}
    return xr.Dataset(
        {name: (("time", "joint"), v, {"units": "radian"}) for name, v in (("angle", angle), ("angle_std", std))},
        coords,
    )


def write_videos(rig, skeleton, points, folder, n_frames=60):
    """{camera: path} of small films in which the skeleton's bones are painted."""
    videos = {}
    for camera, track in zip(rig, rig.project(points), strict=True):
        path = folder / f"{camera.name}.mp4"
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), FPS, camera.size)
        for frame in track[:n_frames]:
            image = np.full((camera.size[1], camera.size[0], 3), (96, 104, 110), np.uint8)
            for a, b in skeleton.bone_indices:
                cv2.line(image, *np.rint(frame[[a, b]]).astype(int).tolist(), (60, 80, 140), 14, cv2.LINE_AA)
            writer.write(image)
        writer.release()
        videos[camera.name] = path
    return videos


BAD_CORNER = (4, 7)  # frame and corner of the left camera that `spoiled_calibration` put 40 px off


def spoiled_calibration():
    """Two cameras calibrated from simulated corners, one of which is a gross outlier."""
    detections = simulate_detections()
    corners = detections["left"].corners.copy()
    corners[BAD_CORNER] += [40.0, -10.0]
    return calibrate(detections | {"left": replace(detections["left"], corners=corners)}, distortion_model=0)


def board_images(calibration):
    """{camera: a grey image for each frame}."""
    found = calibration.detections.items()
    return {name: [np.full(one.size[::-1], 90, np.uint8)] * one.n_frames for name, one in found}
