"""The detector against labels: error, calibration, robustness and speed, on fixed seeds.

    python benchmarks/pose2d.py openfield [--seed 0] [--seeds 3] [--minutes 4|8|15] [--backbone imagenet|scratch]
                                             [--n-tta 4]     pretrained and from scratch, 80/20 at random
    python benchmarks/pose2d.py networks [--iterations 300]  the lectures' comparison: one data set, one budget
    python benchmarks/pose2d.py mirror [--n-tta 4]           mirror mouse, held out in time
    python benchmarks/pose2d.py rat [--held-out time] [--iterations 200] [--n-tta 4]
                                                             three cameras to the fourth, and blocks of time
    python benchmarks/pose2d.py rat3d [--iterations 300]     what the claimed covariances gain in 3D on the rat
    python benchmarks/pose2d.py transfer [--seconds 45] [--data openfield|mirror|rat] --threads 1
                                                             packaged ImageNet weights (the extra [pretrained]) against
                                                             scratch, equal seconds of processor time
    python benchmarks/pose2d.py corruption [--seed 0] [--detector FILE]  Horse-C kinds and severities on openfield
    python benchmarks/pose2d.py agreement --seed 10 --detector FILE --other FILE
                                                             how far two detectors of one split of the open field lie
                                                             from its labels and from each other
    python benchmarks/pose2d.py pictures --detector FILE     single pictures of the open field per second: the animal
                                                             found first, or whole, beside a ResNet-50
    python benchmarks/pose2d.py speed [--detector FILE]      pictures per second of networks and runtimes; with a
                                                             detector also how far its points move
    python benchmarks/pose2d.py fusion                       processor time with and without fused convolutions
    python benchmarks/pose2d.py videos [--detector FILE]     the rat's four videos together, or the open field's with a
                                                             detector of its keypoints: frames/s and memory

    The recordings of ../shared/data are needed. `--json FILE` saves the rows. `--save FOLDER` keeps the detectors; one
    that lies there already is measured and not trained again. Minutes to hours: run on an idle machine.

The random split is the published protocol for openfield and is named as such: its frames are of one recording, so
neighbours of test frames are trained on. "mean" is the mean Euclidean error (which DeepLabCut prints as RMSE).
"""

from __future__ import annotations

import argparse
import copy
import json
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import xarray as xr
from scipy.stats import spearmanr

from muybridge.calibration import CharucoBoard, calibrate
from muybridge.datasets import frame_times, views_dataset
from muybridge.pose2d import Detector, Labels, corruption_table, evaluate, load_detector, predict, read_labels, train
from muybridge.pose2d.inference.animal_search import finder_of
from muybridge.pose2d.inference.engine import Found, engine_of
from muybridge.pose2d.inference.evaluation import locate
from muybridge.pose2d.inference.uncertainty import fit_uncertainty
from muybridge.pose2d.networks.blocks import fold_norms
from muybridge.pose2d.networks.fused_convolutions import fuse_convolutions
from muybridge.pose2d.networks.registry import build_network
from muybridge.pose2d.prediction.predicted_views import calibrated
from muybridge.pose2d.training.splits import split_labels
from muybridge.pose2d.training.train_detector import calibrate_uncertainty
from muybridge.pose2d.training_config import TrainingConfig
from muybridge.triangulate import reconstruct, triangulate_ransac

