"""Sessions on disk made of a synthetic rig and a moving skeleton: 2D files, a rig file and session.toml."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w

from muybridge.cameras import CameraRig, write_rig
from muybridge.datasets import Skeleton
from muybridge.session import Session, read_session
from tests.conftest import make_moving_points, make_ring_rig

SKELETON = Skeleton(
    keypoints=("nose", "neck", "tail", "left_hip", "left_knee", "right_hip", "right_knee"),
    bones=(("neck", "nose"), ("neck", "tail"), ("tail", "left_hip"), ("left_hip", "left_knee"),
           ("tail", "right_hip"), ("right_hip", "right_knee")),
    symmetries=(("left_hip", "right_hip"), ("left_knee", "right_knee")),
    root="neck",
)  # fmt: skip
FPS = 100.0


@dataclass(eq=False)
class Recording:
    """What a session's files will hold; a test spoils it, then `write` makes the files.

    points_2d : (n_cameras, n_frames, n_keypoints, 2), pixels
    likelihood : (n_cameras, n_frames, n_keypoints)
    truth : (n_frames, n_keypoints, 3), mm
    tables : the tables of session.toml
    """

    rig: CameraRig
    points_2d: np.ndarray
    likelihood: np.ndarray
    truth: np.ndarray
    tables: dict[str, Any]
    names: tuple[str, ...] = SKELETON.keypoints
    files: dict[str, str | bytes] = field(default_factory=dict)

    def write(self, folder: Path) -> Session:
        """The 2D files, rig.toml and session.toml in a folder, and the session read from there."""
        folder.mkdir(parents=True, exist_ok=True)
        write_rig(self.rig, folder / "rig.toml")
        for camera, points_2d, likelihood in zip(self.rig.names, self.points_2d, self.likelihood, strict=True):
            (folder / f"{camera}.csv").write_text(deeplabcut_csv(points_2d, likelihood, self.names))
        for name, content in self.files.items():
            path = folder / name
            path.write_bytes(content) if isinstance(content, bytes) else path.write_text(content)
        (folder / "session.toml").write_text(tomli_w.dumps(self.tables))
        return read_session(folder)


def make_session(n_cameras=4, n_frames=150, noise=1.0, seed=0) -> Recording:
    """A sound recording by a ring of cameras, reconstructed from one DeepLabCut file per camera and a rig file."""
    rig, truth = make_ring_rig(n_cameras), make_moving_points(SKELETON, n_frames, FPS)
    points_2d = rig.project(truth) + np.random.default_rng(seed).normal(0, noise, (n_cameras, *truth.shape[:2], 2))
    tables = {
        "session": {"name": "synthetic", "unit": "mm", "rig": "rig.toml", "fps": FPS},
        "cameras": {name: {"points": f"{name}.csv"} for name in rig.names},
        "skeleton": {
            "keypoints": list(SKELETON.keypoints),
            "bones": [list(bone) for bone in SKELETON.bones],
            "symmetries": [list(pair) for pair in SKELETON.symmetries],
        },
        "joints": {"knee": ["left_hip", "left_knee", "tail"]},
    }
    return Recording(rig, points_2d, np.full(points_2d.shape[:-1], 0.95), truth, tables)


def deeplabcut_csv(points_2d, likelihood, names) -> str:
    """The text of a DeepLabCut file of one camera."""
    header = [["scorer"] + ["net"] * 3 * len(names), ["bodyparts"] + [name for name in names for _ in range(3)],
              ["coords"] + ["x", "y", "likelihood"] * len(names)]  # fmt: skip
    values = np.concatenate([points_2d, likelihood[..., None]], axis=-1).reshape(len(points_2d), -1)
    rows = [[str(i), *("" if np.isnan(v) else f"{v:.3f}" for v in row)] for i, row in enumerate(values)]
    return "\n".join(",".join(row) for row in header + rows) + "\n"
