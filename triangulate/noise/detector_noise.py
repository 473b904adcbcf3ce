"""The noise of a detector per camera and keypoint: learned from a truth, or estimated from the recording itself.

The error of a keypoint in a camera is, in pixels, the sum of a constant part (the label lies elsewhere than the
marker), a part that lasts for some frames and a part that is new in every frame; with a probability of its own it is an
outlier. The place that is labelled may also differ from the true one in all views alike: a displacement in space, which
no residual shows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...cameras import CameraRig
from ...datasets.atomic_files import atomic_write
from ...datasets.npz_files import read_npz
from ...numerics.arrays import Array, freeze
from ..input_checks import check_points_2d, from_views
from .error_statistics import common_displacement, two_gaussians, variance_of_mean
from .lasting_errors import FEWEST, lag_correlation

_FORMAT = 1  # version of the files of `save`
_BY_VIEW = ("inlier_std", "outlier_probability", "outlier_std", "bias", "bias_std")
_BY_KEYPOINT = ("shared_std", "correlation")


@dataclass(frozen=True, eq=False)
class DetectorNoise:
    """Errors of a detector per camera and keypoint.

    Parameters
    ----------
    cameras : tuple of str
        Names in the order of the camera axis.
    bias : ndarray, shape (n_cameras, n_keypoints, 2), pixels
        Mean error of an inlier.
    inlier_std : ndarray, shape (n_cameras, n_keypoints), pixels
        Standard deviation of an inlier's coordinate about the bias.
    outlier_probability : ndarray, shape (n_cameras, n_keypoints), 0-1
        Share of the observations that are outliers.
    outlier_std : ndarray, shape (n_cameras, n_keypoints), pixels
        Standard deviation of an outlier's coordinate.
    shared_std : ndarray, shape (n_keypoints,), world units
        Standard deviation, along each axis, of the displacement that all views have in common.
    correlation : ndarray, shape (n_keypoints,), -1 to 1
        Correlation of the errors of inliers in consecutive frames of those it was learned from; NaN where unknown.
    keypoints : tuple of str, optional
        Names in the order of the keypoint axis; None: the order alone counts.
    bias_std : ndarray, shape (n_cameras, n_keypoints), pixels, optional
        Standard deviation of the error of the bias itself: large where it was learned from few frames, or from errors
        that last. None: 0.

    Raises
    ------
    ValueError
        If a shape does not fit, a standard deviation is not positive, or a probability lies outside 0 to 1.

    See Also
    --------
    triangulate_ransac : Takes it as ``noise=``.

    Examples
    --------
    >>> import numpy as np
    >>> noise = DetectorNoise(
    ...     ("left", "right"), np.zeros((2, 1, 2)), np.full((2, 1), 2.0), np.full((2, 1), 0.05), np.full((2, 1), 50.0),
    ...     np.array([0.5]), np.array([0.8]))
    >>> noise.inlier_std.ravel()
    array([2., 2.])
    """

    cameras: tuple[str, ...]
    bias: Array
    inlier_std: Array
    outlier_probability: Array
    outlier_std: Array
    shared_std: Array
    correlation: Array
    keypoints: tuple[str, ...] | None = None
    bias_std: Array | None = None

    def __post_init__(self):
        object.__setattr__(self, "cameras", tuple(str(name) for name in self.cameras))
        if self.keypoints is not None:
            object.__setattr__(self, "keypoints", tuple(str(name) for name in self.keypoints))
        inlier = np.asarray(self.inlier_std, dtype=float)
        if inlier.ndim != 2 or len(inlier) != len(self.cameras):
            raise ValueError(
                f"inlier_std has shape {inlier.shape}; expected ({len(self.cameras)} cameras, n_keypoints)"
            )
        n_keypoints = inlier.shape[1]
        if self.keypoints is not None and len(self.keypoints) != n_keypoints:
            raise ValueError(f"there are {len(self.keypoints)} keypoint names for {n_keypoints} keypoints")
        if self.bias_std is None:
            object.__setattr__(self, "bias_std", np.zeros(inlier.shape))
        shapes = dict.fromkeys(_BY_VIEW, inlier.shape) | {"bias": (*inlier.shape, 2)}
        shapes |= dict.fromkeys(_BY_KEYPOINT, (n_keypoints,))
        for name, shape in shapes.items():
            values = np.array(getattr(self, name), dtype=float)
            if values.shape != shape:
                raise ValueError(f"{name} has shape {values.shape}, expected {shape}")
            if name != "correlation" and not np.isfinite(values).all():
                raise ValueError(f"{name} holds values that are not finite")
            freeze(self, name, values)
        if (self.inlier_std <= 0).any() or (self.outlier_std <= 0).any():
            raise ValueError("standard deviations of inliers and outliers must be positive")
        if (self.shared_std < 0).any() or (np.asarray(self.bias_std) < 0).any():
            raise ValueError("standard deviations of what views share and of the bias must not be negative")
        if (self.outlier_probability < 0).any() or (self.outlier_probability > 1).any():
            raise ValueError("outlier_probability must lie between 0 and 1")

    @classmethod
    def fit(cls, points_2d: Any, points_3d: Array, rig: CameraRig) -> DetectorNoise:
        """Learn the noise from frames whose true 3D points are known: labelled frames or motion capture.

        Expectation-maximisation of two Gaussians per camera and keypoint, the outliers the wider one; each camera's and
        keypoint's values are drawn towards the pooled ones where there are few frames. A mean error over frames whose
        errors last is a poor estimate of the bias: `bias_std` says how poor.

        Parameters
        ----------
        points_2d : ndarray, shape (n_cameras, n_frames, n_keypoints, 2), pixels, or xarray.Dataset
            Detections, NaN where missing; or a views dataset.
        points_3d : ndarray, shape (n_frames, n_keypoints, 3), world units
            True points, NaN where unknown.
        rig : CameraRig
            The calibrated cameras.

        Returns
        -------
        DetectorNoise
            The noise of this detector.

        Raises
        ------
        ValueError
            If shapes do not fit, or no keypoint has a true point in three frames.

        Examples
        --------
        >>> import numpy as np
        >>> from muybridge.cameras import Camera, CameraRig
        >>> K = [[1000, 0, 640], [0, 1000, 512], [0, 0, 1]]
        >>> pair = [Camera(f"cam_{x}", (1280, 1024), K, [], np.eye(3), [x, 0, 1000]) for x in (-200, 200)]
        >>> rig = CameraRig(tuple(pair))
        >>> rng = np.random.default_rng(0)
        >>> points_3d = rng.uniform(-100, 100, (300, 2, 3))
        >>> points_2d = rig.project(points_3d) + [3.0, 0.0] + rng.normal(0, 2, (2, 300, 2, 2))
        >>> noise = DetectorNoise.fit(points_2d, points_3d, rig)
        >>> noise.inlier_std.round(), float(noise.bias[0, 0, 0].round())
        (array([[2., 2.],
               [2., 2.]]), 3.0)
        """
        points_2d, keypoints = from_views(points_2d, rig, keypoints=None)
        points_2d = check_points_2d(points_2d, rig, 1)
        points_3d = np.asarray(points_3d, dtype=float)
        if points_2d.ndim != 4 or points_3d.shape != (*points_2d.shape[1:3], 3):
            raise ValueError(
                f"points_2d of shape {points_2d.shape} and points_3d of shape {points_3d.shape} do not fit together:"
                " expected (n_cameras, n_frames, n_keypoints, 2) and (n_frames, n_keypoints, 3)"
            )
        residuals = points_2d - rig.project(points_3d)
        n_true = int(np.isfinite(residuals).all(axis=-1).sum(axis=1).max(initial=0))
        if n_true < FEWEST:
            raise ValueError(
                f"no keypoint of a camera has a true 3D point in more than {n_true} frames, where its mean error and"
                f" spread need {FEWEST}; give more labelled frames or motion capture of the same rig"
            )
        bias, inlier, share, outlier, weight = two_gaussians(residuals)
        centred = np.where((weight > 0.5)[..., None], residuals - bias[:, None], np.nan)
        correlation, shared = lag_correlation(centred), common_displacement(centred, points_3d, rig)
        lost = variance_of_mean(weight.sum(axis=1), correlation)
        inlier = inlier / np.sqrt(1 - lost)
        return cls(rig.names, bias, inlier, share, np.maximum(outlier, 2 * inlier), shared, correlation, keypoints,
                   inlier * np.sqrt(lost))  # fmt: skip

    def for_recording(
        self, rig: CameraRig, n_keypoints: int, keypoints: tuple[str, ...] | None = None
    ) -> DetectorNoise:
        """The noise of the cameras of a rig and the keypoints of a recording, in their order, matched by name.

        Parameters
        ----------
        rig : CameraRig
            Cameras that the noise was learned for.
        n_keypoints : int
            Of the recording.
        keypoints : tuple of str, optional
            Names of the recording's keypoints; None, or a noise without names: the order alone counts.

        Returns
        -------
        DetectorNoise
            With the cameras of the rig and the keypoints of the recording only.

        Raises
        ------
        ValueError
            If the noise is that of other cameras or of other keypoints.
        """
        missing = [name for name in rig.names if name not in self.cameras]
        if missing:
            raise ValueError(f"the noise knows the cameras {list(self.cameras)}, not {missing}; fit it for this rig")
        named = keypoints is not None and self.keypoints is not None
        unknown = [name for name in keypoints or () if named and name not in (self.keypoints or ())]
        if unknown:
            raise ValueError(f"the noise knows the keypoints {list(self.keypoints or ())}, not {unknown}")
        if not named and self.inlier_std.shape[1] != n_keypoints:
            raise ValueError(
                f"the noise is that of {self.inlier_std.shape[1]} keypoints, the recording has {n_keypoints}"
            )
        rows = [self.cameras.index(name) for name in rig.names]
        columns = [(self.keypoints or ()).index(name) for name in keypoints or ()] if named else slice(None)
        own = {name: getattr(self, name)[rows][:, columns] for name in _BY_VIEW}
        own |= {name: getattr(self, name)[columns] for name in _BY_KEYPOINT}
        return replace(self, cameras=rig.names, keypoints=keypoints or self.keypoints, **own)

    def save(self, path: str | Path) -> None:
        """Write to an .npz file of plain arrays, atomically.

        Parameters
        ----------
        path : str or pathlib.Path
            The file; one that exists is replaced.
        """
        names = np.array(self.keypoints or (), dtype=np.str_)
        with atomic_write(path) as partial, partial.open("wb") as file:
            np.savez_compressed(
                file, format=_FORMAT, cameras=np.array(self.cameras, dtype=np.str_), keypoints=names,
                **{name: getattr(self, name) for name in (*_BY_VIEW, *_BY_KEYPOINT)},
            )  # fmt: skip

    @classmethod
    def load(cls, path: str | Path) -> DetectorNoise:
        """Read what `save` wrote; nothing in the file is executed.

        Parameters
        ----------
        path : str or pathlib.Path
            The .npz file.

        Returns
        -------
        DetectorNoise
            The noise.

        Raises
        ------
        ValueError
            If the file does not hold the noise of a detector.
        """
        try:
            content = read_npz(path, ("keypoints", "cameras", *_BY_VIEW, *_BY_KEYPOINT))
            names = tuple(str(name) for name in content["keypoints"]) or None
            cameras = tuple(str(name) for name in content["cameras"])
            arrays = {name: content[name] for name in (*_BY_VIEW, *_BY_KEYPOINT)}
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path} does not hold the noise of a detector (DetectorNoise.save): {error}") from error
        return cls(cameras=cameras, keypoints=names, **arrays)


def without_bias(points_2d: Array, noise: DetectorNoise) -> tuple[Array, DetectorNoise]:
    """Pixels (n_cameras, n_frames, n_keypoints, 2) from which the bias is subtracted, and their noise, with no bias:
    the error of what was subtracted is part of its spread."""
    spread = np.hypot(noise.inlier_std, np.asarray(noise.bias_std))
    left = replace(noise, bias=np.zeros_like(noise.bias), bias_std=None, inlier_std=spread)
    return points_2d - noise.bias[:, None], left


def log_outlier_density(rig: CameraRig, noise: DetectorNoise | None, n_keypoints: int) -> Array:
    """(n_cameras, n_keypoints) log density, per pixel squared, of an outlier near the keypoint.

    Uniform over the image; where a noise is given, over a disc of the variance of its outliers, wherever that lies:
    the place of an outlier tells nothing of the keypoint's.
    """
    image = np.array([camera.size for camera in rig], float).prod(axis=1)[:, None]
    areas = np.repeat(image, n_keypoints, axis=1)
    return -np.log(areas if noise is None else np.minimum(areas, 4 * np.pi * noise.outlier_std**2))
