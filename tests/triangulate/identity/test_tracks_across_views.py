"""Two animals that cross: every track finds its animal."""

import numpy as np
import pytest
import xarray as xr

from benchmarks.rings import make_rig, wander
from muybridge.datasets import DatasetError, views_dataset
from muybridge.triangulate import (
    diagnose,
    frame_offsets,
    match_individuals,
    match_views,
    predict_left_out,
    reconstruct,
    refine_rig,
)
from muybridge.triangulate.identity.identity_sequences import exact_sequence, sequence_in_turns
from tests.conftest import make_moving_points, make_ring_rig
from tests.triangulate.diagnosis.wrong_views import SKELETON


def crossing(n_cameras=4, n_frames=600, n_animals=2, seed=0):
    """Tracks (n_animals, n_cameras, n_frames, 10, 2) whose animals change where they overlap; and who is who."""
    rng, rig = np.random.default_rng(seed), make_rig(n_cameras, seed)
    truth = np.stack([wander(n_frames, 10, rng) for _ in range(n_animals)])
    points_2d = np.stack([rig.project(points) for points in truth])
    points_2d = points_2d + rng.normal(0, 1.0, points_2d.shape)
    gross = rng.random(points_2d.shape[:-1]) < 0.05
    points_2d = np.where(gross[..., None], rng.uniform(0, 1, points_2d.shape) * [1280, 1024], points_2d)
    centre = points_2d.mean(axis=3)
    points_2d[rng.random(points_2d.shape[:-1]) < 0.1] = np.nan
    animal = np.empty((n_cameras, n_frames, n_animals), dtype=int)
    for c in range(n_cameras):
        now = rng.permutation(n_animals)
        for frame in range(n_frames):
            near = np.linalg.norm(centre[0, c, frame] - centre[1, c, frame]) < 80
            now = rng.permutation(n_animals) if near and rng.random() < 0.2 else now
            animal[c, frame] = now
    frames, cameras = np.arange(n_frames), np.arange(n_cameras)[:, None]
    return rig, np.stack([points_2d[animal[..., k], cameras, frames] for k in range(n_animals)]), animal, truth


def right(found, animal):
    """Share of the frames in which every individual is the same animal in all cameras, and always."""
    who = np.take_along_axis(animal, found.tracks, axis=2)
    return (who == who[0, 0]).all(axis=(0, 2)).mean()


@pytest.mark.parametrize(
    "options", [{}, {"n_cameras": 2, "seed": 6}, {"n_cameras": 3, "n_animals": 3, "seed": 4, "n_frames": 300}]
)
def test_crossing_animals_are_told_apart(options):
    rig, tracks_2d, animal, _ = crossing(**options)
    assert (np.diff(animal, axis=1) != 0).any()
    found = match_individuals(tracks_2d, rig, fps=100)
    assert right(found, animal) >= 0.99
    np.testing.assert_array_equal(
        np.sort(found.tracks, axis=2), np.sort(np.zeros_like(animal) + np.arange(animal.shape[2]))
    )


def test_camera_by_camera_finds_the_same():
    """Two animals: only whether two cameras number them alike has a score, so that the first camera's order is free."""
    rng, n_frames = np.random.default_rng(3), 80
    truth = np.repeat(rng.integers(0, 2, (4, 4)), 20, axis=1)
    alike, scores = np.eye(2, dtype=bool), {}
    for a, b in ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)):
        same, other = rng.normal(0, 2, (2, n_frames)) + 6 * np.stack([truth[a] == truth[b], truth[a] != truth[b]])
        scores[a, b] = np.where(alike, same[:, None, None], other[:, None, None])
    exact, _ = exact_sequence(scores, 4, 2, 5.0)
    in_turns, _ = sequence_in_turns(scores, 4, 2, 5.0)
    np.testing.assert_array_equal(exact ^ exact[0], truth ^ truth[0])
    np.testing.assert_array_equal(in_turns ^ in_turns[0], truth ^ truth[0])


def test_the_exact_search_equals_trying_every_sequence():
    rng, n_states, price = np.random.default_rng(0), 2, 1.5
    scores = {pair: rng.normal(0, 2, (4, n_states, n_states)) for pair in ((0, 1), (0, 2), (1, 2))}
    states, _ = exact_sequence(scores, 3, n_states, price)

    def total(path):
        path = np.asarray(path)
        evidence = sum(pairs[t, path[a, t], path[b, t]] for (a, b), pairs in scores.items() for t in range(4))
        return evidence - price * (np.diff(path, axis=1) != 0).sum()

    every = [np.array(list(np.binary_repr(i, 12)), dtype=int).reshape(3, 4) for i in range(2**12)]
    assert total(states) == pytest.approx(max(total(path) for path in every))


