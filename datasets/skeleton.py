"""Skeleton: names of keypoints, bones between them, and pairs of left and right keypoints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .names import repeated_names


@dataclass(frozen=True, eq=False)
class Skeleton:
    """Keypoints in the order of the arrays' keypoint axis, and the bones between them.

    Parameters
    ----------
    keypoints : sequence of str
        Unique names, in the order of the keypoint axis.
    bones : sequence of (str, str), optional
        Names of parent and child. They need not form a tree (a rigid head may be a triangle), except for `parents`.
    symmetries : sequence of (str, str), optional
        Names of left and right keypoints, which change places when an image is flipped.
    root : str, optional
        Keypoint at which the tree of bones begins; by default the parentless keypoint with the most keypoints below it.

    Raises
    ------
    ValueError
        A name is unknown or repeated, or a bone joins a keypoint to itself.

    Examples
    --------
    >>> from muybridge.datasets import Skeleton
    >>> skeleton = Skeleton(
    ...     keypoints=("neck", "nose", "left_ear", "right_ear"),
    ...     bones=(("neck", "nose"), ("neck", "left_ear"), ("neck", "right_ear")),
    ...     symmetries=(("left_ear", "right_ear"),),
    ... )
    >>> skeleton.bone_indices.tolist()
    [[0, 1], [0, 2], [0, 3]]
    >>> skeleton.mirror.tolist()
    [0, 1, 3, 2]
    >>> skeleton.parents.tolist(), skeleton.root_index
    ([-1, 0, 0, 0], 0)
    """

    keypoints: tuple[str, ...]
    bones: tuple[tuple[str, str], ...] = ()
    symmetries: tuple[tuple[str, str], ...] = ()
    root: str | None = None

    def __post_init__(self):
        object.__setattr__(self, "keypoints", tuple(str(name) for name in self.keypoints))
        object.__setattr__(self, "bones", _pairs(self.bones, "bones"))
        object.__setattr__(self, "symmetries", _pairs(self.symmetries, "symmetries"))
        repeated = repeated_names(self.keypoints)
        if repeated:
            raise ValueError(f"skeleton repeats the keypoints {repeated}; every keypoint needs its own name")
        self._check_known("bones", {end for bone in self.bones for end in bone})
        self._check_known("symmetries", {side for pair in self.symmetries for side in pair})
        self._check_known("root", {self.root} if self.root is not None else set())
        loops = [bone for bone in self.bones if bone[0] == bone[1]]
        if loops:
            raise ValueError(f"bone {loops[0]} joins a keypoint to itself; give two different keypoints")
        sides = [side for pair in self.symmetries for side in pair]
        if len(set(sides)) != len(sides):
            raise ValueError(f"symmetries {self.symmetries} name a keypoint twice; each has at most one mirror partner")

    def _check_known(self, what: str, names: set[str]) -> None:
        unknown = sorted(names - set(self.keypoints))
        if unknown:
            raise ValueError(f"{what} name keypoints that do not exist: {unknown}; known: {list(self.keypoints)}")

    @cached_property
    def bone_indices(self) -> NDArray[np.int64]:
        """Positions of parent and child of each bone on the keypoint axis, shape (n_bones, 2)."""
        index = {name: i for i, name in enumerate(self.keypoints)}
        return np.array([[index[a], index[b]] for a, b in self.bones], dtype=np.int64).reshape(-1, 2)

    @cached_property
    def mirror(self) -> NDArray[np.int64]:
        """Position of each keypoint's mirror partner, or its own where it has none, shape (n_keypoints,)."""
        return mirror_partners(self.keypoints, self.symmetries)

    @cached_property
    def parents(self) -> NDArray[np.int64]:
        """Position of each keypoint's parent, shape (n_keypoints,); -1 where it has none.

        Raises
        ------
        ValueError
            A keypoint has two parents, or the bones run in a circle.
        """
        parents = np.full(len(self.keypoints), -1, dtype=np.int64)
        for parent, child in self.bone_indices:
            if parents[child] >= 0:
                raise ValueError(f"keypoint '{self.keypoints[child]}' has two parents; a tree of bones is needed here")
            parents[child] = parent
        for start in range(len(parents)):
            walked, node = {start}, parents[start]
            while node >= 0:
                if node in walked:
                    raise ValueError(f"the bones run in a circle through '{self.keypoints[node]}'; a tree is needed")
                walked.add(int(node))
                node = parents[node]
        return parents

    @cached_property
    def root_index(self) -> int:
        """Position of the root keypoint: `root`, or else the parentless keypoint with the most keypoints below it."""
        if self.root is not None:
            return self.keypoints.index(self.root)
        size = np.zeros(len(self.keypoints))
        for start in range(len(size)):
            node = start
            while self.parents[node] >= 0:
                node = self.parents[node]
            size[node] += 1
        return int(np.argmax(size))


def mirror_partners(keypoints: Sequence[str], symmetries: Iterable[tuple[str, str]]) -> NDArray[np.int64]:
    """(n_keypoints,) position of each keypoint's partner among pairs of (left, right) names, or its own."""
    index = {name: i for i, name in enumerate(keypoints)}
    mirror = np.arange(len(index))
    for left, right in symmetries:
        mirror[[index[left], index[right]]] = index[right], index[left]
    return mirror


def _pairs(pairs: Iterable, what: str) -> tuple[tuple[str, str], ...]:
    pairs = tuple(pairs)
    wrong = [pair for pair in pairs if isinstance(pair, str) or len(pair) != 2]
    if wrong:
        raise ValueError(f"{what} are pairs of keypoint names, got {wrong[0]!r}")
    return tuple((str(first), str(second)) for first, second in pairs)
