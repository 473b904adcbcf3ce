"""Videos are followed by a window, give what the whole frame gives, and a killed prediction goes on."""

from contextlib import contextmanager

import cv2
import numpy as np
import pytest

from muybridge.datasets import read_dataset
from muybridge.pose2d import predict, predict_file
from muybridge.pose2d.prediction import predicted_views, window_prediction
from tests.helpers import Pickling, overwrite
from tests.pose2d.animals import animal_points, draw_animal

SIZE = (128, 96)


@pytest.fixture(scope="module")
def wide_video(tmp_path_factory):
    return film(tmp_path_factory.mktemp("wide") / "wide.mp4", 12)


def film(path, n_frames):
    """A small animal that wanders in a wide picture: the video, and where it is."""
    points = animal_points(12, SIZE, seed=5)[:n_frames]
    place = np.stack([120 + 8 * np.arange(n_frames), np.full(n_frames, 90)], -1)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 20.0, (480, 320))
    for i in range(n_frames):
        frame = np.full((320, 480, 3), 115, np.uint8)
        x, y = place[i]
        frame[y : y + 96, x : x + 128] = draw_animal(points[i], SIZE, i)
        writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    writer.release()
    return path, points + place[:, None]


def test_following_a_window_finds_the_animal_as_the_whole_frame_does(detector, wide_video):
    path, truth = wide_video
    followed = predict(detector, {"a": path}, progress=False)
    whole = predict(detector, {"a": path}, track_crop=False, progress=False)
    errors = [np.linalg.norm(views["position"].values[0] - truth, axis=-1) for views in (followed, whole)]
    assert np.median(errors[0]) < 1.5
    assert np.median(errors[0]) < np.median(errors[1]) + 0.3
    np.testing.assert_allclose(followed["time"], np.arange(12) / 20)


@contextmanager
def inputs_seen(detector):
    """The shapes (n, 3, height, width) that go through copies of the detector's network."""
    shapes = []
    hook = detector.network.register_forward_pre_hook(lambda network, inputs: shapes.append(tuple(inputs[0].shape)))
    try:
        yield shapes
    finally:
        hook.remove()


def test_the_window_is_small_and_the_whole_frame_is_searched_only_when_the_animal_is_lost(detector, wide_video):
    with inputs_seen(detector) as shapes:
        predict(detector, {"a": wide_video[0]}, runtime="torch", progress=False)
    areas = [height * width for _, _, height, width in shapes]
    assert sum(area == 480 * 320 for area in areas) <= 6
    assert all(area < 0.3 * 480 * 320 for area in areas if area != 480 * 320)


def test_a_killed_prediction_goes_on_to_the_same_result(detector, wide_video, tmp_path):
    path, _ = wide_video
    options = {"videos": {"a": path, "b": path}, "runtime": "torch", "progress": False}
    kept = options | {"checkpoint": tmp_path / "part", "checkpoint_every": 0.0}
    with inputs_seen(detector) as whole:
        expected = predict(detector, **options)
    left = []

    def interrupt(network, inputs):
        left.append(1)
        if len(left) == 18:
            raise KeyboardInterrupt

    hook = detector.network.register_forward_pre_hook(interrupt)
    with pytest.raises(KeyboardInterrupt):
        predict(detector, **kept)
    hook.remove()
    assert list((tmp_path / "part").rglob("rows-*.npz"))
    with inputs_seen(detector) as rest:
        resumed = predict(detector, **kept)
    assert len(rest) < len(whole) - 10
    np.testing.assert_array_equal(resumed["position"].values, expected["position"].values)
    np.testing.assert_array_equal(resumed["covariance"].values, expected["covariance"].values)
    assert not (tmp_path / "part").exists()


@pytest.mark.parametrize("batch_instants", [0, 3])
def test_windows_as_tasks_give_what_one_piece_gives(detector, wide_video, tmp_path, monkeypatch, batch_instants):
    monkeypatch.setattr(window_prediction, "RUN_IN", 4)
    monkeypatch.setattr(predicted_views, "PIECE", 5)
    short, _ = film(tmp_path / "short.mp4", 7)
    videos, options = {"a": wide_video[0], "b": short}, {"runtime": "torch", "precision": "fp32", "progress": False}
    options["batch_instants"] = batch_instants
    whole = predict(detector, videos, **options)
    with Pickling(1) as executor:
        path = predict_file(detector, videos, tmp_path / "views.nc", n_windows=3, executor=executor, **options)
    found = read_dataset(path)
    for name in whole.data_vars:  # a batch of other pictures is summed in another order
        np.testing.assert_allclose(found[name], whole[name], rtol=0, atol=2e-3 if batch_instants else 0)
    assert found.attrs.keys() == whole.attrs.keys()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["short.mp4", "views.nc"]


