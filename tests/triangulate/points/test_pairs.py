"""The camera-pair baseline equals its definition."""

import itertools

import numpy as np

from benchmarks.rings import make_recording
from muybridge.calibration import CameraRig
from muybridge.triangulate import triangulate_dlt, triangulate_pairs


def test_it_is_the_median_of_the_pairs():
    recording = make_recording(n_cameras=4, n_frames=15, missing=0.3)
    each = [
        triangulate_dlt(recording.points_2d[list(pair)], CameraRig(tuple(recording.rig.cameras[c] for c in pair)))
        for pair in itertools.combinations(range(4), 2)
    ]
    found = triangulate_pairs(recording.points_2d, recording.rig)
    there = np.isfinite(each).any(axis=0)
    np.testing.assert_array_equal(np.isfinite(found), there)
    np.testing.assert_allclose(found[there], np.nanmedian(np.stack(each)[:, there], axis=0))


def test_doubtful_views_are_left_out():
    recording = make_recording(n_cameras=4, n_frames=15, outliers=0.0, missing=0.0)
    doubt = np.ones(recording.confidence.shape)
    doubt[2] = 0.2
    found = triangulate_pairs(recording.points_2d, recording.rig, confidence=doubt, min_confidence=0.5)
    without = recording.points_2d.copy()
    without[2] = np.nan
    np.testing.assert_array_equal(found, triangulate_pairs(without, recording.rig))
