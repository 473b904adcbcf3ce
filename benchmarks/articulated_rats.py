"""Articulated bodies on two real rats: motion-capture truth, and cameras left out.

    python benchmarks/articulated_rats.py

rat: `rat_mocap`, six cameras, 50 frames; the body is declared here with the bone lengths of the trained prior, and its
limits are what the prior's pose states need. rodent_4cam: a body proposed from the same three cameras that predict the
fourth, with and without offsets and deviations of the markers.
"""

from __future__ import annotations

import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.articulated import marker_row, show
from benchmarks.real_recordings import DATA, Recording, rat
from muybridge.datasets import Skeleton
from muybridge.formats import read_views
from muybridge.triangulate import (
    Body,
    Marker,
    Segment,
    Turn,
    body_from_skeleton,
    fit_body,
    infer_poses,
    leave_one_camera_out,
    smooth,
)
from muybridge.triangulate.articulated.starting_pose import root_angles, starting_state

RODENT_BONES = (
    ("Neck", "Head"), ("Head", "Nose"), ("Head", "Ear_L"), ("Head", "Ear_R"), ("Neck", "Shoulder_left"),
    ("Neck", "Shoulder_right"), ("Neck", "Trunk"), ("Trunk", "TTI"), ("TTI", "Haunch_left"), ("TTI", "Haunch_right"),
    ("TTI", "Tail_0"), ("Tail_0", "Tail_1"), ("Tail_1", "Tail_2"), ("Tail_2", "TailTip"),
)  # fmt: skip
NECK = 45.0  # mm, twice: the head's distance from the shoulders varies by a fifth


def turn(name: str, axis, low: float, high: float, rest: float = 0.0) -> Turn:
    return Turn(name, axis, *np.radians([low, high, rest]))


def free(pitch: float, yaw: float, roll: float = 0.0) -> tuple[Turn, ...]:
    turns = turn("pitch", (0, 1, 0), -pitch, pitch), turn("yaw", (0, 0, 1), -yaw, yaw)
    return turns + ((turn("roll", (1, 0, 0), -roll, roll),) if roll else ())


def declared_rat(recording: Recording) -> Body:
    """The rat of `rat_mocap`: lengths are those of the prior, the head's shape that of the smoothed recording."""
    names, prior = recording.skeleton.keypoints, recording.prior
    assert prior is not None
    length = {child: own for (_, child), own in zip(recording.skeleton.bones, prior.bone_lengths, strict=True)}

    def bone(child: str, *direction: float):
        return tuple(length[child] * np.array(direction) / np.linalg.norm(direction))

    points = smooth(recording.points_2d, recording.rig, fps=recording.fps).points_3d
    head = [points[:, names.index(name)] for name in ("HeadB", "HeadF", "HeadL")]
    bf, bl, fl = (np.median(np.linalg.norm(head[a] - head[b], axis=-1)) for a, b in ((0, 1), (0, 2), (1, 2)))
    along = (bf**2 + bl**2 - fl**2) / (2 * bf)
    segments = [
        Segment("loin", end=bone("SpineL", -1, 0, 0)),
        Segment("chest", "loin", (0, 0, 0), bone("SpineM", 1, 0, 0), turns=free(80, 80, 60)),
        Segment("neck", "chest", "end", (NECK, 0, 0), turns=free(90, 90)),
        Segment("nape", "neck", "end", (NECK, 0, 0), turns=free(90, 90)),
        Segment("head", "nape", "end", turns=free(90, 90, 90)),
    ]
    markers = {
        "SpineM": ("loin", (0, 0, 0)), "SpineL": ("loin", "end"), "SpineF": ("chest", "end"),
        "HeadB": ("head", (0, 0, 0)), "HeadF": ("head", (bf, 0, 0)),
        "HeadL": ("head", (along, np.sqrt(max(bl**2 - along**2, 1)), 0)),
    }  # fmt: skip
    for side, y in (("L", 1), ("R", -1)):
        segments += [
            Segment(f"shoulder{side}", "chest", "end", bone(f"Shoulder{side}", -0.3, 0.6 * y, -0.6),
                    turns=free(40, 40)),
            Segment(f"arm{side}", f"shoulder{side}", "end", bone(f"Elbow{side}", 0, 0, -1),
                    turns=(turn("swing", (0, 1, 0), -100, 110, 40), turn("spread", (y, 0, 0), -50, 80, 10))),
            Segment(f"forearm{side}", f"arm{side}", "end", bone(f"Arm{side}", 0, 0, -1),
                    turns=(turn("turn", (0, 0, 1), -60, 60), turn("bend", (0, 1, 0), -150, 10, -70))),
            Segment(f"pelvis{side}", "loin", "end", bone(f"Hip{side}", 0.5, 0.7 * y, -0.5), turns=free(40, 40)),
            Segment(f"thigh{side}", f"pelvis{side}", "end", bone(f"Knee{side}", 0, 0, -1),
                    turns=(turn("swing", (0, 1, 0), -120, 80, -60), turn("spread", (y, 0, 0), -40, 80, 15))),
            Segment(f"shank{side}", f"thigh{side}", "end", bone(f"Shin{side}", 0, 0, -1),
                    turns=(turn("turn", (0, 0, 1), -60, 60), turn("bend", (0, 1, 0), -10, 150, 100))),
        ]  # fmt: skip
        for marker, segment in zip(
            ("Shoulder", "Elbow", "Arm", "Hip", "Knee", "Shin"),
            ("shoulder", "arm", "forearm", "pelvis", "thigh", "shank"),
            strict=True,
        ):
            markers[marker + side] = segment + side, "end"
    symmetries = [(name, f"{name[:-1]}R") for name in names if name[-1] == "L" and f"{name[:-1]}R" in names]
    return Body("rat", tuple(segments), tuple(Marker(name, *markers[name]) for name in names), tuple(symmetries),
                size_spread=0.02, length_spread=0.04, marker_std=3.0, joint_std=1.5, deviation_std=3.0)  # fmt: skip


