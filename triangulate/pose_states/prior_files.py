"""Files of pose priors: .npz of plain arrays, nothing in which is executed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...datasets import Skeleton
from ...datasets.atomic_files import atomic_write
from ...datasets.npz_files import read_npz
from ...numerics.arrays import Array

ARRAYS = ("directions", "concentrations", "state_probabilities", "bone_lengths", "bone_stds", "transitions")
_FORMAT = 1  # version of the files


def write_prior(path: str | Path, skeleton: Skeleton, arrays: Mapping[str, Any]) -> None:
    """Write the arrays that are not None, replacing the file in one step."""
    with atomic_write(path) as partial, partial.open("wb") as file:
        np.savez_compressed(
            file,
            format=_FORMAT,
            keypoints=np.array(skeleton.keypoints, dtype=np.str_),
            bones=np.array(skeleton.bones, dtype=np.str_),
            symmetries=np.array(skeleton.symmetries, dtype=np.str_).reshape(-1, 2),
            root=np.array(skeleton.root or "", dtype=np.str_),
            **{name: values for name, values in arrays.items() if values is not None},
        )


def read_prior(path: str | Path) -> tuple[Skeleton, dict[str, Array]]:
    """What `write_prior` wrote; raises ValueError for another file."""
    try:
        content = read_npz(path, ("keypoints", "bones", "symmetries", "root", *ARRAYS[:-1]))
        bones = tuple((str(a), str(b)) for a, b in content["bones"])
        symmetries = tuple((str(a), str(b)) for a, b in content["symmetries"])
        keypoints = tuple(str(name) for name in content["keypoints"])
        skeleton = Skeleton(keypoints, bones, symmetries, str(content["root"]) or None)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path} is not a pose prior written by PosePrior.save: {error}") from error
    return skeleton, {name: content[name] for name in ARRAYS if name in content}
