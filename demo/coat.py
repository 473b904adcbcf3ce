"""The body round the bones: which round cones make the animal, and the colours of its coat.

The left legs are white and the right legs chestnut, as on a piebald animal: left and right can be told apart in any
view, as two legs of one colour often cannot. Bracelets, patches, a saddle and a collar lie where the keypoints are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from ..numerics.arrays import Array
from .animal import Gallop, Motion, gallop

Colour = tuple[int, int, int]  # blue, green, red, 0-255
TAN: Colour = (78, 140, 196)  # back of trunk, head and upper legs: warm against the grey mat
CREAM: Colour = (176, 205, 222)  # belly and the patch over the tail, lighter than the back as on most mammals
BROWN: Colour = (46, 66, 98)  # bracelets of the left fore leg: dark on white
FAWN: Colour = (132, 178, 214)  # shoulder and hip of the left side
RUST: Colour = (52, 92, 138)  # shoulder and hip of the right side, darker than the left's
DARK: Colour = (30, 36, 46)  # saddle, eyes, nose and rings: the strongest edges
WHITE: Colour = (222, 232, 238)  # left legs, and marks on the dark right fore leg
PINK: Colour = (84, 84, 120)  # lower side of the ears
COLLAR: Colour = (40, 36, 176)  # red, which no other part has: it marks the neck
ORANGE: Colour = (30, 120, 228)  # bracelets and paw of the left hind leg
ROSE: Colour = (128, 112, 206)  # paw of the right hind leg
CHESTNUT: Colour = (34, 54, 122)  # right legs
N_TAIL = 5  # round cones of the tail, 46 mm each: enough for a bend without corners
# of each leg, the colours of its bracelets and of its paw
_MARKS = {
    ("left", "fore"): (BROWN, DARK), ("left", "hind"): (ORANGE, ORANGE),
    ("right", "fore"): (WHITE, WHITE), ("right", "hind"): (DARK, ROSE),
}  # fmt: skip


@dataclass(frozen=True)
class Part:
    """A round cone between two landmarks, and what is painted on it.

    radii : at both ends, mm
    back, belly : colours of the upper and the lower side
    first, last : (colour, share of the length) of a band at either end, or None
    spots : 0 plain, 1 all spots
    soft : width of the bands' edges, share of the length; spots lie on wide-edged patches, not on narrow bands
    near : parts that grow together with it
    """

    name: str
    ends: tuple[str, str]
    radii: tuple[float, float]
    back: Colour
    belly: Colour
    near: tuple[str, ...] = ()
    first: tuple[Colour, float] | None = None
    last: tuple[Colour, float] | None = None
    spots: float = 0.0
    shine: float = 6.0
    soft: float = 0.05

    def row(self) -> list[float]:
        """As the kernel reads it: back, belly, last, where it begins, spots, shine, first, where it ends, soft."""
        last, begin = (self.last[0], 1 - self.last[1]) if self.last else (self.back, 2.0)
        first, end = self.first or (self.back, -1.0)
        return [*self.back, *self.belly, *last, begin, self.spots, self.shine, *first, end, self.soft]


class Coat(NamedTuple):
    """What does not move: the parts' colours, and the resting animal on which the texture is painted."""

    colours: Array  # (n_parts, 17) as `Part.row`
    near: NDArray[np.int64]  # (n_parts, 4) the parts that grow together with each, then -1
    rest: Array  # (n_parts, 5, 3) start, whole axis, dorsal, across, unit axis
    spots: NDArray[np.float32]  # (2, n, n, n) periodic: rosettes, and the fur's grain


def _leg(side: str, kind: str) -> list[Part]:
    """Upper and lower leg, hand or foot, toes. Bracelets lie on the joints, as on many a striped cat."""
    names = ("shoulder", "elbow", "wrist", "paw") if kind == "fore" else ("hip", "knee", "ankle", "toe")
    a, b, c, d = (f"{side}_{name}" for name in names)
    upper, lower, foot, toes = (f"{side}_{kind}_{part}" for part in ("upper", "lower", "foot", "toes"))
    thick = (28.0, 17.0, 10.5) if kind == "fore" else (38.0, 19.0, 10.5)
    body = ("chest", "brisket") if kind == "fore" else ("loins", "rump")
    coat, patch = (WHITE, FAWN) if side == "left" else (CHESTNUT, RUST)
    ring, paw = _MARKS[side, kind]
    return [
        Part(upper, (a, b), (thick[0], thick[1]), TAN, TAN, (*body, lower), (patch, 0.3), (ring, 0.1), 0.7, soft=0.25),
        Part(lower, (b, c), (thick[1], thick[2]), coat, coat, (upper, foot), (ring, 0.10), (ring, 0.12)),
        Part(foot, (c, d), (thick[2], 10.0), coat, coat, (lower, toes), (ring, 0.15)),
        Part(toes, (d, d + "_tip"), (10.0, 8.5), paw, paw, (foot,)),
    ]


