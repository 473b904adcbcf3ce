"""What is set is in the files at once: the library's own and DeepLabCut's; nothing is lost on opening again."""

import json

import numpy as np
import pytest

from muybridge.datasets import content_hash, read_dataset
from muybridge.formats.labels.deeplabcut_project import write_label_csv
from muybridge.labelling.instant_records import Point
from muybridge.labelling.label_project import LabelProject, StaleRevision
from muybridge.pose2d import LabelError, extract_frames, read_labels
from tests.labelling.conftest import KEYPOINTS, get, pictures_of, post, wait_until, write_pictures

POINTS = {
    "left": {
        "nose": Point(3.25, 4.0),
        "tail": Point(9.5, 8.125, "occluded"),
        "left_paw": Point(np.nan, np.nan, "absent"),
    },
    "right": {"nose": Point(30.0, 20.0, "visible", "3d")},
}


@pytest.fixture
def project(pictures):
    opened = LabelProject(pictures, keypoints=KEYPOINTS)
    yield opened
    opened.close()


def decoded(server, instant):
    """Wait until the pictures of an instant in all three cameras are there."""

    def shown():
        address = f"api/pictures?project=labels&instant={instant}&cameras=0,1,2&width=100"
        return {
            camera for camera, picture in pictures_of(get(server, address)[1]).items() if isinstance(picture, bytes)
        }

    wait_until(shown, lambda cameras: cameras == {0, 1, 2})


def reopened(project, **options):
    project.close()
    return LabelProject(project.root, **({"keypoints": KEYPOINTS} | options))


def test_a_change_is_in_its_own_file_and_in_deeplabcuts_tables(project):
    project.change(7, 0, POINTS)
    written = json.loads((project.root / "labelling" / "000007.json").read_text())
    assert written["points"]["left"]["tail"] == [9.5, 8.125, "occluded", "hand"]
    project.tables.flush()
    labels = read_labels(project.root)
    assert labels.cameras == ("left", "right")
    assert labels.instants == (7, 7)
    # what is not visible is no label to train on
    np.testing.assert_array_equal(labels.points_2d[0], [[3.25, 4], [np.nan] * 2, [np.nan] * 2])
    np.testing.assert_array_equal(labels.points_2d[1, 0], [30, 20])
    assert (project.root / "config.yaml").is_file()


def test_a_point_accepted_as_other_views_have_it_is_a_label_but_no_observation(project):
    project.change(7, 0, POINTS)
    labelled = project.points_2d([7], cameras=project.cameras)
    observed = project.points_2d([7], cameras=project.cameras, observed_only=True)
    assert np.isfinite(labelled[:, 0, 0]).all(axis=-1).tolist() == [True, True]
    assert np.isfinite(observed[:, 0, 0]).all(axis=-1).tolist() == [True, False]


def test_opening_again_loses_nothing(project):
    project.change(7, 0, POINTS)
    again = reopened(project, keypoints=())
    assert again.keypoints == KEYPOINTS
    points = {c: {k: p.as_list() for k, p in own.items()} for c, own in POINTS.items()}
    assert again.record(7).as_json() == {"revision": 1, "points": points}
    again.close()


def test_a_table_that_was_not_written_before_a_crash_is_written_on_opening(project):
    project.change(7, 0, POINTS)
    project.tables.flush()
    for table in project.root.glob("labeled-data/*/*.csv"):
        table.unlink()
    again = reopened(project)
    again.tables.flush()
    assert len(read_labels(project.root)) == 2
    again.close()


def test_what_another_labeller_changed_in_a_table_since_is_taken_over(project):
    project.change(7, 0, POINTS)
    project.tables.flush()
    path = project.root / "labeled-data/left/CollectedData_me.csv"
    rows = [f"labeled-data/left/img{i:06d}.png" for i in (4, 7, 12)]
    points = np.full((3, 3, 2), np.nan)
    points[0, 1], points[1, 0] = (5, 6), (33, 44)
    write_label_csv(path, rows, points, KEYPOINTS, "me")
    again = reopened(project)
    assert again.record(4).points["left"] == {"tail": Point(5.0, 6.0)}
    assert again.record(7).points["left"]["nose"] == Point(33.0, 44.0)
    assert again.record(7).points["left"]["tail"] == POINTS["left"]["tail"]
    again.close()


