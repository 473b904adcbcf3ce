"""Frames come in order under their numbers, whatever is wrong with the file."""

import struct

import cv2
import numpy as np
import pytest

from muybridge.formats.video.reading import VideoError, probe_video, read_frames, read_frames_at, read_picture
from muybridge.formats.video.writing import open_video_writer
from tests.helpers import cut_off, damage_frame, write_picture_video, write_video


@pytest.fixture
def video(tmp_path):
    """Eight frames of noise around the grey values 30, 50, 70, ..."""
    rng = np.random.default_rng(0)
    pictures = [rng.integers(10 + 20 * i, 50 + 20 * i, (96, 128, 3), np.uint8) for i in range(8)]
    return write_picture_video(tmp_path / "a.avi", pictures)


def number_of(image):
    return None if image is None else round((float(image.mean()) - 30) / 20)


def test_frames_come_in_order(video):
    assert [number_of(image) for image in read_frames(video)] == list(range(8))
    assert [number_of(image) for image in read_frames(video, 2, 5)] == [2, 3, 4]


@pytest.mark.parametrize("frames", [[5, 0, 3], [7], [], [2, 40, 400], range(8)])
def test_single_frames_are_those_of_the_whole_video(video, frames):
    whole = list(read_frames(video))
    found = dict(read_frames_at(video, frames))
    assert list(found) == sorted(frame for frame in frames if frame < 8)
    for number, image in found.items():
        np.testing.assert_array_equal(image, whole[number])


def test_a_damaged_frame_is_none_and_the_others_keep_their_numbers(video):
    damage_frame(video, 3)
    assert [number_of(image) for image in read_frames(video)] == [0, 1, 2, None, 4, 5, 6, 7]
    assert {number: number_of(image) for number, image in read_frames_at(video, [3, 6])} == {3: None, 6: 6}


def test_a_file_that_was_cut_off_ends_early(video):
    cut_off(video, 5)
    images = list(read_frames(video))
    assert [number_of(image) for image in images[:5]] == list(range(5))
    assert not any(image is not None for image in images[5:])


def test_colours_are_red_green_blue(tmp_path):
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 200
    cv2.imwrite(str(tmp_path / "a.png"), red[..., ::-1])
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png"), red)
    (image,) = read_frames(write_picture_video(tmp_path / "a.avi", [red]))
    assert image is not None
    np.testing.assert_allclose(image, red, atol=8)


def test_what_is_wrong_with_a_file_is_said(tmp_path):
    with pytest.raises(VideoError, match="there is no video"):
        probe_video(tmp_path / "absent.mp4")
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(VideoError, match="is empty"):
        list(read_frames_at(tmp_path / "empty.mp4", [0]))
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(VideoError, match="cannot be read as a picture"):
        read_picture(tmp_path / "text.png")


def test_a_written_video_is_read_back_and_one_that_failed_leaves_nothing(tmp_path):
    def write(path, fail):
        with open_video_writer(path, 20.0, (64, 48)) as writer:
            for value in (50, 150):
                writer.write(np.full((48, 64, 3), value, np.uint8))
            if fail:
                raise RuntimeError

    write(tmp_path / "a.mp4", fail=False)
    assert probe_video(tmp_path / "a.mp4").fps == 20
    assert [round(float(image.mean()), -1) for image in read_frames(tmp_path / "a.mp4") if image is not None] == [
        50,
        150,
    ]
    with pytest.raises(RuntimeError):
        write(tmp_path / "b.mp4", fail=True)
    with pytest.raises(VideoError, match="cannot be written as a video"):
        write(tmp_path / "b.words", fail=False)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_a_portrait_video_that_says_it_is_turned_is_read_upright(tmp_path):
    """A telephone films across and writes a turn by 90 degrees into the track's header (ISO 14496-12, 8.3.2)."""
    path = write_video(tmp_path / "a.mp4", n_frames=4)
    across = list(read_frames(path))
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 44
    content[at : at + 36] = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 120 << 16, 0, 1 << 30)
    turned = tmp_path / "turned.mp4"
    turned.write_bytes(content)
    info = probe_video(turned)
    assert (info.width, info.height, info.n_frames) == (120, 160, 4)
    for upright, frame in zip(read_frames(turned), across, strict=True):
        np.testing.assert_array_equal(upright, np.rot90(frame, -1))


@pytest.mark.parametrize("n_bits", [8, 10, 12, 16])
@pytest.mark.parametrize("colour", [True, False])
def test_pictures_of_10_or_12_bits_in_16_are_as_bright_as_those_of_8(tmp_path, n_bits, colour):
    shape = (6, 7, 3) if colour else (6, 7)
    plain = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    plain.flat[0] = 255
    deep = plain if n_bits == 8 else plain.astype(np.uint16) << (n_bits - 8)
    cv2.imwrite(str(tmp_path / "a.png"), deep)
    expected = plain[..., ::-1] if colour else np.repeat(plain[..., None], 3, axis=-1)
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png"), expected)
