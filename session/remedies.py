"""Remedies that the library's messages state for Python, in the words of session.toml."""

from __future__ import annotations

import ast
import json
import re

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
