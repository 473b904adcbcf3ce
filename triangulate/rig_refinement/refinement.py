"""A rig corrected from the animal itself: cameras that were knocked, and cameras that are out of step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from ...cameras import CameraRig
from ...cameras.epipolar import camera_pair_indices, epipolar_distances
from ...cameras.rotations import rotation_vector
from ...numerics.arrays import Array, evenly_spread
from ..points.consensus import triangulate_ransac
from .bundle_adjustment import adjust, aligned, design_effect
from .camera_motion import find_moves
from .frame_offset_search import FrameOffsets, frame_offsets, shift_frames, usable_points
from .report import FEW_POINTS, KNOCKED, UNFIT, RefinementReport, warning_sentences

_MIN_FRAMES = 5
_SYNC_ROUNDS = 5
_FAR = 0.03  # of the image's width: more than half of the cameras do not move so far by accident
_CORRELATED = 1.5
_WORTHWHILE = 0.98  # below this share of its epipolar error at least one camera gained from the refinement


@dataclass(frozen=True, eq=False)
class RigPart:
    """The rig that holds for the frames first_frame to stop_frame − 1."""

    first_frame: int
    stop_frame: int
    rig: CameraRig


@dataclass(frozen=True, eq=False)
class Refinement:
    """A refined rig.

    rig : the cameras as the recording says they stand; where one was knocked during it, those of the longest part; the
        old rig itself where it explains points that were not used for the fit as well as the new one
    report : what changed
    parts : the rigs of the stretches between knocks, in order; a single one where no camera moved
    frame_offsets : how many frames each camera runs late; `shift_frames(points_2d, refinement.frame_offsets.offsets)`
        brings the points into step
    """

    rig: CameraRig
    report: RefinementReport
    parts: tuple[RigPart, ...]
    frame_offsets: FrameOffsets


def refine_rig(
    points_2d: Array,
    rig: CameraRig,
    *,
    confidence: Array | None = None,
    focal: bool = False,
    sync: bool = True,
    moves: bool = True,
    max_offset: int = 5,
    n_points: int = 4000,
) -> Refinement:
    """Refine the cameras' poses from 2D keypoints of a recording, and find cameras that moved or are out of step.

    Bundle adjustment over keypoints as free 3D points (Schur complement, analytic Jacobians, Cauchy loss), started from
    robust triangulation with the old rig. The frame, the scale and whatever the points do not determine stay with the
    old rig: by the similarity under which most cameras see the points where they used to. Frame offsets come first,
    from the epipolar constraint, so that a late camera is not mistaken for a moved one.

    Parameters
    ----------
    points_2d : (n_cameras, n_frames, n_keypoints, 2), pixels, NaN where missing
    confidence : (n_cameras, n_frames, n_keypoints), 0-1; points below 0.1 are left out
    focal : whether focal lengths move, too (fx and fy together); the points must span much depth for that
    sync, moves : whether to look for frame offsets, and for cameras knocked during the recording
    max_offset : largest frame offset tried
    n_points : points used for the fit, spread evenly; as many others judge it

    Raises
    ------
    ValueError : shapes do not fit the rig, fewer than 50 points are seen by two cameras, or most cameras are off by
        more than 3 % of the image's width, or disagree by 1 % whatever is done: it is another recording's rig
    """
    points_2d = usable_points(points_2d, rig, confidence)
    if (np.isfinite(points_2d[..., 0]).sum(axis=0) >= 2).sum() < FEW_POINTS:
        raise ValueError(
            f"fewer than {FEW_POINTS} points are seen by two cameras at once; a rig cannot be refined from them"
        )
    with threadpool_limits(1):
        return _refine(points_2d, rig, focal, sync, moves, max_offset, n_points)


def _refine(
    points_2d: Array, rig: CameraRig, focal: bool, sync: bool, moves: bool, max_offset: int, n_points: int
) -> Refinement:
    offsets = FrameOffsets(rig.names, np.zeros(len(rig)), np.full(len(rig), np.nan), 1.0)
    if sync:
        offsets = frame_offsets(points_2d, rig, max_offset=max_offset)
    in_step = _in_step(points_2d, offsets)
    knocks = _find_knocks(in_step, rig) if moves else {}
    fit = _fit(in_step, rig, knocks, focal, n_points)
    if knocks:
        knocks = _real_knocks(fit, _timed(in_step, fit, knocks), points_2d.shape[1])
        fit = _fit(in_step, rig, knocks, focal, n_points)
        knocks = _real_knocks(fit, knocks, points_2d.shape[1])
        if len(fit.owner) > len(rig) + len(knocks):
            fit = _fit(in_step, rig, knocks, focal, n_points)
    for _ in range(_SYNC_ROUNDS if sync and not knocks else 0):
        # a camera that stands wrong blurs its frame offset, and the other way round: they take turns
        before, offsets = offsets.to_apply(), frame_offsets(points_2d, fit.parts[0].rig, max_offset=max_offset)
        if np.abs(offsets.to_apply() - before).max() < 0.02:
            break
        in_step = _in_step(points_2d, offsets)
        fit = _fit(in_step, rig, knocks, focal, n_points)
    return _result(points_2d, in_step, rig, fit, offsets, knocks)


def _in_step(points_2d: Array, offsets: FrameOffsets) -> Array:
    return shift_frames(points_2d, offsets.to_apply())


def _find_knocks(points_2d: Array, rig: CameraRig) -> dict[int, int]:
    """{camera: first frame after it was knocked}"""
    distances = epipolar_distances(rig.undistort(points_2d), rig)
    knocks: dict[int, int] = {}
    while len(knocks) < max(1, len(rig) - 2):
        found = find_moves(distances, len(rig), known=tuple(knocks))
        if found is None:
            break
        knocks[found[0]] = found[1]
    return knocks


@dataclass(frozen=True, eq=False)
class _Fit:
    """Refined cameras; a knocked one stands twice, before and after: owner (n,) its position, spans (n, 2) frames."""

    rig: CameraRig
    owner: NDArray[np.int64]
    spans: NDArray[np.int64]
    parts: tuple[RigPart, ...]
    points_3d: Array
    n_views: NDArray[np.int64]
    sigma: Array
    train: NDArray[np.int64]


def _fit(points_2d: Array, rig: CameraRig, knocks: dict[int, int], focal: bool, n_points: int) -> _Fit:
    n_frames, n_keypoints = points_2d.shape[1:3]
    owner, spans = _stands(len(rig), n_frames, knocks)
    doubled = replace(rig, cameras=tuple(replace(rig[int(c)], name=f"{i}") for i, c in enumerate(owner)))
    shown = np.stack([points_2d[c] for c in owner])
    frames = np.arange(n_frames)
    shown[(frames < spans[:, :1]) | (frames >= spans[:, 1:])] = np.nan
    flat = shown.reshape(len(owner), n_frames * n_keypoints, 2)
    rows = np.flatnonzero(np.isfinite(flat[..., 0]).sum(axis=0) >= 2)
    train = rows[evenly_spread(len(rows), n_points)]
    points_3d = triangulate_ransac(flat[:, train], doubled).points_3d
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
    new, points_3d = aligned(result.rig, result.points_3d, doubled)
    n_views = np.isfinite(seen[..., 0]).sum(axis=1)
    return _Fit(new, owner, spans, _parts(new, rig, owner, spans), points_3d, n_views, result.sigma, train)


def _stands(n_cameras: int, n_frames: int, knocks: dict[int, int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Owner and frames of every stand: one per camera, two for a knocked one."""
    stands = [(c, 0, knocks.get(c, n_frames)) for c in range(n_cameras)]
    stands += [(c, at, n_frames) for c, at in sorted(knocks.items())]
    table = np.array(stands, dtype=np.int64)
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


