"""Sprints simulated as real ones are: a galloping cheetah, six fisheye cameras, the errors of a real detector."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from benchmarks.detector_errors import DetectorErrors
from muybridge.calibration import Camera, CameraRig
from muybridge.cameras.rotations import look_at
from muybridge.triangulate import Body, read_body

ERRORS = DetectorErrors(
    white=0.0, slow=14.0, bias=5.0, correlation=5.0, outliers=0.08, gross=700.0, outlier_frames=5.0, swaps=0.5
)
STRIDE, STEADY = 0.32, 0.03  # seconds; of an amplitude or phase from animal to animal
# amplitude (degrees), mean, phase (turns) of the stride's first harmonic, and of its second
GAIT = {
    "pitch": (6, 0, 0.3, 2), "roll": (3, 0, 0.6, 1), "chest_pitch": (28, 5, 0.05, 5), "chest_yaw": (5, 0, 0.4, 1),
    "chest_roll": (4, 0, 0.7, 1), "neck_pitch": (10, -20, 0.55, 2), "neck_yaw": (5, 0, 0.1, 1),
    "head_pitch": (8, 20, 0.1, 2), "head_yaw": (5, 0, 0.8, 1), "head_roll": (4, 0, 0.2, 1),
    "tail_root_pitch": (15, -15, 0.8, 4), "tail_root_yaw": (20, 0, 0.2, 5), "tail_tip_pitch": (20, 0, 0.0, 5),
    "tail_tip_yaw": (25, 0, 0.35, 5),
    "l_thigh_swing": (42, -5, 0.50, 6), "r_thigh_swing": (42, -5, 0.57, 6),
    "l_shank_bend": (35, 60, 0.75, 8), "r_shank_bend": (35, 60, 0.82, 8),
    "l_back_foot_bend": (30, -50, 0.30, 8), "r_back_foot_bend": (30, -50, 0.37, 8),
    "l_upper_arm_swing": (45, 15, 0.05, 6), "r_upper_arm_swing": (45, 15, 0.13, 6),
    "l_forearm_bend": (40, -55, 0.80, 8), "r_forearm_bend": (40, -55, 0.88, 8),
    "l_front_foot_bend": (35, 35, 0.40, 10), "r_front_foot_bend": (35, 35, 0.48, 10),
    "l_thigh_spread": (5, 3, 0.1, 1), "r_thigh_spread": (5, 3, 0.6, 1), "l_upper_arm_spread": (5, 3, 0.3, 1),
    "r_upper_arm_spread": (5, 3, 0.8, 1),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Sprint:
    """points_2d (n_cameras, n_frames, n_keypoints, 2); the true angles, lengths, offsets, markers and outliers."""

    rig: CameraRig
    points_2d: np.ndarray
    fps: float
    body: Body
    angles: np.ndarray
    lengths: np.ndarray
    offsets: np.ndarray
    truth: np.ndarray
    right: np.ndarray
    errors: DetectorErrors

    @property
    def symmetries(self):
        names = self.body.marker_names
        return [(names.index(a), names.index(b)) for a, b in self.body.symmetries]

    def same_animal(self, seed: int) -> Sprint:
        """Another sprint, of the animal of this one."""
        other = sprint(seed)
        truth = other.body.markers(other.angles, self.lengths, self.offsets)
        points_2d, right = detected(other.rig, other.rig.project(truth), other, seed)
        return replace(other, points_2d=points_2d, right=right, truth=truth, lengths=self.lengths, offsets=self.offsets)


def detected(rig: CameraRig, seen: np.ndarray, run, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixels with errors, NaN outside the images, and which of them are right."""
    sizes = np.array([camera.size for camera in rig])[:, None, None]
    seen = np.where(((seen > 0) & (seen < sizes)).all(axis=-1, keepdims=True), seen, np.nan)
    points_2d = run.errors.apply(seen, np.random.default_rng([seed, 19]), run.symmetries)
    points_2d[np.isnan(seen)] = np.nan
    points_2d[~((points_2d > 0) & (points_2d < sizes)).all(axis=-1)] = np.nan
    return points_2d, np.linalg.norm(points_2d - seen, axis=-1) < 6 * np.hypot(run.errors.slow, run.errors.bias)