def prior_poses(recording: Recording, n: int = 400) -> np.ndarray:
    """(n, n_keypoints, 3) poses of the prior's states, by their probabilities; NaN for the ends of the head."""
    prior, skeleton = recording.prior, recording.skeleton
    assert prior is not None
    states = np.random.default_rng(0).choice(prior.n_states, n, p=prior.state_probabilities)
    poses = np.zeros((n, len(skeleton.keypoints), 3))
    for (parent, child), length in zip(skeleton.bone_indices, prior.bone_lengths, strict=True):  # parents come first
        poses[:, child] = poses[:, parent] + length * prior.directions[states, child]
    poses[:, [skeleton.keypoints.index(name) for name in ("HeadF", "HeadL")]] = np.nan
    return poses


def trained(body: Body, poses: np.ndarray, margin: float = 10.0) -> Body:
    """The body with limits `margin` degrees beyond what these poses need, each a frame of its own."""
    covariances = np.broadcast_to(4.0 * np.eye(3), (*poses.shape, 3))
    angles = starting_state(body, poses, covariances, 1.0, root_angles(body, poses)).angles
    angles -= 2 * np.pi * np.round((angles - body.rest_angles) / (2 * np.pi))
    low, rest, high = np.percentile(angles, (1, 50, 99), axis=0)
    low, high = low - np.radians(margin), high + np.radians(margin)
    segments, number = [], 6
    for segment in body.segments:
        turns = []
        for own in segment.turns:
            turns.append(replace(own, low=low[number], high=high[number], rest=rest[number]))
            number += 1
        segments.append(replace(segment, turns=tuple(turns)))
    return replace(body, segments=tuple(segments))


def mocap() -> None:
    recording = rat()
    parts = recording.points_2d, recording.rig
    options: dict[str, Any] = {"fps": recording.fps}
    body = trained(declared_rat(recording), prior_poses(recording))
    poses = options | {"skeleton": recording.skeleton, "prior": recording.prior}
    found = {
        "smooth": smooth(*parts, **options),
        "infer_poses, trained prior": infer_poses(*parts, **poses),
        "infer_poses, trained prior and noise": infer_poses(*parts, **poses, noise=recording.noise),
        "fit_body": fit_body(*parts, **options, body=body),
        "fit_body, trained noise": fit_body(*parts, **options, body=body, noise=recording.noise),
        "the same, rigid markers": fit_body(
            *parts, **options, body=replace(body, deviation_std=0.0), noise=recording.noise
        ),
    }
    rows = {}
    for name, own in found.items():
        size = np.linalg.norm(own.points_3d - recording.truth, axis=-1)
        rows[name] = {"mean mm": np.nanmean(size)} | marker_row(own.points_3d, own.covariances_3d, recording.truth)
    show("rat_mocap: motion-capture truth (mm)", pd.DataFrame(rows).T)


def left_out() -> None:
    from tests.triangulate.rig_refinement.test_refinement import rat_rig

    folder, rig = DATA / "rodent_4cam", rat_rig()
    views = read_views({c: folder / c / f"minimal_{c}_proofread.analysis.h5" for c in rig.names}, fps=30)
    points_2d, names = views["position"].values, tuple(str(name) for name in views["keypoint"].values)
    skeleton = Skeleton(names, RODENT_BONES, root="Neck")

    def fitted(places: float, deviations: float):
        def method(points, cameras, _):
            body = body_from_skeleton(skeleton, smooth(points, cameras, fps=30.0).points_3d, up=(0, -1, 0))
            std = body.marker_std
            body = replace(body, marker_std=places * std, joint_std=places * std, deviation_std=deviations * std)
            return fit_body(points, cameras, fps=30.0, body=body)

        return method

    methods = {
        "smooth": lambda points, cameras, _: smooth(points, cameras, fps=30.0),
        "smooth, skeleton": lambda points, cameras, _: smooth(points, cameras, fps=30.0, skeleton=skeleton),
        "fit_body, neither offsets nor deviations": fitted(0.01, 0.0),
        "fit_body, offsets": fitted(1.0, 0.0),
        "fit_body, offsets and deviations": fitted(0.3, 2.0),
    }
    show("rodent_4cam: a camera left out", leave_one_camera_out(points_2d, rig, methods).xs("all", level="camera"))


if __name__ == "__main__":
    warnings.simplefilter("ignore", UserWarning)
    mocap()
    left_out()
