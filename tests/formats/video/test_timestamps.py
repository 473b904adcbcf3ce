"""Timestamps in the forms that recording programs write."""

import numpy as np
import pytest

from muybridge.formats.files import FormatError
from muybridge.formats.video.timestamps import read_timestamps

SECONDS = [5.0, 5.01, 5.03]


@pytest.mark.parametrize(
    ("text", "fps"),
    [
        ("5\n5.01\n5.03\n", None),
        ("5000 \n5010 \n5030", 100),
        ("0 5\n1 5.01\n2 5.03\n", None),
        ("0,5\n1,5.01\n2,5.03\n", None),
        ("frame,timestamp\n0,5\n1,5.01\n2,5.03\n", None),
        ("frame;time_ms\n0;5000\n1;5010\n2;5030\n", None),
        ("frame,timestamp (ns)\n0,5000000000\n1,5010000000\n2,5030000000\n", None),
        ("frame,timestamp\n0,5000000000\n1,5010000000\n2,5030000000\n", 100),
        ("cam_id,frame_index,frame_time\n1,0,6\n0,0,5\n0,1,5.01\n1,1,7\n0,2,5.03\n", None),
    ],
)
def test_every_form_gives_seconds(tmp_path, text, fps):
    (tmp_path / "t.csv").write_text(text)
    np.testing.assert_allclose(read_timestamps(tmp_path / "t.csv", "cam_00", fps=fps), SECONDS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("frame,value\n0,5\n1,6\n2,7\n", "no column of times"),
        ("time\n5\n4\n", "frame 1, 4, is not after"),
        ("time\n5\nx\n", "frame 1 in column 'time' is no number"),
        ("cam_id,time\n3,5\n4,6\n", "times of cameras .*none of 'cam_00'"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, message):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(FormatError, match=message):
        read_timestamps(tmp_path / "t.csv", "cam_00")


def test_times_that_fit_no_unit_are_refused(tmp_path):
    (tmp_path / "t.csv").write_text("time\n0\n500\n1000\n")
    with pytest.raises(FormatError, match="with its unit"):
        read_timestamps(tmp_path / "t.csv", fps=3e7)
