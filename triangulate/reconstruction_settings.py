"""The settings of a reconstruction, checked: method, what it needs, and its own options."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from hashlib import blake2b
from typing import Any

import numpy as np
import xarray as xr

from ..cameras import CameraRig
from ..datasets import Skeleton, with_provenance
from ..datasets.names import nearest
from .articulated.body_fit import fit_body
from .points.consensus import triangulate_ransac
from .points.dlt import triangulate_dlt
from .points.pairs import triangulate_pairs
from .pose_states.pose_inference import infer_poses
from .smoothing.smoother import smooth

# the methods of `reconstruct`, and the function whose keyword options each takes
RECONSTRUCTION_METHODS: dict[str, Callable] = {
    "dlt": triangulate_dlt,
    "ransac": triangulate_ransac,
    "median": triangulate_ransac,
    "pairs": triangulate_pairs,
    "smooth": smooth,
    "gimbal": infer_poses,
    "articulated": fit_body,
}

FRAMEWISE_METHODS = ("dlt", "ransac", "median", "pairs")  # take every frame on its own

# keywords that `reconstruct` fills from the views and from its own arguments
_SET_BY_RECONSTRUCT = {
    "confidence", "fps", "skeleton", "prior", "window", "body", "keypoints",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Settings:
    """What `reconstruct` is asked for; `options` are those of the method's function."""

    method: str = "smooth"
    skeleton: Skeleton | None = None
    prior: Any = None
    body: Any = None
    window: float | None = None
    max_gap: float = 0.0
    swaps: bool = False
    chunk_frames: int | None = None
    check_coverage: bool = False
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def recorded(self) -> dict[str, Any]:
        """What the pose's provenance names."""
        names = ("method", "window", "max_gap", "swaps")
        more = {"check_coverage": True} if self.check_coverage else {}
        more |= {} if self.prior is None else {"prior": type(self.prior).__name__}
        return {name: getattr(self, name) for name in names} | self.options | more


_OWN = [field.name for field in fields(Settings) if field.name != "options"]  # keywords of `reconstruct`


def settings_of(**settings) -> Settings:
    """The keywords of `reconstruct` as its settings."""
    own = {name: settings.pop(name) for name in list(settings) if name in _OWN}
    return Settings(**own, options=settings)


def check_settings(settings: Settings) -> None:
    """Refuse settings of `reconstruct` that do not go together, whatever the views and the rig.

    Raises
    ------
    ValueError : as `reconstruct`
    """
    method, chunk_frames = settings.method, settings.chunk_frames
    if method not in RECONSTRUCTION_METHODS:
        known = list(RECONSTRUCTION_METHODS)
        raise ValueError(f"there is no reconstruction method {method!r}{nearest(str(method), known)}; known: {known}")
    check_options(method, settings.options)
    if settings.prior is not None and method not in ("gimbal", "articulated"):
        raise ValueError(
            f"method {method!r} has neither pose states nor joints, so that a prior has no use; 'gimbal' has, and"
            " 'articulated'"
        )
    if settings.body is not None and method != "articulated":
        raise ValueError(f"method {method!r} has no joints, so that a body has no use; 'articulated' has")
    if settings.body is None and method == "articulated":
        raise ValueError("method 'articulated' needs a body; give body='cheetah', or another of read_body(...)")
    if chunk_frames is not None and chunk_frames < 1:
        raise ValueError(f"chunk_frames must be at least 1, got {chunk_frames}")
    if method in FRAMEWISE_METHODS:
        return
    by_frame = ", ".join(map(repr, FRAMEWISE_METHODS))
    if settings.max_gap:
        raise ValueError(
            f"method {method!r} bridges every gap by itself, with error bars that grow; max_gap is for {by_frame}"
        )
    if chunk_frames is not None:
        raise ValueError(
            f"method {method!r} uses all of time at once; window bounds its memory, chunk_frames is for {by_frame}"
        )


def check_options(method: str, options: dict) -> None:
    """Refuse options that the function of a method does not take.

    Raises
    ------
    ValueError : an option is unknown; the message names the nearest
    """
    taken = method_options(method)
    for name in options:
        if name not in taken:
            raise ValueError(
                f"method {method!r} has no option '{name}'{nearest(name, (*taken, *_OWN))}; it takes {sorted(taken)}"
            )


def method_options(method: str) -> list[str]:
    """Names of the options that `reconstruct` hands on to the function of a method.

    Parameters
    ----------
    method : str
        A key of `RECONSTRUCTION_METHODS`.

    Returns
    -------
    list of str
        Keywords of the method's function that `reconstruct` does not set itself, and "noise", which every method takes.

    Examples
    --------
    >>> from muybridge.triangulate import method_options
    >>> method_options("pairs")
    ['min_confidence', 'noise']
    """
    parameters = inspect.signature(RECONSTRUCTION_METHODS[method]).parameters.values()
    names = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.name not in _SET_BY_RECONSTRUCT]
    return names if "noise" in names else [*names, "noise"]


def described(pose: xr.Dataset, rig: CameraRig, settings: dict) -> xr.Dataset:
    """The pose with attributes that say how it was made, and the rig's vertical."""
    if rig.up is not None:
        pose = pose.assign_attrs(up=rig.up.tolist())
    return with_provenance(pose, "reconstruct", settings, {"rig": rig_hash(rig)})


def rig_hash(rig: CameraRig) -> str:
    """Hash of everything that a rig computes with."""
    digest = blake2b(digest_size=16)
    digest.update("|".join(rig.names).encode())
    for values in rig.arrays:
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()