SHARED = Path(__file__).resolve().parents[2] / "shared"
IMAGENET = SHARED / "weights" / "mobilenet_v2_imagenet.npz"
# crops of 256 px; iterations that fit the minutes on two idle cores (3.3 a second)
BUDGETS = {4: 700, 8: 1450, 15: 2700}
OPENFIELD = {"network": "mobilenet_v2", "batch": 8, "crop": 256, "holdout": 0.0}
OPENFIELD_LOOK = {"rotation": 180.0, "zoom": 1.25, "flip": 0.5}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", choices=TABLES)
    parser.add_argument("--seed", type=int, default=0, help="the first of them")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--minutes", type=int, default=4, choices=BUDGETS)
    parser.add_argument("--iterations", type=int, help="of networks and rat3d (300), and of the rat instead of minutes")
    parser.add_argument("--seconds", type=float, default=45, help="of transfer: processor time of each training")
    parser.add_argument("--data", choices=("openfield", "mirror", "rat"), help="of transfer: this only")
    parser.add_argument("--held-out", choices=("time",), help="of the rat: this only")
    parser.add_argument("--detector", type=Path)
    parser.add_argument("--other", type=Path, help="of agreement: the second detector")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--backbone", choices=("imagenet", "scratch"))
    parser.add_argument("--n-tta", type=int, default=1, help="ways to look at a picture (openfield, mirror, rat)")
    parser.add_argument("--save", type=Path, help="folder for the trained detectors")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if not (SHARED / "data").is_dir():
        sys.exit(f"{SHARED}/data is absent: this benchmark reads the shared recordings")
    table = TABLES[arguments.table](arguments)
    print(table.to_string(index=False, float_format=lambda value: f"{value:.3g}"))
    if arguments.json:
        arguments.json.write_text(json.dumps(table.to_dict("records"), indent=1, default=float))


# accuracy


def openfield(arguments) -> pd.DataFrame:
    labels = read_labels(SHARED / "data" / "openfield")
    rows = []
    for seed in range(arguments.seed, arguments.seed + arguments.seeds):
        trained, tested, _ = split_labels(labels, 0.2, "random", seed)
        for name, weights in (("imagenet", IMAGENET), ("scratch", None)):
            if arguments.backbone not in (None, name):
                continue
            options = OPENFIELD | {"iterations": BUDGETS[arguments.minutes], "augmentation": OPENFIELD_LOOK}
            path = saved(arguments, f"openfield_{name}_{arguments.minutes}min_{seed}")
            detector = looking(made(trained, weights, seed, options, path), trained, arguments.n_tta)
            rows.append({"backbone": name, "seed": seed} | measure(detector, trained, tested))
            print(rows[-1], file=sys.stderr)
    table = pd.DataFrame(rows)
    columns = ["mean", "rmse", "median", "pck5", "train_mean", "train_s"]
    means = table.groupby("backbone", as_index=False)[columns].mean().assign(seed="mean")
    errors = table.groupby("backbone", as_index=False)[columns].sem().assign(seed="standard error")
    return pd.concat([table, means, errors])


def networks(arguments) -> pd.DataFrame:
    """Each network with the same crops and number of iterations; MobileNetV2 also from its ImageNet weights.

    The error on training pictures is that on every third of them.
    """
    labels = read_labels(SHARED / "data" / "openfield")
    trained, tested, _ = split_labels(labels, 0.2, "random", 0)
    runs: list[tuple[str, str, Path | None, dict]] = [
        ("template matching", "template", None, {}),
        ("small", "small", None, {}),
        ("U-Net", "unet", None, {}),
        ("ResNet-50 head", "resnet50", None, {}),
        ("ResNet-101 + intermediate", "resnet101_intermediate", None, {}),
        ("box detector (coarse)", "small", None, {"scale": 0.4, "crop": 96}),
        ("box + ResNet-50", "resnet50", None, {"animal_detector": True}),
        ("MobileNetV2", "mobilenet_v2", None, {}),
        ("MobileNetV2 (imagenet)", "mobilenet_v2", IMAGENET, {}),
    ]
    rows, third = [], np.arange(len(trained)) % 3 == 0
    for name, network, weights, own in runs:
        options = OPENFIELD | {"scale": 1.0, "iterations": arguments.iterations or 300, "animal_detector": False} | own
        options |= {"network": network}
        if network == "template":
            options |= {"loss": "bce", "learning_rate": 1e-2}
        path = saved(arguments, f"networks_{len(rows)}_{network}")
        detector = made(trained, weights, 0, options, path)
        error, own_error = (evaluate(detector, part).loc["all"] for part in (tested, trained.select(third)))
        errors = {"mean": error["mean"], "median": error["median"], "pck5": error["pck5"], "train": own_error["mean"]}
        times = {"train_s": detector.history["seconds"], "ms_per_image": milliseconds(detector, tested)}
        rows.append({"detector": name} | errors | times)
        print(rows[-1], file=sys.stderr)
    return pd.DataFrame(rows)


