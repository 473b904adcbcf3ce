"""The body round the bones: which round cones make the animal, and the colours of its coat.

The left legs wear white stockings and the right legs dark ones, as on a piebald animal: left and right can be told
apart in any view, as two legs of one colour often cannot.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from ..datasets.arrays import Array
from .render_animal import Gallop, Motion, gallop

# BGR
TAN, CREAM, DARK, WHITE, PINK = (78, 140, 196), (176, 205, 222), (34, 40, 52), (222, 232, 238), (84, 84, 120)
N_TAIL = 5


@dataclass(frozen=True, eq=False)
class Coat:
    """What does not move. colours (n, 12): back, belly, end (BGR each), where the end begins, spots, shine."""

    names: tuple[str, ...]
    radii: Array
    colours: Array
    near: NDArray[np.int64]
    rest: Array
    spots: NDArray[np.float32]


def _legs() -> list[tuple]:
    """(name, start, end, radii, back, belly, end colour, where it begins, spots, shine, grows together with)."""
    rows = []
    for side in ("left", "right"):
        sock, sleeve = (WHITE, CREAM) if side == "left" else (DARK, (52, 78, 112))
        f, h = f"{side}_fore", f"{side}_hind"
        fore = [f"{side}_{name}" for name in ("shoulder", "elbow", "wrist", "paw")]
        hind = [f"{side}_{name}" for name in ("hip", "knee", "ankle", "toe")]
        # fmt: off
        rows += [
            (f + "_upper", fore[0], fore[1], (28, 17), TAN, TAN, sleeve, 0.72, 0.9, 6,
             ("chest", "brisket", f + "_lower")),
            (f + "_lower", fore[1], fore[2], (17, 10.5), sleeve, sleeve, sock, 0.55, 0.5, 6,
             (f + "_upper", f + "_hand")),
            (f + "_hand", fore[2], fore[3], (10.5, 10), sock, sock, sock, 2, 0, 6, (f + "_lower", f + "_paw")),
            (f + "_paw", fore[3], fore[3] + "_tip", (10, 8.5), sock, sock, PINK, 0.9, 0, 8, (f + "_hand",)),
            (h + "_upper", hind[0], hind[1], (41, 19), TAN, CREAM, sleeve, 0.75, 0.9, 6,
             ("loins", "rump", h + "_lower")),
            (h + "_lower", hind[1], hind[2], (19, 9.5), sleeve, sleeve, sock, 0.6, 0.5, 6, (h + "_upper", h + "_foot")),
            (h + "_foot", hind[2], hind[3], (10.5, 10), sock, sock, sock, 2, 0, 6, (h + "_lower", h + "_paw")),
            (h + "_paw", hind[3], hind[3] + "_tip", (10, 8.5), sock, sock, PINK, 0.9, 0, 8, (h + "_foot",)),
        ]
        # fmt: on
    return rows


def _trunk() -> list[tuple]:
    rows = [
        ("chest", "withers_in", "waist_in", (43, 47), TAN, CREAM, TAN, 2, 1, 8, ("brisket", "loins", "neck", "waist")),
        ("brisket", "breast_in", "sternum_in", (41, 43), TAN, CREAM, CREAM, 2, 0.8, 8, ("chest", "waist", "neck")),
        ("waist", "sternum_in", "belly_in", (43, 31), TAN, CREAM, CREAM, 2, 0.8, 8, ("brisket", "chest", "loins")),
        ("loins", "waist_in", "rump_in", (46, 40), TAN, CREAM, TAN, 2, 1, 8, ("chest", "rump", "waist")),
        ("rump", "rump_in", "tail_in", (40, 24), TAN, CREAM, TAN, 2, 1, 8, ("loins", "tail_0")),
        ("neck", "withers_in", "poll", (40, 28), TAN, CREAM, TAN, 2, 0.8, 8, ("chest", "brisket", "skull")),
        ("skull", "poll", "brow", (32, 27), TAN, CREAM, TAN, 2, 0.35, 10, ("neck", "muzzle")),
        ("muzzle", "brow", "nose_in", (23, 11), TAN, WHITE, (30, 30, 36), 0.93, 0, 24, ("skull",)),
    ]
    for side in ("left", "right"):
        rows.append(
            (f"{side}_ear", f"{side}_ear_in", f"{side}_ear_tip", (12, 5), TAN, PINK, DARK, 0.6, 0, 6, ("skull",))
        )
        rows.append((f"{side}_eye", f"{side}_eye_in", f"{side}_eye_out", (6.5, 6), DARK, DARK, DARK, 2, 0, 120, ()))
    for i in range(N_TAIL):
        ring = WHITE if i == N_TAIL - 1 else DARK
        near = tuple(f"tail_{j}" for j in (i - 1, i + 1) if 0 <= j < N_TAIL)
        rows.append((f"tail_{i}", f"tail_at_{i}", f"tail_at_{i + 1}", (13 - 1.4 * i, 11.6 - 1.4 * i), TAN, CREAM, ring,
                     0.66, 0.5, 6, near))  # fmt: skip
    return rows


_ROWS = _trunk() + _legs()


def _landmarks(motion: Motion) -> dict[str, Array]:
    """Every end of a part, (n_frames, 3), from the keypoints and the frames of head, chest and loins."""
    points = {}
    for name in ("neck", "spine", "tail_base", "nose"):
        points[name] = motion.point(name)

    def put(name, base, frame, *offset):
        points[name] = points[base] + frame @ np.array(offset, float)

    head, chest, loins = motion.head, motion.chest, motion.loins
    put("withers_in", "neck", chest, -6, 0, -42)
    put("breast_in", "neck", chest, 2, 0, -66)
    put("sternum_in", "spine", chest, 44, 0, -66)
    points["waist_in"] = points["spine"] - 46 * (chest[:, :, 2] + loins[:, :, 2]) / 2
    put("belly_in", "spine", loins, -62, 0, -50)
    put("rump_in", "tail_base", loins, 42, 0, -40)
    put("tail_in", "tail_base", loins, 6, 0, -23)
    put("poll", "nose", head, -68, 0, 13)
    put("brow", "nose", head, -46, 0, 6)
    put("nose_in", "nose", head, -9.5, 0, 0)
    for side, sign in (("left", 1), ("right", -1)):
        put(f"{side}_ear_in", "nose", head, -76, 21 * sign, 33)
        put(f"{side}_ear_tip", "nose", head, -83, 29 * sign, 54)
        put(f"{side}_eye_in", "nose", head, -37, 17 * sign, 18)
        put(f"{side}_eye_out", "nose", head, -35.5, 18.5 * sign, 18.6)
        for paw, frame in (("paw", chest), ("toe", loins)):
            ahead = frame[:, :, 0] * [1, 1, 0.3]
            name = f"{side}_{paw}"
            points[name + "_tip"] = motion.point(name) + 15 * ahead / np.linalg.norm(ahead, axis=1, keepdims=True)
    points["tail_at_0"] = points["tail_in"]
    direction, beat = -loins[:, :, 0], 2 * np.pi * motion.phase[:, None]
    for i in range(N_TAIL):
        sway = 0.30 * np.sin(beat - 0.7 * i) * loins[:, :, 1] + (0.02 + 0.13 * i - 0.16 * np.sin(beat)) * [0, 0, 1.0]
        direction = direction + 0.8 * sway
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        points[f"tail_at_{i + 1}"] = points[f"tail_at_{i}"] + 46 * direction
    return points


def parts_of(motion: Motion) -> tuple[Array, Array]:
    """Round cones (n_frames, n_parts, 8) and the dorsal direction of each, across its axis (n_frames, n_parts, 3)."""
    points, parts, dorsal = _landmarks(motion), [], []
    for name, start, end, radii, *_ in _ROWS:
        a = points[start] if start in points else motion.point(start)
        b = points[end] if end in points else motion.point(end)
        n = len(a)
        parts.append(np.column_stack([a, np.full(n, radii[0]), b, np.full(n, radii[1])]))
        axis = (b - a) / np.linalg.norm(b - a, axis=1, keepdims=True)
        frame = motion.head if name in ("skull", "muzzle") or "ear" in name or "eye" in name else motion.chest
        frame = motion.loins if name in ("loins", "rump") or "hind" in name or "tail" in name else frame
        # a leg hangs: its dorsal side is the front
        up = frame[:, :, 0] if "fore" in name or "hind" in name else frame[:, :, 2]
        up = up - np.sum(up * axis, axis=1, keepdims=True) * axis
        dorsal.append(up / np.linalg.norm(up, axis=1, keepdims=True))
    return np.stack(parts, axis=1), np.stack(dorsal, axis=1)


@lru_cache(maxsize=1)
def make_coat() -> Coat:
    names = tuple(row[0] for row in _ROWS)
    near = np.full((len(names), 4), -1, dtype=np.int64)
    for k, row in enumerate(_ROWS):
        near[k, : len(row[10])] = [names.index(other) for other in row[10]]
    colours = np.array([[*row[4], *row[5], *row[6], row[7], row[8], row[9]] for row in _ROWS], dtype=float)
    parts, dorsal = parts_of(gallop(np.array([0.0]), Gallop(radius=1e6)))
    parts, dorsal = parts[0], dorsal[0]
    along = parts[:, 4:7] - parts[:, :3]
    axis = along / np.linalg.norm(along, axis=1, keepdims=True)
    # the unit `q` of the kernel: start, whole axis, dorsal, across, unit axis of the resting animal
    rest = np.stack([parts[:, :3] + 1e4, along, dorsal, np.cross(axis, dorsal), axis], axis=1)
    return Coat(names, np.array([row[3] for row in _ROWS], float), colours, near, rest, _make_spots())


def _make_spots(n: int = 64, seed: int = 7) -> NDArray[np.float32]:
    """(2, n, n, n) periodic volumes: rosettes about 25 mm apart (voxels of 3 mm), and the fine grain of the fur."""
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*[np.arange(n)] * 3, indexing="ij"), -1).reshape(-1, 3).astype(float)
    centres = rng.uniform(0, n, (1, 3))
    while len(centres) < 600:
        candidate = rng.uniform(0, n, 3)
        gap = np.abs(centres - candidate)
        if np.linalg.norm(np.minimum(gap, n - gap), axis=1).min() > 5.6:
            centres = np.vstack([centres, candidate])
    distance = cKDTree(centres, boxsize=n).query(grid)[0].reshape(n, n, n)
    size = gaussian_filter(rng.normal(size=(n, n, n)), 3, mode="wrap")
    spots = np.clip((2.55 + 0.5 * size / size.std() - distance) / 0.8 + 0.5, 0, 1)
    fur = gaussian_filter(rng.normal(size=(n, n, n)), 0.7, mode="wrap")
    return np.stack([spots, np.clip(0.5 + 0.2 * fur / fur.std(), 0, 1)]).astype(np.float32)
