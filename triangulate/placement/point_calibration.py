"""Calibrate the poses of cameras from keypoints of an animal or a person, where only their lenses are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np

from ...calibration.errors import CalibrationError
from ...calibration.projection_uncertainty import volume_uncertainty
from ...calibration.quality.report import CalibrationReport
from ...cameras import Camera, CameraRig
from ...cameras.alignment import move_rig
from ...datasets import Skeleton
from ...datasets.names import named_options
from ...datasets.skeleton import mirror_partners
from ...numerics.arrays import Array, evenly_spread
from ...numerics.robust_scale import robust_std
from ..input_checks import check_observations, from_views
from ..points.consensus import Triangulation, robust_points
from ..rig_refinement.frame_offset_search import frame_offsets
from .floor import Floor, find_floor
from .gauge import (
    bone_length_change,
    camera_distance_change,
    camera_stands_still,
    equations,
    points_stand_still,
    pose_covariance,
)  # fmt: skip
from .lengths import KnownLength, Scale, read_lengths, scale_of
from .placed_cameras import PointCalibration
from .placement import Placement, place
from .report_numbers import error_facts, facts_of, judged, point_report

_FRAMES = 2000  # that are looked at, evenly spread
_SURE = 0.1  # confidence below which a view has no part, as in `refine_rig`
_JUDGED = 200  # points that the predicted error is averaged over, and frames that tell how a bone follows the cameras
_FLAT = 3.0  # standard deviations of a point: a cloud no thicker is a plane


@named_options()
def calibrate_from_points(
    points_2d: Any,
    cameras: CameraRig | Mapping[str, Camera],
    *,
    lengths: Sequence[Sequence[Any]] = (),
    up: Mapping[str, Sequence[float]] | None = None,
    floor: bool | Sequence[str] = False,
    confidence: Array | None = None,
    keypoints: Sequence[str] | None = None,
    skeleton: Skeleton | None = None,
    unit: str = "mm",
    n_points: int = 4000,
) -> PointCalibration:
    """Place cameras whose lenses are known by the animal or the person that they film together, without a board.

    Essential matrices of all pairs of cameras give the start, from which one camera after another is placed by the
    points that those before it triangulate; a bundle adjustment over all cameras and points ends it. Several starts
    are tried, and the arrangement mirrored in depth; where two explain the points alike, the one in which the cameras
    look down on the points is taken, which a note says, or else both are refused.

    Parameters
    ----------
    points_2d : ndarray, shape (n_cameras, n_frames, n_keypoints, 2), pixels, or xarray.Dataset
        Keypoints of simultaneous frames, the cameras in the order of `cameras`, NaN where missing; or a views dataset.
        The more of the volume they fill, and the more of them three cameras see, the better.
    cameras : CameraRig or dict of str to Camera
        The lenses, such as those of `calibrate_intrinsics`; their poses are not used.
    lengths : sequence of (str, str, float) or (str, str, float, float)
        Known lengths between two keypoints or two cameras, world units, and their standard deviations: they set the
        scale. Empty: the scale is arbitrary.
    up : dict of str to sequence of 3 floats, optional
        Direction against gravity in the frames of one or more cameras (x right, y down, z forward): ``[0, -1, 0]`` of a
        camera that was levelled.
    floor : bool or sequence of str
        Keypoints that touch the floor, such as the feet; True: the lowest points of all. They place z = 0 and the
        vertical.
    confidence : ndarray, shape (n_cameras, n_frames, n_keypoints), 0-1, optional
        Points below 0.1 are left out. None: that of the dataset, or all alike.
    keypoints : sequence of str, optional
        Names of the keypoints. None: those of the dataset, or "0", "1" and so on.
    skeleton : Skeleton, optional
        Its symmetries tell a camera whose left and right are exchanged.
    unit : str
        World unit, that of the lengths.
    n_points : int
        Points used for the last bundle adjustment, spread evenly.

    Returns
    -------
    PointCalibration
        The rig, its report and the covariance of its poses.

    Raises
    ------
    CalibrationError
        The cameras share too few points, see them from one direction, or another arrangement explains them as well; a
        camera does not fit; the floor is no plane; or the poses would be known too badly to be used.

    Notes
    -----
    Keypoints are errors of a detector, too: where it errs the same way in all views and for long, the covariance counts
    its views as so many fewer.

    References
    ----------
    Nister (2004), An efficient solution to the five-point relative pose problem; Triggs, McLauchlan, Hartley and
    Fitzgibbon (2000), Bundle adjustment: a modern synthesis.

    Examples
    --------
    Two points on a body are 100 mm apart; they wander about before three cameras.

    >>> import numpy as np
    >>> from muybridge.cameras import Camera, CameraRig
    >>> from muybridge.cameras.rotations import rotation_matrix
    >>> from muybridge.triangulate import calibrate_from_points
    >>> K = [[1000, 0, 640], [0, 1000, 512], [0, 0, 1]]
    >>> turns = [rotation_matrix(np.array([0.3, angle, 0.0])) for angle in (0.0, 1.2, 2.4)]
    >>> rig = CameraRig(tuple(Camera(f"cam_{i}", (1280, 1024), K, [], R, [0, 0, 900]) for i, R in enumerate(turns)))
    >>> rng = np.random.default_rng(0)
    >>> body = np.array([[0, 0, 0], [100.0, 0, 0], [30, 60, 20]])
    >>> points_3d = body + rng.uniform(-150, 150, (100, 1, 3))
    >>> found = calibrate_from_points(rig.project(points_3d), rig, lengths=[("0", "1", 100.0)])
    >>> print(f"{np.linalg.norm(found.rig[0].center - found.rig[1].center):.1f}")
    1001.6
    """
    lenses = cameras if isinstance(cameras, CameraRig) else CameraRig(tuple(cameras.values()))
    blank = CameraRig(tuple(replace(camera, R=np.eye(3), t=np.zeros(3)) for camera in lenses), unit=unit)
    if len(blank) < 2:
        raise CalibrationError("cameras are placed by points that two of them see; the rig has one")
    points_2d, confidence, names = from_views(points_2d, blank, confidence=confidence, keypoints=keypoints)
    points_2d, confidence = check_observations(points_2d, blank, confidence, by_frame=True)
    names = _names(names, points_2d.shape[2])
    known, vertical = read_lengths(lengths, blank.names, names), _vertical(up, blank, floor)
    seen = points_2d[:, evenly_spread(points_2d.shape[1], _FRAMES)].copy()
    if confidence is not None:
        seen[confidence[:, evenly_spread(points_2d.shape[1], _FRAMES)] < _SURE] = np.nan
    placed = _placed(seen, blank, vertical, n_points, names, skeleton)
    found = robust_points(seen, placed.rig)
    _check_planes(found, placed.rig)
    scale = Scale(1.0, np.inf)
    if known:
        scale = scale_of(known, placed.rig, names, found.points_3d, found.covariances_3d)
    rig, ground = _in_world(placed.rig, found, scale.factor, vertical, floor, names)
    found = robust_points(seen, rig)
    if known:
        scale = replace(scale, change=_change_of_lengths(known, scale, rig, names, seen, found, placed))
    late = frame_offsets(points_2d, rig, confidence=confidence).sentences()
    placed = replace(placed, warnings=placed.warnings + tuple(late))
    return _result(seen, found, placed, rig, scale, ground, facts_of(placed, rig, known, scale, ground, up))


def _names(names: Sequence[str] | None, n_keypoints: int) -> list[str]:
    if names is None:
        return [str(k) for k in range(n_keypoints)]
    if len(names) != n_keypoints:
        raise CalibrationError(f"{len(names)} names of keypoints were given, the points have {n_keypoints}")
    return [str(name) for name in names]


def _vertical(
    up: Mapping[str, Sequence[float]] | None, rig: CameraRig, floor: bool | Sequence[str]
) -> dict[int, Array]:
    """{camera: unit vector against gravity in its frame}."""
    if up and floor:
        raise CalibrationError("give either `up` or `floor`; both set the vertical")
    found = {}
    for name, direction in (up or {}).items():
        values = np.asarray(direction, dtype=float)
        if name not in rig.names or values.shape != (3,) or not np.linalg.norm(values) > 0:
            raise CalibrationError(
                f"up is {{camera: [x, y, z]}}, a direction in the frame of one of {list(rig.names)}; got {name!r}:"
                f" {direction!r}"
            )
        found[rig.names.index(name)] = values / np.linalg.norm(values)
    return found


def _placed(seen: Array, rig: CameraRig, up, n_points: int, names: list[str], skeleton: Skeleton | None) -> Placement:
    n_cameras, n_frames, n_keypoints = seen.shape[:3]
    flat, exchanged = seen.reshape(n_cameras, -1, 2), None
    pairs = [] if skeleton is None else [pair for pair in skeleton.symmetries if set(pair) <= set(names)]
    if pairs:
        exchanged = seen[:, :, mirror_partners(names, pairs)].reshape(n_cameras, -1, 2)
    keypoint = np.tile(np.arange(n_keypoints), n_frames)
    return place(flat, keypoint, rig, n_points=n_points, up=up, exchanged=exchanged)


def _check_planes(found: Triangulation, rig: CameraRig) -> None:
    """Refuse two cameras and points of one plane: two poses explain them exactly."""
    if len(rig) > 2:
        return
    points = found.points_3d[np.isfinite(found.points_3d[..., 0])]
    noise = np.sqrt(np.nanmedian(np.trace(found.covariances_3d, axis1=-2, axis2=-1)) / 3)
    thickness = np.inf
    for _ in range(5):  # without the points off the plane
        across = np.linalg.svd(points - points.mean(axis=0), full_matrices=False)[2][2]
        height = (points - points.mean(axis=0)) @ across
        thickness = robust_std(height)
        points = points[np.abs(height - np.median(height)) < 4 * thickness + 1e-12]
    if thickness < _FLAT * noise:
        raise CalibrationError(
            "all points lie in one plane, which two cameras see alike from two places each; record points at different"
            " heights, or add a camera"
        )


def _change_of_lengths(
    known: list[KnownLength], scale: Scale, rig: CameraRig, names, seen: Array, found: Triangulation, placed: Placement
) -> Array:
    """(6 C,) derivative of the logarithm of the known lengths, weighed as for the scale, by the cameras' motions."""
    rows = []
    for length in known:
        if length.cameras:
            rows.append(camera_distance_change(rig, rig.names.index(length.one), rig.names.index(length.other)))
            continue
        ends = [names.index(length.one), names.index(length.other)]
        frames = np.flatnonzero(np.isfinite(found.points_3d[:, ends, 0]).all(axis=1))
        frames = frames[evenly_spread(len(frames), _JUDGED)]
        points_3d, views = (np.concatenate([part[..., frames, k, :] for k in ends], axis=-2)
                            for part in (found.points_3d, seen))  # fmt: skip
        rows.append(bone_length_change(equations(rig, points_3d, views, placed.sigma, placed.inflation)))
    return scale.weights @ np.array(rows)


