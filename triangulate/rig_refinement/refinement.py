"""Refinement of a rig from keypoints: cameras that moved, and cameras whose frames are delayed."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from ...cameras import CameraRig
from ...cameras.alignment import align_images
from ...cameras.epipolar import epipolar_distances
from ...datasets.names import named_options
from ...numerics.arrays import Array, evenly_spread
from ..input_checks import from_views, individuals_as_keypoints
from ..points.consensus import robust_points
from .bundle_adjustment import adjust, design_effect
from .camera_motion import find_camera_motion
from .frame_offset_search import FrameOffsets, frame_offsets, offset_range, usable_points
from .frame_shift import shift_frames
from .refined_rig import Refinement, RigPart
from .refinement_checks import Fit, change_of, check_fits, epipolar_medians
from .report import FEW_POINTS, MOVED, RefinementReport, warning_sentences

_SYNC_ROUNDS = 5  # of frame offsets and camera poses in turn, at most: they end where no offset changes by 0.02 frames
_CORRELATED = 1.5  # design effect beyond which errors are repeated enough to weaken the points against the prior
_WORTHWHILE = 0.98  # below this share of its epipolar error at least one camera gained from the refinement


@named_options()
def refine_rig(
    points_2d: Any,
    rig: CameraRig,
    *,
    confidence: Array | None = None,
    fps: float | None = None,
    focal: bool = False,
    sync: bool = True,
    detect_camera_motion: bool = True,
    max_offset: int | None = None,
    n_points: int = 4000,
) -> Refinement:
    """Refine the cameras' poses from 2D keypoints, and find cameras that moved or are not synchronous.

    Bundle adjustment over keypoints as free 3D points (Schur complement, analytic Jacobians, Cauchy loss), started from
    robust triangulation with the old rig. The frame, the scale and whatever the points do not determine stay with the
    old rig: by the similarity under which most cameras see the points where they used to. Frame offsets come first,
    from the epipolar constraint, so that a delayed camera is not mistaken for a moved one.

    Parameters
    ----------
    points_2d : ndarray, shape (n_cameras, n_frames, n_keypoints, 2), pixels, or xarray.Dataset
        Keypoints, the cameras in the order of the rig, NaN where missing; or a views dataset.
    rig : CameraRig
        The cameras to start from.
    confidence : ndarray, shape (n_cameras, n_frames, n_keypoints), 0-1, optional
        Points below 0.1 are left out. None: that of the dataset, or all alike.
    fps : float, hertz, optional
        Frame rate, for the default of `max_offset`. None: that of the dataset, or unknown.
    focal : bool
        Whether focal lengths are refined, too (fx and fy together); the points must span much depth for that.
    sync : bool
        Whether to search for frame offsets.
    detect_camera_motion : bool
        Whether to search for cameras that moved during the recording.
    max_offset : int, frames, optional
        Largest frame offset tried. None: as in `frame_offsets`.
    n_points : int
        Points used for the fit, spread evenly; as many others test it.

    Returns
    -------
    Refinement
        The refined rig, and what changed.

    Raises
    ------
    ValueError
        Shapes do not fit the rig, fewer than 50 points are seen by two cameras, or most cameras are off by more than
        3 % of the image's width, or disagree by 1 % whatever is done: it is another recording's rig.

    References
    ----------
    Triggs, McLauchlan, Hartley and Fitzgibbon (2000), Bundle adjustment: a modern synthesis.

    Examples
    --------
    A camera was turned by one degree after the calibration.

    >>> from dataclasses import replace
    >>> import numpy as np
    >>> from muybridge.cameras import Camera, CameraRig
    >>> from muybridge.triangulate import refine_rig
    >>> K = [[1000, 0, 640], [0, 1000, 512], [0, 0, 1]]
    >>> t = ([-300, 0, 1000], [-100, 200, 1000], [100, -200, 1000], [300, 0, 1000])
    >>> rig = CameraRig(tuple(Camera(f"cam_{i}", (1280, 1024), K, [], np.eye(3), t[i]) for i in range(4)))
    >>> rng = np.random.default_rng(0)
    >>> points_2d = rig.project(rng.uniform(-200, 200, (60, 5, 3)))
    >>> points_2d += rng.normal(0, 0.3, points_2d.shape)
    >>> a = np.radians(1.0)
    >>> turn = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    >>> old = CameraRig((*rig.cameras[:3], replace(rig["cam_3"], R=turn, t=turn @ rig["cam_3"].t)))
    >>> found = refine_rig(points_2d, old, sync=False, detect_camera_motion=False)
    >>> found.report.warnings[0][:56]
    "camera 'cam_3' no longer stands where it was calibrated:"
    """
    points_2d, confidence, fps = from_views(individuals_as_keypoints(points_2d), rig, confidence=confidence, fps=fps)
    points_2d = usable_points(points_2d, rig, confidence)
    if (np.isfinite(points_2d[..., 0]).sum(axis=0) >= 2).sum() < FEW_POINTS:
        raise ValueError(
            f"fewer than {FEW_POINTS} points are seen by two cameras at once; a rig cannot be refined from them"
        )
    with threadpool_limits(1):
        return _refine(points_2d, rig, focal, sync, detect_camera_motion, offset_range(max_offset, fps), n_points)


def _refine(
    points_2d: Array, rig: CameraRig, focal: bool, sync: bool, detect_motion: bool, max_offset: int, n_points: int
) -> Refinement:
    offsets = FrameOffsets(rig.names, np.zeros(len(rig)), np.full(len(rig), np.nan), 1.0)
    if sync:
        offsets = frame_offsets(points_2d, rig, max_offset=max_offset)
    synchronous = shift_frames(points_2d, offsets)
    moved = _find_moved(synchronous, rig) if detect_motion else {}
    fit = _fit(synchronous, rig, moved, focal, n_points)
    real = _really_moved(fit, moved, synchronous)
    if len(real) < len(moved):
        moved, fit = real, _fit(synchronous, rig, real, focal, n_points)
    for _ in range(_SYNC_ROUNDS if sync and not moved else 0):
        # a wrong pose biases a frame offset, and the other way round: they are estimated in turn
        before, offsets = offsets.to_apply(), frame_offsets(points_2d, fit.parts[0].rig, max_offset=max_offset)
        if np.abs(offsets.to_apply() - before).max() < 0.02:
            break
        synchronous = shift_frames(points_2d, offsets)
        fit = _fit(synchronous, rig, moved, focal, n_points)
    return _result(points_2d, synchronous, rig, fit, offsets, moved)


def _find_moved(points_2d: Array, rig: CameraRig) -> dict[int, int]:
    """{camera: first frame after it moved}"""
    distances = epipolar_distances(rig.undistort(points_2d), rig)
    moved: dict[int, int] = {}
    while len(moved) < max(1, len(rig) - 2):
        found = find_camera_motion(distances, len(rig), known=tuple(moved))
        if found is None:
            break
        moved[found[0]] = found[1]
    return moved


def _fit(points_2d: Array, rig: CameraRig, moved: dict[int, int], focal: bool, n_points: int) -> Fit:
    n_frames, n_keypoints = points_2d.shape[1:3]
    owner, spans = _camera_poses(len(rig), n_frames, moved)
    doubled = replace(rig, cameras=tuple(replace(rig[int(c)], name=f"{i}") for i, c in enumerate(owner)))
    shown = np.stack([points_2d[c] for c in owner])
    frames = np.arange(n_frames)
    shown[(frames < spans[:, :1]) | (frames >= spans[:, 1:])] = np.nan
    flat = shown.reshape(len(owner), n_frames * n_keypoints, 2)
    rows = np.flatnonzero(np.isfinite(flat[..., 0]).sum(axis=0) >= 2)
    train = rows[evenly_spread(len(rows), n_points)]
    points_3d = robust_points(flat[:, train], doubled).points_3d
    known = np.isfinite(points_3d[:, 0])
    if known.sum() < FEW_POINTS:
        raise ValueError(
            f"only {known.sum()} points agree with the rig at all; it is not this recording's rig, or its cameras are"
            " named in another order"
        )
    seen = np.ascontiguousarray(flat[:, train[known]])
    result = adjust(seen, points_3d[known], doubled, focal=focal)
    residuals = seen - result.rig.project(result.points_3d)
    inflation = design_effect(residuals, train[known] % n_keypoints, result.sigma)
    if inflation > _CORRELATED:
        result = adjust(seen, points_3d[known], doubled, focal=focal, sigma=result.sigma, inflation=inflation)
    new, points_3d = align_images(result.rig, result.points_3d, doubled)
    n_views = np.isfinite(seen[..., 0]).sum(axis=1)
    return Fit(new, owner, spans, _parts(new, rig, owner, spans), points_3d, n_views, result.sigma, train)


def _camera_poses(n_cameras: int, n_frames: int, moved: dict[int, int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Owner and frames of every camera pose: one per camera, two for a moved one."""
    poses = [(c, 0, moved.get(c, n_frames)) for c in range(n_cameras)]
    poses += [(c, at, n_frames) for c, at in sorted(moved.items())]
    table = np.array(poses, dtype=np.int64)
    return table[:, 0], table[:, 1:]