def test_proposed_points_are_no_labels_until_they_are_confirmed(tmp_path):
    folder = write_pictures(tmp_path / "next", cameras=("left",))
    rows = [f"labeled-data/left/img{i:06d}.png" for i in (4, 7, 12)]
    points = np.arange(18.0).reshape(3, 3, 2)
    for name in ("CollectedData_me.csv", "Proposed_me.csv"):
        write_label_csv(folder / "labeled-data/left" / name, rows, points, KEYPOINTS, "me")
    project = LabelProject(folder)
    assert project.record(4).points == {}
    assert project.proposed(4) == {"left": {"nose": (0, 1), "tail": (2, 3), "left_paw": (4, 5)}}
    project.change(4, 0, {"left": {"nose": Point(0, 1)}})
    again = reopened(project, keypoints=())
    assert again.record(4).points == {"left": {"nose": Point(0, 1)}}
    labels = read_labels(folder)
    assert labels.instants == (4,)
    assert np.isnan(labels.points_2d[0, 1:]).all()
    assert again.proposed(12)["left"]["nose"] == (12, 13)
    again.close()


def test_two_programs_on_one_folder_do_not_overwrite_each_other(project):
    other = LabelProject(project.root, keypoints=KEYPOINTS)
    other.change(7, 0, {"left": {"nose": Point(1, 2)}})
    with pytest.raises(StaleRevision) as stale:
        project.change(7, 0, POINTS)
    assert stale.value.record.points == {"left": {"nose": Point(1, 2)}}
    other.close()


def test_a_change_of_what_does_not_exist_is_refused(project):
    with pytest.raises(LabelError, match="no camera or keypoint 'top'"):
        project.change(7, 0, {"top": {"nose": None}})
    with pytest.raises(LabelError, match="no videos"):
        project.add_instant(3)


def test_a_project_without_keypoints_says_how_to_name_them(pictures):
    with pytest.raises(LabelError, match="--keypoints"):
        LabelProject(pictures)


def test_pictures_of_further_instants_come_from_the_videos(calibrated):
    from muybridge.labelling import serve_labels

    folder, rig = calibrated
    with serve_labels(folder) as server:
        assert get(server, "api/project?project=labels")[1]["instants"] == []
        assert post(server, "api/add", {"project": "labels", "instant": 6})[0] == 400
        assert post(server, "api/add", {"project": "labels", "instant": 4})[0] == 200
        decoded(server, instant=4)
        assert get(server, "api/project?project=labels")[1]["instants"] == [[4, 0, 3]]
        changes = {name: {"nose": [*rig[name].project(np.zeros(3)), "visible"]} for name in "abc"}
        change = {"project": "labels", "instant": 4, "revision": 0, "changes": changes}
        assert post(server, "api/change", change)[0] == 200
        said = post(server, "api/export", {"project": "labels"})[1]
    views = read_dataset(said["dataset"])
    np.testing.assert_allclose(views["position"].sel(keypoint="nose").values[:, 0], rig.project(np.zeros(3)), atol=1e-3)
    assert len(read_labels(folder / "labels")) == 3


def test_looking_changes_nothing_that_training_depends_on(calibrated):
    from muybridge.labelling import serve_labels

    folder, _ = calibrated
    extract_frames({"a": folder / "a.mp4"}, 2, folder / "labels", keypoints=KEYPOINTS)
    before = content_hash(folder / "labels")
    with serve_labels(folder) as server:
        instant = get(server, "api/project?project=labels")[1]["instants"][0][0]
        decoded(server, instant)
        assert get(server, "api/project?project=labels")[1]["instants"][0] == [instant, 0, 3]
        assert content_hash(folder / "labels") == before
        change = {"project": "labels", "instant": instant, "revision": 0, "changes": {"b": {"nose": [1, 2, "visible"]}}}
        assert post(server, "api/change", change)[0] == 200
    labels = read_labels(folder / "labels")
    assert (labels.cameras, labels.instants) == (("b",), (instant,))
    assert not (folder / "labels" / "labeled-data" / "c").exists()
