"""What a session says of a rig whose focal lengths are all wrong by one factor, and of the same recordings as they are.

    python benchmarks/wrong_focal_lengths.py

Recordings by three to six cameras: the rat (real detections), three detectors of the fly, the mouse's real rig and
poses with 1, 3 and 6 px of noise, dogs through random wide lenses with detectors that err by 3 and by 12 px, moving
skeletons in a ring of cameras with and without errors that last. Of two cameras the focal lengths are not judged.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import real_recordings
from benchmarks.detector_errors import DetectorErrors
from benchmarks.real import DOG_SYMMETRIES, FLY, FLY_FILES, fisheye_rig
from muybridge.cameras import CameraRig, read_rig
from muybridge.formats import read_views
from muybridge.triangulate.diagnosis.systematic import with_focal, wrong_focal_lengths
from muybridge.triangulate.diagnosis.view_pairs import ViewPairs
from tests.conftest import make_moving_points, make_ring_rig
from tests.session.synthetic import SKELETON

FACTORS = {"right": 1.0, "1.5 times too long": 1.5, "1.5 times too short": 1 / 1.5}
Recorded = tuple[str, CameraRig, np.ndarray]  # what it is, and points (n_cameras, n_frames, n_keypoints, 2), pixels


def recordings() -> Iterator[Recorded]:
    rat, rig = real_recordings.rat(), read_rig(FLY / "calibration.toml")
    yield "rat", rat.rig, rat.points_2d
    for i in range(3):
        views = read_views({name: FLY / FLY_FILES.format(name, i) for name in rig.names}, fps=300.0)
        yield "fly", rig, views["position"].transpose("view", "time", "keypoint", "space").values
    for number in (1, 2):
        for noise in (1.0, 3.0, 6.0):
            mouse, rng = real_recordings.mouse(number), np.random.default_rng(number)
            yield f"mouse, {noise:g} px", mouse.rig, mouse.points_2d + rng.normal(0, noise, mouse.points_2d.shape)
    yield from dogs()
    yield from rings()


def dogs() -> Iterator[Recorded]:
    for seed, clip in enumerate(("walk00", "run04", "turn00", "trot", "pace", "run00", "walk03")):
        truth, skeleton = real_recordings.dog(clip)
        rig = fisheye_rig(40 + seed, centre=tuple(truth.reshape(-1, 3).mean(axis=0)))
        pairs = [(skeleton.keypoints.index(a), skeleton.keypoints.index(b)) for a, b in DOG_SYMMETRIES]
        for px in (3.0, 12.0):
            errors = DetectorErrors(0.0, px, 0.0, 5.0, 0.08, 150.0, 5.0, 0.5)
            points_2d = errors.apply(rig.project(truth[:400]), np.random.default_rng(50 + seed), pairs)
            yield f"dog, {px:g} px", rig, points_2d


def rings() -> Iterator[Recorded]:
    for seed in range(60, 70):
        for n_frames in (80, 400):
            for n_cameras in (3, 4, 6):
                rig, rng = make_ring_rig(n_cameras), np.random.default_rng(seed)
                exact = rig.project(make_moving_points(SKELETON, n_frames, 100.0, seed=seed))
                lasting = (0.0, 3.0)[seed % 2]
                errors = DetectorErrors(1.0, lasting, lasting, 8.0, 0.05, 60.0, 5.0, 0.0)
                yield f"ring, lasting errors {lasting:g} px", rig, errors.apply(exact, rng, [])
                yield "ring, white noise 6 px", rig, exact + rng.normal(0, 6.0, exact.shape)


def main() -> None:
    rows = []
    for name, rig, points_2d in recordings():
        for n_cameras in sorted({3, len(rig)}):
            some = rig.subset(rig.names[:n_cameras])
            for what, factor in FACTORS.items():
                cameras = tuple(with_focal(camera, factor) for camera in some)
                views = ViewPairs.of(points_2d[:n_cameras, None], replace(some, cameras=cameras))
                found = wrong_focal_lengths(views)
                said = "not said" if found is None else "refused" if found[1] else "warned of"
                rows.append((name, what, said))
    table = pd.DataFrame(rows, columns=["recording", "focal lengths", "said"])
    print(table.value_counts().unstack(["focal lengths", "said"], fill_value=0).sort_index(axis=1).to_string())
    print(table.drop(columns="recording").value_counts().unstack(fill_value=0).to_string())


if __name__ == "__main__":
    main()
