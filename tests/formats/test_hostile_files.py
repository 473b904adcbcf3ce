"""No file of a stranger runs code, fills the memory, never ends or has another file read, whichever reader opens it."""

import resource
import signal

import pytest

from muybridge.cameras import read_rig
from muybridge.formats import read_pose, read_views
from muybridge.formats.catalogue import FOLDER, formats_of, read_as
from muybridge.formats.labels.reading import read_labels
from muybridge.formats.video.timestamps import read_timestamps
from tests.formats.hostile import HOSTILE

REFUSALS = (ValueError, OSError)
# the function that reads files of each kind
READERS = {
    "views": lambda path: read_views({"cam_0": path}, fps=100),
    "pose": lambda path: read_pose(path, fps=100),
    "kinematics": lambda path: read_as("kinematics", path),
    "rig": lambda path: read_rig(path, size=(640, 480)),
    "labels": read_labels,
}
CASES = sorted({(kind, suffix) for kind in READERS for row in formats_of(kind) for suffix in row.suffixes})


@pytest.fixture
def little():
    """1.2 GB of memory more than now, and 20 s of the processor."""

    def late(number, frame):
        raise AssertionError("it takes too long")

    with open("/proc/self/statm") as sizes:
        now = int(sizes.read().split()[0]) * resource.getpagesize()
    before, handler = resource.getrlimit(resource.RLIMIT_AS), signal.signal(signal.SIGVTALRM, late)
    resource.setrlimit(resource.RLIMIT_AS, (now + 1_200_000_000, before[1]))
    signal.setitimer(signal.ITIMER_VIRTUAL, 20)
    yield
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    resource.setrlimit(resource.RLIMIT_AS, before)
    signal.signal(signal.SIGVTALRM, handler)


def open_and_fail(kind, path):
    READERS[kind](path)
    pytest.fail(f"{path} was read as {kind}")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_by_every_reader_under_every_suffix(tmp_path, little, monkeypatch, name):
    monkeypatch.setenv("MUYBRIDGE_MAX_GB", "0.1")  # what unpacks to more is found sooner
    content = tmp_path / "content"
    HOSTILE[name](content)
    for kind, suffix in CASES:
        path = tmp_path / (f"{kind}_json/1.json" if suffix == FOLDER else f"{kind}{suffix}")
        path.parent.mkdir(exist_ok=True)
        if not path.exists():
            path.symlink_to(content)
        with pytest.raises(REFUSALS) as caught:
            open_and_fail(kind, path.parent if suffix == FOLDER else path)
        assert not isinstance(caught.value, (MemoryError, RecursionError)), (kind, suffix)
        assert path.stem in str(caught.value) or path.parent.name in str(caught.value), (kind, suffix, caught.value)
    with pytest.raises(REFUSALS):
        read_timestamps(tmp_path / "content")
    assert not (tmp_path / "executed").exists()
