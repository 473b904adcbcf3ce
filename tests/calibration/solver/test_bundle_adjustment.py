"""The normal equations against textbook numpy, and the laws of the block arrow."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muybridge.calibration import Camera
from muybridge.calibration.solver import _kernels_bundle as kernels
from muybridge.calibration.solver.arrow_equations import normal_equations, residuals_of, solve_arrow, view_poses
from muybridge.calibration.solver.bundle_adjustment import apply_step
from muybridge.calibration.solver.bundle_unknowns import BundleSpec, BundleState, make_views
from muybridge.cameras.rotations import motion_matrix, moved, rotation_matrix, rotation_vector

LENS = np.array(
    [800, 810, 320, 240, -0.3, 0.12, 1e-3, -2e-3, 0.05, 0.1, 0.02, 0.01, 1e-3, 2e-3, -1e-3, 5e-4, 0.02, -0.03]
)


def problem(fisheye=False, delay=False, shape=False, seed=0):
    """A small bundle: 3 cameras, 4 frames, 12 corners, a third of them unseen."""
    rng = np.random.default_rng(seed)
    points = np.ascontiguousarray(np.column_stack([np.mgrid[:4, :3].reshape(2, -1).T * 40.0, np.zeros(12)]))
    R = rotation_matrix(rng.normal(scale=0.2, size=(3, 3)))
    state = BundleState(
        lens=np.where(np.arange(18) < 8, LENS, 0.0 if fisheye else LENS) * np.ones((3, 1)),
        R=R,
        t=np.array([[-60, -40, 900.0]]) + rng.normal(scale=20, size=(3, 3)),
        frame_R=rotation_matrix(rng.normal(scale=0.3, size=(4, 3))),
        frame_t=rng.normal(scale=30, size=(4, 3)),
        points=points,
        delay=np.array([0.0, 0.02, -0.01]) if delay else np.zeros(3),
    )
    corners = rng.uniform(0, 600, (3, 4, 12, 2))
    corners[rng.random((3, 4, 12)) < 0.3] = np.nan
    views = make_views(corners, np.arange(4))
    if delay:
        n = len(views.camera)
        views = replace(views, motion=rng.normal(scale=0.5, size=(n, 2, 6)), delay=rng.uniform(-0.02, 0.02, n))
    free = np.ones((3, 18), bool)
    free[:, 8:] &= not fisheye
    later = np.array([False, True, True])
    spec = BundleSpec(np.arange(3), np.full(3, fisheye), free, later, later & delay, 0.4 if shape else None, points)
    return state, spec, views


def numerical_jacobian(state, spec, views):
    """(2 n_obs, n_global + 6 n_frames) by central differences: the slow twin."""
    G, F = spec.n_global, len(state.frame_R)
    columns = []
    for k in range(G + 6 * F):
        sides = []
        for h in (1e-4, -1e-4):
            step = np.zeros(G + 6 * F)
            step[k] = h
            moved_state = apply_step(state, spec, step[:G], step[G:].reshape(F, 6))
            sides.append(-residuals_of(moved_state, spec, views))
        columns.append((sides[0] - sides[1]).ravel() / 2e-4)
    return np.column_stack(columns)


@pytest.mark.parametrize(
    "options", [{}, {"fisheye": True}, {"delay": True}, {"shape": True}, {"delay": True, "shape": True}]
)
def test_the_normal_equations_are_those_of_the_numerical_jacobian(options):
    state, spec, views = problem(**options)
    residuals = residuals_of(state, spec, views)
    weights = np.random.default_rng(1).uniform(0.2, 1, len(residuals))
    arrow = normal_equations(state, spec, views, weights, residuals)
    J, w = numerical_jacobian(state, spec, views), np.repeat(weights, 2)
    G, F = spec.n_global, len(state.frame_R)
    full, right = (J.T * w) @ J, (J.T * w) @ residuals.ravel()
    if spec.shape_sigma is not None:
        shape = np.arange(spec.shape_start, G)
        full[shape, shape] += 1 / spec.shape_sigma**2
    scale = np.sqrt(np.diag(full)) + 1e-9
    np.testing.assert_allclose(
        arrow.U / np.outer(scale[:G], scale[:G]), full[:G, :G] / np.outer(scale[:G], scale[:G]), atol=3e-5
    )
    np.testing.assert_allclose(arrow.u / scale[:G], right[:G] / scale[:G], rtol=1e-4, atol=1e-3)
    for f in range(F):
        own = slice(G + 6 * f, G + 6 * f + 6)
        np.testing.assert_allclose(
            arrow.V[f] / np.outer(scale[own], scale[own]), full[own, own] / np.outer(scale[own], scale[own]), atol=3e-5
        )
        np.testing.assert_allclose(
            arrow.W[f] / np.outer(scale[own], scale[:G]), full[own, :G] / np.outer(scale[own], scale[:G]), atol=3e-5
        )


def test_eliminating_the_frames_solves_the_whole_system():
    state, spec, views = problem(delay=True)
    residuals = residuals_of(state, spec, views)
    arrow = normal_equations(state, spec, views, np.ones(len(residuals)), residuals)
    step, frames = solve_arrow(arrow, 0.1)
    G, F = spec.n_global, len(arrow.V)
    full = np.zeros((G + 6 * F, G + 6 * F))
    full[:G, :G] = arrow.U
    for f in range(F):
        own = slice(G + 6 * f, G + 6 * f + 6)
        full[own, own], full[own, :G], full[:G, own] = arrow.V[f], arrow.W[f], arrow.W[f].T
    full += 0.1 * np.diag(np.diag(full))
    scale = np.sqrt(np.diag(full))
    right = np.concatenate((arrow.u, arrow.v.ravel()))
    expected = np.linalg.solve(full / np.outer(scale, scale), right / scale) / scale
    np.testing.assert_allclose(np.concatenate([step, frames.ravel()]) * scale, expected * scale, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(
    ("model", "n"), [("pinhole", 5), ("pinhole", 8), ("pinhole", 12), ("pinhole", 14), ("fisheye", 4)]
)
def test_the_kernel_projects_as_the_camera_does(model, n):
    lens = np.zeros((1, 18))
    lens[0, : 4 + n] = LENS[: 4 + n]
    K = np.array([[lens[0, 0], 0, lens[0, 2]], [0, lens[0, 1], lens[0, 3]], [0, 0, 1]])
    camera = Camera("one", (640, 480), K, lens[0, 4 : 4 + n], np.eye(3), np.zeros(3), model)
    points = np.random.default_rng(0).uniform(-0.3, 0.3, (20, 3)) + np.array([0, 0, 1.0])
    lenses = kernels.Lenses(lens, np.array([model == "fisheye"]), np.array([n == 14]))
    views = kernels.PosedViews(
        np.eye(3)[None], np.zeros((1, 3)), np.zeros(1, np.int64), np.array([0, 20]), np.arange(20)
    )
    pixels = kernels.project_views(lenses, views, points)
    np.testing.assert_allclose(pixels, camera.project(points), atol=1e-9)


@given(st.lists(st.floats(-1.8, 1.8), min_size=3, max_size=3))
@settings(max_examples=50, deadline=None)
def test_rotation_vectors_and_matrices_are_inverse(vector):
    R = rotation_matrix(np.array(vector))
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(rotation_vector(R), vector, atol=1e-9)


def test_a_motion_seen_through_a_pose_is_the_same_motion():
    R, t = rotation_matrix(np.array([0.4, -0.2, 0.9])), np.array([3.0, -2.0, 5.0])
    motion = 1e-7 * np.array([1.0, -2.0, 0.5, 3.0, 1.0, -1.0])
    turn, shift = moved(np.eye(3), np.zeros(3), motion)
    behind = moved(R, t, motion_matrix(R, t) @ motion)
    np.testing.assert_allclose(behind[0], R @ turn, atol=1e-13)
    np.testing.assert_allclose(behind[1], R @ shift + t, atol=1e-12)


def test_view_poses_without_motion_are_the_chain_of_camera_and_frame():
    state, _, views = problem()
    R, t = view_poses(state, views)
    np.testing.assert_allclose(R, state.R[views.camera] @ state.frame_R[views.frame], atol=1e-14)
    expected = np.einsum("vij,vj->vi", state.R[views.camera], state.frame_t[views.frame]) + state.t[views.camera]
    np.testing.assert_allclose(t, expected, atol=1e-12)
