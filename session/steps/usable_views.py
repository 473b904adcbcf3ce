"""Views that a reconstruction can use: needed keypoints, cameras left out, and why there is nothing in 3D."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from ...datasets.individuals import each_individual
from ..config import Session, SessionError
from .points_and_videos import fractions_of_pictures, points_outside

if TYPE_CHECKING:
    from ...cameras import CameraRig
    from ...triangulate import Diagnosis


def needed_keypoints(session: Session, found: list[str]) -> list[str]:
    """The skeleton's keypoints, all of which the 2D points must have; all that are found where there is no skeleton."""
    if session.skeleton is None:
        return found
    missing = sorted(set(session.skeleton.keypoints) - set(found))
    if missing:
        raise SessionError(f"{session.path}: [skeleton] names {missing}, which the 2D points lack; they have {found}")
    return list(session.skeleton.keypoints)


def without(views: xr.Dataset, cameras: Sequence[str]) -> xr.Dataset:
    """The views with a confidence of 0 in some cameras, which leaves their points out."""
    confidence = views["confidence"]
    return views.assign(confidence=confidence.where(~confidence["view"].isin(list(cameras)), 0.0))


def view_problems(session: Session, views: xr.Dataset, rig: CameraRig, diagnosis: Diagnosis) -> list[str]:
    """Why nothing should be reconstructed from the views: they do not belong together, or not to their pictures."""
    fractions = fractions_of_pictures(session, views)
    if fractions or diagnosis.refusal:
        return fractions or [diagnosis.refusal]
    seen = (views["position"].notnull().all("space") & (views["confidence"] > 0)).sum("view")
    if not (seen >= 2).any():
        return ["no two cameras see a keypoint in the same frame; their 2D points are of different recordings or times"]
    right = [name for name in map(str, views["view"].values) if name not in diagnosis.wrong]
    problems = points_outside(session, views.sel(view=right))
    # the diagnosis judges some of the points; where it has none in 3D, all are tried
    if (
        problems
        or (diagnosis.keypoints["reconstructed"].to_numpy() > 0).any()
        or _any_in_3d(without(views, diagnosis.wrong), rig)
    ):
        return problems
    return [nothing_in_3d(diagnosis.messages)]


def _any_in_3d(views: xr.Dataset, rig: CameraRig) -> bool:
    """Whether two cameras agree on any point before them."""
    from ...triangulate.points.consensus import robust_points

    return any(np.isfinite(robust_points(own, rig).points_3d).any() for _, own in each_individual(views))


def nothing_in_3d(messages: Sequence[str]) -> str:
    reason = messages[0] if messages else "Fewer than two cameras see a point, or no two of them agree."
    return f"not a single point can be reconstructed. {reason}"
