"""Sessions broken in one way each, where they use timestamps, chapters, detectors, noise, labels or stated pictures.

`check` and `run` end in the same sentence, or both say what was doubtful.
"""

import io

import numpy as np
import pytest

from muybridge.session import read_session
from muybridge.session.recording_facts import recording_notes
from muybridge.session.session_problems import foreseen
from tests.helpers import write_video
from tests.session.synthetic import Recording, make_session
from tests.session.test_broken_sessions import assert_foreseen, run, sentence

N_FRAMES, SMALL = 40, (320, 256)


@pytest.fixture
def recording() -> Recording:
    return make_session(3, N_FRAMES)


def archive(**arrays):
    content = io.BytesIO()
    np.savez(content, **arrays)
    return content.getvalue()


def reconstruct(**options):
    return lambda recording, _: recording.tables.setdefault("reconstruct", {}).update(options)


def named(file, content, **options):
    def spoil(recording, folder):
        recording.files[file] = content
        reconstruct(**options)(recording, folder)

    return spoil


def of_camera(**entries):
    return lambda recording, _: recording.tables["cameras"]["cam_1"].update(entries)


def session(**entries):
    return lambda recording, _: recording.tables["session"].update(entries)


def with_videos(recording, folder, points=False):
    """A video of each camera, with its 2D file or instead of it."""
    for name, table in recording.tables["cameras"].items():
        write_video(folder / f"{name}.mp4", n_frames=3, size=SMALL, fps=100.0)
        table |= {"video": f"{name}.mp4", "scale": 0.25}
        if not points:
            table.pop("points")


def filmed(file=None, content="", **tables):
    """The session's own detector finds the points in videos."""

    def spoil(recording, folder):
        with_videos(recording, folder)
        if file is not None:
            recording.files[file] = content
        recording.tables |= tables

    return spoil


def _labels_that_are_none(recording, folder):
    with_videos(recording, folder)
    (folder / "labels").mkdir()
    recording.tables["train"] = {"labels": "labels"}


def _one_video_for_two(recording, folder):
    with_videos(recording, folder, points=True)
    recording.tables["cameras"]["cam_1"]["video"] = "cam_0.mp4"


def _a_chapter_twice(recording, folder):
    with_videos(recording, folder, points=True)
    recording.tables["cameras"]["cam_1"]["video"] = ["cam_1.mp4", "cam_1.mp4"]


def _noise_is_a_folder(recording, folder):
    (folder / "noise").mkdir()
    reconstruct(noise="noise")(recording, folder)


def _gait_without_vertical(recording, folder):
    from dataclasses import replace

    recording.rig = replace(recording.rig, up=None)
    recording.tables["gait"] = {"left": "left_knee"}


