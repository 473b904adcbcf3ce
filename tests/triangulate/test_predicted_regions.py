"""Regions predicted for a camera that was left out: they show wrong error bars, without a truth, and mend them."""

import json
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from muybridge.datasets import DatasetError, views_dataset
from muybridge.triangulate import check_coverage, estimate_noise, predict_left_out, reconstruct
from muybridge.triangulate.checked_poses import with_coverage
from muybridge.triangulate.predicted_regions import judge_coverage
from tests.conftest import make_moving_points, make_ring_rig
from tests.triangulate.recordings import FPS, coverage, seen

N_FRAMES = 400


@pytest.fixture(scope="module")
def recording(skeleton):
    """Views by four cameras with white noise, outliers and gaps, their rig and the truth."""
    rig, truth = make_ring_rig(4), make_moving_points(skeleton, N_FRAMES)
    points_2d, confidence, wrong = seen(rig, truth)
    times = np.arange(N_FRAMES) / FPS
    names = {"cameras": rig.names, "keypoints": skeleton.keypoints}
    return views_dataset(points_2d, times=times, confidence=confidence, **names), rig, truth, wrong


_ROBUST = {}  # poses by the pixels and cameras they are of: many tests scale the covariances of the same ones


def scaled_pose(factor):
    """A method whose standard deviations are wrong by a factor, or by one of each keypoint."""

    def make(views, rig):
        key = rig.names, *(views[name].values.tobytes() for name in ("position", "confidence"))
        if key not in _ROBUST:
            _ROBUST[key] = reconstruct(views, rig, method="ransac")
        pose = _ROBUST[key]
        return pose.assign(covariance=pose["covariance"] * np.square(factor))

    return make


@pytest.mark.parametrize("method", ["dlt", "ransac", "smooth"])
def test_white_noise_is_covered_and_nothing_is_rescaled(recording, method):
    views, rig, _, wrong = recording
    if method == "dlt":  # without outliers, which it does not know
        views = views.assign(position=views["position"].where(~xr.DataArray(wrong, dims=("view", "time", "keypoint"))))
    found = check_coverage(views, rig, method=method)
    row = found.table.loc[("all", "all")]
    assert 0.935 < row["inside_95"] < 0.965
    assert 0.47 < row["inside_50"] < 0.53
    assert (found.factors == 1).all()
    assert np.isnan(row["rescaled_95"])
    assert found.table.loc["camera"]["inside_95"].between(0.92, 0.98).all()
    assert found.table.loc["keypoint"]["inside_95"].between(0.92, 0.98).all()


def test_long_tails_of_the_left_out_camera_are_not_taken_for_errors_of_the_points(recording):
    """Pixels of another exactness in every frame, as of a keypoint that is hidden at times."""
    rig, truth, rng = make_ring_rig(6), recording[2], np.random.default_rng(4)
    size = np.where(rng.random((6, *truth.shape[:2], 1)) < 0.3, 4.0, 1.0)
    points_2d = rig.project(truth) + size * rng.normal(0, 1, (6, *truth.shape[:2], 2))
    keypoints = [f"point_{k}" for k in range(truth.shape[1])]
    views = views_dataset(points_2d, cameras=rig.names, keypoints=keypoints, times=np.arange(N_FRAMES) / FPS)
    pose = reconstruct(views, rig, method="smooth", check_coverage=True)
    assert 0.90 < coverage(pose["position"].values, pose["covariance"].values, truth) < 0.98


def test_the_counts_are_those_of_the_pixels_and_of_their_outliers(recording):
    views, rig, _, wrong = recording
    table = check_coverage(views, rig, method="ransac").table
    assert table.loc["camera"]["n"].sum() == table.loc["keypoint"]["n"].sum() == table.loc[("all", "all"), "n"]
    seen_wrong = wrong[np.isfinite(views["position"].values).all(axis=-1)].mean()
    assert table.loc[("all", "all"), "outliers"] == pytest.approx(seen_wrong, abs=0.01)


