"""Write the report: one HTML file that needs neither network nor WebGL."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template

import pandas as pd

from .. import __version__
from ..datasets.atomic_files import atomic_write
from ..formats.video.reading import VideoSource
from .figures import FILE_FORMATS, MOST_DRAWN, saved_figures
from .full_data import data_folder, write_pieces
from .markup import Markup, Section, element, embedded_json, escape, read_asset
from .player import every_position, player_scene
from .sections import overview
from .sections.angles_and_speeds import drawn_curves, motion_section
from .sections.calibration_quality import calibration_section
from .sections.gait_diagram import gait_section
from .sections.reconstruction_quality import quality_section
from .session_results import SessionResults
from .stick_figure_row import stick_figures


def write_report(
    path: str | os.PathLike,
    results: SessionResults,
    *,
    title: str,
    summary: Mapping[str, object],
    videos: Mapping[str, VideoSource] | None = None,
    errors: pd.DataFrame | None = None,
    data_files: Mapping[str, str] | None = None,
) -> Path:
    """Write the results of a session as one HTML file that needs no network.

    Each section appears where its input is given.

    Parameters
    ----------
    path : str or PathLike
        The file; its folder is made, and an old file is replaced only by a complete new one.
    results : SessionResults
        What the steps have made.
    title : str
        The heading.
    summary : mapping of str to object
        Label and text of each line of the first section.
    videos : mapping of str to path or sequence of path, optional
        Video of each camera, for pictures under the reprojections: up to 60 instants along the recording, some 2.6 MB.
    errors : pandas.DataFrame, optional
        Errors against a known truth, as `compare_with_truth` of the demo gives.
    data_files : mapping of str to str, optional
        Files beside the page that it links to, and what each holds: of long recordings the page shows a part.

    Returns
    -------
    Path
        The written file; the same input gives the same bytes.

    Notes
    -----
    Missing points (NaN) are gaps in curves and in the player, and counted in the tables. Of more than 1,200 frames the
    curves show a part, of more than some ten thousand the player, too; all frames are then written in pieces to a
    folder beside the page (report_data of report.html), from which it loads a window of time.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.datasets import pose_dataset
    >>> from muybridge.report import SessionResults, write_report
    >>> pose = pose_dataset(np.zeros((4, 2, 3)), keypoints=["nose", "tail"], times=[0.0, 0.1, 0.2, 0.3], unit="mm")
    >>> results = SessionResults(pose=pose)
    >>> write_report("report.html", results, title="A still animal", summary={"Animal": "a rat"}).name
    'report.html'
    """
    pose, rig, skeleton = results.pose, results.rig, results.skeleton
    stills = overview.stills_section(results, dict(videos or {}))
    first = [
        overview.summary_section(summary, results, has_images=stills is not None),
        overview.truth_section(errors),
        overview.player_section(pose, skeleton, rig),
        stills,
    ]
    made = {"views": results.views, "pose": pose, "kinematics": results.kinematics}
    last = overview.provenance_section(data_files or {}, **made)
    parts = [*first, *_plotted(results), last]
    shown = [part for part in parts if part is not None]
    page = whole_page(
        title,
        shown,
        kind="session report",
        scripts=("player_scene.js", "player_view.js", "player_hands.js", "player.js", "stills.js", "zoom.js"),
        foot="time_line.html",
        data=_every_frame(results, data_folder(path)),
    )
    return write_page(Path(path), page)


def write_figures(folder: str | os.PathLike, results: SessionResults, *, format: str = "svg") -> list[Path]:
    """Write the figures of the report as files: the row of stick figures, angles, gait, quality, calibration.

    Parameters
    ----------
    folder : str or PathLike
        It is made; files of the same names are replaced.
    results : SessionResults
        What the steps have made; each figure is written where its input is there.
    format : str
        "svg", "pdf" or "png".

    Returns
    -------
    list of Path
        The files; the same input gives the same bytes.

    Raises
    ------
    ValueError
        No such format.

    Notes
    -----
    Missing points (NaN) are gaps in curves.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> from muybridge.report import SessionResults, write_figures
    >>> angle = (("time", "joint"), np.ones((4, 1)), {"units": "radian"})
    >>> motion = xr.Dataset({"angle": angle}, {"time": [0.0, 0.1, 0.2, 0.3], "joint": ["knee"]})
    >>> [path.name for path in write_figures("figures", SessionResults(kinematics=motion), format="pdf")]
    ['angle-of-knee.pdf']
    """
    if format not in FILE_FORMATS:
        raise ValueError(f"format is {format!r}; known: {', '.join(FILE_FORMATS)}")
    with saved_figures(Path(folder), format) as files:
        if results.pose is not None and results.rig is not None:
            stick_figures(results.pose, results.skeleton, results.rig.up)
        _plotted(results)
    return files


def _every_frame(results: SessionResults, folder: Path) -> Markup:
    """Write the data of every frame into a folder beside the page, where the page shows a part of them."""
    pose, kinematics, skeleton = results.pose, results.kinematics, results.skeleton
    if pose is None or pose.sizes["time"] <= MOST_DRAWN:
        return Markup()
    same = kinematics is not None and kinematics.sizes["time"] == pose.sizes["time"]
    curves = drawn_curves(kinematics if same else None, pose, skeleton)
    positions = every_position(pose, player_scene(pose, skeleton, results.rig), results.rig)
    times, every = pose["time"].values.astype(float), int(pose.attrs.get("every", 1))
    return embedded_json("zoom", write_pieces(folder, times, positions, curves, every))


def _plotted(results: SessionResults) -> list[Section | None]:
    """The sections that plots fill."""
    pose, kinematics, skeleton = results.pose, results.kinematics, results.skeleton
    return [
        motion_section(kinematics, pose, skeleton),
        overview.body_section(pose),
        gait_section(kinematics, results.strides),
        quality_section(results.views, pose, results.reprojection_errors, skeleton),
        calibration_section(results.calibration_report, results.rig),
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