def mirror(arguments) -> pd.DataFrame:
    labels = read_labels(SHARED / "data" / "mirror_mouse")
    trained, tested, note = split_labels(labels, 0.2, "time")
    look = {"flip": 0.0, "rotation": 10.0}  # a flip would also change the mirror's side
    options = OPENFIELD | {"iterations": BUDGETS[arguments.minutes], "augmentation": look, "holdout": 0.12}
    path = saved(arguments, "mirror")
    detector = looking(made(trained, IMAGENET, 0, options, path), trained, arguments.n_tta)
    return pd.DataFrame([{"split": note} | measure(detector, trained, tested)])


def rat(arguments) -> pd.DataFrame:
    """The animal hardly moves: a camera or a block of time is held out, never frames at random."""
    labels = read_labels(SHARED / "data" / "rodent_4cam")
    options = {"network": "mobilenet_v2", "batch": 8, "crop": 256, "holdout": 0.12}
    options |= {"iterations": arguments.iterations or BUDGETS[arguments.minutes]}
    rows, cameras = [], np.array(labels.cameras)
    for camera in labels.camera_names if arguments.held_out is None else ():
        trained, tested = labels.select(cameras != camera), labels.select(cameras == camera)
        path = saved(arguments, f"rat_without_{camera}")
        detector = looking(made(trained, IMAGENET, 0, options, path), trained, arguments.n_tta)
        rows.append({"held out": f"camera {camera}"} | measure(detector, trained, tested))
        print(rows[-1], file=sys.stderr)
    trained, tested, _ = split_labels(labels, 0.25, "time")
    path = saved(arguments, "rat")
    detector = looking(made(trained, IMAGENET, 0, options, path), trained, arguments.n_tta)
    rows.append({"held out": "time block, all cameras"} | measure(detector, trained, tested))
    return pd.DataFrame(rows)


def transfer(arguments) -> pd.DataFrame:
    """EfficientNet-Lite0 from the packaged weights and from scratch, and the small network, which has no weights."""
    data = {"openfield": ("openfield", 0.2, "random"), "mirror": ("mirror_mouse", 0.2, "time"),
            "rat": ("rodent_4cam", 0.25, "time")}  # fmt: skip
    rows = []
    for name in (arguments.data,) if arguments.data else data:
        folder, share, by = data[name]
        trained, tested, _ = split_labels(read_labels(SHARED / "data" / folder), share, by, 0)
        look = {"openfield": OPENFIELD_LOOK, "mirror": {"flip": 0.0, "rotation": 10.0}}.get(name, {})
        for what, network, weights in (
            ("packaged", "efficientnet_lite0", "efficientnet-lite0"),
            ("scratch", "efficientnet_lite0", None),
            ("small, scratch", "small", None),
        ):
            options = {"network": network, "batch": 4, "crop": 192, "holdout": 0.0, "animal_detector": False}
            options |= {"augmentation": look, "n_evaluations": 1, "weights": weights, "progress": False}
            _, few = with_processor_s(train, trained, **options, iterations=6)
            options["iterations"] = max(12, round(6 * arguments.seconds / few))
            detector, spent = with_processor_s(train, trained, **options)
            table = evaluate(detector, tested).loc["all"]
            row = {"data": name, "start": what, "iterations": options["iterations"], "processor_s": spent}
            rows.append(row | {key: table[key] for key in ("mean", "median", "p95", "pck5")})
            print(rows[-1], file=sys.stderr, flush=True)
    return pd.DataFrame(rows)


def with_processor_s(work: Callable, *arguments, **options) -> tuple[Any, float]:
    """What a call gives, and the seconds of processor time that it takes in all its threads."""
    began = time.process_time()
    return work(*arguments, **options), time.process_time() - began


