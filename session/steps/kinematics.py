"""The step "kinematics": the animal in 3D to joint angles, velocities and gait."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..config import Session, SessionError
from ..provenance import write_text
from .step_definition import Step, public

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr


def _kinematics(session: Session, progress: bool) -> None:
    from ...datasets import check_pose, read_dataset
    from ...formats.tables.table_writing import check_cell
    from ...kinematics import gait, velocity

    pose = check_pose(read_dataset(session.output / "pose.nc"))
    motion = velocity(pose)
    angles = _angles(session, pose)
    if angles is not None:
        motion = motion.merge(angles, combine_attrs="drop_conflicts")
    if session.limbs:
        if "up" not in pose.attrs:
            raise SessionError(f"{session.path}: {VERTICAL_NEEDED}")
        found = gait(pose, session.limbs)
        motion = motion.merge(found.contact, combine_attrs="drop_conflicts")
        for limb in session.limbs:
            check_cell(limb)
        write_text(_strides_path(session), found.strides.to_csv(index=False))
    KINEMATICS.write(session, motion, session.output / "kinematics.nc")


def _angles(session: Session, pose: xr.Dataset) -> xr.Dataset | None:
    """Of the body that was fitted, if one was, and of the declared joints."""
    import xarray as xr

    from ...kinematics import body_angles, joint_angles

    own = body_angles(pose) if "body_angle" in pose else None
    if not session.joints:
        return own
    declared = KINEMATICS.call(session, joint_angles, pose, dict(session.joints), **KINEMATICS.given(session))
    if own is None:
        return declared
    twice = sorted(set(map(str, own["joint"].values)) & set(map(str, declared["joint"].values)))
    if twice:
        raise SessionError(f"{session.path}: [joints] {twice} are names of the body's angles, too; give other names")
    conventions = "; ".join(str(found.attrs["zero_and_sign"]) for found in (own, declared))
    both = xr.concat([own, declared], dim="joint", combine_attrs="drop_conflicts")
    return both.assign_attrs(zero_and_sign=conventions)


VERTICAL_NEEDED = (
    "[gait] needs the vertical; give [session] floor_frame (a frame in which the board lies on the floor) or"
    " up = [x, y, z]"
)


def _strides_path(session: Session) -> Path:
    return session.output / "strides.csv"


def read_strides(session: Session) -> pd.DataFrame | None:
    """The table of strides that this step wrote, None where the session has no gait."""
    import pandas as pd

    return pd.read_csv(_strides_path(session)) if session.limbs and _strides_path(session).is_file() else None


KINEMATICS = Step(
    name="kinematics",
    functions=lambda session: public("kinematics.joint_angles"),
    inputs=lambda session: [session.output / "pose.nc"],
    outputs=lambda session: [session.output / "kinematics.nc", *([_strides_path(session)] if session.limbs else [])],
    work=_kinematics,
    set_by_session=("pose", "joints"),
    depends_on=lambda session: {"joints": session.joints, "limbs": session.limbs},
)
