"""A picture's declared size is read from its header, as OpenCV finds it, and what is too large is not decoded."""

import os
import struct
import zlib

import cv2
import numpy as np
import pytest

from muybridge.calibration import CalibrationError
from muybridge.calibration.boards.image_sources import gray_frames
from muybridge.formats.labels.picture_copies import encoded_picture
from muybridge.formats.video.picture_headers import check_picture, declared_size
from muybridge.formats.video.reading import VideoError, probe_video, read_picture
from tests.helpers import write_picture_video


def png(path, width, height):
    """A picture of zeros of which only the header says how large it is."""
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"")),
        (b"IEND", b""),
    )
    chunks = [struct.pack(">I", len(c)) + n + c + struct.pack(">I", zlib.crc32(n + c)) for n, c in parts]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    return path


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".tif", ".ppm", ".pgm", ".webp"])
def test_the_header_says_the_size_that_opencv_decodes(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    shape = (37, 53) if suffix == ".pgm" else (37, 53, 3)
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 256, shape, np.uint8))
    assert read_picture(path).shape[:2] == (37, 53)
    with path.open("rb") as stream:
        assert declared_size(stream) == ((1 << 14, 1 << 14) if suffix == ".webp" else (53, 37))


@pytest.mark.parametrize(
    "read",
    [
        read_picture,
        lambda path: encoded_picture(path, 100, path.with_name("copies")),
        lambda path: list(gray_frames([path], "a")),
    ],
)
def test_a_picture_of_10_to_the_9_pixels_is_not_decoded(tmp_path, read):
    path = png(tmp_path / "a.png", 32_000, 32_000)
    with pytest.raises((VideoError, CalibrationError), match=r"a\.png: 32000 x 32000 pixels: .*MUYBRIDGE_MAX_GB=3"):
        read(path)


def test_the_user_raises_the_limit(tmp_path, monkeypatch):
    monkeypatch.setenv("MUYBRIDGE_MAX_GB", "0.0001")
    path = png(tmp_path / "a.png", 400, 300)
    with pytest.raises(VideoError, match="MUYBRIDGE_MAX_GB=2"):
        check_picture(path)
    monkeypatch.setenv("MUYBRIDGE_MAX_GB", "2")
    check_picture(path)


@pytest.mark.parametrize(
    "content", [b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\0\xff\xff\xff\xff", b"BM" + bytes(13), b"P6 x"]
)
def test_what_is_no_picture_or_cut_off_is_refused(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(VideoError, match=r"a\.png cannot be read as a picture"):
        read_picture(tmp_path / "a.png")


def test_a_pipe_is_no_picture_and_no_video(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    for read in (read_picture, probe_video):
        with pytest.raises(VideoError, match=r"there is no .*a\.png"):
            read(tmp_path / "a.png")


def test_a_video_of_huge_frames_is_not_decoded(tmp_path, monkeypatch):
    path = write_picture_video(tmp_path / "a.avi", [np.zeros((64, 64), np.uint8)] * 2)
    monkeypatch.setenv("MUYBRIDGE_MAX_GB", "0.00001")
    with pytest.raises(VideoError, match=r"frames of 64 x 64 pixels: .*MUYBRIDGE_MAX_GB"):
        probe_video(path)


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n",
        "ffconcat version 1.0\nfile /etc/hostname\n",
        "v=0\nm=video 5004 RTP/AVP 96\n",
    ],
)
def test_a_list_of_addresses_is_no_video(tmp_path, text):
    (tmp_path / "a.mp4").write_text(text)
    with pytest.raises(VideoError, match="cannot be read as a video"):
        probe_video(tmp_path / "a.mp4")
