"""What a detector gains where the peaks of all cameras are weighed together, `predict(..., rig=)`, with and without.

    python benchmarks/weighed_views.py DEMO_FOLDER [--instants 70]   a finished demo: pixels, and 3D points in mm
    python benchmarks/weighed_views.py --rat DETECTOR                the rat's last block of time, of a detector that
                                                                     `pose2d.py rat --held-out time --save` trained

One core suffices: 20 s for a demo, 2 min for the rat's pictures and boards, on an idle machine.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from muybridge.calibration import CharucoBoard, calibrate
from muybridge.cameras import CameraRig, read_rig
from muybridge.demo.truth import compare_with_truth
from muybridge.pose2d import Detector, load_detector, read_labels
from muybridge.pose2d.inference.animal_search import finder_of
from muybridge.pose2d.inference.engine import Found, as_rows, of_rows
from muybridge.pose2d.prediction.peak_choice import N_PEAKS, choose_peaks, misfits_of
from muybridge.pose2d.prediction.predicted_views import recording_of, views_of
from muybridge.pose2d.prediction.stored_rows import Rows
from muybridge.pose2d.prediction.view_misfits import sample_of
from muybridge.pose2d.prediction.window_prediction import Prediction, Search, predict_window
from muybridge.pose2d.training.splits import split_labels
from muybridge.session import read_session
from muybridge.triangulate import reconstruct

RAT = Path(__file__).resolve().parents[2] / "shared" / "data" / "rodent_4cam"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--instants", type=int, default=70)
    parser.add_argument("--rat", type=Path, metavar="DETECTOR")
    arguments = parser.parse_args()
    table = rat(load_detector(arguments.rat)) if arguments.rat else demo(arguments.folder, arguments.instants)
    print(table.to_string(index=False, float_format=lambda value: f"{value:.3g}"))


def demo(folder: Path, n_instants: int) -> pd.DataFrame:
    session, detector = (
        read_session(folder / "session.toml"),
        load_detector(folder / "results" / "detector.safetensors"),
    )
    source = recording_of(session.sources("video"), None, None)
    rows, names = Rows(tuple(source.infos), None), list(source.infos)
    predict_window(Prediction(detector, source.infos, Search(n_peaks=N_PEAKS), rows, np.inf), 0, n_instants)
    found = of_rows(np.stack([rows.part(rows.kept()[0])[name] for name in names]).astype(float))
    rig, true_rig = (read_rig(folder / name).subset(names) for name in ("results/rig.toml", "truth_rig.toml"))
    truth = xr.open_dataset(folder / "truth.nc").isel(time=slice(0, n_instants))
    pixels, size = true_rig.project(truth["position"].values), np.array([c.size for c in true_rig])[:, None, None]
    seen = truth["visible"].sel(view=names).transpose("view", "time", "keypoint").values.astype(bool)
    hidden = ~seen & ((pixels > -0.5) & (pixels < size - 0.5)).all(-1)
    paws = np.array([name.endswith(("paw", "toe")) for name in detector.keypoints])
    groups, tables = {"visible": seen, "hidden": hidden, "hidden paws and toes": hidden & paws}, []
    for weighed, own in with_and_without(found, rig, detector):
        tables.append(errors(own, pixels, groups, weighed))
        views = views_of(detector, own, names, truth["time"].values)
        for method in ("smooth", "ransac"):
            pose = reconstruct(views, rig, method=method, skeleton=session.skeleton if method == "smooth" else None)
            of_truth = compare_with_truth(folder, rig=rig, views=views, pose=pose)
            lines = of_truth[(of_truth["stage"] == "reconstruct") & (of_truth["unit"] == "mm")]
            values = {name.split(", ")[1]: value for name, value in zip(lines["quantity"], lines["value"], strict=True)}
            tables.append(pd.DataFrame([{"points": f"3D, {method}, mm", "weighed": weighed} | values]))
    return pd.concat(tables).sort_values(["points", "weighed"])


def rat(detector: Detector) -> pd.DataFrame:
    """Its last block of time, whose labels are proofread."""
    labels = read_labels(RAT)
    boards = {name: RAT / name / "calibration_images" for name in labels.camera_names}
    rig = calibrate(boards, CharucoBoard(8, 11, 24.0, 18.75), progress=False).rig
    _, tested, _ = split_labels(labels, 0.25, "time")
    finder, rows = finder_of(detector, n_peaks=N_PEAKS), {}
    for i, camera in enumerate(tested.cameras):
        rows.setdefault(camera, {})[tested.instants[i]] = (as_rows(finder.track(tested.image(i))), tested.points_2d[i])
    instants = sorted(set.intersection(*(set(own) for own in rows.values())))
    found, points = (
        np.stack([[rows[name][at][part] for at in instants] for name in rig.names]).astype(float) for part in (0, 1)
    )
    groups = {"labelled": np.isfinite(points).all(-1)}
    return pd.concat([errors(own, points, groups, w) for w, own in with_and_without(of_rows(found), rig, detector)])


def with_and_without(found: Found, rig: CameraRig, detector: Detector) -> list[tuple[str, Found]]:
    how, sample = (rig, detector.uncertainty, detector.animal_side), sample_of(found.mass.shape[1])
    misfits = misfits_of(Found(*(values[:, sample] for values in found)), *how)
    return [("no", found), ("yes", choose_peaks(found, *how, misfits))]


def errors(found: Found, pixels: np.ndarray, groups: dict[str, np.ndarray], weighed: str) -> pd.DataFrame:
    distance = np.linalg.norm(found.points - pixels, axis=-1)
    return pd.DataFrame(
        [
            {"points": f"{name}, px", "weighed": weighed, "n": those.sum(), "mean": distance[those].mean()}
            | {"median": np.median(distance[those]), "p95": np.quantile(distance[those], 0.95)}
            for name, those in groups.items()
        ]
    )


if __name__ == "__main__":
    main()
