"""One folder to label: its pictures, the points set in them, the points proposed, and the files that hold them."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..datasets.names import repeated_names
from ..formats.labels.deeplabcut_project import proposals_path, write_config, write_labels
from ..formats.labels.labelled_frames import LabelError
from ..formats.video.reading import VideoSource, files_of_source
from ..numerics.arrays import Array
from .instant_records import InstantRecord, Point, read_record, write_record
from .label_tables import TableWriter
from .picture_folders import (
    RECORDS,
    PictureFolder,
    at_instants,
    config_bones,
    config_list,
    find_picture_folders,
    find_scorer,
    find_table,
    read_table,
    table_path,
)
from .picture_store import PictureStore

_ROUNDING = 1e-3  # pixels: what the tables' three decimals leave open
Points = dict[str, dict[str, tuple[float, float]]]  # {camera: {keypoint: (x, y)}}


class StaleRevision(Exception):
    """The instant has been changed since: in another tab, or by another person; `record` is what it is now."""

    def __init__(self, record: InstantRecord):
        super().__init__(f"the instant has changed; it is at revision {record.revision} now")
        self.record = record


class LabelProject:
    """A folder of pictures and labels, open for labelling.

    Parameters
    ----------
    root : Path
        The project; made when something is written.
    keypoints : sequence of str
        Names in their order; further ones of the project's tables follow. Empty: those of the project.
    bones : sequence of (str, str)
        Pairs to connect.
    videos : {camera: video}
        Recordings that the project's pictures come from; used where the project is empty or its config.yaml names one.
    frames : {camera: (n_instants,) frame number, -1 where it has none}; None where the frame number is the instant's

    Raises
    ------
    LabelError : nothing names the keypoints, or a table holds several animals
    """

    def __init__(
        self,
        root: Path,
        *,
        keypoints: Sequence[str] = (),
        bones: Sequence[tuple[str, str]] = (),
        videos: Mapping[str, VideoSource] | None = None,
        frames: Mapping[str, NDArray[np.int64]] | None = None,
    ):
        self.root = root.resolve()
        config = _text(self.root / "config.yaml")
        found = find_picture_folders(self.root)
        named = videos and (not found or _names_videos(config, videos))
        self.videos: dict[str, VideoSource] = dict(videos or {}) if named else {}
        at_instants(found, frames if named else None)
        self.folders = {folder.camera: folder for folder in found}
        for camera in self.videos:
            self.folders.setdefault(camera, PictureFolder(camera, self.root / "labeled-data" / camera))
        order = [c for c in videos or {} if c in self.folders]
        self.folders = {camera: self.folders[camera] for camera in dict.fromkeys([*order, *self.folders])}
        self.scorer = find_scorer(self.folders.values(), config)
        tables, proposed, own = self._read_tables()
        self.keypoints = tuple(dict.fromkeys([*(keypoints or config_list(config, "bodyparts")), *own]))
        if not self.keypoints:
            raise LabelError(f"{root} names no keypoints; give them: --keypoints nose,tail")
        if repeated_names(self.keypoints):
            raise LabelError(f"{root} repeats the keypoints {repeated_names(self.keypoints)}; names must differ")
        known = set(self.keypoints)
        self.bones = tuple(pair for pair in (bones or config_bones(config)) if known.issuperset(pair))
        self._proposed = proposed
        self.records = self._read_records(tables)
        self.pictures = PictureStore(self.folders, self.videos, frames if named else None, self.root / RECORDS)
        self.pictures.fetch(self.instants())
        self._lock = threading.Lock()
        self.tables = TableWriter(self._write_table)
        self.tables.mark(camera for camera in self.folders if self._is_behind(camera))

    @property
    def cameras(self) -> tuple[str, ...]:
        return tuple(self.folders)

    def instants(self) -> list[int]:
        """The instants of which a camera has a picture, or a point was set."""
        return sorted(self.pictures.instants() | set(self.records))

    def record(self, instant: int) -> InstantRecord:
        """The points of an instant as its file has them now."""
        with self._lock:
            return self._fresh(instant)

    def change(self, instant: int, revision: int, changes: Mapping[str, Mapping[str, Point | None]]) -> InstantRecord:
        """Set points (None: take away) and write the instant's file; the tables follow in the background.

        Raises
        ------
        StaleRevision : the instant is not at this revision any more; nothing is changed
        LabelError : an unknown camera or keypoint
        """
        for camera, own in changes.items():
            unknown = [camera] if camera not in self.folders else sorted(set(own) - set(self.keypoints))
            if unknown:
                raise LabelError(f"the project has no camera or keypoint '{unknown[0]:.80}'")
        with self._lock:
            before = self._fresh(instant)
            if before.revision != revision:
                raise StaleRevision(before)
            after = before.changed(changes)
            for camera in changes:
                self.pictures.keep(camera, instant)
            write_record(self._record_path(instant), after)
            self.records[instant] = after
        self.tables.mark(changes)
        return after

    def add_instant(self, instant: int) -> None:
        """Take an instant of the videos in. Raises LabelError where no video has it."""
        if not any(self.pictures.frame(camera, instant) >= 0 for camera in self.videos):
            raise LabelError(f"no video has an instant {instant}" if self.videos else "the project has no videos")
        self.pictures.fetch([instant])

    def proposed(self, instant: int) -> Points:
        """Points that nobody has confirmed, of the project's own tables of proposals."""
        return self._proposed.get(instant, {})

    def close(self) -> None:
        """Write what is waiting, and end the threads."""
        self.pictures.close()
        self.tables.close()

    def points_2d(self, instants: Sequence[int], *, cameras: Sequence[str], observed_only: bool = False) -> Array:
        """(n_cameras, n_instants, n_keypoints, 2) the visible points, pixels; NaN elsewhere.

        observed_only : those that were accepted as other views have them are left out
        """
        place = {name: k for k, name in enumerate(self.keypoints)}
        points = np.full((len(cameras), len(instants), len(self.keypoints), 2), np.nan)
        for i, instant in enumerate(instants):
            record = self.records.get(instant, InstantRecord())
            for c, camera in enumerate(cameras):
                for name, point in record.points.get(camera, {}).items():
                    if point.state == "visible" and name in place and not (observed_only and point.source == "3d"):
                        points[c, i, place[name]] = point.x, point.y
        return points

    def _record_path(self, instant: int) -> Path:
        return self.root / RECORDS / f"{instant:06d}.json"

    def _fresh(self, instant: int) -> InstantRecord:
        """The record in memory, or that of the file where another process has written a later one."""
        known = self.records.get(instant, InstantRecord())
        written = read_record(self._record_path(instant))
        if written.revision > known.revision:
            self.records[instant] = known = written
        return known

    def _read_tables(self) -> tuple[dict, dict[int, Points], list[str]]:
        """{camera: {instant: points}} of the label tables, the same by instant of the proposals, and all keypoints."""
        tables: dict[str, dict[int, dict[str, tuple[float, float]]]] = {}
        proposed: dict[int, Points] = {}
        names: list[str] = []
        for camera, folder in self.folders.items():
            path, drafts = find_table(folder.path, self.scorer), proposals_path(table_path(folder.path, self.scorer))
            draft, _ = _points_of_table(drafts, folder) if drafts.is_file() else ({}, ())
            for instant, own in draft.items():
                proposed.setdefault(instant, {})[camera] = own
            if path is not None:
                found, keypoints = _points_of_table(path, folder)
                names += keypoints
                tables[camera] = {
                    i: {k: p for k, p in own.items() if draft.get(i, {}).get(k) != p} for i, own in found.items()
                }
        return tables, proposed, list(dict.fromkeys(names))

    def _read_records(self, tables: Mapping[str, Mapping[int, Mapping[str, tuple[float, float]]]]):
        """The instants' records; what was changed in a table since, in another labeller, is taken over."""
        paths = {int(p.stem): p for p in (self.root / RECORDS).glob("*.json") if p.stem.isdecimal()}
        records = {instant: read_record(path) for instant, path in paths.items()}
        for camera, rows in tables.items():
            changed_at = _changed_at(find_table(self.folders[camera].path, self.scorer))
            for instant, own in rows.items():
                record = records.get(instant, InstantRecord())
                if instant in paths and changed_at <= _changed_at(paths[instant]):
                    continue
                merged = _merged(record.points.get(camera, {}), own)
                if merged:
                    records[instant] = InstantRecord(record.revision, dict(record.points) | {camera: merged})
        return records

    def _is_behind(self, camera: str) -> bool:
        """Whether an instant was written after the camera's table: the program was killed between."""
        folder = self.folders[camera]
        table = _changed_at(find_table(folder.path, self.scorer))
        return any(
            record.revision and camera in record.points and _changed_at(self._record_path(instant)) > table
            for instant, record in self.records.items()
        )

    def _write_table(self, camera: str) -> None:
        """The camera's label tables, and config.yaml where there is none; hidden points are empty cells, as absent."""
        folder = self.folders[camera]
        instants = sorted(folder.pictures)
        if not instants:
            return
        with self._lock:
            points = self.points_2d(instants, cameras=[camera])[0]
        rows = [folder.row_name(instant) for instant in instants]
        write_labels(table_path(folder.path, self.scorer), rows, points, self.keypoints, self.scorer)
        if not (self.root / "config.yaml").exists():
            videos = {name: str(files_of_source(video)[0]) for name, video in self.videos.items()}
            write_config(self.root, videos, self.keypoints, self.bones, self.scorer)


def _points_of_table(path: Path, folder: PictureFolder):
    """{instant: {keypoint: (x, y)}} of the places in a table, and its keypoints."""
    rows, keypoints = read_table(path)
    found = {}
    for instant, name in folder.pictures.items():
        if name in rows:
            places = rows[name].round(3).tolist()
            found[instant] = {k: (x, y) for k, (x, y) in zip(keypoints, places, strict=True) if x == x}
    return found, keypoints


def _merged(known: Mapping[str, Point], table: Mapping[str, tuple[float, float]]) -> dict[str, Point]:
    """A picture's points as a table has them, with what no table can say (hidden, absent) kept."""
    kept = {name: p for name, p in known.items() if p.state != "visible" and name not in table}
    for name, (x, y) in table.items():
        own = known.get(name)
        same = own is not None and abs(own.x - x) < _ROUNDING and abs(own.y - y) < _ROUNDING
        kept[name] = own if own is not None and same else Point(x, y)
    return kept


def _changed_at(path: Path | None) -> int:
    try:
        return 0 if path is None else path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _names_videos(config: str, videos: Mapping[str, VideoSource]) -> bool:
    return any(files_of_source(video)[0].name in config for video in videos.values())
