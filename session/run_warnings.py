"""What a run says: the worst warnings about what each step has made, a verdict, and what to do.

The library's messages state remedies as arguments of Python's functions; on the command line they are keys of
session.toml.
"""

from __future__ import annotations

import ast
import json
import re
from typing import TYPE_CHECKING

import numpy as np

from .config import STEPS, Session
from .steps.calibration import read_calibration_report

if TYPE_CHECKING:
    import xarray as xr

_LEAST_CONFIDENCE = 0.1  # of a keypoint that a detector has seen at all
_MOSTLY = 0.5  # share of keypoints or frames beyond which a lack is named
_SURE, _UNSURE = 0.8, 0.5  # mean confidence of a reconstruction that can be used, and of one that cannot
# name=value, as an argument of a function: a literal, a placeholder, or brackets
_ARGUMENT = re.compile(
    r"\b(?P<name>[a-z][a-z0-9_]*)=(?P<value>True/False|\.\.\.|\((?:[^()]|\([^()]*\))*\)|\[[^\]]*\]|\{[^}]*\}|'[^']*'"
    r"|\"[^\"]*\"|<[^>]*>|[-\w][\w.+\-]*)"
)
# where an argument is no option of a step, or of several
_PLACES = {
    "fps": "[session]", "up": "[session]", "unit": "[session]", "size": "each [cameras.NAME]",
    "keypoints": "[predict]", "crop": "[cameras.NAME]", "scale": "[cameras.NAME]", "individuals": "[predict]",
}  # fmt: skip
# whole phrases that a session has no key for
_PHRASES = (
    (" or pass images=<folder>", ""),
    ("pass videos=<file> or {camera: file}", "put the video where the file says"),
    ("state origin='top' or origin='bottom'", "count pixel rows from the top in all of them"),
    (", or set it on the rig (CameraRig(..., up=...))", ", or in the rig file"),
    ("give CameraRig(..., up=(x, y, z))", "give up=(x, y, z)"),
    ("; select one: views.isel(individual=0)", ""),
)
_BOARD = ("legacy", "inverted", "corners_x", "corners_y", "squares_x", "squares_y", "square_length", "marker_length",
          "dictionary")  # fmt: skip


def step_warnings(session: Session, step: str) -> list[str]:
    """Sentences on what a step has made, the worst first."""
    found = {"calibrate": _of_calibration, "predict": _of_views, "reconstruct": _of_pose, "kinematics": _of_kinematics}
    return found[step](session) if step in found else []


def worst_warnings(session: Session, step: str) -> list[str]:
    """Three lines at most; the last one says how many more the report has."""
    from ..report.warning_ranking import N_SHOWN

    found = step_warnings(session, step)
    lines = [f"warning: {message}" for message in found[:N_SHOWN]]
    n_more = len(found) - len(lines)
    if n_more:
        lines[-1] += f" ({n_more} more warning{'s' if n_more > 1 else ''} in the report)"
    return lines


def verdict(session: Session) -> str:
    """One sentence: whether the reconstruction can be used, from its confidence and from all warnings."""
    pose = _made(session, "pose.nc")
    placed = np.isfinite(pose["position"].values).all(axis=-1)
    confidence = float(np.nan_to_num(pose["confidence"].values).mean())
    n_warnings = sum(len(step_warnings(session, step)) for step in STEPS)
    if confidence < _UNSURE:
        judged = "do not use this reconstruction before its warnings are settled"
    elif n_warnings or confidence < _SURE:
        judged = "use this reconstruction with care"
    else:
        judged = "this reconstruction can be used"
    facts = [f"{placed.mean():.0%} of the points are in 3D", f"their mean confidence is {confidence:.2f}"]
    if "reprojection_error" in pose:
        facts.append(f"they reproject within {float(np.nanmedian(pose['reprojection_error'].values)):.1f} px (median)")
    if "left_out_cameras" in pose.attrs:
        facts.append(f"left out: {pose.attrs['left_out_cameras']}")
    counted = f"{n_warnings} warning{'' if n_warnings == 1 else 's'}" if n_warnings else "no warnings"
    return f"verdict: {judged}: {', '.join(facts)}; {counted}"


def _made(session: Session, name: str) -> xr.Dataset:
    from ..datasets import read_dataset

    return read_dataset(session.output / name)


def _of_calibration(session: Session) -> list[str]:
    report = None if session.rig is not None else read_calibration_report(session)
    return [] if report is None else [str(message) for message in report.warnings]


def _of_views(session: Session) -> list[str]:
    """Cameras whose keypoints are mostly missing."""
    views = _made(session, "views.nc")
    seen = views["position"].notnull().all("space") & (views["confidence"] >= _LEAST_CONFIDENCE)
    share = 1 - seen.mean([dim for dim in seen.dims if dim != "view"])
    worst = sorted(zip(map(str, share["view"].values), share.values.tolist(), strict=True), key=lambda item: -item[1])
    return [
        f"Camera '{name}': {missing:.0%} of its keypoints are missing or have a confidence below {_LEAST_CONFIDENCE:g};"
        " look at its pictures."
        for name, missing in worst
        if missing > _MOSTLY
    ]


def _of_pose(session: Session) -> list[str]:
    from ..report.warning_ranking import ranked_warnings

    return [warning.message for warning in ranked_warnings(None, _made(session, "pose.nc"))]


def _of_kinematics(session: Session) -> list[str]:
    """Joints without an angle in most frames."""
    motion = _made(session, "kinematics.nc")
    if "angle" not in motion:
        return []
    missing = motion["angle"].isnull().mean([dim for dim in motion["angle"].dims if dim != "joint"])
    return [
        f"Joint '{name}' has no angle in {share:.0%} of the frames: its keypoints are missing there."
        for name, share in zip(map(str, missing["joint"].values), missing.values.tolist(), strict=True)
        if share > _MOSTLY
    ]


def for_session(message: str) -> str:
    """The message with its arguments of functions as keys of session.toml and the table that they belong in."""
    for phrase, instead in _PHRASES:
        message = message.replace(phrase, instead)
    matches = list(_ARGUMENT.finditer(message))
    if not matches:
        return message
    tables = _tables()
    parts, end = [], 0
    for i, match in enumerate(matches):
        name, table = match["name"], tables.get(match["name"])
        follows = i + 1 < len(matches) and re.fullmatch(r", | or | and ", message[match.end() : matches[i + 1].start()])
        alike = follows and tables.get(matches[i + 1]["name"]) == table
        words = match[0] if table is None else f"{name} = {_as_toml(match['value'])}" + (f" in {table}" * (not alike))
        parts += [message[end : match.start()], words]
        end = match.end()
    return "".join([*parts, message[end:]])


def _tables() -> dict[str, str]:
    """{key: table} of the steps' options and of what the session reads itself."""
    from .key_reference import session_keys

    found: dict[str, str] = {}
    for key in session_keys():
        if "." not in key.table:
            found.setdefault(key.name, f"[{key.table}]")
    return found | dict.fromkeys(_BOARD, "[board]") | _PLACES


def _as_toml(value: str) -> str:
    """A value of Python as TOML; placeholders stay."""
    if value == "True/False":
        return "true or false"
    try:
        literal = ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return f"[{value[1:-1]}]" if value.startswith("(") else value
    return _literal(literal)


def _literal(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {_literal(own)}" for name, own in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_literal, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return "..." if value is Ellipsis else json.dumps(value) if isinstance(value, str) else str(value)
