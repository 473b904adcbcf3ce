"""What a run says: the worst warnings about what each step has made, a verdict, and what to do.

The library's messages state remedies as arguments of Python's functions; on the command line they are keys of
session.toml.
"""

from __future__ import annotations

import ast
import json
import re

import xarray as xr

from ..datasets.stretches import read_thinned
from .config import STEPS, Session
from .steps.cameras.calibration import read_calibration_report
from .steps.report import MOST_INSTANTS, UNUSED_VARIABLES

# name=value, as an argument of a function: a literal, a placeholder, or brackets
_ARGUMENT = re.compile(
    r"\b(?P<name>[a-z][a-z0-9_]*)=(?P<value>True/False|\.\.\.|\((?:[^()]|\([^()]*\))*\)|\[[^\]]*\]|\{[^}]*\}|'[^']*'"
    r"|\"[^\"]*\"|<[^>]*>|[-\w][\w.+\-]*)"
)
# where an argument is no option of a step, or of several
_PLACES = {
    "fps": "[session]", "up": "[session]", "unit": "[session]", "size": "each [cameras.NAME]",
    "keypoints": "[predict]", "crop": "[cameras.NAME]", "scale": "[cameras.NAME]", "individuals": "[predict]",
    "config": "[train.detector_options]",
}  # fmt: skip
# whole phrases that a session has no key for
_PHRASES = (
    (" or pass images=<folder>", ""),
    ("pass videos=<file> or {camera: file}", "put the video where the file says"),
    ("state origin='top' or origin='bottom'", "count pixel rows from the top in all of them"),
    (", or set it on the rig (CameraRig(..., up=...))", ", or in the rig file"),
    ("give CameraRig(..., up=(x, y, z))", "give up=(x, y, z)"),
    ("; select one: views.isel(individual=0)", ""),
    ("set n_animals=", "set [animals] count = "),
)
_BOARD = ("legacy", "inverted", "corners_x", "corners_y", "squares_x", "squares_y", "square_length", "marker_length",
          "dictionary")  # fmt: skip


def step_warnings(session: Session, step: str) -> list[str]:
    """Sentences on what a step has made, the worst first."""
    from ..report.warning_ranking import about_views, joints_without_angle, ranked_warnings

    if step == "calibrate":
        report = None if session.rig is not None else read_calibration_report(session)
        return [] if report is None else [str(message) for message in report.warnings]
    judges = {
        "predict": ("views.nc", about_views),
        "reconstruct": ("pose.nc", lambda pose: ranked_warnings(None, pose)),
        "kinematics": ("kinematics.nc", joints_without_angle),
    }
    if step not in judges:
        return []
    name, judge = judges[step]
    return [warning.message for warning in judge(made_by_run(session, name))]


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
    from ..report.verdict import grade_of, judgement, mean_confidence

    pose = made_by_run(session, "pose.nc")
    n_warnings = sum(len(step_warnings(session, step)) for step in STEPS)
    grade = grade_of(mean_confidence(pose), n_warnings)
    words = judgement(pose, pose.get("reprojection_error"), grade)
    left_out = f", left out: {pose.attrs['left_out_cameras']}" if "left_out_cameras" in pose.attrs else ""
    counted = f"{n_warnings} warning{'' if n_warnings == 1 else 's'}" if n_warnings else "no warnings"
    return f"verdict: {words[0].lower()}{words[1:]}{left_out}; {counted}"


def made_by_run(session: Session, name: str) -> xr.Dataset:
    """What a step has made, without what no warning needs; of a long recording the instants of its page."""
    return read_thinned(session.output / name, MOST_INSTANTS, UNUSED_VARIABLES)


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
