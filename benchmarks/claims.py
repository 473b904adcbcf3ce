"""What a detector's claimed covariance of each pixel gains in 3D, on a finished demo.

muybridge demo FOLDER && python benchmarks/claims.py FOLDER
"""

from __future__ import annotations

import sys

import pandas as pd

from muybridge.datasets import read_dataset
from muybridge.kinematics import joint_angles
from muybridge.session import read_session
from muybridge.session.steps import load_rig
from muybridge.session.truth import compare_with_truth
from muybridge.triangulate import reconstruct

session = read_session(sys.argv[1])
rig, views = load_rig(session), read_dataset(session.output / "views.nc")
columns = {}
for name, used in (("with", views), ("without", views.drop_vars("covariance"))):
    pose = reconstruct(used, rig, skeleton=session.skeleton)
    angles = joint_angles(pose, dict(session.joints))
    errors = compare_with_truth(session.folder, rig=rig, views=used, pose=pose, kinematics=angles)
    columns[name] = errors[errors["stage"].isin(["reconstruct", "kinematics"])].set_index(["quantity", "unit"])["value"]
print(pd.DataFrame(columns).to_string(float_format=lambda value: f"{value:.3g}"))
