"""`muybridge export FORMAT`: a session's results in the formats of other tools."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import xarray as xr

from ..datasets import read_dataset
from ..datasets.individuals import each_individual
from ..formats import write_kinematics, write_pose, write_views
from ..formats.catalogue import FORMATS, Format
from .config import Session, SessionError
from .steps.reconstruction_files import used_rig
from .steps.rig import rig_path

_RESULTS = {"views": "views.nc", "pose": "pose.nc", "kinematics": "kinematics.nc"}
_STEMS = {"pose": "pose", "kinematics": "angles", "rig": "cameras"}
_MAKERS = {"views": "predict", "pose": "reconstruct", "kinematics": "kinematics", "rig": "calibrate"}


def export_session(session: Session, format: str, folder: Path | None = None) -> list[Path]:
    """Write every result of a session that a format can hold, each animal on its own where it holds one.

    A format that holds a limited number of frames (C3D) gets several files, NAME-1, NAME-2, ...

    Parameters
    ----------
    session : Session
        What `read_session` gives.
    format : str
        A name of docs/formats.md: of 2D points, poses, kinematics or cameras.
    folder : path, optional
        Where to write; by default export/FORMAT in the session's results.

    Returns
    -------
    list of Path
        The files (and of 2D points also folders) that were written.

    Raises
    ------
    SessionError
        The format is unknown or not written, or no step has made what it holds.
    FormatError
        The format cannot hold the result, or its extra is not installed.
    """
    rows = [row for row in FORMATS if row.name == format and row.write and row.kind in _MAKERS]
    if not rows:
        known = list(dict.fromkeys(row.name for row in FORMATS if row.write and row.kind in _MAKERS))
        raise SessionError(f"there is no format '{format}' to export; known: {known} ('muybridge help formats')")
    folder = folder or session.output / "export" / format
    written = [path for row in rows for path in _exported(session, row, folder)]
    if not written:
        makers = " or ".join(f"'muybridge {_MAKERS[row.kind]} {session.path}'" for row in rows)
        raise SessionError(f"there is no result yet for the format '{format}'; run {makers} first")
    return written


def _exported(session: Session, row: Format, folder: Path) -> Iterator[Path]:
    """The files of one kind of result; none where no step has made it."""
    from ..cameras import write_rig

    if row.kind == "rig":
        if rig_path(session).exists():
            yield write_rig(used_rig(session), folder / f"{_STEMS['rig']}{row.suffixes[0]}")
        return
    source = session.output / _RESULTS[row.kind]
    if not source.is_file():
        return
    dataset = read_dataset(source)
    if row.kind == "views":
        # of NWB a file holds 2D points of one animal
        for animal, own in each_individual(dataset) if row.name == "nwb" else [("", dataset)]:
            yield from write_views(own, folder / animal, format=row.name)
        return
    rig = used_rig(session) if row.cameras else None
    stem = _STEMS[row.kind]
    for animal, own in [("", dataset)] if row.several else each_individual(dataset):
        for name, part in _parts(own, row, f"{stem}_{animal}" if animal else stem):
            yield _write(row, part, folder / f"{name}{row.ending or row.suffixes[0]}", rig)


def _write(row: Format, dataset: xr.Dataset, path: Path, rig) -> Path:
    if row.kind == "kinematics":
        return write_kinematics(dataset, path, format=row.name)
    return write_pose(dataset, path, format=row.name, rig=rig)


def _parts(dataset: xr.Dataset, row: Format, stem: str) -> Iterator[tuple[str, xr.Dataset]]:
    """The dataset, or its stretches of as many frames as the format holds, with the name of each one's file."""
    n_frames = dataset.sizes["time"]
    if not row.max_frames or n_frames <= row.max_frames:
        yield stem, dataset
        return
    for i, start in enumerate(range(0, n_frames, row.max_frames), start=1):
        yield f"{stem}-{i}", dataset.isel(time=slice(start, start + row.max_frames))
