"""What the step "reconstruct" corrects in views and cameras before it reconstructs: individuals, delays, camera poses.

The `delay` of a camera, frames, is removed. `[animals] identity = "known"` or `[reconstruct] match_individuals = false`
leaves the individuals as the 2D files order them; `frame_offsets = true` removes delays and lost frames; `refine_rig =
true` refines the cameras' poses, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..config import Session, SessionError
from .reconstruction_files import CORRECTED

if TYPE_CHECKING:
    import xarray as xr

    from ...cameras import CameraRig
    from ...numerics.arrays import Array
    from ...triangulate.diagnosis.frame_jumps import Jump
    from ...triangulate.rig_refinement.long_recordings import Sample

SWITCHES = ("match_individuals", "frame_offsets", "refine_rig")
_DONE = {
    "shift its recording": "its views were shifted",
    "synchronise the exposures": "its views were shifted",
    "use the refined rig": "the refined rig was used",
}
_TRACKED = 5000  # frames of a long recording by which rows are told to be tracks or detections
_MOST_TRACKS = 6  # per camera: the permutations of more are too many to search, and are put together otherwise


@dataclass(frozen=True, eq=False)
class Corrected:
    """Views and cameras as they are reconstructed, and a sentence for each thing that was changed or found.

    warnings : what must not be overlooked among these
    delays, jumps : what was removed from the views beside the delays that the session states, (n_cameras,) frames
    sample : of a long recording, whose views these are
    """

    views: xr.Dataset
    rig: CameraRig
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    delays: Array | float = 0.0
    jumps: tuple[Jump, ...] = ()
    sample: Sample | None = None


def corrected(session: Session, views: xr.Dataset, rig: CameraRig) -> Corrected:
    """Match individuals, remove delays and refine the cameras, as [reconstruct] says.

    Raises
    ------
    SessionError : a switch does not fit the recording
    """
    result = Corrected(_in_time(session, views), rig)
    if _finds_identities(session, views):
        result = _with_own_identities(session, result)
    return _with_found(session, result)


def _finds_identities(session: Session, views: xr.Dataset) -> bool:
    """Whether the views are of individuals whose order the 2D files do not state.

    Raises
    ------
    SessionError : their number is not the one that the session states
    """
    if "individual" not in views.dims and (session.n_animals or 1) > 1:
        raise SessionError(
            f"{session.path}: [animals] count is {session.n_animals}, but the 2D points are of one animal; give files"
            " with several, or set count = 1"
        )
    matched = session.options["reconstruct"].get("match_individuals", True) and session.identity != "known"
    if "individual" in views.dims and matched:
        return True
    if views.sizes.get("individual", 1) > (session.n_animals or np.inf):
        names = ", ".join(map(str, views["individual"].values))
        raise SessionError(
            f"{session.path}: the 2D points are of {views.sizes['individual']} individuals ({names}), but [animals]"
            f" count is {session.n_animals} and they are taken as they are; set count = {views.sizes['individual']}, or"
            " take the others out of the files"
        )
    return False


def _with_found(session: Session, result: Corrected) -> Corrected:
    """The corrections that are found in the views themselves."""
    options = session.options["reconstruct"]
    if options.get("frame_offsets", False):
        result = _synchronised(session, result)
    return _refined(session, result) if options.get("refine_rig", False) else result


def write_corrected(
    session: Session, source: Path, keypoints: Sequence[str], rig: CameraRig
) -> tuple[CameraRig, list[str], dict[str, str]]:
    """`corrected` of a long recording of one animal, from file to file; the cameras, notes, attributes of the pose.

    Delays and cameras are told by stretches spread over the recording, and removed from all of it.
    """
    from ...datasets.atomic_files import atomic_write
    from ...datasets.stretches import write_pieces
    from ...triangulate.diagnosis.frame_jumps import jump_offsets
    from ...triangulate.file_reconstruction import opened_views
    from ...triangulate.rig_refinement.long_recordings import sampled, shifted_pieces

    with opened_views(source) as opened:
        views, n_frames = opened.sel(keypoint=list(keypoints)), opened.sizes["time"]
        offsets = np.repeat(_stated_delays(session, views)[:, None], n_frames, axis=1)
        sample = sampled(views, offsets)
        found = _with_found(session, Corrected(sample.views, rig, sample=sample))
        jumps = [_located(jump, views, offsets, _in_order(found), sample.spacing) for jump in found.jumps]
        offsets += jump_offsets(jumps, len(offsets), n_frames) + np.reshape(found.delays, (-1, 1))
        with atomic_write(session.output / CORRECTED) as partial:
            write_pieces(shifted_pieces(views, offsets), partial, n_frames)
    notes = found.notes
    if sample.n_known < n_frames and notes:
        notes = [*notes, f"delays and cameras were judged by {sample.n_known} of {n_frames} frames"]
    return found.rig, notes, {"views_file": CORRECTED}


def _located(jump: Jump, views: xr.Dataset, offsets: Array, rig: CameraRig, spacing: int) -> Jump:
    """A jump that stretches of opened views show, where all frames between them show it; as given where they do not."""
    from ...triangulate.diagnosis.frame_jumps import find_jumps
    from ...triangulate.rig_refinement.long_recordings import shifted

    start, stop = max(0, jump.frame - 2 * spacing), min(views.sizes["time"], jump.frame + 2 * spacing)
    piece = shifted(views, start, stop, offsets)
    points_2d = piece["position"].transpose("view", "time", "keypoint", "space").values
    seen = piece["confidence"].transpose("view", "time", "keypoint").values > 0
    found, _ = find_jumps(np.where(seen[..., None], points_2d, np.nan), rig, abs(jump.offset) + 1)
    same = [own.frame for own in found if (own.camera, own.offset) == (jump.camera, jump.offset)]
    frames = [start + frame for frame in same] or [jump.frame]
    return replace(jump, frame=min(frames, key=lambda frame: abs(frame - jump.frame)))


def _in_time(session: Session, views: xr.Dataset) -> xr.Dataset:
    """The views with the delays that the session states removed."""
    from ...triangulate import shift_frames

    delays = _stated_delays(session, views)
    return shift_frames(views, delays) if delays.any() else views


def _stated_delays(session: Session, views: xr.Dataset) -> Array:
    """(n_cameras,) frames by which the session says that the views' cameras are delayed."""
    delays = [session.cameras[str(name)].delay for name in views["view"].values]
    for name, delay in zip(views["view"].values, delays, strict=True):
        if abs(delay) >= views.sizes["time"]:
            raise SessionError(
                f"{session.path}: [cameras.{name}] delay is {delay:g} frames, but the recording has"
                f" {views.sizes['time']}; correct it"
            )
    return np.array(delays, float)


