"""A body proposed from a skeleton and reconstructed frames: what is rigid, what turns, about which axes, how far."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ...cameras.rotations import orthonormal
from ...datasets import Skeleton
from ...numerics.arrays import Array
from ...numerics.robust_scale import present_median
from .body_parts import Marker, Segment, Turn
from .kinematic_tree import Body

_RIGID = 0.08  # of the arms' length: by how much those of one segment move against each other, at most
_FLAT = 0.15  # height over base of a triangle that still shows its own turns about the base
_MARGIN = np.radians(25.0)  # by which limits lie beyond what was seen
_SEEN = (1.0, 99.0)  # percentiles of what was seen
_FEWEST_FRAMES = 5  # of which a median still ignores two wrong ones
_STD = 0.02  # of the animal's extent: least spread of markers and joints about their place


def body_from_skeleton(
    skeleton: Skeleton, points_3d: Array, *, up: tuple[float, float, float] = (0.0, 0.0, 1.0), unit: str = "mm",
    name: str = "animal",
) -> Body:  # fmt: skip
    """Propose a body: keypoints that keep their distances form rigid segments, every other bone turns about two axes.

    Parameters
    ----------
    skeleton : Skeleton
        A tree of bones; symmetries tell left from right.
    points_3d : ndarray, shape (n_frames, n_keypoints, 3), units of the body
        Reconstructed frames of different postures, NaN where missing.
    up : tuple of float, shape (3,)
        The vertical of the points, for the axes of the rest pose.
    unit : str
        Of the points.
    name : str
        Of the body.

    Returns
    -------
    Body
        With all keypoints as markers in their order; limits are what was seen, and 25 degrees more.

    Raises
    ------
    ValueError
        The bones are no tree that reaches all keypoints, or fewer than five frames show the root and two of its
        neighbours.

    See Also
    --------
    read_body : A declared body.

    Notes
    -----
    Missing points are left out of the frames that lack them; a bone that is never seen gets the limits of a half turn.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.datasets import Skeleton
    >>> from muybridge.triangulate import body_from_skeleton, read_body
    >>> human = read_body("human")
    >>> angles = human.rest_angles + np.random.default_rng(0).normal(0, 0.2, (50, len(human.rest_angles)))
    >>> legs = ("left_hip", "left_knee", "left_ankle", "right_hip", "left_shoulder")
    >>> points_3d = human.markers(angles)[:, [human.marker_names.index(name) for name in legs]]
    >>> bones = (("left_hip", "left_knee"), ("left_knee", "left_ankle"), ("left_hip", "right_hip"))
    >>> skeleton = Skeleton(legs, (*bones, ("left_hip", "left_shoulder")), root="left_hip")
    >>> body = body_from_skeleton(skeleton, points_3d)
    >>> body.marker_names == legs, len(body.angle_names) > 6
    (True, True)
    """
    points_3d = np.asarray(points_3d, dtype=float)
    if points_3d.ndim != 3 or points_3d.shape[1:] != (len(skeleton.keypoints), 3):
        raise ValueError(
            f"points_3d has shape {points_3d.shape}; expected (n_frames, {len(skeleton.keypoints)}, 3), the skeleton's"
            " keypoints in their order"
        )
    root = skeleton.root_index
    lost = [skeleton.keypoints[k] for k in np.flatnonzero(skeleton.parents < 0) if k != root]
    if lost:
        raise ValueError(f"no bone leads from the root '{skeleton.keypoints[root]}' to {lost}; a body is one tree")
    growing = _Growing(skeleton, points_3d)
    growing.begin(root, np.asarray(up, float))
    present = [frame[np.isfinite(frame).all(axis=-1)] for frame in points_3d]
    extent = float(np.median([np.linalg.norm(np.ptp(frame, axis=0)) for frame in present if len(frame)]))
    markers = tuple(growing.markers[k] for k in range(len(skeleton.keypoints)))
    return Body(name, tuple(growing.segments), markers, skeleton.symmetries, skeleton.bones, unit,
                marker_std=_STD * extent, joint_std=_STD * extent, length_spread=0.05)  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Frame:
    """A segment's orientation in every frame (n_frames, 3, 3), NaN where unknown."""

    name: str
    R: Array


