"""Copies of pictures are made in spare time: nearest first, after the page's requests, never on a full disk."""

import shutil
import threading
import time
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace

import pytest

from muybridge.formats.video.reading import VideoError
from muybridge.labelling import spare_time_copies
from muybridge.labelling.spare_time_copies import SpareTimeCopies


@pytest.fixture
def copied(monkeypatch):
    """[(camera, instant)] in the order in which their copies are made, by one thread."""
    made = []
    monkeypatch.setattr(spare_time_copies, "_N_THREADS", 1)
    monkeypatch.setattr(spare_time_copies, "_PAUSE", 0.05)
    keep = lambda path, folder: made.append((folder.name, int(path.name)))  # noqa: E731
    monkeypatch.setattr(spare_time_copies, "keep_copies", keep)
    return made


def begun(root, instants=range(10), cameras=("left", "right"), seconds=5.0):
    """The copies of files named by their instants, once all are made or given up."""
    copies = SpareTimeCopies(cameras, instants, lambda camera, instant: (Path(str(instant)), Path(camera)), root)
    copies.give_way(near=6)
    until = time.monotonic() + seconds
    while not copies.is_done() and time.monotonic() < until:
        time.sleep(0.01)
    copies.close()
    return copies


def test_the_instants_nearest_to_the_one_shown_come_first(tmp_path, copied):
    assert begun(tmp_path).is_done()
    order = [instant for camera, instant in copied if camera == "right"]
    assert sorted(copied) == [(camera, instant) for camera in ("left", "right") for instant in range(10)]
    later = order[order.index(6) :]  # on a busy machine some are taken before the page shows an instant
    assert len(later) > 5
    assert [abs(instant - 6) for instant in later] == sorted(abs(instant - 6) for instant in later)


def test_nothing_is_made_while_the_page_asks(tmp_path, copied, monkeypatch):
    monkeypatch.setattr(spare_time_copies, "_PAUSE", 60.0)  # seconds: no busy machine is later than that
    copies = SpareTimeCopies(("left",), range(100_000), lambda camera, i: (Path(str(i)), Path(camera)), tmp_path)
    copies.give_way(near=0)
    n_begun = len(copied) + 1
    time.sleep(0.2)
    copies.close()
    assert len(copied) <= n_begun < 100_000


def test_a_picture_that_is_missing_or_broken_stops_no_other(tmp_path, copied, monkeypatch):
    def broken(path, folder):
        copied.append(int(path.name))
        raise (LookupError, VideoError, PermissionError)[len(copied) % 3]("no picture")

    monkeypatch.setattr(spare_time_copies, "keep_copies", broken)
    begun(tmp_path, cameras=("left",))
    assert sorted(copied) == list(range(10))


def test_a_full_disk_or_a_folder_that_cannot_be_written_ends_it(tmp_path, copied, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda root: usage(1e12, 1e12, 1e9))
    begun(tmp_path)
    assert len(copied) == 1

    def unwritable(path, folder):
        copied.append(path)
        raise PermissionError("read-only")

    copied.clear()
    monkeypatch.setattr(spare_time_copies, "keep_copies", unwritable)
    begun(tmp_path, range(100))
    assert len(copied) == spare_time_copies._MOST_FAILURES


def test_it_rests_where_the_machine_is_used_by_others(tmp_path, copied, monkeypatch):
    rests = []

    class Event(threading.Event):
        def wait(self, timeout=None):
            rests.append(timeout)
            return self.is_set()

    monkeypatch.setattr(spare_time_copies, "threading", SimpleNamespace(**vars(threading) | {"Event": Event}))
    monkeypatch.setattr(spare_time_copies, "_PAUSE", 0.0)
    monkeypatch.setattr(spare_time_copies, "keep_copies", lambda path, folder: time.sleep(0.05))
    begun(tmp_path, range(4), cameras=("left",))
    assert len(rests) == 4
    assert all(0.1 <= rest <= spare_time_copies._LONGEST_REST for rest in rests)  # 0.05 s of waiting at least
