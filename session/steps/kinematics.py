"""The step "kinematics": the animal in 3D to joint angles, velocities and gait."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import xarray as xr

from ...datasets import check_pose
from ...datasets.atomic_files import atomic_write
from ...datasets.netcdf import opened_dataset
from ...datasets.stretches import write_pieces
from ...datasets.validators import singular_dims
from ..config import Session, SessionError
from ..provenance import write_text
from .step_definition import Step, public

_STRETCH = 20_000  # frames of a long recording in memory at a time
_BESIDE = 1_000  # frames on either side of a stretch that its velocities are smoothed with


def _kinematics(session: Session, progress: bool) -> None:
    with opened_dataset(session.output / "pose.nc") as opened:
        pose = singular_dims(opened, "pose")
        inputs, n_frames = KINEMATICS.input_attribute(session, {}), pose.sizes["time"]
        contact, turning = _gait(session, pose), _turning(session, pose)

        def piece(start: int) -> xr.Dataset:
            own = slice(start, min(start + _STRETCH, n_frames))
            motion = _motion(session, pose, own, [found.isel(time=own) for found in turning])
            if contact is not None:
                motion = motion.merge(contact.isel(time=own), combine_attrs="drop_conflicts")
            return motion.assign_attrs(inputs)

        with atomic_write(session.output / "kinematics.nc") as partial:
            write_pieces(map(piece, range(0, n_frames, _STRETCH)), partial, n_frames)


def _motion(session: Session, pose: xr.Dataset, own: slice, turning: list[xr.Dataset]) -> xr.Dataset:
    """Velocities and angles of a stretch. Where the pose has no velocities those of each stretch are smoothed by the
    noise and the rhythm of its own frames."""
    from ...kinematics import velocity

    start = own.start if "velocity" in pose else max(0, own.start - _BESIDE)
    stop = own.stop if "velocity" in pose else own.stop + _BESIDE
    needed = pose.drop_vars([name for name in _UNUSED if name in pose])
    part = check_pose(needed.isel(time=slice(start, stop)).load())
    inner = slice(own.start - start, own.stop - start)
    motion = velocity(part).isel(time=inner)
    angles = _angles(session, part.isel(time=inner), turning)
    return motion if angles is None else motion.merge(angles, combine_attrs="drop_conflicts")


def _gait(session: Session, pose: xr.Dataset) -> xr.Dataset | None:
    """Stance of each foot, and the table of strides written; None of a session without limbs."""
    from ...formats.tables.table_writing import check_cell
    from ...kinematics import gait

    if not session.limbs:
        return None
    if "up" not in pose.attrs:
        raise SessionError(f"{session.path}: {VERTICAL_NEEDED}")
    found = gait(check_pose(_alone(pose, session.limbs.values(), _OF_FEET)), session.limbs)
    for limb in session.limbs:
        check_cell(limb)
    write_text(_strides_path(session), found.strides.to_csv(index=False))
    return found.contact


def _alone(pose: xr.Dataset, keypoints: Iterable[str], variables: Iterable[str]) -> xr.Dataset:
    """Some variables of those keypoints of these names that a pose has; all keypoints where it has none of them."""
    known = set(map(str, pose["keypoint"].values))
    chosen = [name for name in dict.fromkeys(keypoints) if name in known]
    some = pose[[name for name in variables if name in pose]]
    if "pair" in some.dims:
        pairs = [str(pair) for pair in some["pair"].values if set(str(pair).split("|")) <= set(chosen)]
        some = some.sel(pair=pairs) if pairs else some.drop_dims("pair")
    return some.sel(keypoint=chosen or list(known)).load()


def _turning(session: Session, pose: xr.Dataset) -> list[xr.Dataset]:
    """Angles of a long recording's hinges whose axis all of their frames determine."""
    from ...kinematics import joint_angles
    from ...kinematics.angles.joint_definitions import parse_joints

    if pose.sizes["time"] <= _STRETCH:
        return []
    found = []
    for joint in parse_joints(dict(session.joints)):
        if isinstance(joint.axis, str):
            own = check_pose(_alone(pose, (*joint.points, *(joint.frame or ())), _OF_JOINTS))
            declared = {joint.name: session.joints[joint.name]}
            found.append(KINEMATICS.call(session, joint_angles, own, declared, **KINEMATICS.given(session)))
    return found


def _angles(session: Session, pose: xr.Dataset, turning: list[xr.Dataset]) -> xr.Dataset | None:
    """Of the body that was fitted, if one was, and of the declared joints; those of `turning` are known."""

    from ...kinematics import body_angles

    own = body_angles(pose) if "body_angle" in pose else None
    if not session.joints:
        return own
    declared = _declared(session, pose, turning)
    if own is None:
        return declared
    twice = sorted(set(map(str, own["joint"].values)) & set(map(str, declared["joint"].values)))
    if twice:
        raise SessionError(f"{session.path}: [joints] {twice} are names of the body's angles, too; give other names")
    conventions = "; ".join(str(found.attrs["zero_and_sign"]) for found in (own, declared))
    both = xr.concat([own, declared], dim="joint", combine_attrs="drop_conflicts")
    return both.assign_attrs(zero_and_sign=conventions)


def _declared(session: Session, pose: xr.Dataset, turning: list[xr.Dataset]) -> xr.Dataset:
    """Angles of the declared joints in their order."""

    from ...kinematics import joint_angles
    from ...kinematics.angles.joint_angle_dataset import conventions_of, declared_order
    from ...kinematics.angles.joint_definitions import parse_joints

    known = {str(name) for found in turning for name in found["joint"].values}
    others = {name: joint for name, joint in session.joints.items() if name not in known}
    rest = [KINEMATICS.call(session, joint_angles, pose, others, **KINEMATICS.given(session))] if others else []
    if not turning:
        return rest[0]
    joints = parse_joints(dict(session.joints))
    both = xr.concat([*turning, *rest], dim="joint", combine_attrs="drop_conflicts")
    both = both.isel(joint=declared_order(joints, list(map(str, both["joint"].values))))
    return both.assign_attrs(zero_and_sign=conventions_of(joints))


# variables of a pose that the step does not use, and those that gaits and joints are made of
_UNUSED = ("acceleration", "acceleration_covariance", "inlier_probability", "reprojection_error", "n_cameras")
_OF_FEET = ("position", "covariance", "velocity")
_OF_JOINTS = ("position", "covariance", "cross_covariance")

VERTICAL_NEEDED = (
    "[gait] needs the vertical; give [session] floor_frame (a frame in which the board lies on the floor) or"
    " up = [x, y, z]"
)


def _refusals(session: Session) -> list[str]:
    """A declaration of a joint that cannot be read."""
    from ...kinematics.angles.joint_definitions import parse_joints

    try:
        _ = session.joints and parse_joints(dict(session.joints))
    except ValueError as error:
        return [f"[joints]: {error}"]
    return []


def _strides_path(session: Session) -> Path:
    return session.output / "strides.csv"


def read_strides(session: Session) -> pd.DataFrame | None:
    """The table of strides that this step wrote, None where the session has no gait."""
    return pd.read_csv(_strides_path(session)) if session.limbs and _strides_path(session).is_file() else None


KINEMATICS = Step(
    name="kinematics",
    functions=lambda session: public("kinematics.joint_angles"),
    inputs=lambda session: [session.output / "pose.nc"],
    outputs=lambda session: [session.output / "kinematics.nc", *([_strides_path(session)] if session.limbs else [])],
    work=_kinematics,
    set_by_session=("pose", "joints"),
    depends_on=lambda session: {"joints": session.joints, "limbs": session.limbs},
    refusals=_refusals,
)
