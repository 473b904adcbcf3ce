"""Faults of the machine: each is one sentence or the right result, nothing is lost and the next run goes on."""

import io
import os
import resource
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from muybridge.datasets import frame_times, pose_dataset, read_dataset, views_dataset
from muybridge.datasets.atomic_files import LateError, atomic_write
from muybridge.datasets.stretches import write_pieces
from muybridge.formats import write_pose, write_views
from muybridge.formats.video.frame_times import read_frame_times
from muybridge.formats.video.reading import probe_video, read_frames
from muybridge.session import SessionError, read_session, run_session
from tests.helpers import write_video
from tests.session.synthetic import make_session

STEPS = ("predict", "reconstruct")
NOBODY = 65534  # a user without rights, by convention


@contextmanager
def limited(what, value):
    """A limit of the system on this process."""
    before = resource.getrlimit(what)
    resource.setrlimit(what, (value, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(what, before)


def make(folder, n_cameras=3, n_frames=40):
    recording = make_session(n_cameras, n_frames)
    recording.tables["reconstruct"] = {"method": "dlt", "check_coverage": False}
    return recording, recording.write(folder)


def test_a_full_disk_ends_a_run_with_one_sentence_and_the_next_gives_the_whole_result(tmp_path):
    session = make(tmp_path)[1]
    with (
        limited(resource.RLIMIT_FSIZE, 12_000),
        pytest.raises(OSError, match=r"^cannot write .*\.nc \(File too large\)"),
    ):
        run_session(session, STEPS, progress=False)
    left = [path.name for path in session.output.rglob("*") if path.is_file()]
    assert set(left) <= {".lock", "hashes.json"}
    run_session(session, STEPS, progress=False)
    assert read_dataset(session.output / "pose.nc")["position"].notnull().all()


def test_a_file_beyond_the_end_of_the_disk_reads_as_it_was_written(tmp_path):
    rng, whole = np.random.default_rng(0), io.BytesIO()
    with limited(resource.RLIMIT_FSIZE, 4_000), pytest.raises(OSError, match="File too large"):  # noqa: PT012, SIM117
        with LateError(tmp_path / "file") as file:
            for _ in range(300):
                place, data = int(rng.integers(0, 10_000)), rng.bytes(int(rng.integers(1, 900)))
                for own in (file, whole):
                    own.seek(place)
                    assert own.write(data) == len(data)
                    assert own.tell() == place + len(data)
                place = int(rng.integers(0, file.seek(0, os.SEEK_END) + 1))
                assert whole.seek(0, os.SEEK_END) == file.tell()
                found = []
                for own in (file, whole):
                    own.seek(place)
                    found.append(bytearray(500))
                    found.append(own.readinto(found[-1]))
                assert found[:2] == found[2:]
            assert file.truncate(9_000) == whole.truncate(9_000)
            assert file.seek(0, os.SEEK_END) == 9_000


def test_a_disk_that_fills_while_a_long_recording_is_written_ends_no_process(tmp_path):
    def piece(i):
        points = np.random.default_rng(i).normal(size=(1000, 4, 3))
        return pose_dataset(points, keypoints=list("abcd"), times=10 * i + frame_times(1000, 100), unit="mm")

    def write():
        with atomic_write(tmp_path / "pose.nc") as partial:
            write_pieces(map(piece, range(5)), partial, 5000)

    for n_bytes in (3_000, 150_000, 400_000):  # in the header, in the first pieces, in the last
        with limited(resource.RLIMIT_FSIZE, n_bytes), pytest.raises(OSError, match="cannot write"):
            write()
    assert not list(tmp_path.iterdir())
    write()
    np.testing.assert_array_equal(read_dataset(tmp_path / "pose.nc")["position"][4000:], piece(4)["position"])


@pytest.mark.parametrize("format", ["deeplabcut-h5", "sleap-h5", "c3d", "sleap-anipose-h5"])
def test_a_full_disk_neither_ends_the_process_of_an_export_nor_shortens_its_file(tmp_path, format):
    rng = np.random.default_rng(0)
    points = rng.uniform(1, 100, (3000, 4, 3))
    views = views_dataset(points[None, ..., :2], cameras=["x"], keypoints=list("abcd"), times=frame_times(3000, 100))
    pose = pose_dataset(points, keypoints=list("abcd"), times=frame_times(3000, 100), unit="mm")
    suffix = ".c3d" if format == "c3d" else ".points3d.h5"
    with limited(resource.RLIMIT_FSIZE, 12_000), pytest.raises(OSError, match="cannot write"):  # noqa: PT012
        if format in ("c3d", "sleap-anipose-h5"):
            write_pose(pose, tmp_path / f"a{suffix}", format=format)
        write_views(views, tmp_path, format=format)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_folder_that_cannot_be_written_is_named_with_the_remedy(tmp_path):
    session = make(tmp_path)[1]
    session.output.write_text("a file where the results should go")
    with pytest.raises(
        SessionError, match=r"cannot write into .*results.*make it writable, or give \[session\] output"
    ):
        run_session(session, STEPS, progress=False)
    assert session.output.read_text().startswith("a file")


@contextmanager
def without_rights():
    """A new folder, and of root's rights none: root may write into every folder, whatever its permissions."""
    with tempfile.TemporaryDirectory() as name:
        user = os.geteuid()
        if user == 0:
            os.chown(name, NOBODY, -1)
            os.seteuid(NOBODY)
        try:
            if not os.access(name, os.W_OK, effective_ids=True):
                pytest.skip("the temporary folder is open to one user alone, who is root here")
            yield Path(name)
        finally:
            os.seteuid(user)


@pytest.mark.parametrize("results", [False, True])
def test_a_folder_without_permission_is_named_with_the_remedy_and_left_as_it_was(tmp_path, results):
    run_session(make(tmp_path)[1], STEPS, progress=False)  # the libraries are loaded with all rights
    with without_rights() as parent:
        session = make(parent)[1]
        folder = session.output if results else parent
        folder.mkdir(exist_ok=True)
        before = sorted(parent.rglob("*"))
        folder.chmod(0o555)
        with pytest.raises(SessionError, match=r"cannot write into .*make it writable, or give \[session\] output"):
            run_session(session, STEPS, progress=False)
        assert sorted(parent.rglob("*")) == before
        folder.chmod(0o755)
        run_session(session, STEPS, progress=False)
        assert read_dataset(session.output / "pose.nc")["position"].notnull().all()


def test_without_a_home_and_a_folder_for_kernels_they_are_kept_in_the_temporary_folder(tmp_path):
    code = (
        "import os, numba.core.caching as c; from pathlib import Path\n"
        "def refuse(self): raise OSError('read-only')\n"
        "for locator in (c.InTreeCacheLocator, c.UserWideCacheLocator, c.IPythonCacheLocator, c.ZipCacheLocator):\n"
        "    locator.ensure_cache_path = refuse\n"
        "import muybridge.cameras._kernels_lenses as kernels, numba\n"
        "assert numba.config.CACHE_DIR.startswith(os.environ['TMPDIR']), numba.config.CACHE_DIR\n"
        "assert Path(numba.config.CACHE_DIR).stat().st_mode & 0o77 == 0\n"
    )
    environment = {name: value for name, value in os.environ.items() if name not in ("HOME", "NUMBA_CACHE_DIR")}
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment | {"TMPDIR": str(tmp_path)}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr


def test_twelve_cameras_need_few_file_descriptors(tmp_path):
    recording, session = make(tmp_path, 12, 20)
    n_open = len(os.listdir("/proc/self/fd"))
    with limited(resource.RLIMIT_NOFILE, n_open + 16):
        run_session(session, STEPS, progress=False)
    found = read_dataset(session.output / "pose.nc")["position"].values
    assert np.nanmedian(np.linalg.norm(found - recording.truth, axis=-1)) < 1


def test_without_a_file_descriptor_no_video_is_called_damaged(tmp_path):
    path = write_video(tmp_path / "a.mp4")
    taken = [open(os.devnull) for _ in range(3)]  # noqa: SIM115 - they hold descriptors
    with limited(resource.RLIMIT_NOFILE, max(map(int, os.listdir("/proc/self/fd")))):
        for stream in taken:
            stream.close()
        held = []
        with pytest.raises(OSError, match="Too many open files"):  # noqa: PT012 - all that are left are taken
            while True:
                held.append(os.open(os.devnull, os.O_RDONLY))
        try:
            for read in (probe_video, read_frame_times, lambda file: list(read_frames(file))):
                with pytest.raises(OSError, match=r"Too many open files.*a\.mp4"):
                    read(path)
        finally:
            for number in held:
                os.close(number)
    assert len(list(read_frames(path))) == 12


def test_a_camera_of_the_calibration_that_a_session_lacks_changes_only_the_precision(tmp_path):
    recording = make_session(4, 40)
    recording.tables["reconstruct"] = {"method": "dlt", "check_coverage": False}
    del recording.tables["cameras"]["cam_2"]
    session = recording.write(tmp_path)
    run_session(session, STEPS, progress=False)
    found = read_dataset(session.output / "pose.nc")["position"].values
    assert np.nanmedian(np.linalg.norm(found - recording.truth, axis=-1)) < 1.5
    assert list(read_dataset(session.output / "views.nc")["view"].values) == ["cam_0", "cam_1", "cam_3"]


def test_cameras_named_otherwise_than_in_the_calibration_are_named_both_ways(tmp_path):
    recording = make_session(3, 20)
    cameras = recording.tables["cameras"]
    recording.tables["cameras"] = {name.replace("cam_", "Camera"): own for name, own in cameras.items()}
    recording.write(tmp_path)
    with pytest.raises(SessionError, match=r"rig\.toml.*no camera 'Camera0'.*cam_0"):
        run_session(read_session(tmp_path), STEPS, progress=False)


@pytest.mark.long
def test_three_gigabytes_of_memory_are_enough(tmp_path):
    session = make(tmp_path, 6, 100)[1]
    command = [sys.executable, "-m", "muybridge.session.command_line", "run", "--quiet", str(session.path)]
    code = (
        "import resource, os, sys; resource.setrlimit(resource.RLIMIT_AS, (3 << 30,) * 2);"
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    run = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert (session.output / "report.html").is_file()
