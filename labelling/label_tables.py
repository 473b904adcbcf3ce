"""DeepLabCut's tables of a project, rewritten in the background as soon as a camera's labels have changed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

_DELAY = 0.5  # seconds, in which further clicks join, and the first is answered undisturbed


class TableWriter:
    """Calls `write(camera)` for the cameras marked as changed, half a second later and one at a time.

    A camera that changes again while it waits is written once. failures : {camera: why it could not be written}
    """

    def __init__(self, write: Callable[[str], None]):
        self._write, self.failures = write, dict[str, str]()
        self._changed: set[str] = set()
        self._condition, self._busy = threading.Condition(), False
        self._closed, self._is_urgent = False, False
        self._thread = threading.Thread(target=self._run, name="label tables", daemon=True)
        self._thread.start()

    def mark(self, cameras: Iterable[str]) -> None:
        """Have the tables of cameras written."""
        with self._condition:
            self._changed.update(cameras)
            self._condition.notify_all()

    def flush(self) -> None:
        """Wait until every table is written. Raises OSError where one could not be."""
        with self._condition:
            self._is_urgent = True
            self._condition.notify_all()
            self._condition.wait_for(lambda: not self._changed and not self._busy)
            self._is_urgent = False
            for camera, failure in self.failures.items():
                raise OSError(f"the labels of camera '{camera}' cannot be written: {failure}")

    def close(self) -> None:
        """Write what is waiting, and end."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._changed or self._closed)
                if not self._changed:
                    return
                self._condition.wait_for(lambda: self._is_urgent or self._closed, timeout=_DELAY)
                cameras, self._busy = sorted(self._changed), True
                self._changed.clear()
            for camera in cameras:
                self._write_one(camera)
            with self._condition:
                self._busy = False
                self._condition.notify_all()

    def _write_one(self, camera: str) -> None:
        try:
            self._write(camera)
            self.failures.pop(camera, None)
        except (OSError, ValueError) as error:
            self.failures[camera] = str(error)
