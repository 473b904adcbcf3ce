"""Error bars against the truth of real recordings: coverage of 50 % and 95 % regions, error and time of every method.

    python benchmarks/real.py [rat] [drawn] [mouse] [dog] [fly] [pairs]

rat: real detections, motion-capture truth, a prior trained elsewhere. drawn: the same recording with errors drawn as
large as its detector makes them: how far the shares of one recording tell. mouse: real poses through the real rig of
six cameras, errors as large as the rat's detector makes them, and as that of the demo in the folder DEMO_FOLDER. dog:
motion capture through six fisheye cameras 3 to 12 m away, 12 px noise correlated over five frames, 8 % outliers, half
of them left/right swaps. fly: three real detectors, no truth: each camera is predicted from the others, beside EKS
where the variable EKS_PYTHON names the interpreter of an environment that has it (two minutes). pairs: the rat of
rodent_4cam, smoothed from two disjoint pairs of its cameras: their difference has the sum of both covariances; then the
same of the dog, beside the truth. Times are the second of two runs (no compilation). The frame rates of the rat (120
Hz) and of the fly (300 Hz) are assumed: the recordings do not state them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import chi2

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import real_recordings
from benchmarks.detector_errors import DetectorErrors
from benchmarks.real_recordings import Recording
from muybridge.calibration import Camera, CameraRig, CharucoBoard, calibrate, read_rig
from muybridge.datasets import Skeleton, combine_ensemble, pose_dataset, views_dataset
from muybridge.formats import read_views
from muybridge.kinematics import joint_angles
from muybridge.triangulate import (
    PoseSamples,
    check_coverage,
    estimate_sigma,
    infer_poses,
    reconstruct,
    sample_poses,
    smooth,
    triangulate_ransac,
)

MISPLACED = ("KneeL", "ElbowL")  # the rat's keypoints that all six views put elsewhere than the marker
DOG_SYMMETRIES = tuple((f"joint_{a}", f"joint_{b}") for a, b in zip(range(6, 11), range(11, 16), strict=True)) + tuple(
    (f"joint_{a}", f"joint_{b}") for a, b in zip(range(16, 20), range(20, 24), strict=True)
)


def coverage(points_3d, covariances_3d, truth, level: float) -> float:
    """Share of the reconstructed points whose region of this probability holds the truth."""
    errors = points_3d - truth
    known = np.isfinite(errors).all(axis=-1) & np.isfinite(covariances_3d).all(axis=(-1, -2))
    squares = np.einsum(
        "ni,ni->n", errors[known], np.linalg.solve(covariances_3d[known], errors[known][..., None])[..., 0]
    )
    return float((squares < chi2.ppf(level, 3)).mean())


def measured(method, recording: Recording, left_out: tuple[str, ...] = ()) -> dict:
    """One row of a table: error, coverage and time of a method that returns points and covariances."""
    method()
    begun = time.perf_counter()
    found = method()
    seconds = time.perf_counter() - begun
    counted = [k for k, name in enumerate(recording.skeleton.keypoints) if name not in left_out]
    points_3d = found.mean if isinstance(found, PoseSamples) else found.points_3d
    covariances_3d = found.covariance if isinstance(found, PoseSamples) else found.covariances_3d
    errors = np.linalg.norm(points_3d - recording.truth, axis=-1)
    row = {"mean": np.nanmean(errors), "median": np.nanmedian(errors), "p95": np.nanquantile(errors, 0.95)}
    for level in (0.5, 0.95):
        parts = (points_3d, covariances_3d, recording.truth)
        row[f"{level:.0%} hold"] = coverage(*parts, level)
        if left_out:
            row[f"{level:.0%}, apart"] = coverage(*(part[:, counted] for part in parts), level)
    return row | {"s": seconds}


def show(title: str, rows: dict[str, dict]) -> None:
    print(f"\n{title}")
    print(pd.DataFrame(rows).T.to_string(float_format=lambda value: f"{value:.4g}"))


def rat() -> None:
    recording = real_recordings.rat()
    parts, options = (recording.points_2d, recording.rig), {"fps": recording.fps}
    skeleton, prior = recording.skeleton, recording.prior
    methods = {
        "triangulate_ransac": lambda: triangulate_ransac(*parts),
        "triangulate_ransac, one sigma": lambda: triangulate_ransac(*parts, sigma=estimate_sigma(*parts)),
        "smooth": lambda: smooth(*parts, **options),
        "smooth, skeleton": lambda: smooth(*parts, **options, skeleton=skeleton),
        "infer_poses": lambda: infer_poses(*parts, **options, skeleton=skeleton),
        "infer_poses, trained prior": lambda: infer_poses(*parts, **options, skeleton=skeleton, prior=prior),
        "infer_poses, trained prior and noise": lambda: infer_poses(
            *parts, **options, skeleton=skeleton, prior=prior, noise=recording.noise
        ),
        "sample_poses, trained prior": lambda: sample_poses(*parts, **options, skeleton=skeleton, prior=prior),
    }
    rows = {name: measured(method, recording, MISPLACED) for name, method in methods.items()}
    show("rat, 6 cameras, 50 frames, motion-capture truth (mm; apart: without " + " and ".join(MISPLACED) + ")", rows)


def drawn() -> None:
    """Sixty recordings like the rat's whose errors are Gaussian, constant parts and outliers included."""
    recording = real_recordings.rat()
    errors = DetectorErrors.fit(recording.points_2d, recording.truth, recording.rig)
    counted = [k for k, name in enumerate(recording.skeleton.keypoints) if name not in MISPLACED]
    whole = smooth(recording.points_2d, recording.rig, fps=recording.fps).points_3d
    places = np.where(np.isfinite(recording.truth), recording.truth, whole)
    shares = []
    for seed in range(60):
        points_2d = errors.detect(places, recording.rig, np.random.default_rng(seed))
        found = triangulate_ransac(np.where(np.isfinite(recording.points_2d), points_2d, np.nan), recording.rig)
        parts = [part[:, counted] for part in (found.points_3d, found.covariances_3d, recording.truth)]
        shares.append([coverage(*parts, level) for level in (0.5, 0.95)])
    table = pd.DataFrame(shares, columns=["50% hold", "95% hold"]).describe(percentiles=[0.05, 0.5, 0.95])
    print("\n60 draws of the rat's errors, triangulate_ransac, without " + " and ".join(MISPLACED))
    print(table.drop(index="count").T.to_string(float_format=lambda value: f"{value:.3f}"))


