"""The individuals of several cameras' tracks: the same in all, or numbered where each camera has names of its own."""

from __future__ import annotations

import numpy as np

from ..files import FormatError
from .tracks import Track


def same_individuals(tracks: dict[str, Track]) -> tuple[str, ...] | None:
    """The individuals' names, None of one animal.

    Raises
    ------
    FormatError : a camera has others than the first
    """
    first, reference = next(iter(tracks.items()))
    for camera, track in tracks.items():
        if track.individuals != reference.individuals:
            raise FormatError(
                f"camera '{camera}' has the individuals {track.individuals or 'of one animal'} and camera '{first}'"
                f" {reference.individuals or 'of one animal'}; they must have the same names in the same order (or be"
                " numbered, with individuals='numbered', and then matched by match_views)"
            )
    return reference.individuals


def numbered_individuals(tracks: dict[str, Track]) -> dict[str, Track]:
    """Tracks with as many individuals in every camera, called individual_0, ...; those that a camera lacks are missing.

    Nothing changes where all cameras have the same names already.
    """
    if len({track.individuals for track in tracks.values()}) == 1:
        return tracks
    n_most = max(track.points_2d.shape[0] for track in tracks.values())
    names = tuple(f"individual_{i}" for i in range(n_most)) if n_most > 1 else None
    return {camera: _filled(track, n_most)._replace(individuals=names) for camera, track in tracks.items()}


def _filled(track: Track, n: int) -> Track:
    after = n - track.points_2d.shape[0]
    return track.rearranged(
        lambda values: np.pad(values, ((0, after), (0, 0), (0, 0), (0, 0)), constant_values=np.nan),
        np.pad(track.confidence, ((0, after), (0, 0), (0, 0))),
    )
