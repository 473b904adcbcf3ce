import numpy as np
import pytest

from muybridge.formats.video.frame_times import read_frame_times
from muybridge.formats.video.reading import read_frames_at
from muybridge.formats.video.sparse_reading import key_frames_near, read_sparse_frames

av = pytest.importorskip("av")
N_FRAMES, WANTED = 200, [3, 59, 60, 61, 150, 198, 199, 250]


def write_numbered(path, codec, n_between):
    """A video whose frames show their numbers as eight bright or dark bars; key frames every 60."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=50)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 128, 32, "yuv420p", 60
        stream.max_b_frames = n_between
        for number in range(N_FRAMES):
            bars = np.repeat(np.uint8([230 if number >> bit & 1 else 20 for bit in range(8)]), 16)
            image = np.broadcast_to(bars[None, :, None], (32, 128, 3)).copy()
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


def shown_number(image):
    return sum((image[8:24, 16 * bit + 4 : 16 * bit + 12].mean() > 125) << bit for bit in range(8))


@pytest.mark.parametrize(("name", "codec", "n_between"), [("a.mp4", "libx264", 3), ("b.mkv", "libx264", 0),
                                                          ("c.avi", "mpeg4", 0)])  # fmt: skip
def test_sought_frames_are_those_of_their_numbers(tmp_path, name, codec, n_between):
    path = write_numbered(tmp_path / name, codec, n_between)
    found = [(number, shown_number(image)) for number, image in read_sparse_frames(path, WANTED)]
    assert found == [(number, number) for number in WANTED if number < N_FRAMES]
    again = [(number, shown_number(image)) for number, image in read_sparse_frames(path, [150])]
    assert again == [(150, 150)]


def test_a_recording_in_two_files_is_read_in_sequence(tmp_path):
    files = [write_numbered(tmp_path / name, "libx264", 0) for name in ("a.mp4", "b.mp4")]
    found = [(number, shown_number(image)) for number, image in read_sparse_frames(files, [5, 205])]
    assert found == [(5, 5), (205, 5)]
    assert key_frames_near(files, [7, 3]) == [3, 7]


def test_key_frames_near_are_key_frames_in_the_file(tmp_path):
    path = write_numbered(tmp_path / "a.mp4", "mpeg4", 0)
    found = key_frames_near(path, [0, 1, 70])
    assert found[0] == 0
    assert len(found) == 2
    assert read_frame_times(path).is_key[found].all()


def test_a_file_cut_off_gives_what_reading_in_sequence_gives(tmp_path):
    path = write_numbered(tmp_path / "a.avi", "mpeg4", 0)
    path.write_bytes(path.read_bytes()[: int(0.7 * path.stat().st_size)])
    whole, sparse = (
        [(number, image is None) for number, image in read(path, [3, 100, 190])]
        for read in (read_frames_at, read_sparse_frames)
    )
    assert sparse == whole
