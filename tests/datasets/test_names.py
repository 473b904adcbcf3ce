import inspect

import pytest

from muybridge.datasets.names import named_options, nearest, repeated_names


def test_the_nearest_name_is_suggested_whatever_its_case_and_nothing_where_none_is_near():
    assert nearest("left_hint", ["right_hind", "left_hind"]) == ", did you mean 'left_hind'?"
    assert nearest("NOSE", ["Nose", "tail"]) == ", did you mean 'Nose'?"
    assert nearest("ear", ["Nose", "tail"]) == ""


def test_a_function_refuses_an_unknown_option_with_the_name_that_was_meant():
    @named_options()
    def smooth(points, *, window=1.0):
        """Smooth."""
        return points, window

    assert smooth(2, window=3) == (2, 3)
    assert list(inspect.signature(smooth).parameters) == ["points", "window"]
    with pytest.raises(TypeError, match=r"^smooth has no option 'windw', did you mean 'window'\?; known: \['w"):
        smooth(2, windw=3)


def test_repeated_names_are_listed_once_in_order():
    assert repeated_names(["tail", "nose", "ear", "nose", "tail", "tail"]) == ["nose", "tail"]
    assert repeated_names([]) == []
