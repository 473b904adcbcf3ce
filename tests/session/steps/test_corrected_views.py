"""Individuals in another order, delayed and moved cameras, and files of trained models, in a session."""

from dataclasses import replace

import h5py
import numpy as np
import pytest

from muybridge.cameras import CameraRig, read_rig, write_rig
from muybridge.datasets import read_dataset
from muybridge.session import SessionError, read_session, run_session
from muybridge.session.session_problems import foreseen
from muybridge.session.steps import reconstruction_files
from muybridge.triangulate import DetectorNoise, PosePrior
from muybridge.triangulate.identity import continued_identities
from tests.conftest import make_moving_points
from tests.session.synthetic import SKELETON, make_session

CAMERAS, N_FRAMES, FPS = ("cam_0", "cam_1", "cam_2", "cam_3"), 120, 100.0
HEAD = "[session]\nrig = 'rig.toml'\nfps = 100\n"
OPTIONS = "[reconstruct]\nmethod = 'ransac'\ncheck_coverage = false\n"


def write_sleap(path, tracks, names):
    """A SLEAP analysis file of (n_tracks, n_frames, n_keypoints, 2) pixels."""
    with h5py.File(path, "w") as file:
        file["tracks"] = np.moveaxis(tracks, (0, 1, 2, 3), (0, 3, 2, 1))
        file["point_scores"] = np.moveaxis(np.where(np.isnan(tracks[..., 0]), np.nan, 0.95), (0, 1, 2), (0, 2, 1))
        file["node_names"] = np.array(names, dtype="S")
        file["track_names"] = np.array([f"track_{i}" for i in range(len(tracks))], dtype="S")


def write_session(folder, rig, points_2d, skeleton, options=OPTIONS, joints=True):
    """A session of SLEAP files of (n_tracks, n_cameras, n_frames, n_keypoints, 2) pixels."""
    write_rig(rig, folder / "rig.toml")
    lines = [HEAD]
    for c, camera in enumerate(CAMERAS):
        write_sleap(folder / f"{camera}.analysis.h5", points_2d[:, c], skeleton.keypoints)
        lines.append(f"[cameras.{camera}]\npoints = '{camera}.analysis.h5'")
    bones = [list(bone) for bone in skeleton.bones]
    lines.append(f"[skeleton]\nkeypoints = {list(skeleton.keypoints)}\nbones = {bones}")
    lines.append(options + ("[joints]\nknee = ['tail', 'left_hip', 'left_knee']" if joints else ""))
    (folder / "session.toml").write_text("\n".join(lines))
    return read_session(folder)


@pytest.fixture
def rig(ring_rig):
    return ring_rig.subset(CAMERAS)


@pytest.fixture
def two_animals(skeleton):
    """(2, n_frames, n_keypoints, 3) mm."""
    return np.stack([make_moving_points(skeleton, N_FRAMES, seed=s) + shift for s, shift in ((0, 0), (1, 150))])


def test_individuals_are_matched_across_views_by_default(tmp_path, rig, skeleton, two_animals):
    tracks = np.stack([rig.project(points) for points in two_animals])
    tracks = tracks + np.random.default_rng(0).normal(0, 0.5, tracks.shape)
    tracks[:, 1] = tracks[::-1, 1]  # one camera lists the animals the other way round
    tracks[:, 2, 70:] = tracks[::-1, 2, 70:]  # and another exchanges them later
    said = []
    session = write_session(tmp_path, rig, tracks, skeleton)
    run_session(session, progress=False, say=said.append)
    pose = read_dataset(session.output / "pose.nc")
    assert np.nanmedian(np.linalg.norm(pose["position"].values - two_animals, axis=-1)) < 1.0
    words = "2 individuals were matched across cameras: the tracks were in another order in camera 'cam_1' in 100% of"
    assert any(f"note: {words} the frames, 'cam_2' in 42% of the frames" in line for line in said)
    assert said[-1].startswith("verdict: ")
    report = (session.output / "report.html").read_text()
    assert "individuals were matched across cameras" in report
    assert float(pose["reprojection_error"].median()) < 1.5
    motion = read_dataset(session.output / "kinematics.nc")
    assert motion["angle"].dims == ("individual", "time", "joint")