def _timed(points_2d: Array, fit: _Fit, knocks: dict[int, int]) -> dict[int, int]:
    """The knocks' frames to the frame: where the view stops to fit the first stand and begins to fit the second."""
    exact = {}
    for camera, guess in knocks.items():
        others = [c for c in range(len(points_2d)) if c not in knocks]
        part = next(part for part in fit.parts if part.first_frame == guess)
        if len(others) < 2:
            exact[camera] = guess
            continue
        points_3d = triangulate_ransac(
            points_2d[others], part.rig.subset([part.rig.names[c] for c in others])
        ).points_3d
        cap = (5 * fit.sigma.max()) ** 2
        costs = []
        for stand in np.flatnonzero(fit.owner == camera):
            square = ((fit.rig[int(stand)].project(points_3d) - points_2d[camera]) ** 2).sum(axis=-1)
            costs.append(np.nansum(np.minimum(square, cap), axis=1))
        gain = np.concatenate([[0.0], np.cumsum(costs[0] - costs[1])])
        exact[camera] = int(np.clip(np.argmin(gain), 1, points_2d.shape[1] - 1))
    return exact


def _real_knocks(fit: _Fit, knocks: dict[int, int], n_frames: int) -> dict[int, int]:
    """Those whose two stands see the points apart by more than the noise, with enough frames on both sides."""
    real = {}
    for camera, frame in knocks.items():
        one, other = (fit.rig[int(stand)].project(fit.points_3d) for stand in np.flatnonzero(fit.owner == camera))
        gap = np.linalg.norm(one - other, axis=-1)
        pixels = np.sqrt(np.nanmean(gap**2)) if np.isfinite(gap).any() else 0.0
        if pixels > max(KNOCKED * np.median(fit.sigma), 1.0) and _MIN_FRAMES <= frame <= n_frames - _MIN_FRAMES:
            real[camera] = frame
    return real


