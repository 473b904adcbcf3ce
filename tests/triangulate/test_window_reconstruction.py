"""Recordings in files, solved in windows as tasks: the same as in one piece."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from muybridge.datasets import Skeleton, read_dataset, views_dataset, write_dataset
from muybridge.triangulate import reconstruct
from muybridge.triangulate.file_reconstruction import reconstruct_file
from muybridge.triangulate.smoothing.long_recordings import learning
from tests.conftest import make_moving_points, make_ring_rig
from tests.helpers import Pickling

SKELETON = Skeleton(("neck", "nose", "tail", "paw"), (("neck", "nose"), ("neck", "tail"), ("tail", "paw")), root="neck")
RIG = make_ring_rig(3)


@pytest.fixture(scope="module")
def views():
    """240 frames of four keypoints in three cameras, with gaps, outliers and predicted noise."""
    rng = np.random.default_rng(0)
    truth = make_moving_points(SKELETON, 240)
    points_2d = RIG.project(truth) + rng.normal(0, 1.0, (3, 240, 4, 2))
    points_2d[rng.random((3, 240, 4)) < 0.03] += 60.0
    points_2d[:, 60:64, 1] = np.nan
    covariances_2d = np.broadcast_to(np.eye(2), (*points_2d.shape, 2)) * rng.uniform(0.5, 2, (3, 240, 4, 1, 1))
    return views_dataset(
        points_2d, cameras=RIG.names, keypoints=SKELETON.keypoints, times=np.arange(240) / 100.0,
        covariances_2d=covariances_2d,
    )  # fmt: skip


@pytest.fixture
def source(views, tmp_path):
    return write_dataset(views, tmp_path / "views.nc")


@pytest.mark.parametrize(
    "options",
    [{"method": "smooth"}, {"method": "smooth", "skeleton": SKELETON, "check_coverage": True},
     {"method": "gimbal", "skeleton": SKELETON, "n_states": 2}],
    ids=["tracks", "bones and coverage", "states"],
)  # fmt: skip
def test_a_file_in_small_windows_gives_the_answer_in_one_piece(views, source, tmp_path, monkeypatch, options):
    monkeypatch.setattr(learning, "_LEARNING_FRAMES", 120)  # else what is learned on is the whole
    whole = reconstruct(views, RIG, **options)
    with Pickling(2) as executor:
        path = reconstruct_file(source, RIG, tmp_path / "pose.nc", window=0.8, executor=executor, **options)
    found = read_dataset(path)
    assert set(found.variables) == set(whole.variables)
    assert set(found.attrs) == set(whole.attrs)
    for name in ("position", "velocity", "acceleration"):
        spread = whole["covariance" if name == "position" else f"{name}_covariance"].values
        std = np.sqrt(np.diagonal(spread, axis1=-2, axis2=-1))
        assert np.nanmax(np.abs(found[name].values - whole[name].values) / std) < 0.01, name
        own = np.sqrt(np.diagonal(found["covariance"].values, axis1=-2, axis2=-1))
    np.testing.assert_allclose(own, np.sqrt(np.diagonal(whole["covariance"].values, axis1=-2, axis2=-1)), rtol=0.01)
    np.testing.assert_allclose(found["confidence"], whole["confidence"], atol=0.01)


def test_windows_of_the_same_length_give_the_same_numbers_and_swaps_are_undone_as_they_are_read(views, tmp_path):
    sides = replace(SKELETON, symmetries=(("nose", "tail"),))
    swapped = views.copy(deep=True)
    swapped["position"][0, 50:70] = swapped["position"].values[0, 50:70][:, sides.mirror]
    same = {"method": "smooth", "skeleton": sides, "swaps": True, "window": 1.3}
    whole = reconstruct(swapped, RIG, **same)
    path = reconstruct_file(write_dataset(swapped, tmp_path / "v.nc"), RIG, tmp_path / "pose.nc", **same)
    xr.testing.assert_identical(read_dataset(path), whole)
