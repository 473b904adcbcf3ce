"""Throughput of `muybridge batch` on two processors, beside one worker of one thread.

    python benchmarks/batch_throughput.py [--sessions 8] [--frames 500] [--jobs 2] [--method smooth]

Sessions of 2D files (DeepLabCut CSV, four cameras, 13 keypoints) and a rig file are run by one worker that is bound to
one processor, and by `--jobs` workers. The ratio of the walls is the throughput; that of the processor seconds says
what the workers cost each other (memory, caches, threads), and their quotient with `--jobs` what is left to gain. The
last row is a loop of Python alone, once and `--jobs` times at once: what the machine gives. Run it on an idle machine.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import tomli_w

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.long_recordings import FPS, skeleton_of, views_at
from benchmarks.rings import make_rig
from muybridge.cameras import write_rig
from muybridge.formats import write_views

N_KEYPOINTS, N_CAMERAS = 13, 4
LOOP = "x = 0\nfor i in range(30_000_000):\n    x += i * i % 7\n"


def write_sessions(folder: Path, n_sessions: int, n_frames: int, method: str) -> None:
    """So many sessions of one rig, each of other noise."""
    rig, skeleton = make_rig(N_CAMERAS), skeleton_of(N_KEYPOINTS)
    tables = {
        "session": {"rig": "rig.toml", "fps": FPS, "up": [0, 0, 1]},
        "cameras": {name: {"points": f"{name}.csv"} for name in rig.names},
        "skeleton": {"keypoints": list(skeleton.keypoints), "bones": [list(bone) for bone in skeleton.bones]},
        "joints": {f"joint_{i}": [f"point_{(i - 1) // 2}", f"point_{i}", f"point_{2 * i + 1}"] for i in range(1, 6)},
        "reconstruct": {"method": method},
    }
    for i in range(n_sessions):
        own = folder / f"recording_{i:02d}"
        write_views(views_at(i * n_frames, rig, skeleton, (i + 1) * n_frames), own)
        write_rig(rig, own / "rig.toml")
        (own / "session.toml").write_text(tomli_w.dumps(tables))


def timed(commands: list[list[str]], processors: set[int]) -> tuple[float, float]:
    """Seconds on the wall and of the processors that commands take, run at once on these processors."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    bind = lambda: os.sched_setaffinity(0, processors)  # noqa: E731
    running = [subprocess.Popen(command, stdout=subprocess.DEVNULL, preexec_fn=bind) for command in commands]
    codes = [process.wait() for process in running]
    if any(codes):
        sys.exit("a command failed")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)
    return time.perf_counter() - began, used


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=8)
    parser.add_argument("--frames", type=int, default=500)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--method", default="smooth")
    arguments = parser.parse_args()
    processors, n_jobs = os.sched_getaffinity(0), arguments.jobs
    some = set(sorted(processors)[:n_jobs])
    one = {min(some)}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_sessions(folder, arguments.sessions, arguments.frames, arguments.method)
        batch = [sys.executable, "-m", "muybridge.session.command_line", "batch", "--force", "--jobs"]
        timed([[*batch, "1", str(folder / "recording_00")]], one)  # compiles the kernels
        single = timed([[*batch, "1", name]], one)
        several = timed([[*batch, str(n_jobs), name]], some)
    loop = [sys.executable, "-c", LOOP]
    alone, beside = timed([loop], one), timed([loop] * n_jobs, some)
    print(f"| what | one worker, wall s | processor s | {n_jobs} workers, wall s | processor s | throughput |")
    print("|---|---|---|---|---|---|")
    rows = {f"{arguments.sessions} sessions": (single, several, 1), "a loop of Python": (alone, beside, n_jobs)}
    for what, (first, second, n_times) in rows.items():
        ratio = n_times * first[0] / second[0]
        print(f"| {what} | {first[0]:.1f} | {first[1]:.1f} | {second[0]:.1f} | {second[1]:.1f} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
