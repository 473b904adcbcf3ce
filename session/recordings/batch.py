"""Run many sessions, each in its own process, as many at a time as the memory that they need allows."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, Queue
from typing import Any

from ...formats.catalogue import recognised
from ...formats.files import stored_bytes
from ...formats.predictions.long_recordings.kept_tracks import READ_WHOLE
from ..config import Session
from ..recording_facts import files_of
from .executors import Executor, Place
from .one_run import Ending
from .session_files import makers_first, readable

# bytes, rounded up from the peaks that `benchmarks/cost.py --memory` and runs of short sessions have (docs/cost.md)
_PROGRAM = 0.5e9  # the libraries, with numba's kernels
_NETWORK = 0.8e9  # torch, the network and the decoded pictures
_TRAINING = 1.0e9  # the same, with the labelled pictures and the gradients
_WINDOWS = 0.6e9  # the stretches of a long recording that are read or reconstructed at a time
_BODY = 1.0e9  # jax and the windows of the method "articulated"
_SOLVING = 8.0  # bytes of memory per byte of 2D files of a short recording: text becomes poses with covariances

_LOOK = 1.0  # seconds between two looks at the places: a lost worker is noticed so soon
# what futures raise of a worker that was lost, by name: dask need not be installed
_LOST = ("KilledWorker", "CancelledError", "FutureCancelledError")
_RETRIES = 2  # of a session whose process or worker was lost


@dataclass(frozen=True)
class Outcome:
    """How one session of a batch ended: `message` is the last line of its log, `n_runs` how often it was begun."""

    session: Path
    succeeded: bool
    message: str
    seconds: float
    n_runs: int


@dataclass(eq=False)
class _Run:
    """A session that has been begun."""

    session: Path
    place: str
    began: float


@dataclass(eq=False)
class _Batch:
    executor: Executor
    force: bool
    waiting: list[Path]
    needed: dict[Path, float]
    after: dict[Path, set[Path]]
    running: dict[Any, _Run] = field(default_factory=dict)
    n_runs: Counter = field(default_factory=Counter)
    ended: Queue = field(default_factory=Queue)


def run_batch(sessions: Sequence[Path], executor: Executor, *, force: bool = False) -> Generator[Outcome]:
    """Run `muybridge run` for each session, as many at a time as places and memory allow; outcomes come as they end.

    Large sessions begin first; one whose rig or detector another session of the batch makes, after that. A session
    whose process was killed or whose worker was lost is begun again, twice at most, and its steps go on from what was
    finished.
    """
    loaded = readable(sessions)
    needed = {path: needed_memory(loaded.get(path)) for path in sessions}
    waiting = sorted(sessions, key=needed.__getitem__, reverse=True)
    batch = _Batch(executor, force, waiting, needed, makers_first(loaded))
    while batch.waiting or batch.running:
        places = executor.places()
        yield from _lost(batch, places)
        _begin(batch, places)
        try:
            future = batch.ended.get(timeout=_LOOK)
        except Empty:
            continue
        if future in batch.running:  # of a place that was given up the future ends later
            yield from _finished(batch, future, _ending(future))


def _begin(batch: _Batch, places: dict[str, Place]) -> None:
    """Begin what fits; a session that needs more than any place has runs there alone."""
    unfinished = {*batch.waiting, *(run.session for run in batch.running.values())}
    ready = [path for path in batch.waiting if not batch.after.get(path, set()) & unfinished]
    if not ready and not batch.running:  # sessions that wait for each other: their own runs say what is missing
        ready = batch.waiting[:1]
    for name, place in places.items():
        here = [run.session for run in batch.running.values() if run.place == name]
        free = place.memory - sum(batch.needed[path] for path in here)
        for path in [*ready]:
            if len(here) >= place.n_slots:
                break
            if here and batch.needed[path] > free:
                continue
            future = batch.executor.begin(name, path, batch.force)
            batch.running[future] = _Run(path, name, time.monotonic())
            batch.n_runs[path] += 1
            batch.waiting.remove(path)
            ready.remove(path)
            here.append(path)
            free -= batch.needed[path]
            future.add_done_callback(batch.ended.put)


def _ending(future: Any) -> Ending:
    try:
        return future.result()
    except Exception as error:  # noqa: BLE001 - a worker may raise anything, and dask, whose errors these are, be absent
        kind = type(error).__name__
        return Ending(-1 if kind in _LOST else 1, f"{kind}: {' '.join(str(error).split())}")


def _lost(batch: _Batch, places: dict[str, Place]) -> Iterator[Outcome]:
    """Sessions whose worker is gone."""
    for future, run in [*batch.running.items()]:
        if run.place not in places:
            yield from _finished(batch, future, Ending(-1, f"the worker {run.place} was lost; see its log"))
            future.cancel()


def _finished(batch: _Batch, future: Any, ending: Ending) -> Iterator[Outcome]:
    """The outcome of a run, or none where the session is begun again: with more memory, which it may have lacked."""
    run = batch.running.pop(future)
    n_runs = batch.n_runs[run.session]
    if ending.lost and n_runs <= _RETRIES:
        batch.needed[run.session] *= 2
        batch.waiting.append(run.session)
        return
    yield Outcome(run.session, ending.returncode == 0, ending.message, time.monotonic() - run.began, n_runs)


def needed_memory(session: Session | None) -> float:
    """Bytes that a session's run takes at its largest, a guess by the kind and size of its files.

    None, a session that cannot be read: the program alone.
    """
    if session is None:
        return _PROGRAM
    files = files_of(session.sources("points"))
    size, whole = sum(map(stored_bytes, files)), max(map(_read_whole, files), default=0)
    trains = {"labels", "sessions"} & session.options["train"].keys()
    videos = 0.0 if size else _TRAINING if trains else _NETWORK
    body = _BODY if session.options["reconstruct"].get("method") == "articulated" else 0.0
    return _PROGRAM + max(videos, body, READ_WHOLE * whole, min(_SOLVING * size, _WINDOWS))


def _read_whole(path: Path) -> int:
    """Bytes of a 2D file that is read whole; 0 of one that is read by windows, or cannot be read."""
    try:
        return 0 if recognised("views", path).by_rows else stored_bytes(path)
    except (ValueError, OSError):
        return 0
