"""What no animal is like, and what animals are like: sizes, accelerations, bones, names."""

import numpy as np
import pytest

from muybridge.triangulate.diagnosis.implausible import (
    bone_sentence,
    exchange_sentence,
    exchanged_keypoints,
    rate_sentence,
    size_sentence,
)
from tests.conftest import make_moving_points
from tests.session.synthetic import SKELETON

N_FRAMES, FPS = 200, 100.0


@pytest.fixture(params=[3, 4, 5])
def animal(request):
    """(n_frames, n_keypoints, 3) a tenth of a metre long, mm, with detection noise of 1 mm."""
    noise = np.random.default_rng(request.param).normal(0, 1, (N_FRAMES, len(SKELETON.keypoints), 3))
    return make_moving_points(SKELETON, N_FRAMES, FPS, seed=request.param) + noise


def test_nothing_is_said_of_an_animal(animal):
    assert size_sentence(animal, SKELETON.keypoints, "mm") == ""
    assert rate_sentence(animal, FPS, "mm") == ""
    assert exchange_sentence(animal, SKELETON.keypoints, SKELETON.bone_indices, "mm") == ""


@pytest.mark.parametrize(("factor", "unit", "word"), [(1 / 25.4, "mm", "in"), (1e-3, "mm", "m"), (1.0, "m", "mm")])
def test_a_size_that_no_animal_has_is_said_with_the_units_that_fit(animal, factor, unit, word):
    sentence = size_sentence(factor * animal, SKELETON.keypoints, unit)
    assert f"another unit than '{unit}'" in sentence
    assert word in sentence.partition("(")[2].partition(" would fit")[0].split(", ")


def test_a_person_of_the_size_of_a_mouse_is_said(animal):
    names = ("nose", "left_eye", "left_shoulder", "left_wrist", "left_hip", "left_knee", "left_ankle")
    assert "no person is so small" in size_sentence(animal, names, "mm")
    assert size_sentence(12 * animal, names, "mm") == ""


def test_names_that_say_nothing_of_the_animal_allow_every_size(animal):
    assert size_sentence(animal / 25.4, [f"point_{i}" for i in range(7)], "mm") == ""


def test_a_frame_rate_ten_times_too_high_is_said_and_a_resting_animal_has_any(animal):
    assert "times gravity" in rate_sentence(animal, 10 * FPS, "mm")
    still = np.repeat(animal[:1], N_FRAMES, axis=0) + np.random.default_rng(0).normal(0, 1, animal.shape)
    assert rate_sentence(still, 10 * FPS, "mm") == ""


def test_keypoints_that_jump_away_for_some_frames_are_no_acceleration_of_the_animal(animal):
    """Few cameras give such points; together they had passed for twice gravity and more."""
    rng = np.random.default_rng(0)
    for k in range(animal.shape[1]):
        for start in rng.integers(0, N_FRAMES - 10, 4):
            animal[start : start + 6, k] += rng.normal(0, 60, 3)
            animal[start + 7 : start + 10, k] = np.nan
    assert rate_sentence(animal, FPS, "mm") == ""


@pytest.mark.parametrize("pair", [(0, 1), (1, 2), (2, 3), (5, 6)])
def test_exchanged_names_are_found_or_nothing_is_said(animal, pair):
    exchanged = animal.copy()
    exchanged[:, list(pair)] = animal[:, list(pair)[::-1]]
    found = exchanged_keypoints(exchanged, SKELETON.bone_indices)
    assert found is None or found[0] == pair


def test_exchanged_names_of_a_limb_that_moves_are_found():
    animal = make_moving_points(SKELETON, N_FRAMES, FPS, seed=3)
    exchanged = animal.copy()
    exchanged[:, [1, 2]] = animal[:, [2, 1]]
    assert "'neck' and 'tail'" in exchange_sentence(exchanged, SKELETON.keypoints, SKELETON.bone_indices, "mm")


def test_bones_are_compared_with_those_that_are_known(animal):
    lengths = {
        (SKELETON.keypoints[a], SKELETON.keypoints[b]): float(
            np.median(np.linalg.norm(animal[:, a] - animal[:, b], axis=-1))
        )
        for a, b in SKELETON.bone_indices
    }
    assert bone_sentence(1.5 * animal, SKELETON.keypoints, "mm", lengths) == ""
    sentence = bone_sentence(animal / 25.4, SKELETON.keypoints, "mm", lengths)
    assert "0.0394 times as long" in sentence
    assert "as if the unit of the cameras were 'in'" in sentence
    odd = {bone: length * (3.0 if i % 2 else 1.0) for i, (bone, length) in enumerate(lengths.items())}
    assert bone_sentence(animal, SKELETON.keypoints, "mm", odd) == ""