def test_the_order_of_the_files_stays_where_the_session_says_so(tmp_path, rig, skeleton, two_animals):
    tracks = np.stack([rig.project(points) for points in two_animals])
    tracks[:, 1] = tracks[::-1, 1]
    session = write_session(tmp_path, rig, tracks, skeleton, OPTIONS + "match_individuals = false\n")
    run_session(session, ("predict", "reconstruct"), progress=False)
    pose = read_dataset(session.output / "pose.nc")
    assert "notes" not in pose.attrs
    assert "views_file" not in pose.attrs


def shuffled(tracks, seed=0):
    """Rows in another order in every camera and frame, as detections come."""
    order = np.argsort(np.random.default_rng(seed).random(tracks.shape[:3]), axis=0)
    return np.take_along_axis(tracks, order[..., None, None], axis=0)


def test_detections_in_any_order_go_through_a_whole_session(tmp_path, rig, skeleton, two_animals):
    tracks = np.stack([rig.project(points) for points in two_animals])
    tracks = tracks + np.random.default_rng(0).normal(0, 0.5, tracks.shape)
    said = []
    session = write_session(tmp_path, rig, shuffled(tracks), skeleton, "[animals]\ncount = 2\n" + OPTIONS)
    assert foreseen(session)[0] == []
    run_session(session, ("predict", "reconstruct"), progress=False, say=said.append)
    pose = read_dataset(session.output / "pose.nc")
    errors = np.linalg.norm(pose["position"].values[:, None] - two_animals[None], axis=-1)
    assert np.nanmedian(errors, axis=(2, 3)).min(axis=0).max() < 1.0
    assert any("up to 2 detections per camera and frame were put together to 2 animals" in line for line in said)


@pytest.mark.parametrize(
    ("order", "animals"),
    [
        ("tracks", ""),
        ("detections", ""),
        pytest.param("detections", "[animals]\ncount = 2\n", marks=pytest.mark.long),
        pytest.param("known", "[animals]\nidentity = 'known'\n", marks=pytest.mark.long),
    ],
)
def test_animals_of_a_long_recording_stay_themselves_across_windows(
    tmp_path, rig, skeleton, two_animals, monkeypatch, order, animals
):
    tracks = np.stack([rig.project(points) for points in two_animals])
    tracks = tracks + np.random.default_rng(0).normal(0, 0.5, tracks.shape)
    tracks = shuffled(tracks) if order == "detections" else tracks
    if order == "tracks":
        tracks[:, 1, 50:] = tracks[::-1, 1, 50:]
    session = write_session(tmp_path, rig, tracks, skeleton, animals + OPTIONS, joints=False)
    run_session(session, ("predict", "reconstruct"), progress=False)
    whole = read_dataset(session.output / "pose.nc")
    monkeypatch.setattr(reconstruction_files, "LONG", 0)
    monkeypatch.setattr(continued_identities, "_WINDOW", 30)
    monkeypatch.setattr(continued_identities, "_OVERLAP", 10)
    run_session(read_session(tmp_path), ("reconstruct",), progress=False, force=True)
    found = read_dataset(session.output / "pose.nc")
    assert set(found.attrs) - {"notes"} == set(whole.attrs) - {"notes"}
    assert set(found.variables) == set(whole.variables)
    errors = np.linalg.norm(found["position"].values[:, None] - two_animals[None], axis=-1)
    who = np.nanmedian(errors, axis=3).argmin(axis=1)  # (found, frames)
    assert (who == who[:, :1]).all()
    assert who[:, 0].tolist() in ([0, 1], [1, 0])
    assert np.nanmedian(errors, axis=(2, 3)).min(axis=0).max() < 1.0
    files = {"pose.nc", "views.nc"} | ({"corrected_views.nc"} if order != "known" else set())
    assert {path.name for path in session.output.glob("*.nc")} == files
    assert not list(session.output.glob(".*.partial*"))