def animals_of(session: Session) -> dict[str, int | str | None]:
    """The table [animals]."""
    return {"count": session.n_animals, "identity": session.identity}


def write_identities(
    session: Session, source: Path, keypoints: Sequence[str], rig: CameraRig
) -> tuple[list[str], dict[str, str]]:
    """`corrected` of the individuals of a long recording, from file to file; notes, and attributes of the pose."""
    from ...datasets import DatasetError
    from ...triangulate.file_reconstruction import opened_views
    from ...triangulate.identity.continued_identities import write_individuals

    with opened_views(source) as opened:
        views = opened.sel(keypoint=list(keypoints))
        if not _finds_identities(session, views):
            return [], {}
        identity = _identity(session, views.isel(time=slice(_TRACKED)).load())
        together, times, words, left_over = _way(session, views, identity), views["time"].values, list[str](), {}

        def identify(part: xr.Dataset) -> xr.Dataset | None:
            present = part["position"].notnull().all("space") & (part["confidence"] > 0)
            if not (present.any("individual").sum("view") > 1).any():
                return None
            try:
                found, said = together(session, part, rig, identity)
            except DatasetError:  # no animal in this window
                return None
            words.append(said)
            first, last = (int(np.searchsorted(times, part["time"].values[i])) for i in (0, -1))
            left_over[f"{first}-{last}"] = found.attrs.pop("left_over_frames", 0)
            found.attrs.pop("left_over_in", "")
            return found

        n_rows, names = session.n_animals, None
        if together is _matched:
            n_rows, names = views.sizes["individual"], list(map(str, views["individual"].values))
        try:
            names = write_individuals(views, session.output / CORRECTED, identify, n_rows, names)
        except ValueError as error:
            raise SessionError(f"{session.path}: {error}") from error
    beyond = {frames: n for frames, n in left_over.items() if n}
    warned = _left_over(sum(beyond.values()), ", ".join(beyond), session.n_animals)
    said = words[0] if len(set(words)) == 1 else f"identities of {len(names)} individuals were found"
    attributes = {"views_file": CORRECTED} | ({"animal_warnings": "\n".join(warned)} if warned else {})
    return [f"{said}, window by window, and continued by the frames that two windows share"], attributes


def _with_own_identities(session: Session, given: Corrected) -> Corrected:
    """Each individual the same animal in all cameras and frames: tracks are matched, detections put together."""
    rig, identity = (
        given.rig.subset([str(name) for name in given.views["view"].values]),
        _identity(session, given.views),
    )
    try:
        views, words = _way(session, given.views, identity)(session, given.views, rig, identity)
    except ValueError as error:
        raise SessionError(f"{session.path}: {error}") from error
    n_frames, frames = views.attrs.pop("left_over_frames", 0), views.attrs.pop("left_over_in", "")
    return Corrected(views, given.rig, [*given.notes, words], _left_over(n_frames, frames, session.n_animals))


def _identity(session: Session, views: xr.Dataset) -> str:
    """What a row of the views says: "tracks" or "detections"."""
    from ...triangulate.identity.views_of_individuals import rows_are_tracks

    if session.identity is not None:
        return session.identity
    rows = views["position"].transpose("individual", "view", "time", "keypoint", "space").values
    return "tracks" if rows_are_tracks(rows) else "detections"


