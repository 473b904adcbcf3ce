"""How an animal's joints move together, learned from other recordings: a trained prior of `fit_body`."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ....datasets.atomic_files import atomic_write
from ....datasets.names import repeated_names
from ....datasets.npz_files import read_npz
from ....numerics.arrays import Array, freeze
from ...bodies.kinematic_tree import Body
from ...input_checks import of_recording
from ..body_posterior import BodyFit
from .angle_prior import FIRST_TURN
from .recorded_movement import common_covariance, of_fit, of_points, turns_shown

_FORMAT = 1  # version of the files
_N_TURNS_OF_ROOT = 2  # pitch and roll, which every body has
_N_NAMED = 6  # turns that a message names
_LEAST_APART = 5e-5  # eigenvalue of the correlations: a dog is fitted at 1e-4, at 2e-6 no factor of its system is found


@dataclass(frozen=True, eq=False)
class MovementPrior:
    """Covariance of the angular velocities of an animal's joints: which move much, and which move together.

    It holds up to a factor, which each recording has of its own, and at any frame rate. A recording whose joints move
    in another way is fitted as without it: its pixels choose.

    Parameters
    ----------
    turns : tuple of str
        Names of the angles, as in `Body.angle_names`: "pitch" and "roll" of the root, then "segment_turn".
    covariance : ndarray, shape (n_turns, n_turns), radians squared per second squared
        Of their velocities, positive definite.

    Raises
    ------
    ValueError
        Names are repeated, or the covariance is not one of so many angles.

    See Also
    --------
    fit_body : Takes it as `prior`.

    Examples
    --------
    >>> from muybridge.triangulate import MovementPrior
    >>> MovementPrior(("thigh_swing", "shank_bend"), [[9.0, 6.0], [6.0, 8.0]]).turns
    ('thigh_swing', 'shank_bend')
    """

    turns: tuple[str, ...]
    covariance: Array

    def __post_init__(self):
        if isinstance(self.turns, str) or np.ndim(self.turns) != 1:
            raise ValueError(f"turns is {self.turns!r}; expected a list of names")
        object.__setattr__(self, "turns", tuple(str(name) for name in self.turns))
        try:
            covariance, n = np.array(self.covariance, dtype=float), len(self.turns)
        except (TypeError, ValueError) as error:
            raise ValueError(f"covariance is no matrix of numbers: {error}") from error
        if repeated := repeated_names(self.turns):
            raise ValueError(f"turns repeat {repeated}; every angle needs its own name")
        if covariance.shape != (n, n) or not n:
            raise ValueError(f"covariance has shape {covariance.shape}, expected {(n, n)} for {n} turns")
        if not np.isfinite(covariance).all() or not np.allclose(covariance, covariance.T):
            raise ValueError("covariance must be finite and symmetric")
        stds = np.sqrt(np.maximum(np.diag(covariance), 0.0))
        if not (stds > 0).all() or np.linalg.eigvalsh(covariance / np.outer(stds, stds))[0] < _LEAST_APART:
            raise ValueError(
                "covariance is not positive definite, or nearly not: some angles never move, some move as one, or it is"
                " of fewer frames than angles"
            )
        freeze(self, "covariance", covariance)

    def __repr__(self) -> str:
        return f"<MovementPrior: {len(self.turns)} turns>"

    @classmethod
    def fit(
        cls,
        recordings: BodyFit | xr.Dataset | Array | Sequence[BodyFit | xr.Dataset | Array],
        body: Body | str | Path | None = None,
        *,
        fps: float | None = None,
        keypoints: Sequence[str] | None = None,
    ) -> MovementPrior:
        """Learn it from other recordings, each of which may be faster or slower than the others.

        Parameters
        ----------
        recordings : BodyFit, xarray.Dataset, or ndarray, shape (n_frames, n_keypoints, 3), or a list of them
            Of animals that move like those to come: what `fit_body` found in well observed recordings, of bodies with
            the same angles; a good pose; or points in 3D, world units, NaN where missing: motion capture.
        body : Body, str or pathlib.Path, optional
            Laid into poses and points; they need it. The size is the recording's.
        fps : float, hertz, optional
            Frames per second of points, which need it; a pose has its own.
        keypoints : sequence of str, optional
            Names along the keypoint axis of points; a pose has its own. By default those of the body's markers, in
            their order.

        Returns
        -------
        MovementPrior
            The prior.

        Raises
        ------
        ValueError
            There is no recording, body or fps is missing, names do not fit, fewer than three frames have three located
            markers, a recording lacks angles of the first, or nothing moves.
        TypeError
            A recording is none of these.

        Warns
        -----
        UserWarning
            Points lack markers of the body.

        Notes
        -----
        Maximum likelihood of the velocities, with a scale for each recording. The fewer frames, the more it is shrunk
        to angles that move each on its own. Angles that a recording does not determine are left out of it, and out of
        the prior where none does; of points in 3D all that move are used, in frames with three located markers. Bad
        cameras show little of how joints move together: forty of the benchmark's sprints as they are give a third of
        what accurate ones do.

        Examples
        --------
        >>> import numpy as np
        >>> from muybridge.triangulate import MovementPrior, read_body
        >>> body = read_body("cheetah")
        >>> angles = np.tile(body.rest_angles, (60, 1))
        >>> for name in ("l_thigh_swing", "r_thigh_swing", "chest_pitch"):
        ...     angles[:, body.angle_names.index(name)] += 0.5 * np.sin(np.arange(60) / 5)
        >>> prior = MovementPrior.fit(body.markers(angles), body, fps=100.0)
        >>> left, right = prior.turns.index("l_thigh_swing"), prior.turns.index("r_thigh_swing")
        >>> bool(prior.covariance[left, right] > 0.7 * prior.covariance[left, left])
        True
        """
        parts: list[Any] = list(recordings) if isinstance(recordings, list | tuple) else [recordings]
        if not parts:
            raise ValueError("there are no recordings; give at least one")
        moved = []
        for i, part in enumerate(parts):
            with of_recording(i, len(parts)):
                moved.append(of_fit(part) if isinstance(part, BodyFit) else of_points(part, body, fps, keypoints))
        turns = turns_shown(moved)
        return cls(turns, common_covariance([own.in_order_of(turns) for own in moved]))

    def for_body(self, body: Body) -> Array:
        """The covariance of a body's turns, matched by name.

        Parameters
        ----------
        body : Body
            Turns that the prior lacks move like its median one, alone; further ones of the prior are left out.

        Returns
        -------
        ndarray, shape (n_turns, n_turns), radians squared per second squared
            In the order of `body.angle_names`, without the root's place and heading.

        Raises
        ------
        ValueError
            The body has none of the prior's turns, or only those of the root.

        Warns
        -----
        UserWarning
            The prior lacks more than half of the body's turns.

        Examples
        --------
        >>> import numpy as np
        >>> from muybridge.triangulate import MovementPrior, read_body
        >>> body = read_body("cheetah")
        >>> turns = body.angle_names[:4:-1]  # all but the root's place, heading and pitch, backwards
        >>> covariance = MovementPrior(turns, np.diag(np.arange(1.0, 30.0))).for_body(body)
        >>> covariance.shape, np.diag(covariance)[:3]
        ((30, 30), array([15., 29., 28.]))
        """
        turns = body.angle_names[FIRST_TURN:]
        own = [i for i, name in enumerate(turns) if name in self.turns]
        if not [i for i in own if i >= _N_TURNS_OF_ROOT or len(turns) == _N_TURNS_OF_ROOT]:
            raise ValueError(
                f"the prior has none of the turns of body '{body.name}', {_some(turns[_N_TURNS_OF_ROOT:])}; it has"
                f" {_some(self.turns)}: it is of another body"
            )
        if 2 * len(own) < len(turns):
            lacking = [name for name in turns if name not in self.turns]
            warnings.warn(
                f"the prior lacks {len(lacking)} of the {len(turns)} turns of body '{body.name}', {_some(lacking)}:"
                " they move each on its own; is it of another body?",
                stacklevel=2,
            )
        rows = [self.turns.index(turns[i]) for i in own]
        covariance = np.diag(np.full(len(turns), np.median(np.diag(self.covariance))))
        covariance[np.ix_(own, own)] = self.covariance[np.ix_(rows, rows)]
        return covariance

    def save(self, path: str | Path) -> None:
        """Write to an .npz file of plain arrays, replacing it in one step.

        Parameters
        ----------
        path : str or pathlib.Path
            File to write.
        """
        with atomic_write(path) as partial, partial.open("wb") as file:
            turns = np.array(self.turns, dtype=np.str_)
            np.savez_compressed(file, format=_FORMAT, turns=turns, covariance=self.covariance)

    @classmethod
    def load(cls, path: str | Path) -> MovementPrior:
        """Read what `save` wrote; nothing in the file is executed.

        Parameters
        ----------
        path : str or pathlib.Path
            File to read.

        Returns
        -------
        MovementPrior
            The prior.

        Raises
        ------
        ValueError
            The file is no movement prior.

        Examples
        --------
        >>> from muybridge.triangulate import MovementPrior
        >>> MovementPrior(("thigh_swing", "shank_bend"), [[9.0, 6.0], [6.0, 8.0]]).save("gallop.npz")
        >>> MovementPrior.load("gallop.npz").turns
        ('thigh_swing', 'shank_bend')
        """
        try:
            content = read_npz(path, ("turns", "covariance"))
            return cls(tuple(map(str, np.atleast_1d(content["turns"]))), content["covariance"])
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path} is not a movement prior written by MovementPrior.save: {error}") from error


def _some(turns: Sequence[str]) -> str:
    """The first of these names."""
    return f"{list(turns[:_N_NAMED])}{' and others' if len(turns) > _N_NAMED else ''}"


def trained_covariance(prior: MovementPrior | None, body: Body) -> Array | None:
    """`MovementPrior.for_body` of a prior, if there is one.

    Raises
    ------
    TypeError : it is no movement prior
    """
    if prior is not None and not isinstance(prior, MovementPrior):
        raise TypeError(f"prior is {type(prior).__name__}; a body takes a MovementPrior (MovementPrior.fit)")
    return None if prior is None else prior.for_body(body)
