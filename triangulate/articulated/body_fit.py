"""The door of the articulated fit: pixels and a body in, angles with error bars out."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from ...cameras import CameraRig
from ...numerics.arrays import Array
from ...numerics.banded import one_blas_thread
from ..bodies.body_files import read_body
from ..bodies.forward_kinematics import load_jax
from ..bodies.kinematic_tree import Body
from ..points.input_checks import check_fps, check_observations, from_views
from ..smoothing.difference_prior import informative_frames
from ..smoothing.overlapping_windows import windows
from ..smoothing.smoother import smooth
from .body_posterior import BodyFit, by_frame, described
from .body_prior import body_size
from .body_state import State
from .pixel_terms import Pixels
from .starting_pose import fitted_size, root_angles, starting_state
from .trajectory_fit import ROUNDS, first_model, fit_trajectory

ORDERS = (2, 3)
_PRIOR_RANGE = (0.02, 0.98)  # of an inlier, from a detector's confidence
_USUAL_PRIOR = 0.9
_WINDOW, _LEAST_WINDOW, _OVERLAP = 300, 20, 30  # frames: solved at once, at least so many, and on either side besides
_ROUNDS_WITH_OFFSETS = 10  # of solving and learning: offsets and markers settle in turns
_UNKNOWN = 0.1  # of the body's size: standard deviation of a marker that is not located


def fit_body(
    points_2d: Any,
    rig: CameraRig,
    *,
    fps: float | None = None,
    body: Body | str | Path,
    keypoints: Sequence[str] | None = None,
    confidence: Array | None = None,
    order: int | None = None,
    time_offsets: bool = False,
    window: float | None = None,
    progress: bool = False,
) -> BodyFit:
    """Joint angles of all frames at once, with error bars, from the pixels of all cameras.

    Gauss-Newton on the exact projections. Pixel errors are correlated in time and have a constant part per camera and
    marker; gross errors and exchanged sides last for some frames. Angles change smoothly within soft limits; bone
    lengths and the markers' places are those of one animal. Everything else is learned from the recording.

    Parameters
    ----------
    points_2d : ndarray, shape (n_cameras, n_frames, n_keypoints, 2), pixels, or xarray.Dataset
        Distorted pixels, NaN where missing; or a views dataset, whose confidence, times and keypoints are used, too.
    rig : CameraRig
        The cameras.
    fps : float, optional, hertz
        Frames per second; needed unless `points_2d` is a dataset.
    body : Body, str or pathlib.Path
        The animal: a body, a shipped one by its name, or a TOML file.
    keypoints : sequence of str, optional
        Names along the keypoint axis. By default those of the dataset, or of the body's markers in their order.
    confidence : ndarray, shape (n_cameras, n_frames, n_keypoints), optional
        Prior probability that a pixel is right, clipped to 0.02-0.98; NaN and 0 leave a pixel out. By default 0.9.
    order : {2, 3}, optional
        Order of the differences of angles that are white noise in the prior. By default 3.
    time_offsets : bool
        Whether the cameras' offsets in time are found, too, to fractions of a frame: for cameras that are not
        triggered together.
    window : float, optional, seconds
        Stretch of time solved at once. By default 300 frames. What never changes is learned from the best observed
        stretch; neighbouring windows overlap.
    progress : bool
        Show a bar on recordings of several windows.

    Returns
    -------
    BodyFit
        Angles, markers and lengths with their uncertainty, and what was learned.

    Raises
    ------
    ModuleNotFoundError
        jax is not installed.
    ValueError
        Shapes do not fit, no marker of the body is among the keypoints, or too few are located to place the animal.

    Warns
    -----
    UserWarning
        The data lack markers of the body, or some angles are not determined by what is seen.

    See Also
    --------
    smooth : Without a body.
    read_body : The body.

    Notes
    -----
    Missing pixels, markers and frames are bridged by the body and by time, with the error bars that follow.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.cameras import Camera, CameraRig
    >>> from muybridge.triangulate import Body, Marker, Segment, Turn, fit_body
    >>> elbow = Turn("elbow", (0, 1, 0), -2.5, 0.5, -1)
    >>> markers = (Marker("shoulder", "upper"), Marker("side", "upper", (0, 80, 0)), Marker("elbow", "upper", "end"),
    ...            Marker("wrist", "lower", "end"))
    >>> segments = Segment("upper", end=(0, 0, -300)), Segment("lower", "upper", "end", (0, 0, -250), turns=(elbow,))
    >>> arm = Body("arm", segments, markers)
    >>> K = [[1000, 0, 640], [0, 1000, 512], [0, 0, 1]]
    >>> rig = CameraRig(tuple(Camera(f"cam_{x}", (1280, 1024), K, [], np.eye(3), [x, 0, 1500]) for x in (-400, 0, 400)))
    >>> angles = np.zeros((40, 7))
    >>> angles[:, 6] = -1 + 0.5 * np.sin(np.arange(40) / 8)
    >>> points_2d = rig.project(arm.markers(angles)) + np.random.default_rng(0).normal(0, 1, (3, 40, 4, 2))
    >>> fit = fit_body(points_2d, rig, fps=50.0, body=arm)
    >>> bool(np.abs(fit.angles[:, 6] - angles[:, 6]).max() < 0.1)
    True
    """
    load_jax()
    body = body if isinstance(body, Body) else read_body(body)
    points_2d, confidence, fps, keypoints = from_views(
        points_2d, rig, confidence=confidence, fps=fps, keypoints=None if keypoints is None else tuple(keypoints)
    )
    points_2d, confidence = check_observations(points_2d, rig, confidence, fewest_views=1, by_frame=True)
    fps = check_fps(fps)
    if order is not None and order not in ORDERS:
        raise ValueError(f"order is {order!r}; expected one of {ORDERS}, or None")
    points_2d, confidence = of_markers(points_2d, confidence, body, keypoints)
    if confidence is not None:
        points_2d = np.where((confidence > 0)[..., None], points_2d, np.nan)
    with one_blas_thread():
        return _fitted(points_2d, rig, fps, body, confidence, order or 3, time_offsets, window, progress)


def of_markers(
    points_2d: Array, confidence: Array | None, body: Body, keypoints: Sequence[str] | None
) -> tuple[Array, Array | None]:
    """The pixels in the order of the body's markers, NaN for a marker that the data lack.

    Raises
    ------
    ValueError : keypoints and data do not fit together, or no marker is among them

    Warns
    -----
    UserWarning : markers are lacking
    """
    keypoints = body.marker_names if keypoints is None else [str(name) for name in keypoints]
    if len(keypoints) != points_2d.shape[2]:
        raise ValueError(
            f"points_2d has {points_2d.shape[2]} keypoints and there are {len(keypoints)} names; give"
            " keypoints=[...], the names in the order of the data"
        )
    missing = [name for name in body.marker_names if name not in keypoints]
    if len(missing) == len(body.marker_names):
        raise ValueError(
            f"none of the markers of body '{body.name}' is among the keypoints {list(keypoints)}; it has"
            f" {list(body.marker_names)}"
        )
    if missing:
        warnings.warn(
            f"the data lack the markers {missing} of body '{body.name}': it is fitted without them", stacklevel=3
        )
    columns = [list(keypoints).index(name) if name not in missing else -1 for name in body.marker_names]
    lacking = np.array(columns) < 0
    ordered = points_2d[:, :, columns]
    ordered[:, :, lacking] = np.nan
    return ordered, None if confidence is None else confidence[:, :, columns]


@dataclass(frozen=True, eq=False)
class _Start:
    """Where to begin: the body in the animal's size, smoothed points with covariances, and the root in every frame."""

    body: Body
    points_3d: Array
    covariances_3d: Array
    root: Array
    fps: float

    def state(self, frames: slice, n_cameras: int, like: State | None = None) -> State:
        state = starting_state(
            self.body, self.points_3d[frames], self.covariances_3d[frames], self.fps, self.root[frames], like
        )
        biases = np.zeros((n_cameras, self.points_3d.shape[1], 2)) if like is None else like.biases
        return replace(state, biases=biases)

    def spread(self, frames: slice) -> Array:
        located = np.asarray(np.isfinite(self.points_3d[frames]).all(axis=-1))
        wide = np.eye(3) * (_UNKNOWN * body_size(self.body)) ** 2
        return np.where(located[..., None, None], self.covariances_3d[frames], wide)


