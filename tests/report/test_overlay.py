import cv2
import numpy as np
import pytest

from muybridge.report import overlay
from muybridge.report.reprojection import reprojection_errors


def test_an_unreadable_video_says_so_in_its_place(session, rig, tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"not a film")
    instants = overlay.choose_instants(session["views"], None)
    videos = session["videos"] | {rig.names[0]: broken}
    drawn = overlay.overlay_figures(instants, session["views"], videos, expected=None, skeleton=None)
    for _, (first, *others) in drawn:
        assert "cannot be read" in first
        assert all("data:image/jpeg" in figure for figure in others)


def test_the_worst_instant_is_found(session, rig):
    views = session["views"].copy(deep=True)
    views["position"][:, 33] += 9
    errors = reprojection_errors(views, session["pose"].drop_vars("reprojection_error"), rig)
    chosen = overlay.choose_instants(views, errors)
    assert len(chosen) == 3
    assert chosen[-1].frame == 33
    assert "the worst" in chosen[-1].reason


def test_instants_without_a_reconstruction_are_spread(session):
    frames = [instant.frame for instant in overlay.choose_instants(session["views"], None)]
    assert frames == [11, 29, 47]


def test_a_crop_holds_the_animal_and_stays_in_the_image(rng):
    for _ in range(50):
        middle = rng.uniform(0, (1280, 1024))
        points = np.clip(middle + rng.normal(0, 60, (1, 7, 2)), 0, (1279, 1023))
        left, top, width, height = overlay.crop_box(points, None, (1280, 1024))
        assert left >= 0
        assert top >= 0
        assert left + width <= 1280
        assert top + height <= 1024
        assert (points >= (left, top)).all()
        assert (points <= (left + width, top + height)).all()


def test_one_false_detection_does_not_shrink_the_crop():
    expected = np.array([[[600.0, 500], [640, 520]]])
    detected = expected + np.array([[[0, 0], [600, -400]]])
    assert overlay.crop_box(detected, expected, (1280, 1024))[2] == 200


def test_an_unseen_animal_shows_the_whole_image():
    assert overlay.crop_box(np.full((1, 3, 2), np.nan), None, (640, 480)) == (0, 0, 640, 480)


def test_a_picture_is_a_small_jpeg(rng):
    import base64

    image = rng.integers(0, 255, (900, 1200, 3), dtype=np.uint8)
    text = overlay.jpeg_address(image).removeprefix("data:image/jpeg;base64,")
    decoded = cv2.imdecode(np.frombuffer(base64.b64decode(text), np.uint8), cv2.IMREAD_COLOR)
    assert decoded.shape == (360, 480, 3)


def test_marks_lie_on_the_points(session, skeleton):
    found = np.array([[[10.0, 20], [30, 40]]])
    marks = overlay.point_marks(found, found + 3, ["neck", "nose"], skeleton, radius=2.0)
    assert 'cx="10.00" cy="20.00"' in marks
    assert 'd="M13.00 23.00L33.00 43.00"' in marks
    assert "neck, 4.24 px" in marks


@pytest.mark.parametrize("lost", ["detected", "expected"])
def test_missing_points_draw_nothing(skeleton, lost):
    found, gone = np.zeros((1, 2, 2)), np.full((1, 2, 2), np.nan)
    detected, expected = (gone, found) if lost == "detected" else (found, gone)
    marks = overlay.point_marks(detected, expected, ["neck", "nose"], skeleton, radius=2.0)
    assert "nan" not in marks
    assert ("circle" in marks) == (lost == "expected")
