"""Whether a reconstruction can be an animal's, by its size, bones, accelerations, digits, unit and vertical; and
what the session states of pictures that a diagnosis finds wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from ...datasets.individuals import each_individual
from ...numerics.arrays import Array, evenly_spread
from ..config import CameraSources, Session
from .pictures import lens_warnings, read_session_rig
from .reconstruction_files import method_of, named_body, trained

if TYPE_CHECKING:
    from ...cameras import CameraRig
    from ...triangulate import Diagnosis

_NEAREST, _FARTHEST = 0.005, 200.0  # metres between the outermost cameras
_SAME_UP = 0.9  # cosine of the angle between two statements of the vertical
_SIZES = 3.0  # standard deviations of an animal's size by which it may differ from the body
_FRAMES = 1000  # of which bones are measured, evenly spread
_MOSTLY_ROUNDING = 0.5  # share of the noise's variance beyond which rounding is most of it
_HELD = 0.05  # share of the frames that repeat the one before, beyond which that is named
_FIXED = 0.03  # share of a camera's points that lie at one place, beyond which it is named
_COPIED = 0.5  # share of two keypoints' points that are the same, beyond which they are copies
_FEWEST = 5  # such frames, or points of a keypoint
_DECIMALS = 0.05  # pixels, of steps of coordinates up to which an animal at rest does not repeat itself by chance
_COARSE = 2.0  # pixels, of steps beyond which several keypoints of an animal at rest are at one place by chance
_STEPS_PER_PIXEL = 1000  # of coordinates that are told apart: files state three decimals


def view_warnings(
    session: Session, views: xr.Dataset, rig: CameraRig, diagnosis: Diagnosis, pose: xr.Dataset | None = None
) -> list[str]:
    """Sentences on what may be wrong with the 2D points and the cameras as a whole; with a pose on its movement."""
    noise = diagnosis.cameras["sigma_px"].to_dict()
    stated = [*repeated_points(views), *lens_warnings(rig), *unit_warning(rig), *vertical_warning(session)]
    return [*stated, *implausibilities(session, views, rig, pose), *rounded_points(views, noise)]


def implausibilities(session: Session, views: xr.Dataset, rig: CameraRig, pose: xr.Dataset | None = None) -> list[str]:
    """Sentences on what no animal is like: its size, bones that vary in length; with a pose its accelerations."""
    from ...triangulate.diagnosis.implausible import bone_sentence, exchange_sentence, rate_sentence, size_sentence

    keypoints = list(map(str, views["keypoint"].values))
    found: list[str | None] = [_markers_sentence(session, keypoints)]
    times = views["time"].values
    rate = (len(times) - 1) / float(times[-1] - times[0]) if len(times) > 1 else 0.0
    for _, own in each_individual(views):
        points_3d = _some_points(own, rig)
        bones = [] if session.skeleton is None else session.skeleton.bone_indices
        found += [
            size_sentence(points_3d, keypoints, rig.unit),
            bone_sentence(points_3d, keypoints, rig.unit, *_known_bones(session, rig.unit)),
            exchange_sentence(points_3d, keypoints, bones, rig.unit),
        ]
    for _, made in [] if pose is None else each_individual(pose):
        position = np.asarray(made["position"].transpose("time", "keypoint", "space").values)
        found.append(rate_sentence(position, rate, rig.unit))
    return list(dict.fromkeys(sentence for sentence in found if sentence))


def _some_points(views: xr.Dataset, rig: CameraRig) -> Array:
    """(n_some, n_keypoints, 3) points of one animal in frames spread over the recording."""
    from ...triangulate.points.consensus import robust_points

    some = views.isel(time=evenly_spread(views.sizes["time"], _FRAMES))
    seen = np.nan_to_num(some["confidence"].transpose("view", "time", "keypoint").values)
    points_2d = some["position"].transpose("view", "time", "keypoint", "space").values
    points_2d = np.where(seen[..., None] > 0, points_2d, np.nan)
    return robust_points(points_2d, rig.subset(list(map(str, some["view"].values))), confidence=seen).points_3d


def _markers_sentence(session: Session, keypoints: list[str]) -> str:
    """What markers of the session's body the 2D points lack, and which points are none of them."""
    from ...triangulate import read_body

    if "body" not in session.options["reconstruct"]:
        return ""
    body = read_body(named_body(session))
    lacking = [name for name in body.marker_names if name not in keypoints]
    strange = [name for name in keypoints if name not in body.marker_names]
    words = f"The 2D points lack {len(lacking)} of the {len(body.marker_names)} markers of body '{body.name}' {lacking}"
    words += ", and angles that only these show are not determined" if lacking else ""
    others = f"the body has no markers {strange}, which are not reconstructed"
    if not lacking:
        words = f"Of body '{body.name}': {others}"
    elif strange:
        words += f"; {others}"
    return f"{words}; track them, or give a body with these markers." if lacking or strange else ""


