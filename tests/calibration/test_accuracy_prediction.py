"""What a calibration predicts of its own accuracy: the covariance's numbers, in the world as it is, kept by JSON."""

import json

import numpy as np
import pytest

from muybridge.calibration import CalibrationReport, calibrate, move_world, simulate_detections, volume_uncertainty


@pytest.fixture(scope="module")
def calibration():
    return calibrate(simulate_detections(), distortion_model=0)


def test_focal_lengths_have_the_deviations_of_the_covariance(calibration):
    for name in calibration.rig.names:
        expected = [calibration.covariance.loc[(name, key), (name, key)] ** 0.5 for key in ("fx", "fy")]
        np.testing.assert_allclose(calibration.report.predicted.focal_std[name], expected)


def test_slices_hold_the_predicted_errors_of_their_points(calibration):
    one = calibration.report.predicted.slices[0]
    boards = np.concatenate([calibration.board_points(int(frame)) for frame in calibration.frames])
    points = np.array([[one.across[6], one.up[6], np.median(boards[:, 2])]])
    expected = np.sqrt(np.trace(volume_uncertainty(calibration, points)[0]))
    assert one.errors[6, 6] == pytest.approx(expected, rel=1e-6)
    assert np.nanmax(one.errors) > one.errors[6, 6]  # beside the boards less is known


def test_a_turned_world_turns_the_deviations_of_the_centres(calibration):
    R = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    before, after = calibration.report.predicted, move_world(calibration, R, [5.0, 0, 0]).report.predicted
    for name in calibration.rig.names:
        np.testing.assert_allclose(after.centre_std[name], before.centre_std[name][[1, 0, 2]], rtol=1e-6)


def test_json_keeps_it(calibration):
    kept = CalibrationReport.from_dict(json.loads(json.dumps(calibration.report.as_dict()))).predicted
    for one, two in zip(kept.slices, calibration.report.predicted.slices, strict=True):
        assert one.names == two.names
        np.testing.assert_allclose(one.errors, two.errors, rtol=1e-4)
    np.testing.assert_allclose(kept.centre_std["right"], calibration.report.predicted.centre_std["right"], rtol=1e-4)
