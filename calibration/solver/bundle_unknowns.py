"""What bundle adjustment reads and estimates: corners as flat arrays, the unknowns, which of them move, the loss."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ...numerics.arrays import Array
from ..lens_prior import LensPrior
from . import _kernels_bundle as kernels

N_LENS = kernels.N_LENS


@dataclass(frozen=True, eq=False)
class Views:
    """Corners as flat arrays, sorted by frame, then camera.

    camera, frame (n_views,); starts (n_views + 1,) bounds of each view in the observations; corner (n_obs,), pixels
    (n_obs, 2). The board's own motion between the frame's time and the camera's exposure, `delay` (n_views,) seconds
    less the camera's delay, is a polynomial seen from the board: `motion` (n_views, degree, 6), rotation vector and
    translation per second, per second squared and so on.
    """

    camera: NDArray[np.int64]
    frame: NDArray[np.int64]
    starts: NDArray[np.int64]
    corner: NDArray[np.int64]
    pixels: Array
    motion: Array
    delay: Array

    @property
    def view_of(self) -> NDArray[np.int64]:
        """(n_obs,) the view of each observation."""
        return np.repeat(np.arange(len(self.camera)), np.diff(self.starts))


@dataclass(frozen=True, eq=False)
class BundleState:
    """All unknowns: lens (n_lenses, 18), cameras R, t, frames R, t, the board's corners, and the cameras' delays.

    points (n_corners, 3), world units; delay (n_cameras,), seconds by which a camera is delayed: what it shows at its
    own time T happened at T - delay.
    """

    lens: Array
    R: Array
    t: Array
    frame_R: Array
    frame_t: Array
    points: Array
    delay: Array


@dataclass(frozen=True, eq=False)
class BundleSpec:
    """What is estimated.

    lens_of (n_cameras,): the row of `lens` of each camera (shared where cameras are identical); fisheye (n_lenses,);
    free (n_lenses, 18) the lens unknowns that move; free_pose (n_cameras,) whether a camera's pose moves (one stays);
    free_delay (n_cameras,) whether its delay does (one stays);
    shape_sigma: standard deviation of a corner's displacement, world units per pixel of noise, None: the board stays as
    printed, `nominal` (n_corners, 3). prior: of the lenses, None: none; variance of the noise, pixels squared, by which
    the residuals are weighed against it. exposure: precision of each view's own time, 1 / second squared, times the
    noise's variance, if that time is an unknown that the equations are to be without; None: it is known.
    """

    lens_of: NDArray[np.int64]
    fisheye: NDArray[np.bool_]
    free: NDArray[np.bool_]
    free_pose: NDArray[np.bool_]
    free_delay: NDArray[np.bool_]
    shape_sigma: float | None = None
    nominal: Array = field(default_factory=lambda: np.zeros((0, 3)))
    prior: LensPrior | None = None
    variance: float = 1.0
    exposure: float | None = None

    @cached_property
    def n_lens_free(self) -> int:
        """Number of lens unknowns that move."""
        return int(self.free.sum())

    @cached_property
    def n_global(self) -> int:
        """Unknowns that are no frame's own: lenses, camera poses, board shape."""
        shape = 0 if self.shape_sigma is None else self.nominal.size
        return self.n_lens_free + 6 * int(self.free_pose.sum()) + int(self.free_delay.sum()) + shape

    @cached_property
    def delay_start(self) -> int:
        """First column of the delays among the global unknowns."""
        return self.n_lens_free + 6 * int(self.free_pose.sum())

    @cached_property
    def shape_start(self) -> int:
        """First column of the board's shape among the global unknowns."""
        return self.delay_start + int(self.free_delay.sum())

    @cached_property
    def columns(self) -> NDArray[np.int64]:
        """(n_cameras, 25) columns of a camera's 18 lens unknowns, pose and delay among the global ones; −1 if fixed."""
        columns, lenses = np.full((len(self.lens_of), N_LENS + 7), -1), np.full(self.free.shape, -1)
        lenses[self.free] = np.arange(self.n_lens_free)
        columns[:, :N_LENS] = lenses[self.lens_of]
        poses = np.arange(self.n_lens_free, self.delay_start)
        columns[self.free_pose, N_LENS:-1] = poses.reshape(-1, 6)
        columns[self.free_delay, -1] = np.arange(self.delay_start, self.shape_start)
        return columns

    @cached_property
    def lens_pairs(self) -> tuple[NDArray, NDArray, NDArray]:
        """Of each two free unknowns of one lens: the lens, and their two places among its 18."""
        lens, first, second = np.nonzero(self.free[:, :, None] & self.free[:, None, :])
        return lens, first, second


def squares(residuals: Array) -> Array:
    """(n_obs,) squared lengths of (n_obs, 2); numpy sums such short rows ten times slower."""
    return residuals[:, 0] ** 2 + residuals[:, 1] ** 2


@dataclass(frozen=True, eq=False)
class Loss:
    """Cauchy loss of scale `scale` pixels per observation's distance; `keep` (n_obs,) leaves gross outliers out."""

    scale: float
    keep: NDArray[np.bool_]

    def weights(self, residuals: Array) -> Array:
        """(n_obs,) Cauchy weights of squared distances; 0 for gross outliers and observations behind a camera."""
        square = squares(residuals) / self.scale**2
        return np.where(self.keep & np.isfinite(square), 1 / (1 + np.where(np.isfinite(square), square, 0)), 0.0)

    def cost(self, residuals: Array) -> float:
        """Half the sum of rho; observations behind a camera count as very far."""
        square = squares(residuals) / self.scale**2
        square = np.where(np.isfinite(square), square, 1e12)
        return 0.5 * self.scale**2 * float(np.log1p(square[self.keep]).sum())


def make_views(corners: Array, frames: NDArray[np.int64]) -> Views:
    """Flat arrays of corners (n_cameras, n_frames, n_corners, 2), NaN where unseen, of these frames.

    `Views.frame` counts within `frames`. Views with fewer than 4 corners are the caller's to blank.
    """
    part = corners[:, frames].swapaxes(0, 1)
    seen = np.isfinite(part[..., 0])
    frame, camera = np.nonzero(seen.any(axis=-1))
    counts = seen[frame, camera].sum(axis=-1)
    view, corner = np.nonzero(seen[frame, camera])
    n_views = len(frame)
    return Views(
        camera=camera,
        frame=frame,
        starts=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        corner=corner,
        pixels=part[frame, camera][view, corner],
        motion=np.zeros((n_views, 1, 6)),
        delay=np.zeros(n_views),
    )
