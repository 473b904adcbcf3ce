"""What the loop back gains: pseudo-labels that three cameras agree on, for a camera without labels, on a finished demo.

    muybridge demo FOLDER && python benchmarks/loop.py FOLDER [--seeds 2]

A detector is trained without the labels of one camera; it predicts all videos; where at least three of the *other*
cameras agree in 3D, their point seen by the camera without labels becomes its label; the detector goes on with these.
Errors (px) are on the camera's own labelled pictures, which are of another film than the videos, and were never used.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd

from muybridge.pose2d import evaluate, join_labels, predict, pseudo_labels, read_labels, train
from muybridge.session import read_session
from muybridge.session.steps.rig import load_rig
from muybridge.triangulate import reconstruct


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--seeds", type=int, default=1)
    arguments = parser.parse_args()
    session = read_session(arguments.folder)
    labels = read_labels(session.folder / "labels")
    rows = [row for seed in range(arguments.seeds) for row in gain(session, labels, seed)]
    table = pd.DataFrame(rows)
    print(table.to_string(index=False, float_format=lambda value: f"{value:.3g}"))
    print(table.groupby("labels")[["mean", "median", "pck10"]].mean().to_string(float_format=lambda v: f"{v:.3g}"))


def gain(session, labels, seed: int) -> list[dict]:
    """Errors on a camera before and after it was taught by the others; the camera changes with the seed."""
    hidden = labels.camera_names[seed % len(labels.camera_names)]
    cameras = np.array(labels.cameras)
    own, others = labels.select(cameras == hidden), labels.select(cameras != hidden)
    before = train(others, network="small", seed=seed, progress=False)
    videos = session.sources("video")
    views, rig = predict(before, videos, progress=False), load_rig(session)
    seeing = [name for name in rig.names if name != hidden]
    pose = reconstruct(views.sel(view=seeing), rig.subset(seeing), skeleton=session.skeleton)
    views = views.sel(keypoint=pose["keypoint"].values)
    proposals = views.assign(position=views["position"].copy(data=rig.project(pose["position"].values)))
    error = np.nanmedian(pose["reprojection_error"].values, axis=0)
    taught = pseudo_labels(
        proposals.sel(view=[hidden]), videos, pose["n_cameras"].values, max_error=8.0, error=error, frame_step=4
    )
    after = train(join_labels([others, taught]), start=before, seed=seed, progress=False)
    more = train(others, start=before, seed=seed, progress=False)
    return [
        {"camera": hidden, "seed": seed, "labels": name, "pseudo": len(taught)}
        | evaluate(net, own).loc["all"].to_dict()
        for name, net in (("of the others", before), ("of the others, trained on", more), ("and pseudo-labels", after))
    ]


if __name__ == "__main__":
    main()
