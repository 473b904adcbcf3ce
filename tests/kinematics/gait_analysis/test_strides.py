import numpy as np
import pytest
import xarray as xr

from muybridge.datasets import DatasetError
from muybridge.kinematics import gait
from muybridge.kinematics.gait_analysis.gait_names import IDEALS, name_gait
from tests.kinematics.synthetic import LIMBS, gentle, pose_of, walking

FEET = {limb: limb for limb in LIMBS}
HIND = {limb: limb for limb in LIMBS[:2]}
GAITS = {  # duty factor, stride period (s), stride length and foot clearance (mm)
    "walk": (0.65, 0.5, 400, 40),
    "trot": (0.45, 0.35, 700, 60),
    "gallop": (0.22, 0.30, 3000, 150),
}


def pose_of_gait(name, **options):
    times, feet, events = walking((0.0, *IDEALS[name][0]), *GAITS[name], **options)
    return pose_of(feet, list(LIMBS), times).assign_attrs(up=[0, 0, 1.0]), events


@pytest.mark.parametrize("name", ["walk", "trot", "gallop"])  # the names of all: test_every_ideal_bears_its_own_name
def test_events_are_found_to_the_frame_and_the_gait_is_named(name):
    pose, events = pose_of_gait(name, noise=2.0, duration=2.5)
    duty, period, length, height = GAITS[name]
    found = gait(pose, FEET)
    errors_in_frames = []
    for limb in LIMBS:
        strides = found.strides[found.strides["limb"] == limb]
        assert len(strides) >= 2.5 / period - 3
        for column, right in zip(("touch_down", "lift_off"), events[limb], strict=True):
            errors_in_frames.append(120 * np.abs(strides[column].to_numpy()[:, None] - right).min(axis=1))
    assert (np.concatenate(errors_in_frames) <= 1.0).mean() >= 0.95
    strides = found.strides
    named = strides[strides["gait"] != ""]
    assert (named["gait"] == name).all()
    assert len(named) > 0.8 * len(strides)
    assert strides["duty_factor"].mean() == pytest.approx(duty, abs=0.02)
    assert strides["duration"].mean() == pytest.approx(period, rel=0.01)
    assert strides["frequency"].mean() == pytest.approx(1 / period, rel=0.01)
    assert strides["length"].mean() == pytest.approx(length, rel=0.01)
    assert strides["speed"].mean() == pytest.approx(length / period, rel=0.01)
    assert strides["clearance"].mean() == pytest.approx(height, rel=0.1)


@pytest.mark.parametrize("name", ["trot", "gallop"])
def test_feet_that_leave_the_ground_without_speed_are_found_to_the_frame(name):
    pose, events = pose_of_gait(name, noise=2.0, duration=3.0, shape=gentle)
    strides = gait(pose, FEET).strides
    errors_in_frames, z = [], []
    for limb in LIMBS:
        own = strides[strides["limb"] == limb]
        for column, right in zip(("touch_down", "lift_off"), events[limb], strict=True):
            apart = own[column].to_numpy()[:, None] - right
            error = apart[np.arange(len(apart)), np.abs(apart).argmin(axis=1)]
            errors_in_frames.append(120 * np.abs(error))
            z.append(error / own[f"{column}_std"])
    assert (np.concatenate(errors_in_frames) <= 1.0).mean() >= 0.95
    assert 0.2 < np.sqrt(np.mean(np.square(np.concatenate(z)))) < 1.5


def test_phases_are_those_of_the_limbs():
    pose, _ = pose_of_gait("walk", duration=2.0)
    phases = gait(pose, FEET).phases
    for limb, right in zip(LIMBS, (0.0, *IDEALS["walk"][0]), strict=True):
        assert np.abs((phases[limb].dropna() - right + 0.5) % 1 - 0.5).max() < 0.02


def test_standard_deviations_of_events_match_their_errors():
    pose, events = pose_of_gait("trot", noise=4.0, duration=3.0)
    strides = gait(pose, FEET).strides
    errors = [
        (row["touch_down"] - events[row["limb"]][0][np.argmin(np.abs(events[row["limb"]][0] - row["touch_down"]))])
        / row["touch_down_std"]
        for _, row in strides.iterrows()
    ]
    assert 0.6 < np.sqrt(np.mean(np.square(errors))) < 1.6


