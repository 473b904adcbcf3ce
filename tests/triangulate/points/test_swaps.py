"""Left and right exchanged in some views, and put right."""

import numpy as np
import pytest

from benchmarks.rings import make_recording
from muybridge.datasets import Skeleton
from muybridge.triangulate import repair_swaps

SIDES = Skeleton(
    tuple(f"{part}_{side}" for part in "abcdefghij" for side in ("left", "right")),
    symmetries=tuple((f"{part}_left", f"{part}_right") for part in "abcdefghij"),
)


def swap(points_2d, frames, cameras):
    """The points with all partners exchanged in these frames of these cameras, and where."""
    where = np.zeros(points_2d.shape[:-1], dtype=bool)
    for camera, at in zip(cameras, frames, strict=True):
        where[camera, at] = True
    return np.where(where[..., None], points_2d[:, :, SIDES.mirror], points_2d), where


def test_swaps_of_one_view_are_undone_and_hardly_any_introduced():
    recording = make_recording(seed=5, n_frames=1000)
    rng = np.random.default_rng(0)
    swapped, where = swap(recording.points_2d, [rng.random(1000) < 0.1], [2])
    found = repair_swaps(swapped, recording.rig, SIDES)
    visible = np.isfinite(swapped[..., 0]) | np.isfinite(swapped[:, :, SIDES.mirror, 0])
    assert found.swapped[where & visible].mean() > 0.95
    assert found.swapped[~where & visible].mean() < 0.001


def test_confidence_moves_with_the_points_and_both_partners_move_together():
    recording = make_recording(seed=6, n_frames=40, outliers=0.0, missing=0.0)
    swapped, where = swap(recording.points_2d, [slice(10, 20)], [1])
    confidence = np.random.default_rng(0).uniform(0.8, 1, where.shape)
    found = repair_swaps(swapped, recording.rig, SIDES, confidence=confidence)
    np.testing.assert_array_equal(found.swapped, found.swapped[:, :, SIDES.mirror])
    moved = np.where(found.swapped, confidence[:, :, SIDES.mirror], confidence)
    np.testing.assert_array_equal(found.confidence, moved)
    assert (found.swapped != where).mean() < 0.01
    np.testing.assert_allclose(found.points_2d[~(found.swapped ^ where)], recording.points_2d[~(found.swapped ^ where)])


def test_what_is_right_stays_and_missing_points_stay_missing():
    recording = make_recording(seed=7, n_frames=60, outliers=0.0, missing=0.4)
    found = repair_swaps(recording.points_2d, recording.rig, SIDES)
    assert found.swapped.mean() < 0.001
    nothing = np.full((6, 3, 20, 2), np.nan)
    assert not repair_swaps(nothing, recording.rig, SIDES).swapped.any()


def test_bad_input_is_named():
    recording = make_recording(n_frames=5)
    with pytest.raises(ValueError, match="names no symmetries"):
        repair_swaps(recording.points_2d, recording.rig, Skeleton(SIDES.keypoints))
    with pytest.raises(ValueError, match="20 keypoints"):
        repair_swaps(recording.points_2d[:, :, :4], recording.rig, SIDES)
    with pytest.raises(ValueError, match="swap_probability"):
        repair_swaps(recording.points_2d, recording.rig, SIDES, swap_probability=0.7)