def _parts(new: CameraRig, rig: CameraRig, owner, spans) -> tuple[RigPart, ...]:
    edges = np.unique(spans)
    parts = []
    for start, stop in pairwise(edges):
        here = (spans[:, 0] <= start) & (spans[:, 1] >= stop)
        cameras = [
            replace(new[int(np.flatnonzero(here & (owner == c))[0])], name=rig.names[c]) for c in range(len(rig))
        ]
        parts.append(RigPart(int(start), int(stop), replace(rig, cameras=tuple(cameras))))
    return tuple(parts)


def _really_moved(fit: Fit, moved: dict[int, int], points_2d: Array) -> dict[int, int]:
    """Those whose two poses see the points apart by more than the noise, and enough of them before and after."""
    real = {}
    n_seen = np.isfinite(points_2d[..., 0]).sum(axis=2)
    for camera, frame in moved.items():
        one, other = (fit.rig[int(pose)].project(fit.points_3d) for pose in np.flatnonzero(fit.owner == camera))
        gap = np.linalg.norm(one - other, axis=-1)
        pixels = np.sqrt(np.nanmean(gap**2)) if np.isfinite(gap).any() else 0.0
        enough = min(n_seen[camera, :frame].sum(), n_seen[camera, frame:].sum()) >= FEW_POINTS
        if pixels > max(MOVED * np.median(fit.sigma), 1.0) and enough:
            real[camera] = frame
    return real


