"""Facts of the files of each camera, and the instants of the recording: which frames belong together, and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..datasets import Array
from ..formats.files import FormatError
from ..formats.video.damage import foreseen_losses
from ..formats.video.frame_times import read_frame_times
from ..formats.video.instants import Instants, join_times, number_ranges
from ..formats.video.reading import PICTURE_SUFFIXES, VIDEO_SUFFIXES, VideoError, files_of_source, probe_video
from ..formats.video.recording_times import STATED_RATE, instants_of_videos
from ..formats.video.timestamps import read_timestamps
from .config import Session, SessionError

Source = Path | tuple[Path, ...]
# of a video's frames, beyond which those that cannot be decoded are no gaps: the file was cut off, or is damaged
TRUNCATED = 0.1
UNDECODED = (
    "the videos' packets were read, but their pictures not decoded: damage within a picture shows when keypoints are"
    " predicted"
)
_SLOW = 1.0  # hertz, below which timestamps may be counted in another unit than seconds


def check_same_instants(
    videos: Mapping[str, Source], what: str, *, fps: float | None = None, timestamps: Mapping[str, Array] | None = None
) -> Instants | None:
    """The instants of videos that are synchronous; None where there is none.

    Raises
    ------
    SessionError : a video is missing or unreadable, or they differ in length or frame rate; the camera is named
    """
    if not videos:
        return None
    for name, source in videos.items():
        for path in files_of_source(source):
            _check_video(name, path)
    try:
        instants = instants_of_videos(videos, fps=fps, timestamps=timestamps)
    except VideoError as error:
        raise SessionError(f"the {what}: {error}") from error
    lengths = {name: int(np.flatnonzero(frames >= 0)[-1]) + 1 for name, frames in instants.frames.items()}
    if len(set(lengths.values())) > 1 and timestamps is None:
        listed = ", ".join(f"{name} {int((frames >= 0).sum())} frames" for name, frames in instants.frames.items())
        raise SessionError(
            f"the {what} differ in length: {listed}; they are not synchronous: trim them to the same instants"
        )
    return instants


def _check_video(name: str, path: Path) -> None:
    if path.is_dir():
        raise SessionError(f"camera '{name}': {path} is a folder, no video")
    if path.is_file() and path.suffix.lower() not in VIDEO_SUFFIXES:
        raise SessionError(f"camera '{name}': {path} is no video (known: {', '.join(VIDEO_SUFFIXES)})")
    try:
        probe_video(path)
    except VideoError as error:
        raise SessionError(f"camera '{name}': {error}") from error


def recording_instants(session: Session) -> Instants | None:
    """The instants of a session's recording, by its videos and timestamp files; None where it has neither.

    Raises
    ------
    SessionError : as `check_same_instants`, or a timestamp file cannot be used
    """
    videos, stamps = session.sources("video"), camera_timestamps(session)
    if videos and (stamps is None or len(videos) == len(stamps)):
        found = check_same_instants(videos, "videos", fps=session.fps, timestamps=stamps)
    else:
        try:
            found = None if stamps is None else join_times(stamps, one_clock=True)
        except VideoError as error:
            raise SessionError(f"{session.path}: the timestamps: {error}") from error
    return found if found is None or stamps is None else _with_rate_notes(found, session.fps)


def _with_rate_notes(instants: Instants, fps: float | None) -> Instants:
    """The instants of files of timestamps, with a note where their rate is not the stated one, or no camera's."""
    notes, rate = list(instants.notes), instants.fps
    if fps is not None and abs(rate - fps) > STATED_RATE * fps:
        notes.append(f"the files of timestamps give {rate:.5g} Hz, which is used, and not the stated {fps:g} Hz")
    elif rate < _SLOW:
        notes.append(
            f"the files of timestamps give {rate:.3g} frames per second: if they count milliseconds, end the column's"
            " name with its unit (timestamp_ms)"
        )
    return replace(instants, notes=tuple(notes))


def camera_timestamps(session: Session, kind: str = "timestamps") -> dict[str, Array] | None:
    """{camera: times of its frames, seconds} of the files that the session names; None where it names none.

    Raises
    ------
    SessionError : a camera has no timestamps beside others that have, or its file cannot be read
    """
    if not session.sources(kind):
        return None
    files = sources_of_all(session, kind, "others have one: give all or none")
    found = {}
    for name, path in files.items():
        recorded = session.cameras[name].video if kind == "timestamps" else session.cameras[name].board
        try:
            rate = session.fps if kind == "timestamps" else None
            if rate is None and isinstance(recorded, Path) and recorded.suffix.lower() in VIDEO_SUFFIXES:
                rate = probe_video(recorded, rate_needed=False).fps
            found[name] = read_timestamps(path, name, fps=rate)
        except (VideoError, FormatError) as error:
            raise SessionError(f"camera '{name}': {error}") from error
    return found