# of the constant errors of 22 keypoints: five left a standard error of 0.017 in a coverage, twenty 0.008
_DRAWS = 20
MOUSE_JOINTS = {f"angle_{k}": (f"joint_{k}", f"joint_{k + 1}", f"joint_{k + 2}") for k in range(3, 18, 3)}


def mouse() -> None:
    """Frames that do not follow each other: methods without a prior in time."""
    recorded = real_recordings.rat()
    detectors = {"rat's": DetectorErrors.fit(recorded.points_2d, recorded.truth, recorded.rig)}
    if "DEMO_FOLDER" in os.environ:
        detectors["demo's"] = DetectorErrors.fit(*real_recordings.demo(os.environ["DEMO_FOLDER"]))
    for name, errors in detectors.items():
        print(f"{name} detector: {errors}")
        rows = {}
        for n_cameras in (6, 4, 3, 2):
            for method in ("ransac", "dlt"):
                rows[f"{n_cameras} cameras, {method}"] = mouse_row(replace(errors, correlation=0.0), n_cameras, method)
        show(
            f"mouse, real poses, real rig, errors of the {name} detector: share of 95 % and 50 % regions that hold",
            rows,
        )
        moving = {f"{n_cameras} cameras": moving_mouse(errors, n_cameras) for n_cameras in (6, 4, 3, 2)}
        show(f"the same rig, five dogs of a mouse's size, 60 Hz, `smooth`: {name} detector", moving)


