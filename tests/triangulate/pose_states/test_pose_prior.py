"""Pose priors: learned from poses, checked at birth, saved without surprises."""

from math import comb

import numpy as np
import pytest

from muybridge.datasets import Skeleton
from muybridge.triangulate import PosePrior

NAMES = tuple("abcdefgh")
TREE = Skeleton(NAMES, (("a", "b"), ("b", "c"), ("b", "d"), ("d", "e"), ("e", "f"), ("e", "g"), ("g", "h")), root="a")


def planted(n_states=6, n_frames=1200, dwell=20, spread=0.15, seed=0):
    """Points of a tree whose bones follow well separated states at a wandering heading; and the states and headings."""
    rng = np.random.default_rng(seed)
    unit = rng.normal(size=(n_states, 8, 3))
    unit /= np.linalg.norm(unit, axis=-1, keepdims=True)
    states = np.repeat(rng.integers(0, n_states, n_frames // dwell), dwell)
    headings = np.cumsum(rng.normal(0, 0.05, n_frames))
    c, s = np.cos(headings)[:, None], np.sin(headings)[:, None]
    x, y, z = np.moveaxis(unit[states], -1, 0)
    d = np.stack([c * x - s * y, s * x + c * y, z], axis=-1) + rng.normal(0, spread, (n_frames, 8, 3))
    d /= np.linalg.norm(d, axis=-1, keepdims=True)
    points = np.zeros((n_frames, 8, 3))
    for k in range(1, 8):
        points[:, k] = points[:, TREE.parents[k]] + (20 + k) * d[:, k]
    return points, states, headings


def adjusted_rand(a, b):
    table = np.array([[((a == i) & (b == j)).sum() for j in np.unique(b)] for i in np.unique(a)])
    pairs = lambda counts: (counts * (counts - 1) / 2).sum()  # noqa: E731
    rows, columns = pairs(table.sum(0)), pairs(table.sum(1))
    expected = rows * columns / comb(len(a), 2)
    return (pairs(table) - expected) / (0.5 * (rows + columns) - expected)


def states_of(prior, points, up=(0.0, 0.0, 1.0)):
    from muybridge.triangulate.pose_states.window_states import PoseModel

    return PoseModel.of(prior, np.ones(8, bool), np.array(up), 100.0).states(points)


def test_planted_states_come_back():
    points, states, _ = planted()
    prior = PosePrior.fit(points, TREE, 6)
    found = states_of(prior, points)[0].argmax(axis=1)
    assert adjusted_rand(states, found) > 0.95
    np.testing.assert_allclose(prior.concentrations[:, 1:].mean(), 1 / 0.15**2, rtol=0.2)
    np.testing.assert_allclose(prior.bone_lengths, 20 + np.arange(1, 8)[[0, 1, 2, 3, 4, 5, 6]], atol=1e-6)
    stay = np.diag(prior.transitions)
    assert ((stay > 0.8) & (stay < 0.99)).all()


def test_missing_points_do_not_prevent_learning():
    points, states, _ = planted()
    points[np.random.default_rng(1).random(points.shape[:2]) < 0.1] = np.nan
    found = states_of(PosePrior.fit(points, TREE, 6), points)[0].argmax(axis=1)
    assert adjusted_rand(states, found) > 0.9


def test_turning_the_world_turns_the_headings_only():
    points, _, _ = planted()
    angle = 0.8
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    prior = PosePrior.fit(points, TREE, 6, forward=("a", "h"))
    gamma, headings = states_of(prior, points)
    turned_gamma, turned_headings = states_of(prior, points @ turn.T)
    np.testing.assert_allclose(turned_gamma, gamma, atol=1e-9)
    np.testing.assert_allclose(np.angle(np.exp(1j * (turned_headings - headings))), angle, atol=1e-9)


def test_another_vertical_gives_the_same_prior():
    points, _, _ = planted()
    upended = points[..., [1, 2, 0]]  # z becomes y
    a, b = PosePrior.fit(points, TREE, 4), PosePrior.fit(upended, TREE, 4, up=(0, 1, 0))
    np.testing.assert_allclose(
        np.sort(a.concentrations[:, 1:], axis=None), np.sort(b.concentrations[:, 1:], axis=None), rtol=1e-3
    )
    np.testing.assert_allclose(a.directions[:, 1:, 2], b.directions[:, 1:, 2], atol=1e-3)


def test_the_same_poses_give_the_same_prior():
    points, _, _ = planted(n_frames=300)
    a, b = (PosePrior.fit(points, TREE, 3) for _ in range(2))
    assert (a.directions == b.directions).all()


def test_saved_and_loaded_is_the_same(tmp_path):
    points, _, _ = planted(n_frames=300)
    prior = PosePrior.fit(points, TREE, 3)
    prior.save(tmp_path / "poses.npz")
    again = PosePrior.load(tmp_path / "poses.npz")
    for name in ("directions", "concentrations", "state_probabilities", "bone_lengths", "bone_stds", "transitions"):
        assert (getattr(again, name) == getattr(prior, name)).all()
    assert (again.skeleton.keypoints, again.skeleton.bones, again.skeleton.root) == (TREE.keypoints, TREE.bones, "a")


def test_a_file_that_is_no_prior_is_refused(tmp_path):
    np.savez(tmp_path / "other.npz", directions=np.zeros(3))
    (tmp_path / "text.npz").write_text("not a prior")
    np.savez(tmp_path / "object.npz", keypoints=np.array([{"a": 1}], dtype=object))
    for name in ("other", "text", "object"):
        with pytest.raises(ValueError, match="not a pose prior"):
            PosePrior.load(tmp_path / f"{name}.npz")


def arrays(**changes):
    plain = {
        "directions": np.tile([0.0, 0, 1], (2, 8, 1)),
        "concentrations": np.ones((2, 8)),
        "state_probabilities": np.array([0.5, 0.5]),
        "bone_lengths": np.ones(7),
        "bone_stds": np.full(7, 0.01),
    }
    return plain | changes


def test_a_prior_of_plain_arrays_ignores_the_root_s_row():
    directions = arrays()["directions"].copy()
    directions[:, 0] = np.nan
    prior = PosePrior(TREE, **arrays(directions=directions))
    assert prior.n_states == 2
    assert prior.model.directions.shape == (2, 7, 3)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"directions": np.ones((2, 8, 3))}, "unit vectors"),
        ({"concentrations": np.full((2, 8), -1.0)}, "concentrations"),
        ({"state_probabilities": np.array([0.5, 0.6])}, "sum to 1"),
        ({"transitions": np.ones((2, 2))}, "sum to 1"),
        ({"bone_lengths": np.ones(5)}, "bone_lengths has shape"),
    ],
)
def test_what_does_not_fit_is_named(changes, word):
    with pytest.raises(ValueError, match=word):
        PosePrior(TREE, **arrays(**changes))


def test_a_skeleton_that_is_no_tree_is_refused():
    ring = Skeleton(("a", "b", "c"), (("a", "b"), ("b", "c"), ("a", "c")))
    with pytest.raises(ValueError, match="two parents"):
        PosePrior.fit(np.zeros((5, 3, 3)), ring, 2)
