"""A real recording from files to angles: the four-camera rat of ../shared/data.

    python examples/rodent_4cam.py [OUTPUT_FOLDER]

The same as `muybridge run examples/rodent_4cam`, in Python: read the session, run its steps, look at the result.
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from muybridge.datasets import read_dataset
from muybridge.session import read_session, run_session

session = read_session(Path(__file__).parent / "rodent_4cam")
if len(sys.argv) > 1:
    session = replace(session, output=Path(sys.argv[1]).resolve())
run_session(session, say=print)

pose = read_dataset(session.output / "pose.nc")
motion = read_dataset(session.output / "kinematics.nc")
error = pose["reprojection_error"]
speed = np.sqrt((motion["velocity"] ** 2).sum("space"))
print(f"\nmedian reprojection error: {float(error.median()):.2f} px over {pose.sizes['time']} frames")
print("per camera:", {str(view): round(float(error.sel(view=view).median()), 2) for view in error["view"].values})
print(f"median speed of the nose: {float(speed.sel(keypoint='Nose').median()):.0f} {motion['velocity'].attrs['units']}")
for joint in motion["joint"].values:
    angle = motion["angle"].sel(joint=joint)
    spread = float(np.degrees(motion["angle_std"].sel(joint=joint).median()))
    print(f"{joint}: {float(np.degrees(angle.median())):.1f} degrees, typical standard deviation {spread:.2f}")
