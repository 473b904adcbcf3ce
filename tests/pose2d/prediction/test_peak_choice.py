"""Peaks of several views weighed together: the posterior of its definition, on a grid, and what must stay as it is."""

from dataclasses import replace

import numpy as np
import pytest

from muybridge.cameras import Camera, CameraRig
from muybridge.cameras.rotations import look_at
from muybridge.pose2d import predict
from muybridge.pose2d.inference.engine import ROW_WIDTH, as_rows, engine_of, of_rows
from muybridge.pose2d.inference.uncertainty import uncalibrated
from muybridge.pose2d.prediction.peak_agreement import OUTLIER, Mixtures, weigh_peaks
from muybridge.pose2d.prediction.peak_choice import choose_peaks, misfits_of
from muybridge.pose2d.prediction.view_misfits import left_out, sample_of
from tests.pose2d.prediction.test_video_prediction import film

SIDE = 80.0  # pixels of the animal, of 40 mm


def camera(name, angle, size=(1280, 1024)):
    R, t = look_at((3000 * np.cos(angle), 3000 * np.sin(angle), 600))
    return Camera(name, size, [[6000, 0, size[0] / 2], [0, 6000, size[1] / 2], [0, 0, 1]], [], R, t)


RIG = CameraRig(tuple(camera(name, angle) for name, angle in (("a", 0.0), ("b", 1.2), ("c", 2.5))))


def peaks_of(points_3d, seed=0):
    """(n, n_cameras, 2, 2): of each camera one 3 px off the truth, its weaker one of the second, and one 25 px off."""
    draw, true = np.random.default_rng(seed), RIG.project(points_3d).transpose(1, 0, 2)[:, :, None]
    peaks = true + draw.normal(size=(len(points_3d), 3, 2, 2)) * np.array([3.0, 25.0])[:, None]
    peaks[:, 1] = peaks[:, 1, ::-1]
    return peaks


def on_a_grid(points, covariances, shares):
    """The posterior of a peak of each camera (n_cameras, n_peaks): the mixtures' product, summed over the cube."""
    side = SIDE / 2
    axis = np.arange(-side / 2, side / 2, 0.8) + 0.4
    pixels = RIG.project(np.stack(np.meshgrid(axis, axis, axis), -1).reshape(-1, 3))[:, :, None] - points[:, None]
    squared = np.einsum("cnki,ckij,cnkj->cnk", pixels, np.linalg.inv(covariances), pixels)
    density = np.exp(-squared / 2) / (2 * np.pi * np.sqrt(np.linalg.det(covariances))[:, None])
    parts = (1 - OUTLIER) * shares[:, None] * density * SIDE**2
    views = parts.sum(-1) + OUTLIER + (1 - OUTLIER) * (1 - shares.sum(-1)[:, None])
    whole, shown = views.prod(0), parts + OUTLIER * shares[:, None]
    return np.einsum("cnk,cn->ck", shown / views[..., None], np.broadcast_to(whole, views.shape)) / whole.sum()


def test_the_probabilities_are_those_of_the_mixtures_on_a_grid():
    points = peaks_of(np.random.default_rng(1).normal(size=(12, 3)) * 5)
    covariances = np.broadcast_to(16 * np.eye(2), (*points.shape, 2))
    shares = np.broadcast_to(np.array([0.6, 0.3]), points.shape[:-1])
    found = weigh_peaks(Mixtures(points, covariances, shares), RIG.projection_matrices, SIDE).probabilities
    expected = np.stack([on_a_grid(*each) for each in zip(points, covariances, shares, strict=True)])
    apart = abs(found - expected)
    assert np.median(apart) < 0.02
    assert np.quantile(apart, 0.9) < 0.06
    sure = expected.max(-1) > 0.6
    assert (found.argmax(-1) == expected.argmax(-1))[sure].all()
    assert (found[:, 1].argmax(-1) == 1).mean() > 0.9


def test_views_that_agree_and_views_without_others_stay_as_they_are():
    points = peaks_of(np.zeros((20, 3)))
    points[:, 1] = points[:, 1, ::-1]
    covariances, shares = np.broadcast_to(16 * np.eye(2), (*points.shape, 2)), np.full(points.shape[:-1], [0.4, 0.3])
    together = weigh_peaks(Mixtures(points, covariances, shares), RIG.projection_matrices, SIDE).probabilities
    assert (together.argmax(-1) == 0).mean() > 0.9
    alone = shares.copy()
    alone[:, 1:] = 0.0
    own = weigh_peaks(Mixtures(points, covariances, alone), RIG.projection_matrices, SIDE).probabilities
    np.testing.assert_allclose(own, alone)
    one = Mixtures(*(values[:, :1] for values in (points, covariances, shares)))
    np.testing.assert_allclose(weigh_peaks(one, RIG.projection_matrices[:1], SIDE).probabilities, shares[:, :1])


