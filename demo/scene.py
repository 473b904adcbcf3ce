"""The room of the demo: six cameras, floor and walls, light, shadows, noise, and how one frame is put together."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RectBivariateSpline

from ..cameras import Camera, CameraRig
from ..cameras.rotations import look_at
from ..numerics.arrays import Array
from . import _kernels_render as kernels
from .coat import Coat
from .shadows import LIGHT, Float32, Shadow

Image = NDArray[np.uint8]  # (height, width, 3), BGR
SIZE = (1280, 720)  # pixels of every camera: the animal is some 300 long in them
NOISE = 1.8  # grey levels of 255, standard deviation: seen on plain walls, weak against the coat
# the sub-frames of one exposure: the place of each in time (in exposures) and the corner of the pixel it looks through;
# both are centred, so that the middle of the exposure is what the picture shows
MOMENTS = np.array([-1.0, 0.0, 1.0]) / 3
# a triangle about the middle of a pixel, pixels: where rays are cast
CORNERS = np.array([[-1.0, 0.0], [0.0, 1.0], [1.0, -1.0]]) / 3
FAR = 1e6  # rays that never meet the floor: where it ends, in lengths of the ray
_GRID = 16  # pixels
# all round the animal and above it; no two lenses alike. Angles in degrees, lengths in mm, focal lengths in pixels
_CAMERAS = {
    #        azimuth, distance, height (mm), aim (mm), focal, aspect, principal point, distortion
    "north": (90, 1420, 700, (20, -10, 60), 1180, 1.0015, (648, 352), (-0.21, 0.060, 0.0006, -0.0004)),
    "northwest": (152, 1480, 1010, (-10, 20, 40), 1275, 0.9990, (633, 366), (-0.28, 0.110, -0.0005, 0.0007, -0.020)),
    "southwest": (211, 1400, 640, (0, 0, 70), 1130, 1.0008, (655, 371), (-0.17, 0.035, 0.0003, 0.0005)),
    "south": (268, 1530, 900, (-20, 0, 50), 1340, 1.0000, (629, 349), (-0.31, 0.140, 0.0004, -0.0008, -0.030)),
    "southeast": (328, 1390, 760, (10, 10, 60), 1155, 0.9985, (644, 358), (-0.12, 0.020, -0.0007, 0.0002)),
    "northeast": (34, 1500, 1340, (0, -20, 40), 1300, 1.0020, (637, 363), (0.06, -0.050, 0.0005, 0.0003)),
}  # fmt: skip


def make_rig() -> CameraRig:
    """Six pinhole cameras of 1280x720 with different lenses around the volume; millimetres, z up."""
    cameras = []
    for name, (azimuth, distance, height, aim, focal, aspect, principal, distortion) in _CAMERAS.items():
        angle = np.radians(azimuth)
        position = np.array([distance * np.cos(angle), distance * np.sin(angle), height])
        R, t = look_at(position, aim)
        K = np.array([[focal, 0, principal[0]], [0, focal * aspect, principal[1]], [0, 0, 1.0]])
        cameras.append(Camera(name, SIZE, K, np.array(distortion), R, t))
    return CameraRig(tuple(cameras), unit="mm", up=np.array([0.0, 0.0, 1.0]))


@dataclass(frozen=True, eq=False)
class View:
    """One camera with what is computed once: each pixel's ray and place on the floor, and the empty room."""

    camera: Camera
    x: Float32
    y: Float32
    floor_x: Float32
    floor_y: Float32
    background: Float32
    empty: Image

    def rays(self, top: int, left: int) -> kernels.Rays:
        """Of the window that begins there."""
        return kernels.Rays(self.x, self.y, self.camera.R, self.camera.center, top, left)