def _result(points_2d, in_step, rig: CameraRig, fit: _Fit, offsets: FrameOffsets, knocks: dict[int, int]) -> Refinement:
    whole = (RigPart(0, points_2d.shape[1], rig),)
    before = _epipolar_median(points_2d, whole, fit.train)
    synced = _epipolar_median(in_step, whole, fit.train)
    after = _epipolar_median(in_step, fit.parts, fit.train)
    kept = not knocks and not np.any(after < _WORTHWHILE * synced)
    rows, changes = [], []
    for c in range(len(rig)):
        stands = np.flatnonzero(fit.owner == c)
        change = max((_change(fit, rig, int(stand)) for stand in stands), key=lambda values: values[0])
        late = (offsets.offsets[c], offsets.std[c], float(knocks.get(c, np.nan)), int(fit.n_views[stands].sum()))
        rows.append((before[c], synced[c] if kept else after[c], *((0.0,) * 4 if kept else change), *late))
        changes.append(change[0])
    _check_fits(after, changes, rig)
    values, noise = np.array(rows, dtype=float), float(np.median(fit.sigma))
    warnings = warning_sentences(rig, values, noise, offsets, knocks, kept)
    parts = whole if kept else fit.parts
    longest = max(parts, key=lambda part: part.stop_frame - part.first_frame)
    report = RefinementReport(rig.names, values, warnings, noise, rig.unit, kept)
    return Refinement(longest.rig, report, parts, offsets)


def _check_fits(after: Array, changes: list[float], rig: CameraRig) -> None:
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


def _change(fit: _Fit, rig: CameraRig, stand: int) -> tuple[float, float, float, float]:
    """change_px, turned_deg, shifted, focal_percent of one stand against the old camera."""
    new, old = fit.rig[stand], rig[int(fit.owner[stand])]
    gap = np.linalg.norm(new.project(fit.points_3d) - old.project(fit.points_3d), axis=-1)
    gap = gap[np.isfinite(gap)]
    turned = float(np.degrees(np.linalg.norm(rotation_vector(new.R @ old.R.T))))
    shifted = float(np.linalg.norm(new.center - old.center))
    pixels = float(np.sqrt(np.mean(gap**2))) if len(gap) else np.nan
    return pixels, turned, shifted, 100 * (new.K[1, 1] / old.K[1, 1] - 1)


def _epipolar_median(points_2d: Array, parts: tuple[RigPart, ...], train: NDArray[np.int64]) -> Array:
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
    medians = np.full(n_cameras, np.nan)
    for c in range(n_cameras):
        own = size[(pairs == c).any(axis=1)]
        if np.isfinite(own).any():
            medians[c] = np.nanmedian(own)
    return medians
