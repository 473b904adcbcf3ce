import pytest

from muybridge.session import SessionError, read_session
from muybridge.session.recording_facts import check_same_instants, describe
from tests.helpers import write_video


def test_facts_are_stated_per_camera(small_recording):
    table, problems = describe(read_session(small_recording))
    assert problems == []
    assert table.loc["left", ["frames", "fps", "size"]].tolist() == [12, 50.0, "160x120"]


def test_videos_of_different_lengths_are_refused_with_their_counts(small_recording):
    write_video(small_recording / "right.mp4", n_frames=9)
    with pytest.raises(SessionError, match=r"differ in length: left 12 frames, right 9 frames.*trim"):
        check_same_instants(read_session(small_recording).sources("video"), "videos")
    assert "differ in length" in describe(read_session(small_recording))[1][0]


def test_videos_of_different_rates_are_refused(small_recording):
    write_video(small_recording / "right.mp4", fps=60.0)
    with pytest.raises(SessionError, match="left 50 Hz, right 60 Hz"):
        check_same_instants(read_session(small_recording).sources("video"), "videos")


@pytest.mark.parametrize(
    ("content", "message"), [(b"", "is empty"), (b"not a video at all" * 50, "cannot be read as a video")]
)
def test_a_broken_video_names_camera_file_and_remedy(small_recording, content, message):
    (small_recording / "right.mp4").write_bytes(content)
    with pytest.raises(SessionError, match=rf"camera 'right': .*right\.mp4.*{message}|camera 'right'.*{message}"):
        check_same_instants(read_session(small_recording).sources("video"), "videos")


def test_a_truncated_video_is_no_shorter_recording(small_recording):
    video = small_recording / "right.mp4"
    video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    with pytest.raises(SessionError, match=r"camera 'right'.*truncated"):
        check_same_instants(read_session(small_recording).sources("video"), "videos")
