"""Paths and skeletons in space: a figure for paper (matplotlib) and one to turn and play (plotly)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..datasets import Array, DatasetError, Skeleton
from .pose_access import checked, points_of, times_of, unit_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from plotly.graph_objects import Figure

_BONE, _LIGHTEST = "#444444", 0.75


def plot_trajectories_3d(
    pose: xr.Dataset,
    ax: Axes | None = None,
    *,
    keypoints: Sequence[str] | None = None,
    skeleton: Skeleton | None = None,
    n_figures: int = 5,
) -> Axes:
    """Draw the paths of keypoints in space, and the skeleton at evenly spaced instants.

    Parameters
    ----------
    pose : xarray.Dataset
        `position (time, keypoint, space)` of one animal, in world units.
    ax : matplotlib.axes.Axes, optional
        Where to draw; with a 3D projection. None: axes of a new figure.
    keypoints : sequence of str, optional
        Whose paths are drawn; None: of all.
    skeleton : Skeleton, optional
        The bones to draw, the later the darker.
    n_figures : int
        Number of instants at which the skeleton is drawn.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Raises
    ------
    ValueError
        `ax` has no 3D projection.
    DatasetError
        A keypoint is unknown, or there are several animals.

    See Also
    --------
    interactive_trajectories_3d : The same, to turn and play in a notebook.

    Notes
    -----
    NaN leaves a gap; bones with a missing end are left out. The three axes have one scale.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.datasets import pose_dataset
    >>> from muybridge.kinematics import plot_trajectories_3d
    >>> points = np.arange(9.0)[:, None, None] * np.ones(3)
    >>> pose = pose_dataset(points, keypoints=["nose"], times=np.arange(9) / 100, unit="mm")
    >>> plot_trajectories_3d(pose).get_zlabel()
    'z (mm)'
    """
    from matplotlib.ticker import MaxNLocator

    pose, names, paths = _of_one_animal(pose, keypoints)
    if ax is None:
        import matplotlib.pyplot as plt

        ax = plt.figure().add_subplot(projection="3d")
    if not hasattr(ax, "set_zlabel"):
        raise ValueError("a trajectory needs a 3D axes: make it with plt.subplot(projection='3d')")
    frames = np.linspace(0, len(paths) - 1, n_figures).round().astype(int)
    for shade, bones in zip(np.linspace(0, _LIGHTEST, n_figures)[::-1], _bones(pose, skeleton, frames), strict=True):
        ax.plot(*bones.T, color=str(shade), lw=1.2, solid_capstyle="round")
    for name, path in zip(names, paths.swapaxes(0, 1), strict=True):
        ax.plot(*path.T, lw=1, label=name)
    for axis in "xyz":
        getattr(ax, f"set_{axis}label")(f"{axis} ({unit_of(pose)})")
        getattr(ax, f"{axis}axis").set_major_locator(MaxNLocator(4))
    ax.set_aspect("equal", adjustable="datalim")  # else the noise of a straight path fills the page
    ax.legend(frameon=False, fontsize="small", ncols=1 + (len(names) - 1) // 12)
    return ax


def interactive_trajectories_3d(
    pose: xr.Dataset, *, keypoints: Sequence[str] | None = None, skeleton: Skeleton | None = None, n_instants: int = 100
) -> Figure:
    """Paths of keypoints in space with a moving animal, to turn, zoom and play in a notebook or a browser.

    Needs plotly: ``pip install "muybridge[interactive]"``.

    Parameters
    ----------
    pose : xarray.Dataset
        `position (time, keypoint, space)` of one animal, in world units.
    keypoints : sequence of str, optional
        Whose paths are drawn; None: of all.
    skeleton : Skeleton, optional
        The bones of the moving animal; None: its keypoints alone.
    n_instants : int
        Largest number of instants that can be played: each adds a skeleton to the figure.

    Returns
    -------
    plotly.graph_objects.Figure
        The figure; ``figure.write_html(path)`` writes a page that needs no network.

    Raises
    ------
    ModuleNotFoundError
        plotly is not installed.
    DatasetError
        A keypoint is unknown, or there are several animals.

    See Also
    --------
    plot_trajectories_3d : The same with matplotlib, for paper.

    Notes
    -----
    NaN leaves a gap; bones with a missing end are left out. The three axes have one scale.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.datasets import pose_dataset
    >>> from muybridge.kinematics import interactive_trajectories_3d
    >>> points = np.arange(9.0)[:, None, None] * np.ones(3)
    >>> pose = pose_dataset(points, keypoints=["nose"], times=np.arange(9) / 100, unit="mm")
    >>> len(interactive_trajectories_3d(pose).frames)
    9
    """
    try:
        import plotly.graph_objects as go
    except ImportError as error:
        raise ModuleNotFoundError(
            'an interactive figure needs plotly: pip install "muybridge[interactive]"; plot_trajectories_3d needs none'
        ) from error
    pose, names, paths = _of_one_animal(pose, keypoints)
    lines = [
        go.Scatter3d(**_xyz(path), mode="lines", name=name, line={"width": 2})
        for name, path in zip(names, paths.swapaxes(0, 1), strict=True)
    ]
    frames = np.unique(np.linspace(0, len(paths) - 1, min(n_instants, len(paths))).round().astype(int))
    times = [f"{time:.2f}" for time in times_of(pose)[frames]]
    animals = [_moving(go, points, bones) for points, bones in
               zip(points_of(pose)[frames], _bones(pose, skeleton, frames), strict=True)]  # fmt: skip
    moving = [len(lines), len(lines) + 1]
    return go.Figure(
        [*lines, *animals[0]],
        _layout(unit_of(pose), times, points_of(pose)),
        [go.Frame(data=animal, traces=moving, name=time) for animal, time in zip(animals, times, strict=True)],
    )


def _of_one_animal(pose: xr.Dataset, keypoints: Sequence[str] | None) -> tuple[xr.Dataset, list[str], Array]:
    """The pose, the names of the keypoints whose paths are drawn, and their positions (n_frames, n_names, 3)."""
    pose = checked(pose)
    if "individual" in pose.dims:
        raise DatasetError("paths are drawn of one animal: choose it with pose.sel(individual=name)")
    names = [str(name) for name in (pose["keypoint"].values if keypoints is None else keypoints)]
    return pose, names, points_of(pose, names)


def _bones(pose: xr.Dataset, skeleton: Skeleton | None, frames: NDArray[np.int64]) -> Array:
    """(n_frames, 3 * n_bones, 3) each bone's ends and a row of NaN, so that one line draws all of them."""
    pairs = () if skeleton is None else skeleton.bones
    ends = points_of(pose, [name for pair in pairs for name in pair])[frames].reshape(len(frames), len(pairs), 2, 3)
    ends = np.where(np.isnan(ends).any(axis=(2, 3), keepdims=True), np.nan, ends)
    return np.concatenate([ends, np.full((len(frames), len(pairs), 1, 3), np.nan)], 2).reshape(len(frames), -1, 3)


