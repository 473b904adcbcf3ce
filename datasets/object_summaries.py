"""How an object of many arrays shows itself: one line in a terminal, a small table in a notebook."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

N_ROWS = 40  # a longer table would hide what comes after it in a notebook
N_NAMES = 8  # a line of a notebook holds so many


def listed(names: Sequence[str]) -> str:
    """The names in one line; of many the first, and how many more there are."""
    more = len(names) - N_NAMES
    return ", ".join(names[:N_NAMES]) + (f" and {more} more" if more > 0 else "")


def counted(n: int, noun: str) -> str:
    """Such as "1 camera", "2 cameras" or "no warnings"."""
    return f"{n or 'no'} {noun}{'s' * (n != 1)}"


def html_summary(line: str, headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """The line of the terminal above a table, as HTML; every text is escaped.

    Floats get four significant places, NaN and None a dash; of more than `N_ROWS` rows the first are shown.
    """
    rows = list(rows)
    head = "".join(f"<th>{html.escape(heading)}</th>" for heading in headings)
    body = "".join(f"<tr>{''.join(_cell(value) for value in row)}</tr>" for row in rows[:N_ROWS])
    if len(rows) > N_ROWS:
        body += f'<tr><td colspan="{len(headings)}">and {len(rows) - N_ROWS} more</td></tr>'
    return f"<p>{html.escape(line)}</p><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value: Any) -> str:
    if value is None:
        return "<td>–</td>"
    if isinstance(value, float | np.floating):
        return f"<td>{f'{value:.4g}' if np.isfinite(value) else '–'}</td>"
    return f"<td>{html.escape(str(value))}</td>"