def mouse_row(errors: DetectorErrors, n_cameras: int, method: str) -> dict:
    """Coverage of points and angles, both animals and `_DRAWS` draws each."""
    errors_3d, angles, inside, within = [], [], {0.5: [], 0.95: []}, {0.5: [], 0.95: []}
    for number in (1, 2):
        whole = real_recordings.mouse(number)
        rig, keypoints = whole.rig.subset(whole.rig.names[:n_cameras]), whole.skeleton.keypoints
        times, unit = np.arange(len(whole.truth), dtype=float), rig.unit
        true_angles = joint_angles(pose_dataset(whole.truth, keypoints=keypoints, times=times, unit=unit), MOUSE_JOINTS)
        for seed in range(_DRAWS):
            points_2d = errors.detect(whole.truth, rig, np.random.default_rng(10 * seed + number))
            views = views_dataset(points_2d, cameras=rig.names, keypoints=keypoints, times=times)
            pose = reconstruct(views, rig, method=method, check_coverage=False)
            points_3d, covariances_3d = pose["position"].values, pose["covariance"].values
            errors_3d.append(np.linalg.norm(points_3d - whole.truth, axis=-1).ravel())
            found = joint_angles(pose, MOUSE_JOINTS)
            off = np.abs(found["angle"].values - true_angles["angle"].values) / found["angle_std"].values
            angles.append(np.degrees(np.abs(found["angle"].values - true_angles["angle"].values)).ravel())
            for level in inside:
                inside[level].append(coverage(points_3d, covariances_3d, whole.truth, level))
                within[level].append(np.mean(off[np.isfinite(off)] < np.sqrt(chi2.ppf(level, 1))))
    row = {"median mm": np.nanmedian(np.concatenate(errors_3d)), "found": np.isfinite(np.concatenate(errors_3d)).mean()}
    row |= {f"points {level:.0%}": np.mean(values) for level, values in inside.items()}
    row["median degrees"] = np.nanmedian(np.concatenate(angles))
    return row | {f"angles {level:.0%}": np.mean(values) for level, values in within.items()}


def moving_mouse(errors: DetectorErrors, n_cameras: int) -> dict:
    """Coverage and root mean square z of positions, velocities and accelerations: dogs on the spot, as large as a mouse
    and where it is, `_DRAWS` draws each."""
    whole, squares = real_recordings.mouse(), {field: [] for field, _ in STATES}
    rig, place = whole.rig.subset(whole.rig.names[:n_cameras]), np.nanmean(whole.truth, axis=(0, 1))
    for number, clip in enumerate(("walk00", "trot", "pace", "run04", "turn00")):
        dog = real_recordings.dog(clip)[0][:300]
        way = np.linspace(0, 1, len(dog))[:, None, None] * (dog[-1] - dog[0]).mean(axis=0)
        dog = dog - way - (dog - way).mean(axis=(0, 1))
        moved = movement(place + dog * (extent(whole.truth) / extent(dog)), 60.0)
        for seed in range(_DRAWS):
            points_2d = errors.detect(moved[0], rig, np.random.default_rng(100 * seed + number))
            found = smooth(points_2d, rig, fps=60.0)
            for true, (field, covariances) in zip(moved, STATES, strict=True):
                squares[field].append(standardised(getattr(found, field) - true, getattr(found, covariances)).ravel())
    row = {}
    for field, parts in squares.items():
        values = np.concatenate(parts)
        row[f"{field}, 95% hold"] = np.mean(values[np.isfinite(values)] < chi2.ppf(0.95, 3))
        row[f"{field}, z"] = np.sqrt(np.median([np.nanmean(part) for part in parts]) / 3)
    return row


def extent(points_3d: np.ndarray) -> float:
    """Median distance of keypoints from their middle."""
    return float(np.nanmedian(np.linalg.norm(points_3d - np.nanmean(points_3d, axis=1, keepdims=True), axis=-1)))


