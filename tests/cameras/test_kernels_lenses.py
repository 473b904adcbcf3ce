"""One lens model: its five-coefficient case and its derivatives agree with its values."""

import numpy as np
import pytest

from muybridge.cameras._kernels_lenses import distort, distort_five, distort_with_derivatives

PINHOLE = np.array([-0.3, 0.12, 1e-3, -2e-3, 0.05, 0.1, 0.02, 0.01, 1e-3, 2e-3, -1e-3, 5e-4, 0.02, -0.03])
FISHEYE = np.concatenate([[0.02, -0.01, 0.005, -0.002], np.zeros(10)])
UNTILTED = np.concatenate([PINHOLE[:12], np.zeros(2)])


@pytest.mark.parametrize(
    ("d", "fisheye", "tilted"),
    [
        (PINHOLE, False, True),
        (UNTILTED, False, True),
        (UNTILTED, False, False),
        (FISHEYE, True, False),
        (np.zeros(14), False, True),
    ],
)
def test_derivatives_equal_finite_differences(d, fisheye, tilted):
    x, y, D = 0.31, -0.24, np.empty((2, 16))
    value = distort_with_derivatives(x, y, d, fisheye, tilted, D)
    np.testing.assert_allclose(value, distort(x, y, d, fisheye)[:2], rtol=0, atol=1e-15)

    def at(change):
        return np.array(distort(x + change[0], y + change[1], d + change[2:], fisheye)[:2])

    expected = np.stack([(at(1e-6 * e) - at(-1e-6 * e)) / 2e-6 for e in np.eye(16)], axis=-1)
    if not tilted:
        expected[:, 14:] = 0
    np.testing.assert_allclose(D, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize(("d", "fisheye"), [(PINHOLE, False), (UNTILTED, False), (FISHEYE, True)])
def test_the_jacobian_beside_the_value_is_the_same(d, fisheye):
    D = np.empty((2, 16))
    distort_with_derivatives(0.31, -0.24, d, fisheye, True, D)
    np.testing.assert_allclose(distort(0.31, -0.24, d, fisheye)[2:], D[:, :2].ravel(), rtol=0, atol=1e-15)


def test_the_function_of_five_coefficients_is_a_case_of_the_general_one():
    d = np.concatenate([PINHOLE[:5], np.zeros(9)])
    xd, yd, xx, xy, yy = distort_five(0.31, -0.24, *d[:5])
    np.testing.assert_allclose([xd, yd, xx, xy, xy, yy], distort(0.31, -0.24, d, False), rtol=0, atol=1e-15)


def test_the_middle_of_a_fisheye_image_is_undistorted():
    D = np.empty((2, 16))
    assert distort_with_derivatives(0.0, 0.0, FISHEYE, True, False, D) == (0.0, 0.0)
    np.testing.assert_array_equal(D, np.eye(2, 16))
