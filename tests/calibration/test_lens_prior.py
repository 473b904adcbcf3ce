"""Every fitted lens is one-to-one over its image, and bends mildly where no board was."""

from dataclasses import replace

import numpy as np
import pytest

from muybridge.calibration import (
    BoardDetections,
    CameraRig,
    Checkerboard,
    calibrate,
    simulate_board_motion,
    simulate_detections,
)
from muybridge.calibration.boards.detection import detect_boards
from muybridge.calibration.lens_prior import image_border, make_lens_prior, unfolded
from muybridge.calibration.solver.initial_lenses import lens_camera
from muybridge.cameras._kernels_lens_area import log_magnifications
from muybridge.numerics.levenberg_marquardt import Linearised, minimise_with_damping
from tests.calibration.synthetic import BOARD, small_rig
from tests.helpers import SHARED, needs_shared

SIZE = (640, 480)
PINHOLE = np.array(
    [800, 810, 320, 240, -0.3, 0.12, 1e-3, -2e-3, 0.05, 0.1, 0.02, 0.01, 1e-3, 2e-3, -1e-3, 5e-4, 0.02, -0.03]
)
FISHEYE = np.array([250, 260, 322, 238, -0.02, 0.005, -0.003, 0.0005, *np.zeros(10)])


def lens(kind):
    """A lens row, whether it is a fisheye, and its free unknowns, each for a rig of one."""
    fisheye = kind == "fisheye"
    row = FISHEYE if fisheye else np.where(np.arange(18) < 4 + kind, PINHOLE, 0.0)
    return row[None].copy(), np.array([fisheye]), (np.arange(18) < (8 if fisheye else 4 + kind))[None]


def every_pixel(camera, step=8):
    """Pixels (n, 2) of the whole image, its outermost included."""
    axes = (np.unique(np.append(np.arange(0, side, step), side - 1)) for side in camera.size)
    return np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2).astype(float)


@pytest.mark.parametrize("kind", [1, 5, 8, 14])
def test_the_magnification_is_the_determinant_of_the_cameras_own_distortion(kind):
    row, fisheye, free = lens(kind)
    camera, pixels = lens_camera(row[0], SIZE, kind), image_border(SIZE)
    logs = log_magnifications(row, fisheye, free, pixels[None], False)[0][0]
    ideal = camera.undistort(pixels)
    columns = [(camera.distort(ideal + h) - camera.distort(ideal - h)) / 2e-3 for h in 1e-3 * np.eye(2)]
    np.testing.assert_allclose(np.exp(logs), np.linalg.det(np.stack(columns, axis=-1)), rtol=1e-6)


@pytest.mark.parametrize("kind", [1, 5, 8, 12, 14, "fisheye"])
def test_the_priors_equations_are_the_derivatives_of_its_cost(kind):
    row, fisheye, free = lens(kind)
    prior = make_lens_prior([SIZE], [kind], row[:, 0])
    right = prior.equations(row, fisheye, free).right[0]
    for k in np.flatnonzero(free[0]):
        h = np.zeros((1, 18))
        h[0, k] = 1e-4 if k < 4 else 1e-6
        cost = [prior.cost(row + sign * h, fisheye, free) for sign in (1, -1)]
        np.testing.assert_allclose(right[k], -(cost[0] - cost[1]) / (2 * h[0, k]), rtol=1e-4, atol=1e-4)


def test_the_barrier_is_part_of_the_equations_where_a_lens_all_but_folds_on_the_way_to_its_border():
    row, fisheye, free = np.zeros((1, 18)), np.array([False]), (np.arange(18) < 9)[None]
    row[0, :9] = 400, 400, 319.5, 239.5, 0.1334, -0.5792, 0, 0, 0.2258
    prior = make_lens_prior([SIZE], [5], row[:, 0])
    slopes = log_magnifications(row, fisheye, free, prior.border, False)[2]
    assert 0.01 < slopes.min() < 0.04
    right = prior.equations(row, fisheye, free).right[0]
    for k in (4, 5, 8):
        h = np.zeros((1, 18))
        h[0, k] = 1e-7
        cost = [prior.cost(row + sign * h, fisheye, free) for sign in (1, -1)]
        np.testing.assert_allclose(right[k], -(cost[0] - cost[1]) / 2e-7, rtol=0.05)