def make_view(camera: Camera, room: Room) -> View:
    ideal = undistorted_pixels(camera)
    y = (ideal[..., 1] - camera.K[1, 2]) / camera.K[1, 1]
    x = (ideal[..., 0] - camera.K[0, 2] - camera.K[0, 1] * y) / camera.K[0, 0]
    rays = np.stack([x, y, np.ones_like(x)], -1) @ camera.R
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(rays[..., 2] < -1e-6, -camera.center[2] / rays[..., 2], FAR)
    floor_x, floor_y = camera.center[0] + t * rays[..., 0], camera.center[1] + t * rays[..., 1]
    background = room.paint(camera.center, rays, floor_x, floor_y)
    # corners a little darker, as behind any lens
    background *= (1 - 0.16 * np.clip(x**2 + y**2, 0, 1) / 0.45)[..., None]
    x, y, floor_x, floor_y, painted = (a.astype(np.float32) for a in (x, y, floor_x, floor_y, background))
    return View(camera, x, y, floor_x, floor_y, painted, _to_bytes(painted))


def undistorted_pixels(camera: Camera) -> Array:
    """(height, width, 2) of each pixel: exact on a grid, by cubic splines (to 1e-5 px) between."""
    v, u = (np.arange(0, side + _GRID, _GRID, dtype=float) for side in camera.size[::-1])
    exact = camera.undistort(np.stack(np.meshgrid(u, v), -1))
    rows, columns = (np.arange(side, dtype=float) for side in camera.size[::-1])
    return np.stack([RectBivariateSpline(v, u, exact[..., k])(rows, columns) for k in range(2)], -1)


def _to_bytes(image: NDArray, scale: float = 1.0) -> Image:
    return np.asarray(cv2.convertScaleAbs(image, alpha=scale), np.uint8) if image.size else image.astype(np.uint8)


