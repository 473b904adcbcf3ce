"""What a fit learns about its noise and its prior: cameras that err differently, sizes in doubt, turns that rest."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.articulated_rats import RODENT_BONES
from muybridge.datasets import Skeleton
from muybridge.formats import read_views
from muybridge.triangulate import body_from_skeleton, fit_body, smooth
from muybridge.triangulate.articulated.body_posterior import warn_doubtful
from muybridge.triangulate.articulated.movement.angle_prior import AnglePrior
from muybridge.triangulate.articulated.movement.time_course import gram_of
from muybridge.triangulate.articulated.pixel_noise import PixelNoise, learn_noise
from muybridge.triangulate.articulated.recording_fit import learn
from muybridge.triangulate.articulated.recording_start import Observed
from muybridge.triangulate.articulated.starting_pose import fitted_size
from muybridge.triangulate.noise.detector_noise import log_outlier_density
from tests.conftest import make_ring_rig
from tests.helpers import SHARED, needs_shared
from tests.triangulate.articulated.test_body_fit import BODY, FPS, LENGTHS, course
from tests.triangulate.rig_refinement.test_refinement import rat_rig


@pytest.fixture(scope="module")
def quiet():
    """A fit that nothing is to be said about."""
    rig, rng = make_ring_rig(4), np.random.default_rng(0)
    truth = BODY.markers(course(40), LENGTHS)
    pixels = rig.project(truth) + rng.normal(0, 1, (4, 40, 6, 2))
    source = Observed(pixels, rig, FPS, BODY, None, log_outlier_density(rig, None, 6))
    return learn(source, order=None, time_offsets=False, window=None).learned


def test_a_camera_whose_constant_errors_are_larger_is_found():
    n_cameras, n_frames, n_markers, rng = 3, 40, 12, np.random.default_rng(0)
    biases = rng.normal(size=(n_cameras, n_markers, 2)) * np.array([12.0, 2.0, 2.0])[:, None, None]
    weights, nothing = np.ones((n_cameras, n_frames, n_markers)), np.zeros((n_cameras, n_frames, n_markers, 3))
    products, noise = np.ones((3, *weights.shape)), PixelNoise.of(np.ones((n_cameras, n_markers)), 4.0)
    for _ in range(15):
        noise = learn_noise(noise, products, weights, weights > 0, nothing, biases, 0.01 * np.ones_like(biases),
                            np.ones(n_markers))  # fmt: skip
    drawn = np.sqrt((biases**2).mean(axis=(1, 2)))
    # the prior of few markers draws the cameras towards each other
    assert (np.abs(np.log(np.sqrt((noise.bias_std**2).mean(axis=1)) / drawn)) < [0.3, 0.6, 0.6]).all()


def test_one_camera_that_sees_every_marker_elsewhere_does_not_move_the_others():
    rig, truth, rng = make_ring_rig(4), BODY.markers(course(40), LENGTHS), np.random.default_rng(4)
    errors = rng.normal(0, 0.5, (4, 40, 6, 2))
    errors[0] += rng.normal(0, 15.0, (6, 2))
    found = fit_body(rig.project(truth) + errors, rig, fps=FPS, body=BODY)
    assert np.median(np.linalg.norm(found.points_3d - truth, axis=-1)) < 1.0


def test_the_size_of_points_that_err_less_than_they_claim_is_in_doubt_by_half_of_what_the_claim_takes():
    points_3d = BODY.markers(course(20))
    exact, wide = np.zeros((20, 6, 3, 3)), np.tile(100.0 * np.eye(3), (20, 6, 1, 1))
    body, doubt = fitted_size(BODY, points_3d, exact)
    assert doubt == pytest.approx(0.0, abs=1e-9)
    assert body.lengths == pytest.approx(BODY.lengths, rel=1e-3)
    smaller, doubt = fitted_size(BODY, points_3d, wide)
    share = BODY.size_spread**2 / (BODY.size_spread**2 + 0.02**2)
    assert smaller.lengths == pytest.approx(BODY.lengths * np.exp(-2 * doubt * share))
    assert doubt > 0.03


def test_turns_count_as_far_as_they_move():
    rng, variance = np.random.default_rng(1), 1e-4
    angles = np.cumsum(np.cumsum(rng.normal(0, 0.02, (400, 9)), axis=0), axis=0)
    angles[:, 7:] = 0.0
    lagged = np.zeros((400, 3, 9, 9))
    lagged[:, 0] = variance * np.eye(9)
    prior = AnglePrior.of(BODY, FPS, 2, np.zeros(3), order=2)
    prior = replace(prior, precisions=np.full(9, 0.02**-2.0), level=np.zeros(9), low=prior.low[:9], high=prior.high[:9])
    shares = prior.shown(angles, lagged, np.array([0, 0, 0, 1, 2, 2]))
    assert shares[:7] == pytest.approx(1.0)
    assert shares[7:] == pytest.approx(0.0)


@needs_shared
@pytest.mark.shared
def test_a_camera_left_out_of_a_real_recording_is_predicted_better_than_without_a_body():
    folder, rig = SHARED / "data" / "rodent_4cam", rat_rig()
    views = read_views({c: folder / c / f"minimal_{c}_proofread.analysis.h5" for c in rig.names}, fps=30)
    skeleton = Skeleton(tuple(str(name) for name in views["keypoint"].values), RODENT_BONES, root="Neck")
    left_out, points_2d = rig.names.index("mid"), views["position"].values
    others = rig.subset([name for name in rig.names if name != "mid"])
    seen = np.delete(points_2d, left_out, axis=0)
    smoothed = smooth(seen, others, fps=30.0)
    body = body_from_skeleton(skeleton, smoothed.points_3d, up=(0, -1, 0))
    std = body.marker_std
    body = replace(body, marker_std=0.3 * std, joint_std=0.3 * std, deviation_std=2.0 * std)
    fitted = fit_body(seen, others, fps=30.0, body=body)

    def error(points_3d):
        return np.nanmedian(np.linalg.norm(rig.project(points_3d)[left_out] - points_2d[left_out], axis=-1))

    assert error(fitted.points_3d) < error(smoothed.points_3d)
    assert fitted.converged  # the last steps lead away from where rounds had settled, and rounds go on


def test_precisions_come_to_rest_where_an_update_overshoots():
    """Pixels that determine fewer innovations, the stiffer the prior is: by the square of its precision here."""
    n, n_known, usual = 40, 8.0, 1e4
    angles = 0.5 * np.sqrt(n_known / usual / (n - 2)) * np.tile(np.arange(n)[:, None] ** 2, 9)
    prior = AnglePrior.of(BODY, FPS, 2, np.zeros(3), order=2)
    short = {name: getattr(prior, name)[:9] for name in ("typical", "low", "high", "change", "step")}
    prior = replace(prior, precisions=np.full(9, 0.8 * usual), level=np.zeros(9), **short)
    for _ in range(40):
        known, own = n_known * (prior.precisions / usual) ** -2, np.zeros((n, 3, 9))
        own[:, 0] = (n - 2 - known) / (prior.precisions * gram_of(*prior.courses[1].rows(n), n)[:, 0].sum())
        before, prior = prior.precisions, prior.learned(angles, own[..., None] * np.eye(9))
    assert np.abs(np.log(prior.precisions / before)).max() < 1e-3


def test_a_fit_that_does_not_come_to_rest_says_so(quiet):
    with pytest.warns(UserWarning, match="'walker' has not come to rest"):
        warn_doubtful(replace(quiet, converged=False))


def test_keypoints_in_another_order_are_named_and_a_right_order_is_not(quiet):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_doubtful(quiet)
    rig, order = make_ring_rig(4), [1, 2, 0, 5, 3, 4]
    points_2d = rig.project(BODY.markers(course(40), LENGTHS))[:, :, order]
    with pytest.warns(UserWarning, match="times as far off their places as body 'walker' says"):
        fit_body(points_2d + np.random.default_rng(0).normal(0, 1, points_2d.shape), rig, fps=FPS, body=BODY)