@pytest.mark.parametrize("start", [(0.0, 0.0, 0.0), (0.3, -0.3, 0.2), (0.1, 0.3, 0.0)])
def test_a_lens_that_its_corners_would_fold_ends_at_one_place_whatever_the_start(start):
    row, fisheye, free = np.zeros((1, 18)), np.array([False]), np.isin(np.arange(18), (4, 5, 8))[None]
    row[0, :4] = 400, 400, 319.5, 239.5
    prior = make_lens_prior([SIZE], [5], row[:, 0])
    corners = np.array([0.05, -1.2, 0.9]), 1e3 * np.diag([1.0, 0.3, 0.1])  # what they say, and its precision

    def linearise(here):
        lens, cost = here
        normal, right = (part[0] for part in prior.equations(lens, fisheye, free))
        normal = normal[np.ix_(free[0], free[0])] + corners[1]
        right = right[free[0]] + corners[1] @ (corners[0] - lens[0, free[0]])

        def step(damping):
            trial = lens.copy()
            trial[free] += np.linalg.solve(normal + damping * np.diag(np.diag(normal)), right)
            return (trial, cost_of(trial)), cost_of(trial)

        return Linearised(cost, step)

    def cost_of(lens):
        off = lens[free] - corners[0]
        return prior.cost(lens, fisheye, free) + 0.5 * off @ corners[1] @ off

    row[free] = start
    (found, _), converged, _ = minimise_with_damping((row, cost_of(row)), linearise, max_iterations=60, tolerance=1e-9)
    assert converged
    np.testing.assert_allclose(found[free], [0.1334, -0.5792, 0.2258], atol=2e-4)


@pytest.mark.parametrize("coefficients", [(-0.9,), (0.3, -1.2), (0, 0, 0, 0, 0, 3.0), (0, 0, 0, 0, 0, 0, 0, 0, 0.9)])
def test_a_folded_lens_is_impossible_and_its_coefficients_are_made_smaller_until_it_is_not(coefficients):
    row = np.zeros((1, 18))
    row[0, :4] = 400, 400, 319.5, 239.5
    row[0, 4 : 4 + len(coefficients)] = coefficients
    fisheye, free = np.array([False]), np.ones((1, 18), bool)
    prior = make_lens_prior([SIZE], [14], row[:, 0])
    assert np.isnan(lens_camera(row[0], SIZE, 14).undistort(image_border(SIZE))).any()
    assert prior.cost(row, fisheye, free) == np.inf
    smaller = unfolded(row, fisheye, free, prior.border)
    assert np.isfinite(prior.cost(smaller, fisheye, free))
    assert np.isfinite(lens_camera(smaller[0], SIZE, 14).undistort(image_border(SIZE))).all()


@pytest.mark.parametrize("kind", [2, 5, 8, 14, "fisheye"])
def test_no_pixel_is_lost_where_the_board_stayed_in_the_middle(kind):
    rig = CameraRig(tuple(replace(camera, distortion=np.array([-0.3, 0.12])) for camera in small_rig(2)))
    motion = simulate_board_motion(20, reach=60.0, tilt=0.4, seed=3)
    seen = simulate_detections(rig, motion=motion, board=BOARD, noise=0.5, seed=3)
    found = calibrate(seen, BOARD, distortion_model=kind, progress=False)
    for camera in found.rig:
        assert np.isfinite(camera.undistort(every_pixel(camera))).all()


@needs_shared
@pytest.mark.shared
@pytest.mark.parametrize("kind", [pytest.param("auto", marks=pytest.mark.long), 14])
def test_no_pixel_of_the_real_rigs_is_lost(rat_boards, kind):
    stereo, squares = SHARED / "data" / "stereo_checker", Checkerboard(9, 6, 1.0)
    sides = {side: sorted(stereo.glob(f"{side}*.jpg")) for side in ("left", "right")}
    for boards in (rat_boards, detect_boards(sides, squares, progress=False)):
        part = {name: BoardDetections(found.board, found.size, found.corners[::2]) for name, found in boards.items()}
        for camera in calibrate(part, distortion_model=kind, progress=False).rig:
            assert np.isfinite(camera.undistort(every_pixel(camera))).all()


def test_a_lens_whose_corner_lies_at_a_pole_is_folded():
    """Of `wide_lenses.py` 71072: at a corner of the margin numerator and denominator all but vanished.

    The cost was finite, the equations NaN, and so the evidence, which passed for the greatest: pinholes for fisheyes.
    """
    row = [624.7475548246193, 624.9693274650205, 626.74211358292, 518.6608431191869, -0.2781492801609001,
           0.04089880118043856, -0.0004995156558787224, 0.0003134183294465515, -0.007565761341389434,
           0.025574701838503116, -0.06731988905090028, 0.0009368025253717606, 0, 0, 0, 0, 0, 0]  # fmt: skip
    lens, free, fisheye = np.array([row]), np.arange(18)[None] < 12, np.zeros(1, bool)
    prior = make_lens_prior([(1280, 1024)], [8], lens[:, 0])
    assert np.isinf(prior.cost(lens, fisheye, free))
    mended = unfolded(lens, fisheye, free, prior.border)
    assert np.isfinite(prior.cost(mended, fisheye, free))
    assert np.isfinite(prior.equations(mended, fisheye, free).normal).all()
