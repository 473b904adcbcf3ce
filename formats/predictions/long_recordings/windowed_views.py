"""The views of a recording of any length, made of other tools' files: of a long one a window of time at a time."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import xarray as xr

from ....datasets.stretches import joined, judged_frames
from ...files import FormatError, stored_bytes
from ...video.instants import Instants
from ..detectors import files_of_detectors, has_several
from ..instant_rows import at_instants
from ..joined_views import Recording, recording_of, views_between
from ..reading import read_views, split_tables
from ..tracks import Track
from .kept_tracks import WINDOW, KeptTrack, keep_track

LONG = 60e6  # bytes of files, up to which they are read whole: 15,000 frames of 20 keypoints in 6 cameras as CSV
_STRETCHES, _STRETCH = 20, 1000  # that stand for a recording, and their frames


class WindowedViews(NamedTuple):
    """The views of a recording, of which some frames are made when they are asked for.

    n_frames : frames of the recording
    between : the views from one frame to before another
    held : what is to be closed after use
    window : frames of a piece; all of a short recording, which is held whole
    """

    n_frames: int
    between: Callable[[int, int], xr.Dataset]
    held: ExitStack
    window: int

    def pieces(self) -> Iterator[xr.Dataset]:
        """All of the views in consecutive pieces."""
        for start in range(0, self.n_frames, self.window):
            yield self.between(start, min(start + self.window, self.n_frames))

    def middle(self) -> xr.Dataset:
        """The frames by which whole cameras are judged (`judged_frames`); all of a short one."""
        if self.n_frames <= self.window:
            return self.between(0, self.n_frames)
        sizes = self.between(0, 1).sizes
        judged = judged_frames(self.n_frames, sizes["keypoint"] * sizes.get("individual", 1))
        return self.between(judged.start, judged.stop)

    def spread(self) -> xr.Dataset:
        """Stretches of consecutive frames spread over the recording; all of a short one."""
        if self.n_frames <= max(self.window, _STRETCHES * _STRETCH):
            return joined(list(self.pieces()))
        starts = np.linspace(0, self.n_frames - _STRETCH, _STRETCHES).astype(int).tolist()
        return joined([self.between(i, i + _STRETCH) for i in starts])


def views_in_windows(sources: Mapping[str, Any], folder: Path | None, **options: Any) -> WindowedViews:
    """As `read_views`, with its options, of which some frames are made at a time where the files are large.

    folder : where the values of large files are kept meanwhile, in one without a name; None: the system's

    Raises
    ------
    FormatError, VideoError : as `read_views`
    """
    files = files_of_detectors(sources)
    paths = {Path(path) for own in files for path in own.values() if isinstance(path, str | os.PathLike)}
    if sum(map(stored_bytes, paths)) <= LONG:
        views = read_views(sources, **options)
        n_frames = views.sizes["time"]
        return WindowedViews(n_frames, lambda start, stop: views.isel(time=slice(start, stop)), ExitStack(), n_frames)
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

        return WindowedViews(len(recording.times), between, held.pop_all(), WINDOW)


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