def test_a_treadmill_is_a_moving_ground():
    pose, _ = pose_of_gait("trot", duration=2.0)
    speed = GAITS["trot"][2] / GAITS["trot"][1]
    shift = np.zeros((pose.sizes["time"], 1, 3))
    shift[:, 0, 0] = speed * pose["time"].values
    position = pose["position"] - shift
    belt = pose.assign(position=position.assign_attrs(units="mm"))
    ground, moving = gait(pose, HIND).strides, gait(belt, HIND, surface_velocity=[-speed, 0, 0]).strides
    assert moving["length"].mean() == pytest.approx(ground["length"].mean(), rel=0.01)
    assert moving["duty_factor"].mean() == pytest.approx(ground["duty_factor"].mean(), abs=0.01)


@pytest.mark.parametrize("fps", [30.0, 200.0])
def test_gaits_are_found_alike_at_low_and_high_frame_rates(fps):
    times, feet, events = walking((0.0, *IDEALS["walk"][0]), *GAITS["walk"], fps=fps, duration=3.5)
    found = gait(pose_of(feet, list(LIMBS), times).assign_attrs(up=[0, 0, 1.0]), FEET)
    duty, period, length, _ = GAITS["walk"]
    assert len(found.strides) >= 4 * (3.5 / period - 3)
    assert (found.strides["gait"][found.strides["gait"] != ""] == "walk").all()
    assert found.strides["duty_factor"].mean() == pytest.approx(duty, abs=0.02)
    assert found.strides["length"].mean() == pytest.approx(length, rel=0.01)
    errors = [np.abs(events[row["limb"]][0] - row["touch_down"]).min() for _, row in found.strides.iterrows()]
    assert np.quantile(errors, 0.95) < 1.0 / fps


def test_several_individuals_are_taken_one_by_one():
    one, _ = pose_of_gait("trot", duration=1.5)
    two = xr.concat([one, one], dim=xr.DataArray(["ada", "bob"], dims="individual", name="individual"))
    alone, both = gait(one, HIND), gait(two, HIND)
    assert len(both.strides) == 2 * len(alone.strides)
    assert both.contact["stance"].dims == ("individual", "time", "limb")
    bob = both.individual("bob")
    np.testing.assert_array_equal(bob.strides["touch_down"], alone.strides["touch_down"])
    np.testing.assert_array_equal(bob.contact["stance"], alone.contact["stance"])
    assert both.summary().shape[0] == 2 * alone.summary().shape[0]


def test_an_animal_at_rest_has_no_strides():
    rng = np.random.default_rng(0)
    found = gait(pose_of(rng.normal(size=(200, 4, 3)), list(LIMBS)), FEET, up=[0, 0, 1.0])
    assert len(found.strides) == 0
    assert found.summary().empty


def test_missing_frames_inside_stances_and_swings_are_bridged():
    pose, events = pose_of_gait("trot", duration=3.0)
    position = pose["position"].copy()
    position.values[np.random.default_rng(1).random(position.shape[:2]) < 0.05] = np.nan
    strides = gait(pose.assign(position=position), HIND).strides
    errors_in_frames = [120 * np.abs(events[row["limb"]][0] - row["touch_down"]).min() for _, row in strides.iterrows()]
    assert (np.array(errors_in_frames) <= 1.0).mean() >= 0.95
    assert len(strides) >= 12


def test_gait_refuses_to_guess_the_vertical_and_the_feet():
    pose = pose_of(np.zeros((40, 4, 3)), list(LIMBS))
    with pytest.raises(DatasetError, match="gait needs the vertical"):
        gait(pose, FEET)
    with pytest.raises(DatasetError, match="did you mean 'left_hind'"):
        gait(pose, {"left_hind": "left_hint"}, up=[0, 0, 1])
    with pytest.raises(DatasetError, match="is none of the limbs"):
        gait(pose, FEET, up=[0, 0, 1], reference="tail")


def test_every_ideal_bears_its_own_name_and_noise_none():
    for name, ideals in IDEALS.items():
        for phases in ideals:
            assert name_gait(dict(zip(LIMBS, (0.0, *phases), strict=True)), 0.5) == name
    assert name_gait(dict(zip(LIMBS, (0.0, 0.25, 0.0, 0.25), strict=True)), 0.5) == "unclear"
    assert name_gait(dict(zip(LIMBS, (0.0, np.nan, 0.0, 0.25), strict=True)), 0.5) == ""
    assert name_gait({"left_hind": 0.0, "right_hind": 0.5}, 0.3) == "run"
