import inspect

import pytest

from muybridge.calibration import calibrate, detect_board
from muybridge.datasets import DatasetError
from muybridge.datasets.names import RENAMED, named_options, nearest, repeated_names
from muybridge.kinematics import propagate
from muybridge.triangulate import refine_rig


def test_the_nearest_name_is_suggested_whatever_its_case_and_nothing_where_none_is_near():
    assert nearest("left_hint", ["right_hind", "left_hind"]) == ", did you mean 'left_hind'?"
    assert nearest("NOSE", ["Nose", "tail"]) == ", did you mean 'Nose'?"
    assert nearest("ear", ["Nose", "tail"]) == ""


def test_a_renamed_option_is_said_to_be_renamed_where_its_new_name_is_known():
    for old, new in RENAMED.items():
        assert nearest(old, ["other", new]) == f": '{old}' is now '{new}'"
        assert new not in RENAMED
    assert nearest("looks", ["books"]) == ", did you mean 'books'?"


def test_a_function_refuses_an_unknown_option_with_the_name_that_was_meant():
    @named_options()
    def smooth(points, *, window=1.0):
        """Smooth."""
        return points, window

    assert smooth(2, window=3) == (2, 3)
    assert list(inspect.signature(smooth).parameters) == ["points", "window"]
    with pytest.raises(TypeError, match=r"^smooth has no option 'windw', did you mean 'window'\?; known: \['w"):
        smooth(2, windw=3)


@pytest.mark.parametrize(
    ("function", "old"),
    [
        (calibrate, "lens"),
        (calibrate, "same_lens"),
        (calibrate, "board_shape"),
        (calibrate, "every"),
        (detect_board, "every"),
        (refine_rig, "moves"),
        (propagate, "way"),
    ],
)
def test_the_old_name_of_an_option_is_refused_with_the_new_one(function, old):
    with pytest.raises(
        (TypeError, DatasetError), match=rf"{function.__name__} has no option '{old}': '{old}' is now '{RENAMED[old]}'"
    ):
        function(None, None, **{old: True})


def test_repeated_names_are_listed_once_in_order():
    assert repeated_names(["tail", "nose", "ear", "nose", "tail", "tail"]) == ["nose", "tail"]
    assert repeated_names([]) == []