def test_rows_of_a_window_are_those_that_share_the_most_points():
    rng = np.random.default_rng(0)
    before = rng.normal(size=(3, 2, 10, 4, 2))
    assert continued_identities.continued_rows(before, before[[2, 0, 1]], 3).tolist() == [2, 0, 1]
    fresh = np.concatenate([before[[1]], rng.normal(size=(1, 2, 10, 4, 2))])
    assert continued_identities.continued_rows(before, fresh, None).tolist() == [1, 3]
    assert continued_identities.continued_rows(before, fresh, 3).tolist() == [1, 0]
    assert continued_identities.continued_rows(before[:0], fresh, None).tolist() == [0, 1]


def test_more_animals_than_declared_are_left_out_with_a_warning(tmp_path, rig, skeleton, two_animals):
    three = np.stack([*two_animals, two_animals[0] - 150])
    session = write_session(
        tmp_path, rig, np.stack([rig.project(points) for points in three]), skeleton, "[animals]\ncount = 2\n" + OPTIONS
    )
    said = []
    run_session(session, ("predict", "reconstruct"), progress=False, say=said.append)
    assert read_dataset(session.output / "pose.nc").sizes["individual"] == 2
    words = (
        "warning: There are more animals than [animals] count = 2: further ones, for 120 frames together (0-119), were"
    )
    assert any(line.startswith(words) for line in said)


def test_more_known_individuals_than_declared_are_refused(tmp_path, rig, skeleton, two_animals):
    tracks = np.stack([rig.project(points) for points in [*two_animals, two_animals[0] - 150]])
    known = "[animals]\ncount = 2\nidentity = 'known'\n"
    session = write_session(tmp_path, rig, tracks, skeleton, known + OPTIONS)
    with pytest.raises(SessionError, match=r"the 2D points are of 3 individuals \(track_0, track_1, track_2\), but"):
        run_session(session, ("predict", "reconstruct"), progress=False)


def test_what_animals_says_is_checked(tmp_path, rig, skeleton, two_animals):
    tracks = np.stack([rig.project(points) for points in two_animals])
    session = write_session(tmp_path, rig, tracks[:1], skeleton, "[animals]\ncount = 2\n" + OPTIONS)
    assert any("the 2D points are of one animal" in problem for problem in foreseen(session)[0])
    for entry, words in (("count = 0", "at least 1"), ("identity = 'names'", '"known"'), ("number = 2", "count")):
        with pytest.raises(SessionError, match=words):
            write_session(tmp_path, rig, tracks, skeleton, f"[animals]\n{entry}\n" + OPTIONS)


def test_exchanged_sides_are_put_right_and_said_where_the_session_asks(tmp_path):
    recording = make_session(4, 80)
    recording.points_2d[1, 20:60] = recording.points_2d[1, 20:60][:, SKELETON.mirror]
    recording.tables["reconstruct"] = {"method": "ransac", "check_coverage": False, "swaps": True}
    said = []
    session = recording.write(tmp_path)
    run_session(session, ("predict", "reconstruct"), progress=False, say=said.append)
    (note,) = (line for line in said if "exchanged in" in line)
    assert note.startswith("note: camera 'cam_1': left and right keypoints were exchanged in")
    assert float(note.partition("exchanged in ")[2].partition("%")[0]) == pytest.approx(50, abs=5)


