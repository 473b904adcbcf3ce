"""The review of a calibration: which pictures, each corner's residual or why it was rejected, and the volume."""

import json
import re

import numpy as np
import pytest

from muybridge.report import write_calibration_review
from muybridge.report.review.board_pictures import CameraCorners, camera_pictures, choose_frames
from tests.report.session import BAD_CORNER, board_images, spoiled_calibration


@pytest.fixture(scope="module")
def calibration():
    return spoiled_calibration()


def test_kept_corners_have_their_residual_and_the_rejected_one_its_reason(calibration):
    frame, corner = BAD_CORNER
    corners = CameraCorners(calibration, "left")
    rows = corners.residuals(frame)
    (rejected,) = [row for row in rows if row["why"]]
    assert rejected["x"] == pytest.approx(corners.found.corners[frame, corner, 0], abs=0.1)
    assert re.match(r"off by \d\d\.\d px, \d+ times the noise of a corner", rejected["why"])
    kept = [np.hypot(row["dx"], row["dy"]) for f in corners.frames() for row in corners.residuals(f) if not row["why"]]
    assert np.median(kept) == pytest.approx(calibration.report.cameras["left"]["median_px"], rel=0.01)


def test_the_worst_frame_comes_first_and_the_others_cover_the_image(calibration):
    chosen = choose_frames(CameraCorners(calibration, "left"), 4)
    assert next(iter(chosen)) == BAD_CORNER[0]
    assert sorted(chosen.values()) == ["coverage of the image"] * 2 + ["largest residual"] * 2


def test_pictures_are_bounded_in_number_and_width(calibration):
    images = board_images(calibration)
    pictures = camera_pictures(calibration, "left", images, 3, 160)
    assert len(pictures) == 3
    assert all(picture["src"].startswith("data:image/jpeg;base64,") for picture in pictures)
    assert max(len(picture["src"]) for picture in pictures) < 20_000
    assert all(picture["src"] == "" for picture in camera_pictures(calibration, "left", {}, 3, 160))


def test_the_page_holds_pictures_volume_and_report(calibration, tmp_path):
    text = write_calibration_review(tmp_path / "review.html", calibration, title="A & B").read_text()
    assert "A &amp; B" in text
    held = json.loads(re.search(r'id="review-data">(.*?)</script>', text, re.DOTALL)[1])
    assert [camera["name"] for camera in held] == ["left", "right"]
    assert "worst corner" in text
    assert 'id="calibration"' in text