def rat3d(arguments) -> pd.DataFrame:
    """Four blocks of time, each found by a detector trained on the others: 3D points from the detector's pixels against
    those from the proofread labels (mm), with the claimed covariances and without."""
    labels = read_labels(SHARED / "data" / "rodent_4cam")
    options = {"network": "mobilenet_v2", "batch": 8, "crop": 256, "holdout": 0.12}
    options |= {"iterations": arguments.iterations or 300}
    boards = {name: SHARED / "data" / "rodent_4cam" / name / "calibration_images" for name in labels.camera_names}
    rig = calibrate(boards, CharucoBoard(8, 11, 24.0, 18.75), progress=False).rig
    instants, rows = np.array(labels.instants), []
    for fold, block in enumerate(np.array_split(np.unique(instants), 4)):
        trained, tested = (labels.select(np.isin(instants, block) == held) for held in (False, True))
        detector = made(trained, IMAGENET, 0, options, saved(arguments, f"rat_fold_{fold}"))
        views, truth = seen_by_all(detector, tested), lifted(tested, rig)
        for method in ("ransac", "smooth"):
            for claim, used in (("with", views), ("without", views.drop_vars("covariance"))):
                error = np.linalg.norm(reconstruct(used, rig, method=method)["position"].values - truth, axis=-1)
                rows.append(pd.DataFrame({"method": method, "covariance": claim, "block": fold, "mm": error.ravel()}))
    points = pd.concat(rows).dropna()
    of_blocks = points.groupby(["method", "covariance", "block"])["mm"].mean().unstack().add_prefix("mean, block ")
    spread = points.groupby(["method", "covariance"])["mm"].agg(["count", "median", "mean", lambda v: v.quantile(0.95)])
    return spread.set_axis(["n", "median mm", "mean mm", "p95 mm"], axis=1).join(of_blocks).reset_index()


def seen_by_all(detector: Detector, tested: Labels) -> xr.Dataset:
    """The views that a detector makes of labelled pictures of the same instants in all cameras."""
    found = locate(detector, tested, tracked=True)
    confidence, covariances = calibrated(detector.uncertainty, found)
    points_2d = by_camera(tested, found.points)
    return views_dataset(
        points_2d,
        cameras=list(tested.camera_names),
        keypoints=detector.keypoints,
        times=frame_times(points_2d.shape[1], 30.0),
        confidence=by_camera(tested, confidence),
        covariances_2d=by_camera(tested, covariances),
    )


def lifted(labels: Labels, rig) -> np.ndarray:
    """(n_frames, n_keypoints, 3) points from labels of all cameras."""
    return triangulate_ransac(by_camera(labels, labels.points_2d), rig).points_3d


def by_camera(labels: Labels, values: np.ndarray) -> np.ndarray:
    """(n_cameras, n_frames, ...) from one value per picture; every camera has the same instants."""
    return np.stack([values[np.array(labels.cameras) == name] for name in labels.camera_names])


def measure(detector: Detector, trained: Labels, tested: Labels) -> dict[str, float]:
    """Errors on training and test frames, with all points and with the sure ones; time and calibration."""
    table, own = evaluate(detector, tested).loc["all"], evaluate(detector, trained).loc["all"]
    sure = evaluate(detector, tested, min_confidence=0.6).loc["all"]
    return {
        "mean": table["mean"], "rmse": table["rmse"], "median": table["median"], "p95": table["p95"],
        "pck5": table["pck5"], "pck10": table["pck10"], "mean (sure)": sure["mean"], "sure": sure["n"] / table["n"],
        "train_mean": own["mean"], "train_s": detector.history["seconds"],
        "ms_per_image": milliseconds(detector, tested),
    } | coverage(detector, tested)  # fmt: skip


def milliseconds(detector: Detector, tested: Labels) -> float:
    """Of a picture, decoded already, of which nothing is known."""
    finder, image = finder_of(detector), tested.image(0)
    return 1000 / rate(finder.find, image, 5)


def saved(arguments, name: str) -> Path | None:
    return arguments.save / f"{name}.safetensors" if arguments.save else None


