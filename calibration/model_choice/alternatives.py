"""What other lens models say: the share of the uncertainty that lies in the choice of the model.

Bayesian model averaging (Hoeting et al. 1999, eq. 3): the covariance about the chosen model's answer is that within the
model, plus the squared differences of the others' answers, weighted by the models' probabilities.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...cameras import CameraRig, move_rig
from ...cameras.rotations import orthonormal, rotation_vector
from ...numerics.arrays import Array
from ..solver.bundle_unknowns import BundleSpec
from ..solver.robust_solution import Solution, camera_of_solution
from .lens_selection import Comparison

_LEAST = 0.01  # probability relative to the best model's below which a model is left out
_WORTH_SAYING = 0.05  # probability from which a different answer is reported


@dataclass(frozen=True, eq=False)
class LensAlternative:
    """A rig with lenses of another model, in the boards' world of the calibration.

    Parameters
    ----------
    probability : float
        Of the model, all models of the comparison together 1.
    rig : CameraRig
        The cameras as this model has them.
    chosen : CameraRig
        The same of the chosen model, estimated from the same frames: what the two differ by is the model's share.
    parameters : ndarray, shape (n_parameters,)
        Differences of the calibration's `parameters` from the chosen model's; 0 where the two have none in common.

    Examples
    --------
    >>> from muybridge.calibration import calibrate, simulate_board_motion, simulate_detections
    >>> calibration = calibrate(simulate_detections(motion=simulate_board_motion(20)))
    >>> others = calibration.alternatives  # empty where no other model may be true
    >>> all(0 < other.probability < 1 for other in others)
    True
    """

    probability: float
    rig: CameraRig
    chosen: CameraRig
    parameters: Array

    def moved(self, R: Array, t: Array) -> LensAlternative:
        """The same in another world.

        Parameters
        ----------
        R : ndarray, shape (3, 3)
            Rotation, with x_new = R @ x_old + t.
        t : ndarray, shape (3,), world units
            Translation.

        Returns
        -------
        LensAlternative
            With both rigs moved.
        """
        return replace(self, rig=move_rig(self.rig, R, t), chosen=move_rig(self.chosen, R, t))


def lens_alternatives(solution: Solution, found: Comparison) -> tuple[LensAlternative, ...]:
    """The models of the comparison that may be true, too, in the world of the solution, which has the best one's."""
    weights = np.exp(found.log_probabilities - found.log_probabilities.max())
    probabilities = weights / weights.sum()
    chosen = _carried(found.best, solution)
    return tuple(
        LensAlternative(
            float(probability), _carried(other, solution), chosen, _differences(other, found.best, solution.spec)
        )
        for other, weight, probability in zip(found.solutions, weights, probabilities, strict=True)
        if other is not found.best and weight > _LEAST
    )


def _carried(solution: Solution, onto: Solution) -> CameraRig:
    """The solution's cameras, its boards laid on those of another one."""
    _, mine, theirs = np.intersect1d(solution.frames, onto.frames, return_indices=True)
    a, b = (
        (s.state.points @ s.state.frame_R[at].swapaxes(1, 2) + s.state.frame_t[at][:, None]).reshape(-1, 3)
        for s, at in ((solution, mine), (onto, theirs))
    )
    R = orthonormal((b - b.mean(axis=0)).T @ (a - a.mean(axis=0)))
    n, state = solution.problem.n_cameras, solution.state
    rig = CameraRig(tuple(camera_of_solution(solution, c, state.R[c], state.t[c]) for c in range(n)))
    return move_rig(rig, R, b.mean(axis=0) - R @ a.mean(axis=0))


def _differences(other: Solution, best: Solution, spec: BundleSpec) -> Array:
    """(n_global,) of lenses and of poses relative to the first camera, in the order of the global unknowns."""
    values = np.zeros(spec.n_global)
    alike = np.array([(a == "fisheye") == (b == "fisheye") for a, b in zip(other.kinds, best.kinds, strict=True)])
    common = alike[:, None] | (np.arange(spec.free.shape[1]) < 4)
    values[: spec.n_lens_free] = np.where(common, other.state.lens - best.state.lens, 0.0)[spec.free]
    motions = []
    for c in np.flatnonzero(spec.free_pose):
        (R, t), (R_best, t_best) = (_relative(solution, int(c)) for solution in (other, best))
        turn = R @ R_best.T
        motions.append(np.concatenate([rotation_vector(turn), t - turn @ t_best]))
    if motions:
        values[spec.n_lens_free : spec.delay_start] = np.concatenate(motions)
    return values


def _relative(solution: Solution, c: int) -> tuple[Array, Array]:
    """Pose of a camera relative to the first one."""
    R, t = solution.state.R, solution.state.t
    turn = R[c] @ R[0].T
    return turn, t[c] - turn @ t[0]


def parameter_spread(alternatives: tuple[LensAlternative, ...], n_parameters: int) -> Array:
    """(n_parameters, n_parameters): what the choice of the model adds to the parameters' covariance."""
    spread = np.zeros((n_parameters, n_parameters))
    for other in alternatives:
        spread += other.probability * np.outer(other.parameters, other.parameters)
    return spread


def disagreement_sentences(
    alternatives: tuple[LensAlternative, ...], names: tuple[tuple[str, str], ...], covariance: Array
) -> tuple[str, ...]:
    """Where a probable other model has a focal length or principal point further off than its standard deviation.

    names, covariance: of the parameters, within the chosen model.
    """
    sentences = []
    for other in alternatives:
        if other.probability < _WORTH_SAYING:
            continue
        deviation = np.sqrt(np.maximum(np.diag(covariance), 0.0))
        ratio = np.where(deviation > 0, np.abs(other.parameters) / np.maximum(deviation, 1e-300), 0.0)
        ratio[[name not in ("fx", "fy", "cx", "cy") for _, name in names]] = 0.0
        worst = int(np.argmax(ratio)) if len(ratio) else 0
        if len(ratio) and ratio[worst] > 1:
            camera, name = names[worst]
            sentences.append(
                f"other lenses ({_kinds(other.rig)}), {100 * other.probability:.0f} % probable, move {name} of camera"
                f" '{camera}' by {other.parameters[worst]:+.1f} px, {ratio[worst]:.1f} of its standard deviations: the"
                " covariance includes it"
            )
    return tuple(sentences)


def _kinds(rig: CameraRig) -> str:
    """The cameras' lens models in words."""
    kinds = dict.fromkeys("fisheye" if camera.model == "fisheye" else str(len(camera.distortion)) for camera in rig)
    return ", ".join(kinds)