def test_views_come_back_as_views_with_the_animals_in_order():
    rig, tracks_2d, animal, truth = crossing(seed=1, n_frames=100)
    views = views_dataset(
        tracks_2d, cameras=rig.names, keypoints=[f"k{i}" for i in range(10)], times=np.arange(100) / 100
    )
    matched = match_views(views, rig)
    first = truth[animal[0, 0, 0]]
    off = np.linalg.norm(matched["position"].values[0] - rig.project(first), axis=-1)
    assert np.nanmedian(off) < 2
    assert np.nanpercentile(off, 90) < 4
    with pytest.raises(DatasetError, match="no 'individual' dimension"):
        match_views(views.isel(individual=0, drop=True), rig)


def test_an_absent_animal_disturbs_nobody():
    rig, tracks_2d, animal, _ = crossing(seed=3, n_frames=200)
    gone = tracks_2d.copy()
    frames, cameras = np.arange(60, 120), np.arange(len(rig))[:, None]
    second = np.argmax(animal == animal[0, 0, 1], axis=2)
    gone[second[:, 60:120], cameras, frames] = np.nan
    assert right(match_individuals(gone, rig, fps=100), animal) >= 0.99


def test_bad_input_is_named():
    rig, tracks_2d, _, _ = crossing(n_frames=5)
    with pytest.raises(ValueError, match="tracks_2d has shape"):
        match_individuals(tracks_2d[0], rig, fps=100)
    with pytest.raises(ValueError, match="switch_probability"):
        match_individuals(tracks_2d, rig, fps=100, switch_probability=0.0)
    with pytest.raises(ValueError, match="fps is None"):
        match_individuals(tracks_2d, rig)


@pytest.mark.parametrize("step", [1, 7])
def test_animals_are_told_apart_at_any_frame_rate(step):
    """The same recording at 200 Hz, and every seventh frame of it."""
    rig, tracks_2d, animal, _ = crossing(n_frames=700, seed=5)
    found = match_individuals(tracks_2d[:, :, ::step], rig, fps=200 / step)
    assert right(found, animal[:, ::step]) >= 0.99


def test_a_data_array_is_taken_and_covariances_go_with_their_points():
    rig, tracks_2d, _, _ = crossing(seed=1, n_frames=100)
    names, times = [f"k{i}" for i in range(10)], np.arange(100) / 100
    covariances = tracks_2d[..., None] * np.ones(2)
    views = views_dataset(tracks_2d, cameras=rig.names, keypoints=names, times=times, covariances_2d=covariances)
    matched = match_views(views, rig)
    np.testing.assert_array_equal(matched["covariance"].isel(space_=0), matched["position"])
    np.testing.assert_array_equal(match_views(views["position"], rig)["position"], matched["position"])


FORMS = {
    "the views of a rig in another order": lambda views: views.isel(view=[2, 0, 1]),
    "positions alone": lambda views: views["position"],
    "one individual with its dimension": lambda views: views.expand_dims(individual=["ada"]),
    "two individuals": lambda views: xr.concat([views, views], dim="individual").assign_coords(individual=["a", "b"]),
    "two detectors": lambda views: xr.concat([views, views], dim="detector").assign_coords(detector=["x", "y"]),
}


@pytest.mark.parametrize("form", FORMS)
def test_datasets_are_taken_wherever_reconstruct_takes_them(form):
    rig, truth = make_ring_rig(3), make_moving_points(SKELETON, 60)
    noise = np.random.default_rng(0).normal(0, 0.3, (3, *truth.shape[:2], 2))
    times, names = np.arange(60) / 100, SKELETON.keypoints
    views = FORMS[form](views_dataset(rig.project(truth) + noise, cameras=rig.names, keypoints=names, times=times))
    for function in (reconstruct, refine_rig, frame_offsets, diagnose):
        function(views, rig, **({"method": "dlt"} if function is reconstruct else {}))
    if "individual" in views.dims:
        match_individuals(views, rig)
    else:
        with pytest.raises(DatasetError, match="no 'individual' dimension"):
            match_individuals(views, rig)
    if form == "two individuals":
        with pytest.raises(DatasetError, match="several individuals; select one"):
            predict_left_out(views, rig, "dlt")
    else:
        predict_left_out(views, rig, "dlt")
