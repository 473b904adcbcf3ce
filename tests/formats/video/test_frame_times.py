"""Numbers and times of frames are the container's, whatever is damaged, dropped or uneven."""

from itertools import product

import numpy as np
import pytest

from muybridge.formats.video.frame_times import read_frame_times, shortest_interval
from muybridge.formats.video.reading import VideoError, probe_video, read_frames, read_frames_at
from tests.helpers import number_shown, overwrite, write_numbered_video

N_FRAMES = 120
STREAMS = (".ts", ".mts", ".m2ts")
SUFFIXES = (".mp4", ".mov", ".mkv", *STREAMS)


@pytest.fixture(scope="module")
def intact(tmp_path_factory):
    """H.264 at 100 Hz with B-frames, by suffix."""
    folder = tmp_path_factory.mktemp("videos")
    times = np.arange(N_FRAMES) / 100
    return {suffix: write_numbered_video(folder / f"a{suffix}", times) for suffix in SUFFIXES}


@pytest.mark.parametrize(
    ("suffix", "damage"),
    # one container of each kind: QuickTime, Matroska, MPEG transport stream
    [(".mov", (0.02, 0.4)), *product((".mp4", ".mkv", ".ts"), ((0.02, 0.13), (0.02, 0.4), (0.005, 0.77), (0.05, 0.6)))],
)
def test_frames_after_a_damaged_stretch_keep_their_numbers(intact, tmp_path, suffix, damage):
    share, at = damage
    damaged = overwrite(intact[suffix], share, at, to=tmp_path / f"b{suffix}")
    shown = [number_shown(picture) for picture in read_frames(damaged)]
    assert len(shown) == N_FRAMES
    assert all(number in (i, None) for i, number in enumerate(shown))
    n_lost = shown.count(None)
    assert (
        (suffix in (".mp4", ".mov")) <= n_lost <= share * N_FRAMES + 2 * 25
    )  # no more than the groups of pictures that the stretch touches
    if n_lost == 0:  # Matroska, MPEG-TS: a picture may be spoilt, and nothing says so
        return
    first, last = shown.index(None), N_FRAMES - shown[::-1].index(None)
    assert last - first <= share * N_FRAMES + 2 * 25  # one gap
    some = [0, first, (first + last) // 2, last, N_FRAMES - 1]
    assert {n: number_shown(picture) for n, picture in read_frames_at(damaged, some)} == {n: shown[n] for n in some}


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_what_is_left_of_a_damaged_file_is_what_was_recorded(intact, tmp_path, suffix):
    damaged = overwrite(intact[suffix], 0.02, 0.4, to=tmp_path / f"b{suffix}")
    for before, after in zip(read_frames(intact[suffix]), read_frames(damaged), strict=True):
        if after is not None:
            np.testing.assert_array_equal(after, before)


def test_times_of_a_damaged_file_are_those_of_the_intact_one(intact, tmp_path):
    damaged = overwrite(intact[".mp4"], 0.02, 0.4, to=tmp_path / "b.mp4")
    times = read_frame_times(damaged).times
    np.testing.assert_allclose(times, np.arange(N_FRAMES) / 100, atol=1e-6)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_variable_rate_is_read_from_the_file(tmp_path, suffix):
    times = np.concatenate([np.arange(40) / 100, 0.4 + np.arange(40) / 50])
    found = read_frame_times(write_numbered_video(tmp_path / f"a{suffix}", times))
    np.testing.assert_allclose(found.times[found.is_stored], times, atol=1e-3)
    assert found.interval == pytest.approx(0.01, rel=1e-3)
    assert not found.is_even


def test_chapters_run_on(tmp_path):
    parts = [write_numbered_video(tmp_path / f"{c}.mp4", np.arange(30) / 50, first=30 * c, rate=50) for c in range(3)]
    np.testing.assert_allclose(read_frame_times(parts).times, np.arange(90) / 50, atol=1e-6)
    assert probe_video(parts).n_frames == 90
    assert [number_shown(picture) for picture in read_frames(parts)] == list(range(90))
    assert [number_shown(picture) for picture in read_frames(parts, 25, 65)] == list(range(25, 65))
    assert [(n, number_shown(picture)) for n, picture in read_frames_at(parts, [3, 29, 30, 75, 95])] == [
        (3, 3), (29, 29), (30, 30), (75, 75)
    ]  # fmt: skip


def test_chapters_of_another_size_are_refused(tmp_path, intact):
    from tests.helpers import write_video

    other = write_video(tmp_path / "other.mp4", 3, size=(64, 48))
    with pytest.raises(VideoError, match=r"64x48 pixels and .* 160x120; they are not files of one recording"):
        probe_video([intact[".mp4"], other])


def test_an_avi_file_that_lost_frames_somewhere_is_refused(tmp_path):
    times = np.arange(100) / 25
    path = write_numbered_video(tmp_path / "a.avi", times, codec="mpeg4", rate=25)
    assert len(list(read_frames(path))) == 100
    overwrite(path, 0.1, 0.4)
    with pytest.raises(VideoError, match="frames are lost, and an AVI file does not say which"):
        list(read_frames(path))


@pytest.mark.parametrize(
    ("times", "interval"),
    [([0, 1, 2, 3, 5, 9], 1.0), ([0, 0.033, 0.067, 0.1], 1 / 30), ([0.0], 1.0), (np.arange(50) / 29.97, 1 / 29.97)],
)
def test_the_interval_ignores_holes(times, interval):
    assert shortest_interval(np.array(times, float)) == pytest.approx(interval, rel=1e-6)


@pytest.mark.parametrize("suffix", STREAMS)
def test_a_transport_stream_without_damage_has_every_frame_and_no_lost_packet(intact, suffix):
    found = read_frame_times(intact[suffix])
    assert found.is_stored.all()
    assert not found.is_counted  # a hole would be a frame that was not recorded
    np.testing.assert_allclose(found.times, np.arange(N_FRAMES) / 100, atol=1e-6)


def test_a_hole_of_a_stream_that_lost_packets_is_damage(intact, tmp_path):
    whole = intact[".ts"].read_bytes()
    start = len(whole) // 188 // 2 * 188
    (tmp_path / "a.ts").write_bytes(whole[:start] + whole[start + 40 * 188 :])
    found = read_frame_times(tmp_path / "a.ts")
    assert found.is_counted
    shown = [number_shown(picture) for picture in read_frames(tmp_path / "a.ts")]
    assert len(shown) == N_FRAMES
    assert all(number in (i, None) for i, number in enumerate(shown))
    assert shown.count(None) > 0


def test_recordings_joined_in_one_stream_are_refused(intact, tmp_path):
    (tmp_path / "a.ts").write_bytes(2 * intact[".ts"].read_bytes())
    with pytest.raises(VideoError, match=r"a\.ts start again near its frame 120: .* split it"):
        read_frame_times(tmp_path / "a.ts")


def test_a_program_stream_that_lost_frames_is_refused(tmp_path):
    path = write_numbered_video(tmp_path / "a.mpg", np.arange(100) / 25, codec="mpeg2video", rate=25)
    assert [number_shown(picture) for picture in read_frames(path)] == list(range(100))
    overwrite(path, 0.05, 0.4)
    with pytest.raises(VideoError, match="frames are lost, and an MPEG program stream does not say which"):
        list(read_frames(path))
