import numpy as np
import pytest

from muybridge.report.stick_figure_row import side_view, stick_figures


def running(n_frames=80, turn=2 * np.pi, seed=0):
    """A body 100 long that runs a circle nose first, and its points in its own axes."""
    own = np.array([[50.0, 0, 30], [0, 2, 34], [-50, 0, 28], [30, 5, 0]])
    angles = np.linspace(0, turn, n_frames)
    c, s = np.cos(angles)[:, None], np.sin(angles)[:, None]
    x, y = own[:, 0] * c - own[:, 1] * s, own[:, 0] * s + own[:, 1] * c
    path = np.stack([900 * np.sin(angles), -900 * np.cos(angles)], -1)[:, None]
    level = np.concatenate([np.stack([x, y], -1) + path, np.broadcast_to(own[:, 2], x.shape)[..., None]], -1)
    return level, own


@pytest.mark.parametrize("missing", [False, True])
def test_a_body_that_runs_a_circle_is_seen_from_its_side_throughout(missing):
    points, _ = running()
    if missing:
        points[10:20, 1] = np.nan
    turned = side_view(points, np.array([0.0, 0, 1]))
    np.testing.assert_allclose(turned[..., 2], points[..., 2], atol=1e-9)
    assert (turned[:, 0, 0] > turned[:, 2, 0] + 99).all()


def test_the_side_does_not_depend_on_the_worlds_axes(rng):
    points, _ = running()
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    turn *= np.linalg.det(turn)
    moved = side_view(points @ turn.T, turn[:, 2])
    still = side_view(points, np.array([0.0, 0, 1]))
    np.testing.assert_allclose(moved, still, atol=1e-6)


def test_nothing_is_drawn_without_a_vertical_or_bones(session, skeleton):
    assert stick_figures(session["pose"], skeleton, None) is None
    assert stick_figures(session["pose"], None, np.array([0.0, 0, 1])) is None
    assert stick_figures(session["pose"].isel(time=slice(1)), skeleton, np.array([0.0, 0, 1])) is None
    assert "<svg" in (stick_figures(session["pose"], skeleton, np.array([0.0, 0, 1])) or "")
