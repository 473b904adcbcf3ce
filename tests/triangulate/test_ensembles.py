"""Several predictions per camera: every method takes them, and their spread enters the covariance."""

import numpy as np
import pytest
import xarray as xr
from scipy.stats import chi2

from muybridge.datasets import DatasetError, Skeleton, combine_ensemble, views_dataset, write_dataset
from muybridge.triangulate import (
    RECONSTRUCTION_METHODS,
    body_from_skeleton,
    check_coverage,
    estimate_noise,
    match_views,
    predict_left_out,
    reconstruct,
    reconstruct_file,
    shift_frames,
    smooth,
    triangulate_ransac,
)
from tests.conftest import make_ring_rig

RIG = make_ring_rig(n_cameras=3)
NAMES = ["hip", "knee", "foot"]
LEG = Skeleton(tuple(NAMES), (("hip", "knee"), ("knee", "foot")))
TIMES = np.arange(150) / 50


def leg():
    """A swinging leg, mm."""
    hip = np.stack([60 * TIMES, 20 * np.sin(4 * TIMES), 10 * np.cos(3 * TIMES)], axis=-1)
    knee = hip + 40 * np.stack([np.sin(0.5 * np.sin(8 * TIMES)), 0 * TIMES, -np.cos(0.5 * np.sin(8 * TIMES))], axis=-1)
    foot = knee + 40 * np.stack([np.sin(0.7 * np.sin(8 * TIMES)), 0 * TIMES, -np.cos(0.7 * np.sin(8 * TIMES))], axis=-1)
    return np.stack([hip, knee, foot], axis=1)


TRUTH = leg()


def ensemble(std, rig=RIG, n_detectors=3, common=1.0, seed=0):
    """Views of detectors whose own and common errors have `std` (n_cameras, 1, n_keypoints, 1) pixels."""
    rng = np.random.default_rng(seed)
    points = rig.project(TRUTH)
    points = points + rng.normal(0, 1, points.shape) * common * std
    parts = [
        views_dataset(points + rng.normal(0, 1, points.shape) * std, cameras=rig.names, keypoints=NAMES, times=TIMES)
        for _ in range(n_detectors)
    ]
    return xr.concat(parts, xr.DataArray([f"d{i}" for i in range(n_detectors)], dims="detector", name="detector"))


def held(points_3d, covariances_3d, level=0.95):
    error = points_3d - TRUTH
    known = np.isfinite(error).all(axis=-1)
    squares = np.einsum(
        "ni,ni->n", error[known], np.linalg.solve(covariances_3d[known], error[known][..., None])[..., 0]
    )
    return (squares < chi2.ppf(level, 3)).mean()


@pytest.mark.parametrize("method", RECONSTRUCTION_METHODS)
def test_every_method_takes_an_ensemble_and_its_covariance_holds_the_truth(method):
    views = ensemble(np.ones((3, 1, 3, 1)))
    options = {"skeleton": LEG} if method in ("smooth", "gimbal") else {}
    if method == "articulated":
        pytest.importorskip("jax")
        options = {"body": body_from_skeleton(LEG, TRUTH)}
    pose = reconstruct(views, RIG, method=method, **options)
    share = held(pose["position"].values, pose["covariance"].values)
    assert 0.9 <= share <= 0.985
    single = reconstruct(views.isel(detector=0, drop=True), RIG, method=method, **options)
    error, of_one = (np.linalg.norm(p["position"].values - TRUTH, axis=-1).mean() for p in (pose, single))
    assert error < 0.95 * of_one


@pytest.mark.parametrize("method", ["dlt", "ransac", "median", "smooth"])
def test_an_ensemble_of_one_is_reconstructed_as_before(method):
    views = ensemble(np.ones((3, 1, 3, 1)), n_detectors=1)
    xr.testing.assert_equal(
        reconstruct(views, RIG, method=method), reconstruct(views.isel(detector=0, drop=True), RIG, method=method)
    )


def test_two_cameras_of_different_noise_are_told_apart_by_the_spread():
    pair = RIG.subset(RIG.names[:2])
    std = np.array([0.5, 4.0])[:, None, None, None] * np.ones((1, 1, 3, 1))
    views = ensemble(std, pair)
    noise = estimate_noise(views, pair)
    np.testing.assert_allclose(noise.inlier_std[1], 4.0 * np.sqrt(4 / 3), rtol=0.15)
    assert (noise.inlier_std[0] < 0.75 * noise.inlier_std[1]).all()
    found = triangulate_ransac(views, pair)
    assert held(found.points_3d, found.covariances_3d) >= 0.9
    with_equal_cameras = triangulate_ransac(combine_ensemble(views).drop_attrs(), pair)
    assert held(with_equal_cameras.points_3d, with_equal_cameras.covariances_3d) < held(
        found.points_3d, found.covariances_3d
    )


