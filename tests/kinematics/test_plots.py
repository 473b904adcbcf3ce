import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr

from muybridge.datasets import DatasetError, Skeleton
from muybridge.kinematics import (
    gait,
    interactive_trajectories_3d,
    joint_angles,
    plot_angle,
    plot_gait,
    plot_phase,
    plot_speed,
    plot_stick_figures,
    plot_strides,
    plot_trajectories_3d,
    speed_profile,
)
from tests.kinematics.synthetic import LIMBS, pose_of, walking

mpl.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(scope="module")
def animal():
    times, feet, _ = walking((0, 0.5, 0.5, 0), 0.45, 0.35, 300, 50, duration=2.0)
    return pose_of(feet, list(LIMBS), times, noise=2.0)


@pytest.fixture
def axes():
    figure = plt.figure()
    yield figure.add_subplot()
    plt.close(figure)


def test_every_plot_draws_on_the_ax_it_is_given_and_returns_it(animal, axes):
    angles = joint_angles(animal, {"one": LIMBS[:3], "two": LIMBS[1:]})
    steps = gait(animal, {limb: limb for limb in LIMBS}, up=[0, 0, 1])
    skeleton = Skeleton(LIMBS, [(LIMBS[0], LIMBS[1])])
    assert plot_angle(angles, "one", axes) is axes
    assert len(axes.collections) == 1
    assert np.nanmax(axes.lines[0].get_ydata()) > 10  # degrees
    assert plot_phase(angles, "one", "two", axes) is axes
    assert plot_stick_figures(animal, skeleton, axes, spacing=200) is axes
    assert plot_speed(speed_profile(animal, LIMBS[0]), axes) is axes
    assert plot_strides(angles["angle"].sel(joint="one"), steps, LIMBS[1], axes) is axes
    assert plot_gait(steps, axes) is axes
    assert [label.get_text() for label in axes.get_yticklabels()] == list(LIMBS)


def test_the_scale_of_speeds_begins_at_zero_and_holds_all_curves(axes):
    for top in (3.0, 9.0):
        speeds = {"speed": ("time", [1.0, top]), "speed_std": ("time", [1.0, 1.0])}
        plot_speed(xr.Dataset(speeds, {"time": [0.0, 1.0]}), axes)
    assert axes.get_ylim()[0] == 0
    assert axes.get_ylim()[1] > 9 + 1.96
    plot_speed(xr.Dataset({"speed": ("time", [np.nan, np.nan])}, {"time": [0.0, 1.0]}), axes)


SKELETON = Skeleton(LIMBS, [(LIMBS[0], LIMBS[1]), (LIMBS[2], LIMBS[3])])


def test_paths_need_a_3d_ax_and_make_one_where_none_is_given(animal, axes):
    with pytest.raises(ValueError, match="projection='3d'"):
        plot_trajectories_3d(animal, axes, keypoints=LIMBS[:2])
    solid = plot_trajectories_3d(animal, keypoints=LIMBS[:2], skeleton=SKELETON, n_figures=3)
    assert len(solid.lines) == 3 + 2  # a line for the bones of each instant, a path for each keypoint
    assert plot_trajectories_3d(animal, solid) is solid
    plt.close(solid.figure)


def test_the_interactive_figure_plays_what_the_pose_holds(animal):
    pytest.importorskip("plotly")
    gap = animal.copy(deep=True)
    gap["position"][0, 1] = np.nan  # one end of the first bone in the first frame
    figure = interactive_trajectories_3d(gap, keypoints=LIMBS[:3], skeleton=SKELETON, n_instants=7)
    assert [trace.name for trace in figure.data[:3]] == list(LIMBS[:3])
    assert len(figure.frames) == len(figure.layout.sliders[0].steps) == 7
    bones, points = figure.frames[-1].data
    np.testing.assert_allclose(points.z, animal["position"].values[-1, :, 2], atol=0.01)
    np.testing.assert_allclose(bones.x[:2], animal["position"].values[-1, :2, 0], atol=0.01)
    first = figure.frames[0].data[0].x
    assert np.isnan(first[:3]).all()
    assert np.isfinite(first[3:5]).all()


def test_paths_are_of_one_animal(animal):
    two = xr.concat([animal, animal], dim="individual").assign_coords(individual=["a", "b"])
    for draw in (plot_trajectories_3d, interactive_trajectories_3d):
        with pytest.raises(DatasetError, match="choose it with"):
            draw(two)


def test_unknown_joints_and_limbs_are_named(animal, axes):
    angles = joint_angles(animal, {"knee": LIMBS[:3]})
    with pytest.raises(DatasetError, match="did you mean 'knee'"):
        plot_angle(angles, "kne", axes)
    steps = gait(animal, {limb: limb for limb in LIMBS}, up=[0, 0, 1])
    with pytest.raises(ValueError, match="no whole stride"):
        plot_strides(angles["angle"].sel(joint="knee"), steps, "tail", axes)
