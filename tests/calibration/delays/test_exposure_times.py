"""Constant delays of cameras are found from the board's motion, whatever their whole frames, with one sign."""

import re

import numpy as np
import pytest

from muybridge.calibration import board_offsets, calibrate
from tests.calibration.delays.test_frame_offsets import wave


@pytest.mark.parametrize("delay", [-0.6, 0.45])
def test_a_delay_has_the_sign_and_size_of_the_offset_that_undoes_it(ring_rig, delay):
    rig = ring_rig.subset(["cam_0", "cam_1", "cam_2"])
    seen = wave(rig, np.arange(60.0), delays=[0, delay, 0], noise=0.1)
    found = calibrate(seen, distortion_model=2, progress=False)
    (sentence,) = (text for text in found.report.warnings if "constant delays" in text)
    said = {name: float(number) for name, number in re.findall(r"(cam_\d) ([+-]\d\.\d\d)", sentence)}
    assert abs(said["cam_1"] - delay) < 0.12
    offsets = board_offsets(seen, intrinsics=rig)
    assert np.sign(offsets.subframe[1] - offsets.subframe[0]) == np.sign(delay)
    assert found.report.table().loc["all", "heldout_median_px"] < 0.5
    assert not any("single exposures" in text for text in found.report.warnings)


def test_exposures_that_are_not_evenly_spaced_bend_no_lens(ring_rig):
    rig, rng = ring_rig.subset(["cam_0", "cam_1", "cam_2"]), np.random.default_rng(0)
    delays = np.array([[0.0], [0.45], [-0.2]]) + rng.normal(0, 0.08, (3, 50))
    found = calibrate(wave(rig, np.arange(50.0), delays=delays, noise=0.1), distortion_model=5, progress=False)
    (sentence,) = (text for text in found.report.warnings if "single exposures" in text)
    assert abs(float(re.search(r"deviate by (\d\.\d\d)", sentence).group(1)) - 0.08) < 0.025
    assert found.report.table().loc["all", "heldout_median_px"] < 0.3
    for camera, true in zip(found.rig, rig, strict=True):
        for name, (i, j) in {"fx": (0, 0), "fy": (1, 1), "cx": (0, 2), "cy": (1, 2)}.items():
            deviation = found.covariance.loc[(camera.name, name), (camera.name, name)] ** 0.5
            assert abs(camera.K[i, j] - true.K[i, j]) < 3.5 * deviation