def _xyz(points: Array) -> dict[str, Array]:
    return dict(zip("xyz", points.round(2).T, strict=True))


def _moving(go: Any, points: Array, bones: Array) -> list[Any]:
    """The traces of the animal at one instant."""
    return [
        go.Scatter3d(
            **_xyz(bones), mode="lines", line={"width": 6, "color": _BONE}, showlegend=False, hoverinfo="skip"
        ),
        go.Scatter3d(**_xyz(points), mode="markers", marker={"size": 3, "color": _BONE}, showlegend=False),
    ]


def _layout(unit: str, times: list[str], points: Array) -> dict[str, Any]:
    """Axes that hold all points whatever is played, a slider in seconds, and a button that plays."""
    low, high = np.nanmin(points, axis=(0, 1)), np.nanmax(points, axis=(0, 1))
    margin = 0.05 * np.max(high - low)
    low, high = low - margin, high + margin
    still: dict[str, Any] = {"mode": "immediate", "frame": {"duration": 0, "redraw": True}}
    playing = {"fromcurrent": True, "frame": {"duration": 40, "redraw": True}, "transition": {"duration": 0}}
    axes = {
        f"{axis}axis": {"title": {"text": f"{axis} ({unit})"}, "range": [low[k], high[k]]}
        for k, axis in enumerate("xyz")
    }
    steps = [{"label": time, "method": "animate", "args": [[time], still]} for time in times]
    buttons = [
        {"label": "Play", "method": "animate", "args": [None, playing]},
        {"label": "Pause", "method": "animate", "args": [[None], still]},
    ]
    return {
        "scene": {**axes, "aspectmode": "data", "camera": {"eye": {"x": 1.5, "y": -1.9, "z": 1.1}}},
        "margin": {"l": 0, "r": 0, "t": 0, "b": 0},
        "height": 560,
        # the labels under the slider are not counted in its height
        "sliders": [
            {"steps": steps, "currentvalue": {"prefix": "time (s): "}, "x": 0.15, "len": 0.85, "pad": {"b": 30}}
        ],
        "updatemenus": [{"type": "buttons", "direction": "left", "x": 0.12, "y": 0, "buttons": buttons}],
    }
