"""What a calibration says about itself survives JSON, prints, and can be drawn."""

import json
from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest

from muybridge.calibration import CalibrationReport, CameraRig, calibrate, simulate_board_motion, simulate_detections
from tests.calibration.synthetic import BOARD, small_rig

mpl.use("Agg")
import matplotlib.pyplot as plt


@pytest.fixture(scope="module")
def report():
    seen = simulate_detections(small_rig(3), motion=simulate_board_motion(14, reach=80.0), outlier_share=0.02)
    return calibrate(seen, BOARD, distortion_model=1, progress=False).report


@pytest.fixture
def axes():
    figure = plt.figure()
    yield figure
    plt.close(figure)


def test_a_report_comes_back_from_json(report):
    again = CalibrationReport.from_dict(json.loads(json.dumps(report.as_dict())))
    assert again.table().equals(report.table())
    assert (again.facts, again.warnings, again.notes) == (report.facts, report.warnings, report.notes)
    assert again.sizes == report.sizes
    for name in ("shared_frames", "positions", "directions"):
        np.testing.assert_array_equal(getattr(again, name), getattr(report, name))
    for c in range(3):
        np.testing.assert_allclose(again.corners[c], report.corners[c], atol=0.006)
        np.testing.assert_allclose(again.residuals[c], report.residuals[c], atol=6e-5)
    assert str(again) == str(report)


def test_a_report_without_some_numbers_comes_back_from_json(report):
    rows = {name: {**row, "coverage_percent": np.nan} for name, row in report.cameras.items()}
    bare = CalibrationReport(rows, {"lens model": "2 coefficients"})
    again = CalibrationReport.from_dict(json.loads(json.dumps(bare.as_dict())))
    assert again.table().equals(bare.table())
    assert again.corners == ()


def test_a_report_prints_errors_of_every_kind_and_its_warnings(report):
    text = str(report)
    for words in ("median_px", "rms_px", "p95_px", "p99_px", "heldout_rms_px", "worst frame", "cam_2", "all"):
        assert words in text
    assert "length error" in text
    assert "warning: camera 'cam_" in text


def test_coverage_is_drawn_where_corners_were_seen(report, axes):
    ax = axes.add_subplot()
    assert report.plot_coverage(ax, "cam_1") is ax
    np.testing.assert_allclose(ax.collections[0].get_offsets(), report.corners[1])
    assert ax.get_xlim() == (0, 640)
    assert ax.get_ylim() == (480, 0)


def test_residuals_are_drawn_as_their_mean_in_each_cell(report, axes):
    ax = axes.add_subplot()
    assert report.plot_residuals(ax, "cam_0") is ax
    arrows = ax.collections[0]
    assert 5 < len(arrows.U) <= 12 * 9
    assert 0 < np.hypot(arrows.U, arrows.V).max() < 0.5
    assert ax.texts or ax.artists


def test_the_layout_shows_every_camera_where_it_stands(report, axes):
    ax = axes.add_subplot(projection="3d")
    assert report.plot_layout(ax) is ax
    assert [text.get_text() for text in ax.texts] == ["cam_0", "cam_1", "cam_2"]
    assert len(ax.collections) >= 1


def test_covisibility_shows_the_frames_that_pairs_share(report, axes):
    ax = axes.add_subplot()
    assert report.plot_covisibility(ax) is ax
    assert len(ax.lines) == 3
    assert {text.get_text() for text in ax.texts} >= {"14", "cam_0 (14)", "cam_1 (14)", "cam_2 (14)"}


def test_a_camera_that_is_not_in_the_report_is_refused(report, axes):
    with pytest.raises(ValueError, match="no camera 'cam_9'"):
        report.plot_coverage(axes.add_subplot(), "cam_9")


def test_a_board_that_covers_little_of_an_image_draws_a_warning():
    motion = simulate_board_motion(14, reach=10.0, seed=1)
    far = CameraRig(tuple(replace(camera, t=np.add(camera.t, [0, 0, 1200.0])) for camera in small_rig(2)))
    found = calibrate(simulate_detections(far, motion=motion, noise=0.02), distortion_model=0, progress=False)
    warned = [text for text in found.report.warnings if "of its image" in text]
    assert [text.split("'")[1] for text in warned] == ["cam_0", "cam_1"]
    near = calibrate(
        simulate_detections(small_rig(2), motion=simulate_board_motion(14, reach=80.0, seed=1)), progress=False
    )
    assert not any("of its image" in text for text in near.report.warnings)
