"""The individuals of a session's views: which row is which animal, in all cameras and frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from ....datasets import DatasetError
from ...config import Session, SessionError
from ..reconstruction_files import CORRECTED

if TYPE_CHECKING:
    from ....cameras import CameraRig

_TRACKED = 5000  # frames of a long recording by which rows are told to be tracks or detections
_MOST_TRACKS = 6  # per camera: the permutations of more are too many to search, and are put together otherwise


def animals_of(session: Session) -> dict[str, int | str | None]:
    """The table [animals]."""
    return {"count": session.n_animals, "identity": session.identity}


def finds_identities(session: Session, views: xr.Dataset) -> bool:
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


def identified(session: Session, views: xr.Dataset, rig: CameraRig) -> tuple[xr.Dataset, str, list[str]]:
    """Each individual the same animal in all cameras and frames: tracks are matched, detections put together.

    Also what was done, in words, and warnings.
    """
    rig, identity = rig.subset([str(name) for name in views["view"].values]), _identity(session, views)
    try:
        found, words = _way(session, views, identity)(session, views, rig, identity)
    except ValueError as error:
        raise SessionError(f"{session.path}: {error}") from error
    n_frames, frames = found.attrs.pop("left_over_frames", 0), found.attrs.pop("left_over_in", "")
    return found, words, _left_over(n_frames, frames, session.n_animals)


def write_identities(
    session: Session, source: Path, keypoints: Sequence[str], rig: CameraRig
) -> tuple[list[str], dict[str, str]]:
    """`corrected` of the individuals of a long recording, from file to file; notes, and attributes of the pose."""
    from ....triangulate.file_reconstruction import opened_views
    from ....triangulate.identity.continued_identities import write_individuals

    with opened_views(source) as opened:
        views = opened.sel(keypoint=list(keypoints))
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


def _identity(session: Session, views: xr.Dataset) -> str:
    """What a row of the views says: "tracks" or "detections"."""
    from ....triangulate.identity.views_of_individuals import rows_are_tracks

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


def _matched(session: Session, views: xr.Dataset, rig: CameraRig, identity: str) -> tuple[xr.Dataset, str]:
    """As many tracks in every camera as there are animals, and which cameras had them in another order."""
    from ....triangulate import match_individuals
    from ....triangulate.identity.tracks_across_views import with_tracks

    n_tracks = views.sizes["individual"]
    found = match_individuals(views, rig)
    changed = (found.tracks != np.arange(n_tracks)).any(axis=2).mean(axis=1)
    shares = [f"'{name}' in {share:.0%} of the frames" for name, share in zip(rig.names, changed, strict=True) if share]
    words = f"{n_tracks} individuals were matched across cameras: "
    words += f"the tracks were in another order in camera {', '.join(shares)}" if shares else "their order was the same"
    return with_tracks(views, found.tracks), words


def _separated(session: Session, views: xr.Dataset, rig: CameraRig, identity: str) -> tuple[xr.Dataset, str]:
    """Any number of detections or tracks in every camera, and how many animals they are of."""
    from ....triangulate import separate_individuals

    found = separate_individuals(views, rig, identity=identity, n_individuals=session.n_animals)
    n_found = found.sizes["individual"]
    animals = "1 animal" if n_found == 1 else f"{n_found} animals"
    words = f"up to {views.sizes['individual']} {identity} per camera and frame were put together to {animals}"
    if session.n_animals is not None and n_found < session.n_animals:
        words += f", fewer than [animals] count = {session.n_animals}"
    return found, words


def _left_over(n_frames: int, frames: str, n_animals: int | None) -> list[str]:
    """A sentence where animals beyond those declared were seen and left out."""
    if not n_frames:
        return []
    return [
        f"there are more animals than [animals] count = {n_animals}: further ones, for {n_frames} frames together"
        f" ({frames}), were left out; raise the count, or take out of the 2D files what is no animal"
    ]
