"""What session.toml states of a camera's pictures, where the rig file or the views contradict it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..config import CameraSources, Session, SessionError

if TYPE_CHECKING:
    from ...triangulate import Diagnosis


def check_stated_sizes(session: Session) -> None:
    """Refuse sizes of calibrated pictures other than those that the rig file has itself.

    Raises
    ------
    SessionError : the two sizes, and the remedy
    """
    from ...formats.rigs.reading import read_rig_record
    from ...formats.rigs.records import UnknownSizeError

    assert session.rig is not None
    try:
        own = {camera.name: camera.size for camera in read_rig_record(session.rig).cameras}
    except UnknownSizeError:
        return
    for name, camera in session.cameras.items():
        size = own.get(name)
        if camera.size is not None and size is not None and camera.size != size:
            raise SessionError(
                f"{session.path}: [cameras.{name}] size is {list(camera.size)}, but {session.rig.name} says"
                f" {list(size)}; remove size, which the rig file states, or state scale or crop where the video shows"
                " another part of the picture"
            )


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
