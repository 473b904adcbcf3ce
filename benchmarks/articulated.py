"""Joint angles of an articulated body: error, error bars, lengths and time, on simulated sprints and on a dog.

    python benchmarks/articulated.py [sprints] [offsets] [animal] [dog] [long]

sprints: a galloping cheetah over 13 m in half a second, six fisheye cameras, errors of 14 px correlated over five
frames and 5 px that never change per camera and keypoint, 8 % outliers up to the whole image, half of them left/right
swaps (`articulated_sprints.py`; the method was tuned on seeds below 100 and is judged on 100 to 107). The bound is that
of Cramér and Rao with the prior (van Trees): the posterior covariance at the truth of one who knows which pixels are
right, the noise, and how the angles' third differences vary; a prior that knows more, such as a rhythm, may pass it.
The trained prior of movement is learned from the true markers of 30 other sprints (seeds 200 to 229), as of motion
capture; that of the dog from its other clips.
Figures of `smooth` before this round (commit a0fecd4) stand in BEFORE. animal: several sprints of one animal. dog:
motion capture of a dog, seen through such cameras; the body is proposed from the walk, which is not among the clips.
long: seconds per frame of recordings of several lengths. Times are the second of two runs. `articulated_rats.py` has
real animals.
"""

from __future__ import annotations

import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import chi2

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import real_recordings
from benchmarks.articulated_sprints import Sprint, gallop_angles, sprint
from benchmarks.detector_errors import DetectorErrors
from benchmarks.real import DOG_SYMMETRIES, fisheye_rig
from muybridge.datasets import Skeleton
from muybridge.triangulate import BodyFit, MovementPrior, body_from_skeleton, fit_body, smooth, triangulate_ransac
from muybridge.triangulate.articulated.body_prior import Model, shape_precision
from muybridge.triangulate.articulated.body_state import State, by_shape
from muybridge.triangulate.articulated.marker_deviations import Deviations
from muybridge.triangulate.articulated.movement.angle_prior import AnglePrior
from muybridge.triangulate.articulated.pixel_noise import PixelNoise
from muybridge.triangulate.articulated.pixel_terms import Pixels, look, marker_covariances
from muybridge.triangulate.articulated.trajectory_fit import Solver
from muybridge.triangulate.noise.detector_noise import log_outlier_density

JUDGED, TAUGHT = range(100, 108), range(200, 230)
BEFORE = {"median mm": 56.3, "p90 mm": 99.9}  # of smooth with a skeleton on the judged sprints, before this round


def marker_row(points_3d, covariances_3d, truth) -> dict:
    errors = points_3d - truth
    size = np.linalg.norm(errors, axis=-1)
    row = {"median mm": np.nanmedian(size), "p90 mm": np.nanquantile(size, 0.9)}
    known = np.isfinite(size)
    squares = (errors[known] * np.linalg.solve(covariances_3d[known], errors[known][..., None])[..., 0]).sum(axis=-1)
    return row | {f"{level:.0%} hold": (squares < chi2.ppf(level, 3)).mean() for level in (0.5, 0.95)}


def timed(method):
    method()
    begun, used = time.perf_counter(), time.process_time()
    found = method()
    return found, {"s": time.perf_counter() - begun, "processor s": time.process_time() - used}


def bounds(run: Sprint, order: int) -> tuple[np.ndarray, np.ndarray]:
    """(n_frames, n_angles) least standard deviations and (n_frames, n_markers, 3, 3) covariances, see the module."""
    biases = np.zeros((len(run.rig), len(run.body.attachments), 2))
    state = State(run.angles, run.lengths, run.offsets, biases)
    errors = run.errors
    sigma = np.full((len(run.rig), len(run.body.attachments)), errors.slow)
    noise = PixelNoise.of(sigma, errors.bias, lasting=0.98, keep=float(np.exp(-1 / errors.correlation)))
    prior = AnglePrior.of(run.body, run.fps, order, run.angles[:, :3].mean(axis=0))
    prior = replace(prior, precisions=1 / np.maximum((np.diff(run.angles, order, axis=0) ** 2).mean(axis=0), 1e-12))
    shape = shape_precision(run.body)
    precision = np.zeros((len(state.constants),) * 2)
    precision[: len(shape), : len(shape)] = shape
    rigid = np.zeros(len(run.body.attachments))
    model = Model(run.body, prior, noise, state.constants, precision, np.zeros(len(shape)), rigid, 0.0)
    model = model.with_noise(noise)
    outside = log_outlier_density(run.rig, None, run.points_2d.shape[2])
    pixels = Pixels(run.rig, run.points_2d, np.zeros((*run.right.shape, 2)), outside,
                    run.body.skeleton.mirror, np.zeros(len(run.rig)), np.zeros(run.right.shape, bool))  # fmt: skip
    spread = np.zeros((*run.truth.shape, 3))
    kinematics = state.kinematics(run.body)
    deviations = Deviations.none(len(run.truth), 2 * len(run.rig), rigid, 0.0)
    solver = Solver(pixels, model, spread, run.right.astype(float), deviations)
    sight = look(pixels, kinematics.markers, biases)
    posterior = solver.system(state, kinematics, sight).eliminated().covariance()
    angles = np.sqrt(np.einsum("taa->ta", posterior.lagged[:, 0]) + (posterior.border**2).sum(axis=-1))
    return angles, marker_covariances(kinematics.by_angles, by_shape(run.body, kinematics), posterior, deviations)


