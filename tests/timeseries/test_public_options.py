"""Every documented option of the functions of timeseries works."""

import numpy as np
import pytest

from muybridge import timeseries
from muybridge.datasets import pose_dataset
from tests.public_options import assert_all_functions_are_called, assert_options_can_be_given

TIMES = np.arange(60) / 100
POINTS = np.random.default_rng(0).standard_normal((60, 5, 3)).cumsum(axis=0)
POSE = pose_dataset(POINTS, keypoints=list("abcde"), times=TIMES, unit="mm")
# {function: [(arguments, options), ...]}
CALLS = {
    "butterworth_derivative": [((POINTS, TIMES), {"cutoff": 10.0, "order": 2, "derivative": 1})],
    "central_difference": [((POINTS, TIMES), {})],
    "hampel_filter": [
        ((POINTS, 0.05), {"fps": 100, "n_sigmas": 3.0, "replace": "nan"}),
        ((POSE, 0.05), {"replace": "median"}),
    ],
    "interpolate_gaps": [((POINTS, 0.05), {"fps": 100}), ((POINTS, 0.05), {"times": TIMES}), ((POSE, 0.05), {})],
    "local_polynomial": [((POINTS, TIMES, 0.09), {"polyorder": 2, "derivative": 1})],
    "median_filter": [((POINTS, 0.05), {"fps": 100}), ((POSE["position"], 0.05), {})],
    "smooth_motion": [((POINTS[:, :1],), {"times": TIMES, "relative_variance": np.ones((60, 1)), "chunk_frames": 40})],
}


def test_every_public_function_is_called():
    assert_all_functions_are_called(timeseries, CALLS)


@pytest.mark.parametrize("name", CALLS)
def test_every_documented_option_can_be_given(name):
    assert_options_can_be_given(getattr(timeseries, name), CALLS[name])
