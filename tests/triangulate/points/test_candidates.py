"""Several peaks per view: the right one is found by the other views."""

import numpy as np
import pytest

from benchmarks.rings import errors, make_recording
from muybridge.triangulate import triangulate_candidates, triangulate_ransac


def with_decoys(recording, share=0.3, n_candidates=3, seed=0):
    """(n_cameras, n_frames, n_keypoints, n_candidates, 2) in which the right peak comes second now and then."""
    rng = np.random.default_rng(seed)
    decoys = rng.uniform(0, 1000, (*recording.points_2d.shape[:-1], n_candidates - 1, 2))
    candidates = np.concatenate([recording.points_2d[..., None, :], decoys], axis=3)
    second = rng.random(recording.points_2d.shape[:-1]) < share
    candidates[second] = candidates[second][:, [1, 0, *range(2, n_candidates)]]
    return candidates, second


def test_the_right_peaks_are_chosen_and_the_points_as_good_as_without_decoys():
    recording = make_recording(n_cameras=5, seed=2, n_frames=100, outliers=0.0)
    candidates, second = with_decoys(recording)
    found = triangulate_candidates(candidates, recording.rig)
    seen = np.isfinite(recording.points_2d[..., 0])
    assert (found.chosen == second)[seen].mean() > 0.998
    best = errors(triangulate_ransac(recording.points_2d, recording.rig).points_3d, recording.truth)
    error = errors(found.triangulation.points_3d, recording.truth)
    assert np.nanmedian(error) < 1.02 * np.nanmedian(best)
    assert np.isfinite(error).sum() > 0.998 * np.isfinite(best).sum()


def test_one_candidate_is_plain_triangulation_and_none_is_none():
    recording = make_recording(n_cameras=4, seed=3, n_frames=20)
    found = triangulate_candidates(recording.points_2d[:, :, :, None], recording.rig, sigma=1.0)
    plain = triangulate_ransac(recording.points_2d, recording.rig, sigma=1.0)
    np.testing.assert_array_equal(found.triangulation.points_3d, plain.points_3d)
    np.testing.assert_array_equal(found.chosen, np.where(np.isnan(recording.points_2d[..., 0]), -1, 0))


def test_a_shape_without_candidates_is_refused():
    recording = make_recording(n_cameras=4, n_frames=3)
    with pytest.raises(ValueError, match="candidates"):
        triangulate_candidates(recording.points_2d, recording.rig)
