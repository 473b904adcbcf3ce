"""What the step "reconstruct" corrects in views and cameras before it reconstructs: individuals, delays, camera poses.

The `delay` of a camera, frames, is removed. `[animals] identity = "known"` or `[reconstruct] match_individuals = false`
leaves the individuals as the 2D files order them; `frame_offsets = true` removes delays and lost frames; `refine_rig =
true` refines the cameras' poses, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from ....datasets.atomic_files import atomic_write
from ....datasets.stretches import write_pieces
from ....numerics.arrays import Array
from ...config import Session, SessionError
from ..reconstruction_files import CORRECTED
from .individuals import finds_identities, identified, write_identities

if TYPE_CHECKING:
    from ....cameras import CameraRig
    from ....triangulate.diagnosis.frame_jumps import Jump
    from ....triangulate.rig_refinement.long_recordings import Sample

SWITCHES = ("match_individuals", "frame_offsets", "refine_rig")
_DONE = {
    "shift its recording": "its views were shifted",
    "synchronise the exposures": "its views were shifted",
    "use the refined rig": "the refined rig was used",
}


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
    if finds_identities(session, views):
        found, words, warnings = identified(session, result.views, rig)
        result = Corrected(found, rig, [words], warnings)
    return _with_found(session, result)


def _with_found(session: Session, result: Corrected) -> Corrected:
    """The corrections that are found in the views themselves."""
    options = session.options["reconstruct"]
    if options.get("frame_offsets", False):
        result = _synchronised(session, result)
    return _refined(session, result) if options.get("refine_rig", False) else result


def write_corrected(
    session: Session, source: Path, keypoints: Sequence[str], rig: CameraRig
) -> tuple[CameraRig, list[str], dict[str, str]]:
    """`corrected` of a long recording, from file to file; the cameras, notes, attributes of the pose."""
    from ....triangulate.file_reconstruction import opened_views

    partly, options = session.output / "partly_corrected_views.nc", session.options["reconstruct"]
    with opened_views(source) as views:
        stated = _stated_delays(session, views)
        of_animals = finds_identities(session, views)
    finds_time = options.get("frame_offsets", False) or options.get("refine_rig", False)
    notes, attributes = list[str](), dict[str, str]()
    try:
        if of_animals:
            if stated.any():
                _write_in_time(session, source, keypoints, rig, stated)
                source = (session.output / CORRECTED).replace(partly)
            notes, attributes = write_identities(session, source, keypoints, rig)
        if finds_time or (stated.any() and not of_animals):
            if of_animals:
                source, stated = (session.output / CORRECTED).replace(partly), np.zeros_like(stated)
            rig, words = _write_in_time(session, source, keypoints, rig, stated, finds_time=finds_time)
            notes, attributes = notes + words, attributes | {"views_file": CORRECTED}
    finally:
        partly.unlink(missing_ok=True)
    return rig, notes, attributes


def _write_in_time(
    session: Session, source: Path, keypoints: Sequence[str], rig: CameraRig, stated: Array, *, finds_time: bool = False
) -> tuple[CameraRig, list[str]]:
    """The views without the delays (n_cameras,) that the session states, and those that are found; cameras and notes.

    Delays and cameras are told by stretches spread over the recording, and removed from all of it.
    """
    from ....triangulate.diagnosis.frame_jumps import jump_offsets
    from ....triangulate.file_reconstruction import opened_views
    from ....triangulate.rig_refinement.long_recordings import sampled, shifted_pieces

    with opened_views(source) as opened:
        views, n_frames, notes = opened.sel(keypoint=list(keypoints)), opened.sizes["time"], list[str]()
        offsets = np.repeat(stated[:, None], n_frames, axis=1)
        if finds_time:
            sample = sampled(views, offsets)
            found = _with_found(session, Corrected(sample.views, rig, sample=sample))
            jumps = [_located(jump, views, offsets, _in_order(found), sample.spacing) for jump in found.jumps]
            offsets += jump_offsets(jumps, len(offsets), n_frames) + np.reshape(found.delays, (-1, 1))
            rig, notes = found.rig, found.notes
            if sample.n_known < n_frames and notes:
                notes = [*notes, f"delays and cameras were judged by {sample.n_known} of {n_frames} frames"]
        with atomic_write(session.output / CORRECTED) as partial:
            write_pieces(shifted_pieces(views, offsets), partial, n_frames)
    return rig, notes


def _located(jump: Jump, views: xr.Dataset, offsets: Array, rig: CameraRig, spacing: int) -> Jump:
    """A jump that stretches of opened views show, where all frames between them show it; as given where they do not."""
    from ....triangulate.diagnosis.frame_jumps import find_jumps
    from ....triangulate.rig_refinement.long_recordings import shifted

    start, stop = max(0, jump.frame - 2 * spacing), min(views.sizes["time"], jump.frame + 2 * spacing)
    piece = shifted(views, start, stop, offsets)
    points_2d = piece["position"].transpose("view", "time", ..., "keypoint", "space").values
    seen = piece["confidence"].transpose("view", "time", ..., "keypoint").values > 0
    points_2d, seen = points_2d.reshape(*points_2d.shape[:2], -1, 2), seen.reshape(*seen.shape[:2], -1)
    found, _ = find_jumps(np.where(seen[..., None], points_2d, np.nan), rig, abs(jump.offset) + 1)
    same = [own.frame for own in found if (own.camera, own.offset) == (jump.camera, jump.offset)]
    frames = [start + frame for frame in same] or [jump.frame]
    return replace(jump, frame=min(frames, key=lambda frame: abs(frame - jump.frame)))


def _in_time(session: Session, views: xr.Dataset) -> xr.Dataset:
    """The views with the delays that the session states removed."""
    from ....triangulate import shift_frames

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


def _synchronised(session: Session, given: Corrected) -> Corrected:
    from ....triangulate import diagnose, frame_offsets, shift_frames
    from ....triangulate.diagnosis.frame_jumps import jump_offsets

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
    from ....triangulate import refine_rig, shift_frames

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
    delays = found.frame_offsets.to_apply()
    views = shift_frames(given.views, found.frame_offsets) if delays.any() else given.views
    return replace(given, views=views, rig=found.rig, notes=[*given.notes, *notes], delays=given.delays + delays)


def _as_done(sentence: str) -> str:
    """A sentence of the functions, with what the session did in place of the remedy."""
    words, _, remedy = sentence.partition("; ")
    return next((f"{words}: {done}" for start, done in _DONE.items() if remedy.startswith(start)), sentence)


def _in_order(given: Corrected) -> CameraRig:
    return given.rig.subset([str(name) for name in given.views["view"].values])