def made(trained: Labels, weights, seed: int, options: dict, save: Path | None) -> Detector:
    """A detector trained here, or the one that lies there already; its history says how long training took."""
    if save is not None and save.is_file():
        there = load_detector(save)
        if there.config != TrainingConfig.from_options(options):
            sys.exit(f"{save} was trained with other options than this table's; delete it or give another --save")
        return there
    began = time.perf_counter()
    detector = train(trained, weights=weights, seed=seed, progress=False, **options)
    whole = dict(detector.history) | {"seconds": time.perf_counter() - began}  # loading and calibration, too
    detector = replace(detector, history=whole)
    if save is not None:
        detector.save(save)
    return detector


def looking(detector: Detector, trained: Labels, n_tta: int) -> Detector:
    """The detector as training with this number of test-time views would have made it: the same weights, calibrated
    anew on what training had held out."""
    config = replace(detector.config, n_tta=n_tta)
    if n_tta == detector.config.n_tta or not config.holdout:
        return replace(detector, config=config)
    _, held_out, _ = split_labels(trained, config.holdout, config.holdout_by)
    return calibrate_uncertainty(replace(detector, config=config), held_out)


FOLDS, ROUNDS = 10, 4


def coverage(detector: Detector, tested: Labels) -> dict[str, float]:
    """Fraction of errors inside the 90 % ellipse, rank correlation with the error, and how well confidence is met.

    Where training held nothing out, each tenth of the test frames is calibrated on the other nine, in four random
    orders.
    """
    found = locate(detector, tested, tracked=True)
    errors = found.points - tested.points_2d
    if detector.uncertainty.n_held_out:
        return claims_met(errors, *calibrated(detector.uncertainty, found), detector.uncertainty.radius)
    rows, random = [], np.random.default_rng(0)
    for _ in range(ROUNDS):
        confidence, covariances = np.empty_like(found.mass), np.empty_like(found.covariances)
        for fold in np.array_split(random.permutation(len(tested)), FOLDS):
            rest = np.setdiff1d(np.arange(len(tested)), fold)
            fitted = fit_uncertainty(errors[rest], frames_at(found, rest), detector.uncertainty.radius)
            confidence[fold], covariances[fold] = calibrated(fitted, frames_at(found, fold))
        rows.append(claims_met(errors, confidence, covariances, detector.uncertainty.radius))
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def frames_at(found: Found, indices: np.ndarray) -> Found:
    return Found(*(values[indices] for values in found))


def claims_met(errors: np.ndarray, confidence: np.ndarray, covariances: np.ndarray, radius: float) -> dict[str, float]:
    known = np.isfinite(errors).all(-1)
    distance2 = np.einsum("ni,nij,nj->n", errors[known], np.linalg.inv(covariances[known]), errors[known])
    length = np.linalg.norm(errors[known], axis=-1)
    return {
        "ellipse90": float((distance2 < 4.605).mean()),
        "rank": float(spearmanr(np.linalg.det(covariances[known]) ** 0.25, length)[0]),
        "confidence - hits": float(confidence[known].mean() - (length < radius).mean()),
    }


def agreement(arguments) -> pd.DataFrame:
    """Two detectors, trained on the same frames of the open field from different weights, on frames that neither saw.

    Where both lie at the same place far from the label, the label is the likelier error, and no claim can foresee it.
    """
    if not (arguments.detector and arguments.other):
        sys.exit("agreement compares two detectors of one split: give --detector FILE and --other FILE")
    labels = read_labels(SHARED / "data" / "openfield")
    _, tested, _ = split_labels(labels, 0.2, "random", arguments.seed)
    one, other = (locate(load_detector(path), tested).points for path in (arguments.detector, arguments.other))
    known = np.isfinite(tested.points_2d).all(-1)
    a, b = ((points - tested.points_2d)[known] for points in (one, other))
    from_label, from_other = np.linalg.norm(a, axis=-1), np.linalg.norm(a - b, axis=-1)
    far = (from_label > 5) & (np.linalg.norm(b, axis=-1) > 5)
    row = {
        "points": len(a),
        "to label, mean px": from_label.mean(),
        "other to label": np.linalg.norm(b, axis=-1).mean(),
        "to each other": from_other.mean(),
        "correlation of residuals": np.corrcoef(a.ravel(), b.ravel())[0, 1],
        "rank of disagreement with error": spearmanr(from_other, from_label)[0],
        "both farther than 5 px": far.sum(),
        "of these within 3 px of each other": (far & (from_other < 3)).sum(),
    }
    return pd.DataFrame([row])


