"""A real scheduler with several worker processes on loopback, one of them killed while it runs a session."""

import os
import signal
import threading
import time

import pytest

from muybridge.numerics.threads import n_processors
from muybridge.session.config import SessionError
from muybridge.session.recordings.batch import run_batch
from muybridge.session.recordings.command import make_executor
from muybridge.session.recordings.executors import Cluster, Processes
from muybridge.session.recordings.one_run import limits_of_threads
from muybridge.session.recordings.session_files import find_sessions
from tests.session.synthetic import make_session


@pytest.mark.long
def test_a_cluster_that_loses_a_worker_gives_every_result_of_the_sound_sessions(tmp_path):
    distributed = pytest.importorskip("distributed")
    for i in range(5):
        make_session(n_frames=60, seed=i).write(tmp_path / f"s{i}")
    (tmp_path / "s3" / "session.toml").write_text("[cameras")
    options = {"n_workers": 3, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with distributed.LocalCluster(host="127.0.0.1", **options) as cluster, Cluster(cluster.scheduler_address) as places:
        killed: list[int] = []
        killer = threading.Thread(target=_kill_a_busy_worker, args=(places, killed), daemon=True)
        killer.start()
        outcomes = {own.session.parent.name: own for own in run_batch(find_sessions([tmp_path]), places)}
        killer.join()
    assert killed
    assert [name for name, own in sorted(outcomes.items()) if not own.succeeded] == ["s3"]
    assert "no valid TOML" in outcomes["s3"].message
    assert max(own.n_runs for own in outcomes.values()) == 2
    for name in outcomes.keys() - {"s3"}:
        assert (tmp_path / name / "results" / "report.html").is_file()
        assert not list((tmp_path / name / "results").glob(".*.partial*"))


def _kill_a_busy_worker(places: Cluster, killed: list[int]) -> None:
    """Kill the process of a worker that runs a session."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not killed:
        busy = [address for address, tasks in places.client.processing().items() if tasks]
        if len(busy) == 3:
            time.sleep(2)
            killed += places.client.run(os.getpid, workers=busy[:1]).values()
            os.kill(killed[0], signal.SIGKILL)
        time.sleep(0.1)


def test_a_scheduler_that_does_not_answer_is_one_sentence(monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("muybridge.session.recordings.executors.TIMEOUT", 0.2)
    with pytest.raises(SessionError, match=r"no dask scheduler answers at tcp://127\.0\.0\.1:9"):
        Cluster("tcp://127.0.0.1:9")


@pytest.mark.parametrize(
    ("name", "scheduler", "words"),
    [("slurm", None, "no executor 'slurm'"), ("processes", "tcp://a:1", "is for --executor dask"),
     ("dask", None, "needs the cluster's address")],
)  # fmt: skip
def test_an_executor_that_cannot_be_is_refused(name, scheduler, words):
    with pytest.raises(SessionError, match=words):
        make_executor(name, scheduler, None)


def test_this_machine_runs_as_many_sessions_at_a_time_as_are_asked_for():
    with Processes(2) as places:
        assert places.places()["here"].n_slots == 2


@pytest.mark.parametrize(("n_sharing", "share"), [(1, n_processors()), (n_processors(), 1), (1000, 1)])
def test_a_session_gets_its_share_of_the_processors(n_sharing, share):
    limits = limits_of_threads(n_sharing)
    assert set(limits.values()) == {str(share)}
    assert {"OMP_NUM_THREADS", "NUMBA_NUM_THREADS"} <= set(limits)