def drawn(covariances: np.ndarray) -> dict:
    """Median and 90th percentile of the length of errors with these covariances."""
    random = np.random.default_rng(0).normal(size=(20, *covariances.shape[:-1], 1))
    size = np.linalg.norm((np.linalg.cholesky(covariances) @ random)[..., 0], axis=-1)
    return {"median mm": np.median(size), "p90 mm": np.quantile(size, 0.9)}


def right_pixels(run: Sprint) -> np.ndarray:
    """The pixels with all that are wrong left out, as one knows who is told."""
    return np.where(run.right[..., None], run.points_2d, np.nan)


def trained_movement() -> MovementPrior:
    runs = [sprint(seed) for seed in TAUGHT]
    return MovementPrior.fit([run.truth for run in runs], runs[0].body, fps=runs[0].fps)


def sprints() -> None:
    rows, angles, prior = {}, {}, trained_movement()
    for seed in JUDGED:
        run = sprint(seed)
        parts, options = (run.points_2d, run.rig), {"fps": run.fps}
        methods = {
            "triangulate_ransac": lambda parts=parts: triangulate_ransac(*parts),
            "smooth": lambda parts=parts, options=options: smooth(*parts, **options),
            "smooth, skeleton": lambda parts=parts, options=options, run=run: smooth(
                *parts, **options, skeleton=run.body.skeleton
            ),
            "fit_body, told which pixels are right": lambda run=run, options=options: fit_body(
                right_pixels(run), run.rig, **options, body="cheetah"
            ),
            "fit_body": lambda parts=parts, options=options: fit_body(*parts, **options, body="cheetah"),
            "fit_body, trained prior": lambda parts=parts, options=options: fit_body(
                *parts, **options, body="cheetah", prior=prior
            ),
        }
        for name, method in methods.items():
            found, seconds = timed(method)
            row = marker_row(found.points_3d, found.covariances_3d, run.truth) | seconds
            rows.setdefault(name, []).append(row)
            if name.startswith("fit_body") and "told" not in name:
                angles.setdefault(name, {})[f"sprint {seed}"] = angle_row(found, run)
        rows.setdefault("bound", []).append(drawn(bounds(run, 3)[1]))
    table = pd.DataFrame({name: pd.DataFrame(own).mean() for name, own in rows.items()}).T
    show(f"sprints, {len(JUDGED)} of 50 frames at 100 Hz, 24 markers: means over the sprints", table)
    for name, own in angles.items():
        marks, ransac = table.loc[name], table.loc["triangulate_ransac"]
        print(name, {f"{what} over smooth, skeleton, before": round(marks[what] / BEFORE[what], 3) for what in BEFORE})
        print(name, {f"{what} over RANSAC": round(marks[what] / ransac[what], 3) for what in BEFORE})
        of_sprints = pd.DataFrame(own).T
        show(f"sprints, {name}: angles and lengths", pd.concat([of_sprints, of_sprints.mean().to_frame("mean").T]))


def angle_row(found: BodyFit, run: Sprint) -> dict:
    off, (bound, _) = found.angles - run.angles, bounds(run, 3)
    return {
        "RMSE deg": np.degrees(np.sqrt((off[:, 3:] ** 2).mean())),
        "bound deg": np.degrees(np.sqrt((bound[:, 3:] ** 2).mean())),
        "over bound": np.sqrt((off[:, 3:] ** 2).mean() / (bound[:, 3:] ** 2).mean()),
        "95% bands hold": (np.abs(off) < 1.96 * found.angles_std).mean(),
        "50% bands hold": (np.abs(off) < 0.6745 * found.angles_std).mean(),
        "rhythm Hz": found.rhythm,
        "prior": found.prior_share,
        "mean |length error|": np.abs(found.lengths / run.lengths - 1).mean(),
        "claimed": (found.lengths_std / run.lengths).mean(),
        "mean length error": (found.lengths / run.lengths - 1).mean(),
    }


def offsets() -> None:
    """A camera that is 5 ms late."""
    rows = {}
    for seed in JUDGED[:4]:
        run = sprint(seed, delay=0.005)
        found = fit_body(run.points_2d, run.rig, fps=run.fps, body="cheetah", time_offsets=True)
        apart = 1e3 * (found.time_offsets[0] - found.time_offsets[1:])
        plain = fit_body(run.points_2d, run.rig, fps=run.fps, body="cheetah")
        rows[f"sprint {seed}"] = {
            "camera 0 over the others, ms": apart.mean(), "the others' spread, ms": 1e3 * found.time_offsets[1:].std(),
            **marker_row(found.points_3d, found.covariances_3d, run.truth),
            "median mm without": marker_row(plain.points_3d, plain.covariances_3d, run.truth)["median mm"],
        }  # fmt: skip
    show("sprints whose first camera is 5 ms late", pd.DataFrame(rows).T)


