"""A step's public function called with the session's options; what it does not take is named."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

from .config import Session, SessionError, nearest_hint

SET_BY_SESSION = {
    "calibrate": ("sources", "board", "progress"),
    "train": ("progress", "checkpoint", "held_out", "config"),
    "predict": ("videos", "progress", "checkpoint", "fps", "times"),
    "reconstruct": ("views", "rig", "skeleton", "confidence", "covariances_2d", "fps"),
    "kinematics": ("pose", "joints"),
    "report": ("path", "title", "summary", "rig", "calibration_report", "views", "pose", "kinematics", "skeleton",
               "videos", "errors", "strides"),
}  # fmt: skip


def check_own_options(session: Session, step: str) -> None:
    """Refuse options that the session itself sets, and a rig's name where the function wants the rig."""
    for name in session.options[step]:
        if name in SET_BY_SESSION[step]:
            raise SessionError(f"{session.path}: [{step}] '{name}' is set by the session itself; remove it")


def call(session: Session, step: str, function: Callable, *arguments: Any, **options: Any) -> Any:
    """Call a step's public function with the session's options; an option that it does not take is named."""
    given, parameters = session.options[step], inspect.signature(function).parameters
    open_ended = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values())
    known = [name for name, p in parameters.items() if p.kind is inspect.Parameter.KEYWORD_ONLY]
    for name in options:
        if name not in known and not open_ended:
            raise SessionError(f"{session.path}: [{step}] has no option '{name}'; {nearest_hint(name, known)}")
    try:
        return function(*arguments, **options)
    except TypeError as error:
        found = re.search(r"unexpected keyword argument '(\w+)'", str(error))
        if found and found[1] in options:
            raise SessionError(f"{session.path}: [{step}] has no option '{found[1]}'") from error
        if not given:
            raise
        raise SessionError(
            f"{session.path}: an option of [{step}] has the wrong type: {error}; given: {given}"
        ) from error
