"""Real recordings with a truth, read from ../shared/data: rigs, 2D points and motion capture in one form."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.io
import scipy.linalg
import xarray as xr

from muybridge.calibration import Camera, CameraRig, read_rig
from muybridge.datasets import Skeleton, read_dataset
from muybridge.session.config import read_session
from muybridge.triangulate import DetectorNoise, PosePrior, estimate_noise

DATA = Path(__file__).resolve().parents[1] / ".." / "shared" / "data"
RAT_FPS = 120.0  # Hz, assumed: the recording does not state its frame rate


@dataclass(frozen=True, eq=False)
class Recording:
    """points_2d (n_cameras, n_frames, n_keypoints, 2), pixels; truth (n_frames, n_keypoints, 3) in the rig's unit."""

    rig: CameraRig
    points_2d: np.ndarray
    truth: np.ndarray
    fps: float
    skeleton: Skeleton
    prior: PosePrior | None = None
    noise: DetectorNoise | None = None


def camera_of_matrix(name: str, size: tuple[int, int], matrix: np.ndarray) -> Camera:
    """A camera without distortion from its (3, 4) projection matrix (Hartley and Zisserman 2003, section 6.2.4)."""
    K, R = scipy.linalg.rq(matrix[:, :3])
    signs = np.diag(np.sign(np.diag(K)))
    K, R = K @ signs, signs @ R
    t = np.linalg.solve(K, matrix[:, 3])
    if np.linalg.det(R) < 0:
        R, t = -R, -t
    return Camera(name, size, np.triu(K / K[2, 2]), np.zeros(0), R, t)


def rat() -> Recording:
    """A rat in six cameras: 50 frames of real detections, motion-capture truth, pose states trained elsewhere."""
    recorded = np.load(DATA / "rat_mocap" / "recording.npz")
    trained = np.load(DATA / "rat_mocap" / "trained_prior.npz")
    names = [str(name) for name in recorded["keypoint_names"]]
    cameras = [camera_of_matrix(f"cam_{i}", (1320, 1048), P) for i, P in enumerate(recorded["camera_matrices"])]
    parents = recorded["parents"]
    children = [k for k in range(len(names)) if 0 <= parents[k] != k]
    skeleton = Skeleton(tuple(names), tuple((names[parents[k]], names[k]) for k in children), root=names[0])
    probabilities = trained["state_probabilities"].astype(float)
    counts = trained["transition_counts"]
    prior = PosePrior(
        skeleton,
        trained["directions"],
        trained["concentrations"],
        probabilities / probabilities.sum(),
        trained["bone_lengths"],
        trained["bone_stds"],
        None if counts.ndim != 2 else counts / counts.sum(axis=1, keepdims=True),
    )
    rig = CameraRig(tuple(cameras), unit="mm", up=np.array([0.0, 0.0, 1.0]))
    points_2d = recorded["points_2d"]
    # the training gave neither a bias nor what all views share: the latter is that of the recording
    shared = estimate_noise(points_2d, rig).shared_std
    noise = DetectorNoise(
        rig.names,
        np.zeros((*trained["inlier_std"].shape, 2)),
        trained["inlier_std"],
        trained["outlier_probability"],
        trained["outlier_std"],
        shared,
        np.full(len(names), np.nan),
        tuple(names),
    )
    return Recording(rig, points_2d, recorded["truth_3d"], RAT_FPS, skeleton, prior, noise)


def demo(folder: str) -> tuple[xr.Dataset, np.ndarray, CameraRig]:
    """Detections of a demo that has run (`muybridge demo FOLDER`), its true points in their order, and its true rig."""
    views = read_dataset(read_session(folder).output / "views.nc")
    truth = read_dataset(Path(folder) / "truth.nc")["position"].sel(keypoint=views["keypoint"].values)
    return views, truth.transpose("time", "keypoint", "space").values, read_rig(Path(folder) / "truth_rig.toml")


def mouse(number: int = 1) -> Recording:
    """Labelled poses of a mouse (each a frame of its own) and the real rig of six cameras with distortion."""
    file = scipy.io.loadmat(
        DATA / "mouse_6cam" / f"mouse{number}_label3d_dannce.mat", struct_as_record=False, squeeze_me=True
    )
    labels = file["labelData"]
    truth = labels[0].data_3d.reshape(len(labels[0].data_3d), -1, 3)
    cameras = []
    for name, params in zip(file["camnames"], file["params"], strict=True):
        K = params.K.T.copy()  # Matlab multiplies rows from the left
        K[:2, 2] -= 1.0  # and counts pixels from one
        k1, k2, *rest = np.ravel(params.RDistort)
        distortion = np.array([k1, k2, *np.ravel(params.TDistort), *(rest or [0.0])])
        R, t = params.r.T, np.ravel(params.t)
        cameras.append(Camera(str(name), (1152, 1024), K, distortion, R, t))
    names = tuple(f"joint_{k}" for k in range(truth.shape[1]))
    rig = CameraRig(tuple(cameras), unit="mm")
    return Recording(rig, rig.project(truth), truth, 1.0, Skeleton(names, ()))


DOG_PARENTS = (None, 0, 1, 2, 3, 4, 2, 6, 7, 8, 9, 2, 11, 12, 13, 14, 1, 16, 17, 18, 1, 20, 21, 22, 1, 24, 25)


def dog(clip: str, scale: float = 1000.0) -> tuple[np.ndarray, Skeleton]:
    """(n_frames, 27, 3) millimetres at 60 Hz, z up, and the joints' tree; only the animal, no cameras."""
    table = np.genfromtxt(DATA / "dog_mocap" / f"dog_{clip}_joint_pos.txt", delimiter=",")
    points = table[:, :81].reshape(len(table), 27, 3)
    points = np.stack([points[..., 0], -points[..., 2], points[..., 1]], axis=-1) * scale
    names = tuple(f"joint_{k}" for k in range(27))
    bones = tuple((names[p], names[k]) for k, p in enumerate(DOG_PARENTS) if p is not None)
    return points, Skeleton(names, bones, root=names[0])
