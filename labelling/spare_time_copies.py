"""The smaller copies of all pictures of a project, made in spare time, those near the instant last shown first."""

from __future__ import annotations

import shutil
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from ..formats.labels.picture_copies import keep_copies
from ..formats.video.reading import VideoError
from ..numerics.threads import n_processors

_PAUSE = 0.15  # seconds after the page's last request
_REST = 2.0  # times as long as the last picture waited for a processor or the disk: none on an idle machine
_LONGEST_REST = 1.0  # seconds
_FREE = 2e9  # bytes that stay free on the disk: copies only save time
_MOST_FAILURES = 20  # then the folder cannot be written, not a single file read
_N_THREADS = n_processors()


class SpareTimeCopies:
    """Makes the copies of all pictures while nothing is asked for, on every processor that is idle.

    Waits while pictures are asked for, and rests where others use the machine, too. Threads of low priority would be
    worse: on a busy machine the system lets one wait for seconds while it holds the interpreter's lock, and with it
    every answer.

    cameras : their names; instants : those of which there may be pictures
    picture : (camera, instant) -> (its file, folder of its copies); raises LookupError where there is none
    root : folder whose disk must not become full
    """

    def __init__(
        self,
        cameras: Sequence[str],
        instants: Iterable[int],
        picture: Callable[[str, int], tuple[Path, Path]],
        root: Path,
    ):
        self._cameras, self._picture, self._root = cameras, picture, root
        self._waiting, self._of_instant = sorted(instants), list[tuple[str, int]]()
        self._lock, self._closed, self._n_failed = threading.Lock(), threading.Event(), 0
        self._used_at, self._near = 0.0, 0
        self._threads = [
            threading.Thread(target=self._copy, name="smaller copies", daemon=True) for _ in range(_N_THREADS)
        ]
        for thread in self._threads:
            thread.start()

    def give_way(self, near: int | None = None) -> None:
        """Wait for a moment: the page has asked for something; `near`: the instant that it shows."""
        self._used_at = time.monotonic()
        self._near = self._near if near is None else near

    def is_done(self) -> bool:
        """Whether every copy is there, or has been given up."""
        return not any(thread.is_alive() for thread in self._threads)

    def close(self) -> None:
        """Give up what is not there yet, after the pictures in hand."""
        self._closed.set()
        for thread in self._threads:
            thread.join()

    def _copy(self) -> None:
        while (picture := self._next()) is not None:
            while (pause := self._used_at + _PAUSE - time.monotonic()) > 0 and not self._closed.wait(pause):
                pass
            if self._closed.is_set():
                return
            started = time.perf_counter() - time.thread_time()
            self._make(*picture)
            waited = time.perf_counter() - time.thread_time() - started
            self._closed.wait(min(_LONGEST_REST, _REST * waited))

    def _make(self, camera: str, instant: int) -> None:
        try:
            keep_copies(*self._picture(camera, instant))
            if shutil.disk_usage(self._root).free < _FREE:
                self._closed.set()
        except (LookupError, VideoError):
            return
        except OSError:
            self._n_failed += 1
            if self._n_failed >= _MOST_FAILURES:
                self._closed.set()

    def _next(self) -> tuple[str, int] | None:
        """The cameras of an instant, one after the other, then those of the instant nearest to the one last shown."""
        with self._lock:
            if not self._of_instant and self._waiting:
                place = bisect_left(self._waiting, self._near)
                beside = range(max(0, place - 1), min(len(self._waiting), place + 1))
                instant = self._waiting.pop(min(beside, key=lambda i: abs(self._waiting[i] - self._near)))
                self._of_instant = [(camera, instant) for camera in reversed(self._cameras)]
            return self._of_instant.pop() if self._of_instant else None
