"""Seconds of CPU that numba takes to compile the kernels from an empty cache, kernel by kernel.

    python benchmarks/compilation.py [smooth|run|demo|quick] [--rows 30]

smooth: `smooth` with a skeleton on 200 frames of the shared ring recording. run: `muybridge run` on 2D files of 1,000
frames and a rig file. demo, quick: the rendered recording through all steps. The last three start a process that
compiles beside them, as the commands do; it counts in the processor seconds of all, not in the table. A kernel's own
seconds are without those of the kernels that it calls and that are compiled meanwhile; "types" are the numbers of
signatures that it is compiled for.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
from collections import defaultdict
from pathlib import Path

import numba
import pandas as pd
from numba.core import event
from numba.core.event import Listener

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


class CompileClock(Listener):
    """CPU seconds of each kernel's own compilation, and its signatures."""

    def __init__(self):
        self.own, self.types, self.stacks = defaultdict(float), defaultdict(list), threading.local()

    def on_start(self, event) -> None:
        stack = self.stacks.__dict__.setdefault("stack", [])
        stack.append([time.thread_time(), 0.0])

    def on_end(self, event) -> None:
        begin, inner = self.stacks.stack.pop()
        spent = time.thread_time() - begin
        if self.stacks.stack:
            self.stacks.stack[-1][1] += spent
        function = event.data["dispatcher"].py_func
        name = f"{function.__module__.removeprefix('muybridge.')}.{function.__name__}"
        self.own[name] += spent - inner
        self.types[name].append(str(event.data["args"]))

    def table(self) -> pd.DataFrame:
        rows = {name: (seconds, len(self.types[name])) for name, seconds in self.own.items()}
        table = pd.DataFrame.from_dict(rows, orient="index", columns=["CPU s", "types"])
        return table.sort_values("CPU s", ascending=False)


def smooth_with_skeleton() -> None:
    from benchmarks.bayes import FPS, shared_ring
    from muybridge.triangulate import smooth

    points_2d, confidence, _, _, rig, skeleton = shared_ring("base", 200)
    smooth(points_2d, rig, fps=FPS, confidence=confidence, skeleton=skeleton)


def run_of_2d_files() -> None:
    from muybridge.session.command_line import run
    from tests.session.synthetic import make_session

    with tempfile.TemporaryDirectory() as folder:
        make_session(n_frames=1000).write(Path(folder))
        run(Path(folder), quiet=True)


def whole_demo(quick: bool = False) -> None:
    from muybridge.session.demo_run import run_demo

    with tempfile.TemporaryDirectory() as folder:
        run_demo(Path(folder) / "demo", quick=quick, progress=False, say=print)


TASKS = {"smooth": smooth_with_skeleton, "run": run_of_2d_files, "demo": whole_demo, "quick": lambda: whole_demo(True)}


def processor_seconds() -> float:
    """Of this process and of those that it has waited for."""
    return sum(os.times()[:4])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=tuple(TASKS), default="smooth")
    parser.add_argument("--rows", type=int, default=30)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        numba.config.CACHE_DIR = os.environ["NUMBA_CACHE_DIR"] = cache
        clock, begin, started = CompileClock(), processor_seconds(), time.perf_counter()
        event.register("numba:compile", clock)
        TASKS[arguments.what]()
        spent, wall = processor_seconds() - begin, time.perf_counter() - started
    table = clock.table()
    print(table.head(arguments.rows).to_string(float_format="%.2f"))
    compiled = f"{len(table)} kernels, {table['types'].sum()} types: {table['CPU s'].sum():.1f} s"
    print(f"{compiled} of {spent:.1f} s CPU, {wall:.1f} s wall")
    print(table[table["types"] > 1].to_string(float_format="%.2f"))


if __name__ == "__main__":
    main()
