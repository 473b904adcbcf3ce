"""The files of the step "reconstruct": priors, noise and bodies that it reads, cameras and views as it used them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

from ...datasets import Skeleton, read_dataset, write_dataset
from ...datasets.netcdf import declared_bytes
from ...datasets.size_limit import beyond_memory
from ..config import Session, SessionError
from .rig import load_rig, rig_path

if TYPE_CHECKING:
    from ...cameras import CameraRig

# bytes of views, beyond which they are reconstructed from file to file: 20,000 frames of 20 keypoints in 6 cameras
LONG = 60e6
CORRECTED = "corrected_views.nc"  # in the session's output
_PROGRAM = 0.5e9  # bytes that the libraries take
_HELD = 9.5  # bytes of memory per byte of views that are held whole: of two animals 9.1 ("smooth"), 7.8 ("dlt")


def trained(session: Session) -> dict[str, Any]:
    """The prior and the noise of the detector that [reconstruct] names files of."""
    from ...triangulate import DetectorNoise, MovementPrior, PosePrior

    prior = MovementPrior if method_of(session) == "articulated" else PosePrior
    kinds = {"prior": prior, "noise": DetectorNoise}
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


def skeleton_of_body(session: Session, keypoints: list[str]) -> Skeleton:
    """Bones and sides of the session's body among these keypoints."""
    from ...triangulate import read_body

    own = read_body(named_body(session)).skeleton
    bones, symmetries = (
        tuple(pair for pair in pairs if set(pair) <= set(keypoints)) for pairs in (own.bones, own.symmetries)
    )
    return Skeleton(tuple(keypoints), bones, symmetries)


def refined_rig_path(session: Session) -> Path | None:
    """The file of the cameras as the step refined them; None where it does not."""
    return session.output / "refined_rig.toml" if session.options["reconstruct"].get("refine_rig", False) else None


def used_rig(session: Session) -> CameraRig:
    """The cameras that the pose was made with."""
    from ...cameras import read_rig

    return read_rig(refined) if (refined := refined_rig_path(session)) else load_rig(session)


def used_rig_path(session: Session) -> Path:
    """The file of `used_rig`."""
    return refined_rig_path(session) or rig_path(session)


def write_used_views(session: Session, given: xr.Dataset, used: xr.Dataset) -> dict[str, str]:
    """Keep the views that were reconstructed, where they were corrected; attributes that say so in the pose."""
    if used is given:
        return {}
    write_dataset(used, session.output / CORRECTED)
    return {"views_file": CORRECTED}


def used_views(session: Session, pose: xr.Dataset) -> xr.Dataset:
    """The views that a pose was made of, at all keypoints that they have."""
    return read_dataset(used_views_path(session, pose))


def used_views_path(session: Session, pose: xr.Dataset) -> Path:
    """The file of `used_views`."""
    path = session.output / str(pose.attrs.get("views_file", "views.nc"))
    if not path.is_file():
        raise SessionError(f"there is no {path}; run 'muybridge reconstruct --force {session.path}'")
    return path


def method_of(session: Session) -> str:
    """The reconstruction method that the session asks for."""
    return str(session.options["reconstruct"].get("method", "smooth"))


def is_long(session: Session) -> bool:
    """Whether the views are too many for the memory, and are reconstructed from file to file."""
    from ...triangulate.file_reconstruction import opened_views

    path = session.output / "views.nc"
    if declared_bytes(path) <= LONG:
        return False
    with opened_views(path) as views:
        return "detector" not in views.dims


def check_memory(session: Session) -> None:
    """Refuse views that this step holds whole where the memory does not; before they are read."""
    if (n_bytes := declared_bytes(session.output / "views.nc")) <= LONG:
        return
    if problem := beyond_memory(_PROGRAM + _HELD * n_bytes, "views of several detectors are"):
        raise SessionError(f"{session.path}: {problem}")