class _Growing:
    """The tree as far as it has been walked down, from the root."""

    def __init__(self, skeleton: Skeleton, points_3d: Array):
        self.skeleton, self.points_3d = skeleton, points_3d
        self.children = [np.flatnonzero(skeleton.parents == k).tolist() for k in range(points_3d.shape[1])]
        self.segments: list[Segment] = []
        self.markers: dict[int, Marker] = {}

    def begin(self, root: int, up: Array) -> None:
        group = self._rigid_groups(root, largest=True)[0]
        arms = self._arms(root, group)
        whole = np.isfinite(arms).all(axis=(1, 2))
        if whole.sum() < _FEWEST_FRAMES:
            names = [self.skeleton.keypoints[k] for k in (root, *group)]
            raise ValueError(
                f"only {int(whole.sum())} frames show {names} together; {_FEWEST_FRAMES} are needed to propose a body"
            )
        template = _template(arms[whole])
        template = template @ self._upright(arms, template, up)
        frame = _Frame(self.skeleton.keypoints[root], _orientations(template, arms))
        self.segments.append(Segment(frame.name))
        self.markers[root] = Marker(self.skeleton.keypoints[root], frame.name)
        self._carry(frame, group, template)
        for other in self._rigid_groups(root):
            if not set(other) & set(group):
                self._hang(root, other, frame, (0.0, 0.0, 0.0))
        for child, place in zip(group, template, strict=True):
            self._branch(child, frame, _triple(place))

    def _carry(self, frame: _Frame, group: list[int], places: Array) -> None:
        for child, place in zip(group, places, strict=True):
            name = self.skeleton.keypoints[child]
            self.markers[child] = Marker(name, frame.name, _triple(place))

    def _branch(self, keypoint: int, frame: _Frame, at: str | tuple) -> None:
        for group in self._rigid_groups(keypoint):
            self._hang(keypoint, group, frame, at)

    def _hang(self, keypoint: int, group: list[int], frame: _Frame, at: str | tuple) -> None:
        """A segment from this keypoint to the children of the group."""
        arms = np.einsum("tji,tkj->tki", frame.R, self._arms(keypoint, group))
        name = f"{self.skeleton.keypoints[keypoint]}_{self.skeleton.keypoints[group[0]]}"
        if len(group) > 1 and np.isfinite(arms).all(axis=(1, 2)).any():
            template = _template(arms[np.isfinite(arms).all(axis=(1, 2))])
            R = _orientations(template, arms)
            turns = _three_turns(R)
            own = _Frame(name, frame.R @ R)
            self.segments.append(Segment(name, frame.name, at, turns=turns))
            self._carry(own, group, template)
            for child, place in zip(group, template, strict=True):
                self._branch(child, own, _triple(place))
            return
        child = group[0]
        along, turns, R = _two_turns(arms[:, 0])
        length = float(present_median(np.linalg.norm(arms[:, 0], axis=-1)))
        length = length if np.isfinite(length) else float(np.nanmedian(np.abs(self.points_3d)))
        own = _Frame(name, frame.R @ R)
        self.segments.append(Segment(name, frame.name, at, _triple(length * along), turns=turns))
        self.markers[child] = Marker(self.skeleton.keypoints[child], name, "end")
        self._branch(child, own, "end")

    def _arms(self, keypoint: int, group: list[int]) -> Array:
        return self.points_3d[:, group] - self.points_3d[:, keypoint, None]

    def _rigid_groups(self, keypoint: int, largest: bool = False) -> list[list[int]]:
        """Children that keep their distances and do not lie on a line with the keypoint; others each for itself."""
        groups = [[child] for child in self.children[keypoint]]
        while len(groups) > 1:
            pairs = list(combinations(range(len(groups)), 2))
            bending = [self._bending(keypoint, groups[a] + groups[b]) for a, b in pairs]
            if min(bending) > _RIGID:
                break
            a, b = pairs[int(np.argmin(bending))]
            groups[a] += groups.pop(b)
        groups = [part for g in groups for part in ([g] if self._spans(keypoint, g) else [[child] for child in g])]
        return sorted(groups, key=len, reverse=True)[:1] if largest else groups

    def _bending(self, keypoint: int, group: list[int]) -> float:
        """By how much the arms to the group move against each other, over their length; infinite where unknown."""
        arms = self._arms(keypoint, group)
        arms = arms[np.isfinite(arms).all(axis=(1, 2))]
        if len(arms) < _FEWEST_FRAMES:
            return np.inf
        template = _template(arms)
        off = arms - np.einsum("tij,kj->tki", _orientations(template, arms), template)
        return float(np.median(np.linalg.norm(off, axis=-1)) / np.linalg.norm(template, axis=-1).mean())

    def _spans(self, keypoint: int, group: list[int]) -> bool:
        """Whether the keypoint and the group are no line."""
        arms = self._arms(keypoint, group)
        arms = arms[np.isfinite(arms).all(axis=(1, 2))]
        if len(group) < 2 or not len(arms):
            return False
        sizes = np.linalg.svd(arms, compute_uv=False)
        return bool(np.median(sizes[:, 1] / sizes[:, 0]) > _FLAT)

    def _upright(self, arms: Array, template: Array, up: Array) -> Array:
        """(3, 3) whose columns are forwards, left and up in the template's frame."""
        R = _orientations(template, arms)
        known = np.isfinite(R).all(axis=(1, 2))
        vertical = np.einsum("tji,j->ti", R[known], up / np.linalg.norm(up)).mean(axis=0)
        index = self.skeleton.keypoints.index
        aside = [self.points_3d[known, index(a)] - self.points_3d[known, index(b)] for a, b in self.skeleton.symmetries]
        if aside:
            left = np.nanmean(np.einsum("tji,ptj->pti", R[known], np.array(aside)), axis=(0, 1))
        else:
            left = np.cross(vertical, np.linalg.svd(template)[2][0])
        forwards = np.cross(left, vertical)
        forwards = forwards / np.linalg.norm(forwards)
        left = left - (left @ forwards) * forwards
        left = left / np.linalg.norm(left)
        return np.stack([forwards, left, np.cross(forwards, left)], axis=1)


