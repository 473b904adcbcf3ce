"""The views of long recordings, made of other tools' files one window of time after the other."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import xarray as xr

from ....datasets.stretches import joined
from ...files import FormatError, stored_bytes
from ...video.instants import Instants
from ..detectors import files_of_detectors, has_several
from ..instant_rows import at_instants
from ..joined_views import Recording, recording_of, views_between
from ..reading import split_tables
from ..tracks import Track
from .kept_tracks import WINDOW, KeptTrack, keep_track

LONG = 60e6  # bytes of files, up to which they are read whole: 15,000 frames of 20 keypoints in 6 cameras as CSV
_STRETCHES, _STRETCH = 20, 1000  # that stand for a recording, and their frames


class WindowedViews(NamedTuple):
    """The views of a recording, of which some frames are made when they are asked for.

    n_frames : frames of the recording
    between : the views from one frame to before another
    held : what is to be closed after use
    """

    n_frames: int
    between: Callable[[int, int], xr.Dataset]
    held: ExitStack

    def pieces(self) -> Iterator[xr.Dataset]:
        """All of the views in consecutive pieces."""
        for start in range(0, self.n_frames, WINDOW):
            yield self.between(start, min(start + WINDOW, self.n_frames))

    def spread(self) -> xr.Dataset:
        """Stretches of consecutive frames spread over the recording; all of a short one."""
        if self.n_frames <= _STRETCHES * _STRETCH:
            return joined(list(self.pieces()))
        starts = np.linspace(0, self.n_frames - _STRETCH, _STRETCHES).astype(int).tolist()
        return joined([self.between(i, i + _STRETCH) for i in starts])


def views_in_windows(sources: Mapping[str, Any], folder: Path | None, **options: Any) -> WindowedViews | None:
    """As `read_views`, with its options, for long recordings; None of short ones.

    folder : where the values of the files are kept meanwhile, in one without a name; None: the system's

    Raises
    ------
    FormatError, VideoError : as `read_views`
    """
    files = files_of_detectors(sources)
    paths = {Path(path) for own in files for path in own.values() if isinstance(path, str | os.PathLike)}
    if sum(map(stored_bytes, paths)) <= LONG:
        return None
    with ExitStack() as held:
        kept = held.enter_context(tempfile.TemporaryFile(dir=folder))
        try:
            ensemble = [_kept_tracks(own, kept) for own in files]
            kept.flush()
        except OSError as error:
            with suppress(OSError):  # it would write what is left once more
                kept.close()
            where = tempfile.gettempdir() if folder is None else folder
            raise FormatError(
                f"the 2D points cannot be kept in {where} while they are read ({error.strerror}); free some space"
                f"{' there, or name another folder in the environment variable TMPDIR' if folder is None else ''}"
            ) from error
        samples = [
            split_tables({c: track.sample for c, track in tracks.items()}, own)
            for tracks, own in zip(ensemble, files, strict=True)
        ]
        lengths = [{c: track.n_frames for c, track in tracks.items()} for tracks in ensemble]
        recording = recording_of(samples, lengths, files, is_single=not has_several(sources), **options)

        def between(start: int, stop: int) -> xr.Dataset:
            tracks = [
                split_tables({c: _window(track, recording, c, start, stop) for c, track in own.items()}, named)
                for own, named in zip(ensemble, files, strict=True)
            ]
            return views_between(recording, tracks, start, stop)

        return WindowedViews(len(recording.times), between, held.pop_all())


def _kept_tracks(files: Mapping[str, Any], kept: BinaryIO) -> dict[str, KeptTrack]:
    """The track of each camera; that of a table which holds several is kept once."""
    tracks, once = dict[str, KeptTrack](), dict[Path, KeptTrack]()
    for camera, path in files.items():
        known = once.get(Path(path).resolve()) if isinstance(path, str | os.PathLike) else None
        tracks[camera] = keep_track(path, camera, kept) if known is None else known
        if tracks[camera].sample.camera is None:
            once[Path(path).resolve()] = tracks[camera]
    return tracks


def _window(track: KeptTrack, recording: Recording, camera: str, start: int, stop: int) -> Track:
    """The points of a camera at some instants of the recording."""
    if recording.instants is None:
        return track.window(start, stop)
    numbers = recording.instants.frames[camera][start:stop]
    known = numbers[numbers >= 0]
    first, end = (int(known.min()), int(known.max()) + 1) if len(known) else (0, 0)
    own = Instants(recording.times[start:stop], {camera: np.where(numbers < 0, -1, numbers - first)})
    return at_instants(track.window(first, end), own, camera)