# {what is wrong: (how, words of the refusal)}
REFUSED = {
    "no window": (reconstruct(method="median", window=-1.0), ["[reconstruct] window is -1.0", "positive"]),
    "no threshold": (reconstruct(threshold=0.0), ["[reconstruct] threshold is 0.0", "pixels"]),
    "no threshold of a camera": (reconstruct(threshold=[9.0, -9.0]), ["threshold is [9.0, -9.0]"]),
    "negative gap": (reconstruct(max_gap=-0.1), ["[reconstruct] max_gap is -0.1", "0 or more"]),
    "no states": (reconstruct(method="gimbal", n_states=0), ["[reconstruct] n_states is 0", "at least 1"]),
    "no chunk": (reconstruct(chunk_frames=0), ["[reconstruct] chunk_frames is 0"]),
    "confidence in percent": (reconstruct(min_confidence=90), ["[reconstruct] min_confidence is 90", "0 to 1"]),
    "a frame a month": (session(fps=1e-6), ["[session] fps is 1e-06", "0.001"]),
    "a rate beyond all cameras": (session(fps=1e9), ["[session] fps is 1000000000.0", "1e+06"]),
    "noise of another kind": (named("n.npz", archive(a=[1.0]), noise="n.npz"), ["n.npz", "it has no 'keypoints'"]),
    "noise that is a folder": (_noise_is_a_folder, ["noise does not hold", "it is a folder"]),
    "a rig while files are read": (lambda r, _: r.tables.update(predict={"use_rig": True}), ["use_rig", "'points'"]),
    "no detector": (filmed("d.safetensors", "x", predict={"detector": "d.safetensors"}), ["d.safetensors", "detector"]),
    "labels without tables": (_labels_that_are_none, ["labels holds no label files", "CollectedData"]),
    "a session of its own labels": (filmed(train={"sessions": ["."]}), ["[train] sessions name no session with"]),
    "one video for two cameras": (_one_video_for_two, ["'cam_0' and 'cam_1' have the same video", "crop"]),
    "a chapter twice": (_a_chapter_twice, ["video of camera 'cam_1' names", "twice"]),
    "a detector twice": (of_camera(points=["cam_1.csv"] * 2), ["points of camera 'cam_1' names", "twice"]),
    "a delay beyond the end": (of_camera(delay=1000), ["[cameras.cam_1] delay is 1000 frames", "has 40"]),
    "a size that is not the rig's": (of_camera(size=[640, 480]), ["size is [640, 480]", "rig.toml says [1280, 1024]"]),
    "a gait without the vertical": (_gait_without_vertical, ["[gait] needs the vertical"]),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_used_is_one_sentence_of_check_and_run(recording, tmp_path, kind):
    spoil, parts = REFUSED[kind]
    spoil(recording, tmp_path)
    message = sentence(run(recording, tmp_path, ("train", "predict", "reconstruct", "kinematics"))[0])
    for part in parts:
        assert part in message
    assert_foreseen(tmp_path)


def stamped(change):
    def spoil(recording):
        recording.tables["session"].pop("fps")
        for i, (name, table) in enumerate(recording.tables["cameras"].items()):
            times = change(i, np.arange(N_FRAMES) / 100)
            recording.files[f"{name}_t.csv"] = "timestamp\n" + "\n".join(f"{t:.6f}" for t in times)
            table["timestamps"] = f"{name}_t.csv"

    return spoil


# files of timestamps: {what is doubtful: (how, words of the note)}
STAMPS = {
    "milliseconds": (lambda i, t: 1000 * t, "give 0.1 frames per second: if they count milliseconds"),
    "clocks of their own": (lambda i, t: t + 3600 * i, "begins 7200 s after camera 'cam_0', when another has ended"),
    "another rate": (lambda i, t: t, "give 100 Hz, which is used, and not the stated 30 Hz"),
}


@pytest.mark.parametrize("kind", STAMPS)
def test_doubtful_timestamps_are_noted(recording, tmp_path, kind):
    change, words = STAMPS[kind]
    stamped(change)(recording)
    if kind == "another rate":
        recording.tables["session"]["fps"] = 30.0
    assert any(words in note for note in recording_notes(recording.write(tmp_path)))


def test_a_camera_that_began_later_is_put_in_place_by_the_timestamps(recording, tmp_path):
    """Frame 3 of the others is its frame 0, though it has as many frames."""
    stamped(lambda i, t: t + (0.03 if i == 1 else 0.0))(recording)
    recording.points_2d[1, :-3] = recording.points_2d[1, 3:].copy()
    message, said, pose = run(recording, tmp_path)
    assert message == ""
    assert "note: camera 'cam_1' has no frame at 3 instants (0-2): they are gaps" in said
    assert not [line for line in said if line.startswith("warning: ")]
    off = np.linalg.norm(pose["position"].values[:N_FRAMES] - recording.truth, axis=-1)
    assert np.nanmedian(off) < 1.5


@pytest.mark.parametrize("entries", [{"mirror": True}, {"crop": [150, 80]}, {"scale": 0.5}])
def test_what_is_stated_of_a_picture_and_is_not_so_is_named(recording, tmp_path, entries):
    recording.tables["cameras"]["cam_1"] |= entries
    problems, warnings, _ = foreseen(recording.write(tmp_path))
    ((name, value),) = entries.items()
    words = f"[cameras.cam_1] states {name} = {str(value).lower()}: remove what is not so of its file"
    assert any(words in sentence for sentence in [*problems, *warnings])


def test_parts_of_one_video_are_no_double_use(recording, tmp_path):
    with_videos(recording, tmp_path, points=True)
    for i in range(2):
        recording.tables["cameras"][f"cam_{i}"] |= {"video": "cam_0.mp4", "crop": [100 * i, 0, 640, 512], "scale": 0.5}
    assert read_session(recording.write(tmp_path).path).cameras["cam_1"].video is not None
