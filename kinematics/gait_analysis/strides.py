"""Strides of every limb, the phases between limbs, and the gait's name from a pose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from ...datasets import Array, DatasetError
from ...datasets.names import named_options
from ..derivative_methods import motion_of
from ..pose_access import checked, keypoint_indices, of_keypoints, times_of, unit_of, up_of
from .contact_states import Contact, find_contacts
from .event_times import mean_point
from .gait_names import limb_roles, name_gait

STRIDE_COLUMNS = (
    "limb", "stride", "touch_down", "lift_off", "next_touch_down", "touch_down_std", "lift_off_std", "duration",
    "frequency", "stance_duration", "swing_duration", "duty_factor", "length", "speed", "clearance", "phase", "gait",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Gait:
    """Contacts, strides and phases of an animal's limbs, as `gait` finds them.

    Parameters
    ----------
    contact : xarray.Dataset
        `stance_probability (time, limb)`, 0 to 1, and `stance (time, limb)`, from the refined events.
    strides : pandas.DataFrame
        One row per stride, from one touch-down of a limb to its next: times in seconds, frequency in hertz, duty factor
        (share of the stride in stance), length and clearance in world units, speed in world units per second, phase
        (touch-down within the reference limb's stride, 0 to 1) and the gait's name.
    phases : pandas.DataFrame
        One row per stride of the reference limb, one column per limb.
    reference : str
        The limb that phases are counted from.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> import xarray as xr
    >>> from muybridge.kinematics import Gait
    >>> contact = xr.Dataset({"stance": (("time", "limb"), [[True], [False]])}, {"limb": ["left_hind"]})
    >>> Gait(contact, pd.DataFrame(), pd.DataFrame(), "left_hind").reference
    'left_hind'
    """

    contact: xr.Dataset
    strides: pd.DataFrame
    phases: pd.DataFrame
    reference: str

    def summary(self) -> pd.DataFrame:
        """Mean and standard deviation over the strides of each limb.

        Returns
        -------
        pandas.DataFrame
            One row per limb (and individual): duration, frequency, duty factor, length, speed, clearance.
        """
        columns = ["duration", "frequency", "duty_factor", "length", "speed", "clearance"]
        by = [name for name in ("individual", "limb") if name in self.strides]
        return pd.DataFrame(self.strides.groupby(by, sort=False)[columns].agg(["mean", "std"]))

    def individual(self, name: str) -> Gait:
        """One animal's part of the gait of several.

        Parameters
        ----------
        name : str
            The individual.

        Returns
        -------
        Gait
            Its contacts, strides and phases.
        """
        strides, phases = (
            pd.DataFrame(table[table["individual"] == name]).reset_index(drop=True)
            for table in (self.strides, self.phases)
        )
        return Gait(self.contact.sel(individual=name), strides, phases, self.reference)


@named_options(DatasetError)
def gait(
    pose: xr.Dataset,
    limbs: Mapping[str, str],
    *,
    up: Array | None = None,
    surface_velocity: Array | None = None,
    reference: str | None = None,
    method: str = "auto",
) -> Gait:
    """Stance and swing of each limb, strides, phases between limbs, and the gait's name.

    Parameters
    ----------
    pose : xarray.Dataset or DataArray
        `position (time, keypoint, space)`, in world units; NaN where missing. Several individuals are taken one by one.
    limbs : mapping
        {limb: keypoint of its foot}; names such as left_hind, right_fore, LF let the gait be named.
    up : ndarray, shape (3,), optional
        World direction against gravity; None: the pose's attribute `up`.
    surface_velocity : ndarray, shape (3,), world units per second, optional
        Velocity of a treadmill's belt; None: the ground is at rest.
    reference : str, optional
        Limb that phases count from; None: the left hind if there is one, else the first.
    method : str
        Method of the velocities, as in `velocity`.

    Returns
    -------
    Gait
        Of several individuals, `contact` has the dimension and the tables the column `individual`.

    Raises
    ------
    DatasetError
        No vertical known, or unknown keypoints.

    Notes
    -----
    Events are found to the frame (120 Hz, 2 mm of noise, nearly all of them) where a foot starts and stops with a speed
    or an acceleration. Where its displacement grows with the third power of time it stays within the noise for two to
    four frames, and ten slow strides do not determine the first frame (`python benchmarks/kinematics.py gait`: 70-90 %
    of a walk's); the standard deviations say so.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.datasets import pose_dataset
    >>> from muybridge.kinematics import gait
    >>> times = np.arange(240) / 120
    >>> turns = times / 0.4
    >>> swing = np.clip(turns % 1 / 0.5 - 1, 0, 1)  # the second half of every stride
    >>> paw = np.stack([100 * (np.floor(turns) + swing), 0 * times, 20 * np.sin(np.pi * swing)], axis=-1)
    >>> pose = pose_dataset(paw[:, None], keypoints=["paw"], times=times, unit="mm")
    >>> found = gait(pose, {"left_hind": "paw"}, up=[0, 0, 1], method="central")
    >>> found.strides["duration"].round(2).tolist()
    [0.4, 0.4, 0.4]
    """
    pose = checked(pose)
    if "individual" not in pose.dims:
        return _gait_of_one(pose, limbs, up, surface_velocity, reference, method)
    parts = {
        str(name): _gait_of_one(pose.sel(individual=name), limbs, up, surface_velocity, reference, method)
        for name in pose["individual"].values
    }
    contact = xr.concat([part.contact for part in parts.values()], dim=pose["individual"], join="exact")
    strides = pd.concat([part.strides.assign(individual=name) for name, part in parts.items()], ignore_index=True)
    phases = pd.concat([part.phases.assign(individual=name) for name, part in parts.items()], ignore_index=True)
    return Gait(contact, strides, phases, next(iter(parts.values())).reference)


def _gait_of_one(
    pose: xr.Dataset,
    limbs: Mapping[str, str],
    up: Array | None,
    surface_velocity: Array | None,
    reference: str | None,
    method: str,
) -> Gait:
    if not isinstance(limbs, Mapping) or not limbs:
        raise DatasetError(f"limbs are declared as {{limb: foot keypoint}}, got {limbs!r}")
    vertical = up_of(pose, up, "gait")
    names = list(limbs)
    roles = limb_roles(names)
    reference = reference or roles.get("left_hind", names[0])
    if reference not in limbs:
        raise DatasetError(f"the reference limb '{reference}' is none of the limbs {names}")
    contacts, on_ground = _contacts(pose, limbs, vertical, surface_velocity, method)
    times = times_of(pose)
    tables = [_strides(limb, contacts[limb], own, times, vertical) for limb, own in zip(limbs, on_ground, strict=True)]
    strides = pd.concat(tables, ignore_index=True)
    phases = _phases(strides, contacts, reference)
    strides = _with_phase(strides, phases, roles, reference)
    return Gait(_contact_dataset(contacts, times, unit_of(pose)), strides, phases, reference)


def _contacts(
    pose: xr.Dataset, limbs: Mapping[str, str], up: Array, surface_velocity: Array | None, method: str
) -> tuple[dict[str, Contact], list[Array]]:
    """Contacts of every limb, and its foot's positions (n_frames, 3) relative to the surface."""
    feet = of_keypoints(pose, dict.fromkeys(limbs.values()))
    motion = motion_of(feet, 1, method)
    raw, times = feet["position"].values, times_of(pose)
    belt = np.zeros(3) if surface_velocity is None else np.asarray(surface_velocity, float)
    at = [keypoint_indices(feet, [keypoint])[0] for keypoint in limbs.values()]
    on_ground = [raw[:, k] - belt * (times - times[0])[:, None] for k in at]
    noise = [_noise(raw[:, k], motion.values[0][:, k]) for k in at]
    found = find_contacts(on_ground, [motion.values[1][:, k] - belt for k in at], times, up, noise)
    return dict(zip(limbs, found, strict=True)), on_ground


def _noise(raw: Array, smooth: Array) -> float:
    """Standard deviation of one coordinate about the smooth path; of the frame-to-frame curvature where both agree."""
    rest = raw - smooth
    rest = rest[np.isfinite(rest).all(axis=1)]
    if len(rest) and np.abs(rest).max() > 0:
        return float(np.sqrt(np.mean(rest**2)))
    curvature = np.diff(raw, 2, axis=0)
    curvature = curvature[np.isfinite(curvature).all(axis=1)]
    return float(np.median(np.abs(curvature)) / np.sqrt(6)) if len(curvature) else 0.0


def _strides(limb: str, contact: Contact, positions: Array, times: Array, up: Array) -> pd.DataFrame:
    """One limb's strides, from each touch-down through the next swing to its touch-down."""
    rows = []
    for i in range(len(contact.touch_down) - 1):
        down, off, after = contact.touch_down[i], contact.lift_off[i + 1], contact.touch_down[i + 1]
        end = contact.lift_off[i + 2] if i + 2 < len(contact.lift_off) else after + 0.6 * (off - down)
        if not down < off < after:
            continue
        here, there = _standing(positions, times, down, off), _standing(positions, times, after, end)
        step = there - here
        length = float(np.linalg.norm(step - (step @ up) * up))
        heights = positions[(times >= off) & (times <= after)] @ up
        clearance = float(np.nanmax(heights - here @ up)) if np.isfinite(heights).any() else np.nan
        duration = after - down
        rows.append((limb, i, down, off, after, contact.touch_down_std[i], contact.lift_off_std[i + 1], duration,
                     1 / duration, off - down, after - off, (off - down) / duration, length, length / duration,
                     clearance, np.nan, ""))  # fmt: skip
    return pd.DataFrame(rows, columns=list(STRIDE_COLUMNS))


def _standing(positions: Array, times: Array, start: float, end: float) -> Array:
    """(3,) mean position of a foot in stance; the frame nearest to the stance's middle if none was observed."""
    mean = mean_point(positions[(times >= start) & (times <= end)])
    return positions[np.argmin(np.abs(times - (start + end) / 2))] if np.isnan(mean).any() else mean


def _phases(strides: pd.DataFrame, contacts: dict[str, Contact], reference: str) -> pd.DataFrame:
    """Touch-down of each limb in each stride of the reference limb, 0-1; NaN where it has none.

    The touch-down nearest to the limb's mean phase counts, so that one just before the reference's is not lost.
    """
    own = strides[strides["limb"] == reference]
    starts, durations = np.asarray(own["touch_down"], float), np.asarray(own["duration"], float)
    table = pd.DataFrame({"time": starts, "duration": durations})
    for limb, contact in contacts.items():
        if limb == reference or not len(starts) or not len(contact.touch_down):
            table[limb] = 0.0 if limb == reference else np.nan
            continue
        downs = contact.touch_down
        stride = np.clip(np.searchsorted(starts, downs) - 1, 0, len(starts) - 1)
        turns = np.exp(2j * np.pi * (downs - starts[stride]) / durations[stride])
        expected = starts + np.angle(turns.mean()) / (2 * np.pi) % 1.0 * durations
        nearest = downs[np.argmin(np.abs(downs[:, None] - expected), axis=0)]
        phase = (nearest - starts) / durations % 1.0
        table[limb] = np.where(np.abs(nearest - expected) < durations / 2, phase, np.nan)
    return table


def _with_phase(strides: pd.DataFrame, phases: pd.DataFrame, roles: dict[str, str], reference: str) -> pd.DataFrame:
    """The strides with their phase and the gait of the reference stride they start in."""
    strides = strides.copy()
    duty = float(np.mean(strides["duty_factor"])) if len(strides) else np.nan
    gaits = [
        name_gait({role: float(phases[limb].iloc[i]) for role, limb in roles.items()}, duty) for i in range(len(phases))
    ]
    starts, durations = phases["time"].to_numpy(), phases["duration"].to_numpy()
    for row, (limb, down) in enumerate(zip(strides["limb"], strides["touch_down"], strict=True)):
        stride = np.searchsorted(starts, down + 1e-9) - 1 if len(starts) else -1
        if stride >= 0 and down < starts[stride] + durations[stride] * 1.05:
            phase = 0.0 if limb == reference else (down - starts[stride]) / durations[stride] % 1.0
            strides.loc[row, "phase"] = phase
            strides.loc[row, "gait"] = gaits[stride]
    return strides


def _contact_dataset(contacts: dict[str, Contact], times: Array, unit: str) -> xr.Dataset:
    probability = np.stack([contact.probability for contact in contacts.values()], axis=1)
    stance = np.nan_to_num(probability, nan=1.0) > 0.5
    for j, contact in enumerate(contacts.values()):
        if len(contact.lift_off):  # between the first and the last event those decide
            stance[(times >= contact.lift_off[0]) & (times < contact.touch_down[-1]), j] = True
        for off, down in zip(contact.lift_off, contact.touch_down, strict=True):
            stance[(times >= off) & (times < down), j] = False
    dims = ("time", "limb")
    return xr.Dataset(
        {"stance_probability": (dims, probability, {"units": "1"}), "stance": (dims, stance, {"units": "1"})},
        coords={"time": times, "limb": list(contacts)},
        attrs={"position_units": unit},
    )
