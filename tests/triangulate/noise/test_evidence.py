"""A cause is named where independent errors show it, never for what errors that last do by chance."""

import numpy as np
import pytest

from muybridge.triangulate.noise.evidence import is_evident

N_FRAMES, N_KEYPOINTS = 150, 7


def errors(lasting, seed, size=1.0):
    """(3, frames, keypoints): of each frame alone, of 20 frames, or of a keypoint."""
    rng, whole = np.random.default_rng(seed), (3, N_FRAMES, N_KEYPOINTS)
    shape = {"frames": whole, "stretches": (3, 8, N_KEYPOINTS), "keypoints": (3, 1, N_KEYPOINTS)}
    drawn = rng.normal(0, size, shape[lasting])
    if lasting == "stretches":
        drawn = np.repeat(drawn, 20, axis=1)[:, :N_FRAMES]
    return np.broadcast_to(drawn, whole) + rng.normal(0, 0.2 * size, whole)


LASTING = ("frames", "stretches", "keypoints")


@pytest.mark.parametrize("lasting", LASTING)
def test_the_best_of_many_causes_that_change_nothing_is_not_evident(lasting):
    named = 0
    for seed in range(20):
        before = errors(lasting, seed)
        trials = [errors(lasting, 1000 + 100 * seed + i) for i in range(60)]
        named += is_evident(before, min(trials, key=lambda after: np.median(np.abs(after))), len(trials))
    assert named == 0


@pytest.mark.parametrize("lasting", LASTING)
def test_what_explains_errors_far_above_those_that_last_is_evident(lasting):
    after = errors(lasting, 0)
    assert is_evident(after + errors("stretches", 1, size=20.0), after, 60)


def test_fewer_independent_errors_are_no_evidence_for_as_large_a_gain():
    before, after = errors("stretches", 0, size=3.0), errors("stretches", 1)
    assert is_evident(before, after, 60)
    assert not is_evident(before[:1, :40, :2], after[:1, :40, :2], 60)


def test_what_changes_nothing_is_no_cause():
    same = errors("frames", 0)
    assert not is_evident(same, same.copy(), 1)
    assert not is_evident(same, np.full_like(same, np.nan), 1)
