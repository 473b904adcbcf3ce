"""Each thing that can be wrong is one clear sentence, or a stated and bounded degradation."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from muybridge.pose2d import DetectorError, LabelError, VideoError, evaluate, load_detector, predict, probe_video, train
from tests.helpers import damage_frame, write_picture_video
from tests.pose2d.animals import OPTIONS, animal_points, draw_animal, write_video

SIZE = (128, 96)


def test_labels_that_name_other_keypoints_than_the_detector(detector, labels):
    other = replace(labels, keypoints=("nose", "ear_left", "ear_right", "fin"), symmetries=())
    with pytest.raises(LabelError, match=r"keypoints \['fin'\] that the detector does not know"):
        evaluate(detector, other)
    with pytest.raises(LabelError, match=r"keypoints \['fin'\] that the detector does not know"):
        train(other, start=detector, progress=False)


def test_an_empty_training_set_and_one_without_points(labels):
    with pytest.raises(LabelError, match="no labelled frames to train on"):
        train(labels.select([]), progress=False)
    blank = replace(labels, points_2d=np.full_like(labels.points_2d, np.nan))
    with pytest.raises(LabelError, match="none of the 48 frames has a labelled keypoint"):
        train(blank, progress=False)


def test_one_labelled_frame_trains_and_says_that_nothing_is_calibrated(labels):
    detector = train(labels.select([0]), progress=False, **(OPTIONS | {"iterations": 2}))
    assert detector.uncertainty.n_held_out == 0
    assert "nothing is calibrated" in detector.history["note"]


def test_a_missing_empty_or_unreadable_video(tmp_path):
    with pytest.raises(VideoError, match="there is no video"):
        probe_video(tmp_path / "absent.mp4")
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(VideoError, match="is empty"):
        probe_video(tmp_path / "empty.mp4")
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(VideoError, match="cannot be read as a video"):
        probe_video(tmp_path / "text.mp4")


def test_videos_of_different_frame_rates_are_refused(detector, tmp_path):
    points = animal_points(3, SIZE)
    videos = {name: write_video(tmp_path / f"{name}.mp4", points, SIZE, fps) for name, fps in (("a", 25), ("b", 30))}
    with pytest.raises(VideoError, match=r"frame rates differ .*a 25 Hz, b 30 Hz.*not synchronous"):
        predict(detector, videos, progress=False)


def test_a_shorter_video_ends_in_missing_frames(detector, tmp_path):
    videos = {
        name: write_video(tmp_path / f"{name}.mp4", animal_points(n, SIZE), SIZE) for name, n in (("a", 6), ("b", 4))
    }
    views = predict(detector, videos, progress=False)
    assert np.isnan(views["position"].sel(view="b").values[4:]).all()
    assert (views["confidence"].sel(view="b").values[4:] == 0).all()
    assert np.isfinite(views["position"].sel(view="a").values).all()


def test_a_damaged_frame_is_skipped_counted_and_missing(detector, tmp_path):
    pictures = [draw_animal(points, SIZE, i) for i, points in enumerate(animal_points(6, SIZE))]
    path = write_picture_video(tmp_path / "a.avi", pictures)
    damage_frame(path, 3)
    views = predict(detector, {"a": path}, progress=False)
    assert views.sizes["time"] == 6
    assert np.isnan(views["position"].values[0, 3]).all()
    assert np.isfinite(views["position"].values[0, [2, 4]]).all()
    assert views["confidence"].values[0, 3].max() == 0
    assert list(views.attrs["damaged_frames"]) == [1]


def test_a_file_that_is_no_detector(tmp_path):
    with pytest.raises(DetectorError, match="there is no detector file"):
        load_detector(tmp_path / "absent.safetensors")
    (tmp_path / "broken.safetensors").write_bytes(b"0123456789abcdef")
    with pytest.raises(DetectorError, match="cannot be read as a detector"):
        load_detector(tmp_path / "broken.safetensors")


def test_no_videos_is_said(detector):
    with pytest.raises(VideoError, match="there are no videos"):
        predict(detector, {}, progress=False)


def test_pictures_of_other_sizes_are_found_alike(detector, labels, tmp_path):
    """Sizes may be mixed: a picture with a wide margin gives the same points, moved by the margin."""
    from muybridge.pose2d.inference.animal_search import finder_of

    finder, image = finder_of(detector, "fp32"), draw_animal(labels.points_2d[3], SIZE, 3)
    wide = cv2.copyMakeBorder(image, 32, 0, 64, 0, cv2.BORDER_REPLICATE)
    moved = finder.find(wide).points - finder.find(image).points
    np.testing.assert_allclose(np.median(moved, axis=0), [64, 32], atol=0.5)


def test_pictures_of_another_size_than_was_labelled_are_refused(labels):
    enlarged = replace(labels, points_2d=labels.points_2d * 4)
    with pytest.raises(LabelError, match=r"outside its picture .* of \d+x\d+; give the picture at the size"):
        train(enlarged, progress=False, **OPTIONS)


def test_a_detector_of_another_version_is_refused(detector, tmp_path):
    path = detector.save(tmp_path / "old.safetensors")
    content = path.read_bytes()
    assert content.count(b"muybridge detector 4") == 1
    path.write_bytes(content.replace(b"muybridge detector 4", b"muybridge detector 1"))
    with pytest.raises(DetectorError, match=r"old.safetensors is a detector of another version .* train it again"):
        load_detector(path)
