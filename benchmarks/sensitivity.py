"""What changes when a constant of the posterior with pose states is halved or doubled.

    python benchmarks/sensitivity.py

Rat: real detections, motion-capture truth, prior trained elsewhere (mean, median and p95 error, share of truth in 50 %
and 95 % regions, share of points overridden). Limb: the animal of the tests, whose left knee four of six views put 60
degrees off for 2.5 of 4 seconds (share overridden there and elsewhere).
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import real_recordings
from benchmarks.real import coverage
from muybridge.triangulate import PosePrior, infer_poses
from muybridge.triangulate.pose_states import displaced_keypoints, trained_lengths, window_states
from muybridge.triangulate.smoothing import difference_prior, error_correlation, observations, unsteady_motion
from tests.conftest import make_moving_points, ring_rig, skeleton
from tests.triangulate.pose_states.test_pose_inference import knee_swung_out

CONSTANTS = {
    displaced_keypoints: (
        "_REACH",
        "_RUNNING",
        "_EXAMINED",
        "_LOG_EVENT",
        "_LOG_VIEWS",
        "_LOG_OFF_POSE",
        "_SEVERAL",
        "_AGREES",
        "OFF_POSE",
    ),
    window_states: ("_SECONDS_OFF_POSE", "_POSES_PER_SECOND"),
    trained_lengths: ("_GROSS", "_MEASURED_RANGE", "_SPREAD_WEIGHT"),
    error_correlation: ("COMMON_SHARE", "COMMON_CONSTANT"),
    difference_prior: ("_PRECISION_SPREAD",),
    unsteady_motion: ("_ACTIVITY_STD", "_ACTIVITY_SECONDS"),
    observations: ("_NOISE_WEIGHT",),
}


def measured() -> dict[str, float]:
    rat = real_recordings.rat()
    found = infer_poses(rat.points_2d, rat.rig, fps=rat.fps, skeleton=rat.skeleton, prior=rat.prior)
    errors = np.linalg.norm(found.points_3d - rat.truth, axis=-1)
    row = {
        "rat mean mm": np.nanmean(errors),
        "median mm": np.nanmedian(errors),
        "p95 mm": np.nanquantile(errors, 0.95),
        "50 % hold": coverage(found.points_3d, found.covariances_3d, rat.truth, 0.5),
        "95 % hold": coverage(found.points_3d, found.covariances_3d, rat.truth, 0.95),
        "overridden": found.overridden.mean(),
    }
    body, rig, fps = skeleton.__wrapped__(), ring_rig.__wrapped__(), 100
    truth = make_moving_points(body, 9 * fps, fps=fps)
    prior, stretch = PosePrior.fit(truth[4 * fps :], body, 8), slice(75, 325)
    points_2d, confidence, knee = knee_swung_out(rig, body, truth[: 4 * fps], stretch)
    posed = infer_poses(points_2d, rig, fps=fps, confidence=confidence, skeleton=body, prior=prior)
    elsewhere = np.ones(posed.overridden.shape, bool)
    elsewhere[stretch, knee] = False
    limb = {"limb: there": posed.overridden[stretch, knee].mean(), "elsewhere": posed.overridden[elsewhere].mean()}
    return row | limb


def main() -> None:
    rows = {"as set": measured()}
    for module, names in CONSTANTS.items():
        for name in names:
            value = getattr(module, name)
            for factor in (0.5, 2.0):
                setattr(module, name, factor * value)
                rows[f"{name.strip('_')} {value:g} -> {factor * value:g}"] = measured()
            setattr(module, name, value)
    print(pd.DataFrame(rows).T.to_string(float_format=lambda value: f"{value:.3g}"))


if __name__ == "__main__":
    main()