def _in_world(
    rig: CameraRig, found: Triangulation, factor: float, up: dict[int, Array], floor: bool | Sequence[str], names
) -> tuple[CameraRig, Floor | None]:
    """The rig in world units, in the first camera's frame or above the floor, with its vertical if it is known."""
    first = rig[0]
    if not floor:
        rig = move_rig(rig, first.R, factor * first.t, scale=factor)
        vertical = np.sum([rig[c].R.T @ direction for c, direction in up.items()], axis=0) if up else None
        return replace(rig, up=vertical), None
    chosen = names if floor is True else list(floor)
    unknown = [name for name in chosen if name not in names]
    if unknown:
        raise CalibrationError(f"floor names the keypoints {unknown}, which are not among {names}")
    at = [names.index(name) for name in chosen]
    ground = find_floor(found.points_3d[:, at], found.covariances_3d[:, at], rig.centers)
    axis = first.R.T @ [1.0, 0, 0]  # the first camera's right, laid on the floor
    axis = axis if abs(axis @ ground.normal) < 0.9 else first.R.T @ [0, 0, 1.0]
    x = axis - (axis @ ground.normal) * ground.normal
    x /= np.linalg.norm(x)
    R = np.stack([x, np.cross(ground.normal, x), ground.normal])
    return move_rig(rig, R, -factor * R @ ground.origin, np.array([0.0, 0, 1]), scale=factor), ground


