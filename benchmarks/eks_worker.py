"""EKS (ensemble-kalman-smoother) in an environment of its own: each camera of an ensemble left out in turn.

    PYTHON benchmarks/eks_worker.py FOLDER STEM N_DETECTORS OUT.npz

FOLDER holds calibration.toml and the detectors' files, STEM their name with {} for camera and detector. For each camera
OUT holds the posterior means (n_frames, n_keypoints, 3) and covariances from the others, and the seconds of the second
of two runs. Its multi-camera smoother with calibrated projection, all options as they are by default; its tables
hold the variances along the axes only, so that the whole covariances are taken from its Kalman smoother's answer.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import toml
from eks import multicam_smoother


def main(folder: Path, stem: str, n_detectors: int, out: Path) -> None:
    calibration = toml.load(folder / "calibration.toml")
    cameras = [entry["name"] for key, entry in calibration.items() if key != "metadata"]
    answers = []
    run_kalman_smoother = multicam_smoother.run_kalman_smoother

    def kept(*arguments, **options):
        answers.append(run_kalman_smoother(*arguments, **options))
        return answers[-1]

    multicam_smoother.run_kalman_smoother = kept
    found = {}
    for left_out in cameras:
        others = {c: [str(folder / stem.format(c, i)) for i in range(n_detectors)] for c in cameras if c != left_out}
        part = {key: entry for key, entry in calibration.items() if entry.get("name") != left_out}
        with tempfile.TemporaryDirectory() as results:
            path = Path(results) / "calibration.toml"
            path.write_text(toml.dumps(part))
            for _ in range(2):
                begun = time.perf_counter()
                multicam_smoother.fit_eks_multicam(others, results, calibration=str(path), save_3d_outputs=False)
                seconds = time.perf_counter() - begun
        _, means, covariances = answers[-1]
        found[f"{left_out} mean"] = np.swapaxes(np.asarray(means), 0, 1)
        found[f"{left_out} covariance"] = np.swapaxes(np.asarray(covariances), 0, 1)
        found[f"{left_out} seconds"] = np.array(seconds)
    np.savez(out, **found)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
