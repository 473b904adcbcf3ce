"""Every documented option of the functions of kinematics works; an unknown one is refused."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.figure import Figure

from muybridge import kinematics
from muybridge.datasets import DatasetError, Skeleton, pose_dataset
from muybridge.kinematics import Gait, Joint
from tests.public_options import assert_all_functions_are_called, assert_options_can_be_given

NAMES = ["tail", "neck", "left", "right", "paw"]
TIMES = np.arange(60) / 100
UP = [0.0, 0.0, 1.0]


def moving_pose():
    """Five keypoints of a body that turns while a paw steps; mm, with covariances."""
    body = np.array([[-50.0, 0, 0], [50, 0, 0], [0, 20, 5], [0, -20, 5], [40, 0, -60]])
    turn = 0.5 * np.sin(4 * TIMES)
    x, y = np.cos(turn)[:, None], np.sin(turn)[:, None]
    points = np.stack([body[:, 0] * x - body[:, 1] * y, body[:, 0] * y + body[:, 1] * x, body[:, 2] + 0 * x], axis=-1)
    points[:, 4, 0] += 100 * np.floor(5 * TIMES) + 100 * np.clip(5 * TIMES % 1 / 0.5 - 1, 0, 1)
    points[:, 4, 2] += 20 * np.sin(np.pi * np.clip(5 * TIMES % 1 / 0.5 - 1, 0, 1))
    points += 0.5 * np.random.default_rng(0).standard_normal(points.shape)
    covariance = np.broadcast_to(0.25 * np.eye(3), (60, 5, 3, 3))
    return pose_dataset(points, keypoints=NAMES, times=TIMES, unit="mm", covariance=covariance)


POSE = moving_pose()
TWO = xr.concat([POSE, POSE], dim=xr.DataArray(["ada", "bob"], dims="individual", name="individual"))
NECK = POSE.sel(keypoint=["neck"])  # one keypoint of which motions are smoothed three times
POINTS = POSE["position"].values
DERIVATIVES = [
    {"method": "savgol", "window": 0.11, "polyorder": 3},
    {"method": "butterworth", "cutoff": 12.0, "order": 2},
    *({"method": method} for method in ("auto", "evidence", "central")),
]
STRIDES = pd.DataFrame({"limb": "left_hind", "touch_down": [0.0], "next_touch_down": [0.2], "duty_factor": 0.5})
STANCE = xr.Dataset({"stance": (("time", "limb"), np.ones((60, 1), bool))}, {"time": TIMES, "limb": ["left_hind"]})
GAIT = Gait(STANCE, STRIDES, pd.DataFrame(), "left_hind")
ANGLES = xr.Dataset({"angle": (("time", "joint"), np.ones((60, 2)))}, {"time": TIMES, "joint": ["hip", "knee"]})
ARTICULATED = xr.Dataset(
    {"body_angle": (("time", "body_joint"), np.ones((60, 2)))}, {"time": TIMES, "body_joint": ["x", "bend"]}
)
SPEED = xr.Dataset({"speed": ("time", np.ones(60), {"units": "mm/s"})}, {"time": TIMES})
SKELETON = Skeleton(tuple(NAMES), (("tail", "neck"),))
ROTATION = np.eye(3)
JOINTS = {
    "back": ("tail", "neck", "left"),
    "trunk": {"kind": "orientation", "forward": ["tail", "neck"], "lateral": ["left", "right"]},
}


def ax(**options):
    return Figure().add_subplot(**options)


# {function: [(arguments, options), ...]}; together the options of a function are all that it has
CALLS = {
    **{name: [((NECK,), options) for options in DERIVATIVES] for name in ("velocity", "acceleration", "jerk")},
    **{
        name: [((POSE, {"trunk": NAMES[:2]}), options) for options in DERIVATIVES]
        for name in ("angular_velocity", "angular_acceleration")
    },
    "path_length": [((NECK,), options) for options in DERIVATIVES],
    "speed_profile": [((POSE, "neck"), options) for options in DERIVATIVES],
    "angular_velocity_of_rotations": [((np.tile(ROTATION, (60, 1, 1)), TIMES), {})],
    "body_angles": [((ARTICULATED,), {})],
    "body_frame": [
        ((POSE, "tail", "neck"), {"lateral": ("left", "right"), "origin": "paw", "up": UP, "method": "central"}),
        ((POSE, "tail", "neck"), {"rigid": NAMES[:4], "up": UP, "method": "savgol"}),
    ],
    "individual_distances": [((TWO,), {"keypoints": ["tail", "neck"]})],
    "relative_headings": [((TWO, "tail", "neck"), {"up": UP})],
    "centre_of_mass": [((POSE, {"trunk": ("tail", "neck", 1.0, 0.5)}), {})],
    "corrected_three_point_angle": [((np.array([3.0]), np.array([0.1])), {})],
    "dihedral_angle": [(tuple(POINTS[:, :4].swapaxes(0, 1)), {})],
    "estimate_axis": [(tuple(POINTS[:, :3].swapaxes(0, 1)), {"frame": POINTS[:, [0, 1, 3]], "name": "knee"})],
    "gait": [
        ((POSE, {"paw": "paw"}),
         {"up": UP, "surface_velocity": [1.0, 0, 0], "reference": "paw", "method": "central"})
    ],
    "hinge_angle": [(tuple(POINTS[:, :4].swapaxes(0, 1)), {})],
    "interpolate_gaps": [((POSE, 0.05), {})],
    "interactive_trajectories_3d": [((POSE,), {"keypoints": ["paw"], "skeleton": SKELETON, "n_instants": 5})],
    "joint_angles": [((POSE, JOINTS), {"std": std, "up": UP}) for std in (True, False, "unscented", "monte_carlo")],
    "joint_covariance": [((POSE, NAMES[:2]), {})],
    "median_filter": [((POSE, 0.05), {})],
    "orientation_angles": [((POINTS[:, 0], POINTS[:, 1], np.array(UP)), {})],
    "parse_joints": [(({**JOINTS, "knee": Joint("knee", "angle", ("a", "b", "c"))},), {})],
    "plot_angle": [((ANGLES, "hip", ax()), {"color": "C1"})],
    "plot_gait": [((GAIT, ax()), {})],
    "plot_phase": [((ANGLES, "hip", "knee", ax()), {})],
    "plot_speed": [((SPEED, ax()), {"label": "neck", "color": "C1"})],
    "plot_stick_figures": [
        ((POSE, SKELETON, ax()),
         {"n_figures": 3, "horizontal": "y", "vertical": "x", "spacing": 10.0})
    ],
    "plot_strides": [((SPEED["speed"], GAIT, "left_hind", ax()), {"n_points": 11})],
    "plot_trajectories_3d": [
        ((POSE,), {"ax": ax(projection="3d"), "keypoints": ["paw"], "skeleton": SKELETON, "n_figures": 2})
    ],
    "propagate": [
        ((lambda p: p[:, :, 0], POINTS[:, :1], np.tile(np.eye(3), (60, 1, 1))), {"method": method, "seed": 1})
        for method in ("linear", "unscented", "monte_carlo")
    ],
    "segment_angles": [((ROTATION, ROTATION), {})],
    "segment_frame": [(tuple(POINTS[:, :4].swapaxes(0, 1)), {})],
    "smooth_motion": [((NECK,), {"times": None, "relative_variance": None, "chunk_frames": 100})],
    "three_point_angle": [(tuple(POINTS[:, :3].swapaxes(0, 1)), {})],
}  # fmt: skip


def test_every_public_function_is_called():
    assert_all_functions_are_called(kinematics, CALLS)


@pytest.mark.parametrize("name", CALLS)
def test_every_documented_option_can_be_given(name):
    assert_options_can_be_given(getattr(kinematics, name), CALLS[name])


LABELLED = [
    "velocity", "acceleration", "jerk", "angular_velocity", "angular_acceleration", "body_frame", "centre_of_mass",
    "path_length", "speed_profile", "gait", "joint_angles", "interpolate_gaps", "median_filter",
]  # fmt: skip


@pytest.mark.parametrize("name", LABELLED)
def test_an_unknown_option_is_refused_in_one_sentence(name):
    arguments, options = CALLS[name][0]
    with pytest.raises(DatasetError, match=rf"^{name} has no option 'nonsense'[^\n]*; known: \[[^\n]*\]$"):
        getattr(kinematics, name)(*arguments, **options, nonsense=1)
    with pytest.raises(DatasetError, match="velocity has no option 'polynomorder', did you mean 'polyorder'"):
        kinematics.velocity(POSE, method="savgol", polynomorder=3)


@pytest.mark.parametrize("name", LABELLED)
def test_labelled_functions_take_a_data_array_and_several_individuals(name):
    arguments, options = CALLS[name][0]
    function = getattr(kinematics, name)
    position = POSE["position"].rename(keypoint="keypoints")  # as movement names it
    two = xr.concat([position, position], dim=xr.DataArray(["ada", "bob"], dims="individuals", name="individuals"))
    alone, both = (function(one, *arguments[1:], **options) for one in (position, two))
    if name == "gait":
        alone, both = alone.contact, both.contact
    assert isinstance(alone, xr.Dataset)
    assert both["individual"].values.tolist() == ["ada", "bob"]
    for variable in alone.data_vars:
        np.testing.assert_array_equal(both[variable].sel(individual="bob").values, alone[variable].values)
