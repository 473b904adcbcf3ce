"""Bodies proposed from a skeleton and frames."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from muybridge.datasets import Skeleton
from muybridge.triangulate import body_from_skeleton, plot_body, read_body
from muybridge.triangulate.bodies.rest_pose import rest_places

NAMES = (
    "tail_base", "spine", "neck_base", "l_shoulder", "l_front_knee", "l_front_ankle", "l_hip", "r_hip", "l_back_knee",
)  # fmt: skip
BONES = (
    ("spine", "tail_base"), ("spine", "neck_base"), ("neck_base", "l_shoulder"), ("l_shoulder", "l_front_knee"),
    ("l_front_knee", "l_front_ankle"), ("spine", "l_hip"), ("spine", "r_hip"), ("l_hip", "l_back_knee"),
)  # fmt: skip
SKELETON = Skeleton(NAMES, BONES, (("l_hip", "r_hip"),), root="spine")


@pytest.fixture(scope="module")
def frames():
    body, rng = read_body("cheetah"), np.random.default_rng(0)
    angles = np.tile(body.rest_angles, (60, 1)) + 0.3 * rng.normal(size=(60, body.plan.n_angles))
    angles[:, 3] += 1.0
    points = body.markers(angles)[:, [body.marker_names.index(name) for name in NAMES]]
    return points


def test_what_keeps_its_distances_is_one_segment(frames):
    body = body_from_skeleton(SKELETON, frames)
    by_name = {marker.name: marker.segment for marker in body.attachments}
    assert by_name["tail_base"] == by_name["l_hip"] == by_name["r_hip"] == by_name["spine"]
    assert by_name["neck_base"] != by_name["spine"]
    assert body.marker_names == NAMES


def test_the_rest_pose_looks_forwards_with_the_left_on_the_left(frames):
    places = dict(zip(NAMES, rest_places(body_from_skeleton(SKELETON, frames)), strict=False))
    assert places["neck_base"][0] > places["tail_base"][0]
    assert places["l_hip"][1] > places["r_hip"][1]
    assert places["l_front_ankle"][2] < places["neck_base"][2]


def test_bones_have_their_lengths(frames):
    places = dict(zip(NAMES, rest_places(body_from_skeleton(SKELETON, frames)), strict=False))
    knee = np.linalg.norm(places["l_front_knee"] - places["l_shoulder"])
    assert knee == pytest.approx(240, rel=1e-6)


def test_missing_points_leave_out_their_frames_only(frames):
    holes = frames.copy()
    holes[::7, 4] = np.nan
    holes[3] = np.nan
    assert body_from_skeleton(SKELETON, holes).marker_names == NAMES


def test_bad_input_is_refused_with_the_reason(frames):
    with pytest.raises(ValueError, match="expected \\(n_frames, 9, 3\\)"):
        body_from_skeleton(SKELETON, frames[:, :3])
    with pytest.raises(ValueError, match="no bone leads"):
        body_from_skeleton(Skeleton(NAMES, BONES[:-1], root="spine"), frames)
    with pytest.raises(ValueError, match="5 are needed"):
        body_from_skeleton(SKELETON, frames[:3])


def test_a_body_is_drawn_with_its_markers_on_the_axes_given():
    ax = Figure().subplots()
    assert plot_body(read_body("human"), ax) is ax
    assert {text.get_text() for text in ax.texts} == set(read_body("human").marker_names)
    assert len(ax.lines) == len(read_body("human").bones)
