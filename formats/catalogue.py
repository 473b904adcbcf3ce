"""Every format by name: what a file of it holds, how it is recognised, and the functions that read and write it.

The one table behind `read_views`, `write_views`, `read_pose`, `write_pose`, ``muybridge export`` and docs/formats.md.
A function is named "room.module:function" and imported when it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from ..datasets.names import NETCDF_SUFFIXES, nearest
from .files import HDF5_SUFFIXES, FormatError, existing

FOLDER = "a folder"  # in place of a suffix


class Format(NamedTuple):
    """A kind of file.

    name : what a user calls it
    kind : "views" (2D points), "pose" (3D), "kinematics" (angles), "rig" (cameras) or "labels"
    suffixes : of its files, or FOLDER; the first is written
    kept : what a file keeps of the data, in words
    read, write, recognise : "room.module:function", empty where there is none; `recognise` tells formats of one suffix
        apart, and a format without it takes what the ones before left
    extra : the packages that must be installed, an extra of muybridge
    ending : of written files, where it is more than the suffix
    unnamed : whether a file has no names of keypoints
    cameras : whether a file has a place for the cameras, too
    max_frames : that a file can hold; 0: any number
    by_rows : whether `read` gives a file of any length as `FileRows`, so many rows after the other
    several : whether a file holds several individuals
    instants : whether the rows of 2D points are instants of all cameras with their times, not the camera's frames
    """

    name: str
    kind: str
    suffixes: tuple[str, ...]
    kept: str
    read: str = ""
    write: str = ""
    recognise: str = ""
    extra: str = ""
    ending: str = ""
    unnamed: bool = False
    cameras: bool = False
    instants: bool = False
    max_frames: int = 0
    several: bool = False
    by_rows: bool = False

    @property
    def reader(self) -> Callable:
        """The function that reads a file as a whole."""
        read = function_at(self.read)
        return partial(function_at("predictions.tracks:track_of_rows"), read) if self.by_rows else read

    @property
    def writer(self) -> Callable:
        """The function that writes a file."""
        return function_at(self.write)

    def is_of(self, path: Path) -> bool:
        """Whether a file of one of the suffixes is of this format."""
        return not self.recognise or bool(function_at(self.recognise)(path))


_DLC = "predictions.deeplabcut:"

FORMATS = (
    Format("caliscope-xy", "views", (".csv",), "points by number, all cameras in one table, mean times, frame numbers",
           "predictions.caliscope:read_caliscope", "", "predictions.caliscope:is_caliscope", unnamed=True,
           instants=True),
    Format("jarvis-csv", "views", (".csv",), "points, confidence (0-255 as 0-1), names where it has them",
           "predictions.jarvis:read_jarvis", "", "predictions.jarvis:is_jarvis"),
    Format("deeplabcut-csv", "views", (".csv",), "points, likelihood, individuals, frame numbers",
           f"{_DLC}deeplabcut_rows", f"{_DLC}write_csv", by_rows=True),
    Format("lightning-pose-csv", "views", (".csv",), "points, likelihood, frame numbers; in pixels of the picture:"
           " the corners in `..._bbox.csv` are added, points left in its `image_resize_dims` are stretched",
           f"{_DLC}deeplabcut_rows", f"{_DLC}write_lightning_pose", by_rows=True),
    Format("eks-csv", "views", (".csv",), "points, likelihood; one file per camera, or NAME_CAMERA in one for all; its"
           " variances become the covariance", f"{_DLC}deeplabcut_rows", by_rows=True),
    Format("sleap-h5", "views", HDF5_SUFFIXES, "points, scores, tracks", "predictions.sleap:sleap_rows",
           "predictions.sleap:write_sleap", "predictions.sleap:is_sleap_analysis", ending=".analysis.h5", by_rows=True),
    Format("deeplabcut-h5", "views", HDF5_SUFFIXES, "points, likelihood, individuals, frame numbers (also anipose's)",
           f"{_DLC}deeplabcut_rows", f"{_DLC}write_h5", by_rows=True),
    Format("sleap-slp", "views", (".slp",), "points, scores, tracks; of several videos the camera's",
           "predictions.sleap_project:read_sleap_project"),
    Format("openpose-json", "views", (FOLDER,), "points, confidence, people (not followed), frame numbers; names by the"
           " number of keypoints (COCO, BODY_25, HALPE_26); a folder per camera (OpenPose, Pose2Sim)",
           "predictions.openpose:openpose_rows", "predictions.openpose:write_openpose",
           "predictions.openpose:is_openpose", ending="_json", by_rows=True),
    Format("label3d-mat", "views", (".mat",), "labelled points of all cameras, frame numbers (also DANNCE's)",
           "predictions.label3d:read_label3d", unnamed=True),
    Format("nwb", "views", (".nwb",), "points, confidence, times, names; a container per camera (ndx-pose);"
           " only writing needs the extra", "poses.nwb_views:read_nwb_track", "poses.nwb_views:write_nwb_views",
           extra="nwb"),
    Format("netcdf", "views", NETCDF_SUFFIXES, "everything; also a 2D file of movement",
           "predictions.netcdf_tracks:read_netcdf_track", "predictions.netcdf_tracks:write_netcdf"),
    Format("caliscope-xyz", "pose", (".csv",), "points by number, in metres, times; frames without any point at the"
           " ends are lost", "poses.caliscope:read_xyz", "poses.caliscope:write_xyz", "poses.caliscope:is_xyz",
           unnamed=True, ending=".xyz.csv"),
    Format("jarvis-csv", "pose", (".csv",), "points, confidence, names where it has them",
           "poses.dannce:read_jarvis_pose", "", "predictions.jarvis:is_jarvis"),
    Format("anipose-csv", "pose", (".csv",), "points, error, ncams, score, frame numbers, transformation; time and unit"
           " in columns that anipose ignores", "poses.csv_tables:read_pose_csv", "poses.csv_tables:write_pose_csv"),
    Format("csv", "pose", (".csv",), "time, points, confidence", "poses.csv_tables:read_pose_csv",
           "poses.csv_tables:write_plain_csv"),
    Format("csv-all", "pose", (".csv",), "time and every variable over time in columns; points, confidence and"
           " covariances are read", "poses.csv_tables:read_pose_csv", "poses.wide_tables:write_csv"),
    Format("netcdf", "pose", NETCDF_SUFFIXES, "everything", "poses.reading:read_netcdf", "poses.reading:write_netcdf",
           several=True),
    Format("parquet", "pose", (".parquet",), "everything, as a table with metadata", "poses.wide_tables:read_parquet",
           "poses.wide_tables:write_parquet", extra="parquet", several=True),
    Format("nwb", "pose", (".nwb",), "points, confidence, times, unit, names, cameras (ndx-pose); only writing needs"
           " the extra", "poses.nwb:read_nwb", "poses.nwb:write_nwb", extra="nwb", cameras=True, several=True),
    Format("c3d", "pose", (".c3d",), "points in single precision, even times, unit, names", "poses.c3d:read_c3d",
           "poses.c3d:write_c3d", extra="c3d", max_frames=65_535),
    Format("trc", "pose", (".trc",), "points, times, unit, first frame", "poses.trc:read_trc", "poses.trc:write_trc"),
    Format("sleap-anipose-h5", "pose", HDF5_SUFFIXES, "points of all individuals; no names, times or unit",
           "poses.sleap_anipose:read_points3d", "poses.sleap_anipose:write_points3d", unnamed=True, several=True,
           ending=".points3d.h5"),
    Format("dannce-mat", "pose", (".mat",), "predicted points and p_max, or labelled points at their frames",
           "poses.dannce:read_dannce", unnamed=True),
    Format("netcdf", "kinematics", NETCDF_SUFFIXES, "everything", "poses.reading:read_netcdf",
           "poses.reading:write_netcdf", several=True),
    Format("csv", "kinematics", (".csv",), "time and every variable over time, in columns", "",
           "poses.wide_tables:write_csv"),
    Format("parquet", "kinematics", (".parquet",), "everything, as a table with metadata",
           "poses.wide_tables:read_parquet", "poses.wide_tables:write_parquet", extra="parquet", several=True),
    Format("mot", "kinematics", (".mot",), "angles in radians, times (OpenSim)", "poses.mot:read_mot",
           "poses.mot:write_mot"),
    Format("anipose-toml", "rig", (".toml",), "everything; unit, up and lens model in keys that anipose ignores (read"
           " also: sleap-anipose, Pose2Sim, freemocap, caliscope)",
           "rigs.toml_files:read_toml", "rigs.toml_files:write_toml"),
    Format("json", "rig", (".json",), "everything; read also: scenes of AcinoSet", "rigs.json_files:read_json",
           "rigs.json_files:write_json"),
    Format("qualisys-xml", "rig", (".xml", ".txt"), "video cameras of Qualisys (.qca.txt)",
           "rigs.qualisys:read_qualisys", "", "rigs.qualisys:is_qualisys"),
    Format("opencv-yaml", "rig", (".yaml", ".yml", ".xml"), "everything; read also: EasyMocap, JARVIS",
           "rigs.opencv:read_opencv", "rigs.opencv:write_opencv"),
    Format("label3d-mat", "rig", (".mat",), "K, five lens coefficients, R, t; no size, unit or vertical",
           "rigs.label3d:read_label3d", "rigs.label3d:write_label3d"),
    Format("dlt-csv", "rig", (".csv", ".txt"), "eleven coefficients per camera; no lens, size or names (Argus, DLTdv)",
           "rigs.dlt_coefficients:read_dlt", "rigs.dlt_coefficients:write_dlt"),
    Format("nwb", "rig", (".nwb",), "everything of a pose's file (ndx-pose); written by write_pose(..., rig=...)",
           "poses.nwb:read_nwb_cameras"),
    Format("sleap-labels", "labels", (*HDF5_SUFFIXES, ".slp"), "labelled frames of one animal in videos; of a project"
           " those that a person placed", "labels.sleap:read_sleap_labels", "", "labels.sleap:is_sleap"),
    Format("deeplabcut-labels", "labels", (".csv", *HDF5_SUFFIXES), "labelled pictures of one animal; written as CSV"
           " and h5 (read also: Lightning Pose)", "labels.deeplabcut:read_deeplabcut_labels",
           "labels.deeplabcut_project:write_labels"),
    Format("coco-json", "labels", (".json",), "labelled pictures of one animal", "labels.coco:read_coco_labels"),
)  # fmt: skip


def function_at(where: str) -> Callable:
    module, _, name = where.partition(":")
    return getattr(import_module(f".{module}", __package__), name)


def formats_of(kind: str, *, written: bool = False) -> list[Format]:
    """The formats of one kind that are read, or those that are written."""
    return [row for row in FORMATS if row.kind == kind and (row.write if written else row.read)]


def format_of(kind: str, name: str, *, written: bool = False) -> Format:
    """The format of a name.

    Raises
    ------
    FormatError
        There is none.
    """
    known = {row.name: row for row in formats_of(kind, written=written)}
    if name not in known:
        verb = "written" if written else "read"
        raise FormatError(
            f"there is no format '{name}' in which {WORDS[kind]} are {verb}{nearest(name, known)}; known: {list(known)}"
        )
    return known[name]


WORDS = {"views": "2D points", "pose": "poses", "kinematics": "angles", "rig": "cameras", "labels": "labels"}


def recognised(kind: str, path: Path) -> Format:
    """The format of a file that exists.

    Raises
    ------
    FormatError
        It is of no format of this kind, or may not be opened (see `existing`).
    """
    path = existing(path)
    suffix = FOLDER if path.is_dir() else path.suffix.lower()
    rows = formats_of(kind)
    with _naming(kind, path):
        found = next((row for row in rows if suffix in row.suffixes and row.is_of(path)), None)
    if found is None:
        known = list(dict.fromkeys(suffix for row in rows for suffix in row.suffixes))
        raise FormatError(
            f"{path}: {WORDS[kind]} are read from {', '.join(known)}, not from"
            f" {'a folder without such files' if suffix == FOLDER else repr(suffix)}"
        )
    return found


def read_as(kind: str, path: Path, *arguments: Any, **options: Any) -> Any:
    """What the reader of a file's format gives.

    Raises
    ------
    FormatError
        The file is of no format of this kind, or cannot be opened: HDF5 notices that it is cut off.
    """
    found = recognised(kind, path)
    with _naming(kind, path):
        return found.reader(path, *arguments, **options)


def rows_of(kind: str, path: Path, n_rows: int) -> Iterator[Any] | None:
    """What a file holds, so many rows after the other; None of a format that is read whole.

    Raises
    ------
    FormatError
        As `read_as`.
    """
    found = recognised(kind, path)
    return _named_rows(kind, found, path, n_rows) if found.by_rows else None


def _named_rows(kind: str, found: Format, path: Path, n_rows: int) -> Iterator[Any]:
    with _naming(kind, path):
        yield from function_at(found.read)(path, n_rows)


@contextmanager
def _naming(kind: str, path: Path) -> Iterator[None]:
    """The errors of the libraries that open files, with the file's name."""
    try:
        yield
    except OSError as error:
        raise FormatError(f"{path} cannot be read ({error}): it is cut off; copy or make it again") from error
    except RecursionError as error:
        raise FormatError(f"{path} is nested too deeply to be {WORDS[kind]}; export it again") from error
    except RuntimeError as error:  # of HDF5, where links inside a file lead to each other
        raise FormatError(f"{path} cannot be read ({error}); export it again") from error


def written_as(kind: str, path: Path) -> Format:
    """The format that is written with a file's suffix: of several the one that needs not be told apart.

    Raises
    ------
    FormatError
        There is none.
    """
    rows = formats_of(kind, written=True)
    fitting = sorted((row for row in rows if path.suffix.lower() in row.suffixes), key=lambda row: bool(row.recognise))
    if not fitting:
        known = list(dict.fromkeys(suffix for row in rows for suffix in row.suffixes))
        raise FormatError(f"{WORDS[kind]} are written as {', '.join(known)}, not as '{path.suffix}' ({path})")
    return fitting[0]
