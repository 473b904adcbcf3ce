"""Every documented option of the functions of calibration works, on one small simulated recording."""

from importlib import import_module

import pytest

from muybridge import calibration as part
from tests.public_options import assert_all_functions_are_called, assert_options_can_be_given, functions_of

OF_FILES = {"read_rig", "write_rig"}  # see tests/cameras


@pytest.fixture(scope="module")
def given():
    return import_module("tests.calibration.public_calls")


def test_every_public_function_is_called(given):
    assert_all_functions_are_called(part, {*given.CALLS, *OF_FILES})


@pytest.mark.parametrize("name", [name for name in functions_of(part) if name not in OF_FILES])
def test_every_documented_option_can_be_given(name, given):
    assert_options_can_be_given(getattr(part, name), given.CALLS[name])


def test_only_detections_need_no_board(given):
    with pytest.raises(part.CalibrationError, match="describe the board that the images show"):
        part.calibrate(given.IMAGES)
    assert part.calibrate(given.SEEN, given.BOARD, **given.QUICK).report.facts == given.FOUND.report.facts
