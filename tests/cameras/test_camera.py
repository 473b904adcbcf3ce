import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muybridge.cameras import Camera

PINHOLE = {
    0: [],
    4: [-0.3, 0.1, 0.001, -0.002],
    5: [-0.28, 0.12, 0.001, 0.0005, -0.03],
    8: [0.2, -0.05, 0.001, -0.001, 0.01, 0.4, -0.05, 0.01],
    12: [-0.2, 0.05, 0.001, 0.001, 0.0, 0.01, 0.0, 0.0, 0.002, -0.001, 0.001, 0.002],
    14: [-0.2, 0.05, 0.001, 0.001, 0.0, 0.01, 0.0, 0.0, 0.002, -0.001, 0.001, 0.002, 0.03, -0.02],
}
FISHEYE = [-0.02, 0.01, -0.004, 0.0007]
R = cv2.Rodrigues(np.array([0.1, -0.2, 0.05]))[0]
K = np.array([[900.0, 0, 650], [0, 910, 500], [0, 0, 1]])


def camera(distortion, model="pinhole", **changes):
    values = {"name": "a", "size": (1280, 1024), "K": K, "R": R, "t": [10.0, -20, 900]} | changes
    return Camera(distortion=distortion, model=model, **values)


def world_points(n=500, seed=0):
    return np.random.default_rng(seed).uniform(-250, 250, (n, 3))


@pytest.mark.parametrize("n_coefficients", PINHOLE)
def test_pinhole_projection_equals_opencv(n_coefficients):
    lens = camera(PINHOLE[n_coefficients])
    expected = cv2.projectPoints(world_points(), lens.R, lens.t, lens.K, lens.distortion)[0][:, 0]
    np.testing.assert_allclose(lens.project(world_points()), expected, atol=1e-9)


def test_fisheye_projection_equals_opencv():
    lens = camera(FISHEYE, "fisheye")
    rotation, translation = cv2.Rodrigues(lens.R)[0], lens.t.reshape(3, 1)
    expected = cv2.fisheye.projectPoints(world_points()[:, None], rotation, translation, lens.K, np.array(FISHEYE))[0]
    np.testing.assert_allclose(lens.project(world_points()), expected[:, 0], atol=1e-9)


@pytest.mark.parametrize(("distortion", "model"), [*[(d, "pinhole") for d in PINHOLE.values()], (FISHEYE, "fisheye")])
def test_undistortion_undoes_the_lens_over_the_whole_image(distortion, model):
    lens = camera(distortion, model)
    pixels = np.stack(np.meshgrid(np.linspace(0, 1279, 40), np.linspace(0, 1023, 30)), -1)
    ideal = lens.undistort(pixels)
    assert np.isfinite(ideal).all()
    np.testing.assert_allclose(lens.distort(ideal), pixels, atol=1e-8)


@pytest.mark.parametrize(("distortion", "model"), [*[(d, "pinhole") for d in PINHOLE.values()], (FISHEYE, "fisheye")])
def test_projection_jacobian_equals_finite_differences(distortion, model):
    lens, points, step = camera(distortion, model), world_points(50), 1e-4
    numeric = np.stack(
        [(lens.project(points + step * axis) - lens.project(points - step * axis)) / (2 * step) for axis in np.eye(3)],
        axis=-1,
    )
    np.testing.assert_allclose(lens.project_jacobian(points), numeric, atol=1e-6)


def test_points_behind_the_camera_project_to_nan():
    lens = camera(PINHOLE[5])
    behind = lens.center - 100 * lens.R[2]
    assert np.isnan(lens.project(behind)).all()


def test_points_beyond_the_fold_of_the_lens_project_to_nan_not_into_the_image():
    lens = camera([-0.4, 0.0, 0, 0], R=np.eye(3), t=np.zeros(3))
    fold = np.sqrt(1 / 1.2)  # where d/dr (r - 0.4 r^3) = 0
    assert np.isfinite(lens.project([fold * 0.99, 0, 1])).all()
    assert np.isnan(lens.project([fold * 1.01, 0, 1])).all()


def test_pixels_that_no_ray_reaches_are_nan():
    lens = camera([-0.4, 0.0, 0, 0])
    assert np.isnan(lens.undistort([5000.0, 500.0])).all()


def test_rays_pass_through_the_points_they_came_from():
    lens, points = camera(PINHOLE[5]), world_points(50)
    expected = points - lens.center
    expected /= np.linalg.norm(expected, axis=-1, keepdims=True)
    np.testing.assert_allclose(lens.rays(lens.project(points)), expected, atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.floats(-0.4, 0.4), st.floats(-0.1, 0.1), st.floats(-0.003, 0.003), st.floats(-0.003, 0.003))
def test_distort_after_undistort_is_the_identity_or_nan(k1, k2, p1, p2):
    lens = camera([k1, k2, p1, p2])
    pixels = np.stack(np.meshgrid(np.linspace(0, 1279, 9), np.linspace(0, 1023, 7)), -1)
    back = lens.distort(lens.undistort(pixels))
    known = np.isfinite(back)
    np.testing.assert_allclose(back[known], pixels[known], atol=1e-8)


def test_a_vanishing_coefficient_is_no_coefficient():
    pixels = np.array([[10.0, 20.0], [900.0, 700.0]])
    np.testing.assert_allclose(camera([0.0, 2e-311, 0, 0]).undistort(pixels), pixels, atol=1e-9)


def test_a_mirrored_view_is_the_flipped_image_of_the_same_camera():
    width = 1280
    lens = camera([-0.3, 0.1, 0.001, -0.002])
    flipped_K = lens.K.copy()
    flipped_K[0] = [-lens.K[0, 0], 0, width - 1 - lens.K[0, 2]]
    mirrored = camera([-0.3, 0.1, 0.001, -0.002], K=flipped_K)
    expected = lens.project(world_points())
    expected[:, 0] = width - 1 - expected[:, 0]
    np.testing.assert_allclose(mirrored.project(world_points()), expected, atol=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": (0, 10)}, "size"),
        ({"K": np.zeros((3, 3))}, "K must be"),
        ({"R": 2 * np.eye(3)}, "no rotation"),
        ({"R": np.diag([1.0, 1, -1])}, "no rotation"),
        ({"t": [np.nan, 0, 0]}, "not finite"),
        ({"t": [0.0, 0]}, "shape"),
        ({"model": "omni"}, "lens model"),
    ],
)
def test_a_camera_that_cannot_be_says_why(change, message):
    values = {"name": "a", "size": (10, 10), "K": K, "distortion": [], "R": np.eye(3), "t": np.zeros(3)} | change
    with pytest.raises(ValueError, match=message):
        Camera(**values)


def test_too_many_coefficients_are_refused():
    with pytest.raises(ValueError, match="at most 14"):
        camera(np.zeros(15))
