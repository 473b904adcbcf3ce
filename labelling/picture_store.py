"""Pictures as the page asks for them: decoded from videos where they lie there only, made smaller, encoded as JPEG."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..formats.labels.deeplabcut_project import picture_name, write_pictures
from ..formats.labels.picture_copies import COPIES, encoded_picture
from ..formats.video.reading import VideoError, VideoSource, probe_video, read_picture
from ..numerics.threads import n_processors
from .picture_folders import PictureFolder
from .spare_time_copies import SpareTimeCopies

_N_THREADS = min(4, n_processors())  # that decode videos
_N_ENCODERS = min(12, n_processors())  # that decode pictures: those of one instant


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
        self.decoded_in, self._copied_in = own / ".pictures", own / COPIES.name
        self._decoded: dict[str, dict[int, str]] = {camera: {} for camera in folders}
        self.problems: dict[str, str] = {}
        self._lock = threading.Lock()
        self._coming: set[tuple[str, int]] = set()
        # pools that live as long as the page and are asked from its server's threads: no list of work is given, as
        # numerics.threads takes
        self._decoders = ThreadPoolExecutor(_N_THREADS, thread_name_prefix="decoder")
        self._encoders = ThreadPoolExecutor(_N_ENCODERS, thread_name_prefix="encoder")
        self._spare_time = SpareTimeCopies(tuple(folders), self.instants(), self._with_copies, own.parent)

    def jpegs(
        self, cameras: Sequence[str], instant: int, width: int, check_wanted: Callable[[], None] = lambda: None
    ) -> Iterator[dict[int, bytes | PictureMissing]]:
        """The pictures of an instant, some `width` pixels wide or more (0: as they are), or why there is none.

        By their place in `cameras`, as they become ready; they are begun in this order.

        check_wanted : called before each picture; what it raises is raised, and the others are given up
        """
        self._spare_time.give_way(near=instant)

        def jpeg(camera: str) -> bytes | PictureMissing:
            check_wanted()
            return self._jpeg(camera, instant, width)

        waiting = {self._encoders.submit(jpeg, camera): place for place, camera in enumerate(cameras)}
        while waiting:
            ready, _ = wait(waiting, return_when=FIRST_COMPLETED)
            yield {waiting.pop(picture): picture.result() for picture in ready}

    def _jpeg(self, camera: str, instant: int, width: int) -> bytes | PictureMissing:
        try:
            path, copies = self._with_copies(camera, instant)
            return encoded_picture(path, width, copies)
        except PictureMissing as missing:
            return missing
        except (VideoError, OSError) as error:
            self.problems[camera] = str(error)
            return PictureMissing(False)

    def give_way(self) -> None:
        """Have the copies that are made in spare time wait: the page has asked for something else than pictures."""
        self._spare_time.give_way()

    def _with_copies(self, camera: str, instant: int) -> tuple[Path, Path]:
        path = self.path(camera, instant)
        return path, self._copied_in / path.parent.name

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

        def arrived(frame: int) -> None:
            self._know(camera, {instant_of[frame]: picture_name(frame)})

        folder, copies = self.decoded_in / camera, self._copied_in / camera
        try:
            write_pictures(video, wanted.values(), folder, copies=copies, written=arrived)
        except (VideoError, OSError) as error:
            self.problems[camera] = str(error)
        finally:
            self._coming -= {(camera, i) for i in wanted}

    def _know(self, camera: str, names: Mapping[int, str]) -> None:
        """Replace, not change: other threads may be reading."""
        with self._lock:
            self._decoded[camera] = {**self._decoded[camera], **names}

    def close(self) -> None:
        """Give up what is not decoded yet, after the picture that is being decoded."""
        self._spare_time.close()
        self._encoders.shutdown()
        self._decoders.shutdown(wait=False, cancel_futures=True)
