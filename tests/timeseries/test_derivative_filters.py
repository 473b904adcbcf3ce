import numpy as np
import pytest
from scipy.signal import butter, savgol_filter, sosfiltfilt

from muybridge.datasets import DatasetError
from muybridge.timeseries import butterworth_derivative, central_difference, local_polynomial
from tests.kinematics.synthetic import cubic


def test_differences_are_exact_on_a_parabola_with_uneven_frames():
    t = np.sort(np.random.default_rng(2).uniform(0, 3, 50))
    positions, velocities, *_ = cubic(t)
    found = central_difference(positions, t)
    np.testing.assert_allclose(found[1:-1, 0, 1:], velocities[1:-1, 0, 1:], atol=1e-10)


def test_differences_equal_numpys_gradient():
    t = np.sort(np.random.default_rng(3).uniform(0, 3, 50))
    positions = cubic(t)[0]
    np.testing.assert_allclose(central_difference(positions, t), np.gradient(positions, t, axis=0), atol=1e-9)


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_local_polynomials_are_savitzky_golay_and_exact_on_cubics(degree):
    rng = np.random.default_rng(5)
    values = rng.normal(size=(80, 2))
    twin = savgol_filter(values, 11, 3, degree, delta=0.02, axis=0)
    found = local_polynomial(values, np.arange(80) * 0.02, 11 * 0.02, 3, degree)
    np.testing.assert_allclose(found[5:-5], twin[5:-5], rtol=1e-6, atol=1e-6 * np.abs(twin).max())
    t = np.sort(rng.uniform(0, 2, 80))
    values = cubic(t)[degree][:, 0]
    np.testing.assert_allclose(
        local_polynomial(cubic(t)[0][:, 0], t, 9 * np.median(np.diff(t)), 3, degree), values, atol=1e-3
    )


def test_a_window_shorter_than_the_polynomial_needs_is_refused_with_its_frames():
    with pytest.raises(DatasetError, match=r"order 3 needs a window of more than 3 frames; 0\.03 s hold 3 at 100"):
        local_polynomial(np.zeros((20, 1)), np.arange(20) / 100, 0.03)


def test_the_butterworth_filter_is_scipys_in_each_unbroken_run():
    rng, times = np.random.default_rng(6), np.arange(200) / 100
    values = rng.normal(size=(200, 2))
    values[80, 1] = np.nan
    found = butterworth_derivative(values, times, 12.0)
    sections = butter(4, 12.0, fs=100, output="sos")
    np.testing.assert_allclose(found[:, 0], sosfiltfilt(sections, values[:, 0]), atol=1e-12)
    np.testing.assert_allclose(found[81:, 1], sosfiltfilt(sections, values[81:, 1]), atol=1e-12)
    assert np.flatnonzero(np.isnan(found[:, 1])).tolist() == [80]