def describe(session: Session) -> tuple[pd.DataFrame, list[str]]:
    """One row per camera (frames, fps, size, seconds, board, points), and a sentence per video that cannot be used."""
    rows, problems = {}, []
    for name, camera in session.cameras.items():
        row: dict = {"frames": None, "fps": None, "size": None, "seconds": None}
        if camera.video is not None:
            try:
                row = _describe_video(camera.video)
            except VideoError as error:
                problems.append(f"camera '{name}': {error}")
        filmed = [own.sources[name] for own in session.board_recordings.values() if name in own.sources]
        boards = [_describe_board(board) for board in (camera.board, *filmed) if board is not None]
        rows[name] = row | {"board": ", ".join(map(str, boards)) or None, "points": _describe_points(camera.points)}
    if not problems:
        for find in (lambda: recording_instants(session), lambda: check_board_videos(session)):
            try:
                find()
            except SessionError as error:
                problems.append(str(error))
    return pd.DataFrame.from_dict(rows, orient="index"), problems


def _describe_video(video: Source) -> dict[str, Any]:
    """Counts and times by the container, where it states them, else by the header."""
    fact = probe_video(video, rate_needed=False)
    timing = read_frame_times(video)
    n_frames = fact.n_frames if timing is None else int(timing.is_stored.sum())
    seconds = fact.n_frames / fact.fps if timing is None else float(timing.times[-1] + timing.interval)
    rate = fact.fps if timing is None or timing.is_even else n_frames / seconds
    return {"frames": n_frames, "fps": round(rate, 3), "size": f"{fact.width}x{fact.height}",
            "seconds": round(seconds, 3)}  # fmt: skip


def check_board_videos(session: Session) -> None:
    """Refuse board videos whose frame i is not one instant.

    Raises
    ------
    SessionError : as `check_same_instants`, or a camera dropped frames
    """
    for recording, boards in {
        "": session.sources("board"), **{name: own.sources for name, own in session.board_recordings.items()}
    }.items():  # fmt: skip
        videos = {name: path for name, path in boards.items() if isinstance(path, Path) and not path.is_dir()}
        what = f"board videos of recording '{recording}'" if recording else "board videos"
        instants = check_same_instants(videos, what)
        if instants is not None and not all(np.array_equal(f, g) for f in instants.frames.values()
                                            for g in instants.frames.values()):  # fmt: skip
            notes = "; ".join(instants.notes)
            raise SessionError(f"the {what} lack different frames: {notes}; write them again without the gaps")


def recording_notes(session: Session) -> list[str]:
    """What a user should know about the recording's times: dropped frames, a varying rate, files overruled."""
    try:
        instants = recording_instants(session)
    except SessionError:
        return []
    return [] if instants is None else list(instants.notes)


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
        return f"{board.name}/ ({sum(entry.suffix.lower() in PICTURE_SUFFIXES for entry in board.iterdir())} pictures)"
    try:
        return f"{board.name} ({probe_video(board).n_frames} frames)"
    except VideoError:
        return f"{board.name} (unreadable)"


def expected_gaps(session: Session) -> tuple[list[str], list[str]]:
    """Problems and warnings of videos in which the session's detector misses frames; none of sessions of 2D files."""
    problems, warnings = list[str](), list[str]()
    for name, video in ({} if session.sources("points") else session.sources("video")).items():
        try:
            lost, n_frames = foreseen_losses(video)
        except (VideoError, OSError):
            continue  # the facts of the recording name it
        if not len(lost):
            continue
        file = files_of_source(video)[0]
        if len(lost) > TRUNCATED * n_frames:
            problems.append(
                f"camera '{name}': {len(lost)} of {n_frames} frames of {file} will not be decoded"
                f" ({number_ranges(lost)}); it is truncated or damaged: copy it again"
            )
        else:
            warnings.append(
                f"camera '{name}': frames {number_ranges(lost)} of {file} are damaged, or cannot be decoded without"
                " those that are: they will be gaps, and perhaps some beside them; copy the file again"
            )
    return problems, warnings
