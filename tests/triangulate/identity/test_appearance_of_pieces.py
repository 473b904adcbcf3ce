"""Animals that leave and come back are told by their coats, where these differ; equal coats change nothing."""

import numpy as np
import pytest

from benchmarks.individuals import FPS, LIMBS, candidates_of, identities, room_rig, walking_people
from muybridge.datasets import views_dataset
from muybridge.triangulate import find_individuals, separate_individuals

RIG, N_FRAMES, GONE = room_rig(), 150, slice(50, 100)


@pytest.fixture(scope="module")
def scene():
    """Candidates of two people of one build who both leave and come back where the other was, and whose each is."""
    present = np.ones((2, N_FRAMES), bool)
    present[:, GONE] = False
    truth = walking_people(1, N_FRAMES, 3)
    truth = np.concatenate([truth, truth + np.array([1.2, 0, 0])])
    candidates, scores, who = candidates_of(truth, RIG, seed=3, present=present)
    exchanged = np.where(who >= 0, 1 - who, who)
    who = np.concatenate([who[:, : GONE.stop], exchanged[:, GONE.stop :]], axis=1)
    return candidates, scores, who


def coats(who, colours, noise=6.0):
    """What each candidate looks like; those of nobody look like anything."""
    rng = np.random.default_rng(0)
    anything = rng.uniform(0, 100, (*who.shape, 3))
    own = np.asarray(colours, float)[who] + rng.normal(0, noise, anything.shape)
    return np.where(who[..., None] >= 0, own, anything)


DIFFERENT, EQUAL = [[30, 0, 0], [70, 5, 10]], [[50, 0, 0]] * 2


def test_different_coats_tell_who_came_back_where(scene):
    candidates, scores, who = scene
    how = {"fps": FPS, "limbs": LIMBS, "limb_scores": scores, "n_individuals": 2}
    by_place = find_individuals(candidates, RIG, **how)
    share, switches = identities(by_place.candidates, who, 2)
    assert share < 0.7  # by where they were they are taken for each other
    assert switches > 0
    by_coat = find_individuals(candidates, RIG, **how, appearance=coats(who, DIFFERENT))
    assert identities(by_coat.candidates, who, 2) == (1.0, 0)


def test_equal_coats_change_nothing(scene):
    candidates, scores, who = scene
    how = {"fps": FPS, "limbs": LIMBS, "limb_scores": scores, "n_individuals": 2}
    without = find_individuals(candidates, RIG, **how)
    found = find_individuals(candidates, RIG, **how, appearance=coats(who, EQUAL))
    np.testing.assert_array_equal(found.candidates, without.candidates)
    unknown = find_individuals(candidates, RIG, **how, appearance=np.full((*who.shape, 3), np.nan))
    np.testing.assert_array_equal(unknown.candidates, without.candidates)


def test_views_carry_the_appearance(scene):
    candidates, _, who = scene
    rows = np.stack([np.where((who == a)[..., None], candidates, np.nan) for a in range(2)])
    points = np.where(np.isfinite(rows), rows, -np.inf).max(axis=4)  # each person's one candidate
    points = np.where(np.isfinite(points), points, np.nan)
    look = np.broadcast_to(np.array(DIFFERENT, float)[:, None, None, None], (*points.shape[:-1], 3))
    points, look = points.copy(), np.where(np.isfinite(points[..., :1]), look, np.nan)
    points[:, :, GONE.stop :], look[:, :, GONE.stop :] = points[::-1, :, GONE.stop :], look[::-1, :, GONE.stop :]
    names = [f"k{i}" for i in range(points.shape[3])]
    views = views_dataset(points, cameras=RIG.names, keypoints=names, times=np.arange(N_FRAMES) / FPS)
    views["appearance"] = (("individual", "view", "time", "keypoint", "colour"), look)
    found = separate_individuals(views, RIG, n_individuals=2, identity="detections")
    lightness = found["appearance"][..., 0].median(("view", "keypoint")).values
    for own in lightness:
        assert len(set(own[np.isfinite(own)])) == 1


def test_an_appearance_of_another_shape_is_refused(scene):
    candidates, _, who = scene
    with pytest.raises(ValueError, match=r"appearance has shape .* an axis of channels"):
        find_individuals(candidates, RIG, fps=FPS, limbs=LIMBS, appearance=coats(who, EQUAL)[0])