def _way(session: Session, views: xr.Dataset, identity: str) -> Callable[..., tuple[xr.Dataset, str]]:
    """How the rows become animals: what they look like counts where pieces of track are joined, which tracks as a whole
    are not."""
    n_rows = views.sizes["individual"]
    as_many = session.n_animals in (None, n_rows) and n_rows <= _MOST_TRACKS
    return _matched if identity == "tracks" and as_many and "appearance" not in views else _separated


def _left_over(n_frames: int, frames: str, n_animals: int | None) -> list[str]:
    """A sentence where animals beyond those declared were seen and left out."""
    if not n_frames:
        return []
    return [
        f"there are more animals than [animals] count = {n_animals}: further ones, for {n_frames} frames together"
        f" ({frames}), were left out; raise the count, or take out of the 2D files what is no animal"
    ]


def _matched(session: Session, views: xr.Dataset, rig: CameraRig, identity: str) -> tuple[xr.Dataset, str]:
    """As many tracks in every camera as there are animals, and which cameras had them in another order."""
    from ...triangulate import match_individuals
    from ...triangulate.identity.tracks_across_views import with_tracks

    n_tracks = views.sizes["individual"]
    found = match_individuals(views, rig)
    changed = (found.tracks != np.arange(n_tracks)).any(axis=2).mean(axis=1)
    shares = [f"'{name}' in {share:.0%} of the frames" for name, share in zip(rig.names, changed, strict=True) if share]
    words = f"{n_tracks} individuals were matched across cameras: "
    words += f"the tracks were in another order in camera {', '.join(shares)}" if shares else "their order was the same"
    return with_tracks(views, found.tracks), words


def _separated(session: Session, views: xr.Dataset, rig: CameraRig, identity: str) -> tuple[xr.Dataset, str]:
    """Any number of detections or tracks in every camera, and how many animals they are of."""
    from ...triangulate import separate_individuals

    found = separate_individuals(views, rig, identity=identity, n_individuals=session.n_animals)
    n_found = found.sizes["individual"]
    animals = "1 animal" if n_found == 1 else f"{n_found} animals"
    words = f"up to {views.sizes['individual']} {identity} per camera and frame were put together to {animals}"
    if session.n_animals is not None and n_found < session.n_animals:
        words += f", fewer than [animals] count = {session.n_animals}"
    return found, words


def _synchronised(session: Session, given: Corrected) -> Corrected:
    from ...triangulate import diagnose, frame_offsets, shift_frames
    from ...triangulate.diagnosis.frame_jumps import jump_offsets

    rig, views = _in_order(given), given.views
    cause = diagnose(views, rig).cause
    jumps = () if cause is None else cause.jumps
    if jumps:
        views = shift_frames(views, jump_offsets(jumps, len(rig), views.sizes["time"]))
    jumps = tuple(replace(jump, frame=_frame(given, jump.frame)) for jump in jumps)
    notes = [f"{jump.words(rig.names)}: its views were shifted" for jump in jumps]
    found = frame_offsets(views, rig)
    words = [_as_done(line) for line in found.sentences()]
    views = shift_frames(views, found) if words else views
    notes = [*notes, *words] or ["no camera is delayed by more than 0.1 frames"]
    delays = given.delays + found.to_apply()
    return replace(given, views=views, notes=[*given.notes, *notes], jumps=jumps, delays=delays)


def _frame(given: Corrected, row: int) -> int:
    """The frame of the recording that a row of the views is."""
    return row if given.sample is None else int(given.sample.frames[row])


def _refined(session: Session, given: Corrected) -> Corrected:
    from ...triangulate import refine_rig, shift_frames

    try:
        found = refine_rig(given.views, _in_order(given))
    except ValueError as error:
        raise SessionError(f"{session.path}: [reconstruct] refine_rig: {error}") from error
    if len(found.parts) > 1:
        moved = ", ".join(str(_frame(given, part.first_frame)) for part in found.parts[1:])
        raise SessionError(
            f"{session.path}: [reconstruct] refine_rig: a camera moved at frame {moved}; split the recording there and"
            " refine each part"
        )
    notes = [_as_done(line) for line in found.report.warnings] or ["the cameras stand where they were calibrated"]
    late = found.frame_offsets.to_apply()
    views = shift_frames(given.views, found.frame_offsets) if late.any() else given.views
    return replace(given, views=views, rig=found.rig, notes=[*given.notes, *notes], delays=given.delays + late)


def _as_done(sentence: str) -> str:
    """A sentence of the functions, with what the session did in place of the remedy."""
    words, _, remedy = sentence.partition("; ")
    return next((f"{words}: {done}" for start, done in _DONE.items() if remedy.startswith(start)), sentence)


def _in_order(given: Corrected) -> CameraRig:
    return given.rig.subset([str(name) for name in given.views["view"].values])
