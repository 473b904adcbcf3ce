import numpy as np
import pytest
from scipy.linalg import expm

from muybridge.kinematics import smooth_motion
from muybridge.timeseries._kernels_state_space import (
    ForwardPass,
    filter_series,
    smooth_series,
    tabled_transition,
    transition,
)
from muybridge.timeseries.motion_models import damped_rhythm_model, stride_model
from muybridge.timeseries.state_space import tune
from tests.kinematics.synthetic import gallop, pose_of

ALONG_X = np.array([1.0, 0, 0])  # of a gallop: coordinates are smoothed alike, and one at rest costs nothing


def made_by(make, values):
    """A model of (damping, rate, variance); a stride's overtones get a third less variance each."""
    variances = [values[2]] if make is damped_rhythm_model else [values[2], values[2] * 2 / 3, values[2] / 3]
    return make(np.log([*values[:2], *variances]))


def noise_of_step(A, G, step):
    """Process noise over a step by van Loan's matrix exponential."""
    n = len(A)
    E = expm(np.block([[-A, G], [np.zeros((n, n)), A.T]]) * step)
    return E[n:, n:].T @ E[:n, n:]


def batch_smoother(y, steps, relative, model, first_mean, first_covariance):
    """All states at once: the Gaussian conditional on the observations, without any recursion."""
    A, n = model.drift, len(model.drift)
    size = n * len(y)
    mean, covariance = np.zeros(size), np.zeros((size, size))
    mean[:n], covariance[:n, :n] = first_mean, first_covariance
    for t in range(1, len(y)):
        F = expm(A * steps[t])
        now, before = slice(n * t, n * t + n), slice(n * t - n, n * t)
        mean[now] = F @ mean[before]
        covariance[now, : n * t] = F @ covariance[before, : n * t]
        covariance[: n * t, now] = covariance[now, : n * t].T
        covariance[now, now] = F @ covariance[before, before] @ F.T + noise_of_step(A, model.diffusion, steps[t])
    seen = np.flatnonzero(np.isfinite(y))
    H = np.zeros((len(seen), size))
    H[np.arange(len(seen)), n * seen] = 1
    S = H @ covariance @ H.T + np.diag(relative[seen])
    gain = np.linalg.solve(S, H @ covariance).T
    after = mean + gain @ (y[seen] - H @ mean)
    variance = np.diag(covariance - gain @ H @ covariance)
    return after.reshape(-1, n), variance.reshape(-1, n)


@pytest.mark.parametrize("make", [damped_rhythm_model, stride_model])
@pytest.mark.parametrize("step", [0.3, 1.0, 7.0])
def test_the_transition_equals_the_matrix_exponential(make, step):
    model = made_by(make, [0.1, 0.3, 2.0])
    n = len(model.drift)
    F, Q = np.empty((2, n, n))
    transition(step / model.time_unit, model.drift, model.diffusion, F, Q)
    A = model.drift
    np.testing.assert_allclose(F, expm(A * step / model.time_unit), rtol=1e-9, atol=1e-9)
    twin = noise_of_step(A, model.diffusion, step / model.time_unit)
    np.testing.assert_allclose(Q, twin, atol=1e-7 * np.abs(twin).max())


@pytest.mark.parametrize("make", [damped_rhythm_model, stride_model])
@pytest.mark.parametrize("step", [0.3003, 1.0, 1.51, 5.994, 12.3])
def test_the_table_of_steps_equals_the_transition(make, step):
    model = made_by(make, [0.1, 0.3, 2.0])
    n = len(model.drift)
    (F, Q), (tabled_F, tabled_Q) = np.empty((2, 2, n, n))
    transition(step / model.time_unit, model.drift, model.diffusion, F, Q)
    for _ in range(2):  # while the table fills, and from the filled one
        tabled_transition(step / model.time_unit, model, tabled_F, tabled_Q)
        np.testing.assert_allclose(tabled_F, F, atol=1e-8 * np.abs(F).max())
        scale = np.sqrt(np.outer(np.diag(Q), np.diag(Q)))
        np.testing.assert_allclose(tabled_Q / scale, Q / scale, atol=1e-3 if step < 0.5 else 1e-4)
        np.testing.assert_allclose(tabled_Q, tabled_Q.T, rtol=1e-9, atol=1e-12 * np.abs(Q).max())


