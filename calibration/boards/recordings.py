"""Several recordings of boards as one: their frames one after another, no two of them of one instant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...numerics.arrays import Array
from ..errors import CalibrationError
from .board_set import BoardSet, join_boards, parts_of
from .detection import BoardDetections
from .patterns import Board, MarkerBoard

Sources = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Timeline:
    """The frames of recordings one after another.

    names (n_recordings,), empty where there is one recording without a name; starts (n_recordings + 1,) first frame of
    each, and the number of all frames.
    """

    names: tuple[str, ...]
    starts: NDArray[np.int64]

    @property
    def recording_of(self) -> NDArray[np.int64]:
        """(n_frames,) number of each frame's recording."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))

    @property
    def parts(self) -> tuple[slice, ...]:
        """The frames of each recording."""
        return tuple(slice(int(a), int(b)) for a, b in zip(self.starts[:-1], self.starts[1:], strict=True))

    @property
    def ranges(self) -> dict[str, range]:
        """{recording: its frames}; nothing where there is one recording without a name."""
        return {name: range(part.start, part.stop) for name, part in zip(self.names, self.parts, strict=False)}

    def describe(self, frame: int) -> str:
        """A frame as messages name it, by its number in its own recording."""
        if not self.names:
            return f"frame {frame}"
        number = int(np.searchsorted(self.starts, frame, side="right")) - 1
        return f"frame {frame - self.starts[number]} of recording '{self.names[number]}'"


def one_recording(n_frames: int) -> Timeline:
    """The timeline of a single recording."""
    return Timeline((), np.array([0, n_frames]))


def split_recordings(sources: Sources | Sequence[Sources] | Mapping[str, Sources]) -> dict[str, Sources]:
    """{recording: {camera: source}}; the only recording of plain sources has the name "".

    Raises
    ------
    CalibrationError : neither cameras nor recordings of cameras
    """
    if isinstance(sources, Mapping):
        nested = [isinstance(value, Mapping) for value in sources.values()]
        if not any(nested):
            return {"": sources}
        recordings = {str(name): value for name, value in sources.items()}
    elif isinstance(sources, Sequence) and not isinstance(sources, str):
        recordings = {str(number): value for number, value in enumerate(sources, 1)}
    else:
        raise CalibrationError(f"sources must be {{camera name: source}}, got {type(sources).__name__}")
    if not recordings:
        raise CalibrationError("no recording was given; pass {camera name: source} for each")
    for name, recording in recordings.items():
        if not isinstance(recording, Mapping) or not recording:
            raise CalibrationError(
                f"recording '{name}' must be {{camera name: source}} with at least one camera, got {recording!r:.80}"
            )
    return recordings


def for_each_recording(given: Any, recordings: Mapping[str, Any], what: str, plain: type | tuple[type, ...]) -> dict:
    """{recording: value} of an option given once for all recordings, as a list, or by the recordings' names.

    `plain`: the type of one value; a dict of other dicts counts as given by names.

    Raises
    ------
    CalibrationError : a list of another length, or the name of no recording
    """
    by_name = isinstance(given, Mapping) and any(isinstance(v, plain) for v in given.values())
    if isinstance(given, Sequence) and not isinstance(given, str):
        if len(given) != len(recordings):
            raise CalibrationError(f"{what} has {len(given)} entries for {len(recordings)} recordings; give one each")
        return dict(zip(recordings, given, strict=True))
    if by_name:
        unknown = [name for name in given if str(name) not in recordings]
        if unknown:
            raise CalibrationError(f"{what} names the recording '{unknown[0]}'; the recordings are {list(recordings)}")
        return {name: given.get(name) for name in recordings}
    return dict.fromkeys(recordings, given)


def join_recordings(found: Mapping[str, Mapping[str, BoardDetections]]) -> tuple[dict[str, BoardDetections], Timeline]:
    """Detections of each camera in all recordings, frames one after another; NaN where a camera did not record.

    Raises
    ------
    CalibrationError : a camera has images of different sizes in two recordings
    """
    lengths = [max(part.n_frames for part in recording.values()) for recording in found.values()]
    timeline = Timeline(tuple(found), np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))
    if len(found) == 1:
        only = next(iter(found.values()))
        names = () if list(found) == [""] else timeline.names
        return dict(only), Timeline(names, timeline.starts)
    board = join_boards([next(iter(recording.values())).board for recording in found.values()])
    cameras = list(dict.fromkeys(camera for recording in found.values() for camera in recording))
    return {camera: _joined(camera, found, board, timeline) for camera in cameras}, timeline


def _joined(camera: str, found, board: Board | BoardSet, timeline: Timeline) -> BoardDetections:
    """All detections of one camera."""
    n_frames, parts = int(timeline.starts[-1]), dict(parts_of(board))
    corners = np.full((n_frames, len(board.points), 2), np.nan)
    mirrored, n_markers = np.zeros(n_frames, bool), np.zeros(n_frames, int)
    size, where, sources = None, "", []
    for (name, recording), part in zip(found.items(), timeline.parts, strict=True):
        if camera not in recording:
            continue
        own = recording[camera]
        if size not in (None, own.size):
            raise CalibrationError(
                f"camera '{camera}': its images are {size[0]}x{size[1]} px in recording '{where}' and"
                f" {own.size[0]}x{own.size[1]} px in '{name}'; record with one resolution, or give them two names"
            )
        size, where = own.size, name
        frames = slice(part.start, part.start + own.n_frames)
        corners[frames, parts[own.board]] = own.corners
        mirrored[frames], n_markers[frames] = own.mirrored, own.n_markers
        sources.append(own.source)
    assert size is not None
    return BoardDetections(board, size, corners, mirrored, n_markers, ", ".join(filter(None, sources)))  # type: ignore[arg-type]


def unequal_lengths(found: Mapping[str, Mapping[str, BoardDetections]]) -> tuple[str, ...]:
    """A sentence for each recording whose cameras have different numbers of frames."""
    sentences = []
    for name, recording in found.items():
        lengths = {camera: part.n_frames for camera, part in recording.items()}
        if len(set(lengths.values())) > 1:
            counts = ", ".join(f"{camera} {n}" for camera, n in lengths.items())
            sentences.append(
                f"{f'recording {name!r}' if name else 'the recording'}: the cameras have different numbers of frames"
                f" ({counts}); they are matched by position from the first one, so remove those without a partner"
            )
    return tuple(sentences)


def corners_of(found: BoardDetections) -> Array:
    """(n_frames, n_corners, 2) the corners that can be used: NaN in views of too few.

    Views of fewer than 6 corners (4 of single markers) are left out: a plane's pose is poorly known from them.
    """
    corners = np.where(found.seen[..., None], found.corners, np.nan)
    for board, part in parts_of(found.board):
        least = 4 if isinstance(board, MarkerBoard) else min(6, len(board.points))
        few = np.isfinite(corners[:, part, 0]).sum(axis=1) < least
        corners[few, part] = np.nan
    return corners


def write_shifted(values: NDArray, delay: int, out: NDArray) -> None:
    """Write values (n_frames, ...) into `out`, frame i + delay as frame i; what has no place there is left out."""
    room = out[max(-delay, 0) :]
    part = values[max(delay, 0) :][: len(room)]
    room[: len(part)] = part
