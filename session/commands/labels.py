"""Commands for labels: choose frames, label them, measure the detector on them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Quiet, SessionPath, echo, read


def extract(
    session: SessionPath = Path(),
    n: Annotated[int, typer.Option("-n", min=1, help="number of instants; one picture per camera of each")] = 20,
    to: Annotated[
        Path | None, typer.Option(help="folder of the project", show_default="labels beside the file")
    ] = None,
    method: Annotated[str, typer.Option(help="kmeans (pictures that differ) or uniform (evenly in time)")] = "kmeans",
) -> None:
    """Choose the first frames to label and write them as a DeepLabCut project."""
    from ..label_loop import extract_session

    loaded = read(session)
    folder = extract_session(loaded, n, to or loaded.folder / "labels", method=method)
    echo(f"wrote {folder}: label its pictures, then name it under [train] labels")


def label(
    source: Annotated[
        Path, typer.Argument(help="session, label project, folder of pictures, or a video", show_default="here")
    ] = Path(),
    labels: Annotated[
        Path | None, typer.Option(help="folder of the project", show_default="the session's last, or VIDEO-labels")
    ] = None,
    keypoints: Annotated[str, typer.Option(help="names, as nose,tail, where nothing else states them")] = "",
    proposals: Annotated[
        list[str] | None,
        typer.Option(help="2D file of unconfirmed points, CAMERA=FILE", show_default="the session's results"),
    ] = None,
    n: Annotated[int, typer.Option("-n", min=1, help="frames to extract from a video without a project")] = 20,
    port: Annotated[int, typer.Option(min=0, max=65535, help="of the page's address", show_default="a free one")] = 0,
    browser: Annotated[bool, typer.Option(help="open the page")] = True,
) -> None:
    """Label in the browser, in all cameras at once; the calibrated ones place a point that two of them show."""
    from ...labelling.command import label_in_browser

    names = tuple(name.strip() for name in keypoints.split(",") if name.strip())
    label_in_browser(
        source, labels=labels, keypoints=names, proposals=tuple(proposals or ()), n=n, port=port, browser=browser,
        say=echo,
    )  # fmt: skip


def suggest(
    session: SessionPath = Path(),
    n: Annotated[int, typer.Option("-n", min=1, help="number of pictures, over all cameras")] = 20,
    to: Annotated[Path | None, typer.Option(help="folder of the project", show_default="labels-next")] = None,
) -> None:
    """Choose the frames to label next, where cameras disagree in 3D, and write them with proposed labels."""
    from ..label_loop import suggest_session

    loaded = read(session)
    folder = to or loaded.folder / "labels-next"
    echo(suggest_session(loaded, n, folder).to_string(index=False, float_format=lambda value: f"{value:.3f}"))
    echo(f"wrote {folder}: correct its labels, then add it to the list [train] labels")


def corruption(
    session: SessionPath = Path(),
    labels: Annotated[
        Path | None, typer.Option(help="labelled frames to corrupt", show_default="those that training held out")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Errors of the detector on corrupted pictures: light, blur, motion, noise, jpeg, resolution (Horse-C)."""
    from ..label_loop import corruption_session

    table = corruption_session(read(session), labels, progress=not quiet)
    echo(table.to_string(index=False, float_format=lambda value: f"{value:.2f}"))


def evaluate(
    session: SessionPath = Path(),
    labels: Annotated[
        Path | None, typer.Option(help="labelled frames to compare", show_default="those that training held out")
    ] = None,
) -> None:
    """Errors of the detector on labelled frames that it was not trained on, in pixels, by keypoint."""
    from ..label_loop import evaluate_session

    echo(evaluate_session(read(session), labels).to_string(float_format=lambda value: f"{value:.2f}"))