# robustness


def corruption(arguments) -> pd.DataFrame:
    """On the test frames of `--seed`, which must be the seed of a given detector."""
    labels = read_labels(SHARED / "data" / "openfield")
    trained, tested, _ = split_labels(labels, 0.2, "random", arguments.seed)
    if arguments.detector:
        detector = load_detector(arguments.detector)
    else:
        options = OPENFIELD | {"iterations": BUDGETS[arguments.minutes], "augmentation": OPENFIELD_LOOK}
        detector = train(trained, weights=IMAGENET, seed=arguments.seed, progress=False, **options)
    return corruption_table(detector, tested)


# speed


def speed(arguments) -> pd.DataFrame:
    """640x480 network pixels, one picture at a time, best of three rounds of ten; points at the detector's scale."""
    labels = read_labels(SHARED / "data" / "openfield")
    image, pictures = labels.image(0), []
    networks = {name: build_network(name, 4).eval() for name in ("small", "mobilenet_v2", "resnet50")}
    exact, scale = None, 1.0
    if arguments.detector:
        detector = load_detector(arguments.detector)
        networks, scale = {"detector": detector.network}, detector.scale
        pictures = [labels.image(i) for i in range(len(labels))]
        exact = places(engine_of(detector.network, scale, "fp32", "torch"), pictures)
    rows = []
    for network, net in networks.items():
        for runtime in ("torch", "openvino", "onnx"):
            for precision in ("fp32", "bf16"):
                if runtime == "onnx" and precision == "bf16":
                    continue
                try:
                    engine = engine_of(net, 1.0, precision, runtime)
                except ModuleNotFoundError as error:
                    print(error, file=sys.stderr)
                    continue
                rows.append(
                    {
                        "network": network,
                        "runtime": runtime,
                        "precision": precision,
                        "images/s": rate(engine.infer, image),
                    }
                )
                if exact is not None:
                    moved = np.linalg.norm(places(replace(engine, scale=scale), pictures) - exact, axis=-1)
                    quantiles = np.quantile(moved, (0.5, 0.99))
                    rows[-1] |= {"moved, median px": quantiles[0], "moved, 99 % px": quantiles[1]}
                print(rows[-1], file=sys.stderr)
    return pd.DataFrame(rows)


def pictures(arguments) -> pd.DataFrame:
    """Each test picture (640x480) for itself, the animal anywhere in it. All ways take turns, five rounds; medians."""
    if not arguments.detector:
        sys.exit("pictures needs a detector of the open field: give --detector FILE")
    detector = load_detector(arguments.detector)
    _, tested, _ = split_labels(read_labels(SHARED / "data" / "openfield"), 0.2, "random", arguments.seed)
    images = [tested.image(i) for i in range(len(tested))]
    resnet = build_network("resnet50", 4).eval()
    looks: dict[tuple[str, str], Callable] = {}
    for runtime in ("torch", "openvino"):
        try:
            whole = engine_of(detector.network, 1.0, "fp32", runtime)
            looks["animal found first, then its window at the detector's scale", runtime] = finder_of(
                detector, "fp32", runtime
            ).find
            looks["whole picture", runtime] = whole.infer
            looks["whole picture, ResNet-50", runtime] = engine_of(resnet, 1.0, "fp32", runtime).infer
        except ModuleNotFoundError as error:
            print(error, file=sys.stderr)
    rates = {way: [] for way in looks}
    for look in looks.values():
        look(images[0])
    for _ in range(5):
        for way, look in looks.items():
            some = images[:3] if "ResNet" in way[0] else images
            began = time.perf_counter()
            for image in some:
                look(image)
            rates[way].append(len(some) / (time.perf_counter() - began))
    rows = []
    for way, values in rates.items():
        resnets = np.array(rates["whole picture, ResNet-50", way[1]])
        row = {"way": way[0], "runtime": way[1], "pictures/s": np.median(values), "least": min(values)}
        rows.append(row | {"most": max(values), "times ResNet-50": np.median(values / resnets)})
    return pd.DataFrame(rows)


