"""The labelled function: names, methods, stretches of time, provenance."""

import json
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from benchmarks.rings import errors, make_recording
from muybridge.datasets import DatasetError, Skeleton, check_pose, read_dataset, views_dataset, write_dataset
from muybridge.triangulate import (
    estimate_noise,
    median_filter,
    reconstruct,
    smooth,
    triangulate_dlt,
    triangulate_pairs,
    triangulate_ransac,
)
from muybridge.triangulate.file_reconstruction import reconstruct_file

NAMES = [f"point_{i}" for i in range(20)]


@pytest.fixture(scope="module")
def recording():
    return make_recording(n_cameras=4, seed=9, n_frames=120)


@pytest.fixture(scope="module")
def views(recording):
    return views_dataset(
        recording.points_2d,
        cameras=recording.rig.names,
        keypoints=NAMES,
        times=np.arange(120) / 100,
        confidence=recording.confidence,
    )


def test_each_method_is_its_array_function(recording, views):
    rig, points_2d, confidence = recording.rig, recording.points_2d, recording.confidence
    noise = estimate_noise(points_2d, rig, confidence=confidence)
    robust = triangulate_ransac(points_2d, rig, confidence=confidence, noise=noise).points_3d
    expected = {
        "dlt": triangulate_dlt(points_2d, rig, confidence=confidence),
        "pairs": triangulate_pairs(points_2d, rig, confidence=confidence),
        "ransac": robust,
        "median": median_filter(robust, 0.07, fps=100),
    }
    for method, points_3d in expected.items():
        pose = check_pose(reconstruct(views, rig, method=method, **({"window": 0.07} if method == "median" else {})))
        np.testing.assert_array_equal(pose["position"].values, points_3d)
        assert pose["position"].attrs["units"] == "mm"
        assert {"covariance", "confidence", "reprojection_error", "n_cameras"} <= set(pose.data_vars)
        assert json.loads(pose.attrs["options"])["method"] == method


def test_smooth_is_the_default_and_better_than_single_frames(recording, views):
    pose = check_pose(reconstruct(views, recording.rig))
    single = reconstruct(views, recording.rig, method="ransac")
    error = errors(pose["position"].values, recording.truth)
    assert np.median(error) < 0.7 * np.nanmedian(errors(single["position"].values, recording.truth))
    assert {"velocity", "velocity_covariance", "acceleration", "covariance", "n_cameras"} <= set(pose.data_vars)
    assert pose["confidence"].min() >= 0
    assert pose["confidence"].mean() > 0.99


@pytest.mark.parametrize("method", ["ransac", "smooth"])
def test_the_pose_carries_the_vertical_of_the_rig(recording, views, method):
    few, up = views.isel(time=slice(0, 20)), [0.0, 0.6, 0.8]
    assert reconstruct(few, replace(recording.rig, up=up), method=method).attrs["up"] == pytest.approx(up)
    assert "up" not in reconstruct(few, replace(recording.rig, up=None), method=method).attrs


def test_a_skeleton_in_another_order_is_understood_and_adds_covariances_of_its_bones(recording, views):
    skeleton = Skeleton(("point_3", "point_1", "point_0"), (("point_1", "point_0"), ("point_1", "point_3")))
    pose = reconstruct(views, recording.rig, skeleton=skeleton)
    pairs = {frozenset(str(pair).split("|")) for pair in pose["pair"].values}
    assert {frozenset(("point_1", "point_0")), frozenset(("point_1", "point_3"))} <= pairs
    with pytest.raises(ValueError, match="tail"):
        reconstruct(views, recording.rig, skeleton=Skeleton(("tail", "point_0")))


def test_cameras_are_found_by_name(recording, views):
    shuffled = views.isel(view=[2, 0, 3, 1])
    np.testing.assert_allclose(
        reconstruct(shuffled, recording.rig, method="dlt")["position"],
        reconstruct(views, recording.rig, method="dlt")["position"],
        atol=1e-9,
    )
    assert (
        reconstruct(shuffled, recording.rig, method="dlt")["view"].values.tolist() == shuffled["view"].values.tolist()
    )
    with pytest.raises(DatasetError, match=r"cameras \['other'\] that the rig does not have"):
        reconstruct(views.assign_coords(view=["other", *views["view"].values[1:]]), recording.rig)
    with pytest.raises(DatasetError, match="at least two views"):
        reconstruct(views.isel(view=[0]), recording.rig)
    with pytest.raises(DatasetError, match="repeat the cameras"):
        reconstruct(views.isel(view=[0, 0, 1]), recording.rig, method="dlt")


