"""Facts of the files of each camera, and a check that the videos are synchronous."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..formats.video.reading import VIDEO_SUFFIXES, VideoError, probe_video
from .config import Session, SessionError

if TYPE_CHECKING:
    import pandas as pd


def check_same_instants(videos: dict[str, Path], what: str) -> float | None:
    """Frame rate of the videos, hertz; None where none is a video file.

    Raises
    ------
    SessionError : a video is missing or unreadable, or they differ in length or frame rate; the camera is named
    """
    facts = {}
    for name, path in videos.items():
        if path.is_dir():
            raise SessionError(f"camera '{name}': {path} is a folder, no video")
        if path.is_file() and path.suffix.lower() not in VIDEO_SUFFIXES:
            raise SessionError(f"camera '{name}': {path} is no video (known: {', '.join(VIDEO_SUFFIXES)})")
        try:
            facts[name] = probe_video(path)
        except VideoError as error:
            raise SessionError(f"camera '{name}': {error}") from error
    n_frames = {name: fact.n_frames for name, fact in facts.items()}
    rates = {name: round(fact.fps, 3) for name, fact in facts.items()}
    for values, quantity, unit, remedy in (
        (n_frames, "length", "frames", "they are not synchronous: trim them to the same instants"),
        (rates, "frame rate", "Hz", "record or convert them alike"),
    ):
        if len(set(values.values())) > 1:
            listed = ", ".join(f"{name} {value:g} {unit}" for name, value in values.items())
            raise SessionError(f"the {what} differ in {quantity}: {listed}; {remedy}")
    return next(iter(rates.values()), None)


def describe(session: Session) -> tuple[pd.DataFrame, list[str]]:
    """One row per camera (frames, fps, size, seconds, board, points), and a sentence per video that cannot be used."""
    import pandas as pd

    rows, problems = {}, []
    for name, camera in session.cameras.items():
        row: dict = {"frames": None, "fps": None, "size": None, "seconds": None}
        if camera.video is not None:
            try:
                fact = probe_video(camera.video)
                row = {"frames": fact.n_frames, "fps": round(fact.fps, 3), "size": f"{fact.width}x{fact.height}",
                       "seconds": round(fact.n_frames / fact.fps, 3)}  # fmt: skip
            except VideoError as error:
                problems.append(f"camera '{name}': {error}")
        rows[name] = row | {"board": _describe_board(camera.board), "points": _describe_points(camera.points)}
    if not problems:
        for kind, what in (("video", "videos"), ("board", "board videos")):
            files = {n: p for n, p in session.sources(kind).items() if isinstance(p, Path) and p.is_file()}
            try:
                check_same_instants(files, what)
            except SessionError as error:
                problems.append(str(error))
    return pd.DataFrame.from_dict(rows, orient="index"), problems


def sources_of_all(session: Session, kind: str, remedy: str) -> dict[str, Any]:
    """`Session.sources` of a kind of file that every camera must have."""
    sources = session.sources(kind)
    for name in session.cameras:
        if name not in sources:
            raise SessionError(f"{session.path}: camera '{name}' has no '{kind}'; {remedy}")
    return sources


def files_of(sources: dict[str, Any]) -> list[Path]:
    """Every path of {camera: path or tuple of paths}."""
    return [path for source in sources.values() for path in (source if isinstance(source, tuple) else (source,))]


def _describe_points(points: Path | tuple[Path, ...] | None) -> str | None:
    return f"{len(points)} detectors" if isinstance(points, tuple) else points and points.name


def _describe_board(board: Path | tuple[Path, ...] | None) -> str | None:
    if board is None:
        return None
    if isinstance(board, tuple):
        return f"{len(board)} images"
    if board.is_dir():
        return f"{board.name}/ ({sum(1 for entry in board.iterdir() if entry.is_file())} files)"
    try:
        return f"{board.name} ({probe_video(board).n_frames} frames)"
    except VideoError:
        return f"{board.name} (unreadable)"
