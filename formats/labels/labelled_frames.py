"""Labels: pictures of one or several cameras, and the place of each labelled keypoint in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...datasets.names import repeated_names
from ...datasets.sides import symmetric_pairs
from ...datasets.skeleton import mirror_partners
from ...numerics.arrays import Array, freeze
from ..video.reading import Image, VideoError, read_frames_at, read_picture

# fields of `Labels` with one entry per picture
_PER_PICTURE = ("pictures", "cameras", "groups", "instants", "individuals")


class LabelError(ValueError):
    """Labels that cannot be used; the message names the file, the value and the remedy."""


@dataclass(frozen=True)
class Picture:
    """A picture file, or one frame of a video.

    Parameters
    ----------
    path : Path
        The picture or video.
    frame : int, optional
        Number of the frame in the video; None for a picture file.
    """

    path: Path
    frame: int | None = None

    def __str__(self) -> str:
        return str(self.path) if self.frame is None else f"{self.path} frame {self.frame}"


@dataclass(frozen=True, eq=False)
class Labels:
    """Labelled frames of one or several cameras.

    Parameters
    ----------
    pictures : sequence of Picture
        One per labelled frame; image sizes may differ.
    points_2d : ndarray, shape (n_pictures, n_keypoints, 2), pixels
        Labelled points; the centre of the first pixel is (0, 0). NaN: not labelled.
    keypoints : sequence of str
        Names, in the order of the keypoint axis.
    cameras : sequence of str
        Camera of each picture.
    groups : sequence of str
        Recording that each picture comes from (a labelled folder, a video).
    instants : sequence of int
        Number of each picture's frame within its recording. Pictures of several cameras with the same number show the
        same moment and always stay together in a split.
    symmetries : sequence of (str, str), optional
        Names of left and right keypoints, which change places when a picture is flipped; read from the names by
        default.
    hidden_2d : ndarray, shape (n_pictures, n_keypoints, 2), pixels, optional
        Where keypoints without label are, as the labels of other cameras tell (`label_hidden`); NaN: not known.
    individuals : sequence of str, optional
        Which animal each entry labels; a picture of several animals has an entry for each of them. None: one animal,
        whose name is empty.

    Raises
    ------
    LabelError
        Lengths differ, a name is repeated, a coordinate is infinite, or a symmetry names no keypoint.

    Examples
    --------
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from muybridge.formats.labels.labelled_frames import Picture
    >>> from muybridge.pose2d import Labels
    >>> labels = Labels(
    ...     pictures=(Picture(Path("video.mp4"), frame=7), Picture(Path("img0009.png"))),
    ...     points_2d=np.zeros((2, 2, 2)),
    ...     keypoints=("ear_left", "ear_right"),
    ...     cameras=("top", "top"),
    ...     groups=("video", "video"),
    ...     instants=(7, 9),
    ... )
    >>> len(labels), labels.symmetries, labels.select([1]).instants
    (2, (('ear_left', 'ear_right'),), (9,))
    """

    pictures: tuple[Picture, ...]
    points_2d: Array
    keypoints: tuple[str, ...]
    cameras: tuple[str, ...]
    groups: tuple[str, ...]
    instants: tuple[int, ...]
    symmetries: tuple[tuple[str, str], ...] | None = None
    hidden_2d: Array = None  # type: ignore[assignment]  # an array once it is made
    individuals: tuple[str, ...] = None  # type: ignore[assignment]  # names once they are made

    def __post_init__(self):
        shape = (len(self.pictures), len(self.keypoints), 2)
        points = np.array(self.points_2d, dtype=float)
        hidden = np.full(shape, np.nan) if self.hidden_2d is None else np.array(self.hidden_2d, dtype=float)
        for places in (points, hidden):
            if places.shape != shape:
                raise LabelError(
                    f"labels hold points of shape {places.shape} for {len(self.pictures)} pictures and "
                    f"{len(self.keypoints)} keypoints"
                )
        if self.individuals is None:
            object.__setattr__(self, "individuals", ("",) * len(self.pictures))
        for what in _PER_PICTURE:
            if len(getattr(self, what)) != len(self.pictures):
                raise LabelError(f"labels name {len(getattr(self, what))} {what} for {len(self.pictures)} pictures")
        repeated = repeated_names(self.keypoints)
        if repeated:
            raise LabelError(f"labels repeat the keypoints {repeated}; every keypoint needs its own name")
        if np.isinf(points).any() or np.isinf(hidden).any():
            raise LabelError("labels hold infinite coordinates; leave a missing keypoint empty")
        labelled = np.isfinite(points).all(axis=-1)
        points[~labelled] = np.nan
        hidden[labelled] = np.nan
        for name, places in (("points_2d", points), ("hidden_2d", hidden)):
            freeze(self, name, places)
        if self.symmetries is None:
            object.__setattr__(self, "symmetries", symmetric_pairs(self.keypoints))
        unknown = sorted({side for pair in self.symmetries or () for side in pair} - set(self.keypoints))
        if unknown:
            raise LabelError(f"symmetries name keypoints that do not exist: {unknown}; known: {list(self.keypoints)}")

    def __len__(self) -> int:
        return len(self.pictures)

    @cached_property
    def camera_names(self) -> tuple[str, ...]:
        """The different cameras, in order of first appearance."""
        return tuple(dict.fromkeys(self.cameras))

    @cached_property
    def n_animals(self) -> int:
        """The most animals that are labelled in one picture, 1 at least."""
        return max(map(len, self.entries.values()), default=1)

    @cached_property
    def entries(self) -> dict[Picture, list[int]]:
        """{picture: positions of its entries, one for each animal}, in order of first appearance."""
        entries: dict[Picture, list[int]] = {}
        for index, picture in enumerate(self.pictures):
            entries.setdefault(picture, []).append(index)
        return entries

    @property
    def recordings(self) -> tuple[str, ...]:
        """Recording of each picture without its camera: views of one moment share it where their numbers agree."""
        n_pairs = len(set(zip(self.groups, self.cameras, strict=True)))
        same = set(self.groups) == set(self.cameras) or n_pairs > len(set(self.groups))
        return tuple("all" if same else group for group in self.groups)

    @property
    def mirror(self) -> NDArray[np.int64]:
        """Position of each keypoint's mirror partner, or its own, shape (n_keypoints,)."""
        return mirror_partners(self.keypoints, self.symmetries or ())

    def select(self, indices: Iterable) -> Labels:
        """The pictures at these positions, in this order.

        Parameters
        ----------
        indices : sequence of int or of bool
            Positions, or a mask with one entry per picture.

        Returns
        -------
        Labels
            The chosen pictures with all that belongs to them.
        """
        wanted = np.asarray(list(indices))
        positions = np.arange(len(self))[wanted if len(wanted) else np.array([], dtype=int)]

        chosen = {name: tuple(getattr(self, name)[i] for i in positions) for name in _PER_PICTURE}
        return replace(self, points_2d=self.points_2d[positions], hidden_2d=self.hidden_2d[positions], **chosen)

    def select_keypoints(self, keypoints: Sequence[str]) -> Labels:
        """The same pictures with these keypoints, in this order.

        Parameters
        ----------
        keypoints : sequence of str
            Names; a keypoint that these labels do not have is NaN in all pictures.

        Returns
        -------
        Labels
            The labels with these keypoints, and the symmetries between them.
        """
        index = {name: i for i, name in enumerate(self.keypoints)}
        points, hidden = np.full((2, len(self), len(keypoints), 2), np.nan)
        for k, name in enumerate(keypoints):
            if name in index:
                points[:, k], hidden[:, k] = self.points_2d[:, index[name]], self.hidden_2d[:, index[name]]
        kept = tuple(pair for pair in self.symmetries or () if set(pair) <= set(keypoints))
        return replace(self, points_2d=points, hidden_2d=hidden, keypoints=tuple(keypoints), symmetries=kept)

    def image(self, index: int) -> Image:
        """The pixels of one picture.

        Parameters
        ----------
        index : int
            Position of the picture.

        Returns
        -------
        ndarray, shape (height, width, 3), uint8
            Red, green, blue.

        Raises
        ------
        VideoError
            The file cannot be read.
        """
        picture = self.pictures[index]
        if picture.frame is None:
            return read_picture(picture.path)
        for _, image in read_frames_at(picture.path, [picture.frame]):
            if image is not None:
                return image
        raise VideoError(f"{picture} cannot be decoded; leave it out of the labels")


