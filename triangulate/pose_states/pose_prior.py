"""What poses an animal takes: the directions of its bones in each of some states, free of the heading."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...datasets import Skeleton
from ...numerics.arrays import Array, freeze
from .prior_files import ARRAYS, read_prior, write_prior
from .prior_learning import Heading, learned_states
from .state_model import StateModel


@dataclass(frozen=True, eq=False)
class PosePrior:
    """Mixture of pose states, each a von Mises-Fisher direction per bone; z is up, x the heading.

    Parameters
    ----------
    skeleton : Skeleton
        Its bones form a tree; the bone of a keypoint is the one from its parent.
    directions : ndarray, shape (n_states, n_keypoints, 3)
        Unit vectors from parent to keypoint; rows of keypoints without a parent (the root) are ignored.
    concentrations : ndarray, shape (n_states, n_keypoints)
        Of the directions; 0 for no preference.
    state_probabilities : ndarray, shape (n_states,)
        They sum to 1.
    bone_lengths : ndarray, shape (n_bones,), world units
        In the order of the skeleton's bones.
    bone_stds : ndarray, shape (n_bones,), world units
        Spread of the lengths.
    transitions : ndarray, shape (n_states, n_states), optional
        Probabilities from row to column, frame to frame. By default frames are independent.

    Attributes
    ----------
    n_states : int
        Number of states.
    children : ndarray, shape (n_bones,)
        Positions of the keypoints that have a parent, in the order of the keypoint axis.
    pairs : ndarray, shape (n_bones, 2)
        Of (keypoint, its parent), the rows of `model`.
    model : StateModel
        The states over the bones of `children`.

    Raises
    ------
    ValueError
        A shape or a value does not fit, or the skeleton is no tree.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.datasets import Skeleton
    >>> from muybridge.triangulate import PosePrior
    >>> tail = Skeleton(("base", "tip"), (("base", "tip"),))
    >>> prior = PosePrior(tail, [[[0, 0, 1], [1, 0, 0]]], [[0, 20]], [1.0], [60.0], [2.0])
    >>> prior.n_states, prior.pairs.tolist()
    (1, [[1, 0]])
    """

    skeleton: Skeleton
    directions: Array
    concentrations: Array
    state_probabilities: Array
    bone_lengths: Array
    bone_stds: Array
    transitions: Array | None = None

    def __post_init__(self):
        n_keypoints, n_bones = len(self.skeleton.keypoints), len(self.skeleton.bones)
        n_states = len(np.atleast_1d(self.state_probabilities))
        shapes = {
            "directions": (n_states, n_keypoints, 3),
            "concentrations": (n_states, n_keypoints),
            "state_probabilities": (n_states,),
            "bone_lengths": (n_bones,),
            "bone_stds": (n_bones,),
            "transitions": (n_states, n_states),
        }
        for field, shape in shapes.items():
            if getattr(self, field) is not None:
                values = np.array(getattr(self, field), dtype=float)
                if values.shape != shape:
                    raise ValueError(f"{field} has shape {values.shape}, expected {shape}")
                freeze(self, field, values)
        if not n_states or not n_bones:
            raise ValueError(f"a pose prior needs states and bones, got {n_states} states and {n_bones} bones")
        parts = self.directions[:, self.children], self.concentrations[:, self.children]
        length = np.linalg.norm(parts[0], axis=-1)
        if not (np.abs(length - 1) < 1e-3).all():
            worst = float(length.flat[np.argmax(np.abs(length - 1))])
            raise ValueError(f"directions must be unit vectors, one has the length {worst:.4g}")
        if not (np.isfinite(parts[1]) & (parts[1] >= 0)).all():
            raise ValueError("concentrations must be finite and not negative")
        for field in ("state_probabilities", "transitions"):
            values = getattr(self, field)
            if values is not None and ((values < 0).any() or not (np.abs(values.sum(axis=-1) - 1) < 1e-6).all()):
                raise ValueError(f"{field} must be probabilities that sum to 1, got sums {values.sum(axis=-1)}")

    @property
    def n_states(self) -> int:
        """Number of pose states."""
        return len(self.state_probabilities)

    @cached_property
    def children(self) -> NDArray[np.int64]:
        """(n_bones,) keypoints that have a parent, in the order of the keypoint axis."""
        return np.flatnonzero(self.skeleton.parents >= 0)

    @cached_property
    def pairs(self) -> NDArray[np.int64]:
        """(n_bones, 2) of (keypoint, its parent), the rows of `model`."""
        return np.column_stack([self.children, self.skeleton.parents[self.children]])

    @cached_property
    def model(self) -> StateModel:
        """The states over the bones of `children`."""
        transitions = self.transitions
        if transitions is None:
            transitions = np.tile(self.state_probabilities, (self.n_states, 1))
        return StateModel(
            self.directions[:, self.children],
            self.concentrations[:, self.children],
            self.state_probabilities,
            np.asarray(transitions),
        )

    @classmethod
    def fit(
        cls,
        points_3d: Array,
        skeleton: Skeleton,
        n_states: int,
        *,
        up: Array | tuple[float, float, float] = (0.0, 0.0, 1.0),
        forward: tuple[str, str] | None = None,
        contiguous: bool = True,
        seed: int = 0,
    ) -> PosePrior:
        """Learn the states from poses by expectation-maximisation, each pose at its own unknown heading.

        Parameters
        ----------
        points_3d : ndarray, shape (n_frames, n_keypoints, 3), world units
            Labelled poses, motion capture, or well observed frames of a recording; NaN where missing.
        skeleton : Skeleton
            Its bones form a tree.
        n_states : int
            At most this many; fewer where there are fewer poses.
        up : array_like, shape (3,)
            The world's direction against gravity.
        forward : (str, str), optional
            The heading points from the first keypoint to the second. By default from the root to the keypoint that
            is farthest from it in the horizontal plane.
        contiguous : bool
            The frames follow each other in time, so that transitions are learned.
        seed : int
            Of the random starts.

        Returns
        -------
        PosePrior
            The states, the most probable first.

        Raises
        ------
        ValueError
            Shapes do not fit, no frame shows more than half of the bones, or the skeleton is no tree.

        Examples
        --------
        >>> import numpy as np
        >>> from muybridge.datasets import Skeleton
        >>> from muybridge.triangulate import PosePrior
        >>> leg = Skeleton(("hip", "knee", "paw"), (("hip", "knee"), ("knee", "paw")))
        >>> points_3d = np.random.default_rng(0).normal([[0, 0, 90], [0, 9, 50], [0, 0, 0]], 1.0, (50, 3, 3))
        >>> PosePrior.fit(points_3d, leg, 1).bone_lengths.round()
        array([41., 51.])
        """
        heading = Heading(np.asarray(up, dtype=float), forward)
        return cls(skeleton, *learned_states(points_3d, skeleton, n_states, heading, contiguous, seed))

    def in_order_of(self, skeleton: Skeleton) -> PosePrior:
        """The same prior with keypoints and bones in the order of another skeleton, matched by name.

        Parameters
        ----------
        skeleton : Skeleton
            The same bones, each from parent to child, in any order; keypoints without a bone may differ.

        Returns
        -------
        PosePrior
            The prior itself where the order is the same already.

        Raises
        ------
        ValueError
            The skeleton has a bone that the prior lacks, or lacks one that the prior has.

        Examples
        --------
        >>> import numpy as np
        >>> from muybridge.datasets import Skeleton
        >>> from muybridge.triangulate import PosePrior
        >>> leg = Skeleton(("hip", "knee", "paw"), (("hip", "knee"), ("knee", "paw")))
        >>> points_3d = np.random.default_rng(0).normal([[0, 0, 90], [0, 9, 50], [0, 0, 0]], 1.0, (50, 3, 3))
        >>> prior = PosePrior.fit(points_3d, leg, 1)
        >>> other = prior.in_order_of(Skeleton(("paw", "knee", "hip"), (("knee", "paw"), ("hip", "knee"))))
        >>> bool(np.array_equal(other.bone_lengths, prior.bone_lengths[::-1]))
        True
        """
        own, wanted = self.skeleton.bones, skeleton.bones
        if set(own) != set(wanted):
            raise ValueError(
                "the prior has other bones than the skeleton: it lacks"
                f" {sorted(set(wanted) - set(own)) or 'none'} and has {sorted(set(own) - set(wanted)) or 'none'} more;"
                " give a prior of the same bones, each from parent to child"
            )
        if (self.skeleton.keypoints, own) == (skeleton.keypoints, wanted):
            return self
        position = {name: i for i, name in enumerate(self.skeleton.keypoints)}
        children = np.flatnonzero(skeleton.parents >= 0)
        rows = [position[skeleton.keypoints[child]] for child in children]
        directions = np.tile([0.0, 0.0, 1.0], (self.n_states, len(skeleton.keypoints), 1))
        concentrations = np.zeros((self.n_states, len(skeleton.keypoints)))
        directions[:, children], concentrations[:, children] = self.directions[:, rows], self.concentrations[:, rows]
        bones = [own.index(bone) for bone in wanted]
        return replace(
            self,
            skeleton=skeleton,
            directions=directions,
            concentrations=concentrations,
            bone_lengths=self.bone_lengths[bones],
            bone_stds=self.bone_stds[bones],
        )

    def save(self, path: str | Path) -> None:
        """Write to an .npz file of plain arrays, replacing it in one step.

        Parameters
        ----------
        path : str or Path
            File to write.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> from muybridge.datasets import Skeleton
        >>> from muybridge.triangulate import PosePrior
        >>> tail = Skeleton(("base", "tip"), (("base", "tip"),))
        >>> prior = PosePrior(tail, [[[0, 0, 1], [1, 0, 0]]], [[0, 20]], [1.0], [60.0], [2.0])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     prior.save(Path(folder) / "prior.npz")
        ...     PosePrior.load(Path(folder) / "prior.npz").bone_lengths
        array([60.])
        """
        write_prior(path, self.skeleton, {name: getattr(self, name) for name in ARRAYS})

    @classmethod
    def load(cls, path: str | Path) -> PosePrior:
        """Read what `save` wrote; nothing in the file is executed.

        Parameters
        ----------
        path : str or Path
            File to read.

        Returns
        -------
        PosePrior
            With the skeleton that was saved.

        Raises
        ------
        ValueError
            The file is no pose prior.

        Examples
        --------
        >>> from muybridge.datasets import Skeleton
        >>> from muybridge.triangulate import PosePrior
        >>> tail = Skeleton(("base", "tip"), (("base", "tip"),))
        >>> PosePrior(tail, [[[0, 0, 1], [1, 0, 0]]], [[0, 20]], [1.0], [60.0], [2.0]).save("prior.npz")
        >>> PosePrior.load("prior.npz").skeleton.keypoints
        ('base', 'tip')
        """
        skeleton, arrays = read_prior(path)
        return cls(skeleton, **arrays)
