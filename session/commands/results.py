"""Commands that write results in other forms: films, figures, files of other tools."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .options import SessionPath, echo, read


class FilmKind(StrEnum):
    """What `label-videos` writes."""

    cameras = "cameras"
    grid = "grid"
    skeleton = "skeleton"
    both = "both"


class FigureFormat(StrEnum):
    """Files that `figures` writes."""

    svg = "svg"
    pdf = "pdf"
    png = "png"


def label_videos(
    session: SessionPath = Path(),
    to: Annotated[Path | None, typer.Option(help="folder of the videos", show_default="results/videos")] = None,
    kind: Annotated[
        FilmKind, typer.Option(help="each camera's own video, all in a grid, the skeleton in 3D, or both side by side")
    ] = FilmKind.cameras,
    speed: Annotated[float, typer.Option(min=0.001, help="of a grid or skeleton; 0.25: four times slower")] = 1.0,
) -> None:
    """Write the videos with the keypoints drawn into them, or the skeleton in 3D, as mp4."""
    from ..pictures_out import labelled_videos

    loaded = read(session)
    for path in labelled_videos(loaded, to or loaded.output / "videos", kind=kind.value, speed=speed):
        echo(f"wrote {path}")


def figures(
    session: SessionPath = Path(),
    to: Annotated[Path | None, typer.Option(help="folder of the files", show_default="results/figures")] = None,
    format: Annotated[
        FigureFormat, typer.Option(help="vector graphics, or pictures of 160 dots per inch")
    ] = FigureFormat.svg,
) -> None:
    """Write the report's figures as files: stick figures, angles, gait, quality, calibration."""
    from ..pictures_out import session_figures

    loaded = read(session)
    for path in session_figures(loaded, to or loaded.output / "figures", format=format.value):
        echo(f"wrote {path}")


def export(
    format: Annotated[
        str, typer.Argument(help="such as nwb, c3d, trc, csv or deeplabcut-h5: 'muybridge help formats'")
    ],
    session: SessionPath = Path(),
    to: Annotated[Path | None, typer.Option(help="folder of the files", show_default="results/export/FORMAT")] = None,
) -> None:
    """Write the results (2D points, poses, angles or cameras) in another tool's format."""
    from ..export import export_session

    for path in export_session(read(session), format, to):
        echo(f"wrote {path}")
