"""A file is written whole or not at all."""

import os
import resource
import signal
import subprocess
import sys
import threading

import h5py
import numpy as np
import pytest

from muybridge.datasets.atomic_files import atomic_write


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_new_content_replaces_the_old_and_folders_are_made(tmp_path):
    path = tmp_path / "new" / "a.txt"
    for text in ("old", "new"):
        with atomic_write(path) as temporary:
            assert temporary.parent == path.parent
            assert temporary.suffix == ".txt"
            temporary.write_text(text)
        assert path.read_text() == text
    assert names_in(path.parent) == ["a.txt"]


def test_after_a_failure_the_old_file_is_whole_and_the_temporary_one_gone(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def interrupted():
        with atomic_write(path) as temporary:
            temporary.write_text("half of")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old"
    assert names_in(tmp_path) == ["a.txt"]


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is a signal of POSIX systems")
def test_a_process_killed_while_writing_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    code = (
        "import sys, time; from muybridge.datasets.atomic_files import atomic_write\n"
        "with atomic_write(sys.argv[1]) as temporary:\n"
        "    temporary.write_text('half of'); print('writing', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        process.send_signal(signal.SIGKILL)
    assert path.read_text() == "old"
    assert [name for name in names_in(tmp_path) if not name.startswith(".")] == ["a.txt"]


def test_several_writers_at_once_leave_one_whole_file(tmp_path):
    path, texts = tmp_path / "a.txt", [str(i) * 100_000 for i in range(8)]
    start = threading.Barrier(len(texts))

    def write(text):
        start.wait()
        for _ in range(5):
            with atomic_write(path) as temporary:
                temporary.write_text(text)

    threads = [threading.Thread(target=write, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_text() in texts
    assert names_in(tmp_path) == ["a.txt"]


@pytest.mark.skipif(os.name == "nt", reason="permission bits of POSIX systems")
def test_permissions_are_those_of_any_new_file_even_if_the_writer_makes_its_own(tmp_path):
    (tmp_path / "usual").touch()
    with atomic_write(tmp_path / "a") as temporary:
        temporary.unlink()
        os.close(os.open(temporary, os.O_CREAT | os.O_WRONLY, 0o600))
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_a_long_name_is_no_hindrance(tmp_path):
    path = tmp_path / ("ä" * 120 + ".txt")
    with atomic_write(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"


@pytest.fixture
def little_room():
    """Files of more than 8 kB cannot be written, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def write_text(path):
    with atomic_write(path) as temporary:
        temporary.write_text("x" * 100_000)


def write_hdf5(path):
    with atomic_write(path) as temporary, h5py.File(temporary, "w") as file:
        file["x"] = np.random.default_rng(0).random(20_000)


@pytest.mark.parametrize("write", [write_text, write_hdf5])
def test_a_full_disk_is_one_sentence_with_the_file_and_the_old_one_stays(tmp_path, little_room, write):
    path = tmp_path / "a.h5"
    path.write_text("old")
    with pytest.raises(OSError, match=r"^cannot write .*a\.h5 \(File too large\); ") as caught:
        write(path)
    assert "\n" not in str(caught.value)
    assert path.read_text() == "old"
    assert names_in(tmp_path) == ["a.h5"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OSError, match=r"cannot write .*file/a\.txt \(.*\); make the folder writable"):
        write_text(tmp_path / "file" / "a.txt")
