"""Several detectors' predictions of the same frames as one: a robust point whose covariance holds the truth."""

import numpy as np
import pytest
import xarray as xr
from scipy.stats import chi2

from muybridge.datasets import DatasetError, check_views, combine_ensemble, read_dataset, views_dataset, write_dataset
from muybridge.datasets.ensembles import ensemble_std

CAMERAS, KEYPOINTS, N_FRAMES = ["left", "right"], ["nose", "tail", "paw"], 2000
OWN = np.array([[1.0, 2.0, 0.5], [3.0, 1.0, 1.5]])[:, None, :, None]  # pixels, per camera and keypoint


def ensemble_of(points, confidence=None, covariances=None):
    """points (n_detectors, n_cameras, n_frames, n_keypoints, 2)"""
    parts = [
        views_dataset(
            own,
            cameras=CAMERAS,
            keypoints=KEYPOINTS,
            times=np.arange(own.shape[1]) / 100,
            confidence=None if confidence is None else confidence[i],
            covariances_2d=None if covariances is None else covariances[i],
        )
        for i, own in enumerate(points)
    ]
    names = [f"detector_{i}" for i in range(len(points))]
    return xr.concat(parts, xr.DataArray(names, dims="detector", name="detector"))


def simulated(n_detectors, common=0.0, seed=0):
    """(truth, predictions) with errors of each detector's own, and errors common to all, `common` times as large."""
    rng = np.random.default_rng(seed)
    truth = rng.uniform(0, 500, (2, N_FRAMES, 3, 2))
    shared = rng.normal(0, 1, truth.shape) * common * OWN
    return truth, truth + shared + rng.normal(0, 1, (n_detectors, *truth.shape)) * OWN


def held(views, truth, level):
    """Share of the points whose region of this probability holds the truth, per camera and keypoint."""
    error = views["position"].values - truth
    squares = np.einsum("...i,...i->...", error, np.linalg.solve(views["covariance"].values, error[..., None])[..., 0])
    return (squares < chi2.ppf(level, 2)).mean(axis=1)


@pytest.mark.parametrize("n_detectors", [2, 3, 5])
def test_the_regions_hold_a_truth_that_lies_as_far_from_a_detector_as_another_one(n_detectors):
    truth, points = simulated(n_detectors, common=1.0)  # the truth's own distance from what all of them are drawn about
    views = combine_ensemble(ensemble_of(points))
    assert np.abs(held(views, truth, 0.95) - 0.95).max() < 0.025
    assert np.abs(held(views, truth, 0.5) - 0.5).max() < 0.06


def test_the_mean_of_detectors_without_common_errors_has_the_error_of_a_mean():
    truth, points = simulated(3)
    error = (combine_ensemble(ensemble_of(points))["position"].values - truth).std(axis=(1, 3))
    np.testing.assert_allclose(error, OWN[:, 0, :, 0] / np.sqrt(3), rtol=0.05)


def test_the_spread_says_nothing_of_common_errors():
    apart = combine_ensemble(ensemble_of(simulated(3)[1]))["covariance"]
    together = combine_ensemble(ensemble_of(simulated(3, common=4.0)[1]))["covariance"]
    np.testing.assert_allclose(together.mean("time"), apart.mean("time"), rtol=0.15, atol=0.1)


def test_a_gross_error_of_one_of_three_detectors_moves_the_point_by_less_than_a_standard_deviation():
    truth, points = simulated(3)
    wild = points.copy()
    wild[1, :, ::10] += 80.0
    views = combine_ensemble(ensemble_of(wild))
    error = np.abs(views["position"].values - truth)[:, ::10] / OWN
    assert np.quantile(error, 0.95) < 2.5
    confidence = views["confidence"].values
    assert np.median(confidence[:, ::10]) < 0.7 < 0.99 < np.median(confidence[:, 1::10])
    wide = np.trace(views["covariance"].values, axis1=-2, axis2=-1)
    assert (np.median(wide[:, ::10], axis=1) > np.median(wide[:, 1::10], axis=1)).all()


def test_a_detector_that_takes_a_keypoint_for_another_throughout_is_overruled_by_the_two_others():
    truth, points = simulated(3)
    points[2, 0, :, 0] += 80.0
    views = combine_ensemble(ensemble_of(points))
    assert np.abs(np.median((views["position"].values - truth)[0, :, 0])) < 0.5
    assert np.median(views["confidence"].values[0, :, 0]) == pytest.approx(2 / 3, abs=0.01)
    assert ensemble_std(views)[0, 0] < 4 * OWN[0, 0, 0, 0]