@pytest.mark.parametrize("make", [damped_rhythm_model, stride_model])
def test_the_acceleration_is_stationary(make):
    model = made_by(make, [0.05, 0.2, 3.0])
    A, source = model.drift[2:, 2:], model.diffusion[2:, 2:]
    balance = A @ model.stationary + model.stationary @ A.T + source
    np.testing.assert_allclose(balance, 0, atol=1e-9 * np.abs(source).max())
    powers = 3.0 if make is damped_rhythm_model else 3.0 + 2.0 + 1.0
    assert model.stationary[0, 0] * model.time_unit**-4 == pytest.approx(powers)


@pytest.mark.parametrize("make", [damped_rhythm_model, stride_model])
def test_filter_and_smoother_equal_the_batch_answer_with_gaps_and_uneven_steps(make):
    rng = np.random.default_rng(0)
    model = made_by(make, [0.2, 0.3, 1.0])
    n, size = 25, len(model.drift)
    y = np.cumsum(rng.normal(size=n)) * 3
    y[[4, 5, 6, 15]] = np.nan
    steps = rng.choice([0.5, 1.0, 1.0, 2.0], n) / model.time_unit
    relative = rng.choice([1.0, 4.0], n)
    passed = ForwardPass(np.empty(n), np.empty(n), np.empty((n, size)), np.empty((n, size, size)))
    filter_series(y, steps, relative, model, passed)
    states, variances = np.empty((2, n, 4))
    smooth_series(steps, model, passed, states, variances)
    right, right_variances = batch_smoother(y, steps, relative, model, passed.means[0], passed.covariances[0])
    np.testing.assert_allclose(states, right[:, :4], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(variances, right_variances[:, :4], rtol=1e-5, atol=1e-6)


def test_settling_changes_nothing():
    """Where the gain has settled the covariance is not updated; an unsettled pass must say the same."""
    rng = np.random.default_rng(1)
    model = damped_rhythm_model(np.log([0.2, 0.4, 3.0]))
    y = gallop(rng)[1] / 0.005
    even = np.ones(300) / model.time_unit
    nearly = even * (1 + 1e-12 * (np.arange(300) % 2))  # never twice the same step, so never settled
    passed = ForwardPass(*np.empty((2, 300)), np.empty((0, 6)), np.empty((0, 6, 6)))
    found = [filter_series(y - y[0], steps, np.ones(300), model, passed) for steps in (even, nearly)]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-8)


def test_a_smoother_without_noise_returns_its_input():
    t = np.arange(200) / 100
    points = np.stack([np.sin(5 * t), 3 * t, 0 * t + 7], axis=-1)[:, None]
    motion = smooth_motion(points, t)
    np.testing.assert_allclose(motion.states[0], points, atol=1e-6)
    np.testing.assert_allclose(motion.states[1, :, 0, 1:], np.broadcast_to([3.0, 0], (200, 2)), atol=1e-4)
    np.testing.assert_allclose(motion.states[1, :, 0, 0], 5 * np.cos(5 * t), atol=2e-2)


def test_shifting_and_scaling_the_world_shifts_and_scales_the_answer():
    rng = np.random.default_rng(2)
    t, x, _ = gallop(rng)
    points = x[:, None, None] * ALONG_X
    one = smooth_motion(points, t)
    other = smooth_motion(1000 * points + 5e4, t + 100)
    np.testing.assert_allclose(other.states[1], 1000 * one.states[1], rtol=2e-3)
    np.testing.assert_allclose(other.noise, 1000 * one.noise, rtol=1e-2)


def test_noise_and_rhythm_are_found():
    rng = np.random.default_rng(3)
    t, x, _ = gallop(rng)
    motion = smooth_motion(x[:, None, None] * ALONG_X, t)
    assert motion.noise[0, 0] == pytest.approx(0.005, rel=0.15)
    assert motion.rhythm[0, 0] == pytest.approx(3.5, rel=0.05)


