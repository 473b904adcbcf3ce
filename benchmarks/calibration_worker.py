"""One calibration in a process of its own: prints its times and the process's peak memory.

    python benchmarks/calibration_worker.py rodent | 12x1000

Imports nothing that a calibration does not need: the memory is the claim.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from muybridge.calibration import (
    BoardDetections,
    Camera,
    CharucoBoard,
    calibrate,
    simulate_board_motion,
    simulate_detections,
)

RAT = Path(__file__).resolve().parents[2] / "shared" / "data" / "rodent_4cam"


def main(what: str) -> None:
    """Corners; seconds (elapsed, processor) without the held-out folds and with; MB after imports, kernels, at peak."""
    imports = peak()
    Camera("warm", (8, 8), np.eye(3), np.zeros(5), np.eye(3), np.zeros(3)).undistort(np.ones((1, 2)))
    kernels = peak()
    detections, lens = _corners(what)
    board = next(iter(detections.values())).board
    few = {name: BoardDetections(board, d.size, d.corners[:30]) for name, d in list(detections.items())[:3]}
    calibrate(few, board, distortion_model=lens, progress=False)  # loads the compiled kernels
    module, spent = sys.modules[calibrate.__module__], []
    module.held_out = timed(module.held_out, spent)
    start = clock()
    calibrate(detections, board, distortion_model=lens, progress=False)
    whole = clock() - start
    print(n_seen(detections), *(whole - sum(spent)), *whole, imports, kernels, peak())


def _corners(what: str) -> tuple[dict[str, BoardDetections], int]:
    if what == "rodent":
        from muybridge.calibration.boards.detection import detect_boards

        sources = {c: RAT / c / "calibration_images" for c in ("back", "mid", "side", "top")}
        return detect_boards(sources, CharucoBoard(8, 11, 24.0, 18.75), progress=False), 8
    from benchmarks.calibration_rigs import ring_of_cameras

    n_cameras, n_frames = (int(part) for part in what.split("x"))
    board = CharucoBoard(6, 4, 40.0, 30.0)
    return simulate_detections(ring_of_cameras(n_cameras), board, simulate_board_motion(n_frames), seed=1), 5


def timed(function, spent: list[np.ndarray]):
    """The function, with the seconds (elapsed, of the processor) of each call added to `spent`."""

    def run(*arguments, **options):
        start = clock()
        result = function(*arguments, **options)
        spent.append(clock() - start)
        return result

    return run


def clock() -> np.ndarray:
    return np.array([time.perf_counter(), time.process_time()])


def n_seen(detections: dict[str, BoardDetections]) -> int:
    return int(sum(found.seen.sum() for found in detections.values()))


def peak() -> float:
    """Peak memory of this process so far, MB (Linux; `getrusage` counts the parent's, too)."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


if __name__ == "__main__":
    main(sys.argv[1])
