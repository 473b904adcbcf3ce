"""The files that [reconstruct] names: a trained prior, the noise of the detector, and an articulated body."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import Session

if TYPE_CHECKING:
    from ...datasets import Skeleton


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


def skeleton_of_body(session: Session, keypoints: list[str]) -> Skeleton:
    """Bones and sides of the session's body among these keypoints."""
    from ...datasets import Skeleton
    from ...triangulate import read_body

    own = read_body(named_body(session)).skeleton
    bones, symmetries = (
        tuple(pair for pair in pairs if set(pair) <= set(keypoints)) for pairs in (own.bones, own.symmetries)
    )
    return Skeleton(tuple(keypoints), bones, symmetries)
