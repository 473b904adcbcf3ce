"""Every documented option of the functions of triangulate works, and a dataset is taken wherever arrays are."""

from importlib import import_module

import numpy as np
import pytest

from muybridge import triangulate
from muybridge.datasets import DatasetError, write_dataset
from tests.public_options import assert_all_functions_are_called, assert_options_can_be_given, functions_of

OF_FILES = {"reconstruct_file", "write_body"}  # called with a folder, below and in bodies/test_body_files.py


@pytest.fixture(scope="module")
def given():
    return import_module("tests.triangulate.public_calls")


def test_every_public_function_is_called(given):
    assert_all_functions_are_called(triangulate, {*given.CALLS, *OF_FILES})


@pytest.mark.parametrize("name", [name for name in functions_of(triangulate) if name not in OF_FILES])
def test_every_documented_option_can_be_given(name, given):
    assert_options_can_be_given(getattr(triangulate, name), given.CALLS[name])


def test_every_documented_option_of_the_reconstruction_of_files_can_be_given(tmp_path, given):
    options = {
        "method": "median", "window": 0.1, "max_gap": 0.1, "skeleton": given.LEGS, "swaps": True, "chunk_frames": 15,
    }  # fmt: skip
    poses = {"method": "gimbal", "prior": given.PRIOR, "skeleton": given.LEGS, "check_coverage": True, "executor": None}
    files = write_dataset(given.VIEWS, tmp_path / "views.nc"), given.RIG, tmp_path / "pose.nc"
    angles = {"method": "articulated", "body": given.BODY}
    assert_options_can_be_given(triangulate.reconstruct_file, [(files, options), (files, poses), (files, angles)])


ARRAYS = {
    "estimate_sigma": lambda found: found,
    "frame_offsets": lambda found: found.offsets,
    "match_individuals": lambda found: found.tracks,
    "refine_rig": lambda found: found.rig["cam_1"].R,
    "repair_swaps": lambda found: found.points_2d,
    "smooth": lambda found: found.points_3d,
    "triangulate_candidates": lambda found: found.triangulation.points_3d,
    "triangulate_dlt": lambda found: found,
    "triangulate_pairs": lambda found: found,
    "triangulate_ransac": lambda found: found.points_3d,
}


@pytest.mark.parametrize("name", ARRAYS)
def test_a_dataset_gives_what_its_arrays_give_whatever_the_order_of_its_cameras(name, given):
    function, arguments = getattr(triangulate, name), given.CALLS[name][-1][0]
    arrays = {"triangulate_candidates": given.PEAKS, "match_individuals": given.TRACKS}.get(name, given.POINTS)
    options = {"confidence": np.full(arrays.shape[:-1], 0.95)} if name != "match_individuals" else {}
    options |= {"fps": given.FPS} if name in ("smooth", "match_individuals", "frame_offsets", "refine_rig") else {}
    turned = arguments[0].isel(view=slice(None, None, -1)).rename(keypoint="keypoints")  # as movement names it
    expected = ARRAYS[name](function(arrays, *arguments[1:], **options))
    np.testing.assert_allclose(ARRAYS[name](function(turned, *arguments[1:])), expected, rtol=0, atol=1e-9)


def test_candidates_of_a_dataset_need_their_dimension(given):
    with pytest.raises(DatasetError, match="need a dimension 'candidate'"):
        triangulate.triangulate_candidates(given.VIEWS, given.RIG)


def test_covariances_of_a_pose_are_those_of_its_points(given):
    pose = triangulate.reconstruct(given.VIEWS, given.RIG, method="dlt")
    expected = triangulate.point_covariances(pose["position"].values, given.RIG, 0.5)
    np.testing.assert_array_equal(triangulate.point_covariances(pose, given.RIG, 0.5), expected)


def test_a_dataset_is_shifted_by_the_name_of_its_cameras(given):
    found = triangulate.FrameOffsets(given.RIG.names, np.array([0.0, 2, 0, 0.5]), np.full(4, 0.01), 2.0)
    turned = triangulate.shift_frames(given.VIEWS.isel(view=slice(None, None, -1)), found)
    expected = triangulate.shift_frames(given.POINTS, found)
    np.testing.assert_array_equal(turned["position"].sel(view=list(given.RIG.names)).values, expected)
    assert (turned["confidence"].sel(view="cam_1")[-2:] == 0).all()
    with pytest.raises(ValueError, match=r"no frame offsets of the cameras \['box'\]"):
        triangulate.shift_frames(given.BOX, found)