def _result(
    seen: Array,
    found: Triangulation,
    placed: Placement,
    rig: CameraRig,
    scale: Scale,
    ground: Floor | None,
    facts: dict,
) -> PointCalibration:
    """The calibration with its covariance and report; raises CalibrationError where the poses are left open."""
    points_3d = found.points_3d.reshape(-1, 3)[placed.rows]
    there = np.isfinite(points_3d[:, 0])
    points_3d, n = points_3d[there], len(rig)
    system = equations(rig, points_3d, placed.points_2d[:, there], placed.sigma, placed.inflation)
    still, middle = points_stand_still(system), points_3d.mean(axis=0)
    size = still[6:] if scale.change is None else scale.change[None]
    relative = scale.std if np.isfinite(scale.std) else 0.0
    by_points = pose_covariance(system.S, rig, np.concatenate([still[:6], size]), middle, relative)
    held = np.concatenate([camera_stands_still(n), size])
    by_camera = pose_covariance(system.S, rig, held, rig[0].center, relative).reshape(n, 6, n, 6)
    lenses = np.zeros((n, 24, n, 24))
    lenses[:, 18:, :, 18:] = by_points.reshape(n, 6, n, 6)
    degrees = np.nan if ground is None else ground.degrees
    result = PointCalibration(rig, CalibrationReport({}, {}), lenses, by_camera, scale.std, degrees)
    few = points_3d[evenly_spread(len(points_3d), _JUDGED)]
    facts = facts | error_facts(rig, volume_uncertainty(cast(Any, result), few))
    fitted = np.zeros(found.points_3d.shape[:2], dtype=bool)
    fitted.ravel()[placed.rows] = True
    held = np.concatenate([camera_stands_still(n), still[6:]])
    by_shape = pose_covariance(system.S, rig, held, rig[0].center, 0.0)
    warnings = judged(rig, by_shape, middle, scale, degrees) + placed.warnings
    notes = (placed.note,) if placed.note else ()
    return replace(result, report=point_report(seen, found, fitted, rig, facts=facts, warnings=warnings, notes=notes))
