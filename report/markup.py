"""Small pieces of HTML: escaped text, tables, figures, sections. Everything that is not a `Markup` is escaped."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from typing import NamedTuple

import numpy as np
import pandas as pd


class Markup(str):
    """Text that is HTML already and must not be escaped again."""

    __slots__ = ()


def escape(value: object) -> Markup:
    """The value as HTML text; a `Markup` passes unchanged."""
    return value if isinstance(value, Markup) else Markup(html.escape(str(value), quote=True))


def element(tag: str, *children: object, **attributes: object) -> Markup:
    """`<tag attributes>children</tag>`; trailing underscores of names go, others become hyphens; None is left out."""
    written = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for name, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{tag}{written}>{''.join(escape(child) for child in children)}</{tag}>")


class Section(NamedTuple):
    """A titled part of the page that the contents list can point to."""

    anchor: str
    title: str
    html: Markup


def section(anchor: str, title: str, *children: object) -> Section:
    """The children under a heading."""
    heading = element("h2", title, id=f"{anchor}-title")
    body = element("section", heading, *children, id=anchor, aria_labelledby=f"{anchor}-title")
    return Section(anchor, title, body)


def number(value: object, digits: int = 3) -> str:
    """A number for a table cell: `digits` significant places, never fewer than its integer part; NaN is a dash."""
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (int, np.integer)):
        return f"{int(value):,}"
    if not isinstance(value, (float, np.floating)):
        return "–" if value is None else str(value)
    if not np.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    if abs(value) < 1e-5:
        return f"{value:.0e}"
    decimals = max(0, digits - 1 - int(np.floor(np.log10(abs(value)))))
    return f"{value:,.{min(decimals, 8)}f}"


def percent(share: float) -> str:
    """A share as a percentage that shows neither a small remainder as 0 nor a near-whole as 100."""
    if not np.isfinite(share):
        return "–"
    if 0 < share < 0.001:
        return "< 0.1 %"
    if 0.999 < share < 1:
        return "> 99.9 %"
    return f"{100 * share:.1f} %"


def table(headings: Sequence[object], rows: Iterable[Sequence[object]], caption: object = None) -> Markup:
    """A table whose first column heads the rows; it scrolls sideways on its own where the screen is narrow.

    Columns with a text in them align left, others right. A cell may be a `Markup` that starts with `<td` (a cell with
    its own attributes), else it is formatted and escaped.
    """
    rows = [tuple(row) for row in rows]
    kinds = ["text" if any(_is_text(row[k]) for row in rows) else None for k in range(len(headings))]
    head = element(
        "tr", *(element("th", *cell, scope="col", class_=kind) for *cell, kind in zip(headings, kinds, strict=True))
    )
    body = Markup("".join(_row(row, kinds) for row in rows))
    titled = "" if caption is None else element("caption", caption)
    whole = element("table", titled, element("thead", head), element("tbody", body))
    label = str(caption) if caption is not None and not isinstance(caption, Markup) else "table"
    return element("div", whole, class_="scroll", tabindex="0", role="region", aria_label=label)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and not isinstance(value, Markup) and value not in ("", "–")


def _row(row: Sequence[object], kinds: Sequence[str | None]) -> Markup:
    head = element("th", row[0] if isinstance(row[0], Markup) else number(row[0]), scope="row")
    return element("tr", head, *(_cell(value, kind) for value, kind in zip(row[1:], kinds[1:], strict=True)))


def _cell(value: object, kind: str | None) -> Markup:
    if isinstance(value, Markup):
        return value if value.startswith("<td") else element("td", value, class_=kind)
    return element("td", number(value), class_=kind)


def frame_table(frame: pd.DataFrame, caption: object = None) -> Markup:
    """A DataFrame as a table; a plain numbered index is left out."""
    frame = pd.DataFrame(frame)
    if not isinstance(frame.index, pd.RangeIndex):
        frame = frame.reset_index(names=[str(name or "") for name in frame.index.names])
    rows = frame.astype(object).where(frame.notna(), None).itertuples(index=False, name=None)
    return table([str(name).replace("_", " ") for name in frame.columns], rows, caption)


def bullets(lines: Iterable[object], class_: str | None = None) -> Markup:
    """A list of sentences."""
    return element("ul", *(element("li", line) for line in lines), class_=class_)


def definitions(pairs: Mapping[str, object], class_: str | None = None) -> Markup:
    """A list of labels and their values."""
    return element(
        "dl",
        *(element("div", element("dt", label), element("dd", value)) for label, value in pairs.items()),
        class_=class_,
    )


def embedded_json(anchor: str, content: object) -> Markup:
    """Data for a script of the page; nothing in it can end the script element."""
    text = json.dumps(content, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(f'<script type="application/json" id="{escape(anchor)}">{text}</script>')


def base64_of(values: np.ndarray) -> str:
    """The bytes of an array as text, for a script of the page."""
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode("ascii")


def read_asset(name: str) -> str:
    """Text of a file in the folder `assets`: what the page is put together from."""
    return files(__package__ or "").joinpath("assets", name).read_text(encoding="utf-8")
