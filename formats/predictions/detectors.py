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


def has_several(sources: Mapping[str, Source | Sequence[Source]]) -> bool:
    """Whether cameras are given a sequence of files, one per detector."""
    return any(isinstance(own, list | tuple) for own in sources.values())


def check_detectors(
    ensemble: list[dict[str, Track]], files: list[dict[str, Source]], keypoints: Sequence[str] | None
) -> None:
    """Refuse predictions of a camera that differ between detectors in keypoints or individuals."""
    for tracks, own in zip(ensemble[1:], files[1:], strict=True):
        for camera, track in tracks.items():
            first, reference = files[0][camera], ensemble[0][camera]
            of = f"camera '{camera}': {own[camera]} has"
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


def check_lengths(lengths: Sequence[Mapping[str, int]], files: Sequence[Mapping[str, Source]], pad: bool) -> None:
    """FormatError where there is no frame, or detectors or cameras have other numbers and are not to be filled up."""
    for of_detector, own in zip(lengths, files, strict=True):
        for camera, n_frames in of_detector.items():
            if n_frames != lengths[0][camera] and not pad:
                raise FormatError(
                    f"camera '{camera}': {own[camera]} has {n_frames} frames and {files[0][camera]}"
                    f" {lengths[0][camera]}; predictions of the same video have as many frames (if only the end is"
                    " missing, give pad=True)"
                )
        empty = [camera for camera, n in of_detector.items() if n == 0]
        if not any(of_detector.values()) or (empty and not pad):
            raise FormatError(f"there is not a single frame in {', '.join(str(own[camera]) for camera in empty)}")
        if len(set(of_detector.values())) > 1 and not pad:
            listed = ", ".join(f"{camera} {n}" for camera, n in of_detector.items())
            raise FormatError(
                f"the cameras differ in their number of frames ({listed}): a file is cut off or they are out of step;"
                " if only the end is missing, give pad=True"
            )


def join_detectors(parts: Sequence[xr.Dataset]) -> xr.Dataset:
    """Views with a dimension ``detector`` of the views of each, which differ at most in the order of keypoints."""
    names = [f"detector_{i}" for i in range(len(parts))]
    ordered = [part.sel(keypoint=parts[0]["keypoint"].values) for part in parts]
    along = xr.DataArray(names, dims="detector", name="detector")
    return check_views(xr.concat(ordered, along, join="override"))
