"""`{benchmark-table}`: a table of benchmarks/README.md, so that pages show its numbers and no others, and bars of it.

Its argument is a text of the table's first line, without backticks and asterisks. `:draw:` names columns, separated by
semicolons, which are drawn as bars; `:log:` those of them whose axis is logarithmic; `:mark:` draws a line at a value.
"""

import os
import re
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

README = Path(__file__).resolve().parents[2] / "benchmarks" / "README.md"


def table_lines(words):
    """Lines of the one table of benchmarks/README.md whose first line holds the words."""
    text = README.read_text(encoding="utf-8")
    tables = [table.splitlines() for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)]
    found = [table for table in tables if words in plain(table[0])]
    if len(found) != 1:
        raise ExtensionError(f"{len(found)} tables of {README} have '{words}' in their first line; expected one")
    return found[0]


def cells(line):
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def plain(text):
    return re.sub(r"[*`]|\\", "", text)


def draw_bars(lines, columns, path, *, log, mark):
    """Horizontal bars of some columns: a row's first number. Rows in bold, or all where none is, are this library's."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    headings, rows = [plain(cell) for cell in cells(lines[0])], [cells(line) for line in lines[2:]]
    unknown = set(columns) - set(headings)
    if unknown:
        raise ExtensionError(f"the table '{lines[0]}' has no columns {sorted(unknown)}; it has {headings}")
    ours = [row for row in rows if "**" in row[0]] or rows
    height = 0.8 + 0.28 * len(rows)
    figure, axes = plt.subplots(1, len(columns), figsize=(9, height), sharey=True, squeeze=False, layout="constrained")
    for ax, column in zip(axes[0], columns, strict=True):
        for k, row in enumerate(rows):
            number = re.search(r"\d[\d,]*\.?\d*(?:e-?\d+)?", plain(row[headings.index(column)]))
            if number:
                ax.barh(k, float(number[0].replace(",", "")), color="#1b6ca8" if row in ours else "0.75")
        ax.set_xlabel(column)
        if column in log:
            ax.set_xscale("log")
        elif ax.dataLim.x1 == 0:  # nothing but zeros, which is what the table claims
            ax.set_xlim(0, 1)
        if mark is not None:
            ax.axvline(mark, color="k", ls=":", lw=1)
        ax.spines[["top", "right"]].set_visible(False)
    names = [plain(row[0]) for row in rows]
    axes[0, 0].set_yticks(
        range(len(rows)), [name if len(name) < 58 else f"{name[:55]}..." for name in names], fontsize=8
    )
    axes[0, 0].invert_yaxis()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    plt.close(figure)


class BenchmarkTable(SphinxDirective):
    required_arguments, final_argument_whitespace = 1, True
    option_spec = {"draw": str, "log": str, "mark": float}  # noqa: RUF012  docutils' own form

    def run(self):
        lines, made = table_lines(self.arguments[0]), nodes.section()
        self.env.note_dependency(str(README))
        made.document = self.state.document
        if "draw" in self.options:
            columns, log = (
                [column.strip() for column in self.options.get(key, "").split(";")] for key in ("draw", "log")
            )
            name = "-".join(re.findall(r"\w+", self.arguments[0] + self.options["draw"]))
            path = Path(self.env.app.outdir).parent / "benchmark_figures" / f"{name}.svg"
            draw_bars(lines, columns, path, log=log, mark=self.options.get("mark"))
            here = Path(self.env.doc2path(self.env.docname)).parent
            made += nodes.image(uri=os.path.relpath(path, here), alt=f"{', '.join(columns)}: the table below as bars")
        self.state.nested_parse(StringList(lines, source=str(README)), 0, made)
        return made.children


def setup(app):
    app.add_directive("benchmark-table", BenchmarkTable)
    return {"parallel_read_safe": True}
