"""Labelled videos show the points where they are; the training plot draws on the axes it is given."""

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from muybridge.datasets import frame_times, views_dataset
from muybridge.formats.video.reading import read_frames
from muybridge.pose2d import draw_pose, label_video, plot_training, probe_video
from tests.pose2d.animals import KEYPOINTS, animal_points, write_video

SIZE = (128, 96)
matplotlib.use("agg")


def test_points_are_drawn_where_they_are_and_missing_ones_are_not():
    image = np.zeros((60, 80, 3), np.uint8)
    points = np.array([[20.0, 30.0], [np.nan, np.nan], [60.0, 10.0]])
    drawn = draw_pose(
        image, points, np.array([1.0, 1.0, 0.01]), bones=[(0, 2)], covariances_2d=np.tile(np.eye(2), (3, 1, 1))
    )
    assert drawn[30, 20].max() > 200
    assert drawn[10, 60].max() == 0
    assert image.max() == 0


def test_a_labelled_video_has_as_many_frames_of_the_same_size(tmp_path):
    points = animal_points(6, SIZE)
    video = write_video(tmp_path / "a.mp4", points, SIZE)
    covariances = np.tile(4.0 * np.eye(2), (1, 6, 4, 1, 1))
    views = views_dataset(
        points[None], cameras=["a"], keypoints=KEYPOINTS, times=frame_times(6, 25), covariances_2d=covariances
    )
    path = label_video(views, "a", video, tmp_path / "out" / "a.mp4", bones=[("nose", "tail")], ellipses=True)
    info = probe_video(path)
    assert (info.width, info.height, info.n_frames, info.fps) == (128, 96, 6, 25)
    assert [p.name for p in path.parent.iterdir()] == ["a.mp4"]


def test_each_of_several_animals_has_its_own_colour_and_name(tmp_path):
    points = animal_points(2, SIZE)
    video = write_video(tmp_path / "a.mp4", points, SIZE)
    both = np.stack([points, points + np.array([60, 0])])[:, None]
    views = views_dataset(both, cameras=["a"], keypoints=KEYPOINTS, times=frame_times(2, 25))
    path = label_video(views, "a", video, tmp_path / "b.mp4", bones=[("nose", "tail")])
    picture = next(read_frames(path))
    middles = [np.rint(own[0, 0, [0, 3]].mean(axis=0)).astype(int) for own in both]
    blue, orange = (picture[y - 1 : y + 2, x - 1 : x + 2].reshape(-1, 3).mean(0) for x, y in middles)
    assert (blue[2] - blue[0]) - (orange[2] - orange[0]) > 40
    plain = next(read_frames(label_video(views.isel(individual=0), "a", video, tmp_path / "c.mp4")))
    top = int(points[0, :, 1].min())
    assert (np.abs(picture[: top - 3].astype(int) - plain[: top - 3]) > 60).any()


def test_the_training_plot_shows_loss_and_held_out_error(detector):
    ax = Figure().subplots()
    assert plot_training(detector, ax) is ax
    assert len(ax.lines[0].get_xdata()) == 2