def _result(
    points_2d, synchronous, rig: CameraRig, fit: Fit, offsets: FrameOffsets, moved: dict[int, int]
) -> Refinement:
    whole = (RigPart(0, points_2d.shape[1], rig),)
    before = epipolar_medians(points_2d, whole, fit.train)
    synced = epipolar_medians(synchronous, whole, fit.train)
    after = epipolar_medians(synchronous, fit.parts, fit.train)
    kept = not moved and not np.any(after < _WORTHWHILE * synced)
    rows, changes = [], []
    for c in range(len(rig)):
        poses = np.flatnonzero(fit.owner == c)
        change = max((change_of(fit, rig, int(pose)) for pose in poses), key=lambda values: values[0])
        counts = (offsets.offsets[c], offsets.std[c], float(moved.get(c, np.nan)), int(fit.n_views[poses].sum()))
        rows.append((before[c], synced[c] if kept else after[c], *((0.0,) * 4 if kept else change), *counts))
        changes.append(change[0])
    check_fits(after, changes, rig)
    values, noise = np.array(rows, dtype=float), float(np.median(fit.sigma))
    warnings = warning_sentences(rig, values, noise, offsets, moved, kept)
    parts = whole if kept else fit.parts
    longest = max(parts, key=lambda part: part.stop_frame - part.first_frame)
    report = RefinementReport(rig.names, values, warnings, noise, rig.unit, kept)
    return Refinement(longest.rig, report, parts, offsets)
