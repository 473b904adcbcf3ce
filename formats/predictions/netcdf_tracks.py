"""The 2D points of one camera in netCDF, the library's own or a file of `movement`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from ...datasets import read_dataset, write_dataset
from ...datasets.individuals import individual_names
from ...datasets.validators import singular_dims
from ..files import FormatError
from .tracks import Track, make_track


def read_netcdf_track(path: Path, camera: str | None = None) -> Track:
    """One camera in netCDF: a views file with a single view, or a 2D poses file of `movement`."""
    dataset = singular_dims(read_dataset(path))
    if "position" not in dataset or not {"time", "keypoint", "space"} <= set(dataset["position"].dims):
        raise FormatError(
            f"{path} holds no 'position' over time, keypoint and space; it has {sorted(map(str, dataset.data_vars))}"
        )
    if dataset.sizes.get("detector", 1) != 1:
        raise FormatError(f"{path} holds the predictions of several detectors; read it as a whole, or a file of each")
    dataset = dataset.squeeze("detector", drop=True) if "detector" in dataset.dims else dataset
    if dataset.sizes.get("view", 1) != 1:
        raise FormatError(f"{path} holds {dataset.sizes['view']} views where one camera's file is expected")
    dataset = dataset.squeeze("view", drop=True) if "view" in dataset.dims else dataset
    individuals = tuple(individual_names(dataset)) or None
    dataset = dataset if individuals else dataset.expand_dims("individual")
    order = ("individual", "time", "keypoint")
    confidence = dataset["confidence"].transpose(*order).values if "confidence" in dataset else None
    seconds = dataset["time"].attrs.get("units", dataset.attrs.get("time_unit")) in ("s", "seconds")
    return make_track(
        dataset["keypoint"].values,
        dataset["position"].sel(space=["x", "y"]).transpose(*order, "space").values,
        confidence,
        str(path),
        individuals=individuals if individuals is not None and len(individuals) > 1 else None,
        times=np.asarray(dataset["time"].values, float) if seconds else None,
    )


def write_netcdf(views: xr.Dataset, path: Path) -> None:
    """Write all views in one file, which keeps everything."""
    write_dataset(views, path)
