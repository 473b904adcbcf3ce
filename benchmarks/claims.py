"""What a detector claims of each pixel, on a finished demo: whether it holds, and what it gains in 3D.

muybridge demo FOLDER && python benchmarks/claims.py FOLDER
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from muybridge.calibration import read_rig
from muybridge.datasets import read_dataset
from muybridge.demo.truth import compare_with_truth
from muybridge.kinematics import joint_angles
from muybridge.session import read_session
from muybridge.session.steps.rig import load_rig
from muybridge.triangulate import reconstruct

session = read_session(sys.argv[1])
rig, views = load_rig(session), read_dataset(session.output / "views.nc")
true_rig = read_rig(session.folder / "truth_rig.toml").subset([str(name) for name in views["view"].values])

truth = read_dataset(session.folder / "truth.nc").sel(view=views["view"], keypoint=views["keypoint"])
order = ("view", "time", "keypoint")
shown = true_rig.project(truth["position"].transpose("time", "keypoint", ...).values)
offsets = views["position"].transpose(*order, "space").values - shown
covariances = views["covariance"].transpose(*order, ...).values
confidence = views["confidence"].transpose(*order).values
seen, found = truth["visible"].transpose(*order).values.astype(bool), np.isfinite(offsets).all(-1)
distance, radius = np.linalg.norm(offsets, axis=-1), views["confidence"].attrs["confidence_radius"]
inside = np.einsum("...i,...ij,...j", offsets, np.linalg.inv(covariances), offsets)
std = np.linalg.det(covariances) ** 0.25
rows = {
    kind: {
        "points": those.sum(),
        "median px": np.median(distance[those]),
        "50 % ellipses hold": (inside[those] < 1.386).mean(),
        "90 %": (inside[those] < 4.605).mean(),
        "95 %": (inside[those] < 5.991).mean(),
        "std, median px": np.median(std[those]),
        "rank correlation with the error": spearmanr(std[those], distance[those])[0],
        "confidence": confidence[those].mean(),
        f"within {radius:g} px": (distance[those] < radius).mean(),
    }
    for kind, those in (("visible", seen & found), ("hidden", ~seen & found))
}
print(pd.DataFrame(rows).T.to_string(float_format=lambda value: f"{value:.3g}"), end="\n\n")

columns = {}
for name, used in (("with", views), ("without", views.drop_vars("covariance"))):
    pose = reconstruct(used, rig, skeleton=session.skeleton)
    angles = joint_angles(pose, dict(session.joints))
    errors = compare_with_truth(session.folder, rig=rig, views=used, pose=pose, kinematics=angles)
    columns[name] = errors[errors["stage"].isin(["reconstruct", "kinematics"])].set_index(["quantity", "unit"])["value"]
print(pd.DataFrame(columns).to_string(float_format=lambda value: f"{value:.3g}"))
