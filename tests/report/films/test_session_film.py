import cv2
import numpy as np
import pytest

from muybridge.formats.video.reading import probe_video, read_frames
from muybridge.report import write_film
from muybridge.report.films.grid_of_cameras import grid_pictures
from muybridge.report.films.painting import SIDES
from muybridge.report.films.skeleton_view import skeleton_pictures

ALL = ("views", "videos", "pose", "rig", "skeleton")


def n_like(image, colour, off=40):
    return int((np.abs(image.astype(int) - colour).max(-1) < off).sum())


@pytest.mark.parametrize(("kind", "size"), [("grid", (320, 256)), ("skeleton", (320, 240)), ("both", (660, 256))])
def test_a_film_shows_its_frames_at_its_speed(session, tmp_path, kind, size):
    found = {name: session[name] for name in ALL}
    path = write_film(tmp_path / "film.mp4", kind, **found, frames=(10, 14), speed=0.25, width=320, turn=90.0)
    info = probe_video(path)
    assert (info.width, info.height, info.n_frames, info.fps) == (*size, 4, 25)
    assert all(image is not None and np.ptp(image) > 60 for image in read_frames(path))


def test_reprojections_and_detections_are_drawn_where_they_lie(session, rig, skeleton):
    views, videos = session["views"], session["videos"]
    options = {"pose": session["pose"], "rig": rig, "skeleton": skeleton, "width": 640}
    (grid,) = grid_pictures(views, videos, range(30, 31), **options)
    assert grid.shape == (512, 640, 3)
    assert n_like(grid, SIDES[1]) > 20
    assert n_like(grid, SIDES[2]) > 20
    # the second camera stands right of the first, a quarter of its own size
    at = (rig.project(session["pose"]["position"].sel(keypoint="left_hip").values[30])[1] + 0.5) / 4 - 0.5
    x, y = np.rint(at).astype(int)
    assert n_like(grid[y - 3 : y + 4, 320 + x - 3 : 320 + x + 4], SIDES[1], 70) > 0
    (bare,) = grid_pictures(views, videos, range(30, 31), pose=None, rig=None, skeleton=None, width=640)
    assert (bare != grid).any()


def test_the_skeleton_is_drawn_in_the_colours_of_its_sides_whatever_the_view(session, rig, skeleton):
    turned = skeleton_pictures(session["pose"], range(5, 8), rig=rig, skeleton=skeleton, size=(400, 300), turn=3000.0)
    pictures = list(turned)
    for image in pictures:
        assert n_like(image, (42, 111, 196)) > 30
        assert n_like(image, (207, 90, 34)) > 30
    assert (pictures[0] != pictures[2]).any()


def test_missing_points_and_pictures_leave_a_gap(session, tmp_path):
    pose = session["pose"].copy(deep=True)
    pose["position"][:] = np.nan
    path = write_film(
        tmp_path / "film.mp4", "skeleton", pose=pose, skeleton=session["skeleton"], frames=(0, 2), width=64
    )
    assert probe_video(path).n_frames == 2
    first = next(iter(session["videos"]))
    short = tmp_path / "short.mp4"
    writer = cv2.VideoWriter(str(short), cv2.VideoWriter.fourcc(*"mp4v"), 100, (1280, 1024))
    writer.write(np.full((1024, 1280, 3), 200, np.uint8))
    writer.release()
    views = session["views"].sel(view=[first])
    pictures = list(grid_pictures(views, {first: short}, range(2), pose=None, rig=None, skeleton=None, width=320))
    assert pictures[0].mean() > 150
    assert pictures[1].mean() < 20


@pytest.mark.parametrize(
    ("options", "message"),
    [({"kind": "cube"}, "known: grid, skeleton, both"), ({"speed": 0.0}, "must be positive"),
     ({"frames": (3, 99)}, "the one after the last of 60"), ({"views": None}, "needs views"),
     ({"videos": {}}, "needs videos")],
)  # fmt: skip
def test_what_cannot_be_filmed_is_refused(session, tmp_path, options, message):
    found = {name: session[name] for name in ALL} | {"kind": "both"} | options
    with pytest.raises(ValueError, match=message):
        write_film(tmp_path / "film.mp4", **found)
    assert not list(tmp_path.iterdir())