def test_delays_are_removed_where_the_session_asks(tmp_path, rig, skeleton):
    truth = make_moving_points(skeleton, 300)
    points = rig.project(truth)[None]
    points[:, 1, 3:] = points[:, 1, :-3].copy()
    points = points + np.random.default_rng(0).normal(0, 0.3, points.shape)
    said = []
    session = write_session(tmp_path, rig, points, skeleton, OPTIONS + "frame_offsets = true\n")
    run_session(session, ("predict", "reconstruct"), progress=False, say=said.append)
    assert any("note: camera 'cam_1' is delayed by 3.0" in line and "views were shifted" in line for line in said)
    pose = read_dataset(session.output / "pose.nc")
    assert np.nanmedian(np.linalg.norm(pose["position"].values - truth, axis=-1)) < 0.5
    assert read_dataset(session.output / "corrected_views.nc").sizes == read_dataset(session.output / "views.nc").sizes


@pytest.mark.parametrize("found", [True, False])
def test_delays_of_several_animals_of_a_long_recording_are_removed_from_file_to_file(
    tmp_path, rig, skeleton, monkeypatch, found
):
    truth = np.stack([make_moving_points(skeleton, 200, seed=s) + shift for s, shift in ((0, 0), (1, 150))])
    points = np.stack([rig.project(own) for own in truth])
    points += np.random.default_rng(0).normal(0, 0.3, points.shape)
    points[:, 1, 3:] = points[:, 1, :-3].copy()
    points[:, 2, 2:] = points[:, 2, :-2].copy()
    options = OPTIONS + ("frame_offsets = true\n" if found else "")
    write_session(tmp_path, rig, points, skeleton, options, joints=False)
    path = tmp_path / "session.toml"
    stated = {"cam_1": 3} | ({} if found else {"cam_2": 2})
    text = path.read_text()
    for camera, delay in stated.items():
        text = text.replace(f"[cameras.{camera}]\n", f"[cameras.{camera}]\ndelay = {delay}\n")
    path.write_text(text)
    monkeypatch.setattr(reconstruction_files, "LONG", 0)
    session, said = read_session(tmp_path), []
    run_session(session, ("predict", "reconstruct"), progress=False, say=said.append)
    assert any("'cam_2' is delayed by 2.0" in line for line in said) == found
    pose = read_dataset(session.output / "pose.nc")
    errors = np.linalg.norm(pose["position"].values[:, None] - truth[None], axis=-1)
    assert np.nanmedian(errors, axis=(2, 3)).min(axis=0).max() < 0.5
    assert {own.name for own in session.output.glob("*.nc")} == {"pose.nc", "views.nc", "corrected_views.nc"}


def test_cameras_are_refined_where_the_session_asks(tmp_path, rig, skeleton):
    truth = make_moving_points(skeleton, 300)
    points = rig.project(truth)[None]
    points[:, 1, 3:] = points[:, 1, :-3].copy()
    points = points + np.random.default_rng(0).normal(0, 0.3, points.shape)
    a = np.radians(0.7)
    turn = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    bumped = CameraRig(
        (*rig.cameras[:3], replace(rig[3], R=turn @ rig[3].R, t=turn @ rig[3].t)), unit=rig.unit, up=rig.up
    )
    said = []
    session = write_session(tmp_path, bumped, points, skeleton, OPTIONS + "refine_rig = true\nframe_offsets = true\n")
    run_session(session, ("predict", "reconstruct"), progress=False, say=said.append)
    moved = next(line for line in said if "note: camera 'cam_3' no longer stands where it was calibrated" in line)
    assert moved.endswith("the refined rig was used")
    assert any("note: camera 'cam_1' is delayed by 3.0" in line and "views were shifted" in line for line in said)
    found = read_rig(session.output / "refined_rig.toml")
    np.testing.assert_allclose(found["cam_3"].R, rig[3].R, atol=2e-3)
    assert float(read_dataset(session.output / "pose.nc")["reprojection_error"].median()) < 1.0