def track_rig(rng, length: float = 15000.0, delay: float = 0.0) -> CameraRig:
    """Six fisheye cameras, three on either side of a straight track along x, in mm."""
    cameras = []
    for c in range(6):
        side = -1 if c % 2 else 1
        along = length * (0.15 + 0.35 * (c // 2)) + rng.uniform(-800, 800)
        place = np.array([along, side * rng.uniform(3500, 7000), rng.uniform(700, 1800)])
        R, t = look_at(place, np.array([0.5 * (along + 0.5 * length), rng.uniform(-300, 300), 500.0]))
        focal = rng.uniform(1100, 1300)
        K = np.array([[focal, 0, 1360 + rng.uniform(-20, 20)], [0, focal, 760 + rng.uniform(-20, 20)], [0, 0, 1]])
        cameras.append(Camera(f"cam_{c}", (2720, 1530), K, rng.uniform(-0.02, 0.02, 4), R, t, model="fisheye"))
    return CameraRig(tuple(cameras), unit="mm", up=np.array([0.0, 0.0, 1.0]))


def gallop_angles(body: Body, times, rng, speed: float = 26000.0, late: float = 0.0):
    """(n_frames, n_angles) of a straight sprint, each animal's own, `late` seconds before each of the times."""
    angles = np.tile(body.rest_angles, (len(times), 1))
    index = {name: i for i, name in enumerate(body.angle_names)}
    stride = STRIDE * (1 + 0.1 * rng.normal())
    cycle, accelerating = (times - late) / stride + rng.uniform(), rng.uniform(-2000, 6000)
    for name, (amplitude, mean, phase, second) in GAIT.items():
        own = amplitude * (1 + 0.15 * rng.normal()), phase + STEADY * rng.normal()
        wave = own[0] * np.cos(2 * np.pi * (cycle + own[1])) + mean * (1 + 0.1 * rng.normal())
        wave += second * (1 + 0.3 * rng.normal()) * np.cos(4 * np.pi * (cycle + rng.uniform()))
        angles[:, index[name]] = np.radians(wave)
    middle = times - times.mean() - late
    angles[:, 0] = 7500 + speed * middle + 0.5 * accelerating * middle**2 + 60 * np.cos(2 * np.pi * (cycle + 0.2))
    angles[:, 1] = rng.uniform(-500, 500) + rng.uniform(-0.05, 0.05) * angles[:, 0] + 15 * np.cos(2 * np.pi * cycle)
    angles[:, 2] = 740 + 55 * np.cos(2 * np.pi * (cycle + 0.4)) + 15 * np.cos(4 * np.pi * cycle)
    angles[:, 3] = np.radians(3 * rng.normal() + 3 * np.cos(2 * np.pi * (0.5 * cycle + rng.uniform())))
    return angles


def sprint(seed: int, *, fps: float = 100.0, n_frames: int = 50, delay: float = 0.0,
           errors: DetectorErrors = ERRORS) -> Sprint:  # fmt: skip
    """A sprint of one animal; camera 0 late by `delay` seconds."""
    rng = np.random.default_rng([seed, 18])
    body = read_body("cheetah")
    rig, times = track_rig(rng), np.arange(n_frames) / fps
    lengths = body.lengths * (1 + 0.08 * rng.normal()) * (1 + 0.04 * rng.normal(size=len(body.lengths)))
    offsets = np.concatenate([
        0.5 * body.marker_std * rng.normal(size=(len(body.attachments), 3)),
        0.5 * body.joint_std * rng.normal(size=(len(body.segments), 3)),
    ])  # fmt: skip
    offsets[len(body.attachments)] = 0.0
    state = rng.bit_generator.state
    angles = gallop_angles(body, times, rng)
    truth = body.markers(angles, lengths, offsets)
    seen = rig.project(truth)
    if delay:
        rng.bit_generator.state = state
        late = body.markers(gallop_angles(body, times, rng, late=delay), lengths, offsets)
        seen[0] = rig.subset([rig.names[0]]).project(late)[0]
    nothing = np.zeros(seen.shape[:-1], bool)
    run = Sprint(rig, seen, fps, body, angles, lengths, offsets, truth, nothing, errors)
    points_2d, right = detected(rig, seen, run, seed)
    return replace(run, points_2d=points_2d, right=right)
