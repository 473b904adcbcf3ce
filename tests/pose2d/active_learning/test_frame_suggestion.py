"""From videos to the first labels, and from uncertain predictions to the next ones."""

import numpy as np
import pytest

from muybridge.datasets import frame_times, views_dataset
from muybridge.pose2d import (
    LabelError,
    VideoError,
    export_suggestions,
    extract_frames,
    pseudo_labels,
    read_labels,
    suggest_frames,
)
from muybridge.pose2d.active_learning.frame_extraction import representatives
from tests.pose2d.animals import KEYPOINTS, animal_points, write_video

SIZE = (128, 96)


@pytest.fixture(scope="module")
def filmed(tmp_path_factory):
    """Two cameras of 24 frames and what they show."""
    folder = tmp_path_factory.mktemp("filmed")
    points = np.stack([animal_points(24, SIZE, seed) for seed in (0, 1)])
    videos = {name: write_video(folder / f"{name}.mp4", points[i], SIZE) for i, name in enumerate("ab")}
    return videos, points


def make_views(points, confidence=None):
    times = frame_times(points.shape[1], 25)
    return views_dataset(points, cameras=["a", "b"], keypoints=KEYPOINTS, times=times, confidence=confidence)


@pytest.mark.parametrize("method", ["uniform", "kmeans"])
def test_extracted_frames_are_a_project_of_the_same_instants_in_all_cameras(filmed, tmp_path, method):
    videos, _ = filmed
    project = extract_frames(videos, 5, tmp_path / "project", keypoints=KEYPOINTS, method=method)
    pictures = {name: sorted(p.name for p in (project / "labeled-data" / name).glob("*.png")) for name in "ab"}
    assert pictures["a"] == pictures["b"]
    assert len(pictures["a"]) == 5
    config = (project / "config.yaml").read_text()
    assert '- "ear_left"' in config
    assert "multianimalproject: false" in config
    with pytest.raises(LabelError, match="holds no labelled frame"):
        read_labels(project)
    with pytest.raises(LabelError, match="its labels are kept"):
        extract_frames(videos, 5, project, keypoints=KEYPOINTS)


def test_several_recordings_share_the_number_of_instants(filmed, tmp_path):
    videos, _ = filmed
    project = extract_frames([videos, {"a": videos["b"]}], 5, tmp_path, method="uniform")
    counts = {folder.name: len(list(folder.glob("*.png"))) for folder in (project / "labeled-data").iterdir()}
    assert counts == {"0_a": 3, "0_b": 3, "1_a": 2}


def test_more_frames_than_the_video_has_and_senseless_options_are_refused(filmed, tmp_path):
    videos, _ = filmed
    with pytest.raises(VideoError, match="share only 24"):
        extract_frames(videos, 25, tmp_path)
    with pytest.raises(ValueError, match="method must be"):
        extract_frames(videos, 3, tmp_path, method="best")
    with pytest.raises(ValueError, match="n must be at least one"):
        extract_frames(videos, 0, tmp_path)


def test_clusters_are_each_represented_once():
    rng = np.random.default_rng(0)
    centres = np.array([[0, 0], [10, 0], [0, 10], [10, 10.0]])
    features = np.repeat(centres, 25, axis=0) + rng.normal(0, 0.3, (100, 2))
    assert sorted(representatives(features, 4) // 25) == [0, 1, 2, 3]
    assert len(set(representatives(np.zeros((5, 2)), 5))) == 5


def test_the_frames_that_are_wrong_are_suggested(filmed):
    _, points = filmed
    wrong = points.copy()
    wrong[0, 7] += 60
    wrong[1, 15, 2] += 40
    found = suggest_frames(make_views(wrong), n=2)
    assert list(found.columns) == ["view", "frame", "time", "score"]
    assert set(zip(found["view"], found["frame"], strict=True)) == {("a", 7), ("b", 15)}
    assert found["time"].iloc[0] == found["frame"].iloc[0] / 25


def test_given_scores_decide_and_suggestions_keep_their_distance(filmed):
    _, points = filmed
    error = np.zeros((2, 24, 4))
    error[1, 10:13] = 50.0
    found = suggest_frames(make_views(points), error, n=2, min_gap=0.2)
    assert found["view"].iloc[0] == "b"
    assert found["frame"].iloc[0] in (10, 11, 12)
    many = suggest_frames(make_views(points), {"reprojection": error}, n=8, min_gap=0.12)
    for _, rows in many.groupby("view"):
        assert np.diff(np.sort(rows["frame"])).min() >= 3
    assert many["view"].value_counts().max() <= 5
    with pytest.raises(ValueError, match=r"score 'reprojection' has shape \(3, 24\)"):
        suggest_frames(make_views(points), {"reprojection": np.zeros((3, 24))})


def test_suggestions_become_a_prefilled_project(filmed, tmp_path):
    videos, points = filmed
    views = make_views(points)
    found = suggest_frames(views, n=4)
    project = export_suggestions(found, videos, tmp_path / "next", views, bones=[("nose", "tail")])
    labels = read_labels(project)
    assert len(labels) == 4
    for camera, instant, row in zip(labels.cameras, labels.instants, labels.points_2d, strict=True):
        np.testing.assert_allclose(row, points["ab".index(camera), instant], atol=1e-3)


def test_pseudo_labels_need_the_support_of_several_cameras(filmed):
    videos, points = filmed
    support = np.full((24, 4), 3)
    support[5:], support[:, 3] = 2, 1
    error = np.zeros((24, 4))
    error[1] = 9.0
    labels = pseudo_labels(make_views(points), videos, support, min_views=3, max_error=5.0, error=error)
    assert labels.instants == (0, 2, 3, 4) * 2
    assert np.isnan(labels.points_2d[:, 3]).all()
    np.testing.assert_array_equal(labels.points_2d[0, :3], points[0, 0, :3])
    assert labels.image(7).shape == (96, 128, 3)
    with pytest.raises(LabelError, match="supported by 4 cameras"):
        pseudo_labels(make_views(points), videos, support, min_views=4)
