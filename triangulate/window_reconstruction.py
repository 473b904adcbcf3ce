"""Long recordings by a model of time: what holds for all of it is learned first, then windows are solved as tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..cameras import CameraRig
from ..datasets import check_views, fps_of
from ..datasets.ensembles import ensemble_std
from ..datasets.stretches import joined
from ..datasets.validators import singular_dims
from ..numerics.arrays import Array
from .articulated.body_fit import check_n_frames, checked_body, observed
from .articulated.pixel_noise import PixelNoise
from .articulated.recording_fit import learn as learn_body
from .articulated.recording_start import Observed
from .bodies.kinematic_tree import Body
from .bodies.named_markers import marker_columns
from .framewise_methods import sampled, side_repair, view_arrays
from .input_checks import check_observations, from_views, in_order
from .noise.detector_noise import DetectorNoise
from .pose_states.pose_inference import learn_poses, solve_pose_window
from .reconstruction_settings import Settings
from .smoothing.long_recordings.learning import learn
from .smoothing.long_recordings.overlapping_windows import constants, solve_window, solved_windows
from .smoothing.predicted_noise import typical_noise
from .smoothing.problem import Given
from .smoothing.smoother import check_problem
from .trajectory_dataset import label_body_fit, label_trajectory

Prepare = Callable[[xr.Dataset], xr.Dataset]


@dataclass(frozen=True, eq=False)
class StoredPixels:
    """Views in a file, of which some frames are read at a time; what is pickled is where they lie.

    prepare : what is done to views before they are used
    typical : as `relative_noise`
    """

    source: Path
    rig: CameraRig
    fps: float
    n_frames: int
    n_keypoints: int
    prepare: Prepare
    typical: Array | None
    noise: DetectorNoise | None

    def views(self, frames: slice | NDArray[np.int64]) -> xr.Dataset:
        """The views of some frames, prepared."""
        if isinstance(frames, slice):
            parts = [frames]
        else:
            runs = np.split(frames, np.flatnonzero(np.diff(frames) != 1) + 1)
            parts = [slice(int(run[0]), int(run[-1]) + 1) for run in runs]
        with xr.open_dataset(self.source, engine="h5netcdf", decode_times=False) as opened:
            pieces = [check_views(singular_dims(opened).isel(time=part).load()) for part in parts]
        return self.prepare(joined(pieces))

    def read(self, frames: slice | NDArray[np.int64]) -> Given:
        part = self.views(frames)
        problem = check_problem(part, self.rig, self.fps, None, None, None, noise=self.noise, typical=self.typical)
        return problem.pixels.read(slice(None))


@dataclass(frozen=True, eq=False)
class StoredMarkers:
    """Views in a file as pixels of a body's markers; the noise of these is `noise`, or None if it is to be learned.

    columns : (n_markers,) of `marker_columns`
    """

    stored: StoredPixels
    body: Body
    keypoints: tuple[str, ...]
    columns: NDArray[np.int64]

    @property
    def rig(self) -> CameraRig:
        return self.stored.rig

    @property
    def fps(self) -> float:
        return self.stored.fps

    @property
    def noise(self) -> PixelNoise | None:
        return self.at(slice(0, 1)).noise

    @property
    def n_frames(self) -> int:
        return self.stored.n_frames

    @property
    def n_markers(self) -> int:
        return len(self.columns)

    def at(self, frames: slice | NDArray[np.int64]) -> Observed:
        points_2d, confidence = from_views(self.stored.views(frames), self.rig, confidence=None)
        points_2d, confidence = check_observations(points_2d, self.rig, confidence, fewest_views=1, by_frame=True)
        known = self.rig, self.fps, self.body, self.keypoints, self.columns, self.stored.noise
        return observed(points_2d, confidence, *known)


def modelled_pieces(
    source: Path, views: xr.Dataset, rig: CameraRig, settings: Settings, executor: Executor | None = None
) -> Iterator[xr.Dataset]:
    """Poses of consecutive windows, as `reconstruct` gives them for the whole of `source`, which `views` has opened.

    executor : where the windows are solved; None: threads
    """
    options = dict(settings.options)
    keypoints, times = [str(name) for name in views["keypoint"].values], np.asarray(views["time"].values, dtype=float)
    pixels = _stored_pixels(source, views, rig, settings)
    if settings.method == "articulated":
        yield from _body_pieces(pixels, keypoints, times, settings, executor)
        return
    skeleton = None if settings.skeleton is None else in_order(settings.skeleton, keypoints)
    some = check_problem(pixels.views(slice(0, 2)), rig, pixels.fps, None, skeleton, options.get("order"),
                         noise=pixels.noise, pairs=options.get("pairs"))  # fmt: skip
    problem = replace(some, pixels=pixels, spread=ensemble_std(sampled(views)))
    if settings.method == "gimbal":
        learned, prior = learn_poses(problem, settings.prior, options.get("n_states"))
        solve = partial(solve_pose_window, learned, prior)
    else:
        learned = learn(problem)
        solve = partial(solve_window, learned)
    common = constants(learned)
    progress = options.get("progress", False)
    windows = solved_windows(learned, solve, window=settings.window, progress=progress, executor=executor)
    for kept, part, _ in windows:
        trajectory = SimpleNamespace(**common, **_with_states(part))
        points_2d = view_arrays(pixels.views(kept))[0]
        yield label_trajectory(trajectory, points_2d, rig, keypoints=keypoints, times=times[kept])


def _body_pieces(
    pixels: StoredPixels, keypoints: list[str], times: Array, settings: Settings, executor: Executor | None
) -> Iterator[xr.Dataset]:
    """Poses of consecutive stretches by a body."""
    options = settings.options
    body = checked_body(settings.body, options.get("order"))
    check_n_frames(pixels.n_frames)
    columns = marker_columns(body, keypoints, len(keypoints))
    recording = learn_body(
        StoredMarkers(pixels, body, tuple(keypoints), columns), order=options.get("order"),
        time_offsets=options.get("time_offsets", False), window=settings.window, prior=settings.prior,
    )  # fmt: skip
    for kept, fit in recording.pieces(executor):
        points_2d = view_arrays(pixels.views(kept))[0]
        yield label_body_fit(fit, points_2d, pixels.rig, keypoints=keypoints, times=times[kept])


def _stored_pixels(source: Path, views: xr.Dataset, rig: CameraRig, settings: Settings) -> StoredPixels:
    """The pixels of a file; left and right are put right as they are read, where the settings say so."""
    prepare = side_repair(views, rig, settings)
    typical = typical_noise(sampled(views)["covariance"].values) if "covariance" in views else None
    sizes, given = views.sizes, settings.options.get("noise")
    return StoredPixels(source, rig, fps_of(views), sizes["time"], sizes["keypoint"], prepare, typical, given)


def _with_states(part: dict[str, Any]) -> dict[str, Any]:
    """A window's arrays, with the most probable state of each frame."""
    if "state_probabilities" not in part:
        return part
    return part | {"states": np.argmax(part["state_probabilities"], axis=1)}