def _trunk() -> list[Part]:
    saddle = (DARK, 0.05)
    return [
        Part("chest", ("withers_in", "waist_in"), (43, 47), TAN, CREAM, ("brisket", "loins", "neck", "waist"),
             None, saddle, 1, 8),
        Part("brisket", ("breast_in", "sternum_in"), (41, 43), TAN, CREAM, ("chest", "waist", "neck"), spots=0.8),
        Part("waist", ("sternum_in", "belly_in"), (43, 31), TAN, CREAM, ("brisket", "chest", "loins"), spots=0.8),
        Part("loins", ("waist_in", "rump_in"), (46, 40), TAN, CREAM, ("chest", "rump", "waist"), saddle, None, 1, 8),
        Part("rump", ("rump_in", "tail_in"), (40, 24), TAN, CREAM, ("loins", "tail_0"), None, (CREAM, 0.2), 1, 8),
        Part("neck", ("withers_in", "poll"), (40, 28), TAN, CREAM, ("chest", "brisket", "skull"), (COLLAR, 0.3),
             None, 0.8, 8),
        Part("skull", ("poll", "brow"), (32, 27), TAN, CREAM, ("neck", "muzzle"), spots=0.35, shine=10),
        Part("muzzle", ("brow", "nose_in"), (23, 11), TAN, WHITE, ("skull",), None, (DARK, 0.07), 0, 24),
    ]  # fmt: skip


def _head_and_tail() -> list[Part]:
    parts = []
    for side in ("left", "right"):
        ear, eye = f"{side}_ear", f"{side}_eye"
        parts.append(Part(ear, (ear + "_in", ear + "_tip"), (12, 5), TAN, PINK, ("skull",), last=(DARK, 0.4)))
        parts.append(Part(eye, (eye + "_in", eye + "_out"), (6.5, 6), DARK, DARK, shine=120))
    for i in range(N_TAIL):
        ring = WHITE if i == N_TAIL - 1 else DARK
        near = tuple(f"tail_{j}" for j in (i - 1, i + 1) if 0 <= j < N_TAIL)
        radii = (13 - 1.4 * i, 11.6 - 1.4 * i)
        ends = (f"tail_at_{i}", f"tail_at_{i + 1}")
        parts.append(Part(f"tail_{i}", ends, radii, TAN, CREAM, near, last=(ring, 0.34), spots=0.5))
    return parts


_PARTS = (
    *_trunk(), *_head_and_tail(),
    *(part for side in ("left", "right") for kind in ("fore", "hind") for part in _leg(side, kind)),
)  # fmt: skip


def _landmarks(motion: Motion) -> dict[str, Array]:
    """Every end of a part, (n_frames, 3), from the keypoints and the frames of head, chest and loins."""
    points = {name: motion.point(name) for name in ("neck", "spine", "tail_base", "nose")}

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
    points, cones, dorsal = _landmarks(motion), [], []
    for part in _PARTS:
        a, b = (points[end] if end in points else motion.point(end) for end in part.ends)
        sizes = [np.full(len(a), radius) for radius in part.radii]
        cones.append(np.column_stack([a, sizes[0], b, sizes[1]]))
        axis = (b - a) / np.linalg.norm(b - a, axis=1, keepdims=True)
        up = _dorsal(part.name, motion)
        up = up - np.sum(up * axis, axis=1, keepdims=True) * axis
        dorsal.append(up / np.linalg.norm(up, axis=1, keepdims=True))
    return np.stack(cones, axis=1), np.stack(dorsal, axis=1)


def _dorsal(name: str, motion: Motion) -> Array:
    if name in ("skull", "muzzle") or "ear" in name or "eye" in name:
        return motion.head[:, :, 2]
    # a leg hangs: its dorsal side is the front
    if "fore" in name:
        return motion.chest[:, :, 0]
    if "hind" in name:
        return motion.loins[:, :, 0]
    return (motion.loins if name in ("loins", "rump") or "tail" in name else motion.chest)[:, :, 2]


@lru_cache(maxsize=1)
def make_coat() -> Coat:
    names = tuple(part.name for part in _PARTS)
    near = np.full((len(names), 4), -1, dtype=np.int64)
    for k, part in enumerate(_PARTS):
        near[k, : len(part.near)] = [names.index(other) for other in part.near]
    colours = np.array([part.row() for part in _PARTS], dtype=float)
    parts, dorsal = parts_of(gallop(np.array([0.0]), Gallop(radius=1e6)))
    parts, dorsal = parts[0], dorsal[0]
    along = parts[:, 4:7] - parts[:, :3]
    axis = along / np.linalg.norm(along, axis=1, keepdims=True)
    # the unit `q` of the kernel: start, whole axis, dorsal, across, unit axis of the resting animal
    rest = np.stack([parts[:, :3] + 1e4, along, dorsal, np.cross(axis, dorsal), axis], axis=1)
    return Coat(colours, near, rest, _make_spots())


def _make_spots() -> NDArray[np.float32]:
    """(2, n, n, n) periodic volumes: rosettes about 25 mm apart (voxels of 3 mm), and the fine grain of the fur."""
    n, rng = 64, np.random.default_rng(7)
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