def test_the_order_of_detectors_and_of_dimensions_changes_nothing():
    _, points = simulated(3)
    points[0, :, 5:20] = np.nan
    views = ensemble_of(points, np.random.default_rng(1).uniform(0.2, 1, points.shape[:-1]))
    expected = combine_ensemble(views)
    turned = combine_ensemble(views.isel(detector=[2, 0, 1]).transpose("space", "time", "detector", ...))
    for name in expected:
        np.testing.assert_allclose(turned[name], expected[name], rtol=1e-9, atol=1e-9)


def test_a_detector_that_misses_a_point_is_left_out_there():
    _, points = simulated(3)
    whole = combine_ensemble(ensemble_of(points))
    points[2] = np.nan
    two = combine_ensemble(ensemble_of(points[:2]))
    three = combine_ensemble(ensemble_of(points))
    for name in two:
        np.testing.assert_allclose(three[name], two[name], rtol=1e-12)
    # 3/2 of the variance instead of 4/3
    np.testing.assert_allclose(ensemble_std(two) ** 2, ensemble_std(whole) ** 2 * 9 / 8, rtol=0.1)


def test_a_point_that_one_detector_alone_has_gets_the_spread_of_the_others_frames():
    _, points = simulated(3)
    points[1:, 0, 7, 2] = np.nan
    points[:, 1, 8, 0] = np.nan
    views = combine_ensemble(ensemble_of(points))
    np.testing.assert_array_equal(views["position"].values[0, 7, 2], points[0, 0, 7, 2])
    np.testing.assert_allclose(np.trace(views["covariance"].values[0, 7, 2]) / 2, 2 * 0.5**2, rtol=0.1)
    assert np.isnan(views["position"].values[1, 8, 0]).all()
    assert np.isnan(views["covariance"].values[1, 8, 0]).all()
    assert views["confidence"].values[1, 8, 0] == 0


def test_one_detector_is_returned_as_it_is():
    _, points = simulated(1)
    views = ensemble_of(points)
    xr.testing.assert_identical(combine_ensemble(views), check_views(views).isel(detector=0, drop=True))
    single = views.isel(detector=0, drop=True)
    xr.testing.assert_identical(combine_ensemble(single), check_views(single))


def test_detectors_that_agree_exactly_have_a_covariance_that_can_be_inverted():
    truth, _ = simulated(2)
    views = combine_ensemble(ensemble_of(np.stack([truth, truth])))
    np.testing.assert_allclose(views["position"], truth, rtol=1e-12)
    assert np.isfinite(np.linalg.inv(views["covariance"].values)).all()


def test_covariances_that_detectors_predict_are_added():
    _, points = simulated(3)
    predicted = np.broadcast_to(np.diag([4.0, 9.0]), (*points.shape, 2))
    apart = combine_ensemble(ensemble_of(points))
    both = combine_ensemble(ensemble_of(points, covariances=predicted))
    np.testing.assert_allclose(both["covariance"] - apart["covariance"], predicted[0], rtol=1e-9)


def test_a_confident_detector_counts_more_than_those_that_doubt():
    _, points = simulated(3)
    confidence = np.full(points.shape[:-1], 0.01)
    confidence[1] = 0.99
    found = combine_ensemble(ensemble_of(points, confidence))["position"].values
    assert np.median(np.abs(found - points[1])) < 0.1 * np.median(np.abs(found - points[0]))


def test_individuals_are_combined_one_by_one():
    _, points = simulated(3)
    views = ensemble_of(points)
    names = xr.DataArray(["a", "b"], dims="individual", name="individual")
    both = xr.concat([views, views.assign(position=views["position"] + 100)], names)
    found = combine_ensemble(both)
    assert found["position"].dims == ("individual", "view", "time", "keypoint", "space")
    np.testing.assert_allclose(found["position"][1] - 100, combine_ensemble(views)["position"], rtol=1e-9)


def test_the_spread_per_camera_and_keypoint_survives_a_file(tmp_path):
    _, points = simulated(3)
    views = read_dataset(write_dataset(combine_ensemble(ensemble_of(points)), tmp_path / "views.nc"))
    assert views.attrs["n_detectors"] == 3
    np.testing.assert_allclose(ensemble_std(views), OWN[:, 0, :, 0] * np.sqrt(4 / 3), rtol=0.05)
    assert ensemble_std(views.drop_attrs()) is None


def test_views_without_names_of_detectors_or_without_any_are_refused():
    _, points = simulated(2)
    views = ensemble_of(points)
    with pytest.raises(DatasetError, match="no names along 'detector'"):
        combine_ensemble(views.drop_vars("detector"))
    with pytest.raises(DatasetError, match=r"repeats the names \['a'\] along 'detector'"):
        combine_ensemble(views.assign_coords(detector=["a", "a"]))
    with pytest.raises(DatasetError, match="no detector along"):
        combine_ensemble(views.isel(detector=[]))
