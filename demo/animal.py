"""The animal of the demo: a small spotted cat of 20 keypoints with rigid bones, galloping on a curved path.

Keypoints lie on the back (neck, spine, tail_base), on the tip of the muzzle (nose), and at the centres of the joints of
the legs; a paw is the point that touches the ground. Legs reach for footholds that stand still on the ground during
stance, in the footfall order of the rotary gallop (hind, hind, flight, fore, fore, flight; Hildebrand 1977).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from ..datasets import Skeleton
from ..numerics.arrays import Array

_LEGS = ("left_fore", "right_fore", "left_hind", "right_hind")
_LEG_JOINTS = {"fore": ("shoulder", "elbow", "wrist", "paw"), "hind": ("hip", "knee", "ankle", "toe")}


def _leg_keypoints(leg: str) -> tuple[str, ...]:
    side, kind = leg.split("_")
    return tuple(f"{side}_{joint}" for joint in _LEG_JOINTS[kind])


def _make_skeleton() -> Skeleton:
    legs = [_leg_keypoints(leg) for leg in _LEGS]
    bones = [("neck", "nose"), ("neck", "spine"), ("spine", "tail_base")]
    for leg, names in zip(_LEGS, legs, strict=True):
        bones.append(("neck" if leg.endswith("fore") else "tail_base", names[0]))
        bones.extend(pairwise(names))
    return Skeleton(
        keypoints=("nose", "neck", "spine", "tail_base", *(name for leg in legs for name in leg)),
        bones=tuple(bones),
        symmetries=(*zip(legs[0], legs[1], strict=True), *zip(legs[2], legs[3], strict=True)),
        root="neck",
    )


DEMO_SKELETON = _make_skeleton()
DEMO_JOINTS: dict[str, tuple[str, str, str]] = {
    "back": ("neck", "spine", "tail_base"),
    "head": ("nose", "neck", "spine"),
    **{
        f"{side}_{joint}": (f"{side}_{a}" if a != "tail_base" else a, f"{side}_{joint}", f"{side}_{c}")
        for side in ("left", "right")
        for a, joint, c in (("shoulder", "elbow", "wrist"), ("elbow", "wrist", "paw"), ("tail_base", "hip", "knee"),
                            ("hip", "knee", "ankle"), ("knee", "ankle", "toe"))
    },
}  # fmt: skip


@dataclass(frozen=True)
class Trunk:
    """Lengths of the bones along the body, mm."""

    head: float = 152.0
    chest: float = 150.0
    loins: float = 150.0

    @property
    def length(self) -> float:
        """From the tip of the muzzle to the base of the tail, mm."""
        return self.head + self.chest + self.loins


@dataclass(frozen=True)
class Leg:
    """A fore or a hind leg; lengths in mm.

    bones : upper, lower and last bone
    socket : the first joint in the frame (forward, left, up) of the neck or of the tail base
    clearance : how high the paw swings
    phases, tilts : angle of the last bone (paw to wrist, toe to ankle) from the vertical, forward positive, degrees,
        over the leg's own phase (0: touch-down, `DUTY`: lift-off)
    """

    bones: tuple[float, float, float]
    socket: tuple[float, float, float]
    clearance: float
    phases: tuple[float, ...]
    tilts: tuple[float, ...]


TRUNK = Trunk()
# lengths in mm, angles in degrees, of the made-up small cat: a leg folds in the swing and reaches ahead for the ground
LEGS = {
    "fore": Leg((78.0, 82.0, 52.0), (-4.0, 38.0, -80.0), 62.0, (0.0, 0.15, 0.29, 0.45, 0.62, 0.82, 1.0),
                (-18.0, 8.0, 42.0, 105.0, 112.0, 10.0, -18.0)),
    "hind": Leg((88.0, 90.0, 66.0), (28.0, 36.0, -42.0), 54.0, (0.0, 0.15, 0.29, 0.45, 0.65, 0.85, 1.0),
                (-46.0, -24.0, 22.0, 45.0, 10.0, -40.0, -46.0)),
}  # fmt: skip
# shares of a stride: when each leg touches down, and how long it stands
TOUCH_DOWN = {"left_hind": 0.0, "right_hind": 0.13, "right_fore": 0.5, "left_fore": 0.62}
DUTY = 0.29  # share of the stride that a foot stands in a gallop


# limb -> the keypoint of its foot
DEMO_LIMBS = {leg: _leg_keypoints(leg)[-1] for leg in TOUCH_DOWN}


@dataclass(frozen=True)
class Gallop:
    """One run along an oblong circle: lengths in mm, times in seconds, angles in radians, speed in mm/s."""

    radius: float = 270.0
    oblong: float = 0.12
    centre: tuple[float, float] = (0.0, 0.0)
    turn: float = 0.0
    anticlockwise: bool = True
    speed: float = 1650.0
    stride: float = 0.36
    phase: float = 0.0
    height: float = 226.0
    flex: float = 0.34
    gaze: float = 0.0


@dataclass(frozen=True, eq=False)
class Motion:
    """keypoints (n_frames, 20, 3); frames: rotations (n_frames, 3, 3) whose columns are forward, left, up."""

    keypoints: Array
    head: Array
    chest: Array
    loins: Array
    phase: Array

    def point(self, name: str) -> Array:
        return self.keypoints[:, DEMO_SKELETON.keypoints.index(name)]


def gallop(times: Array, run: Gallop) -> Motion:
    """(n_frames,) seconds -> the animal at those instants; any instants, in any order."""
    times = np.asarray(times, float)
    phase = times / run.stride + run.phase
    chest, spine, loins = _trunk(times, run)
    neck, tail_base = spine + TRUNK.chest * chest[:, :, 0], spine - TRUNK.loins * loins[:, :, 0]
    beat = 2 * np.pi * phase
    head = chest @ _turn(0.10 * np.sin(0.5 * beat) + run.gaze, 2) @ _turn(-0.24 - 0.14 * np.cos(beat - 0.6), 1)
    points = {"nose": neck + TRUNK.head * head[:, :, 0], "neck": neck, "spine": spine, "tail_base": tail_base}
    for leg in _LEGS:
        base, frame = (neck, chest) if leg.endswith("fore") else (tail_base, loins)
        points.update(zip(_leg_keypoints(leg), _leg(leg, times, run, base, frame), strict=True))
    keypoints = np.stack([points[name] for name in DEMO_SKELETON.keypoints], axis=1)
    return Motion(keypoints, head, chest, loins, phase)


def stance_of(phase: Array) -> NDArray[np.bool_]:
    """(n_frames, 4) whether each of `DEMO_LIMBS` stands, from the phase (n_frames,) of the gallop."""
    return (phase[:, None] - np.array([TOUCH_DOWN[leg] for leg in DEMO_LIMBS])) % 1 < DUTY


def _path(length: Array, run: Gallop) -> tuple[Array, Array]:
    """Point on the ground (…, 2) and heading (…,) after running a length, along a slightly oblong circle."""
    sign = 1 if run.anticlockwise else -1
    angle = run.turn + sign * np.asarray(length) / run.radius
    a, b = run.radius * (1 + run.oblong), run.radius * (1 - run.oblong)
    point = np.stack([run.centre[0] + a * np.cos(angle), run.centre[1] + b * np.sin(angle)], -1)
    return point, np.arctan2(sign * b * np.cos(angle), -sign * a * np.sin(angle))


def _turn(angle: Array, axis: int) -> Array:
    """Rotations about the axis 1 (left; positive lowers the nose) or 2 (up; positive turns left)."""
    cos, sin, one, zero = np.cos(angle), np.sin(angle), np.ones_like(angle), np.zeros_like(angle)
    rows = ([[cos, zero, sin], [zero, one, zero], [-sin, zero, cos]] if axis == 1
            else [[cos, -sin, zero], [sin, cos, zero], [zero, zero, one]])  # fmt: skip
    return np.stack([np.stack(row, -1) for row in rows], -2)


def _trunk(times: Array, run: Gallop) -> tuple[Array, Array, Array]:
    """Frames of chest and loins, and the spine point: bouncing, pitching, arching at the gathered flight."""
    beat = 2 * np.pi * (times / run.stride + run.phase)
    length = run.speed * times
    point, _ = _path(length, run)
    height = run.height + 7.0 * np.cos(2 * (beat - 2 * np.pi * 0.46)) + 9.0 * np.cos(beat - 2 * np.pi * 0.96)
    spine = np.concatenate([point, height[:, None]], axis=1)
    pitch = 0.08 * np.cos(beat - 2 * np.pi * 0.30)
    arch = run.flex * (0.25 + np.cos(beat - 2 * np.pi * 0.96))
    roll_free = [_turn(_path(length + shift, run)[1], 2) for shift in (0.5 * TRUNK.chest, -0.5 * TRUNK.loins)]
    chest = roll_free[0] @ _turn(-pitch + 0.45 * arch, 1)
    loins = roll_free[1] @ _turn(-pitch - 0.75 * arch, 1)
    return chest, spine, loins


def _foothold(step: Array, leg: str, run: Gallop) -> Array:
    """(…, 3) where a leg stands during its stance number `step`: below its socket at mid-stance."""
    middle = (step + TOUCH_DOWN[leg] + 0.5 * DUTY - run.phase) * run.stride
    kind = leg.split("_")[1]
    ahead = TRUNK.chest + LEGS[kind].socket[0] + 12.0 if kind == "fore" else -TRUNK.loins + LEGS[kind].socket[0] + 10.0
    point, heading = _path(run.speed * middle + ahead, run)
    side = 0.62 * LEGS[kind].socket[1] * (1 if leg.startswith("left") else -1)
    return np.stack([point[..., 0] - side * np.sin(heading), point[..., 1] + side * np.cos(heading),
                     np.zeros_like(heading)], -1)  # fmt: skip


def _paw(leg: str, times: Array, run: Gallop) -> tuple[Array, Array]:
    """Position of the paw, at rest in stance and swinging to the next foothold, and the leg's own phase."""
    own = times / run.stride + run.phase - TOUCH_DOWN[leg]
    step = np.floor(own)
    own = own - step
    u = np.clip((own - DUTY) / (1 - DUTY), 0, 1)
    blend = (u**3 * (10 - 15 * u + 6 * u**2))[:, None]
    here, there = _foothold(step, leg, run), _foothold(step + 1, leg, run)
    paw = here + blend * (there - here)
    paw[:, 2] += LEGS[leg.split("_")[1]].clearance * np.sin(np.pi * u) ** 2 * (1.25 - 0.5 * u)
    return paw, own


