"""The table of all formats as text: for the command line, and for docs/formats.md."""

from __future__ import annotations

from .catalogue import FORMATS, WORDS
from .files import FormatError


def catalogue_text(word: str | None = None) -> str:
    """One line per format, or of those whose name or kind has a word in it, for the command line.

    Raises
    ------
    FormatError
        No format has the word in its name.
    """
    rows = [
        row for row in FORMATS if word is None or word.lower() in f"{row.name} {row.kind} {WORDS[row.kind]}".lower()
    ]
    if not rows:
        raise FormatError(f"no format has '{word}' in its name; 'muybridge help formats' lists all")
    lines = []
    for kind in dict.fromkeys(row.kind for row in rows):
        lines += ["", f"{WORDS[kind][0].upper()}{WORDS[kind][1:]}"]
        for row in (row for row in rows if row.kind == kind):
            verbs = " and ".join(verb for verb, named in (("read", row.read), ("written", row.write)) if named)
            extra = f" (pip install 'muybridge[{row.extra}]')" if row.extra else ""
            lines.append(f"  {row.name}: {', '.join(row.suffixes)}, {verbs}: {row.kept}{extra}")
    return "\n".join(lines[1:])


def catalogue_markdown() -> str:
    """The tables of docs/formats.md."""
    parts = []
    for kind, words in WORDS.items():
        rows = [row for row in FORMATS if row.kind == kind]
        lines = [f"## {words[0].upper()}{words[1:]}", "", "| name | files | read | written | kept | extra |",
                 "|---|---|---|---|---|---|"]  # fmt: skip
        for row in rows:
            files = ", ".join(row.suffixes) if not row.ending else f"{', '.join(row.suffixes)} ({row.ending})"
            marks = ["yes" if named else "" for named in (row.read, row.write)]
            extra = f"`[{row.extra}]`" if row.extra else ""
            lines.append(f"| `{row.name}` | {files} | {' | '.join(marks)} | {row.kept} | {extra} |")
        parts.append("\n".join(lines) + "\n")
    return "\n".join(part for part in parts if part.count("\n") > 4)
