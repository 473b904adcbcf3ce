"""Every key of session.toml with its type, default and meaning, from the code: session entries and functions' options.

The options of a step are the keywords of its public functions, described by their docstrings.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .config import STEPS, CameraSources, Session
from .config.entry_meanings import MEANINGS
from .steps import ALL_STEPS
from .steps.step_definition import Step


@dataclass(frozen=True)
class Key:
    """One key of session.toml: its table, name, type, default ("" where there is none) and meaning."""

    table: str
    name: str
    kind: str
    default: str
    meaning: str


def session_keys() -> list[Key]:
    """Every key, table by table; those of a step whose extra is not installed are left out."""
    keys = [
        Key(table, name, *entry) for table, own in MEANINGS.items() if table not in STEPS for name, entry in own.items()
    ]
    keys += [key for key in _board_keys() if key.name not in MEANINGS["board"]]
    for step in ALL_STEPS.values():
        keys += [Key(step.name, name, *entry) for name, entry in MEANINGS.get(step.name, {}).items()]
        keys += _step_keys(step)
    order = [*(table for table in MEANINGS if table not in STEPS), *STEPS]
    return sorted(keys, key=lambda key: order.index(key.table))


def _board_keys() -> list[Key]:
    from ..calibration import CharucoBoard, Checkerboard

    found: dict[str, Key] = {}
    for kind in (CharucoBoard, Checkerboard):
        meanings = documented(kind)
        for parameter in inspect.signature(kind).parameters.values():
            found.setdefault(parameter.name, _key("board", parameter, meanings))
    return list(found.values())


def _step_keys(step: Step) -> list[Key]:
    """The options of a step's functions in every use: with 2D files or videos, and with each method."""
    found: dict[str, Key] = {}
    methods: dict[str, list[str]] = {}
    uses = list(_uses(step))
    for use, session in uses:
        try:
            functions, options = step.functions(session), step.options(session)
        except ModuleNotFoundError:
            continue
        meanings = {name: text for function in reversed(functions) for name, text in documented(function).items()}
        for name, parameter in options.items():
            if name in MEANINGS.get(step.name, {}):
                continue
            found.setdefault(name, _key(step.name, parameter, meanings))
            methods.setdefault(name, []).append(use)
    return [key if len(methods[key.name]) == len(uses) else _limited(key, methods[key.name]) for key in found.values()]


def _limited(key: Key, uses: Iterable[str]) -> Key:
    return Key(key.table, key.name, key.kind, key.default, f"{key.meaning} (With {', '.join(uses)}.)")


def _uses(step: Step) -> Iterable[tuple[str, Session]]:
    """The step in sessions that make it call other functions: words for the use, and the session."""
    if step.name == "predict":
        yield "videos", _empty_session()
        yield "2D files", _empty_session(cameras={"": CameraSources(points=Path())})
    elif step.name == "calibrate":
        yield 'from = "board"', _empty_session()
        yield 'from = "points"', _empty_session(options={"calibrate": {"from": "points"}})
    elif step.name == "reconstruct":
        from ..triangulate import RECONSTRUCTION_METHODS

        for method in RECONSTRUCTION_METHODS:
            yield method, _empty_session(options={"reconstruct": {"method": method}})
    else:
        yield "", _empty_session()


def _empty_session(**given: Any) -> Session:
    blank: dict[str, Any] = {"name": "", "unit": "mm", "fps": None, "cameras": {}, "board": None, "skeleton": None}
    options = {step: {} for step in STEPS} | given.pop("options", {})
    return Session(Path("session.toml"), output=Path("results"), joints={}, options=options, **blank | given)


def _key(table: str, parameter: inspect.Parameter, meanings: dict[str, tuple[str, str]]) -> Key:
    kind, meaning = meanings.get(parameter.name, ("", ""))
    default = "" if parameter.default in (parameter.empty, None) else _as_toml(parameter.default)
    return Key(table, parameter.name, kind.removesuffix(", optional"), default, meaning)


def _as_toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value}"'
    return "[]" if value == () else str(value)


def documented(function: Callable) -> dict[str, tuple[str, str]]:
    """{parameter: (type, meaning)} of a numpydoc docstring."""
    text = inspect.getdoc(function) or ""
    match = re.search(r"^Parameters\n-+\n(.*?)(?=^\w[^\n]*\n-{3,}\n|\Z)", text, re.DOTALL | re.MULTILINE)
    found = {}
    for block in re.split(r"\n(?=\S)", match[1].rstrip() if match else ""):
        head, _, body = block.partition("\n")
        names, _, kind = head.partition(" : ")
        for name in names.split(", "):
            found[name.strip("* ")] = (kind.strip(), " ".join(body.split()))
    return found


def as_text(keys: Iterable[Key], width: int = 100) -> str:
    """The reference for a terminal."""
    lines, table = [], ""
    for key in keys:
        if key.table != table:
            table = key.table
            lines += ["", f"[{table}]"]
        default = f" = {key.default}" if key.default else ""
        lines.append(f"  {key.name}{default}" + (f"    ({key.kind})" if key.kind else ""))
        lines += textwrap.wrap(key.meaning, width, initial_indent="      ", subsequent_indent="      ")
    return "\n".join(lines).lstrip("\n")


def as_rst(keys: Iterable[Key]) -> list[str]:
    """The reference as lines of reStructuredText: a heading and a definition list for each table."""
    lines, table = [], ""
    for key in keys:
        if key.table != table:
            table = key.table
            lines += ["", f".. rubric:: [{table}]", ""]
        default = f", default ``{key.default}``" if key.default else ""
        lines += [f"``{key.name}`` : {_escaped(key.kind)}{default}", f"    {_escaped(key.meaning) or '–'}", ""]
    return lines


def _escaped(text: str) -> str:
    return text if "`" in text else re.sub(r"([*_|\\])", r"\\\1", text)


def chosen(keys: Iterable[Key], word: str | None) -> list[Key]:
    """The keys of a table or of a name; all where no word is given.

    Raises
    ------
    ValueError : there is no such table or key
    """
    from ..datasets.names import nearest

    keys = list(keys)
    if word is None:
        return keys
    plain = word.strip("[]")
    found = [key for key in keys if plain in (key.table, key.table.split(".")[0], key.name, f"{key.table}.{key.name}")]
    if not found:
        known = list(dict.fromkeys([*(key.table for key in keys), *(key.name for key in keys)]))
        raise ValueError(
            f"session.toml has no table or key '{word}'{nearest(plain, known)}; see 'muybridge help session'"
        )
    return found