class Room:
    """A round room: a floor of planks with a grey arena in it, and a plain curved wall; lengths in mm."""

    radius = 2300.0
    arena = 600.0  # radius of the painted ring
    cell = 2.5  # of the painted floor

    def __init__(self, seed: int = 0):
        self._floor = _make_floor(np.random.default_rng(seed))

    def paint(self, centre: Array, rays: Array, floor_x: Array, floor_y: Array) -> Array:
        """(height, width, 3) BGR of the empty room."""
        cell = self.cell
        size = self._floor.shape[0]
        on_floor = np.hypot(floor_x, floor_y) < self.radius
        maps = [np.where(on_floor, a / cell + size / 2, 0).astype(np.float32) for a in (floor_x, floor_y)]
        floor = cv2.remap(self._floor, maps[0], maps[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        # where the ray meets the wall
        a = rays[..., 0] ** 2 + rays[..., 1] ** 2
        b = centre[0] * rays[..., 0] + centre[1] * rays[..., 1]
        t = (-b + np.sqrt(b * b - a * (centre[0] ** 2 + centre[1] ** 2 - self.radius**2))) / a
        hit = centre + t[..., None] * rays
        azimuth, height = np.arctan2(hit[..., 1], hit[..., 0]), hit[..., 2]
        folds = 0.5 + 0.5 * np.sin(46 * azimuth + 1.3 * np.sin(9 * azimuth))
        bright = 62 + 26 * folds * np.clip(height / 900, 0.25, 1) + 18 * np.clip(height / 1500, 0, 1)
        wall = bright[..., None] * np.array([1.06, 1.0, 0.92])
        return np.where(on_floor[..., None], floor, wall)


def _coarse_noise(rng: np.random.Generator, n: int, blur_x: float, blur_y: float) -> Float32:
    """(n, n) float32 smooth noise of unit spread: drawn coarsely and enlarged, because a wide blur is slow."""
    shape = max(int(2 * n / blur_y), 2), max(int(2 * n / blur_x), 2)
    coarse = rng.normal(size=shape).astype(np.float32)
    noise = cv2.resize(coarse, (n, n), interpolation=cv2.INTER_CUBIC)
    return noise / noise.std()


def _make_floor(rng: np.random.Generator) -> Float32:
    """(n, n, 3) BGR float32: planks outside, a speckled mat inside a painted ring."""
    n = int(2 * Room.radius / Room.cell)
    axis = ((np.arange(n) - n / 2) * Room.cell).astype(np.float32)
    x, y = axis[None, :], axis[:, None]
    plank = np.floor((axis + Room.radius) / 140).astype(int)
    tone = rng.uniform(0.86, 1.08, (plank.max() + 1, 4)).astype(np.float32)
    shift = rng.uniform(0, 1400, plank.max() + 1)[plank]
    piece = np.floor((x + shift[:, None]) / 1400).astype(int) % 4
    bright = tone[plank[:, None], piece] * (1 + 0.05 * _coarse_noise(rng, n, 100, 3))
    bright[np.abs((axis + Room.radius) % 140 - 70) > 68] *= 0.72
    planks = bright[..., None] * np.array([88, 118, 148], dtype=np.float32)
    mat = 128 + 6 * _coarse_noise(rng, n, 6, 6) + 5 * _coarse_noise(rng, n, 60, 60)
    mat = mat[..., None] * np.array([1.0, 1.02, 0.98], dtype=np.float32)
    from_centre = np.hypot(x, y)
    inside = np.clip((Room.arena - from_centre) / 4 + 0.5, 0, 1)[..., None]
    ring = np.clip((16 - np.abs(from_centre - Room.arena)) / 4 + 0.5, 0, 1)[..., None]
    floor = planks * (1 - inside) + mat * inside
    floor = floor * (1 - ring) + np.array([196, 204, 206], dtype=np.float32) * ring
    light = 1.08 - 0.28 * np.clip(from_centre / Room.radius, 0, 1) ** 1.5
    return np.ascontiguousarray(floor * light[..., None], dtype=np.float32)


def _window(points_2d: Array, margin: Array | float, size: tuple[int, int]) -> NDArray[np.int64]:
    """(..., 4) top, left, bottom, right of a box round points (..., n, 2) with margins (..., n), cut at the image.

    The whole image where a point has no pixel.
    """
    margin, whole = np.asarray(margin)[..., None], np.array([0, 0, size[1], size[0]])
    low = np.floor((points_2d - margin).min(axis=-2))
    high = np.ceil((points_2d + margin).max(axis=-2)) + 1
    box = np.concatenate([low[..., ::-1], high[..., ::-1]], axis=-1).clip(0, np.tile(whole[2:], 2))
    known = np.asarray(np.isfinite(points_2d).all(axis=(-2, -1)))
    return np.where(known[..., None], box, whole).astype(np.int64)


def _join(boxes: NDArray[np.int64]) -> NDArray[np.int64]:
    """(4,) the box that holds those of (n, 4) boxes that are not empty."""
    boxes = boxes[(boxes[:, 2:] > boxes[:, :2]).all(axis=1)]
    return np.r_[boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)] if len(boxes) else np.zeros(4, dtype=np.int64)


def part_boxes(camera: Camera, parts: Array) -> NDArray[np.int64]:
    """(..., n_parts, 4) top, left, bottom, right of the pixels that may show each round cone (..., n_parts, 8)."""
    centres, radii = np.stack([parts[..., :3], parts[..., 4:7]], axis=-2), parts[..., [3, 7]]
    depth = (centres @ camera.R.T + camera.t)[..., 2]
    reach = 1.25 * camera.K[0, 0] * radii / np.maximum(depth - radii, 1.0) + 2.0
    return _window(camera.project(centres), reach, camera.size)


def _behind(view: View, shadow: Shadow, boxes: NDArray[np.int64]) -> tuple[Image, NDArray[np.int64], Float32]:
    """The empty room with a shadow, the box that holds the boxes (n, 4) of what is to be drawn, and the room there."""
    ground = _window(view.camera.project(shadow.corners), 2.0, view.camera.size)
    top, left, bottom, right = _join(np.vstack([boxes, ground]))
    under = view.background[top:bottom, left:right].copy()
    darken(under, view, shadow, top, left)
    image, box = view.empty.copy(), _join(boxes)
    image[top:bottom, left:right] = _to_bytes(under)
    inner = under[box[0] - top : box[2] - top, box[1] - left : box[3] - left]
    return image, box, np.ascontiguousarray(inner)


def darken(under: Float32, view: View, shadow: Shadow, top: int, left: int) -> None:
    """Multiply a window of the background by the light that the shadow leaves on the floor."""
    part = np.s_[top : top + under.shape[0], left : left + under.shape[1]]
    if under.size:
        x, y = (
            (floor[part] - np.float32(origin)) / np.float32(shadow.cell) - np.float32(0.5)
            for floor, origin in zip((view.floor_x, view.floor_y), shadow.origin, strict=True)
        )
        under *= (1 - cv2.remap(shadow.darkness, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT))[..., None]


def draw_animal(view: View, coat: Coat, parts: Array, dorsal: Array, shadow: Shadow) -> Image:
    """(height, width, 3) uint8 without noise.

    Parameters
    ----------
    parts, dorsal : (3, n_parts, 8), (3, n_parts, 3), the animal at the moments of the exposure
    """
    camera, boxes = view.camera, part_boxes(view.camera, parts)
    image, (top, left, bottom, right), under = _behind(view, shadow, boxes.reshape(-1, 4))
    total, rays = np.zeros_like(under), view.rays(top, left)
    shape, offsets = (len(CORNERS), *under.shape[:2]), CORNERS / [camera.K[0, 0], camera.K[1, 1]]
    nearest = kernels.Nearest(np.empty(shape), np.empty(shape, dtype=np.int64))
    bodies = kernels.Body(np.stack([kernels.prepared(one) for one in parts]), dorsal)
    for k, offset in enumerate(offsets):
        one = kernels.Nearest(nearest.depth[k], nearest.which[k])
        kernels.part_depths(bodies.parts[k], boxes[k], rays, offset, one)
    kernels.add_animal(total, under, bodies, coat, LIGHT, rays, offsets, nearest)
    image[top:bottom, left:right] = _to_bytes(total, 1 / len(CORNERS))
    return image


def draw_board(view: View, picture: NDArray, texel: float, poses: Array, shadow: Shadow) -> Image:
    """(height, width, 3) uint8 without noise, of a picture on a plane.

    Parameters
    ----------
    picture : (rows, columns) float32 grey values
    texel : size of its pixels, world units
    poses : (n_samples, 4, 3) corner, x direction, y direction and normal at instants of the exposure
    """
    camera = view.camera
    sides = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * picture.shape[::-1]
    corners = poses[:, 0, None] + texel * np.einsum("cs,nsk->nck", sides, poses[:, 1:3])
    board = _window(camera.project(corners.reshape(-1, 3)), 3.0, camera.size)
    image, (top, left, bottom, right), under = _behind(view, shadow, board[None])
    total = np.zeros_like(under)
    # low-discrepancy corners (the plastic number's sequence), centred so that nothing shifts
    corner = (np.arange(len(poses))[:, None] * [0.754877666, 0.569840291] + 0.5) % 1.0
    offsets = (corner - corner.mean(axis=0)) / [camera.K[0, 0], camera.K[1, 1]]
    axes, corners = poses[:, 1:], np.einsum("nij,nj->ni", poses[:, 1:], poses[:, 0] - camera.center)
    lit = poses[:, 3] @ LIGHT
    bright = 0.62 + 0.38 * np.maximum(np.stack([lit, -lit], axis=-1), 0)
    kernels.add_board(total, under, picture, texel, axes @ camera.R.T, corners, bright, view.rays(top, left), offsets)
    image[top:bottom, left:right] = _to_bytes(total)
    return image


class Noise:
    """Sensor noise: one large sheet of it, laid over each frame at another place."""

    def __init__(self, seed: int):
        rng = np.random.default_rng(seed)
        sheet = np.round(rng.normal(0, NOISE, (SIZE[1] + 211, SIZE[0] + 307, 1))).repeat(3, axis=2)
        # one sheet to add and one to subtract: OpenCV adds bytes to bytes three times as fast as numbers with a sign
        self._sheets = tuple(np.maximum(part, 0).astype(np.uint8) for part in (sheet, -sheet))

    def add(self, image: Image, index: int) -> Image:
        i, j = (index * 89) % 211, (index * 173) % 307
        more, less = (sheet[i : i + SIZE[1], j : j + SIZE[0]] for sheet in self._sheets)
        return np.asarray(cv2.subtract(cv2.add(image, more), less), dtype=np.uint8)