def test_trained_noise_and_prior_are_read_from_files(tmp_path, rig, skeleton):
    truth = make_moving_points(skeleton, 50)
    points = rig.project(truth)[None] + np.random.default_rng(0).normal(0, 1, (1, 4, 50, 7, 2))
    DetectorNoise.fit(points[0], truth, rig).save(tmp_path / "noise.npz")
    session = write_session(
        tmp_path, rig, points, skeleton, "[reconstruct]\nnoise = 'noise.npz'\ncheck_coverage = false\n"
    )
    run_session(session, ("predict", "reconstruct"), progress=False)
    assert np.isfinite(read_dataset(session.output / "pose.nc")["position"]).all()
    PosePrior.fit(truth, skeleton, 3, up=rig.up).save(tmp_path / "prior.npz")
    options = "[reconstruct]\nmethod = 'gimbal'\nprior = 'prior.npz'\ncheck_coverage = false\n"
    session = write_session(tmp_path, rig, points, skeleton, options)
    assert list(run_session(session, ("reconstruct",), progress=False)) == ["reconstruct"]
    assert np.isfinite(read_dataset(session.output / "pose.nc")["position"]).all()


@pytest.mark.parametrize("name", ["prior", "noise"])
def test_a_trained_file_that_is_absent_or_something_else_is_named(tmp_path, rig, skeleton, name):
    points = rig.project(make_moving_points(skeleton, 20))[None]
    session = write_session(tmp_path, rig, points, skeleton, f"[reconstruct]\nmethod = 'gimbal'\n{name} = 'a.npz'\n")
    assert any("a.npz, which does not exist" in problem for problem in foreseen(session)[0])
    np.savez(tmp_path / "a.npz", x=np.zeros(3))
    with pytest.raises(ValueError, match=r"a\.npz"):
        run_session(session, ("predict", "reconstruct"), progress=False)


@pytest.mark.parametrize("switch", ["match_individuals", "frame_offsets", "refine_rig"])
def test_a_switch_is_true_or_false(tmp_path, rig, skeleton, switch):
    points = rig.project(make_moving_points(skeleton, 5))[None]
    with pytest.raises(SessionError, match=rf"\[reconstruct\] {switch} is 3; give true or false"):
        write_session(tmp_path, rig, points, skeleton, f"[reconstruct]\n{switch} = 3\n")


def test_cameras_that_lack_a_track_or_name_it_otherwise_are_matched(tmp_path, rig, skeleton, two_animals):
    tracks = np.stack([rig.project(points) for points in two_animals])
    session = write_session(tmp_path, rig, tracks, skeleton)
    write_sleap(tmp_path / "cam_1.analysis.h5", tracks[1:, 1], skeleton.keypoints)  # sees the second animal alone
    three = np.concatenate([tracks[::-1, 2], np.full_like(tracks[:1, 2], np.nan)])
    three[2, :5] = three[0, :5] + 300  # a third track of something else
    write_sleap(tmp_path / "cam_2.analysis.h5", three, skeleton.keypoints)
    run_session(session, ("predict", "reconstruct"), progress=False)
    found = read_dataset(session.output / "pose.nc")["position"].values
    for truth in two_animals:
        seen = [points for points in found if np.isfinite(points).any()]
        apart = [np.nanmedian(np.linalg.norm(points - truth, axis=-1)) for points in seen]
        assert min(apart) < 0.5


def test_other_individuals_are_refused_where_they_are_not_matched(tmp_path, rig, skeleton, two_animals):
    tracks = np.stack([rig.project(points) for points in two_animals])
    session = write_session(tmp_path, rig, tracks, skeleton, OPTIONS + "match_individuals = false\n")
    write_sleap(tmp_path / "cam_1.analysis.h5", tracks[1:, 1], skeleton.keypoints)
    with pytest.raises(ValueError, match="camera 'cam_1' has the individuals of one animal and camera 'cam_0'"):
        run_session(session, ("predict",), progress=False)
