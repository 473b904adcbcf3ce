"""Constant delays of cameras are found from the board's motion, whatever their whole frames, with one sign."""

import re

import numpy as np
import pytest

from muybridge.calibration import board_offsets, calibrate, workflow
from muybridge.calibration.delays.exposure_times import board_motion
from muybridge.cameras.rotations import rotation_matrix
from tests.calibration.delays.test_frame_offsets import wave


def test_the_motion_between_frames_is_a_polynomial_through_two_neighbours_on_each_side():
    """Uneven times, a missing frame, and two recordings, whose frames are no neighbours."""
    frames, recording_of = np.array([0, 1, 2, 3, 5, 6, 7, 8]), np.repeat([0, 1], [6, 3])
    clock = np.array([0.0, 0.9, 2.0, 3.1, np.nan, 5.0, 5.9, 7.0, 8.1])
    t = np.stack([clock**4, clock**3 - clock, 2 * clock], axis=-1)[frames]
    motion, delay = board_motion(frames, np.tile(np.eye(3), (8, 1, 1)), t, clock[None], recording_of)
    assert not delay.any()

    def place(frame, seconds):
        return (motion[frame, :, 3:] * seconds ** np.arange(1, 5)[:, None]).sum(axis=0) + t[frames == frame][0]

    for at in (1.7, 2.4):  # four neighbours
        np.testing.assert_allclose(place(2, at - clock[2]), [at**4, at**3 - at, 2 * at], rtol=1e-9)
    # the frame beyond the gap is a neighbour still, as the nearest one
    for frame, other in ((3, 1), (3, 2), (3, 5), (5, 3), (6, 7), (6, 8)):
        expected = t[frames == other][0]
        np.testing.assert_allclose(place(frame, clock[other] - clock[frame]), expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(motion[6, 2:], 0, atol=1e-9)
    assert not motion[4].any()


def test_a_board_that_turns_between_frames_is_followed(ring_rig):
    times = np.arange(12.0)
    turn = np.stack([0.9 * np.sin(0.31 * times), 0.8 * np.cos(0.23 * times), 0.5 * np.sin(0.17 * times)], -1)
    motion, _ = board_motion(np.arange(12), rotation_matrix(turn), np.zeros((12, 3)), times[None])
    at = 0.45
    later = 0.9 * np.sin(0.31 * (5 + at)), 0.8 * np.cos(0.23 * (5 + at)), 0.5 * np.sin(0.17 * (5 + at))
    moved = (motion[5, :, :3] * at ** np.arange(1, 5)[:, None]).sum(axis=0)
    found = rotation_matrix(turn[5:6]) @ rotation_matrix(moved[None])
    np.testing.assert_allclose(found[0], rotation_matrix(np.array(later)[None])[0], atol=1e-4)  # a parabola: 1e-3


@pytest.mark.parametrize("delay", [-0.6, pytest.param(0.45, marks=pytest.mark.long)])
def test_a_delay_has_the_sign_and_size_of_the_offset_that_undoes_it(ring_rig, delay):
    rig = ring_rig.subset(["cam_0", "cam_1"])
    seen = wave(rig, np.arange(36.0), delays=[0, delay], noise=0.1)
    found = calibrate(seen, distortion_model=2, progress=False)
    (sentence,) = (text for text in found.report.warnings if "constant delays" in text)
    said = {name: float(number) for name, number in re.findall(r"(cam_\d) ([+-]\d\.\d\d)", sentence)}
    assert abs(said["cam_1"] - delay) < 0.02
    offsets = board_offsets(seen, intrinsics=rig)
    assert np.sign(offsets.subframe[1] - offsets.subframe[0]) == np.sign(delay)
    assert found.report.table().loc["all", "heldout_median_px"] < 0.5
    assert not any("single exposures" in text for text in found.report.warnings)


def test_exposures_that_are_not_evenly_spaced_bend_no_lens(ring_rig):
    rig, rng = ring_rig.subset(["cam_0", "cam_1"]), np.random.default_rng(0)
    delays = np.array([[0.0], [0.45]]) + rng.normal(0, 0.08, (2, 50))
    found = calibrate(wave(rig, np.arange(50.0), delays=delays, noise=0.1), distortion_model=5, progress=False)
    (sentence,) = (text for text in found.report.warnings if "single exposures" in text)
    assert abs(float(re.search(r"deviate by (\d\.\d\d)", sentence).group(1)) - 0.08) < 0.025
    assert found.report.table().loc["all", "heldout_median_px"] < 0.3
    for camera, true in zip(found.rig, rig, strict=True):
        for name, (i, j) in {"fx": (0, 0), "fy": (1, 1), "cx": (0, 2), "cy": (1, 2)}.items():
            deviation = found.covariance.loc[(camera.name, name), (camera.name, name)] ** 0.5
            assert abs(camera.K[i, j] - true.K[i, j]) < 3.5 * deviation


def test_times_that_do_not_fit_the_boards_are_left_out(ring_rig):
    rig, even = ring_rig.subset(["cam_0", "cam_1"]), np.arange(36.0)
    seen = wave(rig, even, delays=[0, 0.45], noise=0.1)
    false = even + np.random.default_rng(0).uniform(-0.45, 0.45, 36)
    found = calibrate(seen, distortion_model=2, times={"cam_0": even, "cam_1": false}, progress=False)
    assert any("The times given were left out" in text for text in found.report.warnings)
    assert found.report.table().loc["all", "heldout_median_px"] < 0.2
    for camera, true in zip(found.rig, rig, strict=True):
        assert abs(camera.K[0, 0] / true.K[0, 0] - 1) < 0.01


def test_delays_that_leave_a_camera_beyond_its_own_noise_are_not_taken(ring_rig, monkeypatch):
    seen = wave(ring_rig.subset(["cam_0", "cam_1"]), np.arange(36.0), delays=[0, 0.45], noise=0.1)
    monkeypatch.setattr(
        workflow, "try_delays", lambda solution, present: (present, ("constant delays that mend nothing",))
    )
    said = " ".join(calibrate(seen, distortion_model=2, progress=False).report.warnings)
    assert "constant delays" not in said
    assert "fits the board better alone" in said
