"""What else is used for trajectories: aniposelib, EKS, and filters of triangulated points."""

from __future__ import annotations

import logging

import cv2
import numpy as np
import pandas as pd
from scipy.signal import butter, filtfilt


def butterworth(points_3d: np.ndarray, truth: np.ndarray, fps: float) -> np.ndarray:
    """Zero-phase low-pass whose cut-off is the best there is, chosen with the truth."""
    filled = pd.DataFrame(points_3d.reshape(len(points_3d), -1)).interpolate(limit_direction="both").to_numpy()
    candidates = [
        filtfilt(*butter(4, cutoff, fs=fps), filled, axis=0).reshape(points_3d.shape)
        for cutoff in np.arange(3, 40, 2.0)
    ]
    return min(candidates, key=lambda c: np.median(np.linalg.norm(c - truth, axis=-1)))


def anipose(points_2d, confidence, rig, skeleton):
    """aniposelib's optim_points with anipose's default settings, started from its own fast triangulation."""
    group = camera_group(rig)
    flat = points_2d.reshape(len(rig), -1, 2)
    start = np.asarray(group.triangulate(flat, progress=False, fast=True)).reshape((*points_2d.shape[1:3], 3))
    return group.optim_points(
        points_2d, start, constraints=skeleton.bone_indices.tolist(), scale_smooth=4, scale_length=2,
        reproj_error_threshold=15, reproj_loss="soft_l1", n_deriv_smooth=1, scores=confidence,
    )  # fmt: skip


def eks(points_2d, confidence, rig, skeleton):
    """Ensemble Kalman smoother, multi-camera with calibrated projection, of an ensemble of one: points and stds.

    It knows no missing pixel: gaps are bridged by lines and given a likelihood of nearly nothing, as its variance
    is the inverse likelihood where there is one member only.
    """
    logging.getLogger("eks").setLevel(logging.ERROR)
    from eks.marker_array import MarkerArray
    from eks.multicam_smoother import ensemble_kalman_smoother_multicam

    n_cameras, n_frames, n_keypoints = confidence.shape
    table = pd.DataFrame(np.moveaxis(points_2d, 1, 0).reshape(n_frames, -1))
    filled = table.interpolate(limit_direction="both").to_numpy()
    filled = np.moveaxis(filled.reshape(n_frames, n_cameras, n_keypoints, 2), 0, 1)
    likelihood = np.where(np.isnan(points_2d[..., 0]), 1e-5, np.maximum(np.nan_to_num(confidence), 1e-5))
    array = np.concatenate([filled, likelihood[..., None]], axis=-1)[None]
    names = [f"k{i}" for i in range(n_keypoints)]
    markers = MarkerArray(array, data_fields=["x", "y", "likelihood"])
    _, _, found = ensemble_kalman_smoother_multicam(markers, names, list(rig.names), camgroup=camera_group(rig))
    values = found.to_numpy().reshape(n_frames, n_keypoints, 6)
    return values[..., :3], values[..., 3:]


def camera_group(rig):
    from aniposelib import cameras as peer

    cameras = []
    for c in rig:
        pose = {"rvec": cv2.Rodrigues(c.R)[0].ravel(), "tvec": c.t}
        cameras.append(peer.Camera(matrix=c.K, dist=c.distortion, size=c.size, name=c.name, **pose))
    return peer.CameraGroup(cameras)
