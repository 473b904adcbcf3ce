"""Calls of the functions of triangulate with every option, on two legs that swing.

A module of its own, imported by the tests as they run: it triangulates, which the collection of tests need not.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from muybridge.cameras import Region
from muybridge.datasets import Skeleton, views_dataset
from muybridge.formats.labels.labelled_frames import Labels, Picture
from muybridge.triangulate import (
    DetectorNoise,
    MovementPrior,
    PosePrior,
    body_from_skeleton,
    triangulate_dlt,
    triangulate_ransac,
)
from tests.conftest import make_ring_rig

FPS = 50.0
N_FRAMES = 40
TIMES = np.arange(N_FRAMES) / FPS
NAMES = ["hip", "left_knee", "right_knee"]
LEGS = Skeleton(tuple(NAMES), (("hip", "left_knee"), ("hip", "right_knee")), symmetries=(("left_knee", "right_knee"),))
RIG = replace(make_ring_rig(n_cameras=4), up=np.array([0.0, 0, 1]))


def legs():
    """Two legs that swing in turns while the hip moves along x; mm."""
    swing = 0.5 * np.sin(8 * TIMES)[:, None] * [1.0, -1.0]
    hip = np.stack([60 * TIMES, 5 * np.sin(8 * TIMES), 0 * TIMES], axis=-1)
    knees = 40 * np.stack([np.sin(swing), np.broadcast_to([0.3, -0.3], swing.shape), -np.cos(swing)], axis=-1)
    return np.concatenate([hip[:, None], hip[:, None] + knees], axis=1)


TRUTH = legs()
POINTS = RIG.project(TRUTH) + np.random.default_rng(0).normal(0, 0.5, (4, N_FRAMES, 3, 2))
SEEN = np.full(POINTS.shape[:-1], 0.95)
VIEWS = views_dataset(POINTS, cameras=RIG.names, keypoints=NAMES, times=TIMES, confidence=SEEN)
TRACKS = np.stack([POINTS, RIG.project(TRUTH + np.array([0.0, 150, 0]))])
TWO = views_dataset(TRACKS, cameras=RIG.names, keypoints=NAMES, times=TIMES)
PEAKS = np.stack([POINTS, POINTS + 60], axis=3)
CANDIDATES = xr.concat([VIEWS, VIEWS.assign(position=VIEWS["position"] + 60)], dim="candidate")
NOISE = DetectorNoise.fit(POINTS, TRUTH, RIG)
PRIOR = PosePrior.fit(TRUTH, LEGS, 2)
BODY = body_from_skeleton(LEGS, TRUTH)
MOVEMENT = MovementPrior.fit(TRUTH, BODY, fps=FPS)
PICTURES = [Picture(Path(f"{name}.png")) for name in RIG.names]
LABELS = Labels(PICTURES, POINTS[:, 0], NAMES, RIG.names, RIG.names, (0,) * 4)
OFFSETS = np.array([0.0, 1, 0, 0.5])
MIRROR = {"top": {"paw": "paw_top"}, "bottom": {"paw": "paw_bottom"}}
BOX = views_dataset(np.ones((1, 2, 2, 2)), cameras=["box"], keypoints=["paw_top", "paw_bottom"], times=[0.0, 0.1])
ROBUST = {"confidence": SEEN, "threshold": 3.0, "sigma": 0.5}
GIVEN = {"fps": FPS, "confidence": SEEN, "noise": NOISE}
POSES = {"skeleton": LEGS, "prior": PRIOR, "n_states": None, "progress": False}
SMOOTH = {**GIVEN, "order": 2, "window": 0.5, "progress": False, "pairs": "all"}
# {function: [(arguments, options), ...]}; an array and then the dataset wherever both are taken
CALLS = {
    "body_from_skeleton": [((LEGS, TRUTH), {"up": (0.0, 0.0, 1.0), "unit": "mm", "name": "legs"})],
    "calibrate_from_points": [
        ((POINTS, RIG), {"confidence": SEEN, "keypoints": NAMES, "floor": False, "skeleton": LEGS, "n_points": 100,
                         "lengths": [("hip", "left_knee", 40.0, 1.0)], "unit": "mm", "up": {"cam_0": [0.0, -1, 0]}}),
    ],
    "check_coverage": [((VIEWS, RIG), {"method": "ransac", "n_points": 60, "block": 0.2})],
    "diagnose": [
        (
            (POINTS, RIG),
            {"keypoints": NAMES, "confidence": SEEN, "fps": FPS, "triangulation": triangulate_ransac(POINTS, RIG)},
        ),
        ((VIEWS, RIG), {}),
    ],
    "estimate_noise": [((POINTS, RIG), {"confidence": SEEN}), ((VIEWS, RIG), {})],
    "estimate_sigma": [((POINTS, RIG), {"confidence": SEEN}), ((VIEWS, RIG), {})],
    "fit_body": [
        ((POINTS, RIG), {"fps": FPS, "body": BODY, "keypoints": NAMES, "confidence": SEEN, "noise": NOISE, "order": 2,
                         "window": 0.5, "time_offsets": True, "prior": MOVEMENT, "progress": False}),
        ((VIEWS, RIG), {"body": BODY}),
        (([VIEWS, VIEWS], [RIG, RIG]), {"body": BODY}),
    ],
    "frame_offsets": [((POINTS, RIG), {"confidence": SEEN, "fps": FPS, "max_offset": 3}), ((VIEWS, RIG), {})],
    "hampel_filter": [((TRUTH, 0.1), {"fps": FPS, "n_sigmas": 3.0, "replace": "nan"})],
    "infer_poses": [((POINTS, RIG), {**SMOOTH, **POSES}), ((VIEWS, RIG), {"skeleton": LEGS, "n_states": 2})],
    "label_hidden": [((LABELS, RIG), {"max_error": 0.02})],
    "interpolate_gaps": [((TRUTH, 0.1), {"fps": FPS}), ((TRUTH, 0.1), {"times": TIMES})],
    "leave_one_camera_out": [
        ((points, RIG, {"dlt": lambda y, rig, _: triangulate_dlt(y, rig)}), options)
        for points, options in ((POINTS, {"confidence": SEEN, "threshold": 20.0}), (VIEWS, {}))
    ],
    "find_individuals": [
        ((np.moveaxis(TRACKS, 0, 3), RIG),
         {"fps": FPS, "confidence": np.moveaxis(np.ones((2, *SEEN.shape)), 0, 3), "identity": "detections",
          "limbs": [(0, 1), (1, 2)], "limb_scores": np.full((len(RIG), SEEN.shape[1], 2, 2, 2), 0.5),
          "n_individuals": 2, "sigma": 0.5, "appearance": np.moveaxis(TRACKS, 0, 3)}),
    ],
    "match_individuals": [
        ((TRACKS, RIG), {"fps": FPS, "confidence": np.ones((2, *SEEN.shape)), "sigma": 0.5, "switch_probability": 0.1}),
        ((TWO, RIG), {}),
    ],
    "match_views": [((TWO, RIG), {"sigma": 0.5, "switch_probability": 0.1})],
    "separate_individuals": [
        ((TWO, RIG), {"identity": "none", "skeleton": LEGS, "n_individuals": 2, "sigma": 0.5}),
    ],
    "median_filter": [((TRUTH, 0.1), {"fps": FPS})],
    "method_options": [(("smooth",), {})],
    "mirror_camera": [((RIG[0], [0.0, 0, 1], 100.0, "mirror"), {})],
    "plot_body": [((BODY, Figure().subplots()), {"names": False})],
    "point_covariances": [((TRUTH, RIG), {"sigma": 0.5, "inliers": SEEN > 0})],
    "predict_left_out": [((VIEWS, RIG), {"methods": ["dlt", "pairs"], "n_frames": 20})],
    "read_body": [(("cheetah",), {})],
    "reconstruct": [
        ((VIEWS, RIG), {"method": "median", "window": 0.1, "max_gap": 0.1, "swaps": True, "skeleton": LEGS,
                        "chunk_frames": 15, "check_coverage": True}),
        ((VIEWS, RIG), {"method": "gimbal", "skeleton": LEGS, "prior": PRIOR, "body": None, "window": 0.5}),
    ],
    "refine_rig": [
        ((POINTS, RIG), {"confidence": SEEN, "fps": FPS, "focal": True, "sync": True, "detect_camera_motion": True,
                         "max_offset": 2, "n_points": 100}),
        ((VIEWS, RIG), {}),
    ],
    "region_camera": [((RIG[0], Region("left", (0, 0), (640, 1024))), {})],
    "repair_swaps": [
        ((POINTS, RIG, LEGS), {"confidence": SEEN, "sigma": 0.5, "swap_probability": 0.1}),
        ((VIEWS, RIG, LEGS), {}),
    ],
    "sample_poses": [
        ((POINTS, RIG), {**GIVEN, **POSES, "n_samples": 8, "n_chains": 2, "seed": 1}),
        ((VIEWS, RIG), {"skeleton": LEGS, "prior": PRIOR, "n_samples": 8, "n_chains": 1}),
    ],
    "shift_frames": [((POINTS, OFFSETS), {}), ((VIEWS, OFFSETS), {})],
    "smooth": [((POINTS, RIG), {**SMOOTH, "skeleton": LEGS, "n_samples": 2, "seed": 1}), ((VIEWS, RIG), {})],
    "split_views": [((BOX, "box", MIRROR), {})],
    "triangulate_candidates": [((PEAKS, RIG), {**ROBUST, "confidence": np.stack([SEEN] * 2, axis=-1)}),
                               ((CANDIDATES, RIG), {})],
    "triangulate_dlt": [((POINTS, RIG), {"confidence": SEEN}), ((VIEWS, RIG), {})],
    "triangulate_pairs": [((POINTS, RIG), {"confidence": SEEN, "min_confidence": 0.5}), ((VIEWS, RIG), {})],
    "triangulate_ransac": [
        ((POINTS, RIG), {**ROBUST, "min_confidence": 0.8}),
        ((POINTS, RIG), {"noise": NOISE}),
        ((VIEWS, RIG), {}),
    ],
}  # fmt: skip