def animal() -> None:
    """One animal in one, two and four sprints."""
    rows = []
    for seed in JUDGED[:3]:
        first = sprint(seed)
        runs = [first, *(first.same_animal(seed + 1000 * i) for i in range(1, 4))]
        for n in (1, 2, 4):
            found = fit_body(
                [run.points_2d for run in runs[:n]], [run.rig for run in runs[:n]], fps=first.fps, body="cheetah"
            )[0]
            rows.append({
                "sprints": n, **marker_row(found.points_3d, found.covariances_3d, first.truth),
                "mean |length error|": np.abs(found.lengths / first.lengths - 1).mean(),
                "claimed": (found.lengths_std / first.lengths).mean(),
            })  # fmt: skip
    show("the first of some sprints of one animal, fitted together", pd.DataFrame(rows).groupby("sprints").mean())


def dog() -> None:
    errors = DetectorErrors(
        white=0.0, slow=12.0, bias=0.0, correlation=5.0, outliers=0.08, gross=150.0, outlier_frames=5.0, swaps=0.5
    )
    walk, skeleton = real_recordings.dog("walk00")
    skeleton = replace(skeleton, symmetries=DOG_SYMMETRIES)
    body = body_from_skeleton(skeleton, walk[::5], name="dog")
    clips = ("run04", "turn00", "trot", "pace", "walk00", "walk03", "run00")
    for seed, clip in enumerate(clips[:4]):
        truth = liveliest(real_recordings.dog(clip)[0], 60)
        others = [liveliest(real_recordings.dog(other)[0], 240) for other in clips if other != clip]
        prior = MovementPrior.fit(others, body, fps=60.0)
        rig = fisheye_rig(seed, centre=tuple(truth.reshape(-1, 3).mean(axis=0)))
        index = [(skeleton.keypoints.index(a), skeleton.keypoints.index(b)) for a, b in DOG_SYMMETRIES]
        points_2d = errors.apply(rig.project(truth), np.random.default_rng(seed), index)
        bones = Skeleton(skeleton.keypoints, skeleton.bones[1:], DOG_SYMMETRIES)
        found = {
            "triangulate_ransac": triangulate_ransac(points_2d, rig),
            "smooth, skeleton": smooth(points_2d, rig, fps=60.0, skeleton=bones),
            "fit_body": fit_body(points_2d, rig, fps=60.0, body=body),
            "fit_body, trained prior": fit_body(points_2d, rig, fps=60.0, body=body, prior=prior),
        }
        rows = {name: marker_row(own.points_3d, own.covariances_3d, truth) for name, own in found.items()}
        show(f"dog, {clip}: motion capture through six fisheye cameras, a second at 60 Hz (mm)", pd.DataFrame(rows).T)


def liveliest(points_3d: np.ndarray, n_frames: int) -> np.ndarray:
    """So many frames in which it gets farthest: in between it stands."""
    n_frames = min(n_frames, len(points_3d) - 1)
    moved = np.linalg.norm(points_3d[n_frames:] - points_3d[:-n_frames], axis=-1).mean(axis=1)
    return points_3d[moved.argmax() :][:n_frames]


def long() -> None:
    """A gallop on the spot, so that it stays in view."""
    rows = {}
    for n_frames in (400, 800):
        run = sprint(0)
        rng = np.random.default_rng(0)
        angles = gallop_angles(run.body, np.arange(n_frames) / run.fps, rng, speed=0.0)
        angles[:, 0] = 7500 + 60 * np.sin(np.arange(n_frames) / 7)
        angles[:, 1] = 100 * np.sin(np.arange(n_frames) / 40)
        truth = run.body.markers(angles, run.lengths, run.offsets)
        points_2d = run.errors.apply(run.rig.project(truth), rng, run.symmetries)
        begun = time.perf_counter()
        found = fit_body(points_2d, run.rig, fps=run.fps, body="cheetah")
        seconds = time.perf_counter() - begun
        row = marker_row(found.points_3d, found.covariances_3d, truth)
        rows[str(n_frames)] = row | {"s": seconds, "ms per frame": 1e3 * seconds / n_frames}
    show("a gallop on the spot, six cameras, in windows of 300 frames", pd.DataFrame(rows).T)


def show(title: str, table: pd.DataFrame) -> None:
    print(f"\n{title}")
    print(table.to_string(float_format=lambda value: f"{value:.4g}"))


if __name__ == "__main__":
    warnings.simplefilter("ignore", UserWarning)
    for part in sys.argv[1:] or ("sprints", "offsets", "animal", "dog", "long"):
        globals()[part]()