@pytest.mark.parametrize("method", ["dlt", "ransac", "median", "pairs"])
def test_stretches_of_time_give_the_answer_in_one_piece(recording, views, method, tmp_path):
    options = {"method": method, "max_gap": 0.03}
    gappy = views.assign(position=views["position"].where(np.random.default_rng(0).random((1, 120, 20, 1)) > 0.2))
    whole = reconstruct(gappy, recording.rig, **options)
    xr.testing.assert_identical(reconstruct(gappy, recording.rig, chunk_frames=17, **options), whole)
    source = write_dataset(gappy, tmp_path / "views.nc")
    written = reconstruct_file(source, recording.rig, tmp_path / "pose.nc", chunk_frames=25, **options)
    xr.testing.assert_identical(read_dataset(written), whole)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["pose.nc", "views.nc"]


def test_short_gaps_are_filled_without_pretending_to_have_seen(recording, views):
    gappy = views.copy(deep=True)
    gappy["position"][:, 10:12, 4] = np.nan
    pose = reconstruct(gappy, recording.rig, method="ransac", max_gap=0.02)
    assert np.isfinite(pose["position"][10:12, 4]).all()
    assert (pose["confidence"][10:12, 4] == 0).all()
    assert np.isnan(pose["covariance"][10:12, 4]).all()
    assert errors(pose["position"].values, recording.truth)[10:12, 4].max() < 8


def test_swaps_are_undone_first_in_one_piece_and_in_stretches(recording, views):
    sides = Skeleton(tuple(NAMES), symmetries=tuple(zip(NAMES[::2], NAMES[1::2], strict=True)))
    swapped = views.copy(deep=True)
    swapped["position"][1, 20:60] = swapped["position"].values[1, 20:60][:, sides.mirror]
    pose = reconstruct(swapped, recording.rig, method="ransac", skeleton=sides, swaps=True)
    kept = reconstruct(swapped, recording.rig, method="ransac")
    assert pose["n_cameras"][20:60].mean() > kept["n_cameras"][20:60].mean() + 0.5
    pieces = reconstruct(swapped, recording.rig, method="ransac", skeleton=sides, swaps=True, chunk_frames=50)
    xr.testing.assert_identical(pieces, pose)
    with pytest.raises(ValueError, match="needs a skeleton with symmetries"):
        reconstruct(swapped, recording.rig, method="ransac", swaps=True)


def test_individuals_are_reconstructed_one_by_one(recording, views):
    two = xr.concat([views, views.isel(time=slice(None, None, -1)).assign_coords(time=views["time"])], dim="individual")
    two = two.assign_coords(individual=["ada", "bob"])
    pose = check_pose(reconstruct(two, recording.rig, method="ransac"))
    assert pose["individual"].values.tolist() == ["ada", "bob"]
    alone = reconstruct(views, recording.rig, method="ransac")
    np.testing.assert_allclose(pose["position"].sel(individual="ada"), alone["position"], atol=1e-9)


def test_pose_states_come_with_heading_and_what_was_repaired(recording, views, tmp_path):
    bones = tuple((NAMES[i], NAMES[i + 1]) for i in range(19))
    short = views.isel(time=slice(0, 60))
    rig = replace(recording.rig, up=np.array([0.0, 0.0, 1.0]))
    pose = reconstruct(short, rig, method="gimbal", skeleton=Skeleton(tuple(NAMES), bones), n_states=3)
    assert pose["state"].dims == pose["heading"].dims == ("time",)
    assert pose["heading"].attrs["units"] == "rad"
    np.testing.assert_allclose(pose["state_probability"].sum("pose_state"), 1)
    np.testing.assert_array_equal(pose["state_probability"].argmax("pose_state"), pose["state"])
    assert set(np.unique(pose["overridden"])) <= {0, 1}
    back = read_dataset(write_dataset(pose, tmp_path / "pose.nc"))
    xr.testing.assert_allclose(check_pose(back), check_pose(pose))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"method": "smooth", "max_gap": 3}, "max_gap is for"),
        ({"method": "gimbal", "chunk_frames": 100}, "chunk_frames is for"),
        ({"method": "dlt", "prior": object()}, "'gimbal' has"),
        ({"method": "ransac", "treshold": 3.0}, "no option 'treshold', did you mean 'threshold'"),
        ({"method": "smooth", "chunk_frame": 3}, "did you mean 'chunk_frames'"),
        ({"method": "median", "window": -0.1}, "positive number of seconds"),
    ],
)
def test_options_that_a_method_does_not_use_are_refused(recording, views, options, words):
    with pytest.raises(ValueError, match=words):
        reconstruct(views, recording.rig, **options)