def test_a_view_left_out_is_predicted_as_the_others_alone_place_the_point():
    points = peaks_of(np.random.default_rng(1).normal(size=(20, 3)) * 5)
    points[:, 1] = points[:, 1, ::-1]
    every = Mixtures(points, np.broadcast_to(16 * np.eye(2), (*points.shape, 2)), np.full(points.shape[:-1], 0.4))
    without = every.shares.copy()
    without[:, 2] = 0.0
    two = weigh_peaks(every._replace(shares=without), RIG.projection_matrices, SIDE)
    three = weigh_peaks(every, RIG.projection_matrices, SIDE)
    pixels, covariances = left_out(every, three, RIG.projection_matrices)
    of_two = RIG.project(two.points_3d)[2]
    seen = (two.peaks[:, :2] == 0).all(1) & (three.peaks == 0).all(1)
    assert seen.mean() > 0.7
    np.testing.assert_allclose(pixels[seen, 2], of_two[seen], atol=0.1)
    assert np.isnan(left_out(every._replace(shares=without), two, RIG.projection_matrices)[0][:, :2]).all()
    assert (np.linalg.eigvalsh(covariances[seen, 2]) > 0).all()


def found_of(points, present):
    """What `choose_peaks` reads, of peaks (n, n_cameras, 2, 2) with shares 0.6 and 0.3; one in ten is absent."""
    n, n_cameras = points.shape[:2]
    rows = np.zeros((n_cameras, n, 1, 2, ROW_WIDTH))
    for k, share in enumerate((0.6, 0.3)):
        rows[:, :, 0, k, :2] = points[:, :, k].swapaxes(0, 1)
        rows[:, :, 0, k, 2:] = [0.9 * share, 16, 0, 0, 16, np.log(9 * share), 16, 1 - share, 100, 0, 0, 100]
    rows[~present] = np.nan
    return of_rows(rows.reshape(n_cameras, n, 1, -1))


def chosen_of(found):
    how = RIG, uncalibrated(1, 5.0), SIDE
    sample = sample_of(found.mass.shape[1])
    return choose_peaks(
        found, *how, misfits_of(found._replace(**{n: getattr(found, n)[:, sample] for n in found._fields}), *how)
    )


def test_a_view_that_shows_the_keypoint_elsewhere_in_all_instants_keeps_its_strongest_peak():
    """Its weaker peak lies by chance where the others show the point; `misfits_of` tells how far off its own is."""
    points = peaks_of(np.random.default_rng(2).normal(size=(30, 3)) * 5)
    found = found_of(points, np.ones((3, 30), bool))
    swapped = chosen_of(found)
    assert (np.abs(swapped.points - found.points).max(-1) > 0)[1].mean() > 0.8
    points[:, 1, 0] = points[:, 1, 1] + [18.0, -12.0]
    shifted = found_of(points, np.ones((3, 30), bool))
    kept = chosen_of(shifted)
    assert (np.abs(kept.points - shifted.points).max(-1) > 0).mean() < 0.1
    misfits = misfits_of(shifted, RIG, uncalibrated(1, 5.0), SIDE)
    assert np.linalg.norm(misfits.displacements[:, 0], axis=-1).max() > 5
    assert np.linalg.norm(misfits_of(found, RIG, uncalibrated(1, 5.0), SIDE).displacements, axis=-1).max() < 5


def test_a_chosen_peak_is_what_its_own_map_showed_and_a_damaged_frame_stays_missing():
    points, present = peaks_of(np.zeros((20, 3))), np.ones((3, 20), bool)
    present[0, 3] = False
    found = found_of(points, present)
    chosen = chosen_of(found)
    moved = np.abs(chosen.points - found.points).max(-1) > 0
    assert moved[1].mean() > 0.8
    weaker = of_rows(found.others[..., 0, :])
    for own, other, result in zip(found[:-1], weaker[:-1], chosen[:-1], strict=True):
        np.testing.assert_array_equal(result[moved], other[moved])
        np.testing.assert_array_equal(result[~moved], own[~moved])
    assert np.isnan(chosen.points[0, 3]).all()


def test_rows_hold_every_peak_of_a_picture(detector):
    picture = np.random.default_rng(0).integers(0, 255, (96, 128, 3), dtype=np.uint8)
    engine = engine_of(detector.network, detector.scale)
    one, three = engine.infer(picture), type(engine)(engine.network, engine.scale, engine.run, n_peaks=3).infer(picture)
    assert (one.others.shape[1], three.others.shape) == (0, (4, 2, ROW_WIDTH))
    np.testing.assert_array_equal(as_rows(one), as_rows(three)[:, :ROW_WIDTH])
    again = of_rows(as_rows(three))
    np.testing.assert_allclose(again.others, three.others, rtol=1e-6)
    places = np.concatenate([three.points[:, None], three.others[..., :2]], 1)
    apart = np.linalg.norm(places[:, :, None] - places[:, None], axis=-1) + 1e3 * np.eye(3)
    assert apart.min() > engine.network.stride / engine.scale


def test_a_rig_of_one_camera_changes_nothing_and_others_are_refused(detector, tmp_path):
    path, _ = film(tmp_path / "a.mp4", 3)
    rig = CameraRig((camera("a", 0.0, (480, 320)), camera("b", 1.0, (480, 320))))
    alone = predict(detector, {"a": path}, progress=False)
    assert predict(detector, {"a": path}, rig=rig, progress=False).identical(alone)
    with pytest.raises(ValueError, match="the rig has no camera 'c'"):
        predict(detector, {"a": path, "c": path}, rig=rig, progress=False)
    several = replace(detector, n_animals=2, animal_detector=replace(detector, keypoints=("animal",)))
    with pytest.raises(ValueError, match="several animals"):
        predict(several, {"a": path, "b": path}, rig=rig, progress=False)
