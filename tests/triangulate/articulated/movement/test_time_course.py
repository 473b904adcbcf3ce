"""The prior in time of the angles, against dense autocovariances and courses that are known."""

import numpy as np
import pytest

from muybridge.triangulate.articulated.movement.time_course import TimeCourse, probable_course


def dense(course, n_frames):
    """(n_rows, n_frames)"""
    first, rows = course.rows(n_frames)
    matrix = np.zeros((len(rows), n_frames))
    for i, (begin, row) in enumerate(zip(first, rows, strict=True)):
        matrix[i, begin : begin + len(row)] = row
    return matrix


@pytest.mark.parametrize("order", [2, 3])
def test_without_fading_the_differences_are_white(order):
    np.testing.assert_allclose(
        dense(TimeCourse.differences(order, order), 9), np.diff(np.eye(9), order, axis=0), atol=1e-12
    )


@pytest.mark.parametrize(("reach", "first", "second"), [(2, 0.8, 0.0), (3, 0.8, 0.0), (3, 1.4, -0.6), (3, 1.7, -0.95)])
def test_changes_have_the_covariance_of_the_stationary_process(reach, first, second):
    n = 12
    matrix = dense(TimeCourse(reach, first, second), n)
    assert matrix.shape == (n - 1, n)
    changes = np.diff(np.eye(n), axis=0)
    covariance = np.linalg.inv(matrix @ np.linalg.pinv(changes))  # of changes, times a root of it
    covariance = covariance @ covariance.T
    lags = np.zeros(n - 1)  # by the textbook's recursion (Yule and Walker)
    lags[0] = (1 - second) / ((1 + second) * ((1 - second) ** 2 - first**2))
    lags[1] = first / (1 - second) * lags[0]
    for lag in range(2, n - 1):
        lags[lag] = first * lags[lag - 1] + second * lags[lag - 2]
    between = np.abs(np.arange(n - 1)[:, None] - np.arange(n - 1))
    np.testing.assert_allclose(covariance, lags[between], rtol=1e-8)


def drawn(course, n_frames, n_angles, seed=0):
    angles, rng = np.zeros((n_frames, n_angles)), np.random.default_rng(seed)
    for t in range(3, n_frames):
        change = course.first * (angles[t - 1] - angles[t - 2]) + course.second * (angles[t - 2] - angles[t - 3])
        angles[t] = angles[t - 1] + change + rng.normal(size=n_angles)
    return angles


@pytest.mark.parametrize("order", [2, 3])
def test_the_order_is_that_of_the_course(order):
    angles = drawn(TimeCourse.differences(order, 3), 60, 20)
    found = probable_course(3, None, angles, np.zeros((60, 4, 20)), 100.0)
    assert found.order == order
    assert np.isnan(found.frequency)


@pytest.mark.parametrize("fps", [30.0, 90.0, 200.0])
@pytest.mark.parametrize("hertz", [1.5, 5.0])
def test_a_rhythm_is_found_at_any_frame_rate(fps, hertz):
    n_frames = round(2 * fps)
    swing, keep = 2 * np.pi * hertz / fps, np.exp(-1 / (0.4 * fps))
    angles = drawn(TimeCourse(3, 2 * keep * np.cos(swing), -(keep**2)), n_frames, 20)
    found = probable_course(3, None, angles, np.zeros((n_frames, 4, 20)), fps)
    assert found.frequency * fps / (2 * np.pi) == pytest.approx(hertz, rel=0.25)


def test_an_order_that_is_asked_for_is_kept_and_few_frames_leave_differences():
    angles = drawn(TimeCourse.differences(3, 3), 60, 5)
    assert probable_course(2, 2, angles, np.zeros((60, 3, 5)), 100.0).order == 2
    assert probable_course(3, None, angles[:6], np.zeros((6, 4, 5)), 100.0) == TimeCourse.differences(3, 3)
