"""Animals of unknown identity: candidates become individuals, in all views and through time."""

import numpy as np
import pytest

from benchmarks.individuals import (
    FPS,
    LIMBS,
    candidates_of,
    identities,
    presences,
    right_parts,
    room_rig,
    walking_people,
)
from muybridge.triangulate import find_individuals, triangulate_ransac
from muybridge.triangulate.identity._kernels_animals import hold_rows
from muybridge.triangulate.identity._kernels_assignment import newcomers_odds
from muybridge.triangulate.identity.candidates_to_individuals import with_whole_rows

RIG = room_rig()


def people(n=3, n_frames=90, seed=0, present=None):
    truth = walking_people(n, n_frames, seed)
    return truth, *candidates_of(truth, RIG, seed=seed, present=present)


@pytest.mark.parametrize("with_scores", [True, False])
def test_three_people_are_put_together_from_candidates_without_identity(with_scores):
    truth, candidates, scores, who = people()
    found = find_individuals(
        candidates, RIG, fps=FPS, limbs=LIMBS, limb_scores=scores if with_scores else None, n_individuals=3
    )
    assert identities(found.candidates, who, 3) == (1.0, 0)
    solved = np.stack([triangulate_ransac(points, RIG).points_3d for points in found.points_2d])
    assert right_parts(solved, truth) >= 0.96


def test_the_number_of_animals_is_found_and_who_leaves_comes_back_as_itself():
    present = np.ones((3, 120), bool)
    present[0, 40:80] = False
    present[1, :25] = False
    _, candidates, scores, who = people(n_frames=120, seed=1, present=present)
    found = find_individuals(candidates, RIG, fps=FPS, limbs=LIMBS, limb_scores=scores)
    assert len(found.points_2d) == 3
    share, switches = identities(found.candidates, who, 3)
    assert (share, switches) == (1.0, 0)
    absent = np.isnan(found.points_3d[..., 0]).all(axis=2).sum(axis=1)
    assert np.sort(absent).tolist() == [0, 25, 40]


def test_more_animals_than_declared_are_counted():
    _, candidates, scores, _ = people(n_frames=40)
    found = find_individuals(candidates, RIG, fps=FPS, limbs=LIMBS, limb_scores=scores, n_individuals=2)
    assert len(found.points_2d) == 2
    assert 35 <= len(found.left_over) <= 40
    assert set(found.left_over) <= set(range(40))


def test_the_order_of_candidates_and_of_cameras_changes_nothing():
    _, candidates, scores, _ = people(n=2, n_frames=20)
    found = find_individuals(candidates, RIG, fps=FPS, limbs=LIMBS, limb_scores=scores, n_individuals=2, sigma=3.0)
    turned = find_individuals(
        candidates[:, :, :, ::-1], RIG, fps=FPS, limbs=LIMBS, limb_scores=scores[..., ::-1, ::-1], n_individuals=2,
        sigma=3.0,
    )  # fmt: skip
    np.testing.assert_array_equal(found.points_2d, turned.points_2d)
    names = RIG.names[::-1]
    other = find_individuals(
        candidates[::-1], RIG.subset(names), fps=FPS, limbs=LIMBS, limb_scores=scores[::-1], n_individuals=2, sigma=3.0
    )
    same = np.isclose(other.points_2d[:, ::-1], found.points_2d, equal_nan=True)
    assert same.mean() > 0.99


def test_bad_input_is_named():
    _, candidates, scores, _ = people(n=2, n_frames=4)
    for options, message in (
        ({}, "nothing says which keypoints"),
        ({"identity": "names"}, "identity must be"),
        ({"limbs": [[0, 99]]}, "keypoint 99"),
        ({"limbs": LIMBS, "limb_scores": scores[..., :1]}, "limb_scores has shape"),
        ({"limbs": LIMBS, "n_individuals": 0}, "positive number"),
    ):
        with pytest.raises(ValueError, match=message):
            find_individuals(candidates, RIG, fps=FPS, **options)
    with pytest.raises(ValueError, match="candidates_2d has shape"):
        find_individuals(candidates[..., 0], RIG, fps=FPS)


def test_nothing_seen_is_no_animal():
    empty = np.full((5, 6, 17, 2, 2), np.nan)
    assert find_individuals(empty, RIG, fps=FPS, limbs=LIMBS).points_2d.shape == (0, 5, 6, 17, 2)


def test_a_proposal_takes_from_a_newcomer_the_best_one_that_shares_a_candidate():
    rng = np.random.default_rng(0)
    members = rng.integers(-1, 3, (8, 4))
    odds, spread = rng.uniform(-2, 60, 8), rng.uniform(0.002, 0.02, 8)
    found = np.empty(8)
    newcomers_odds(members, odds, spread, 4.0, found)
    own = odds + 3 * np.log(np.sqrt(2 * np.pi) * spread / 4.0)
    for p in range(8):
        shares = ((members == members[p]) & (members[p] >= 0)).any(axis=1) | (np.arange(8) == p)
        expected = max(own[shares & (odds > 0)].max(initial=0.0), 0.0) if odds[p] > 0 else 0.0
        assert found[p] == pytest.approx(expected)


def test_a_person_who_appears_does_not_take_over_the_track_of_another():
    truth = walking_people(3, 300, 2)
    candidates, scores, who = candidates_of(truth, RIG, seed=2, present=presences()["1, 2, 3, 2 people"])
    found = find_individuals(candidates, RIG, fps=FPS, limbs=LIMBS, limb_scores=scores)
    assert identities(found.candidates, who, 3) == (1.0, 0)


@pytest.mark.parametrize("identity", ["detections", "tracks"])
def test_guesses_of_one_detection_are_no_animal_of_their_own_but_stay_with_it(identity):
    """A detector guesses the limbs of an animal half a metre too high, in all views alike: nearly half its keypoints,
    enough to begin another animal."""
    seen = walking_people(2, 40, 0)
    seen[0, 15:, 9:] += [0.0, 0.0, 0.6]
    pixels = np.stack([RIG.project(own) for own in seen], axis=3)
    pixels += np.random.default_rng(0).normal(0, 2, pixels.shape)
    found = find_individuals(pixels, RIG, fps=FPS, identity=identity, n_individuals=2)
    assert len(found.left_over) == 0
    assert (found.candidates == found.candidates[..., :1]).all()  # whole detections, no keypoint left out


def test_an_animal_holds_the_row_of_most_of_its_keypoints_in_each_view():
    rng = np.random.default_rng(0)
    for _ in range(20):
        chosen, used = rng.integers(-1, 3, (6, 4)), np.zeros((6, 4, 3), bool)
        hold_rows(chosen, 3, used)
        for v in range(4):
            counts = np.bincount(chosen[chosen[:, v] >= 0, v], minlength=3)
            held = {int(row) for row in np.flatnonzero(used[0, v])}
            assert (used[:, v] == used[:1, v]).all()
            assert len(held) == (counts.max() >= 3)
            assert all(counts[row] == counts.max() for row in held)


def test_what_is_left_of_a_row_goes_to_the_one_that_has_most_of_it():
    exists = np.ones((1, 1, 5, 2), bool)
    exists[0, 0, 4] = False  # no candidate of the last keypoint
    chosen = np.array([[0, 0, -1, -1, -1], [1, -1, 0, -1, -1]]).reshape(2, 1, 1, 5)
    found = with_whole_rows(chosen, exists)[:, 0, 0]
    assert found[0].tolist() == [0, 0, -1, 0, -1]  # the third keypoint of its row is the other's
    assert found[1].tolist() == [1, 1, 0, 1, -1]  # of row 1 it alone has any
