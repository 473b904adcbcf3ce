import cv2
import numpy as np

from muybridge.report.pictures import stills
from muybridge.report.reprojection import reprojection_errors

OPTIONS = {"pose": None, "rig": None, "errors": None, "skeleton": None}


def test_an_unreadable_video_has_no_pictures_and_the_others_have(session, rig, tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"not a film")
    scene = stills.still_scene(session["views"], session["videos"] | {rig.names[0]: broken}, **OPTIONS)
    first, *others = scene["cameras"]
    assert first["pictures"] == [None] * len(scene["frames"])
    assert all(picture["href"].startswith("data:image/jpeg") for one in others for picture in one["pictures"])
    assert stills.still_scene(session["views"], {rig.names[0]: broken}, **OPTIONS) is None


def test_the_worst_instant_is_among_the_stills(session, rig):
    views = session["views"].copy(deep=True)
    views["position"][:, 33] += 9
    errors = reprojection_errors(views, session["pose"].drop_vars("reprojection_error"), rig)
    reasons = stills.instants_worth_a_look(views, errors)
    assert len(reasons) == 3
    assert reasons[33].startswith("the worst")
    assert stills.instants_worth_a_look(views, None) == {}


def test_stills_are_spread_over_the_recording_and_stay_within_the_budget(session, monkeypatch):
    views, videos = session["views"], session["videos"]
    whole = stills.still_scene(views, videos, **OPTIONS)
    assert whole["frames"][0] == 0
    assert whole["frames"][-1] == 59
    monkeypatch.setattr(stills, "STILL_BYTES", 150_000)
    scene = stills.still_scene(views, videos, **OPTIONS)
    assert 1 <= len(scene["frames"]) < len(whole["frames"])
    assert sum(len(picture["href"]) for one in scene["cameras"] for picture in one["pictures"]) <= 150_000


def test_the_points_of_a_still_are_those_of_its_frame(session, rig, skeleton):
    scene = stills.still_scene(
        session["views"], session["videos"], **OPTIONS | {"pose": session["pose"], "rig": rig, "skeleton": skeleton}
    )
    for camera in scene["cameras"]:
        detected = np.array(camera["detected"], float).reshape(len(scene["frames"]), -1, 2)
        truth = session["views"]["position"].sel(view=camera["name"]).values[scene["frames"]]
        np.testing.assert_allclose(detected, truth, atol=0.051)
        expected = np.array(camera["expected"], float).reshape(detected.shape)
        seen = rig.project(session["pose"]["position"].values)[rig.names.index(camera["name"])][scene["frames"]]
        np.testing.assert_allclose(expected, seen, atol=0.051)
    assert scene["bones"] == skeleton.bone_indices.tolist()


def test_a_crop_holds_the_animal_and_stays_in_the_image(rng):
    for _ in range(50):
        middle = rng.uniform(0, (1280, 1024))
        points = np.clip(middle + rng.normal(0, 60, (1, 7, 2)), 0, (1279, 1023))
        left, top, width, height = stills.crop_box(points, None, (1280, 1024))
        assert left >= 0
        assert top >= 0
        assert left + width <= 1280
        assert top + height <= 1024
        assert (points >= (left, top)).all()
        assert (points <= (left + width, top + height)).all()


def test_one_false_detection_does_not_shrink_the_crop():
    expected = np.array([[[600.0, 500], [640, 520]]])
    detected = expected + np.array([[[0, 0], [600, -400]]])
    assert stills.crop_box(detected, expected, (1280, 1024))[2] == 200


def test_an_unseen_animal_shows_the_whole_image():
    assert stills.crop_box(np.full((1, 3, 2), np.nan), None, (640, 480)) == (0, 0, 640, 480)


def test_a_picture_is_a_small_jpeg(rng):
    import base64

    image = rng.integers(0, 255, (900, 1200, 3), dtype=np.uint8)
    text = stills.jpeg_address(image).removeprefix("data:image/jpeg;base64,")
    decoded = cv2.imdecode(np.frombuffer(base64.b64decode(text), np.uint8), cv2.IMREAD_COLOR)
    assert decoded.shape == (300, 400, 3)
