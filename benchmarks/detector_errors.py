"""Errors of simulated detectors, with sizes of one's choice or those of a real detector."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from muybridge.calibration import CameraRig
from muybridge.triangulate import DetectorNoise


@dataclass(frozen=True)
class DetectorErrors:
    """Sizes of the errors of a simulated detector, per camera and keypoint.

    Parameters
    ----------
    white, slow, bias : standard deviations in pixels of the part that is new in every frame, of the part that lasts,
        and of the part that never changes
    correlation : frames after which the slow part has lost 63 % of its correlation
    outliers : share of observations that are off by `gross` pixels (standard deviation)
    outlier_frames : how many frames an outlier lasts on average
    swaps : share of the outliers that are left/right swaps, where symmetries are given
    common, common_slow : of displacements in space that all views share, of the part that never changes and of the part
        that lasts
    """

    white: float
    slow: float
    bias: float
    correlation: float
    outliers: float
    gross: float
    outlier_frames: float = 1.0
    swaps: float = 0.0
    common: float = 0.0
    common_slow: float = 0.0

    @classmethod
    def fit(cls, points_2d, truth, rig) -> DetectorErrors:
        """Medians over the keypoints of what `DetectorNoise.fit` finds in a recording with a truth (n_frames,
        n_keypoints, 3); a camera's constant error is split into the displacement that explains it best and the rest."""
        noise = DetectorNoise.fit(points_2d, truth, rig)
        J = np.nanmean(rig.project_jacobian(truth), axis=1)  # (n_cameras, n_keypoints, 2, 3)
        inverse = np.linalg.inv(np.einsum("ckai,ckaj->kij", J, J))
        displacement = np.einsum("kij,ckai,cka->ki", inverse, J, noise.bias)
        rest = noise.bias - np.einsum("ckai,ki->cka", J, displacement)
        own = (rest**2).sum(axis=(0, 2)) / (2 * len(rig) - 3)  # pixels squared, of each keypoint
        common = (displacement**2).mean(axis=-1) - own * inverse.trace(axis1=-2, axis2=-1) / 3
        scale, keep = pixels_per_unit(rig, truth), float(np.clip(np.nanmedian(noise.correlation), 0.05, 0.99))
        # constant is what is constant in this recording: the rest is the spread about its mean
        std = float(np.median(np.sqrt(noise.inlier_std**2 - noise.bias_std**2)))
        return cls(
            white=float(std * np.sqrt(1 - keep)),
            slow=float(std * np.sqrt(keep)),
            bias=float(np.sqrt(np.median(own))),
            correlation=float(-1 / np.log(keep)),
            outliers=float(np.median(noise.outlier_probability)),
            gross=float(np.median(noise.outlier_std)),
            common=scale * float(np.sqrt(max(np.median(common), 0.0))),
            common_slow=scale * float(np.median(noise.shared_std)),
        )

    def detect(self, truth, rig, rng, symmetries=()):
        """Detections of a truth (n_frames, n_keypoints, 3) with these errors; frames that follow each other."""
        slow = autoregressive(rng.normal(0, self.common_slow, truth.shape), self.correlation)
        displaced = truth + (slow + rng.normal(0, self.common, truth.shape[1:])) / pixels_per_unit(rig, truth)
        return self.apply(rig.project(displaced), rng, symmetries)

    def apply(self, points_2d, rng, symmetries=()):
        """(n_cameras, n_frames, n_keypoints, 2) pixels with these errors."""
        n_cameras, n_frames, n_keypoints, _ = points_2d.shape
        slow = autoregressive(rng.normal(0, self.slow, points_2d.shape).swapaxes(0, 1), self.correlation).swapaxes(0, 1)
        noisy = points_2d + slow + rng.normal(0, self.white, points_2d.shape)
        noisy += rng.normal(0, self.bias, (n_cameras, 1, n_keypoints, 2))
        begin = rng.uniform(size=points_2d.shape[:-1]) < self.outliers / self.outlier_frames
        out = begin.copy()
        for t in range(1, n_frames):
            out[:, t] |= out[:, t - 1] & (rng.uniform(size=(n_cameras, n_keypoints)) < 1 - 1 / self.outlier_frames)
        swapped = out & (rng.uniform(size=out.shape) < self.swaps)
        partner = np.arange(n_keypoints)
        for left, right in symmetries:
            partner[left], partner[right] = right, left
        swapped &= partner != np.arange(n_keypoints)
        noisy = np.where(swapped[..., None], noisy[:, :, partner], noisy)
        gross = out & ~swapped
        return np.where(gross[..., None], points_2d + rng.normal(0, self.gross, points_2d.shape), noisy)


def autoregressive(white, frames: float):
    """White noise (n_frames, ...) made to last: its correlation falls by a factor e in so many frames."""
    keep, lasting = np.exp(-1 / frames) if frames > 0 else 0.0, white.copy()
    for t in range(1, len(lasting)):
        lasting[t] = keep * lasting[t - 1] + np.sqrt(1 - keep**2) * lasting[t]
    return lasting


def pixels_per_unit(rig: CameraRig, points_3d) -> float:
    """Pixels that a displacement by a world unit across the line of sight makes, median."""
    return float(np.sqrt(np.nanmedian((rig.project_jacobian(points_3d) ** 2).sum(axis=(-1, -2)) / 2)))
