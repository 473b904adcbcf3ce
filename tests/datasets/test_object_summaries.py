"""What objects show of themselves: one short line, and a table of which no text can become markup."""

from dataclasses import replace
from xml.etree import ElementTree

import numpy as np

from muybridge.calibration import calibrate, simulate_detections
from muybridge.cameras import CameraRig
from muybridge.datasets.object_summaries import N_NAMES, N_ROWS, html_summary, listed
from muybridge.triangulate import read_body, smooth


def text_of(shown):
    """The line and the rows of the table of an object; parsing fails where a text has become markup."""
    page = ElementTree.fromstring(f"<div>{shown._repr_html_()}</div>")
    return page.findtext("p"), [[cell.text or "" for cell in row] for row in page.iter("tr")]


def test_texts_are_escaped_and_numbers_short():
    page = html_summary("<a & b>", ("<i>",), [("<script>",), (1 / 3,), (float("nan"),), (None,), (7,)])
    assert "<script>" not in page
    assert page.startswith("<p>&lt;a &amp; b&gt;</p>")
    cells = [cell.text for cell in ElementTree.fromstring(f"<div>{page}</div>").iter("td")]
    assert cells == ["<script>", "0.3333", "–", "–", "7"]


def test_long_lists_and_tables_say_how_much_more_there_is():
    assert listed([str(i) for i in range(N_NAMES)]).endswith("7")
    assert listed([str(i) for i in range(N_NAMES + 3)]).endswith("7 and 3 more")
    assert html_summary("", ("",), [(i,) for i in range(N_ROWS + 5)]).count("<tr>") == 1 + N_ROWS + 1


def test_a_rig_shows_its_cameras(ring_rig):
    assert repr(ring_rig) == (
        "<CameraRig: 6 cameras (cam_0, cam_1, cam_2, cam_3, cam_4, cam_5), unit mm, up (0, 0, 1)>"
    )
    odd = CameraRig((replace(ring_rig[0], name="<b>left"),))
    line, rows = text_of(odd)
    assert line == repr(odd) == "<CameraRig: 1 camera (<b>left), unit mm, up unknown>"
    assert rows[1][:4] == ["<b>left", "1280 x 1024", "pinhole", "950"]


def test_a_calibration_shows_errors_and_warnings():
    calibration = calibrate(simulate_detections(), distortion_model=0, progress=False)
    assert repr(calibration).startswith(
        "<Calibration: 2 cameras (left, right), 12 frames with a board, held-out error 0."
    )
    assert repr(calibration).endswith("(median), no warnings>")
    assert [row[:2] for row in text_of(calibration)[1][1:]] == [["left", "12"], ["right", "12"], ["all", "12"]]
    warned = replace(calibration, report=replace(calibration.report, warnings=("left <moved>",)))
    assert repr(warned).endswith("1 warning>")
    assert "warning: left &lt;moved&gt;" in warned._repr_html_()


def test_a_trajectory_shows_each_keypoint(ring_rig, moving_skeleton):
    points_2d = ring_rig.project(moving_skeleton[:20, :2])
    points_2d[:, :, 1] = np.nan
    found = smooth(points_2d, ring_rig, fps=100.0)
    line, rows = text_of(found)
    assert line == repr(found) == "<Trajectory: 20 frames (0.2 s) of 2 keypoints from 6 cameras, converged>"
    assert rows[1][:2] == ["0", "100"]
    assert rows[2][:3] == ["1", "0", "–"]


def test_a_body_shows_its_segments():
    body = read_body("rodent")
    line, rows = text_of(body)
    assert line.startswith(f"<Body 'rodent': {len(body.segments)} segments, {len(body.marker_names)} markers")
    assert len(rows) == 1 + len(body.segments)
    assert "°" in "".join(row[3] for row in rows)