def _fitted(
    points_2d: Array, rig: CameraRig, fps: float, body: Body, confidence: Array | None, order: int,
    time_offsets: bool, window: float | None, progress: bool,
) -> BodyFit:  # fmt: skip
    if window is not None and not window > 0:
        raise ValueError(f"window must be a positive number of seconds, got {window!r}")
    smoothed = smooth(points_2d, rig, fps=fps, confidence=confidence)
    if not np.isfinite(smoothed.points_3d).any():
        raise ValueError("no keypoint is seen by two cameras in any frame; the animal cannot be placed")
    body = fitted_size(body, smoothed.points_3d, smoothed.covariances_3d)
    root = root_angles(body, smoothed.points_3d)
    start = _Start(body, smoothed.points_3d, smoothed.covariances_3d, root, fps)
    pixels, n_frames = _pixels(points_2d, rig, body, confidence), points_2d.shape[1]
    length = _WINDOW if window is None else max(_LEAST_WINDOW, round(window * fps))
    n_seen = pixels.seen.sum(axis=(0, 2))
    best = informative_frames(n_seen, length + 2 * _OVERLAP, n_stretches=1)[0]
    learning = slice(int(best[0]), int(best[-1]) + 1)
    state = start.state(learning, len(rig))
    model = first_model(body, fps, min(order, max(2, len(best) - 1)), state, smoothed.sigma.mean(axis=1))
    learned = fit_trajectory(
        pixels.at(learning), model, state, start.spread(learning),
        rounds=_ROUNDS_WITH_OFFSETS if time_offsets else ROUNDS, find_offsets=time_offsets,
    )  # fmt: skip
    pixels = replace(pixels, offsets=learned.pixels.offsets)
    if len(best) == n_frames:
        return described(learned, fps, points_2d, by_frame(learned, fps))
    known, whole = learned.model.of_animal(learned), {}
    plan = list(windows(n_frames, length, _OVERLAP))
    converged = learned.converged
    for frames, kept in tqdm(plan, "fitting the body", unit="window", disable=not progress):
        state = start.state(frames, len(rig), learned.state)
        fit = fit_trajectory(pixels.at(frames), known, state, start.spread(frames), rounds=2, learn=False)
        converged &= fit.converged
        inner = slice(kept.start - frames.start, kept.stop - frames.start)
        for name, values in by_frame(fit, fps).items():
            whole.setdefault(name, np.empty((n_frames, *values.shape[1:])))[kept] = values[inner]
    return replace(described(learned, fps, points_2d, whole), converged=converged)


def _pixels(points_2d: Array, rig: CameraRig, body: Body, confidence: Array | None) -> Pixels:
    right = np.full(points_2d.shape[:-1], _USUAL_PRIOR)
    if confidence is not None:
        right = np.clip(confidence, *_PRIOR_RANGE)
    log_prior = np.log(np.stack([right / _USUAL_PRIOR, (1 - right) / (1 - _USUAL_PRIOR)], axis=-1))
    sizes = np.array([camera.size for camera in rig], float)
    return Pixels(rig, points_2d, log_prior, -np.log(sizes.prod(axis=1)), body.skeleton.mirror, np.zeros(len(rig)))
