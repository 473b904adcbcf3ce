"""What a calibration says about its own accuracy: deviations of each camera, and of points in the working volume."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ...numerics.arrays import Array


@dataclass(frozen=True, eq=False)
class VolumeSlice:
    """Predicted 3D errors on a plane through the middle of the boards' volume, along two axes of the world.

    names : of the axes, across and up; across (n_across,), up (n_up,) : places along them, world units
    errors : (n_up, n_across), root mean square, world units, NaN where fewer than two cameras see a point
    shares : the same over the error that one pixel of noise in the keypoints gives
    """

    names: tuple[str, str]
    across: Array
    up: Array
    errors: Array
    shares: Array


@dataclass(frozen=True, eq=False)
class PredictedUncertainty:
    """Standard deviations of the cameras in the boards' common world, and slices through the volume.

    focal_std : {camera: (2,) of fx and fy, pixels}; centre_std : {camera: (3,) along the world's axes, world units}
    """

    focal_std: Mapping[str, Array]
    centre_std: Mapping[str, Array]
    slices: tuple[VolumeSlice, ...]

    def as_dict(self) -> dict:
        """Plain numbers with five digits, for JSON; NaN is null."""
        return {
            "focal_std": {name: _plain(std) for name, std in self.focal_std.items()},
            "centre_std": {name: _plain(std) for name, std in self.centre_std.items()},
            "slices": [
                {"names": list(one.names)} | {key: _plain(getattr(one, key)) for key in _ARRAYS} for one in self.slices
            ],
        }

    @classmethod
    def from_dict(cls, values: Mapping) -> PredictedUncertainty:
        """What `as_dict` wrote."""
        return cls(
            {name: np.array(std, float) for name, std in values["focal_std"].items()},
            {name: np.array(std, float) for name, std in values["centre_std"].items()},
            tuple(
                VolumeSlice(tuple(one["names"]), *(np.array(one[key], float) for key in _ARRAYS))
                for one in values["slices"]
            ),
        )


_ARRAYS = ("across", "up", "errors", "shares")


def _plain(values: Array) -> list:
    flat = [float(f"{value:.5g}") if np.isfinite(value) else None for value in np.ravel(values)]
    return np.array(flat, dtype=object).reshape(np.shape(values)).tolist()