def _known_bones(session: Session, unit: str) -> tuple[dict[tuple[str, str], float], float | None]:
    """Lengths of the bones of the trained prior or of the body, and the factor by which an animal may differ."""
    from ...triangulate import read_body
    from ...triangulate.bodies.rest_pose import rest_places

    prior = trained(session).get("prior") if method_of(session) == "gimbal" else None
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
    markers = rest_places(body)[: len(body.marker_names)]  # the joints come after them
    places = dict(zip(body.marker_names, markers, strict=True))
    lengths = {(a, b): float(np.linalg.norm(places[a] - places[b])) for a, b in body.skeleton.bones}
    return lengths, float(np.exp(_SIZES * body.size_spread))


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
    steps = np.unique(np.round(values * _STEPS_PER_PIXEL).astype(np.int64))
    if len(steps) < 2 or np.abs(values * _STEPS_PER_PIXEL - np.round(values * _STEPS_PER_PIXEL)).max() > 1e-3:
        return 0.0
    return float(np.gcd.reduce(np.diff(steps)) / _STEPS_PER_PIXEL)


def repeated_points(views: xr.Dataset) -> list[str]:
    """Sentences on frames, keypoints and places that repeat to the last digit, as no detector's points do."""
    points = {name: _points_of(views, name) for name in map(str, views["view"].values)}
    return _frames_that_repeat(points) + _keypoints_that_repeat(views) + _one_place(points)


def _points_of(views: xr.Dataset, camera: str) -> Array:
    """(n_frames, n_keypoints of all individuals, 2) pixels, NaN where they count for nothing."""
    position = _counted(views.sel(view=camera)).transpose("time", ..., "space")
    return np.asarray(position.values, dtype=float).reshape(views.sizes["time"], -1, 2)


def _counted(views: xr.Dataset) -> xr.DataArray:
    """The positions, NaN where the confidence is 0: what a tool writes there is no point."""
    return views["position"].where(views["confidence"] > 0)


def _frames_that_repeat(points: dict[str, Array]) -> list[str]:
    shares = {}
    for name, own in points.items():
        seen = np.asarray(np.isfinite(own).all(axis=-1))
        unchanged = np.asarray((own[1:] == own[:-1]).all(axis=-1)) | ~(seen[1:] | seen[:-1])
        same = np.asarray(unchanged.all(axis=-1)) & seen[1:].any(axis=-1)
        shares[name] = float(same.mean()) if len(same) and rounding_step(own) < _DECIMALS else 0.0
        shares[name] *= same.sum() >= _FEWEST
    if min(shares.values()) == 1.0:  # a recording of a thing at rest, without noise
        return []
    held = {name: share for name, share in shares.items() if share > _HELD}
    if not held:
        return []
    return [
        f"{_listed(held)}: the 2D points of {_percent(held)} of the frames are exactly those of the frame before:"
        " frames were repeated (a rate that a conversion raised), or a tracker held its last points where it lost the"
        " animal; take the original frames, or leave these points empty."
    ]


def _keypoints_that_repeat(views: xr.Dataset) -> list[str]:
    names = list(map(str, views["keypoint"].values))
    flat = _counted(views).transpose("keypoint", ..., "space").values.reshape(len(names), -1, 2)
    seen = np.asarray(np.isfinite(flat).all(axis=-1))
    found = []
    for a, b in combinations(range(len(names)), 2):
        same = np.asarray((flat[a] == flat[b]).all(axis=-1))
        if same.sum() >= _FEWEST and same.sum() > _COPIED * (seen[a] & seen[b]).sum():
            found.append(
                f"Keypoints '{names[a]}' and '{names[b]}' have exactly the same 2D points: the columns of one were"
                " copied from the other; correct the 2D files."
            )
    return found


