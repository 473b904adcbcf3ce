"""Held-out frames are whole blocks, and the views of one moment stay together."""

from dataclasses import replace

import numpy as np
import pytest

from muybridge.pose2d import LabelError
from muybridge.pose2d.training.splits import split_labels


def test_time_blocks_keep_the_cameras_of_one_instant_together(labels):
    kept, held, note = split_labels(labels, 0.25, "time")
    assert len(kept) + len(held) == len(labels)
    assert set(held.instants).isdisjoint(kept.instants)
    assert set(held.cameras) == {"front", "side"}
    instants = sorted(set(held.instants))
    assert instants == list(range(instants[0], instants[0] + 6))
    assert "12 of 48 frames were held out by time" in note


def test_random_frames_too_are_whole_instants_and_depend_on_the_seed_only(labels):
    kept, held, _ = split_labels(labels, 0.25, "random", seed=4)
    assert set(held.instants).isdisjoint(kept.instants)
    again = split_labels(labels, 0.25, "random", seed=4)[1]
    assert held.instants == again.instants


def test_a_camera_is_held_out_whole_and_one_camera_cannot_be(labels):
    kept, held, _ = split_labels(labels, 0.5, "camera")
    assert len(set(held.cameras)) == 1
    assert set(held.cameras).isdisjoint(kept.cameras)
    with pytest.raises(LabelError, match="all frames are of one camera"):
        split_labels(labels.select(np.array(labels.cameras) == "side"), 0.5, "camera")


def test_recordings_are_split_each_by_its_own_time(labels):
    apart = replace(labels, groups=tuple(f"rec_{camera}" for camera in labels.cameras))
    _, held, _ = split_labels(apart, 0.25, "time")
    assert {group: held.groups.count(group) for group in set(held.groups)} == {"rec_front": 6, "rec_side": 6}
    _, held, _ = split_labels(apart, 0.5, "video")
    assert len(set(held.groups)) == 1


def test_too_few_frames_are_all_trained_on_and_it_is_said(labels):
    kept, held, note = split_labels(labels.select(range(5)), 0.2)
    assert held is None
    assert len(kept) == 5
    assert "nothing is calibrated" in note
