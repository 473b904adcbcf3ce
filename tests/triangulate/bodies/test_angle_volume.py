"""The gradient of the volume of angles, against differences of the log determinant that it is the gradient of."""

import numpy as np
import pytest

from muybridge.triangulate.bodies.angle_volume import partial_gradients, volume_gradient
from muybridge.triangulate.bodies.forward_kinematics import kinematics
from tests.triangulate.articulated.test_body_fit import BODY

RNG = np.random.default_rng(0)
ANGLES = RNG.normal(0, 0.5, (3, BODY.plan.n_angles))
OFFSETS = RNG.normal(0, 5, (BODY.plan.n_points, 3))
SHAPE = np.concatenate([BODY.lengths, OFFSETS.ravel()])
INFORMATION = 0.1 * RNG.normal(size=(3, 4, BODY.plan.n_markers, 3, 3))
INFORMATION[:, 0] = INFORMATION[:, 0] @ INFORMATION[:, 0].swapaxes(-1, -2) + 3 * np.eye(3)


def of_body(angles, shape=SHAPE):
    n = len(BODY.lengths)
    return kinematics(BODY, angles, shape[:n], shape[n:].reshape(-1, 3))


def precision(angles, shape):
    """(n_frames n_angles, n_frames n_angles) of the angles, whose prior is 1."""
    M, (n_frames, n) = of_body(angles, shape).by_angles, angles.shape
    whole = np.eye(n_frames * n).reshape(n_frames, n, n_frames, n)
    for lag in range(4):
        for t in range(n_frames - lag):
            block = np.einsum("kia,kij,kjb->ab", M[t], INFORMATION[t, lag], M[t + lag])
            whole[t, :, t + lag] += block
            if lag:
                whole[t + lag, :, t] += block.T
    return whole.reshape(n_frames * n, -1)


def slope(function, at, step):
    steps = step * np.eye(at.size).reshape(-1, *at.shape)
    return np.array([(function(at + d) - function(at - d)) / (2 * step) for d in steps]).reshape(at.shape)


def test_the_gradient_is_that_of_the_log_determinant():
    covariance = np.linalg.inv(precision(ANGLES, SHAPE)).reshape(3, len(ANGLES[0]), 3, -1)
    lagged = np.zeros((3, 4, *covariance.shape[1::2]))
    for lag in range(3):
        for t in range(3 - lag):
            lagged[t, lag] = covariance[t, :, t + lag]
    by_angles, by_shape = partial_gradients(BODY, of_body(ANGLES), INFORMATION, lagged)

    def log_volume(angles, shape):
        return -0.5 * np.linalg.slogdet(precision(angles, shape))[1]

    np.testing.assert_allclose(by_shape, slope(lambda shape: log_volume(ANGLES, shape), SHAPE, 1e-3), atol=1e-8)
    np.testing.assert_allclose(by_angles, slope(lambda angles: log_volume(angles, SHAPE), ANGLES, 1e-4), atol=1e-6)


def test_lengths_and_places_feel_the_volume_through_the_angles_that_follow_them():
    lagged, follows = RNG.random((3, 4, *(len(ANGLES[0]),) * 2)), RNG.normal(size=(*ANGLES.shape, len(SHAPE)))
    by_angles, by_shape = partial_gradients(BODY, of_body(ANGLES), INFORMATION, lagged)
    whole = volume_gradient(BODY, of_body(ANGLES), INFORMATION, lagged, follows)
    step = RNG.normal(size=len(SHAPE))
    assert whole @ step == pytest.approx(by_shape @ step - (by_angles * (follows @ step)).sum())
