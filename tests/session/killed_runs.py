"""Runs of a session that are killed and continued, in forks of one process that has loaded what a run needs.

    python -m tests.session.killed_runs FOLDER SEED N [STEP ...]

runs the session of a folder to the end, then kills N runs at random moments (N = 0: one before each file that is put
in its place) and lets the next run continue. After each kill, whatever bears a result's name has the whole run's
content, and after the next run everything is there and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from muybridge.datasets import read_dataset
from muybridge.session import Session, read_session, run_session
from muybridge.session.config import STEPS


def content(path: Path) -> str:
    """Hash of a result; of datasets and detectors the numbers alone: their attributes tell how long a training took."""
    if path.suffix == ".nc":
        found = read_dataset(path)
        parts = [np.ascontiguousarray(found[name].values).tobytes() for name in sorted(map(str, found.data_vars))]
    elif path.suffix == ".safetensors":
        from safetensors.numpy import load_file

        parts = [values.tobytes() for _, values in sorted(load_file(path).items())]
    elif path.parent.name == "provenance":
        parts = [str(sorted(json.loads(path.read_text()))).encode() if path.name != "hashes.json" else b""]
    else:
        parts = [path.read_bytes()]
    return hashlib.blake2b(b"".join(parts), digest_size=8).hexdigest()


def results(session: Session) -> dict[str, str]:
    """{file: content} of all results; not what is hidden, and not the state from which a step goes on."""
    files = [path for path in session.output.rglob("*") if path.is_file()]
    return {
        str(path.relative_to(session.output)): content(path)
        for path in files
        if not path.name.startswith(".") and ".checkpoint" not in str(path)
    }


def end_of(work: Callable[[], object]) -> int:
    """How a fork ends that does the work: its exit code, or minus the signal."""
    process = os.fork()
    if process:
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    try:
        work()
    except BaseException as error:  # noqa: BLE001 - a fork must not return into its parent's code
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        os._exit(1)
    os._exit(0)


def dies_before_rename(number: int) -> None:
    """Kill this process just before it puts its n-th result or record in place."""
    seen = []

    def watch(event: str, names: tuple) -> None:
        if event == "os.rename" and "hashes.json" not in str(names[1]):
            seen.append(names)
            if len(seen) == number:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)


def dies_after(seconds: float) -> None:
    """Kill this process after so much processor time: at a signal that nobody handles the system ends it as kill -9."""
    signal.setitimer(signal.ITIMER_PROF, max(seconds, 1e-3))


def main(folder: str, seed: str, n: str, *steps: str) -> None:
    """Kill and continue; the first thing that is wrong ends the process with a message."""
    cv2.setNumThreads(1)  # a fork has one thread
    if "train" in steps:
        import torch

        torch.set_num_threads(1)
    session, rng = read_session(folder), np.random.default_rng(int(seed))
    asked = steps or STEPS

    def run() -> None:
        run_session(session, asked, progress=False)

    run()  # compiles or loads the kernels
    whole = results(session)
    began = time.process_time()
    if int(n):  # moments are drawn from how long a run takes
        run_session(session, asked, progress=False, force=True)
    took = time.process_time() - began
    n_killed, moment = 0, 0
    while n_killed < int(n) or not int(n):
        moment += 1
        when = rng.uniform(0, 1) * took
        if moment == 1 or rng.random() < 0.5 or not int(n):
            shutil.rmtree(session.output)
        else:  # the next kill meets a later step
            own = [name for name in sorted(whole) if not name.startswith("board_corners")]  # these are a cache
            when *= 0.6
            for name in rng.permutation(own)[: len(own) // 3]:
                (session.output / str(name)).unlink()
        ended = end_of(lambda now=moment, at=when: (dies_after(at) if int(n) else dies_before_rename(now), run()))
        assert ended in (0, -signal.SIGKILL, -signal.SIGPROF), f"kill {moment}: the run failed"
        n_killed += ended != 0
        differs = different(results(session), whole) if session.output.exists() else []
        assert not differs, f"kill {moment} leaves {differs}"
        if ended == 0 and not int(n):
            break
        assert end_of(run) == 0, f"kill {moment}: the next run failed"
        left = results(session)
        assert left == whole, f"after kill {moment}: {different(left, whole)}, without {sorted(whole.keys() - left)}"
        others = [path.name for path in session.output.rglob("*") if path.is_file() and ".partial" in path.name]
        others += [path.name for path in session.output.rglob("*.checkpoint")]
        assert not others, f"the run after kill {moment} leaves {others}"
    print(f"{n_killed} of {moment} runs were killed, {took:.2f} s each")  # noqa: T201


def different(left: dict[str, str], whole: dict[str, str]) -> list[str]:
    """Names of the results that are not the whole run's."""
    return [name for name, own in left.items() if whole.get(name) != own]


if __name__ == "__main__":
    main(*sys.argv[1:])
