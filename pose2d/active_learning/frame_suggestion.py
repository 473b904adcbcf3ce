"""Choose the next frames to label by disagreement and uncertainty, and make labels that several cameras agree on."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from ...datasets import Array, check_views, combine_ensemble, fps_of
from ...datasets.names import named_options
from ...formats.labels.deeplabcut_project import write_project
from ...formats.labels.labelled_frames import LabelError, Labels, Picture
from ...formats.predictions.instant_rows import frames_of_view
from ...formats.video.reading import VideoSource, file_and_frame

Scores = xr.DataArray | Array | Mapping[str, "xr.DataArray | Array"]


@named_options()
def suggest_frames(
    views: xr.Dataset,
    scores: Scores | None = None,
    *,
    n: int = 20,
    features: Array | None = None,
    min_gap: float = 0.1,
    pool: float = 5.0,
) -> pd.DataFrame:
    """Choose the pictures whose labels would improve the detector most.

    Parameters
    ----------
    views : xarray.Dataset
        Views dataset of `predict`.
    scores : xarray.DataArray, ndarray or mapping of str to these, optional
        How bad each picture is, (view, time) or (view, time, keypoint), such as the reprojection error of a pose;
        several by name. Each counts by rank, twice as much as the detector's own scores together (low confidence,
        large covariance, jumps in time). None: the detector's own scores alone.
    n : int
        Pictures to suggest.
    features : ndarray, shape (n_views, n_frames, n_features), optional
        What a picture shows; None: shape and place of the predicted pose.
    min_gap : float, seconds
        Smallest time between two suggestions of one camera.
    pool : float
        The n * pool worst pictures are spread by greedy k-centres [1]_.

    Returns
    -------
    pandas.DataFrame
        One row per suggestion, worst first: view, frame, time (seconds), score (mean rank, 0 to 1).

    Raises
    ------
    ValueError
        If the shape of a score does not fit, or `n` is below 1.

    References
    ----------
    .. [1] Gonzalez, Clustering to minimize the maximum intercluster distance, Theoretical Computer Science 38, 1985.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.datasets import frame_times, views_dataset
    >>> points, times = np.random.default_rng(0).normal(50, 5, (2, 100, 3, 2)), frame_times(100, 50)
    >>> views = views_dataset(points, cameras=["left", "right"], keypoints=["a", "b", "c"], times=times)
    >>> len(suggest_frames(views, n=4))
    4
    """
    views = combine_ensemble(views)
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    names = [str(view) for view in views["view"].values]
    badness = _mean_rank(views, detector_scores(views))
    if given := _named(scores):
        badness = (badness + 2 * len(given) * _mean_rank(views, given)) / (1 + 2 * len(given))
    features = pose_features(views) if features is None else np.asarray(features, float)
    gap = max(1, round(min_gap * fps_of(views))) if views.sizes["time"] > 1 else 1
    chosen = _spread(badness, features, n, gap, pool)
    times = views["time"].values
    rows = [(names[v], f, float(times[f]), float(badness[v, f])) for v, f in chosen]
    return pd.DataFrame(rows, columns=["view", "frame", "time", "score"])


def detector_scores(views: xr.Dataset) -> dict[str, Array]:
    """What the detector itself makes suspicious, each (n_views, n_frames, n_keypoints): low confidence, large
    covariance, and jumps (distance from the mean of the neighbouring frames, pixels)."""
    position = views["position"].values
    jump = np.full(position.shape[:-1], np.nan)
    if position.shape[1] > 2:
        jump[:, 1:-1] = np.linalg.norm(position[:, 1:-1] - (position[:, :-2] + position[:, 2:]) / 2, axis=-1)
    found = {"low confidence": 1 - views["confidence"].values, "jump": jump}
    if "covariance" in views:
        found["spread"] = np.sqrt(np.clip(np.linalg.det(views["covariance"].values), 0, None))
    return found


def _named(scores: Scores | None) -> dict[str, Array]:
    if scores is None:
        return {}
    return dict(scores) if isinstance(scores, Mapping) else {"score": scores}  # type: ignore[arg-type]


def _mean_rank(views: xr.Dataset, scores: Mapping[str, xr.DataArray | Array]) -> Array:
    """(n_views, n_frames) mean over the scores of the fraction of pictures that are better."""
    from scipy.stats import rankdata  # half a second to import

    shape, ranks = (views.sizes["view"], views.sizes["time"]), []
    for name, values in scores.items():
        if isinstance(values, xr.DataArray):
            values = values.transpose("view", "time", ..., missing_dims="ignore").values
        values = np.asarray(values, dtype=float)
        if values.shape[:2] != shape or values.ndim > 3:
            raise ValueError(f"the score {name!r} has shape {values.shape}, expected (view, time) = {shape} first")
        if values.ndim == 3:  # a bad keypoint among ten decides, the very worst of many does not
            values = np.quantile(np.nan_to_num(values, nan=-1e300), 0.9, axis=-1, method="higher")
        ranks.append(rankdata(np.nan_to_num(values, nan=-np.inf), method="average").reshape(shape) / values.size)
    return np.mean(ranks, axis=0)


def pose_features(views: xr.Dataset) -> Array:
    """(n_views, n_frames, 2 n_keypoints + 2) shape of the found pose in units of its size, and where it is."""
    position = np.array(views["position"].values)
    empty = np.isnan(position).all(axis=(-2, -1))
    position[empty] = 0.0
    centre = np.nanmedian(position, axis=2)
    shape = position - centre[:, :, None]
    size = np.nanmedian(np.linalg.norm(shape, axis=-1)) + 1e-9
    shape = np.nan_to_num(shape / size).reshape(*shape.shape[:2], -1) / np.sqrt(shape.shape[2])
    return np.concatenate([shape, 0.25 * centre / size], axis=-1)


def _spread(badness: Array, features: Array, n: int, min_gap: int, pool: float) -> list[tuple[int, int]]:
    """Greedy k-centres (Gonzalez 1985) among the worst pictures: far from those chosen, and bad; cameras share."""
    n_views, n_frames = badness.shape
    order = np.argsort(-badness.ravel(), kind="stable")[: max(n, int(np.ceil(n * pool)))]
    candidates = [(int(i // n_frames), int(i % n_frames)) for i in order]
    limit = int(np.ceil(n / n_views)) + 1
    chosen: list[tuple[int, int]] = []
    distance = np.full(len(candidates), np.inf)
    free = np.ones(len(candidates), dtype=bool)
    while len(chosen) < n and free.any():
        reach = np.where(np.isfinite(distance), distance, 1.0)
        gain = np.where(free, reach * np.array([badness[c] for c in candidates]), -np.inf)
        view, frame = candidates[int(np.argmax(gain))]
        chosen.append((view, frame))
        step = np.array([np.linalg.norm(features[c] - features[view, frame]) for c in candidates])
        distance = np.minimum(distance, step)
        crowded = {v for v in range(n_views) if sum(c[0] == v for c in chosen) >= limit}
        free &= np.array([v not in crowded and not (v == view and abs(f - frame) < min_gap) for v, f in candidates])
    return chosen


@named_options()
def export_suggestions(
    suggestions: pd.DataFrame,
    videos: Mapping[str, VideoSource],
    folder: str | os.PathLike,
    proposals: xr.Dataset,
    *,
    bones: Sequence[tuple[str, str]] = (),
    scorer: str = "me",
) -> Path:
    """Write suggested pictures as a DeepLabCut project with proposed labels to correct.

    Parameters
    ----------
    suggestions : pandas.DataFrame
        Of `suggest_frames`.
    videos : mapping of str to path or sequence of path
        {camera name: video file, or the files of one recording in their order}.
    folder : str or os.PathLike
        Of the project.
    proposals : xarray.Dataset
        Views dataset with the proposed positions: 3D points projected into each view, or the detector's own.
    bones : sequence of (str, str)
        Pairs of keypoints to connect, written to ``config.yaml``.
    scorer : str
        Name of the person who labels, part of the file names.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    LabelError
        If labels exist there already.
    VideoError
        If a frame cannot be decoded.

    Examples
    --------
    >>> views = predict(load_detector("detector.safetensors"), {"left": "left.mp4"}, progress=False)
    >>> suggestions = suggest_frames(views, n=2)
    >>> folder = export_suggestions(suggestions, {"left": "left.mp4"}, "labels_next", views)
    >>> read_labels(folder).cameras
    ('left', 'left')
    """
    proposals = check_views(proposals)
    pictures: dict[str, tuple[VideoSource, Sequence[int]]] = {}
    points: dict[str, Array] = {}
    for view, rows in suggestions.groupby("view", sort=False):
        shown = frames_of_view(proposals, str(view))
        frames = [frame for frame in sorted(int(frame) for frame in rows["frame"]) if shown[frame] >= 0]
        pictures[str(view)] = (videos[str(view)], shown[frames].tolist())
        points[str(view)] = proposals["position"].sel(view=view).values[frames]
    keypoints = [str(name) for name in proposals["keypoint"].values]
    return write_project(folder, pictures, keypoints, proposals=points, bones=bones, scorer=scorer)


@named_options()
def pseudo_labels(
    proposals: xr.Dataset,
    videos: Mapping[str, VideoSource],
    support: Array,
    *,
    min_views: int = 3,
    max_error: float | None = None,
    error: Array | None = None,
    frame_step: int = 1,
) -> Labels:
    """Labels from 3D points that several cameras support, projected into every view.

    Parameters
    ----------
    proposals : xarray.Dataset
        Views dataset of the projected 3D points.
    videos : mapping of str to path or sequence of path
        {camera name: video file, or the files of one recording in their order}.
    support : ndarray, shape (n_frames, n_keypoints)
        Number of cameras that agree, such as `n_cameras` of a pose.
    min_views : int
        Fewest cameras that must agree.
    max_error : float, pixels, optional
        Largest reprojection error; None: any.
    error : ndarray, shape (n_frames, n_keypoints) or (n_views, n_frames, n_keypoints), pixels, optional
        Reprojection error that is compared with `max_error`.
    frame_step : int
        Take each frame_step-th frame.

    Returns
    -------
    Labels
        One labelled frame per view and frame with at least one supported keypoint; the others are NaN.

    Raises
    ------
    LabelError
        If no point has enough support.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.datasets import frame_times, views_dataset
    >>> points, times = np.full((2, 3, 1, 2), 10.0), frame_times(3, 50)
    >>> proposals = views_dataset(points, cameras=["left", "right"], keypoints=["nose"], times=times)
    >>> len(pseudo_labels(proposals, {"left": "a.mp4", "right": "b.mp4"}, np.full((3, 1), 4)))
    6
    """
    proposals = check_views(proposals)
    keep: NDArray[np.bool_] = np.asarray(support) >= min_views
    if max_error is not None and error is not None:
        error = np.asarray(error, float)
        keep = keep & ((np.nanmax(error, 0) if error.ndim == 3 else error) <= max_error)
    points = np.where(keep[None, ..., None], proposals["position"].values, np.nan)
    names = [str(view) for view in proposals["view"].values]
    rows = [
        (v, f)
        for v in range(len(names))
        for f in range(0, points.shape[1], frame_step)
        if np.isfinite(points[v, f]).any()
    ]
    if not rows:
        raise LabelError(f"no point is supported by {min_views} cameras; lower min_views or label more frames")
    shown = [frames_of_view(proposals, name) for name in names]
    rows = [(v, f) for v, f in rows if shown[v][f] >= 0]
    return Labels(
        pictures=tuple(Picture(*file_and_frame(videos[names[v]], int(shown[v][f]))) for v, f in rows),
        points_2d=np.stack([points[v, f] for v, f in rows]),
        keypoints=tuple(str(name) for name in proposals["keypoint"].values),
        cameras=tuple(names[v] for v, _ in rows),
        groups=tuple(names[v] for v, _ in rows),
        instants=tuple(f for _, f in rows),
    )