def test_the_distances_are_those_of_the_points_made_without_the_camera(recording):
    views, rig, _, _ = recording
    found = check_coverage(views, rig, method="dlt").table.loc[["camera", "all"]].droplevel("kind")
    expected = predict_left_out(views, rig, ["dlt", "ransac"], n_frames=N_FRAMES)
    for method, prefix in (("dlt", ""), ("ransac", "robust_")):
        for column in ("median_px", "p95_px"):
            np.testing.assert_allclose(found[prefix + column], expected.loc[method][column], rtol=0.03)


@pytest.mark.parametrize("wrong_by", [0.5, 2.0])
def test_standard_deviations_that_are_wrong_by_a_factor_of_two_are_seen_and_mended(recording, wrong_by):
    views, rig, _, _ = recording
    found = judge_coverage(views, rig, scaled_pose(wrong_by))
    row = found.table.loc[("all", "all")]
    assert row["inside_95"] < 0.90 or row["inside_95"] > 0.98
    assert 0.92 < row["rescaled_95"] < 0.98
    assert abs(row["judged_95"] - row["inside_95"]) < 0.02
    np.testing.assert_allclose(found.factors * wrong_by, 1.0, atol=0.25)


def test_only_the_keypoint_whose_error_bars_are_wrong_is_rescaled(recording):
    views, rig, _, _ = recording
    wrong_by = np.ones(views.sizes["keypoint"])
    wrong_by[2] = 0.4
    found = judge_coverage(views, rig, scaled_pose(xr.DataArray(wrong_by, dims="keypoint")))
    assert found.factors[2] > 1.6
    assert (np.delete(found.factors, 2) == 1).all()


def test_rescaled_covariances_hold_the_truth(recording):
    views, rig, truth, _ = recording
    make = scaled_pose(0.5)
    before = make(views, rig)
    after = with_coverage(before, views, rig, make)
    known = np.isfinite(before["position"].values).all(axis=-1)
    shares = [
        coverage(pose["position"].values[known], pose["covariance"].values[known], truth[known])
        for pose in (before, after)
    ]
    assert shares[0] < 0.7
    assert 0.92 < shares[1] < 0.98
    assert "multiplied" in after.attrs["coverage_words"]


def test_a_pose_carries_its_check_and_its_pairs_are_rescaled_with_their_ends(recording, skeleton):
    views, rig, _, _ = recording
    pose = reconstruct(views, rig, skeleton=skeleton, check_coverage=True)
    records = json.loads(pose.attrs["coverage"])
    assert {row["kind"] for row in records} == {"camera", "keypoint", "all"}
    assert "95 % regions hold" in pose.attrs["coverage_words"]
    plain = reconstruct(views, rig, skeleton=skeleton)
    mended = with_coverage(plain, views, rig, scaled_pose(2.0))
    factors = np.sqrt(mended["covariance"] / plain["covariance"]).isel(time=0, space=0, space_=0)
    a, b = str(plain["pair"].values[0]).split("|")
    ratio = (mended["cross_covariance"] / plain["cross_covariance"]).isel(pair=0, time=5).values
    np.testing.assert_allclose(ratio, float(factors.sel(keypoint=a) * factors.sel(keypoint=b)))
    np.testing.assert_array_equal(mended["velocity_covariance"], plain["velocity_covariance"])


def test_what_all_views_have_in_common_stays_and_is_not_taken_for_an_error(recording):
    views, rig, _, _ = recording
    n_keypoints = views.sizes["keypoint"]
    noise = replace(estimate_noise(views, rig), shared_std=np.full(n_keypoints, 20.0))
    found = check_coverage(views, rig, method="ransac", noise=noise)
    assert 0.935 < found.table.loc[("all", "all"), "inside_95"] < 0.965
    pose = with_coverage(reconstruct(views, rig, method="ransac", noise=noise), views, rig, scaled_pose(2.0), noise)
    covariances = pose["covariance"].values
    known = np.isfinite(covariances).all(axis=(-1, -2))
    assert known.any()
    assert np.linalg.eigvalsh(covariances[known]).min() >= 20.0**2 * (1 - 1e-9)


@pytest.mark.parametrize("wrong_by", [0.5, 2.0])
def test_rescaled_covariances_stay_positive_whatever_the_noise_has_in_common(recording, wrong_by):
    views, rig, _, _ = recording
    noise = replace(estimate_noise(views, rig), shared_std=np.full(views.sizes["keypoint"], 5.0))
    plain = reconstruct(views, rig, method="ransac")  # whose covariances lack what is in common
    pose = with_coverage(plain, views, rig, scaled_pose(wrong_by), noise)
    covariances = pose["covariance"].values
    known = np.isfinite(covariances).all(axis=(-1, -2))
    assert (np.linalg.eigvalsh(covariances[known]) > 0).all()