def test_cameras_in_one_batch_give_what_each_gives_alone(detector, wide_video, tmp_path):
    """As on a GPU: one batch per instant and size; a video may be shorter than the others."""
    path, _ = wide_video
    short, _ = film(tmp_path / "short.mp4", 7)
    videos = {"a": path, "b": short, "c": path}
    alone = predict(detector, videos, precision="fp32", runtime="torch", progress=False)
    with inputs_seen(detector) as shapes:
        together = predict(detector, videos, precision="fp32", runtime="torch", batch_instants=1, progress=False)
    np.testing.assert_allclose(together["position"].values, alone["position"].values, atol=1e-2)
    np.testing.assert_allclose(together["confidence"].values, alone["confidence"].values, atol=1e-3)
    assert sum(shape[0] == 3 for shape in shapes) >= 6
    assert np.isnan(together["position"].sel(view="b").values[7:]).all()


@pytest.mark.parametrize("track_crop", [True, False])
def test_instants_in_one_batch_give_what_each_gives_alone(detector, wide_video, tmp_path, track_crop):
    """As on a GPU: the animal's window stays where it is for some instants, so that it is seen a little off its middle;
    whole pictures are the same. In bfloat16 as well."""
    short, _ = film(tmp_path / "short.mp4", 7)
    videos, how = {"a": wide_video[0], "b": short}, {"runtime": "torch", "track_crop": track_crop, "progress": False}
    alone = predict(detector, videos, precision="fp32", **how)["position"].values
    with inputs_seen(detector) as shapes:
        together = predict(detector, videos, precision="fp32", batch_instants=4, **how)["position"].values
    assert max(shape[0] for shape in shapes) == (7 if track_crop else 8)  # of the first instant both are searched for
    half = predict(detector, videos, precision="bf16", batch_instants=4, **how)["position"].values
    np.testing.assert_array_equal(np.isnan(together), np.isnan(alone))
    off = np.linalg.norm(together - alone, axis=-1)
    assert np.nanmax(off) < (1.5 if track_crop else 1e-3)
    assert np.nanmedian(off) < 0.2
    assert np.nanmedian(np.linalg.norm(half - together, axis=-1)) < 0.5


def test_a_number_of_instants_that_is_none_is_refused(detector, wide_video):
    for wrong in (-1, True, 2.5):
        with pytest.raises(ValueError, match="batch_instants is a number of instants, 0 or more"):
            predict(detector, {"a": wide_video[0]}, batch_instants=wrong, progress=False)


def h264(path, pictures, rate=50):
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": "12", "g": "10", "bf": "2"})
        stream.height, stream.width, stream.pix_fmt = *pictures[0].shape[:2], "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def pictures():
    return [draw_animal(points, SIZE, i) for i, points in enumerate(animal_points(60, SIZE, seed=3))]


def test_rows_behind_a_damaged_stretch_are_those_of_the_intact_video(detector, pictures, tmp_path):
    path = h264(tmp_path / "a.mp4", pictures)
    damaged = overwrite(path, 0.03, 0.4, to=tmp_path / "b.mp4")
    intact, found = (predict(detector, {"a": p}, track_crop=False, progress=False) for p in (path, damaged))
    assert found.sizes == intact.sizes
    lost = np.isnan(found["position"].values[0]).all(axis=(1, 2))
    assert 1 <= lost.sum() <= 22
    np.testing.assert_array_equal(found["position"].values[0, ~lost], intact["position"].values[0, ~lost])
    first, last = np.flatnonzero(lost)[[0, -1]]
    assert lost[first : last + 1].all()
    words = f"camera 'a': {lost.sum()} frames cannot be decoded ({first}-{last}): they are gaps"
    assert found.attrs["notes"] == words
    assert list(found.attrs["damaged_frames"]) == [lost.sum()]


def test_chapters_give_what_the_whole_gives(detector, pictures, tmp_path):
    whole = h264(tmp_path / "whole.mp4", pictures)
    parts = [h264(tmp_path / f"{i}.mp4", pictures[a:b]) for i, (a, b) in enumerate(((0, 20), (20, 40), (40, 60)))]
    expected = predict(detector, {"a": whole}, track_crop=False, progress=False)
    found = predict(detector, {"a": parts}, track_crop=False, progress=False)
    np.testing.assert_allclose(found["time"].values, expected["time"].values, atol=1e-6)
    apart = np.linalg.norm(found["position"].values - expected["position"].values, axis=-1)
    assert np.median(apart) < 0.5  # each chapter is compressed by itself


def test_times_of_each_camera_put_its_frames_at_instants(detector, pictures, tmp_path):
    videos = {"a": h264(tmp_path / "a.mp4", pictures[:20]), "b": h264(tmp_path / "b.mp4", pictures[:17])}
    times = {"a": np.arange(20) / 50 + 3, "b": np.delete(np.arange(20), [5, 6, 7]) / 50 + 3.001}
    views = predict(detector, videos, times=times, track_crop=False, progress=False)
    assert np.flatnonzero(np.isnan(views["position"].sel(view="b").values).all(axis=(1, 2))).tolist() == [5, 6, 7]
    assert views["frame"].sel(view="b").values.tolist() == [0, 1, 2, 3, 4, -1, -1, -1, *range(5, 17)]
