"""Joint angles of a body that was fitted to the pixels: as the pose has them, without the root's place."""

from __future__ import annotations

import xarray as xr

from ...datasets import DatasetError

_PLACE = ("x", "y", "z")  # of the root: no angles
_VARIABLES = {
    "body_angle": ("angle", "rad"), "body_angle_std": ("angle_std", "rad"),
    "body_velocity": ("angle_velocity", "rad/s"), "body_velocity_std": ("angle_velocity_std", "rad/s"),
}  # fmt: skip


def body_angles(pose: xr.Dataset) -> xr.Dataset:
    """Angles of the body that a pose was reconstructed with, with the standard deviations of that fit.

    They come from all pixels and all frames at once; `joint_angles` makes angles of the points instead.

    Parameters
    ----------
    pose : xarray.Dataset
        Of `reconstruct(method="articulated")`, with `body_angle (time, body_joint)`.

    Returns
    -------
    xarray.Dataset
        `angle (time, joint)` and `angle_std` in radians, `angle_velocity` and `angle_velocity_std` in radians per
        second: the root's yaw, pitch and roll, then the turns of the body's segments.

    Raises
    ------
    DatasetError
        The pose has no body.

    Notes
    -----
    No angle is NaN: what the pixels do not determine has a wide standard deviation and is named in the attribute
    `undetermined_angles`.

    Examples
    --------
    >>> import xarray as xr
    >>> from muybridge.kinematics import body_angles
    >>> angles = xr.DataArray([[0.0, 0.1, 0.5]], dims=("time", "body_joint"))
    >>> pose = angles.to_dataset(name="body_angle").assign_coords(time=[0.0], body_joint=["x", "yaw", "arm_bend"])
    >>> body_angles(pose)["joint"].values.tolist()
    ['yaw', 'arm_bend']
    """
    if "body_angle" not in pose:
        raise DatasetError("the pose has no body's angles; reconstruct(method='articulated', body=...) gives them")
    names = [str(name) for name in pose["body_joint"].values]
    turns = [name for name in names if name not in _PLACE]
    own = pose.sel(body_joint=turns).rename(body_joint="joint")
    variables = {
        to: own[name].assign_attrs(units=unit) for name, (to, unit) in _VARIABLES.items() if name in own
    }  # fmt: skip
    attributes = {name: pose.attrs[name] for name in ("body", "undetermined_angles") if name in pose.attrs}
    convention = "body: turns of each segment in its parent, 0 where they are aligned, positive right-handed"
    return xr.Dataset(variables, coords={"time": pose["time"], "joint": turns}).assign_attrs(
        attributes, zero_and_sign=convention, angle_std="of the fit to the pixels"
    )
