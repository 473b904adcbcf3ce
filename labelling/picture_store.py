"""Pictures as the page asks for them: decoded, made smaller, encoded as JPEG, and kept while there is room."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..formats.labels.deeplabcut_project import picture_name, write_pictures
from ..formats.video.reading import VideoError, VideoSource, probe_video, read_picture
from .picture_encoding import encoded_picture, keep_preview
from .picture_folders import PictureFolder

_ROOM = 256 << 20  # bytes of JPEG that are kept
_PAUSE = 0.4  # seconds
_AHEAD = 0.8  # share of the room that pictures nobody has asked for may fill
_N_DECODERS = 2  # threads


class PictureMissing(LookupError):
    """There is no such picture; `coming` says whether it is being decoded from a video."""

    def __init__(self, coming: bool):
        super().__init__("being decoded" if coming else "no picture")
        self.coming = coming


class PictureStore:
    """The pictures of a project; those that only a video holds are decoded in the background.

    They lie in a hidden folder, so that looking at them changes nothing that training depends on, until `keep`.

    folders : {camera: its pictures}; own : folder for what may be deleted
    videos : {camera: video}; frames : {camera: frame number at each instant}, None where it is the instant's
    """

    def __init__(
        self,
        folders: Mapping[str, PictureFolder],
        videos: Mapping[str, VideoSource],
        frames: Mapping[str, NDArray[np.int64]] | None,
        own: Path,
    ):
        self.folders, self.videos, self.frames = folders, videos, frames
        self.previews, self.decoded_in = own / ".previews", own / ".pictures"
        self._decoded: dict[str, dict[int, str]] = {camera: {} for camera in folders}
        self.problems: dict[str, str] = {}
        self._kept: OrderedDict[tuple[str, int, int], bytes] = OrderedDict()
        self._size, self._lock = 0, threading.Lock()
        self._coming: set[tuple[str, int]] = set()
        self._decoders = ThreadPoolExecutor(_N_DECODERS, thread_name_prefix="decoder")
        self._wanted, self._is_wanted, self._closed = (0, 0), threading.Event(), False
        self._asked_at, self._previewed = 0.0, set[tuple[str, int]]()
        threading.Thread(target=self._look_ahead, name="pictures ahead", daemon=True).start()

    def jpeg(self, camera: str, instant: int, width: int = 0) -> bytes:
        """The picture of a camera, no wider than `width` pixels (0: as it is).

        Raises
        ------
        PictureMissing : there is none, or not yet
        VideoError : the file cannot be read
        """
        self._asked_at = time.monotonic()
        if width and (instant, width) != self._wanted:
            self._wanted = instant, width
            self._is_wanted.set()
        return self._jpeg(camera, instant, width)

    def _jpeg(self, camera: str, instant: int, width: int) -> bytes:
        key = (camera, instant, width)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        path = self.path(camera, instant)
        encoded = encoded_picture(path, width, self._preview_file(path))
        with self._lock:
            if key not in self._kept:
                self._kept[key] = encoded
                self._size += len(encoded)
            while self._size > _ROOM and len(self._kept) > 1:
                self._size -= len(self._kept.popitem(last=False)[1])
        return encoded

    def _look_ahead(self) -> None:
        """Encode the pictures around the instant last asked for, as many as there is room for, half of the time; of all
        others make the smaller copies, so that a jump to them is quick, too.

        Waits while pictures are asked for: these come first.
        """
        while self._is_wanted.wait() and not self._closed:
            self._is_wanted.clear()
            at, width = self._wanted
            order = sorted(self.instants(), key=lambda i: abs(i - at))
            size = self._size / max(1, len(self._kept)) or 1.0
            n_near = int(_AHEAD * _ROOM / size / len(self.folders))
            for place, instant in enumerate(order):
                for camera in self.folders:
                    if self._is_wanted.is_set():
                        break
                    if place < n_near and (camera, instant, width) not in self._kept:
                        self._in_spare_time(partial(self._jpeg, camera, instant, width))
                    elif place >= n_near and (camera, instant) not in self._previewed:
                        self._in_spare_time(partial(self._preview, camera, instant))
                        self._previewed.add((camera, instant))

    def _in_spare_time(self, work: Callable[[], object]) -> None:
        """Do it once nothing has been asked for in a while, and rest as long as it took."""
        while not self._closed and time.monotonic() - self._asked_at < _PAUSE:
            time.sleep(_PAUSE / 2)
        started = time.perf_counter()
        with suppress(PictureMissing, VideoError, OSError):
            work()
        time.sleep(time.perf_counter() - started)

    def _preview(self, camera: str, instant: int) -> None:
        path = self.path(camera, instant)
        keep_preview(path, self._preview_file(path))

    def _preview_file(self, path: Path) -> Path:
        return self.previews / path.parent.name / f"{path.stem}.jpg"

    def path(self, camera: str, instant: int) -> Path:
        """The picture's file. Raises PictureMissing where there is none."""
        folder = self.folders[camera]
        if (name := folder.pictures.get(instant)) is not None:
            return folder.path / name
        if (name := self._decoded[camera].get(instant)) is not None:
            return self.decoded_in / camera / name
        raise PictureMissing((camera, instant) in self._coming)

    def instants(self) -> set[int]:
        """Those of which a camera has a picture."""
        return {i for folder in self.folders.values() for i in folder.pictures}.union(*self._decoded.values())

    def keep(self, camera: str, instant: int) -> None:
        """Move a picture that was decoded from a video to the project's own: something is labelled in it."""
        name = self._decoded[camera].get(instant)
        if name is not None:
            folder = self.folders[camera]
            folder.path.mkdir(parents=True, exist_ok=True)
            (self.decoded_in / camera / name).replace(folder.path / name)
            folder.pictures = dict(sorted((folder.pictures | {instant: name}).items()))
            with self._lock:
                self._decoded[camera] = {i: own for i, own in self._decoded[camera].items() if i != instant}

    def n_shown(self, instant: int) -> int:
        """How many cameras show an instant, those counted whose picture is still to come from a video."""
        return sum(
            instant in folder.pictures or (camera in self.videos and self.frame(camera, instant) >= 0)
            for camera, folder in self.folders.items()
        )

    def size(self, camera: str) -> tuple[int, int] | None:
        """(width, height) of a camera's pictures by the first, or of its video; None where neither can be read."""
        folder = self.folders[camera]
        for name in list(folder.pictures.values())[:1]:
            with suppress(VideoError):
                picture = read_picture(folder.path / name)
                return picture.shape[1], picture.shape[0]
        if camera in self.videos:
            with suppress(VideoError):
                info = probe_video(self.videos[camera], rate_needed=False)
                return info.width, info.height
        return None

    def frame(self, camera: str, instant: int) -> int:
        """Number of a camera's frame at an instant, -1 where it has none."""
        own = None if self.frames is None else self.frames.get(camera)
        return instant if own is None else int(own[instant]) if 0 <= instant < len(own) else -1

    def fetch(self, instants: list[int]) -> None:
        """Have the pictures of instants that only the videos hold decoded, in the background."""
        for camera, video in self.videos.items():
            known = {*self.folders[camera].pictures, *self._decoded[camera]}
            wanted = {i: self.frame(camera, i) for i in instants if i not in known}
            wanted = {i: f for i, f in wanted.items() if f >= 0 and (camera, i) not in self._coming}
            there = {i: picture_name(f) for i, f in wanted.items()}
            there = {i: name for i, name in there.items() if (self.decoded_in / camera / name).is_file()}
            self._know(camera, there)
            wanted = {i: f for i, f in wanted.items() if i not in there}
            if wanted:
                self._coming |= {(camera, i) for i in wanted}
                self._decoders.submit(self._decode, camera, video, wanted)

    def _decode(self, camera: str, video: VideoSource, wanted: dict[int, int]) -> None:
        instant_of = {frame: i for i, frame in wanted.items()}
        arrived = partial(self._arrived, camera, instant_of)
        try:
            write_pictures(video, wanted.values(), self.decoded_in / camera, written=arrived)
        except (VideoError, OSError) as error:
            self.problems[camera] = str(error)
        finally:
            self._coming -= {(camera, i) for i in wanted}

    def _arrived(self, camera: str, instant_of: Mapping[int, int], frame: int) -> None:
        self._know(camera, {instant_of[frame]: picture_name(frame)})

    def _know(self, camera: str, names: Mapping[int, str]) -> None:
        """Replace, not change: other threads may be reading."""
        with self._lock:
            self._decoded[camera] = {**self._decoded[camera], **names}

    def close(self) -> None:
        """Give up what is not decoded yet."""
        self._closed = True
        self._is_wanted.set()
        self._decoders.shutdown(wait=False, cancel_futures=True)
