"""Whether a reconstruction can be an animal's, by its size, bones and accelerations; the trained files that know it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..config import Session

if TYPE_CHECKING:
    import xarray as xr

    from ...cameras import CameraRig

_FRAMES = 1000  # of which bones are measured, evenly spread
_MOSTLY_ROUNDING = 0.5  # share of the noise's variance beyond which rounding is most of it
_DECIMALS = 1000  # steps per pixel that are told apart: files state three decimals


def implausibilities(session: Session, views: xr.Dataset, rig: CameraRig, pose: xr.Dataset | None = None) -> list[str]:
    """Sentences on what no animal is like: its size, bones that vary in length; with a pose its accelerations."""
    from ...numerics.arrays import evenly_spread
    from ...triangulate import triangulate_ransac
    from ...triangulate.diagnosis.implausible import bone_sentence, exchange_sentence, rate_sentence, size_sentence

    keypoints, found = list(map(str, views["keypoint"].values)), list[str | None]()
    times = views["time"].values
    rate = (len(times) - 1) / float(times[-1] - times[0]) if len(times) > 1 else 0.0
    for own in _individuals(views):
        own = own.transpose("view", "time", "keypoint", "space", ..., missing_dims="ignore")
        rows = evenly_spread(len(times), _FRAMES)
        seen = np.asarray(own["confidence"].values)[:, rows]
        points_2d = np.where(seen[..., None] > 0, np.asarray(own["position"].values)[:, rows], np.nan)
        order = rig.subset(list(map(str, own["view"].values)))
        points_3d = triangulate_ransac(points_2d, order, confidence=np.nan_to_num(seen)).points_3d
        bones = [] if session.skeleton is None else session.skeleton.bone_indices
        found += [
            size_sentence(points_3d, keypoints, rig.unit),
            bone_sentence(points_3d, keypoints, rig.unit, *_known_bones(session, rig.unit)),
            exchange_sentence(points_3d, keypoints, bones, rig.unit),
        ]
    for made in [] if pose is None else _individuals(pose):
        position = np.asarray(made["position"].transpose("time", "keypoint", "space").values)
        found.append(rate_sentence(position, rate, rig.unit))
    return list(dict.fromkeys(sentence for sentence in found if sentence))


def _individuals(dataset: xr.Dataset) -> list[xr.Dataset]:
    if "individual" not in dataset.dims:
        return [dataset]
    return [dataset.isel(individual=i) for i in range(dataset.sizes["individual"])]


def _known_bones(session: Session, unit: str) -> tuple[dict[tuple[str, str], float], float | None]:
    """Lengths of the bones of the trained prior or of the body, and the factor by which an animal may differ."""
    from ...triangulate import read_body
    from ...triangulate.bodies.kinematic_tree import rest_places

    prior = trained(session).get("prior")
    if prior is not None:
        bones = prior.skeleton.bones
        return dict(zip(bones, np.asarray(prior.bone_lengths).tolist(), strict=True)), None
    if "body" not in session.options["reconstruct"]:
        return {}, None
    body = read_body(named_body(session))
    try:
        body = body.in_unit(unit)
    except ValueError:  # a unit that has no size in metres
        return {}, None
    places = dict(zip(body.marker_names, rest_places(body), strict=True))
    lengths = {(a, b): float(np.linalg.norm(places[a] - places[b])) for a, b in body.skeleton.bones}
    return lengths, float(np.exp(3 * body.size_spread))


def rounded_points(views: xr.Dataset, sigma_px: Mapping[str, float]) -> list[str]:
    """A sentence where 2D points are rounded so far that this is most of their noise."""
    coarse = {}
    for name in map(str, views["view"].values):
        points = np.asarray(views["position"].sel(view=name).values)
        step = rounding_step(points)
        if name in sigma_px and step**2 / 12 > _MOSTLY_ROUNDING * sigma_px[name] ** 2:
            coarse[name] = step
    if not coarse:
        return []
    largest = max(coarse.values())
    listed = ", ".join(f"'{name}'" for name in coarse)
    return [
        f"The 2D points of camera{'s' if len(coarse) > 1 else ''} {listed} are multiples of {largest:g} px: rounding"
        f" alone is an error of {largest / np.sqrt(12):.2g} px (standard deviation), most of their noise; write them"
        " with decimals."
    ]


def rounding_step(points_2d: np.ndarray) -> float:
    """The step in pixels that all coordinates (..., 2) are multiples apart of; 0 where they have decimals."""
    values = points_2d[np.isfinite(points_2d)]
    steps = np.unique(np.round(values * _DECIMALS).astype(np.int64))
    if len(steps) < 2 or np.abs(values * _DECIMALS - np.round(values * _DECIMALS)).max() > 1e-3:
        return 0.0
    return float(np.gcd.reduce(np.diff(steps)) / _DECIMALS)


def trained(session: Session) -> dict[str, Any]:
    """The prior and the noise of the detector that [reconstruct] names files of."""
    from ...triangulate import DetectorNoise, PosePrior

    kinds = {"prior": PosePrior, "noise": DetectorNoise}
    return {name: kinds[name].load(path) for name, path in trained_files(session).items()}


def trained_files(session: Session) -> dict[str, Path]:
    """{"prior" or "noise": file} that [reconstruct] names."""
    options = session.options["reconstruct"]
    return {name: session.folder / options[name] for name in ("prior", "noise") if name in options}


def named_body(session: Session) -> str:
    """[reconstruct] body, as a path from the session's folder where it is a file."""
    name = str(session.options["reconstruct"]["body"])
    file = session.folder / name
    return str(file) if file.is_file() else name