def _leg(leg: str, times: Array, run: Gallop, base: Array, frame: Array) -> tuple[Array, Array, Array, Array]:
    """Socket, middle joint, lower joint and paw: bones keep their lengths; a paw out of reach leaves the ground."""
    kind = leg.split("_")[1]
    forward, left, up = LEGS[kind].socket
    socket = base + frame @ np.array([forward, left if leg.startswith("left") else -left, up])
    paw, own = _paw(leg, times, run)
    tilt = np.radians(CubicSpline(LEGS[kind].phases, LEGS[kind].tilts, bc_type="periodic")(own))
    ahead = frame[:, :, 0] * [1, 1, 0]
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
    upper, lower, last = LEGS[kind].bones
    rise = last * (np.sin(tilt)[:, None] * ahead + np.cos(tilt)[:, None] * [0, 0, 1])
    reach = paw + rise - socket
    distance = np.linalg.norm(reach, axis=1, keepdims=True)
    axis = reach / distance
    # a soft limit: legs approach their full length without a kink in time
    longest = 0.985 * (upper + lower)
    distance = longest - 4.0 * np.logaddexp(0, (longest - distance) / 4.0)
    pole = ahead * (1 if kind == "hind" else -1)
    pole = pole - np.sum(pole * axis, axis=1, keepdims=True) * axis
    pole /= np.linalg.norm(pole, axis=1, keepdims=True)
    along = (upper**2 - lower**2 + distance**2) / (2 * distance)
    middle = socket + along * axis + np.sqrt(np.maximum(upper**2 - along**2, 0)) * pole
    end = socket + distance * axis
    return socket, middle, end, end - rise
