"""Where the sessions of a batch run: processes of this machine, or the workers of a dask.distributed cluster."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from ...datasets.size_limit import available_memory
from ...numerics.threads import n_processors
from ..config import SessionError
from ..steps.step_definition import WindowTasks
from .one_run import run_one

TIMEOUT = 20.0  # seconds for the scheduler to answer


class Place(NamedTuple):
    """Something that runs sessions: how many at a time, and the memory for them, bytes."""

    n_slots: int
    memory: float


class Executor(AbstractContextManager, Protocol):
    """Places, which may come and go, and runs begun there. A run is a future: of a lost place it need not end."""

    def places(self) -> dict[str, Place]: ...
    def begin(self, place: str, session: Path, force: bool) -> Any: ...


class Processes:
    """Processes of this machine, `n_jobs` at a time; None: one per processor, as far as the memory goes."""

    def __init__(self, n_jobs: int | None = None):
        self.place = Place(n_jobs or n_processors(), available_memory())
        # each thread waits for a process; runs are begun one by one as places become free, as on a cluster: no list of
        # work is given, as numerics.threads takes
        self.pool = ThreadPoolExecutor(self.place.n_slots)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.pool.shutdown(cancel_futures=True)

    def places(self) -> dict[str, Place]:
        return {"here": self.place}

    def begin(self, place: str, session: Path, force: bool) -> Future:
        return self.pool.submit(run_one, session, force, self.place.n_slots)


class Cluster:
    """The workers of a running dask.distributed scheduler, which see the same files; their threads run sessions.

    scheduler : address (tcp://HOST:PORT) or scheduler file; None: what dask's own configuration names
    n_jobs : sessions at a time on each worker; None: one per thread of it
    """

    def __init__(self, scheduler: str | None = None, n_jobs: int | None = None):
        self.n_jobs = n_jobs
        try:
            from dask import config
            from distributed import Client
        except ModuleNotFoundError as error:
            raise SessionError("--executor dask needs dask: pip install 'muybridge[cluster]'") from error
        scheduler = scheduler or config.get("scheduler-address", None)
        if scheduler is None:
            raise SessionError("--executor dask needs the cluster's address: --scheduler tcp://HOST:8786, or its file")
        try:
            where: dict[str, Any] = {"address": scheduler}
            where = {"scheduler_file": scheduler} if Path(scheduler).is_file() else where
            self.client = Client(**where, timeout=TIMEOUT, set_as_default=False)
        except (OSError, ValueError) as error:
            raise SessionError(
                f"no dask scheduler answers at {scheduler} ({error}); start one with 'dask scheduler'"
            ) from error

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.close()

    def _workers(self) -> dict[str, dict]:
        return self.client.scheduler_info(n_workers=-1)["workers"]

    def places(self) -> dict[str, Place]:
        return {
            address: Place(self._n_slots(worker), worker.get("memory_limit") or float("inf"))
            for address, worker in self._workers().items()
        }

    def _n_slots(self, worker: dict) -> int:
        return min(worker["nthreads"], self.n_jobs or worker["nthreads"])

    def window_tasks(self) -> WindowTasks:
        """Windows of one recording as tasks, as many as sessions would run at a time."""
        n_slots = sum(place.n_slots for place in self.places().values())
        return WindowTasks(self.client.get_executor(), max(1, n_slots))

    def begin(self, place: str, session: Path, force: bool) -> Any:
        slots, workers = Counter(), self._workers()
        for worker in workers.values():
            slots[worker["host"]] += self._n_slots(worker)
        n_sharing = slots[workers[place]["host"]] if place in workers else 1
        return self.client.submit(run_one, session, force, n_sharing, workers=[place], pure=False, retries=0)
