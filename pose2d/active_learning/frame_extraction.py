"""Choose the first frames to label: evenly in time, or one of each cluster of down-sampled pictures."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ...datasets import Array
from ...datasets.names import named_options
from ...formats.labels.deeplabcut_project import write_project
from ...formats.video.reading import VideoError, VideoSource, probe_video, read_frames
from ...numerics.clustering import k_means, squared_distances

Recording = Mapping[str, VideoSource]
THUMBNAIL = (24, 18)  # (width, height), pixels: posture shows, noise does not
MAX_CANDIDATES = 600  # frames of a recording that are clustered: seconds of work


@named_options()
def extract_frames(
    videos: Recording | Sequence[Recording],
    n: int,
    folder: str | os.PathLike = "labels",
    *,
    keypoints: Sequence[str] = (),
    method: str = "kmeans",
    bones: Sequence[tuple[str, str]] = (),
    scorer: str = "me",
    seed: int = 0,
) -> Path:
    """Choose frames to label and write them as a DeepLabCut project that any labelling tool opens.

    Parameters
    ----------
    videos : mapping of str to path, or sequence of such mappings
        {camera name: video, or list of its files} of one recording, or of several. All cameras give the same instants.
    n : int
        Instants in total, shared evenly by the recordings.
    folder : str or os.PathLike
        Of the project; `read_labels` reads it once it is labelled.
    keypoints : sequence of str
        Names to label, written to ``config.yaml`` and to empty label files.
    method : {"kmeans", "uniform"}
        One instant of each cluster of down-sampled pictures, or instants evenly spaced in time.
    bones : sequence of (str, str)
        Pairs of keypoints to connect, written to ``config.yaml``.
    scorer : str
        Name of the person who labels, part of the file names.
    seed : int
        Of the clustering.

    Returns
    -------
    pathlib.Path
        The folder. With several recordings the labelled folders are ``<recording number>_<camera>``.

    Raises
    ------
    ValueError
        If `n` is smaller than the number of recordings or `method` is not known.
    VideoError
        If a video cannot be read or has fewer frames than asked for.

    Examples
    --------
    >>> videos = {"left": "left.mp4", "right": "right.mp4"}
    >>> folder = extract_frames(videos, 2, "to_label", keypoints=["nose", "tail"])
    >>> sorted(file.name for file in folder.iterdir()), len(list(folder.rglob("*.png")))
    (['config.yaml', 'labeled-data', 'labelling'], 4)
    """
    recordings = [videos] if isinstance(videos, Mapping) else list(videos)
    if method not in ("uniform", "kmeans"):
        raise ValueError(f'method must be "uniform" or "kmeans", got {method!r}')
    if n < len(recordings) or not recordings:
        raise ValueError(f"n must be at least one instant for each of the {len(recordings)} recordings, got {n}")
    pictures: dict[str, tuple[VideoSource, Sequence[int]]] = {}
    for r, recording in enumerate(recordings):
        share = n // len(recordings) + (r < n % len(recordings))
        chosen = _choose(recording, share, method, seed + r)
        for camera, video in recording.items():
            name = camera if len(recordings) == 1 else f"{r}_{camera}"
            pictures[name] = (video, chosen.tolist())
    return write_project(folder, pictures, keypoints, bones=bones, scorer=scorer)


def _choose(recording: Recording, n: int, method: str, seed: int) -> NDArray[np.int64]:
    """(n,) sorted frame numbers that every camera of a recording has."""
    promised = min(probe_video(path).n_frames for path in recording.values())
    step = max(1, promised // MAX_CANDIDATES)
    thumbnails = [_thumbnails(path, step) for path in recording.values()]
    shared = sorted(set.intersection(*(set(one) for one in thumbnails)))
    if len(shared) < n:
        raise VideoError(f"{n} frames are asked for, but the cameras {list(recording)} share only {len(shared)}")
    if method == "uniform":
        picked = np.linspace(0, len(shared) - 1, n + 2)[1:-1] if n < len(shared) - 1 else np.arange(n)
        return np.array(shared)[np.unique(np.rint(picked).astype(int))]
    features = np.stack([np.concatenate([one[frame] for one in thumbnails]) for frame in shared])
    return np.array(shared)[np.sort(representatives(features, n, seed))]


def _thumbnails(path: VideoSource, step: int) -> dict[int, Array]:
    """Every `step`-th decodable frame as a small grey picture."""
    small = {}
    for number, image in enumerate(read_frames(path)):
        if number % step == 0 and image is not None:
            tiny = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), THUMBNAIL, interpolation=cv2.INTER_AREA)
            small[number] = tiny.astype(float).ravel()
    return small


def representatives(features: Array, n: int, seed: int = 0, n_rounds: int = 20) -> NDArray[np.int64]:
    """(n,) rows nearest to the centres of n clusters: k-means (Lloyd 1982) from k-means++ (Arthur 2007).

    features : (n_rows, n_features)
    """
    centres, _ = k_means(features, n, np.random.default_rng(seed), n_rounds)
    distances, chosen = squared_distances(features, centres), []
    for k in range(n):  # an empty or doubled cluster takes the next best row that is free
        chosen.append(next(int(row) for row in np.argsort(distances[:, k], kind="stable") if row not in chosen))
    return np.array(chosen)
