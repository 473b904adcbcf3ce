"""Predictions of several detectors for the same videos: a list of files per camera, compared and joined."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import xarray as xr

from ...datasets import check_views
from ..files import FormatError
from .tracks import Track

Source = str | os.PathLike


def files_of_detectors(sources: Mapping[str, Source | Sequence[Source]]) -> list[dict[str, Source]]:
    """{camera: file} of each detector; of a single file per camera there is one.

    Raises
    ------
    FormatError : a camera has no file, or another number of files than the first
    """
    listed: dict[str, list] = {
        str(c): list(own) if isinstance(own, list | tuple) else [own] for c, own in sources.items()
    }
    first, own = next(iter(listed.items()))
    for camera, files in listed.items():
        if not files or len(files) != len(own):
            raise FormatError(
                f"camera '{camera}' has {len(files)} files of 2D points ({', '.join(map(str, files))}) and camera"
                f" '{first}' {len(own)}; give every camera one file per detector, in the same order"
            )
    return [{camera: files[i] for camera, files in listed.items()} for i in range(len(own))]


def check_same_recording(
    ensemble: list[dict[str, Track]], files: list[dict[str, Source]], keypoints: Sequence[str] | None, pad: bool
) -> None:
    """Refuse predictions of a camera that differ between detectors in frames, keypoints or individuals."""
    for tracks, own in zip(ensemble[1:], files[1:], strict=True):
        for camera, track in tracks.items():
            first, reference = files[0][camera], ensemble[0][camera]
            of = f"camera '{camera}': {own[camera]} has"
            if not pad and track.points_2d.shape[1] != reference.points_2d.shape[1]:
                raise FormatError(
                    f"{of} {track.points_2d.shape[1]} frames and {first} {reference.points_2d.shape[1]}; predictions of"
                    " the same video have as many frames (if only the end is missing, give pad=True)"
                )
            if keypoints is None and set(track.keypoints) != set(reference.keypoints):
                different = sorted(set(track.keypoints) ^ set(reference.keypoints))
                raise FormatError(
                    f"{of} other keypoints than {first}: {different} are in one only; give keypoints=[...]"
                )
            if track.individuals != reference.individuals:
                raise FormatError(
                    f"{of} the individuals {track.individuals or 'of one animal'} and {first}"
                    f" {reference.individuals or 'of one animal'}; they must have the same names in the same order"
                )


def join_detectors(parts: Sequence[xr.Dataset]) -> xr.Dataset:
    """Views with a dimension ``detector`` of the views of each, which differ at most in the order of keypoints."""
    names = [f"detector_{i}" for i in range(len(parts))]
    ordered = [part.sel(keypoint=parts[0]["keypoint"].values) for part in parts]
    along = xr.DataArray(names, dims="detector", name="detector")
    return check_views(xr.concat(ordered, along, join="override"))
