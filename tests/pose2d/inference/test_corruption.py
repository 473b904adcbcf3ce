"""Corruptions worsen pictures more and more, and the table compares with clean ones."""

import numpy as np
import pytest

from muybridge.pose2d import corrupt, corruption_table, evaluate
from muybridge.pose2d.inference.corruption import KINDS
from tests.pose2d.animals import animal_points, draw_animal


@pytest.mark.parametrize("kind", KINDS)
def test_a_corruption_keeps_the_format_repeats_itself_and_grows(kind):
    image = draw_animal(animal_points(1, (128, 96))[0], (128, 96))
    degraded = [corrupt(image, kind, severity, seed=3) for severity in (1, 3, 5)]
    change = [np.abs(one.astype(float) - image).mean() for one in degraded]
    assert all(one.shape == image.shape and one.dtype == np.uint8 for one in degraded)
    assert change[0] < change[1] < change[2]
    np.testing.assert_array_equal(degraded[1], corrupt(image, kind, 3, seed=3))


@pytest.mark.parametrize("kind", ["defocus", "motion", "resolution"])
@pytest.mark.parametrize("severity", [1, 3, 5])
def test_a_blur_leaves_things_where_they_are(kind, severity):
    image = np.zeros((120, 120, 3), np.uint8)
    image[40:80, 40:80] = 255
    light = corrupt(image, kind, severity, seed=1)[..., 0].astype(float)
    rows, columns = np.mgrid[:120, :120]
    centre = [(light * at).sum() / light.sum() for at in (columns, rows)]
    np.testing.assert_allclose(centre, [59.5, 59.5], atol=0.35)


def test_unknown_kinds_and_severities_are_refused():
    image = np.zeros((8, 8, 3), np.uint8)
    with pytest.raises(ValueError, match=r"no corruption 'rain'.*noise"):
        corrupt(image, "rain", 1)
    with pytest.raises(ValueError, match="severity is 1 to 5, got 6"):
        corrupt(image, "noise", 6)


def test_the_table_costs_nothing_on_clean_pictures(detector, labels):
    table = corruption_table(detector, labels.select(range(4)), kinds=["noise"], severities=[1, 5])
    assert list(table.columns) == ["kind", "severity", *evaluate(detector, labels.select(range(4))).columns, "cost"]
    assert list(table["severity"]) == [0, 1, 5]
    assert table["cost"].iloc[0] == 1.0
    assert table["cost"].iloc[2] > 1.0