def _triple(vector: Array) -> tuple[float, float, float]:
    return float(vector[0]), float(vector[1]), float(vector[2])


def _template(arms: Array) -> Array:
    """(n, 3) the arms (n_frames, n, 3) turned onto each other, on average (generalised Procrustes)."""
    template = arms[len(arms) // 2]
    for _ in range(5):
        template = np.einsum("tji,tkj->tki", _orientations(template, arms), arms).mean(axis=0)
    return template


def _orientations(template: Array, arms: Array) -> Array:
    """(n_frames, 3, 3) with arms = R template; NaN where an arm is missing."""
    known = np.isfinite(arms).all(axis=(1, 2))
    R = np.full((len(arms), 3, 3), np.nan)
    if known.any():
        R[known] = orthonormal(np.einsum("tki,kj->tij", arms[known], template))
    return R


def _limits(angles: Array) -> tuple[float, float, float]:
    """Lowest and highest, and the middle of what was seen (n,); a half turn where nothing was."""
    seen = angles[np.isfinite(angles)]
    if not len(seen):
        return -0.5 * np.pi, 0.5 * np.pi, 0.0
    low, high = np.percentile(seen, _SEEN)
    return float(low - _MARGIN), float(high + _MARGIN), float(np.median(seen))


def _three_turns(R: Array) -> tuple[Turn, ...]:
    from scipy.spatial.transform import Rotation

    angles = np.full((len(R), 3), np.nan)
    known = np.isfinite(R).all(axis=(1, 2))
    if known.any():
        angles[known] = Rotation.from_matrix(R[known]).as_euler("ZYX")
    axes = {"yaw": (0.0, 0.0, 1.0), "pitch": (0.0, 1.0, 0.0), "roll": (1.0, 0.0, 0.0)}
    return tuple(Turn(name, axis, *_limits(angles[:, i])) for i, (name, axis) in enumerate(axes.items()))


def _two_turns(arms: Array) -> tuple[Array, tuple[Turn, ...], Array]:
    """The mean direction of arms (n_frames, 3), turns about the two axes across it, the one of the larger range first,
    and the orientation (n_frames, 3, 3) that they give."""
    from scipy.spatial.transform import Rotation

    directions = arms / np.linalg.norm(arms, axis=-1, keepdims=True)
    seen = directions[np.isfinite(directions).all(axis=-1)]
    along = seen.mean(axis=0) if len(seen) else np.array([1.0, 0.0, 0.0])
    along = along / np.linalg.norm(along) if np.linalg.norm(along) > 1e-6 else seen[0]
    across = np.eye(3) - np.outer(along, along)
    spread = (seen @ across).T @ (seen @ across) + 1e-9 * across
    main = np.linalg.eigh(spread)[1][:, -1]
    axis = np.cross(along, main)
    spreading = -np.arcsin(np.clip(directions @ axis, -1, 1))
    swing = np.arctan2(directions @ main, directions @ along)
    turns = (Turn("swing", tuple(axis), *_limits(swing)), Turn("spread", tuple(main), *_limits(spreading)))
    vectors = swing[:, None] * axis, spreading[:, None] * main
    known = np.isfinite(swing)
    R = np.full((len(arms), 3, 3), np.nan)
    if known.any():
        first, second = (Rotation.from_rotvec(v[known]).as_matrix() for v in vectors)
        R[known] = first @ second
    return along, turns, R
