"""What LAPACK's banded Cholesky without the interpreter's lock gains: `smooth` with a skeleton on several threads.

    python benchmarks/banded_factor.py [--frames 2000] [--rounds 3]

`scipy.linalg.lapack.dpbtrf` holds the lock while it works, so that windows of time cannot be factorised side by side;
`numerics.banded` calls the same routine through ctypes, which gives the lock away. Both in turns, in one process.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
from scipy.linalg import lapack

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.bayes import FPS, shared_ring
from muybridge.numerics import banded
from muybridge.numerics.threads import n_processors
from muybridge.triangulate import smooth

WINDOW = 2.5  # seconds: several windows per processor


def factorised_by_scipy(band: np.ndarray) -> np.ndarray:
    """As `banded.factorise`, with the lock held."""
    with banded.one_blas_thread():
        _, info = lapack.dpbtrf(band.T, lower=1, overwrite_ab=1)
    if info:
        raise np.linalg.LinAlgError("not positive definite")
    return band


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    points_2d, confidence, _, _, rig, skeleton = shared_ring("base", arguments.frames)
    own, seconds, found = banded.factorise, {}, {}
    for number in range(arguments.rounds + 1):  # the first round compiles
        for name, factorise in {"without the lock": own, "scipy.linalg.lapack": factorised_by_scipy}.items():
            with mock.patch("muybridge.triangulate.smoothing.joint_mode.factorise", factorise):
                start = time.perf_counter()
                found[name] = smooth(
                    points_2d, rig, fps=FPS, confidence=confidence, skeleton=skeleton, window=WINDOW
                ).points_3d
                if number:
                    seconds.setdefault(name, []).append(time.perf_counter() - start)
    np.testing.assert_allclose(*found.values(), rtol=0, atol=1e-9)
    median = {name: float(np.median(values)) for name, values in seconds.items()}
    table = pd.DataFrame({"s": median})
    table["ratio"] = table["s"] / median["without the lock"]
    print(table.to_string(float_format="%.2f"))
    print(f"{arguments.frames} frames, {len(skeleton.keypoints)} keypoints, {n_processors()} processors")


if __name__ == "__main__":
    main()
