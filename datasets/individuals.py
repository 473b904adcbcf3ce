"""A dataset of several animals taken apart: their names, and the dataset of each."""

from __future__ import annotations

import xarray as xr


def individual_names(dataset: xr.Dataset) -> list[str]:
    """The names along the dimension ``individual``; none where the dataset has no such dimension."""
    return [str(name) for name in dataset["individual"].values] if "individual" in dataset.dims else []


def each_individual(dataset: xr.Dataset) -> list[tuple[str, xr.Dataset]]:
    """(name, dataset of that individual); ("", the dataset itself) where it has no dimension ``individual``."""
    if "individual" not in dataset.dims:
        return [("", dataset)]
    return [(name, dataset.isel(individual=i, drop=True)) for i, name in enumerate(individual_names(dataset))]
