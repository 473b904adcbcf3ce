"""Matplotlib figures as inline SVG whose colours follow the theme of the page."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import pairwise
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..datasets import Array
from ..datasets.atomic_files import atomic_write
from .markup import Markup, element, escape

# Colours that stand for variables of the page's style sheet; the figures are drawn in the light theme's values.
THEME = {
    "#1d1c1a": "--ink",
    "#66625b": "--muted",
    "#d9d5cb": "--grid",
    "#ffffff": "--paper",
    "#2a6fc4": "--series-1",
    "#cf5a22": "--series-2",
    "#138a5e": "--series-3",
    "#a77900": "--series-4",
    "#c2477f": "--series-5",
    "#5a4bb0": "--series-6",
    "#2f7f1f": "--series-7",
    "#c23836": "--series-8",
    "#1f77b4": "--series-1",  # matplotlib's own first colour
    "#000000": "--ink",
}
# {format of files: metadata without the time of writing}, so that the same figure gives the same bytes
FILE_FORMATS = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}
SERIES = tuple(THEME)[4:12]  # the eight colours of curves
INK = "#1d1c1a"

MANY_POINTS = 400  # of a cloud, or bars of a row, beyond which it becomes a picture: its markup would be larger
MOST_DRAWN = 1200  # values of a curve: more are thinned
WIDE = 8.0  # inches from which a figure scrolls on a narrow screen rather than shrinks

_STYLE = matplotlib.rc_params_from_file(Path(__file__).with_name("figures.mplstyle"), use_default_template=False)


# writes each figure that `plot_figure` draws into a file, too, while `saved_figures` is open
_saved: ContextVar[Callable[[str, Figure], None] | None] = ContextVar("saved", default=None)


@contextmanager
def saved_figures(folder: Path, suffix: str) -> Iterator[list[Path]]:
    """Have every figure that `plot_figure` draws meanwhile written into a folder, too; yields the files so far."""
    files: list[Path] = []

    def save(name: str, figure: Figure) -> None:
        path = folder / f"{_identifier(name)}.{suffix}"
        with atomic_write(path) as partial:
            figure.savefig(partial, format=suffix, metadata=FILE_FORMATS[suffix])
        files.append(path)

    token = _saved.set(save)
    try:
        yield files
    finally:
        _saved.reset(token)


def plot_figure(
    draw: Callable[[Axes], object],
    *,
    name: str,
    caption: object = None,
    size: tuple[float, float] = (5.2, 2.5),
    over_time: bool = False,
    curves: Sequence[str] = (),
    projection: str | None = None,
) -> Markup:
    """One plot as an HTML figure.

    Parameters
    ----------
    draw : takes the axes and draws
    name : what the plot shows, for screen readers; also makes the identifiers of the SVG unique
    size : inches
    over_time : the horizontal axis is time in seconds: the player's cursor shows in it, and a click seeks
    curves : what is drawn over time, by names in the data of every frame, in the order of the lines
    projection : "3d" for three axes
    """
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.add_subplot(projection=projection)
        draw(axes)
        _rasterise_clouds(axes)
        if (save := _saved.get()) is not None:
            save(name, figure)
        svg = figure_svg(figure, name)
        box = _axes_box(figure, axes)
        drawn = _curves_of(axes, curves) if curves else None
    return element(
        "figure",
        svg,
        "" if caption is None else element("figcaption", caption),
        class_="plot wide" if size[0] > WIDE else "plot",
        data_axes=str([box]) if over_time else None,
        data_curves=drawn,
    )


def _curves_of(axes: Axes, names: Sequence[str]) -> str:
    """Names and colours of the curves and the limits of the vertical axis, as JSON for the page's script."""
    lines = [line for line in axes.lines if not str(line.get_label()).startswith("_")]
    colours = [_themed(to_hex(line.get_color())) for line in lines]  # pyright: ignore[reportArgumentType]
    limits = [float(limit) for limit in axes.get_ylim()]
    return json.dumps({"names": list(names), "colours": colours, "limits": limits})


def _rasterise_clouds(axes: Axes) -> None:
    """Turn clouds of many points into pictures: thousands of markers would weigh more than the rest of the report."""
    for collection in axes.collections:
        n_markers = len(np.atleast_2d(collection.get_offsets()))  # pyright: ignore[reportArgumentType]
        if max(n_markers, len(collection.get_paths())) > MANY_POINTS:
            collection.set_rasterized(True)


def figure_svg(figure: Figure, name: str) -> Markup:
    """The figure as an `<svg>` element: no fixed size, no date, theme colours, identifiers of its own."""
    stream = io.StringIO()
    FigureCanvasSVG(figure).print_svg(stream, metadata={"Date": None, "Creator": None})
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    text = re.sub(r"(?<=\d\.\d\d)\d+", "", text)  # a hundredth of a point is less than a pixel
    text = re.sub(r"#[0-9a-f]{6}\b", lambda match: _themed(match[0]), text)
    prefix = _identifier(name)
    text = re.sub(r'(\bid=")', rf"\g<1>{prefix}-", text)
    text = re.sub(r'(href="#|url\(#)', rf"\g<1>{prefix}-", text)
    label = f'role="img" aria-label="{escape(name)}"'
    return Markup(re.sub(r'width="[\d.]+pt" height="[\d.]+pt"', lambda _: label, text, count=1).strip())


def _identifier(name: str) -> str:
    """The name in letters, digits and hyphens."""
    return re.sub(r"\W+", "-", name.encode("ascii", "ignore").decode()).strip("-") or "figure"


def _themed(colour: str) -> str:
    """The colour as a variable of the page; greys as shades between ink and paper."""
    if colour in THEME:
        return f"var({THEME[colour]})"
    if colour[1:3] == colour[3:5] == colour[5:7]:
        return f"color-mix(in srgb, var(--ink) {100 - 100 * int(colour[1:3], 16) / 255:.0f}%, var(--paper))"
    return colour


def _axes_box(figure: Figure, axes: Axes) -> list[float]:
    """Left, top, right, bottom of the axes in the SVG's units (points), and its limits in seconds."""
    width, height = 72 * figure.get_size_inches()
    place = axes.get_position()
    corners = (place.x0 * width, (1 - place.y1) * height, place.x1 * width, (1 - place.y0) * height)
    return [round(float(v), 5) for v in (*corners, *axes.get_xlim())]


def thinned(values: Array, limit: int = MOST_DRAWN) -> NDArray[np.intp]:
    """Positions of the values to draw, about `limit` at most: the least and the greatest of each of many short runs.

    So a curve of more values than it has pixels fills the band that they fill. Runs of NaN keep one position: a gap.
    """
    n = len(values)
    if n <= limit:
        return np.arange(n)
    edges = np.linspace(0, n, limit // 2 + 1).astype(int)
    kept = {0, n - 1}
    for start, stop in pairwise(edges):
        run = values[start:stop]
        missing = np.isnan(run)
        kept |= {start + int(missing.argmax())} if missing.any() else set()
        if not missing.all():
            kept |= {start + int(np.nanargmin(run)), start + int(np.nanargmax(run))}
    return np.array(sorted(kept))


def joined(figures: Sequence[Markup]) -> Markup:
    """Figures side by side where there is room."""
    return element("div", *figures, class_="plots")
