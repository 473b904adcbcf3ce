"""Labelled videos and training curves."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes

from ...datasets import Array, combine_ensemble, fps_of
from ...datasets.individuals import each_individual
from ...datasets.names import named_options
from ...formats.predictions.instant_rows import frames_of_view, pictures_of_instants
from ...formats.video.reading import Image, VideoSource, probe_video
from ...formats.video.writing import open_video_writer
from .detector import Detector

_GREY = (235, 235, 235)  # RGB
_INDIVIDUALS = ((86, 180, 233), (230, 159, 0), (0, 190, 140), (230, 130, 190), (240, 228, 66), (225, 95, 0))  # RGB


@named_options()
def draw_pose(
    image: Image,
    points_2d: Array,
    confidence: Array | None = None,
    *,
    bones: Sequence[tuple[int, int]] = (),
    bone_colour: tuple[int, int, int] = _GREY,
    covariances_2d: Array | None = None,
    radius: float | None = None,
    min_confidence: float = 0.1,
) -> Image:
    """Draw keypoints, bones and 90 % ellipses on a copy of a picture; uncertain points are faint.

    Parameters
    ----------
    image : ndarray, shape (height, width, 3), uint8
        RGB picture.
    points_2d : ndarray, shape (n_keypoints, 2), pixels
        NaN is left out.
    confidence : ndarray, shape (n_keypoints,), probability, optional
        None: all points are certain.
    bones : sequence of (int, int)
        Pairs of positions on the keypoint axis.
    bone_colour : (int, int, int), RGB, 0-255
        Of the bones: several animals of one picture are told apart by it.
    covariances_2d : ndarray, shape (n_keypoints, 2, 2), pixels squared, optional
        Of the ellipses; None: no ellipses.
    radius : float, pixels, optional
        Of the dots; None: from the size of the picture.
    min_confidence : float, probability
        Points with a lower confidence are left out.

    Returns
    -------
    ndarray, shape (height, width, 3), uint8
        The picture with the drawing.

    Examples
    --------
    >>> import numpy as np
    >>> black = np.zeros((20, 20, 3), np.uint8)
    >>> bool(draw_pose(black, np.array([[10.0, 10.0]]))[10, 10].any())
    True
    """
    confidence = np.ones(len(points_2d)) if confidence is None else confidence
    radius = max(2.0, 0.004 * max(image.shape[:2])) if radius is None else radius
    shown = np.isfinite(points_2d).all(-1) & (confidence >= min_confidence)
    colours = colormaps["hsv"](np.linspace(0, 0.9, len(points_2d)))[:, :3] * 255
    drawn = image.copy()
    for a, b in bones:
        if shown[a] and shown[b]:
            ends = [np.rint(points_2d[i] * 16).astype(int).tolist() for i in (a, b)]
            shade = (0.5 + 0.5 * min(confidence[a], confidence[b])) * np.array(bone_colour)
            cv2.line(drawn, ends[0], ends[1], shade.tolist(), max(1, round(radius / 2)), cv2.LINE_AA, 4)
    for k in np.flatnonzero(shown):
        centre = np.rint(points_2d[k] * 16).astype(int).tolist()
        colour = (0.35 + 0.65 * confidence[k]) * colours[k]
        if covariances_2d is not None and np.isfinite(covariances_2d[k]).all():
            _draw_ellipse(drawn, points_2d[k], covariances_2d[k], colour)
        cv2.circle(drawn, centre, round(radius * 16), colour.tolist(), -1, cv2.LINE_AA, 4)
    return drawn


def _draw_ellipse(image: Image, centre: Array, covariance: Array, colour: Array) -> None:
    """The region that holds 90 % of a Gaussian."""
    variances, axes = np.linalg.eigh(covariance)
    sides = np.sqrt(np.clip(variances, 0, 1e6) * 4.605)
    angle = float(np.degrees(np.arctan2(axes[1, 1], axes[0, 1])))
    middle = (round(float(centre[0]) * 16), round(float(centre[1]) * 16))
    size = (round(float(sides[1]) * 16), round(float(sides[0]) * 16))
    cv2.ellipse(image, middle, size, angle, 0, 360, colour.tolist(), 1, cv2.LINE_AA, 4)


@named_options()
def label_video(
    views: xr.Dataset,
    view: str,
    video: VideoSource,
    path: str | os.PathLike,
    *,
    bones: Sequence[tuple[str, str]] = (),
    ellipses: bool = False,
    min_confidence: float = 0.1,
) -> Path:
    """Write a video with the keypoints of one camera drawn on every frame.

    Each of several animals has bones of its own colour, and its name above it. Damaged frames are black, and so are
    instants at which the camera has no frame: the cameras stay in step.

    Parameters
    ----------
    views : xarray.Dataset
        Views dataset of `predict` or `read_views`, of one animal or several.
    view : str
        The camera.
    video : path or sequence of path
        Its video, or the files of one recording in their order.
    path : str or os.PathLike
        The video to write.
    bones : sequence of (str, str)
        Pairs of keypoint names to connect.
    ellipses : bool
        Whether to draw 90 % ellipses.
    min_confidence : float, probability
        Points with a lower confidence are left out.

    Returns
    -------
    pathlib.Path
        The file written.

    Raises
    ------
    VideoError
        If the video cannot be read or written.

    Examples
    --------
    >>> detector = load_detector("detector.safetensors")
    >>> views = predict(detector, {"left": "left.mp4"}, progress=False)
    >>> label_video(views, "left", "left.mp4", "left_labelled.mp4", bones=[("nose", "tail")]).name
    'left_labelled.mp4'
    """
    shown = frames_of_view(views, view)
    views = combine_ensemble(views).sel(view=view)
    names = [str(name) for name in views["keypoint"].values]
    pairs = [(names.index(a), names.index(b)) for a, b in bones]
    info, path = probe_video(video), Path(path)
    individuals = [
        (name, own, _INDIVIDUALS[i % len(_INDIVIDUALS)] if name else _GREY)
        for i, (name, own) in enumerate(each_individual(views))
    ]
    with open_video_writer(path, fps_of(views), (info.width, info.height)) as writer:
        for frame, image in enumerate(pictures_of_instants(video, shown)):
            if image is None:
                image = np.zeros((info.height, info.width, 3), np.uint8)
            else:
                for name, own, colour in individuals:
                    covariances = own["covariance"].values[frame] if ellipses and "covariance" in own else None
                    points, confidence = own["position"].values[frame], own["confidence"].values[frame]
                    image = draw_pose(
                        image, points, confidence, bones=pairs, bone_colour=colour, covariances_2d=covariances,
                        min_confidence=min_confidence,
                    )  # fmt: skip
                    _write_name(image, points[confidence >= min_confidence], name, colour)
            writer.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return path


def _write_name(image: Image, points_2d: Array, name: str, colour: tuple[int, int, int]) -> None:
    """Write the name of an animal above it, on the picture itself; nothing where no point is there."""
    shown = points_2d[np.isfinite(points_2d).all(-1)]
    if not name or not len(shown):
        return
    height = max(image.shape[0] / 1200, 0.3)  # 22 pixels are 1
    place = (round(float(shown[:, 0].min())), max(round(float(shown[:, 1].min()) - 12 * height), round(22 * height)))
    cv2.putText(image, name, place, cv2.FONT_HERSHEY_SIMPLEX, height, colour, max(1, round(2 * height)), cv2.LINE_AA)


def plot_training(detector: Detector, ax: Axes) -> Axes:
    """Plot the loss and the held-out median error along the training.

    Parameters
    ----------
    detector : Detector
        Of `train` or `load_detector`.
    ax : matplotlib.axes.Axes
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
        The same axes.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> import matplotlib.pyplot as plt
    >>> history = {"iteration": [10, 20], "loss": [2.0, 1.0], "held_out": [9.0, 4.0]}
    >>> plot_training(SimpleNamespace(history=history), plt.figure().gca()).get_xlabel()
    'iteration'
    """
    history = detector.history
    ax.plot(history["iteration"], history["loss"], marker="o", color="tab:blue", label="training loss")
    ax.set(xlabel="iteration", ylabel="loss")
    if any(error is not None for error in history["held_out"]):
        errors = [np.nan if error is None else error for error in history["held_out"]]
        other = ax.twinx()
        other.plot(history["iteration"], errors, marker="s", color="tab:orange")
        other.set_ylabel("held-out median error (px)", color="tab:orange")
        other.set_ylim(bottom=0)
    ax.legend(loc="upper right")
    return ax