def places(engine, pictures) -> np.ndarray:
    return np.stack([engine.infer(picture).points for picture in pictures])


def rate(look, image: np.ndarray, n: int = 10) -> float:
    look(image)
    times = []
    for _ in range(3):
        began = time.perf_counter()
        for _ in range(n):
            look(image)
        times.append(time.perf_counter() - began)
    return n / min(times)


def videos(arguments) -> pd.DataFrame:
    """Videos from file to views, decoding included: four of 1280x1024 together, or one of 640x480."""
    sources = {path.parent.name: path for path in sorted((SHARED / "data" / "rodent_4cam").glob("*/minimal_*.mp4"))}
    if arguments.detector:
        detector = load_detector(arguments.detector)
    else:
        labels = read_labels(SHARED / "data" / "rodent_4cam")
        detector = train(labels, weights=IMAGENET, progress=False, iterations=60, crop=256)
    ways: list[tuple[str, bool]] = [("torch", True), ("openvino", True), ("torch", False)]
    if "snout" in detector.keypoints:
        sources = {"top": next((SHARED / "data" / "openfield" / "videos").glob("*.mp4"))}
        ways = ways[:2]
    rows = []
    for runtime, track_crop in ways:
        began = time.perf_counter()
        try:
            views = predict(detector, sources, track_crop=track_crop, runtime=runtime, progress=False)
        except ModuleNotFoundError as error:
            print(error, file=sys.stderr)
            continue
        seconds = time.perf_counter() - began
        frames = views.sizes["view"] * views.sizes["time"]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        rows.append(
            {"runtime": runtime, "window": track_crop, "camera-frames/s": frames / seconds, "peak GB so far": peak}
        )
        print(rows[-1], file=sys.stderr)
    return pd.DataFrame(rows)


def fusion(arguments) -> pd.DataFrame:
    """Plain and fused layers of a MobileNetV2 in turns: processor time of one thread, medians of twelve turns."""
    plain = fold_norms(build_network("mobilenet_v2", 4).eval()).to(memory_format=torch.channels_last)
    fused = copy.deepcopy(plain)
    fuse_convolutions(fused)
    torch.set_num_threads(1)
    rows = []
    with torch.inference_mode():
        for height, width in ((480, 640), (256, 256)):
            picture = torch.rand(1, 3, height, width).to(memory_format=torch.channels_last)
            times = np.array([[processor_ms(network, picture) for network in (plain, fused)] for _ in range(12)])
            quarters = np.quantile(times[:, 0] / times[:, 1], [0.25, 0.5, 0.75])
            row = {"size": f"{width}x{height}", "plain ms": np.median(times[:, 0]), "fused ms": np.median(times[:, 1])}
            rows.append(row | dict(zip(("ratio 25 %", "ratio", "ratio 75 %"), quarters, strict=True)))
    return pd.DataFrame(rows)


def processor_ms(network, picture: torch.Tensor) -> float:
    """Milliseconds of processor time per picture, which other work on the machine hardly changes."""
    network(picture)
    began = time.process_time()
    for _ in range(2):
        network(picture)
    return 500 * (time.process_time() - began)


TABLES = {
    "fusion": fusion,
    "openfield": openfield,
    "networks": networks,
    "mirror": mirror,
    "rat": rat,
    "rat3d": rat3d,
    "transfer": transfer,
    "agreement": agreement,
    "corruption": corruption,
    "pictures": pictures,
    "speed": speed,
    "videos": videos,
}

if __name__ == "__main__":
    main()
