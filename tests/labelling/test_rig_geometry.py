"""The geometry that the page shows, against the rig that made the points."""

import numpy as np
import pytest

from muybridge.labelling.rig_geometry import check_points, click_sigma, epipolar_lines
from muybridge.triangulate import point_covariances

TRUTH = np.array([30.0, -20.0, 40.0])
NAMES = ("nose", "tail")


def placed(rig, cameras, point=TRUTH):
    return {name: {"nose": tuple(rig[name].project(point))} for name in cameras}


def test_a_point_of_two_views_appears_in_all_others_with_its_ellipse(ring_rig):
    found = check_points(placed(ring_rig, ["cam_0", "cam_2"]), ring_rig, NAMES, 2.0)
    assert list(found) == ["nose"]
    views = found["nose"]["views"]
    assert set(views) == set(ring_rig.names)
    for name, view in views.items():
        np.testing.assert_allclose([view["x"], view["y"]], ring_rig[name].project(TRUTH), atol=0.02)
        assert ("px" in view) == (name in ("cam_0", "cam_2"))
    covariance = point_covariances(TRUTH, ring_rig.subset(["cam_0", "cam_2"]), 2.0)
    jacobian = ring_rig.project_jacobian(TRUTH)[4]
    values = np.linalg.eigvalsh(jacobian @ covariance @ jacobian.T)
    np.testing.assert_allclose([views["cam_4"]["b"], views["cam_4"]["a"]], np.sqrt(5.991 * values), rtol=1e-2)
    np.testing.assert_allclose(found["nose"]["spread"], np.sqrt(np.linalg.eigvalsh(covariance)[-1]), rtol=1e-2)


def test_the_ellipse_holds_the_truth_as_often_as_it_says(ring_rig):
    rng, n_inside, n = np.random.default_rng(0), 0, 400
    for _ in range(n):
        points = placed(ring_rig, ["cam_0", "cam_1", "cam_3"])
        points = {c: {"nose": tuple(np.array(own["nose"]) + rng.normal(0, 2, 2))} for c, own in points.items()}
        view = check_points(points, ring_rig, NAMES, 2.0)["nose"]["views"]["cam_5"]
        away = ring_rig["cam_5"].project(TRUTH) - [view["x"], view["y"]]
        cosine, sine = np.cos(view["angle"]), np.sin(view["angle"])
        turned = np.array([[cosine, sine], [-sine, cosine]]) @ away
        n_inside += float(((turned / [view["a"], view["b"]]) ** 2).sum()) <= 1
    assert n_inside / n == pytest.approx(0.95, abs=0.035)


def test_a_view_that_disagrees_is_named_with_its_distance(ring_rig):
    points = placed(ring_rig, ring_rig.names)
    x, y = points["cam_3"]["nose"]
    points["cam_3"]["nose"] = (x + 30.0, y)
    views = check_points(points, ring_rig, NAMES, 2.0)["nose"]["views"]
    assert [name for name, view in views.items() if view["wrong"]] == ["cam_3"]
    assert views["cam_3"]["px"] == pytest.approx(30, abs=0.5)
    distance = np.linalg.norm(TRUTH - ring_rig["cam_3"].center)
    assert views["cam_3"]["mm"] == pytest.approx(30 * distance / ring_rig["cam_3"].K[0, 0], rel=0.15)


def test_two_views_that_contradict_each_other_give_no_point(ring_rig):
    points = placed(ring_rig, ["cam_0", "cam_2"])
    x, y = points["cam_2"]["nose"]
    points["cam_2"]["nose"] = (x, y + 60.0)
    found = check_points(points, ring_rig, NAMES, 2.0)["nose"]
    assert found["point"] is None
    assert all(found["views"][name]["wrong"] and found["views"][name]["px"] > 5 for name in ("cam_0", "cam_2"))
    assert all(view["angle"] is None for view in found["views"].values())


def test_the_true_point_lies_on_the_epipolar_lines(ring_rig):
    lines = epipolar_lines({"cam_0": tuple(ring_rig["cam_0"].project(TRUTH))}, ring_rig)
    assert list(lines) == ["cam_0"]
    assert set(lines["cam_0"]) == set(ring_rig.names) - {"cam_0"}
    for name, line in lines["cam_0"].items():
        corners = np.array(line)
        ends, starts = corners[1:], corners[:-1]
        at = ring_rig[name].project(TRUTH)
        along = np.clip(((at - starts) * (ends - starts)).sum(1) / ((ends - starts) ** 2).sum(1), 0, 1)
        assert np.linalg.norm(starts + along[:, None] * (ends - starts) - at, axis=1).min() < 0.5


def test_the_spread_of_clicks_is_learned_from_them(ring_rig, moving_skeleton):
    rng = np.random.default_rng(1)
    points_2d = ring_rig.project(moving_skeleton[:20])
    assert click_sigma(points_2d[:, :2], ring_rig) == pytest.approx(2.0)
    noisy = points_2d + rng.normal(0, 3, points_2d.shape)
    assert click_sigma(noisy, ring_rig) == pytest.approx(3, rel=0.2)