def join_labels(parts: Sequence[Labels]) -> Labels:
    """Join several sets of labels.

    Parameters
    ----------
    parts : sequence of Labels
        The sets, at least one; their keypoints may differ.

    Returns
    -------
    Labels
        All pictures with all keypoints; a keypoint that a set lacks is NaN in its pictures.

    Raises
    ------
    LabelError
        There is nothing to join.

    Examples
    --------
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from muybridge.formats.labels.labelled_frames import Picture
    >>> from muybridge.pose2d import Labels, join_labels
    >>> pictures, point = (Picture(Path("a.png")),), np.zeros((1, 1, 2))
    >>> noses = Labels(pictures, point, keypoints=("nose",), cameras=("top",), groups=("a",), instants=(0,))
    >>> tails = Labels(pictures, point, keypoints=("tail",), cameras=("top",), groups=("a",), instants=(0,))
    >>> join_labels([noses, tails]).keypoints
    ('nose', 'tail')
    """
    if not parts:
        raise LabelError("there are no labels to join")
    named = [any(part.individuals) for part in parts]
    if any(named) and not all(named):
        one, several = (str(parts[named.index(which)].pictures[0].path.parent) for which in (False, True))
        raise LabelError(
            f"the labels of {several} name individuals and those of {one} do not; name the individuals in all files, so"
            " that every animal of a picture is known to be labelled"
        )
    keypoints = tuple(dict.fromkeys(name for part in parts for name in part.keypoints))
    symmetries = tuple(dict.fromkeys(pair for part in parts for pair in part.symmetries or ()))
    parts = [part.select_keypoints(keypoints) for part in parts]

    chained = {name: tuple(value for part in parts for value in getattr(part, name)) for name in _PER_PICTURE}
    points, hidden = (np.concatenate([getattr(part, name) for part in parts]) for name in ("points_2d", "hidden_2d"))
    return Labels(points_2d=points, hidden_2d=hidden, keypoints=keypoints, symmetries=symmetries, **chained)
