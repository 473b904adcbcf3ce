"""Steps of rounded coordinates, and whether rounding is most of the noise."""

import numpy as np
import pytest

from muybridge.datasets import views_dataset
from muybridge.session.steps.plausibility import rounded_points, rounding_step


@pytest.mark.parametrize(("step", "start"), [(10.0, 0.0), (1.0, 0.0), (4.0, 1.5), (0.25, 0.0)])
def test_the_step_of_rounded_points_is_found_and_missing_ones_do_not_matter(step, start):
    points_2d = start + step * np.random.default_rng(0).integers(0, 100, (20, 3, 2))
    points_2d[4] = np.nan
    assert rounding_step(points_2d) == step


def test_points_with_decimals_have_no_step_that_matters():
    rng = np.random.default_rng(0)
    assert rounding_step(rng.uniform(0, 640, (20, 3, 2))) == 0
    assert rounding_step(np.round(rng.uniform(0, 640, (20, 3, 2)), 3)) <= 0.01
    assert rounding_step(np.full((20, 3, 2), np.nan)) == 0


@pytest.mark.parametrize(("sigma", "said"), [(0.3, True), (3.0, False)])
def test_whole_pixels_are_said_where_that_is_most_of_the_noise(sigma, said):
    points_2d = np.random.default_rng(0).integers(0, 640, (2, 20, 3, 2)).astype(float)
    views = views_dataset(points_2d, cameras=["a", "b"], keypoints=["x", "y", "z"], times=np.arange(20) / 100)
    found = rounded_points(views, {"a": sigma, "b": sigma})
    assert bool(found) == said
    if said:
        assert "cameras 'a', 'b' are multiples of 1 px" in found[0]