def _one_place(points: dict[str, Array]) -> list[str]:
    places: dict[tuple[float, float], dict[str, float]] = {}
    for name, own in points.items():
        known = own[np.isfinite(own).all(axis=-1)]
        if not len(known) or rounding_step(own) > _COARSE:
            continue
        found, counts = np.unique(known.view(complex), return_counts=True)  # along one axis: ten times faster
        place, share = found[[np.argmax(counts)]].view(float), float(counts.max() / len(known))
        n_keypoints = int((np.asarray((own == place).all(axis=-1)).sum(axis=0) >= _FEWEST).sum())
        if share > _FIXED and n_keypoints > 1:
            places.setdefault((float(place[0]), float(place[1])), {})[name] = share
    return [
        f"{_listed(shares)}: {_percent(shares)} of the 2D points, of several keypoints, lie at exactly ({x:g}, {y:g}),"
        " as a tool marks what it did not find: leave them empty in the file, or give them a likelihood of 0."
        for (x, y), shares in places.items()
    ]


def _listed(shares: dict[str, float]) -> str:
    return f"Camera{'s' if len(shares) > 1 else ''} " + ", ".join(f"'{name}'" for name in shares)


def _percent(shares: dict[str, float]) -> str:
    least, most = (f"{100 * share(shares.values()):.0f}" for share in (min, max))
    return f"{least} %" if least == most else f"{least} to {most} %"


def unit_warning(rig: CameraRig) -> list[str]:
    """A sentence where the cameras stand closer together or further apart than cameras can, in the rig's unit."""
    from ...cameras.rig_files import METRES

    if rig.unit not in METRES:
        return []
    apart = float(np.linalg.norm(rig.centers - rig.centers.mean(axis=0), axis=1).max()) * 2
    if _NEAREST <= apart * METRES[rig.unit] <= _FARTHEST:
        return []
    return [
        f"The cameras stand {apart:.3g} {rig.unit} apart: the rig may be in another unit than '{rig.unit}'; correct"
        " [session] unit, or calibrate with the board's squares in it."
    ]


def sizes(views: xr.Dataset, rig: CameraRig) -> list[str]:
    """How far apart the cameras stand, and how large the animal is: a rig of another scale shows in nothing else."""
    from ...triangulate.diagnosis.implausible import body_size

    size = body_size(_some_points(each_individual(views)[0][1], rig))
    apart = float(np.linalg.norm(rig.centers[:, None] - rig.centers, axis=-1).max())
    far, long = (f"{float(f'{length:.3g}'):g} {rig.unit}" for length in (apart, size))
    animal = f", and the animal measures {long} between its outermost keypoints" if size > 0 else ""
    return [f"the cameras stand up to {far} apart{animal}: another scale would fit as well"]


def vertical_warning(session: Session) -> list[str]:
    """A sentence where the session's vertical is not that of the rig file."""
    if session.up is None or session.rig is None:
        return []
    own, stated = np.array(session.up) / np.linalg.norm(session.up), read_session_rig(session).up
    if stated is None or float(own @ stated) > _SAME_UP:
        return []
    return [
        f"[session] up is {list(session.up)}, and the rig file says {np.round(stated, 3).tolist()}: remove one of them,"
        " or turn it round."
    ]


def with_stated_pictures(session: Session, diagnosis: Diagnosis) -> Diagnosis:
    """The diagnosis, whose sentences on cameras that the session states a crop, scale or mirror of say so, too."""
    warnings = diagnosis.warnings.copy()
    if len(warnings):
        warnings["message"] = [_with_stated(session, message) for message in warnings["message"]]
    mistakes = tuple(_with_stated(session, message) for message in diagnosis.mistakes)
    return replace(diagnosis, warnings=warnings, mistakes=mistakes, refusal=_with_stated(session, diagnosis.refusal))


def _with_stated(session: Session, message: str) -> str:
    """A sentence, with what the session states of the cameras that it names."""
    stated = [f"[cameras.{name}] states {words}" for name, own in session.cameras.items()
              if f"'{name}'" in message and (words := _stated(own))]  # fmt: skip
    return f"{message} {' and '.join(stated)}: remove what is not so of its file." if stated else message


def _stated(own: CameraSources) -> str:
    entries = [f"crop = {[int(side) for side in own.crop]}"] if own.crop is not None else []
    entries += [f"scale = {own.scale:g}"] if own.scale != 1.0 else []
    return ", ".join([*entries, *["mirror = true"] * own.mirror])