def test_error_bars_hold_the_truth_and_grow_inside_gaps():
    rng = np.random.default_rng(4)
    squares = []
    for _ in range(6):
        t, x, v = gallop(rng)
        points = x[:, None, None] * ALONG_X
        points[100:115] = np.nan
        motion = smooth_motion(points, t)
        squares.append((motion.states[1, :, 0, 0] - v) ** 2 / motion.variances[1, :, 0, 0])
        assert motion.variances[0, 107, 0, 0] > 3 * motion.variances[0, 60, 0, 0]
    assert 0.6 < np.mean(squares) < 1.6


def test_nothing_is_estimated_before_the_first_and_after_the_last_observation_or_from_too_few():
    points = np.random.default_rng(5).normal(size=(40, 2, 3))
    points[:5, 0] = points[35:, 0] = np.nan
    points[6:, 1] = np.nan
    motion = smooth_motion(points, np.arange(40) / 100)
    assert list(np.flatnonzero(np.isnan(motion.states[1, :, 0, 0]))) == [0, 1, 2, 3, 4, 35, 36, 37, 38, 39]
    assert np.isnan(motion.states[:, :, 1]).all()


def test_noisier_frames_count_less():
    rng = np.random.default_rng(6)
    t, x, v = gallop(rng, noise=0.0)
    bad = rng.random(len(t)) < 0.3
    x = x + np.where(bad, 0.05, 0.003) * rng.standard_normal(len(t))
    points = x[:, None, None] * ALONG_X
    weighted = smooth_motion(points, t, relative_variance=np.where(bad, 0.05, 0.003)[:, None] ** 2)
    unweighted = smooth_motion(points, t)
    errors = [np.sqrt(np.mean((m.states[1, :, 0, 0] - v) ** 2)) for m in (weighted, unweighted)]
    assert errors[0] < 0.6 * errors[1]


def test_long_recordings_are_smoothed_in_pieces_that_fit_together():
    rng = np.random.default_rng(7)
    t, x, _ = gallop(rng, duration=20)
    points = x[:, None, None] * ALONG_X
    points[700:720] = np.nan
    whole, pieces = smooth_motion(points, t), smooth_motion(points, t, chunk_frames=500)
    apart = np.abs(pieces.states[1] - whole.states[1])[..., 0] / np.sqrt(whole.variances[1, ..., 0])
    assert apart.max() < 0.01


@pytest.mark.parametrize("fps", [30, 200])
def test_error_bars_and_rhythm_hold_at_low_and_high_frame_rates(fps):
    rng = np.random.default_rng(11)
    squares, inside, rhythms = [], [], []
    for _ in range(6):
        t, x, v = gallop(rng, fps=fps, duration=4.0)
        motion = smooth_motion(x[:, None, None] * ALONG_X, t)
        errors = (motion.states[1, :, 0, 0] - v) ** 2 / motion.variances[1, :, 0, 0]
        squares.append(np.mean(errors))
        inside.append(np.mean(errors < 1.96**2))
        rhythms.append(motion.rhythm[0, 0])
    assert 0.5 < np.mean(squares) < 1.7
    assert 0.9 < np.mean(inside) < 0.99
    np.testing.assert_allclose(rhythms, 3.5, rtol=0.1)


def test_a_labelled_pose_brings_its_times():
    t, x, _ = gallop(np.random.default_rng(8), duration=0.5)
    pose = pose_of(x[:, None, None] * ALONG_X, times=t)
    right = smooth_motion(pose["position"].values, t).states
    for labelled in (pose, pose["position"]):
        np.testing.assert_array_equal(smooth_motion(labelled).states, right)
    with pytest.raises(ValueError, match="times is None"):
        smooth_motion(pose["position"].values)


def test_the_answer_is_the_same_on_every_run():
    t, x, _ = gallop(np.random.default_rng(8))
    points = x[:, None, None] * ALONG_X
    np.testing.assert_array_equal(smooth_motion(points, t).states, smooth_motion(points, t).states)


def test_a_stride_has_overtones_and_a_random_path_has_none():
    rng = np.random.default_rng(9)
    ones = np.ones(400)
    _, x, _ = gallop(rng, duration=400 / 120)
    assert len(tune((x - x[0]) / 50, ones, ones).model.drift) == 8
    path = np.cumsum(np.cumsum(rng.standard_normal(400))) * 0.01 + rng.standard_normal(400)
    assert len(tune(path - path[0], ones, ones).model.drift) == 6
