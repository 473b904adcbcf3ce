"""Smaller copies of pictures: made while a frame is in memory, and used as long as the picture stays the same."""

import os

import cv2
import numpy as np

from muybridge.formats.labels.deeplabcut_project import write_project
from muybridge.formats.labels.picture_copies import COPIES, encoded_picture
from tests.helpers import write_video


def test_extracted_pictures_are_shown_without_being_read(tmp_path):
    write_video(tmp_path / "top.mp4", 3, size=(1200, 400))
    folder = write_project(tmp_path / "labels", {"top": (tmp_path / "top.mp4", [0, 2])})
    for path in sorted((folder / "labeled-data" / "top").glob("*.png")):
        picture, written = cv2.imread(str(path)), path.stat().st_mtime_ns
        path.write_bytes(b"no picture")
        os.utime(path, ns=(written, written))
        for width in (300, 480, 960):
            jpeg = encoded_picture(path, width, folder / COPIES / "top")
            shown = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
            whole = cv2.resize(picture, shown.shape[1::-1], interpolation=cv2.INTER_AREA)
            assert shown.shape[1] == max(width, 480)
            assert np.abs(shown.astype(int) - whole).mean() < 4


def test_a_picture_that_was_replaced_is_read_again(tmp_path):
    path, copies = tmp_path / "img0.png", tmp_path / "copies"
    for shade, age in ((20, 0), (220, 10)):
        cv2.imwrite(str(path), np.full((60, 640, 3), shade, np.uint8))
        os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + age * 10**9))
        shown = cv2.imdecode(np.frombuffer(encoded_picture(path, 480, copies), np.uint8), cv2.IMREAD_COLOR)
        assert abs(int(shown.mean()) - shade) <= 2
    assert [copy.name for copy in copies.iterdir()] == ["img0-480.jpg"]  # the other one in spare time
