"""What a decoder will not give is foreseen from the packets."""

import numpy as np
import pytest

from muybridge.formats.video.damage import foreseen_losses
from muybridge.formats.video.reading import read_frames
from tests.helpers import damage_frame, overwrite, write_numbered_video, write_picture_video

N_FRAMES = 120


def undecoded(path):
    return [number for number, picture in enumerate(read_frames(path)) if picture is None]


@pytest.fixture(scope="module")
def h264(tmp_path_factory):
    return write_numbered_video(tmp_path_factory.mktemp("videos") / "a.mp4", np.arange(N_FRAMES) / 100)


@pytest.mark.parametrize("at", [0.13, 0.4, 0.77])
def test_most_of_what_a_damaged_stretch_loses_is_foreseen(h264, tmp_path, at):
    damaged = overwrite(h264, 0.03, at, to=tmp_path / "b.mp4")
    (foreseen, n_frames), lost = foreseen_losses(damaged), undecoded(damaged)
    assert n_frames == N_FRAMES
    assert lost
    # a decoder trusts no key frame that may have been stored before the damage
    assert set(foreseen) <= set(range(lost[0], lost[-1] + 1))
    assert len(foreseen) >= 0.4 * len(lost)


def test_a_damaged_picture_of_motion_jpeg_is_foreseen_alone(tmp_path):
    path = write_picture_video(tmp_path / "a.avi", [np.full((48, 64, 3), 9 * i, np.uint8) for i in range(12)])
    damage_frame(path, 5)
    assert foreseen_losses(path)[0].tolist() == undecoded(path) == [5]
    assert foreseen_losses([path, path])[0].tolist() == [5, 17]


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_nothing_is_foreseen_of_a_sound_video(tmp_path, codec):
    path = write_numbered_video(tmp_path / "a.mp4", np.arange(30) / 25, codec=codec, rate=25)
    foreseen, n_frames = foreseen_losses(path)
    assert (len(foreseen), n_frames) == (0, 30)
    assert undecoded(path) == []
