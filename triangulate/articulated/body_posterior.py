"""The posterior of an articulated fit, as it is returned."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...numerics.arrays import Array
from ..bodies.kinematic_tree import Body
from ..smoothing.trajectory import derivatives
from .pixel_noise import INLIER, SWAPPED
from .trajectory_fit import Fit

# over the declared spread: 0.3-2.5 of sprints and real rats with their own bodies, 3.3-7.4 where sides, knees and paws,
# neck and tail are exchanged, or keypoints in any order
_FAR_OFF = 3.0


@dataclass(frozen=True, eq=False)
class BodyFit:
    """Posterior of an animal's posture, frame by frame, and of its build.

    Parameters
    ----------
    angles : ndarray, shape (n_frames, n_angles)
        In the order of `Body.angle_names`: the root's place in world units, then radians.
    angles_std : ndarray, shape (n_frames, n_angles)
        Standard deviations.
    velocities : ndarray, shape (n_frames, n_angles)
        Change of the angles per second.
    velocities_std : ndarray, shape (n_frames, n_angles)
        Standard deviations.
    points_3d : ndarray, shape (n_frames, n_markers, 3), world units
        Markers, in the order of `Body.marker_names`.
    covariances_3d : ndarray, shape (n_frames, n_markers, 3, 3), world units squared
        Of the markers.
    lengths : ndarray, shape (n_lengths,), world units
        Bone lengths, in the order of `Body.length_names`.
    lengths_std : ndarray, shape (n_lengths,), world units
        Standard deviations.
    offsets : ndarray, shape (n_markers + n_segments, 3), world units
        Displacement of markers in their segments' frames, then of joints in their parents' frames.
    offsets_std : ndarray, shape (n_markers + n_segments, 3), world units
        Standard deviations.
    inlier_probability : ndarray, shape (n_cameras, n_frames, n_markers)
        Posterior probability that the pixel shows the marker; NaN where there is no pixel or it is left out.
    swap_probability : ndarray, shape (n_cameras, n_frames, n_markers)
        Posterior probability that it shows the marker's partner on the other side.
    time_offsets : ndarray, shape (n_cameras,), seconds
        By which a camera is delayed: what the others show at a time, it shows so much later; the median camera is 0.
        Zeros unless asked for.
    determined : ndarray of bool, shape (n_angles,)
        Whether these cameras and markers determine the angle at all; else its band is what the limits leave.
    rank : int
        Combinations of the angles that the pixels determine.
    sigma : ndarray, shape (n_cameras, n_markers), pixels
        Standard deviation of an inlier's coordinate, without the part that never changes.
    bias_std : ndarray, shape (n_markers,), pixels
        Standard deviation of the part that never changes, root mean square of the cameras.
    correlation : ndarray, shape (n_markers,)
        Of the errors of consecutive frames.
    deviation_std : ndarray, shape (n_markers,), world units
        Standard deviation, along each axis, of a marker about its place on its segment.
    order : int
        Of the autoregressive prior in time, the most likely one: number of earlier frames that an angle depends on, 2
        or 3.
    rhythm : float, hertz
        Frequency at which the angles' changes oscillate in the prior; NaN where they do not.
    process_stds : ndarray, shape (n_angles,)
        Standard deviation of an angle's innovation, its part that the earlier frames do not predict.
    prior_share : float
        Share of the correlations of the trained `MovementPrior` that the pixels chose: 1, or 0 where only how much each
        angle moves is the prior's. NaN where there was none, or the pixels are likelier without it.
    body : Body
        The body, in world units and of the animal's size; its lengths are the prior's.
    fps : float, hertz
        Frames per second.
    converged : bool
        Whether another round of solving and learning would leave everything where it is: the markers within 0.2
        standard deviations (root mean square), the constant errors and the spread of places within 20 %.

    Examples
    --------
    See `fit_body`, which returns it.

    >>> from muybridge.triangulate import BodyFit
    >>> "angles_std" in BodyFit.__dataclass_fields__
    True
    """

    angles: Array
    angles_std: Array
    velocities: Array
    velocities_std: Array
    points_3d: Array
    covariances_3d: Array
    lengths: Array
    lengths_std: Array
    offsets: Array
    offsets_std: Array
    inlier_probability: Array
    swap_probability: Array
    time_offsets: Array
    determined: NDArray[np.bool_]
    rank: int
    sigma: Array
    bias_std: Array
    correlation: Array
    deviation_std: Array
    order: int
    rhythm: float
    process_stds: Array
    prior_share: float
    body: Body
    fps: float
    converged: bool


def by_frame(fit: Fit, fps: float, seen: NDArray[np.bool_]) -> dict[str, Array]:
    """What changes from frame to frame, time first; probabilities of pixels are NaN unless `seen` (n_cameras, n_frames,
    n_markers)."""
    lagged, border = fit.posterior.lagged[:, :3].copy(), fit.posterior.border
    for lag in range(3):
        n = max(len(border) - lag, 0)
        lagged[:n, lag] += border[:n] @ border[lag:].swapaxes(1, 2)
    weights = np.where(seen[..., None], fit.pixels.as_given(fit.weights), np.nan)
    velocities, velocities_std = _velocities(fit.state.angles, np.einsum("tlaa->tla", lagged), fps)
    return {
        "angles": fit.state.angles,
        "angles_std": np.sqrt(np.einsum("taa->ta", lagged[:, 0])),
        "velocities": velocities,
        "velocities_std": velocities_std,
        "points_3d": fit.markers,
        "covariances_3d": fit.covariances_3d,
        "inlier_probability": weights[..., INLIER].swapaxes(0, 1),
        "swap_probability": weights[..., SWAPPED].swapaxes(0, 1),
    }


def warn_doubtful(fit: Fit) -> None:
    """Warn of angles that the pixels do not determine, of markers that are not where the body has them, and of a fit
    that has not come to rest."""
    body, off = fit.model.body, np.sqrt(fit.model.build)
    if off > _FAR_OFF:
        places = np.linalg.norm(fit.state.offsets[: body.plan.n_markers], axis=-1)
        names = [body.marker_names[k] for k in np.argsort(-places)[:4]]
        warnings.warn(
            f"markers and joints lie {off:.1f} times as far off their places as body '{body.name}' says (`marker_std`,"
            f" `joint_std`), {names} the farthest: keypoints in another order, left and right exchanged, limits that"
            " exclude the data, or a body that is not this animal's; don't trust these angles and their bands",
            stacklevel=4,
        )
    if not fit.converged:
        warnings.warn(
            f"the fit of body '{body.name}' has not come to rest (`converged` is False): another round would"
            " move its markers; where they are not rigid on their segments, give the body a `deviation_std`",
            stacklevel=4,
        )
    determined, _ = determined_angles(fit)
    if not determined.all():
        angles = zip(body.angle_names, determined, strict=True)
        names = [name for name, known in angles if not known]
        warnings.warn(
            f"what is seen does not determine the angles {names}: their bands are what the limits leave", stacklevel=4
        )


def described(fit: Fit, fps: float, changing: dict[str, Array], converged: bool) -> BodyFit:
    """The result, from what holds for the recording and what is `changing` of some frames."""
    state, model, course = fit.state, fit.model, fit.model.prior.courses[1]
    body, n_lengths, n_shape = model.body, len(state.lengths), len(model.volume)
    constants = np.sqrt((fit.posterior.root**2).sum(axis=1))
    determined, rank = determined_angles(fit)
    pixels = {name: changing[name].swapaxes(0, 1) for name in ("inlier_probability", "swap_probability")}
    return BodyFit(
        **(changing | pixels),
        lengths=state.lengths,
        lengths_std=constants[:n_lengths],
        offsets=state.offsets,
        offsets_std=constants[n_lengths:n_shape].reshape(-1, 3),
        time_offsets=0.0 - fit.pixels.offsets / fps,
        determined=determined,
        rank=rank,
        sigma=model.noise.sigma,
        bias_std=np.sqrt((model.noise.bias_std**2).mean(axis=0)),
        correlation=model.noise.correlation,
        deviation_std=fit.deviations.std,
        order=course.order,
        rhythm=course.frequency * fps / (2 * np.pi),
        process_stds=np.sqrt(model.prior.variances),
        prior_share=np.nan if model.prior.together is None else model.prior.together.share,
        body=body,
        fps=fps,
        converged=converged,
    )


def _velocities(angles: Array, variances: Array, fps: float) -> tuple[Array, Array]:
    """Of angles (n_frames, n_angles) with their covariances with 0, 1, 2 frames later (n_frames, 3, n_angles)."""
    n_frames, n_angles = angles.shape
    as_points = np.zeros((n_frames, n_angles, 3))
    as_points[..., 0] = angles
    covariances = np.zeros((n_frames, n_angles, 3, 3, 3))
    covariances[..., 0, 0] = variances.transpose(0, 2, 1)
    velocities, spread, *_ = derivatives(as_points, covariances, fps)
    return velocities[..., 0], np.sqrt(np.maximum(spread[..., 0, 0], 0.0))


def determined_angles(fit: Fit) -> tuple[NDArray[np.bool_], int]:
    """(n_angles,) whether the pixels halve what the limits alone leave of an angle's level, and how many combinations
    of angles they determine so."""
    prior = fit.model.prior
    scaled = fit.information / np.sqrt(prior.level[:, None] * prior.level)
    values = np.linalg.eigvalsh(scaled)
    left = np.diag(np.linalg.inv(scaled + np.eye(len(scaled))))
    return left < 0.25, int((values > 3.0).sum())
