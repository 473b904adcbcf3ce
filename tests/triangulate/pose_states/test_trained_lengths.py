"""The lengths of an animal's bones under a trained prior, and priors that are not of this animal."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

from muybridge.triangulate import PosePrior, infer_poses, sample_poses, smooth
from muybridge.triangulate.pose_states.trained_lengths import check_size, with_trained_lengths
from muybridge.triangulate.smoothing.bone_lengths import Bones
from muybridge.triangulate.smoothing.long_recordings.learning import learn
from muybridge.triangulate.smoothing.smoother import check_problem
from tests.triangulate.recordings import FPS, seen


@pytest.fixture(scope="module")
def prior(skeleton, moving_skeleton):
    return PosePrior.fit(moving_skeleton, skeleton, 3)


def times_as_long(prior, factor):
    return replace(prior, bone_lengths=factor * prior.bone_lengths, bone_stds=factor * prior.bone_stds)


@pytest.mark.parametrize(("scale", "factor"), [(1e-3, "1000"), (2.5, r"0\.4"), (0.45, r"2\.222")])
def test_a_prior_of_another_animal_or_unit_is_refused_with_the_factor(
    ring_rig, skeleton, moving_skeleton, prior, scale, factor
):
    points_2d, options = ring_rig.project(moving_skeleton[:40]), {"fps": FPS, "skeleton": skeleton}
    for method in (infer_poses, sample_poses):
        with pytest.raises(ValueError, match=rf"recording are {factor} times as long .* this animal in the rig's unit"):
            method(points_2d, ring_rig, prior=times_as_long(prior, scale), **options)


def test_an_animal_of_another_size_is_warned_of(ring_rig, skeleton, moving_skeleton, prior):
    points_2d, options = ring_rig.project(moving_skeleton[:4]), {"fps": FPS, "skeleton": skeleton}
    with pytest.warns(UserWarning, match=r"recording are 1\.5 times as long .* multiply its bone_lengths") as caught:
        infer_poses(points_2d, ring_rig, prior=times_as_long(prior, 1 / 1.5), **options)
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        infer_poses(points_2d, ring_rig, prior=times_as_long(prior, 1 / 1.1), **options)


def test_displaced_keypoints_and_vague_or_few_lengths_do_not_pass_for_another_size(prior):
    n_bones = len(prior.bone_lengths)
    factors = np.where(np.arange(n_bones) < n_bones // 2, 3.0, 1.0)  # of half of the bones but one
    factors[0] = 1.0
    nothing = np.zeros((n_bones, 2), np.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_size(
            Bones.of_known_lengths(nothing, factors * prior.bone_lengths, prior.bone_stds, np.ones(n_bones)), prior
        )
        vague = 0.3 * prior.bone_lengths
        check_size(Bones.of_known_lengths(nothing, 5 * prior.bone_lengths, 5 * vague, np.ones(n_bones)), prior)
        few = np.where(np.arange(n_bones) < n_bones // 2 - 1, 5.0, np.nan) * prior.bone_lengths
        check_size(Bones.of_known_lengths(nothing, few, prior.bone_stds, np.ones(n_bones)), prior)
        unknown = np.full(n_bones, np.nan)
        check_size(Bones.of_known_lengths(nothing, unknown, unknown, np.ones(n_bones)), prior)


def test_lengths_are_those_of_the_product_of_both_gaussians_unless_the_measured_one_is_of_other_places(
    ring_rig, skeleton, moving_skeleton, prior
):
    points_2d, confidence, _ = seen(ring_rig, moving_skeleton)
    learned = learn(check_problem(points_2d, ring_rig, FPS, confidence, skeleton, None))
    learned = replace(learned, displacement=np.zeros_like(learned.displacement))
    measured, stds = learned.bones, np.full(len(skeleton.bones), 2.0)
    trained = replace(prior, bone_lengths=measured.lengths + 1.0, bone_stds=stds)
    found = with_trained_lengths(learned, trained).bones
    precisions = measured.stds**-2 + stds**-2
    expected = (measured.lengths / measured.stds**2 + trained.bone_lengths / stds**2) / precisions
    np.testing.assert_allclose(found.lengths, expected, atol=0.02)  # with a probability of some 0.003 they are others
    elsewhere = replace(measured, lengths=measured.lengths + 20.0)
    gross = with_trained_lengths(replace(learned, bones=elsewhere), trained).bones
    np.testing.assert_allclose(gross.lengths, trained.bone_lengths, atol=1e-3)
    assert (gross.stds >= 2.0).all()


def test_the_spread_of_a_bone_is_the_priors_while_few_frames_show_it_and_never_more(
    ring_rig, skeleton, moving_skeleton, prior
):
    """A head held still for half a second does not make its bone a rigid one."""
    spreads = {}
    for n_frames in (20, 200):
        points_2d = ring_rig.project(moving_skeleton[:n_frames])  # rigid bones
        learned = learn(check_problem(points_2d, ring_rig, FPS, None, skeleton, None))
        learned = replace(learned, displacement=np.zeros_like(learned.displacement))
        soft = replace(prior, bone_stds=np.full(len(skeleton.bones), 4.0))
        spreads[n_frames] = with_trained_lengths(learned, soft).bones.stds
        stiff = replace(prior, bone_stds=np.full(len(skeleton.bones), 0.2))
        loose = replace(learned, bones=replace(learned.bones, own_stds=np.full(len(skeleton.bones), 3.0)))
        assert (with_trained_lengths(loose, stiff).bones.stds <= np.sqrt(2) * 0.2 + 1e-9).all()
    assert (spreads[20] > 1.0).all()
    assert (spreads[200] < 0.6 * spreads[20]).all()


def test_keypoints_that_one_view_alone_shows_are_not_located(ring_rig, skeleton, moving_skeleton, prior):
    points_2d = ring_rig.project(moving_skeleton[:30])
    points_2d[1:] = np.nan
    options = {"fps": FPS, "skeleton": skeleton}
    for found in (smooth(points_2d, ring_rig, **options), infer_poses(points_2d, ring_rig, prior=prior, **options)):
        assert np.isnan(found.points_3d).all()
        assert np.isnan(found.covariances_3d).all()