def test_the_smoother_tells_two_cameras_of_different_noise_apart_by_the_spread():
    pair = RIG.subset(RIG.names[:2])
    views = ensemble(np.array([0.5, 4.0])[:, None, None, None] * np.ones((1, 1, 3, 1)), pair)
    found, blind = smooth(views, pair), smooth(combine_ensemble(views).drop_attrs(), pair)
    assert (found.sigma[0] < found.sigma[1] / 5).all()
    assert 0.9 <= held(found.points_3d, found.covariances_3d) <= 0.99
    assert (blind.sigma[0] > blind.sigma[1] / 5).all()


def test_common_errors_that_the_spread_cannot_show_are_left_to_the_residuals():
    views = ensemble(np.ones((3, 1, 3, 1)), common=5.0)
    found = triangulate_ransac(views, RIG)
    assert 0.88 <= held(found.points_3d, found.covariances_3d) <= 0.99
    assert (found.noise.inlier_std > 3.5).all()


def test_the_functions_below_reconstruct_take_an_ensemble_as_its_combination():
    views = ensemble(np.ones((3, 1, 3, 1)))
    combined = combine_ensemble(views)
    np.testing.assert_array_equal(smooth(views, RIG).points_3d, smooth(combined, RIG).points_3d)
    np.testing.assert_array_equal(triangulate_ransac(views, RIG).points_3d, triangulate_ransac(combined, RIG).points_3d)
    table = predict_left_out(views, RIG, ["dlt"])
    assert table.loc[("dlt", "all"), "n"] == 3 * TRUTH.shape[0] * TRUTH.shape[1]


def test_the_error_bars_of_an_ensemble_are_checked_as_those_of_its_combination():
    views = ensemble(np.ones((3, 1, 3, 1)))
    share = check_coverage(views, RIG, method="ransac").table.loc[("all", "all"), "inside_95"]
    assert 0.9 < share < 0.99
    assert share == check_coverage(combine_ensemble(views), RIG, method="ransac").table.loc[("all", "all"), "inside_95"]


def test_a_noise_that_is_given_is_used_as_it_is():
    views = ensemble(np.ones((3, 1, 3, 1)))
    given = estimate_noise(combine_ensemble(views).drop_attrs(), RIG)
    pose = reconstruct(views, RIG, method="ransac", noise=given)
    found = triangulate_ransac(combine_ensemble(views), RIG, noise=given)
    np.testing.assert_allclose(pose["position"].values, found.points_3d, atol=1e-9)
    np.testing.assert_array_equal(found.noise.inlier_std, given.inlier_std)


def test_a_file_of_several_detectors_is_to_be_combined_first(tmp_path):
    views = ensemble(np.ones((3, 1, 3, 1)))
    with pytest.raises(DatasetError, match="combine_ensemble"):
        reconstruct_file(write_dataset(views, tmp_path / "views.nc"), RIG, tmp_path / "pose.nc")
    source = write_dataset(combine_ensemble(views), tmp_path / "combined.nc")
    path = reconstruct_file(source, RIG, tmp_path / "pose.nc", chunk_frames=40)
    whole = reconstruct(views, RIG, method="ransac")
    np.testing.assert_allclose(xr.open_dataset(path, engine="h5netcdf")["position"].values, whole["position"].values)


def test_individuals_of_an_ensemble_are_matched_over_the_cameras():
    one = ensemble(np.ones((3, 1, 3, 1)))
    other = one.assign(position=one["position"] + 60)
    both = xr.concat([one, other], xr.DataArray(["a", "b"], dims="individual", name="individual"))
    mixed = both.copy(deep=True)
    mixed["position"].loc[{"view": "cam_1"}] = both["position"].sel(view="cam_1").isel(individual=[1, 0]).values
    found, expected = (match_views(views, RIG, sigma=1.0)["position"] for views in (mixed, both))
    assert "detector" not in found.dims
    np.testing.assert_allclose(found, expected)


def test_the_cameras_of_an_ensemble_are_shifted_detector_by_detector():
    views = ensemble(np.ones((3, 1, 3, 1)))
    moved = shift_frames(views, np.array([0.0, 2.0, 0.5]))
    for i in range(3):
        own = shift_frames(views.isel(detector=i, drop=True), np.array([0.0, 2.0, 0.5]))
        np.testing.assert_array_equal(moved["position"].isel(detector=i), own["position"])