def test_a_rig_that_is_none_is_named(views):
    with pytest.raises(TypeError, match="rig is NoneType, not a CameraRig"):
        reconstruct(views, None)


def test_bad_requests_are_refused(recording, views, tmp_path):
    with pytest.raises(ValueError, match="no reconstruction method 'magic'") as refused:
        reconstruct(views, recording.rig, method="magic")
    assert "articulated" in str(refused.value)
    with pytest.raises(ValueError, match="needs a skeleton"):
        reconstruct(views, recording.rig, method="gimbal")
    with pytest.raises(ValueError, match="needs a body"):
        reconstruct(views, recording.rig, method="articulated")
    with pytest.raises(ValueError, match="a body has no use"):
        reconstruct(views, recording.rig, method="smooth", body="cheetah")
    with pytest.raises(DatasetError, match="camera names"):
        reconstruct(views.drop_vars("view"), recording.rig)
    with pytest.raises(DatasetError, match="infinite"):
        reconstruct(views.assign(position=views["position"] * np.inf), recording.rig)
    with pytest.raises(DatasetError, match="no dataset file"):
        reconstruct_file(tmp_path / "none.nc", recording.rig, tmp_path / "pose.nc")
    source = write_dataset(views, tmp_path / "views.nc")
    with pytest.raises(ValueError, match="needs a body"):
        reconstruct_file(source, recording.rig, tmp_path / "pose.nc", method="articulated")
    assert not (tmp_path / "pose.nc").exists()


def test_a_data_array_of_positions_and_a_dataset_in_array_functions(recording, views):
    rig, bare = recording.rig, views.drop_vars("confidence")
    found = reconstruct(views["position"], rig, method="dlt")
    xr.testing.assert_identical(found, reconstruct(bare, rig, method="dlt"))
    expected = triangulate_ransac(recording.points_2d, rig, confidence=recording.confidence).points_3d
    shuffled = views.isel(view=[2, 0, 3, 1])
    np.testing.assert_array_equal(triangulate_ransac(shuffled, rig).points_3d, expected)
    np.testing.assert_array_equal(triangulate_dlt(views["position"], rig), triangulate_dlt(recording.points_2d, rig))
    smoothed = smooth(shuffled, rig)
    np.testing.assert_array_equal(
        smoothed.points_3d, smooth(recording.points_2d, rig, fps=100.0, confidence=recording.confidence).points_3d
    )
    with pytest.raises(DatasetError, match=r"lack the cameras \['cam_2'\]"):
        triangulate_dlt(views.drop_sel(view="cam_2"), rig)
    with pytest.raises(ValueError, match="fps is None"):
        smooth(recording.points_2d, rig)


@pytest.mark.parametrize("fps", [30.0, 100.0, 200.0])
def test_windows_and_gaps_are_the_same_stretch_of_time_at_any_frame_rate(recording, views, fps):
    n_frames = {30.0: 3, 100.0: 7, 200.0: 15}[fps]
    timed = views.assign_coords(time=np.arange(120) / fps)
    robust = reconstruct(timed, recording.rig, method="ransac")["position"].values
    found = reconstruct(timed, recording.rig, method="median", window=0.07)
    np.testing.assert_array_equal(found["position"], median_filter(robust, n_frames / fps, fps=fps))


def test_movements_plural_names_of_dimensions_are_taken(recording, views, tmp_path):
    two = xr.concat([views, views], dim="individual").assign_coords(individual=["ada", "bob"])
    plural = two.rename(view="views", keypoint="keypoints", individual="individuals")
    xr.testing.assert_equal(
        reconstruct(plural, recording.rig, method="dlt"), reconstruct(two, recording.rig, method="dlt")
    )
    source = write_dataset(plural.isel(individuals=0, drop=True), tmp_path / "views.nc")
    written = read_dataset(reconstruct_file(source, recording.rig, tmp_path / "pose.nc", method="dlt"))
    xr.testing.assert_equal(written, reconstruct(views, recording.rig, method="dlt"))
