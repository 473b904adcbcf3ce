"""Cost of a session's steps per camera and hour of video: processor hours and memory, from two lengths and two rigs.

    python benchmarks/cost.py DEMOFOLDER [--cameras 2 6] [--rounds 1 3] [--frames 2500 7500]
    python benchmarks/cost.py --memory ransac dlt smooth gimbal [--frames 10000 100000] [--steps reconstruct]

The second command prints peak memory and processor seconds of the steps after "predict" for each method and length, of
20 keypoints in 6 cameras. DEMOFOLDER is a finished `muybridge demo`. "predict" runs on its videos, played `rounds`
times; the steps after it on views of 13 simulated keypoints, of so many frames at 100 Hz. What a run costs whatever its
length (libraries, learning, the check of the error bars) is told from what every frame costs by the two lengths.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import numpy as np
import tomli_w

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.long_recordings import FPS, skeleton_of, write_views
from benchmarks.rings import make_rig
from muybridge.cameras import read_rig, write_rig
from muybridge.formats.video.reading import probe_video

N_KEYPOINTS = 13
MEMORY_KEYPOINTS, MEMORY_CAMERAS = 20, 6
STEPS = ("reconstruct", "kinematics", "report")


def run_step(session: Path, step: str) -> tuple[float, float]:
    """Processor seconds and peak memory in GB of a step in a process of its own."""
    command = [sys.executable, "-m", "muybridge.session.command_line", step, str(session), "--quiet", "--force"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{step} of {session} failed")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 2**20


def video_session(demo: Path, folder: Path, cameras: list[str], n_rounds: int) -> tuple[Path, float]:
    """A session of some of the demo's cameras, whose videos are played several times; and its camera hours."""
    tables = tomllib.loads((demo / "session.toml").read_text())
    own = {}
    for name in cameras:
        video = demo / tables["cameras"][name]["video"]
        parts = [folder / f"{name}_{i}{video.suffix}" for i in range(n_rounds)]
        for part in parts:
            shutil.copy(video, part)
        own[name] = {"video": [part.name for part in parts]}
    write_rig(read_rig(demo / "results" / "rig.toml").subset(cameras), folder / "rig.toml")
    tables = {
        "session": {"rig": "rig.toml"},
        "cameras": own,
        "predict": {"detector": str((demo / "results" / "detector.safetensors").resolve())},
    }
    path = folder / "session.toml"
    path.write_text(tomli_w.dumps(tables))
    info = probe_video(folder / own[cameras[0]]["video"][0])
    return path, n_rounds * len(cameras) * info.n_frames / info.fps / 3600


def views_session(folder: Path, n_cameras: int, n_frames: int, n_keypoints: int = N_KEYPOINTS) -> tuple[Path, float]:
    """A session whose views are there already; and its camera hours."""
    rig, skeleton = make_rig(n_cameras), skeleton_of(n_keypoints)
    write_rig(rig, folder / "rig.toml")
    (folder / "results").mkdir()
    write_views(folder / "results" / "views.nc", rig, skeleton, n_frames)
    tables = {
        "session": {"rig": "rig.toml", "up": [0, 0, 1]},
        "cameras": {name: {} for name in rig.names},
        "skeleton": {"keypoints": list(skeleton.keypoints), "bones": [list(bone) for bone in skeleton.bones]},
        "joints": {f"joint_{i}": [f"point_{(i - 1) // 2}", f"point_{i}", f"point_{2 * i + 1}"] for i in range(1, 6)},
        "gait": {"left_hind": "point_12", "right_hind": "point_11"},
    }
    path = folder / "session.toml"
    path.write_text(tomli_w.dumps(tables))
    return path, n_cameras * n_frames / FPS / 3600


def measure(make_session, lengths: list[int], steps: tuple[str, ...], n_cameras: int) -> None:
    """A row per step: what a run costs at least, what a camera hour adds, and the memory of both lengths."""
    found: dict[str, list[tuple[float, float, float]]] = {step: [] for step in steps}
    for length in lengths:
        with tempfile.TemporaryDirectory() as name:
            path, hours = make_session(Path(name), length)
            for step in steps:
                found[step].append((hours, *run_step(path, step)))
    for step, rows in found.items():
        hours, seconds, memory = np.array(rows).T
        slope = (seconds[-1] - seconds[0]) / (hours[-1] - hours[0])
        fixed = seconds[0] - slope * hours[0]
        print(
            f"| {step} | {n_cameras} | {fixed:.0f} | {slope / 3600:.3g} |"
            f" {memory[0]:.2f}, {memory[-1]:.2f} | {lengths[0]}, {lengths[-1]} |",
            flush=True,
        )


def measure_memory(methods: list[str], lengths: list[int], steps: list[str]) -> None:
    """A row per method and length: peak memory and processor seconds of each step."""
    print(f"| method | frames | {' | '.join(f'{step}, GB | s' for step in steps)} |")
    print("|---" * (2 + 2 * len(steps)) + "|")
    for n_frames in lengths:
        with tempfile.TemporaryDirectory() as name:
            path, _ = views_session(Path(name), MEMORY_CAMERAS, n_frames, MEMORY_KEYPOINTS)
            tables = tomllib.loads(path.read_text())
            for method in methods:
                path.write_text(tomli_w.dumps(tables | {"reconstruct": {"method": method}}))
                found = [run_step(path, step) for step in steps]
                cells = " | ".join(f"{memory:.2f} | {seconds:.0f}" for seconds, memory in found)
                print(f"| {method} | {n_frames:,} | {cells} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("demo", type=Path, nargs="?")
    parser.add_argument("--memory", nargs="+", metavar="METHOD")
    parser.add_argument("--steps", nargs="+", default=list(STEPS), choices=STEPS, help="of --memory")
    parser.add_argument("--cameras", type=int, nargs="+", default=[2, 6])
    parser.add_argument("--rounds", type=int, nargs=2, default=[1, 3])
    parser.add_argument("--frames", type=int, nargs="+")
    arguments = parser.parse_args()
    if arguments.memory:
        measure_memory(arguments.memory, arguments.frames or [10_000, 100_000], arguments.steps)
        return
    if arguments.demo is None:
        parser.error("give DEMOFOLDER, or --memory METHOD...")
    names = list(tomllib.loads((arguments.demo / "session.toml").read_text())["cameras"])
    print("| step | cameras | processor s per run | processor hours per camera hour | peak GB | rounds or frames |")
    print("|---|---|---|---|---|---|")
    for n_cameras in arguments.cameras:
        measure(
            lambda folder, n, some=tuple(names[:n_cameras]): video_session(arguments.demo, folder, list(some), n),
            arguments.rounds, ("predict",), n_cameras,
        )  # fmt: skip
        measure(
            lambda folder, n, count=n_cameras: views_session(folder, count, n),
            arguments.frames or [2500, 7500],
            STEPS,
            n_cameras,
        )


if __name__ == "__main__":
    main()
