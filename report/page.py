"""Write the report: one HTML file that needs neither network nor WebGL."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

import pandas as pd
import xarray as xr

from ..datasets import Skeleton, check_kinematics, check_pose, combine_ensemble
from ..datasets.atomic_files import atomic_write
from ..formats.video.reading import VideoSource
from .figures import FILE_FORMATS, MOST_DRAWN, saved_figures
from .full_data import data_folder, write_pieces
from .markup import Markup, Section, element, embedded_json, escape, read_asset
from .player import every_position, player_scene
from .reprojection import reprojection_errors
from .sections import overview
from .sections.angles_and_speeds import drawn_curves, motion_section
from .sections.calibration_quality import calibration_section
from .sections.gait_diagram import gait_section
from .sections.reconstruction_quality import quality_section
from .stick_figure_row import stick_figures


def write_report(
    path: str | os.PathLike,
    *,
    title: str,
    summary: Mapping[str, object],
    rig=None,
    calibration_report=None,
    views: xr.Dataset | None = None,
    pose: xr.Dataset | None = None,
    kinematics: xr.Dataset | None = None,
    skeleton: Skeleton | None = None,
    videos: Mapping[str, VideoSource] | None = None,
    errors: pd.DataFrame | None = None,
    strides: pd.DataFrame | None = None,
    data_files: Mapping[str, str] | None = None,
) -> Path:
    """Write the results of a session as one HTML file that needs no network.

    Each section appears where its input is given.

    Parameters
    ----------
    path : str or PathLike
        The file; its folder is made, and an old file is replaced only by a complete new one.
    title : str
        The heading.
    summary : mapping of str to object
        Label and text of each line of the first section.
    rig : CameraRig, optional
        Draws the cameras, the vertical and the reprojections.
    calibration_report : CalibrationReport, optional
        Its table, warnings and plots.
    views : xarray.Dataset, optional
        Detected keypoints (view, time, keypoint, space), pixels.
    pose : xarray.Dataset, optional
        3D keypoints, with `reprojection_error` as `reconstruct` stores it; without it the errors are computed from
        `views` and `rig`.
    kinematics : xarray.Dataset, optional
        Joint angles and velocities, and `stance` for the gait diagram.
    skeleton : Skeleton, optional
        Bones and sides of the player and of the pictures.
    videos : mapping of str to path or sequence of path, optional
        Video of each camera, for pictures under the reprojections: up to 60 instants along the recording, some 2.6 MB.
    errors : pandas.DataFrame, optional
        Errors against a known truth, as `compare_with_truth` of the demo gives.
    strides : pandas.DataFrame, optional
        Table of `gait`, one row per stride.
    data_files : mapping of str to str, optional
        Files beside the page that it links to, and what each holds: of long recordings the page shows a part.

    Returns
    -------
    Path
        The written file; the same input gives the same bytes.

    Raises
    ------
    DatasetError
        A dataset is not laid out as its stage writes it.

    Notes
    -----
    Missing points (NaN) are gaps in curves and in the player, and counted in the tables. Of more than 1,200 frames the
    curves show a part, of more than some ten thousand the player, too; all frames are then written in pieces to a
    folder beside the page (report_data of report.html), from which it loads a window of time.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.datasets import pose_dataset
    >>> from muybridge.report import write_report
    >>> pose = pose_dataset(np.zeros((4, 2, 3)), keypoints=["nose", "tail"], times=[0.0, 0.1, 0.2, 0.3], unit="mm")
    >>> write_report("report.html", title="A still animal", summary={"Animal": "a rat"}, pose=pose).name
    'report.html'
    """
    made = _Made.checked(rig, calibration_report, views, pose, kinematics, skeleton, strides)
    first = [
        made.summary(summary),
        overview.truth_section(errors),
        overview.player_section(made.pose, skeleton, rig),
        overview.stills_section(
            made.views, dict(videos or {}), pose=made.pose, rig=rig, errors=made.errors, skeleton=skeleton
        ),
    ]
    last = overview.provenance_section(data_files or {}, views=made.views, pose=made.pose, kinematics=made.kinematics)
    parts = [*first, *made.plotted(), last]
    shown = [part for part in parts if part is not None]
    page = whole_page(
        title,
        shown,
        kind="session report",
        scripts=("player_scene.js", "player_view.js", "player_hands.js", "player.js", "stills.js", "zoom.js"),
        foot="time_line.html",
        data=made.every_frame(data_folder(path)),
    )
    return write_page(Path(path), page)


def write_figures(
    folder: str | os.PathLike,
    *,
    format: str = "svg",
    rig=None,
    calibration_report=None,
    views: xr.Dataset | None = None,
    pose: xr.Dataset | None = None,
    kinematics: xr.Dataset | None = None,
    skeleton: Skeleton | None = None,
    strides: pd.DataFrame | None = None,
) -> list[Path]:
    """Write the figures of the report as files: the row of stick figures, angles, gait, quality, calibration.

    Parameters
    ----------
    folder : str or PathLike
        It is made; files of the same names are replaced.
    format : str
        "svg", "pdf" or "png".
    rig, calibration_report, views, pose, kinematics, skeleton, strides : optional
        As of `write_report`; each figure is written where its input is given.

    Returns
    -------
    list of Path
        The files; the same input gives the same bytes.

    Raises
    ------
    ValueError
        No such format.
    DatasetError
        A dataset is not laid out as its stage writes it.

    Notes
    -----
    Missing points (NaN) are gaps in curves.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> from muybridge.report import write_figures
    >>> angle = (("time", "joint"), np.ones((4, 1)), {"units": "radian"})
    >>> motion = xr.Dataset({"angle": angle}, {"time": [0.0, 0.1, 0.2, 0.3], "joint": ["knee"]})
    >>> [path.name for path in write_figures("figures", format="pdf", kinematics=motion)]
    ['angle-of-knee.pdf']
    """
    if format not in FILE_FORMATS:
        raise ValueError(f"format is {format!r}; known: {', '.join(FILE_FORMATS)}")
    made = _Made.checked(rig, calibration_report, views, pose, kinematics, skeleton, strides)
    with saved_figures(Path(folder), format) as files:
        if made.pose is not None and rig is not None:
            stick_figures(made.pose, skeleton, rig.up)
        made.plotted()
    return files


@dataclass(frozen=True, eq=False)
class _Made:
    """What the steps have made, checked; `errors` are reprojection errors, pixels."""

    rig: Any
    calibration_report: Any
    views: xr.Dataset | None
    pose: xr.Dataset | None
    kinematics: xr.Dataset | None
    skeleton: Skeleton | None
    strides: pd.DataFrame | None
    errors: xr.DataArray | None

    @classmethod
    def checked(cls, rig, calibration_report, views, pose, kinematics, skeleton, strides) -> _Made:
        views = None if views is None else combine_ensemble(views)
        pose = None if pose is None else check_pose(pose)
        kinematics = None if kinematics is None else check_kinematics(kinematics)
        errors = reprojection_errors(views, pose, rig)
        return cls(rig, calibration_report, views, pose, kinematics, skeleton, strides, errors)

    def summary(self, summary: Mapping[str, object]) -> Section | None:
        return overview.summary_section(
            summary, rig=self.rig, views=self.views, pose=self.pose, errors=self.errors,
            calibration_report=self.calibration_report, kinematics=self.kinematics,
        )  # fmt: skip

    def every_frame(self, folder: Path) -> Markup:
        """Write the data of every frame into a folder beside the page, where the page shows a part of them."""
        pose = self.pose
        if pose is None or pose.sizes["time"] <= MOST_DRAWN:
            return Markup()
        same = self.kinematics is not None and self.kinematics.sizes["time"] == pose.sizes["time"]
        curves = drawn_curves(self.kinematics if same else None, pose, self.skeleton)
        positions = every_position(pose, player_scene(pose, self.skeleton, self.rig), self.rig)
        times, every = pose["time"].values.astype(float), int(pose.attrs.get("every", 1))
        return embedded_json("zoom", write_pieces(folder, times, positions, curves, every))

    def plotted(self) -> list[Section | None]:
        """The sections that plots fill."""
        return [
            motion_section(self.kinematics, self.pose, self.skeleton),
            overview.body_section(self.pose),
            gait_section(self.kinematics, self.strides),
            quality_section(self.views, self.pose, self.errors, self.skeleton),
            calibration_section(self.calibration_report, self.rig),
        ]


def whole_page(
    title: str,
    parts: list[Section],
    *,
    kind: str,
    scripts: Sequence[str],
    foot: str | None = None,
    data: Markup | None = None,
) -> str:
    """The whole document around the sections, with a contents list made of their headings.

    kind : what the page is, above its title; scripts : the assets that run after those of every page; foot : the asset
    below the sections; data : more for the scripts to read
    """
    from .. import __version__

    contents = "".join(element("a", part.title, href=f"#{part.anchor}") for part in parts)
    return Template(read_asset("page.html")).substitute(
        title=escape(title),
        version=escape(__version__),
        kind=escape(kind),
        style=read_asset("page.css"),
        contents=contents,
        sections="\n".join(part.html for part in parts),
        foot=(read_asset(foot) if foot else "") + (data or ""),
        script="".join(map(read_asset, ("time_line.js", "page.js", *scripts))),
    )


def write_page(path: Path, text: str) -> Path:
    """Write the text; an old file is replaced only by a complete new one."""
    with atomic_write(path) as partial:
        partial.write_text(text, encoding="utf-8")
    return path
