"""Crops and mirrors of one camera are cameras of their own."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.rings import make_rig
from muybridge.calibration import CameraRig
from muybridge.datasets import DatasetError, views_dataset
from muybridge.triangulate import (
    Region,
    mirror_camera,
    reconstruct,
    region_camera,
    split_views,
    triangulate_dlt,
    triangulate_ransac,
)

POINTS = np.random.default_rng(0).uniform(-80, 80, (60, 3))
LENSES = [
    ("pinhole", [-0.2, 0.05, 1e-3, 2e-3, 0.0]),
    ("pinhole", [0.1, 0.01, 2e-3, 3e-3, 0.01, 0.02, 0.03, 1e-3, 2e-3, 3e-3, 4e-3, 1e-3, 0.02, 0.03]),
    ("fisheye", [0.01, 0.02, 0.0, 0.0]),
]


@pytest.mark.parametrize(("model", "distortion"), LENSES)
def test_a_mirror_camera_sees_points_where_the_camera_sees_their_reflection(model, distortion):
    camera = replace(make_rig(1, 1).cameras[0], model=model, distortion=np.array(distortion))
    normal, distance = np.array([0.3, 0.2, 1.0]), -80.0
    unit = normal / np.linalg.norm(normal)
    reflected = POINTS - 2 * (POINTS @ unit - distance)[:, None] * unit
    mirror = mirror_camera(camera, normal, distance, "mirror")
    assert mirror.mirrored
    np.testing.assert_allclose(mirror.project(POINTS), camera.project(reflected), atol=1e-9)


def test_one_camera_and_its_mirror_give_3d():
    camera = make_rig(1, 1).cameras[0]
    rig = CameraRig((camera, mirror_camera(camera, [0.2, 0.0, 1.0], -80.0, "mirror")))
    assert np.abs(triangulate_dlt(rig.project(POINTS), rig) - POINTS).max() < 1e-7
    noisy = rig.project(POINTS) + np.random.default_rng(1).normal(0, 0.5, (2, 60, 2))
    assert np.isfinite(triangulate_ransac(noisy, rig, sigma=0.5).points_3d).all(axis=-1).mean() > 0.95


@pytest.mark.parametrize("flipped", [False, True])
def test_a_region_is_a_camera_with_other_pixels(flipped):
    camera = make_rig(1, 1).cameras[0]
    region = Region("crop", (300, 100), (700, 800), flipped)
    pixels = camera.project(POINTS)
    inside = np.isfinite(region.to_region(pixels)).all(axis=-1)
    assert inside.any()
    assert not inside.all() or flipped is not None
    np.testing.assert_allclose(region_camera(camera, region).project(POINTS)[inside], region.to_region(pixels)[inside])
    np.testing.assert_allclose(region.to_image(region.to_region(pixels))[inside], pixels[inside])


def test_a_region_beyond_the_image_is_refused_and_points_outside_are_missing():
    camera = make_rig(1, 1).cameras[0]
    with pytest.raises(ValueError, match="reaches beyond the image of camera 'cam_0'"):
        region_camera(camera, Region("crop", (1000, 0), (500, 100)))
    with pytest.raises(ValueError, match="must be positive"):
        Region("crop", (0, 0), (0, 10))
    assert np.isnan(Region("crop", (10, 10), (5, 5)).to_region([[9.0, 12.0], [20.0, 12.0]])).all()


def test_keypoints_of_two_views_in_one_image_become_two_views():
    camera = make_rig(1, 1).cameras[0]
    mirror = mirror_camera(camera, [0.2, 0.0, 1.0], -80.0, "bottom")
    both = np.concatenate([camera.project(POINTS[:20])[:, None], mirror.project(POINTS[:20])[:, None]], axis=1)
    views = views_dataset(
        both[None], cameras=["cam_0"], keypoints=["paw_top", "paw_bottom"], times=np.arange(20) / 50.0
    )
    split = split_views(views, "cam_0", {"top": {"paw": "paw_top"}, "bottom": {"paw": "paw_bottom"}})
    assert split["view"].values.tolist() == ["top", "bottom"]
    rig = CameraRig((replace(camera, name="top"), mirror))
    pose = reconstruct(split, rig, method="dlt")
    np.testing.assert_allclose(pose["position"].values[:, 0], POINTS[:20], atol=1e-7)
    with pytest.raises(DatasetError, match="no camera 'side'"):
        split_views(views, "side", {"top": {"paw": "paw_top"}})
    with pytest.raises(DatasetError, match="no keypoints"):
        split_views(views, "cam_0", {"top": {"paw": "paw_left"}})


def test_other_cameras_keep_the_shared_keypoints():
    points_2d = np.arange(2 * 4 * 3 * 2, dtype=float).reshape(2, 4, 3, 2)
    views = views_dataset(
        points_2d, cameras=["side", "cam"], keypoints=["paw", "paw_bottom", "tail"], times=np.arange(4.0)
    )
    split = split_views(views, "cam", {"front": {"paw": "paw", "tail": "tail"}, "bottom": {"paw": "paw_bottom"}})
    assert split["view"].values.tolist() == ["front", "bottom", "side"]
    np.testing.assert_array_equal(split["position"].sel(view="side"), points_2d[0][:, [0, 2]])
    np.testing.assert_array_equal(split["position"].sel(view="bottom", keypoint="paw"), points_2d[1][:, 1])
    assert np.isnan(split["position"].sel(view="bottom", keypoint="tail")).all()
    assert (split["confidence"].sel(view="bottom", keypoint="tail") == 0).all()


def test_a_mirror_needs_a_normal():
    with pytest.raises(ValueError, match="normal"):
        mirror_camera(make_rig(1).cameras[0], [0, 0, 0], 1.0, "mirror")
