"""Whether points fit a refined rig, and by how much its cameras changed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...cameras import CameraRig
from ...cameras.epipolar import camera_pair_indices, epipolar_distances
from ...cameras.rotations import rotation_vector
from ...numerics.arrays import Array
from ...numerics.robust_scale import present_median
from .refined_rig import RigPart
from .report import UNFIT

_FAR = 0.03  # of the image's width: more than half of the cameras do not move so far by accident


@dataclass(frozen=True, eq=False)
class Fit:
    """Refined cameras; a moved one is there twice, before and after: owner (n,) its position, spans (n, 2) frames."""

    rig: CameraRig
    owner: NDArray[np.int64]
    spans: NDArray[np.int64]
    parts: tuple[RigPart, ...]
    points_3d: Array
    n_views: NDArray[np.int64]
    sigma: Array
    train: NDArray[np.int64]


def check_fits(after: Array, changes: list[float], rig: CameraRig) -> None:
    """Refuse a rig of which most cameras disagree whatever is done, or would have to be moved far."""
    widths = np.array([camera.size[0] for camera in rig])
    disagree, far = after > UNFIT * widths, np.array(changes) > _FAR * widths
    if 2 * (disagree | far).sum() > len(rig):
        names = [name for name, wrong in zip(rig.names, disagree | far, strict=True) if wrong]
        raise ValueError(
            f"the rig does not fit this recording: cameras {names} are off by {np.nanmedian(changes):.0f} px and still"
            f" disagree by {np.nanmedian(after):.1f} px after refinement; are the cameras named in the right order, and"
            " is it the right calibration?"
        )


def change_of(fit: Fit, rig: CameraRig, pose: int) -> tuple[float, float, float, float]:
    """change_px, rotation_deg, translation, focal_percent of one pose against the old camera."""
    new, old = fit.rig[pose], rig[int(fit.owner[pose])]
    gap = np.linalg.norm(new.project(fit.points_3d) - old.project(fit.points_3d), axis=-1)
    gap = gap[np.isfinite(gap)]
    rotation = float(np.degrees(np.linalg.norm(rotation_vector(new.R @ old.R.T))))
    translation = float(np.linalg.norm(new.center - old.center))
    pixels = float(np.sqrt(np.mean(gap**2))) if len(gap) else np.nan
    return pixels, rotation, translation, 100 * (new.K[1, 1] / old.K[1, 1] - 1)


def epipolar_medians(points_2d: Array, parts: tuple[RigPart, ...], train: NDArray[np.int64]) -> Array:
    """(n_cameras,) median epipolar error of each camera's pairs, pixels, at points that were not used for the fit."""
    held = points_2d.copy().reshape(len(points_2d), -1, 2)
    used = np.zeros(held.shape[1], dtype=bool)
    used[train] = True
    if used.sum() < 0.5 * np.isfinite(held[..., 0]).any(axis=0).sum():
        held[:, used] = np.nan
    held = held.reshape(points_2d.shape)
    n_cameras = len(points_2d)
    pairs = camera_pair_indices(n_cameras)
    found = []
    for part in parts:
        piece = np.ascontiguousarray(held[:, part.first_frame : part.stop_frame])
        found.append(np.abs(epipolar_distances(part.rig.undistort(piece), part.rig, pairs)).reshape(len(pairs), -1))
    size = np.concatenate(found, axis=1)
    return np.array([float(present_median(size[(pairs == c).any(axis=1)])) for c in range(n_cameras)])