def movement(truth: np.ndarray, fps: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions, velocities and accelerations, NaN where a side is missing."""
    accelerations = np.full(truth.shape, np.nan)
    accelerations[1:-1] = np.diff(truth, 2, axis=0) * fps**2
    return truth, np.gradient(truth, 1 / fps, axis=0), accelerations


def fisheye_rig(seed: int, centre=(0.0, 0.0, 300.0)) -> CameraRig:
    """Six fisheye cameras 3 to 12 m away from the animal's path, in mm."""
    from muybridge.cameras.rotations import look_at

    rng = np.random.default_rng(seed)
    cameras = []
    for c in range(6):
        angle, radius = 2 * np.pi * (c + rng.uniform(-0.2, 0.2)) / 6, rng.uniform(3000, 12000)
        place = np.array([radius * np.cos(angle), radius * np.sin(angle), rng.uniform(800, 2000)]) + centre
        R, t = look_at(place, np.asarray(centre) + rng.uniform(-300, 300, 3))
        focal = rng.uniform(1100, 1300)
        K = np.array([[focal, 0, 1360 + rng.uniform(-20, 20)], [0, focal, 760 + rng.uniform(-20, 20)], [0, 0, 1]])
        distortion = rng.uniform(-0.02, 0.02, 4)
        cameras.append(Camera(f"cam_{c}", (2720, 1530), K, distortion, R, t, model="fisheye"))
    return CameraRig(tuple(cameras), unit="mm", up=np.array([0.0, 0.0, 1.0]))


def dog() -> None:
    errors = DetectorErrors(
        white=0.0, slow=12.0, bias=0.0, correlation=5.0, outliers=0.08, gross=150.0, outlier_frames=5.0, swaps=0.5
    )
    rows = {}
    for seed, clip in enumerate(("walk00", "run04", "turn00", "trot", "pace")):
        truth, skeleton = real_recordings.dog(clip)
        truth = truth[:400]
        skeleton = Skeleton(skeleton.keypoints, skeleton.bones[1:], DOG_SYMMETRIES)
        rig = fisheye_rig(seed, centre=tuple(truth.reshape(-1, 3).mean(axis=0)))
        index = [(skeleton.keypoints.index(a), skeleton.keypoints.index(b)) for a, b in DOG_SYMMETRIES]
        points_2d = errors.apply(rig.project(truth), np.random.default_rng(seed), index)
        recording = Recording(rig, points_2d, truth, 60.0, skeleton)
        for name, options in (("smooth", {}), ("smooth, skeleton", {"skeleton": skeleton})):
            rows[f"{clip}, {name}"] = measured(
                lambda options=options, recording=recording: smooth(
                    recording.points_2d, recording.rig, fps=recording.fps, **options
                ),
                recording,
            )
    show("dog, motion capture through six fisheye cameras (mm)", rows)


FLY = real_recordings.DATA / "fly_ensemble"
FLY_FILES = "05272019_fly4_0_R1C24_{}_rot-ccw-0.06_sec.rng={}.csv"


def fly() -> None:
    """Errors where every method has a point; the target is the median of the detectors, as EKS takes it."""
    rig = read_rig(FLY / "calibration.toml")
    views = read_views({name: [FLY / FLY_FILES.format(name, i) for i in range(3)] for name in rig.names}, fps=300.0)
    combined, points = combine_ensemble(views), views["position"].to_numpy()
    median = combined.assign(position=(combined["position"].dims, np.median(points, axis=0))).drop_vars("covariance")
    variance = np.var(points, axis=0, ddof=1).mean(axis=-1)[..., None, None] * np.eye(2)
    likelihood = views["confidence"].to_numpy().mean(axis=0)
    eks_noise = (np.var(points, axis=0) / likelihood[..., None])[..., None] * np.eye(2)
    peer, rows = eks_left_out(), {}
    for camera, name in enumerate(rig.names):
        part = rig.subset([other for other in rig.names if other != name])
        found = {}
        for method in ("ransac", "smooth"):
            found[f"median, {method}"] = (*left_out(median, part, method), variance[camera])
        for method in ("ransac", "median", "smooth"):
            found[f"ensemble, {method}"] = (*left_out(combined, part, method), combined["covariance"].values[camera])
        if peer:
            own = (peer[f"{name} mean"], peer[f"{name} covariance"], float(peer[f"{name} seconds"]))
            found["EKS"] = (*own, eks_noise[camera])
            found["EKS, with our noise of the left-out camera"] = (*own, combined["covariance"].values[camera])
        errors = {what: median["position"].values[camera] - rig[name].project(p) for what, (p, *_) in found.items()}
        known = np.isfinite(np.stack(list(errors.values()))).all(axis=(0, -1))
        for what, (points_3d, covariances_3d, seconds, own_noise) in found.items():
            jacobian = rig[name].project_jacobian(points_3d)
            spread = np.einsum("...ij,...jk,...lk->...il", jacobian, covariances_3d, jacobian) + own_noise
            off, placed = errors[what], np.isfinite(errors[what]).all(axis=-1)
            squares = np.einsum(
                "ni,ni->n", off[placed], np.linalg.solve(spread[placed], off[placed][..., None])[..., 0]
            )
            size = np.linalg.norm(off[known], axis=-1)
            rows[f"{name} left out, {what}"] = {
                "mean px": size.mean(), "median px": np.median(size), "p95 px": np.quantile(size, 0.95),
                "50% hold": (squares < chi2.ppf(0.5, 2)).mean(), "95% hold": (squares < chi2.ppf(0.95, 2)).mean(),
                "missing": 1 - placed.mean(), "s": seconds,
            }  # fmt: skip
    show("fly, 3 cameras, three detectors: each camera predicted from the others", rows)
    for method in ("ransac", "median", "smooth"):
        print(f"check_coverage, {method}: {check_coverage(views, rig, method=method)}")


STATES = (
    ("points_3d", "covariances_3d"),
    ("velocities", "velocity_covariances"),
    ("accelerations", "acceleration_covariances"),
)


def standardised(off, spread):
    """Squared lengths of differences, over their covariances, of three axes: their mean is 3 where these are true."""
    return np.einsum("tki,tki->tk", off, np.linalg.solve(spread, off[..., None])[..., 0])


def pairs() -> None:
    """Root mean square of the standardised difference: 1 where the error bars are true and the errors independent."""
    folder, names = real_recordings.DATA / "rodent_4cam", ("back", "mid", "side", "top")
    images = {name: folder / name / "calibration_images" for name in names}
    rig = calibrate(images, CharucoBoard(8, 11, 24.0, 18.75, dictionary="4X4_1000"), progress=False).rig
    files = {name: folder / name / f"minimal_{name}_proofread.analysis.h5" for name in names}
    views, rows = read_views(files, fps=30.0), {}
    for mate in names[1:]:
        both = ("back", mate), tuple(name for name in names[1:] if name != mate)
        one, two = (smooth(views.sel(view=list(pair)), rig.subset(pair)) for pair in both)
        row = {}
        for field, covariances in STATES:
            off = getattr(one, field) - getattr(two, field)
            squares = standardised(off, getattr(one, covariances) + getattr(two, covariances))
            row[f"{field}, z"] = np.sqrt(np.nanmean(squares) / 3)
            row[f"{field}, 95% hold"] = np.mean(squares[np.isfinite(squares)] < chi2.ppf(0.95, 3))
        rows[" and ".join(both[0])] = row
    show("rodent_4cam, two disjoint pairs of cameras", rows)
    simulated_pairs()


def simulated_pairs() -> None:
    """The same where the truth is known: what both pairs smooth away alike is not in their difference."""
    rows = {}
    for errors, pixels, correlation in (("lasting", 12.0, 5.0), ("lasting", 3.0, 5.0), ("white", 3.0, 0.0)):
        for seed, clip in enumerate(("walk00", "trot", "pace")):
            truth = real_recordings.dog(clip)[0][:300]
            rig = fisheye_rig(seed, centre=tuple(truth.reshape(-1, 3).mean(axis=0)))
            detector = DetectorErrors(0.0, pixels, 0.0, correlation, 0.0, 0.0)
            points_2d = detector.apply(rig.project(truth), np.random.default_rng(seed))
            one, two = (
                smooth(points_2d[list(pair)], rig.subset([rig.names[c] for c in pair]), fps=60.0)
                for pair in ((0, 2), (1, 3))
            )
            row = {}
            for true, (field, covariances) in zip(movement(truth, 60.0), STATES, strict=True):
                found, spread = ([getattr(part, name) for part in (one, two)] for name in (field, covariances))
                off = [part - true for part in found]
                row[f"{field}: z of difference"] = np.sqrt(np.nanmean(standardised(off[0] - off[1], sum(spread))) / 3)
                squares = [standardised(*part) for part in zip(off, spread, strict=True)]
                row[f"{field}: z of errors"] = np.sqrt(np.nanmean(squares) / 3)
                power = np.sqrt(np.nansum(off[0] ** 2) * np.nansum(off[1] ** 2))
                row[f"{field}: correlation"] = np.nansum(off[0] * off[1]) / power
            rows[f"{clip}, {pixels:g} px, {errors}"] = row
    show("dog, two disjoint pairs of six fisheye cameras, against motion capture", rows)


def left_out(views, part: CameraRig, method: str):
    """Points, covariances and seconds (of the second of two runs) of a method of `reconstruct`."""
    views = views.sel(view=list(part.names))
    for _ in range(2):
        begun = time.perf_counter()
        pose = reconstruct(views, part, method=method)
        seconds = time.perf_counter() - begun
    return pose["position"].values, pose["covariance"].values, seconds


def eks_left_out() -> dict:
    """What benchmarks/eks_worker.py finds, run by the interpreter that the variable EKS_PYTHON names; else nothing."""
    if "EKS_PYTHON" not in os.environ:
        print("EKS is left out: EKS_PYTHON names no interpreter that has it")
        return {}
    worker = Path(__file__).with_name("eks_worker.py")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "eks.npz"
        command = [os.environ["EKS_PYTHON"], str(worker), str(FLY), FLY_FILES, "3", str(out)]
        subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PYTHONPATH": ""})
        with np.load(out) as file:
            return dict(file)


if __name__ == "__main__":
    for part in sys.argv[1:] or ("rat", "drawn", "mouse", "dog", "fly", "pairs"):
        globals()[part]()
