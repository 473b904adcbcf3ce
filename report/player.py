"""What the 3D player of the report draws, packed small: positions, uncertainty, cameras and floor in display axes."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..datasets import Array, Skeleton, pose_dataset
from ..datasets.individuals import individual_names
from ..datasets.sides import symmetric_pairs
from ..kinematics.angles.segment_frames import horizontal_axes
from .markup import base64_of

# bytes of the page; frames beyond are thinned, so that the page stays at a few MB
POSITION_BYTES = 1_500_000
SPREAD_BYTES = 700_000  # of the covariances, of which fewer frames are enough: they change slowly
MISSING = -32768  # the smallest int16 stands for NaN
N_COLOURS = 6  # of individuals, in page.css; the seventh has that of the first
FRUSTUM_DEPTH = 0.16  # of the drawn camera, in median distances of the cameras from their middle


def rig_scene(rig) -> dict:
    """The scene of a rig without an animal."""
    return player_scene(pose_dataset(np.empty((0, 0, 3)), keypoints=[], times=np.empty(0), unit=rig.unit), None, rig)


def player_scene(pose: xr.Dataset, skeleton: Skeleton | None, rig) -> dict:
    """The scene as a JSON-able dictionary, in axes whose third points up.

    Parameters
    ----------
    pose : position (time, keypoint, space), optionally covariance and n_cameras; individuals become further keypoints
    skeleton : bones and sides; None draws points only
    rig : CameraRig drawn around the animal, whose `up` is the vertical; None draws none

    Returns
    -------
    dict with `individuals` (name, colour) where there are several, and base64 arrays, little-endian: `positions` int16
    (n_shown, n_points, 3), in steps of `step` from `origin`, −32768 where missing; `times` float32; `spread` float16
    (n_spread, n_points, 6), the lower triangle of the Cholesky factor of the covariance in units of `spread_unit`, NaN
    where unknown; `cameras_seen` uint8
    """
    keypoints, individuals = [str(name) for name in pose["keypoint"].values], individual_names(pose)
    n_individuals = max(1, len(individuals))
    points = _side_by_side(pose["position"])
    up, known = vertical_of(rig)
    axes = display_axes(up)
    stride = _stride(len(points), points.shape[1] * 6, POSITION_BYTES)
    shown = slice(None, None, stride)
    times = np.asarray(pose["time"].values, float)
    points = points[shown] @ axes.T
    seen = points[np.isfinite(points).all(-1)]
    origin, step, packed = _quantised(points, seen)
    size = _scene_size(seen, rig)
    scene = {
        "individuals": coloured(individuals),
        "keypoints": point_names(keypoints, individuals),
        "bones": bone_indices(keypoints, skeleton, n_individuals),
        "sides": keypoint_sides(keypoints, skeleton) * n_individuals,
        "unit": str(pose["position"].attrs.get("units", "")),
        "stride": stride * int(pose.attrs.get("every", 1)),
        "every": int(pose.attrs.get("every", 1)),
        "n_frames": int(pose.attrs.get("n_frames", len(times))),
        "n_shown": len(points),
        "times": base64_of((times[shown] - (times[0] if len(times) else 0.0)).astype("<f4")),
        "start": float(times[0]) if len(times) else 0.0,
        "origin": _rounded(origin),
        "step": float(step),
        "positions": base64_of(packed),
        "vertical_known": known,
        "world": [_rounded(axis) for axis in axes.T],
        "floor": _floor(seen, size),
        "cameras": _frusta(rig, axes, seen, size) if rig is not None else [],
    }
    if "covariance" in pose:
        scene |= _spread(_side_by_side(pose["covariance"]), axes, size, stride)
    if "n_cameras" in pose:
        counts = np.nan_to_num(_side_by_side(pose["n_cameras"])[shown]).clip(0, 255)
        scene["cameras_seen"] = base64_of(counts.astype(np.uint8))
    return scene


def every_position(pose: xr.Dataset, scene: dict, rig) -> np.ndarray:
    """(n_frames, n_points, 3) int16: the positions of all frames, as `scene` has those of the shown ones."""
    points = _side_by_side(pose["position"]) @ display_axes(vertical_of(rig)[0]).T
    counts = np.rint((points - np.asarray(scene["origin"])) / scene["step"])
    return np.where(np.isfinite(counts), counts.clip(MISSING + 1, -MISSING - 1), MISSING).astype("<i2")


def _side_by_side(values: xr.DataArray) -> Array:
    """(n_frames, n_points, ...): the keypoints of all individuals side by side."""
    array: Array = np.asarray(values.values, dtype=np.float64)
    return np.concatenate(list(array), axis=1) if "individual" in values.dims else array


def _stride(n_frames: int, bytes_per_frame: int, budget: int) -> int:
    """Every how many frames one is shown, so that all of them fit the budget."""
    return max(1, -(-n_frames * bytes_per_frame // budget))


def _quantised(points: Array, seen: Array) -> tuple[Array, float, np.ndarray]:
    """Corner, step and int16 counts of steps from it; the step is a 65,000th of the largest extent of what is seen."""
    if not len(seen):
        return np.zeros(3), 1.0, np.full(points.shape, MISSING, dtype="<i2")
    low, high = seen.min(0), seen.max(0)
    step = float((high - low).max() / 65000) or 1.0
    origin = (low + high) / 2
    counts = np.rint((points - origin) / step)
    return origin, step, np.where(np.isfinite(counts), counts, MISSING).astype("<i2")


def _scene_size(seen: Array, rig) -> float:
    """Diagonal of the box that holds the middle 98 % of the points: stray points do not shrink the picture.

    Without points the distance of the first camera from the middle of all, or 1.
    """
    if len(seen):
        return float(np.linalg.norm(np.quantile(seen, 0.99, axis=0) - np.quantile(seen, 0.01, axis=0))) or 1.0
    if rig is not None:
        return float(np.linalg.norm(rig.centers[0] - rig.centers.mean(axis=0))) or 1.0
    return 1.0


def vertical_of(rig) -> tuple[Array, bool]:
    """The up direction, and whether it is known; else a guess from the cameras, else z."""
    if rig is None:
        return np.array([0.0, 0.0, 1.0]), False
    if rig.up is not None:
        return np.asarray(rig.up, float) / np.linalg.norm(rig.up), True
    return level_direction(np.stack([camera.R for camera in rig.cameras])), False


def level_direction(rotations: Array) -> Array:
    """The direction that makes the rows of all images level: cameras are tilted and turned, seldom rolled.

    Of (n_cameras, 3, 3) world-to-camera rotations. The images' own upward directions decide between equals (cameras
    side by side have parallel rows), and the sign, together with the habit of looking down on animals.
    """
    right, up, back = rotations[:, 0], -rotations[:, 1], -rotations[:, 2]
    _, vectors = np.linalg.eigh(right.T @ right - 1e-3 * up.T @ up)
    level = vectors[:, 0]
    return level if level @ (up + 0.7 * back).sum(axis=0) >= 0 else -level


def display_axes(up: Array) -> Array:
    """(3, 3) rotation into axes whose third is `up`; the identity where up is z."""
    return np.stack([*horizontal_axes(up), up])


def _floor(seen: Array, size: float) -> dict:
    """A level grid of round steps under the animal (the lowest percentile of heights), or around the origin."""
    step = round_step(size / 8)
    if not len(seen):
        return {"step": step, "low": [-4, -4], "high": [4, 4], "height": 0.0}
    lowest, highest = np.quantile(seen, (0.005, 0.995), axis=0)
    low = np.floor(lowest[:2] / step - 0.5).astype(int).tolist()
    high = np.ceil(highest[:2] / step + 0.5).astype(int).tolist()
    return {"step": step, "low": low, "high": high, "height": float(lowest[2])}


def round_step(length: float) -> float:
    """The 1, 2 or 5 times a power of ten nearest below or at `length`."""
    power = 10.0 ** np.floor(np.log10(length))
    return float(max(m * power for m in (1, 2, 5) if m * power <= length * 1.0001))


def _frusta(rig, axes: Array, seen: Array, size: float) -> list[dict]:
    """Centre and the four image corners of each camera at a drawn depth, in display axes."""
    middle = np.median(seen, axis=0) if len(seen) else np.zeros(3)
    centres = rig.centers @ axes.T
    depth = FRUSTUM_DEPTH * float(np.median(np.linalg.norm(centres - middle, axis=1))) or size
    frusta = []
    for camera, centre in zip(rig.cameras, centres, strict=True):
        width, height = camera.size
        corners = np.array([[0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1]], float)
        rays = np.linalg.solve(camera.K, corners.T).T
        # wide lenses: the corner rays of the pinhole are drawn no wider than 60 degrees from the axis
        rays[:, :2] *= np.minimum(1.0, 1.7 / np.maximum(np.linalg.norm(rays[:, :2], axis=1), 1e-9))[:, None]
        ends = centre + depth * (rays @ camera.R) @ axes.T
        frusta.append({"name": camera.name, "centre": _rounded(centre), "corners": [_rounded(end) for end in ends]})
    return frusta


def _spread(covariances: Array, axes: Array, size: float, stride: int) -> dict:
    """Cholesky factors of the shown frames' covariances as float16, thinned on their own where they are many."""
    n_frames, n_points = covariances.shape[:2]
    thinning = _stride(-(-n_frames // stride), n_points * 12, SPREAD_BYTES)
    unit = size / 1000
    turned = axes @ covariances[:: stride * thinning] @ axes.T / unit**2
    with np.errstate(over="ignore"):
        packed = cholesky_triangles(turned).astype("<f2")
    packed[~np.isfinite(packed)] = np.nan
    return {"spread": base64_of(packed.view("<u2")), "spread_unit": unit, "spread_stride": thinning}


def cholesky_triangles(covariances: Array) -> Array:
    """(..., 6) lower triangle row by row; NaN where a covariance is missing or not positive semi-definite."""
    flat = covariances.reshape(-1, 3, 3)
    good: NDArray[np.bool_] = np.all(np.isfinite(flat), axis=(-1, -2))
    values, vectors = np.linalg.eigh(np.where(good[:, None, None], flat, np.eye(3)))
    smallest, largest = values[:, 0], values[:, 2]
    good &= (largest > 0) & (smallest > -1e-6 * largest)
    # the triangle of the QR of a square root: exists for singular covariances too
    roots = vectors * np.sqrt(np.maximum(values, 0))[:, None, :]
    lower = np.swapaxes(np.linalg.qr(np.swapaxes(roots, -1, -2), mode="r"), -1, -2)
    triangle = lower[:, [0, 1, 1, 2, 2, 2], [0, 0, 1, 0, 1, 2]]
    triangle[~good] = np.nan
    return triangle.reshape(*covariances.shape[:-2], 6)


def coloured(individuals: list[str]) -> list[tuple[str, int]]:
    """Each of several individuals with the number of its colour in page.css; one alone has those of its sides."""
    return [(name, i % N_COLOURS + 1) for i, name in enumerate(individuals)] if len(individuals) > 1 else []


def point_names(keypoints: list[str], individuals: list[str]) -> list[str]:
    """The names of the drawn points: keypoints, of several individuals with whose they are."""
    return [f"{one}: {name}" for one in individuals for name in keypoints] if individuals else keypoints


def bone_indices(keypoints: list[str], skeleton: Skeleton | None, n_individuals: int = 1) -> list[list[int]]:
    """Bones as pairs of positions among the drawn points; those with an end that the pose lacks are left out."""
    n, pairs = len(keypoints), [[keypoints.index(end) for end in bone] for bone in known_bones(skeleton, keypoints)]
    return [[a + i * n, b + i * n] for i in range(n_individuals) for a, b in pairs]


def known_bones(skeleton: Skeleton | None, keypoints: Collection[str]) -> list[tuple[str, str]]:
    """The skeleton's bones both of whose ends are among the keypoints."""
    return [bone for bone in (skeleton.bones if skeleton else ()) if set(bone) <= set(keypoints)]


def keypoint_sides(keypoints: list[str], skeleton: Skeleton | None) -> list[int]:
    """0 midline, 1 left, 2 right, by the skeleton's symmetries, or by the names where it has none."""
    pairs = skeleton.symmetries if skeleton and skeleton.symmetries else symmetric_pairs(keypoints)
    sides = {name: side for pair in pairs for side, name in enumerate(pair, 1)}
    return [sides.get(name, 0) for name in keypoints]


def _rounded(values: Array) -> list[float]:
    return [float(f"{value:.7g}") for value in np.asarray(values, float)]
