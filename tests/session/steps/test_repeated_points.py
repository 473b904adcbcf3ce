"""Points that repeat to the last digit are named with the true cause; others, and things at rest, are not."""

import numpy as np
import pytest

from muybridge.datasets import views_dataset
from muybridge.session import read_session
from muybridge.session.session_problems import foreseen
from muybridge.session.steps.plausibility import repeated_points
from tests.session.synthetic import make_session
from tests.session.test_broken_sessions import run

CAMERAS, N_FRAMES, N_KEYPOINTS = ["a", "b", "c"], 40, 4


def views(change=lambda points: points, decimals=3):
    points_2d = np.random.default_rng(0).uniform(0, 640, (len(CAMERAS), N_FRAMES, N_KEYPOINTS, 2))
    points_2d[:, 3, 1] = np.nan
    names = [f"k{i}" for i in range(N_KEYPOINTS)]
    points_2d = change(np.round(points_2d, decimals))
    return views_dataset(points_2d, cameras=CAMERAS, keypoints=names, times=np.arange(N_FRAMES) / 100)


def doubled(points):
    return points[:, np.arange(N_FRAMES) // 2]


def frozen(points):
    points[1, 30:] = points[1, 30]
    return points


def copied(points):
    points[:, :, 3] = points[:, :, 0]
    return points


def marked(place):
    def change(points):
        points[:2][np.random.default_rng(1).random((2, N_FRAMES, N_KEYPOINTS)) < 0.3] = place
        return points

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (doubled, "Cameras 'a', 'b', 'c': the 2D points of 51 % of the frames are exactly those of the frame before"),
        (frozen, "Camera 'b': the 2D points of 23 % of the frames"),
        (marked([0.0, 0.0]), "of several keypoints, lie at exactly (0, 0)"),
        (copied, "Keypoints 'k0' and 'k3' have exactly the same 2D points"),
        (marked([-1.0, -1.0]), "lie at exactly (-1, -1)"),
    ],
)
def test_what_repeats_is_named(change, words):
    (sentence,) = repeated_points(views(change))
    assert words in sentence


def held_keypoint(points):
    points[:, :, 2] = [300.5, 200.25]  # of one keypoint: an animal's fixed foot, or a marker of the arena
    return points


@pytest.mark.parametrize(
    ("change", "decimals"),
    [(lambda points: points, 3), (lambda points: points[:, :1].repeat(N_FRAMES, axis=1), 3), (held_keypoint, 3),
     (lambda points: points // 400 * 400, 0), (lambda points: points * np.nan, 3)],
)  # fmt: skip
def test_other_points_are_not(change, decimals):
    assert repeated_points(views(change, decimals)) == []


def test_what_a_tool_writes_with_a_likelihood_of_0_is_no_point():
    rng = np.random.default_rng(2)
    points, hidden = rng.uniform(0, 640, (3, N_FRAMES, N_KEYPOINTS, 2)), rng.random((3, N_FRAMES)) < 0.7
    confidence = np.ones(points.shape[:-1])
    points[..., :2, :][hidden] = 0.0
    confidence[..., :2][hidden] = 0.0
    names = [f"k{i}" for i in range(N_KEYPOINTS)]
    how = {"cameras": CAMERAS, "keypoints": names, "times": np.arange(N_FRAMES) / 100}
    assert repeated_points(views_dataset(points, confidence=confidence, **how)) == []
    assert "'k0' and 'k1' have exactly the same" in repeated_points(views_dataset(points, **how))[0]


def test_check_and_run_say_it_first(tmp_path):
    recording = make_session(3, 40)
    recording.points_2d[:] = recording.points_2d[:, np.arange(40) // 2]
    _, said, _ = run(recording, tmp_path)
    words = "the 2D points of 51 % of the frames are exactly those of the frame before"
    assert words in next(line for line in said if line.startswith("warning: "))
    assert words in foreseen(read_session(tmp_path))[1][0]