def test_each_individual_is_checked_by_itself(recording):
    views, rig, _, _ = recording
    two = xr.concat([views, views], dim=xr.DataArray(["a", "b"], dims="individual", name="individual"))
    pose = reconstruct(two, rig, method="ransac", check_coverage=True)
    assert {row["individual"] for row in json.loads(pose.attrs["coverage"])} == {"a", "b"}
    assert [line[:3] for line in pose.attrs["coverage_words"].splitlines()] == ["a: ", "b: "]
    with pytest.raises(DatasetError, match="several individuals"):
        check_coverage(two, rig)


def test_detectors_are_combined_before_the_check(recording):
    views, rig, _, _ = recording
    shifted = views.assign(position=views["position"] + np.random.default_rng(2).normal(0, 1, views["position"].shape))
    ensemble = xr.concat([views, shifted], dim=xr.DataArray(["a", "b"], dims="detector", name="detector"))
    row = check_coverage(ensemble, rig, method="ransac").table.loc[("all", "all")]
    assert 0.92 < row["inside_95"] < 0.98


def test_a_warning_names_the_worst_keypoint_where_the_regions_do_not_hold(recording):
    views, rig, _, _ = recording
    short = views.isel(time=slice(0, 60))
    make = scaled_pose(0.3)
    pose = with_coverage(make(short, rig), short, rig, make)
    assert pose.attrs["coverage_warning"].startswith("The error bars are too narrow: 95 % regions hold")
    assert "check the calibration and that keypoint's labels" in pose.attrs["coverage_warning"]
    assert "of keypoint" in pose.attrs["coverage_warning"]
    assert pose.attrs["coverage_warning"].endswith(" mm in the median.")
    assert "are now 2." in judge_coverage(views, rig, scaled_pose(0.4)).warning
    assert judge_coverage(views, rig, scaled_pose(2.0)).warning == ""  # mended
    wide = judge_coverage(short, rig, scaled_pose(3.0))
    assert "too wide" in wide.warning
    assert judge_coverage(short, rig, scaled_pose(1.0)).warning == ""


def test_two_cameras_are_too_few_and_the_pose_says_so(recording):
    views, rig, _, _ = recording
    pair = views.isel(view=[0, 1])
    with pytest.raises(ValueError, match="at least three"):
        check_coverage(pair, rig)
    pose = reconstruct(pair, rig, method="ransac", check_coverage=True)
    assert "at least three" in pose.attrs["coverage_failed"]
    assert "coverage" not in pose.attrs


def test_a_recording_of_less_than_two_blocks_is_judged_but_not_rescaled(recording):
    views, rig, _, _ = recording
    found = judge_coverage(views.isel(time=slice(0, 60)), rig, scaled_pose(0.5))
    assert found.table.loc[("all", "all"), "inside_95"] < 0.90
    assert (found.factors == 1).all()
    assert "two blocks of 0.5 s" in str(found)


def test_a_long_recording_costs_no_more_than_the_points_asked_for(recording):
    views, rig, _, _ = recording
    found = check_coverage(views, rig, method="ransac", n_points=1400, block=0.2)
    assert found.n_frames == 200
    assert found.seconds == pytest.approx(2.0)
    with pytest.raises(ValueError, match="positive"):
        check_coverage(views, rig, n_points=0)


def test_views_that_share_nothing_are_said_to_share_nothing(recording):
    views, rig, _, _ = recording
    one = views.assign(position=views["position"].where(views["view"] == "cam_0"))
    found = check_coverage(one, rig, method="ransac")
    assert found.table.loc[("all", "all"), "n"] == 0
    assert "No pixel" in str(found)


def test_outliers_are_those_of_all_cameras_whatever_the_error_bars(recording):
    views, rig, _, _ = recording
    shares = [judge_coverage(views, rig, scaled_pose(f)).table.loc[("all", "all"), "outliers"] for f in (0.5, 2.0)]
    assert shares[0] == shares[1]
