"""The cameras of a session: a file of its own, or what the step "calibrate" wrote."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..config import Session, SessionError
from .pictures import read_session_rig, tracked_rig

if TYPE_CHECKING:
    from ...cameras import CameraRig


def rig_path(session: Session) -> Path:
    """The file of the session's cameras: given by the session, or written by this step."""
    return session.rig or session.output / "rig.toml"


def load_rig(session: Session) -> CameraRig:
    """The session's cameras, calibrated or from elsewhere, with the pictures that its videos and 2D points have.

    `up` is the session's where it gives one.
    """
    from ...cameras import read_rig

    rig = read_rig(rig_path(session)) if session.rig is None else read_session_rig(session)
    unknown = [name for name in session.cameras if name not in rig.names]
    if unknown:
        raise SessionError(f"{rig_path(session)} has no camera '{unknown[0]}'; it has {list(rig.names)}")
    rig = tracked_rig(session, rig.subset(session.cameras))
    return rig if session.up is None else replace(rig, up=session.up)
