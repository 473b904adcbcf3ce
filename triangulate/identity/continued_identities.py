"""Identities in recordings too long for the memory: found in windows that overlap, and continued across their edges."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from ...datasets.atomic_files import atomic_write, scratch_file
from ...datasets.netcdf import opened_dataset
from ...datasets.stretches import write_pieces
from ...numerics.arrays import Array

_WINDOW = 5000  # frames that are looked at together: bounds memory
_OVERLAP = 500  # frames before these: both windows see the same animals there, but one that is away for so long
Identify = Callable[[xr.Dataset], xr.Dataset | None]


def write_individuals(
    views: xr.Dataset, destination: Path, identify: Identify, n_individuals: int | None, names: Sequence[str] | None
) -> list[str]:
    """Write opened views as views of individuals, and return their names.

    Parameters
    ----------
    identify : views of a window as views of individuals in any order, None where no animal is found
    n_individuals : as many at most; None: an animal that is in no row of the window before begins a new one
    names : of the individuals; None: individual_0, individual_1, ...

    Raises
    ------
    ValueError : no window has an animal
    """
    with ExitStack() as stack:
        windows, n_rows, any_found = list[Path](), 0, False
        for piece in _continued(views, identify, n_individuals):
            n_rows, any_found = piece.sizes["individual"], any_found or bool((piece["confidence"] > 0).any())
            windows.append(stack.enter_context(scratch_file(destination)))
            write_pieces([piece], windows[-1], piece.sizes["time"])
        if not any_found:
            raise ValueError(
                "no animal was found: nowhere do two cameras agree on enough of its keypoints at a time; check that"
                " cameras and 2D points belong together (diagnose)"
            )
        named = list(names or (f"individual_{i}" for i in range(n_rows)))
        with atomic_write(destination) as partial:
            pieces = (_rows(piece, range(n_rows)).assign_coords(individual=named) for piece in _read(windows))
            write_pieces(pieces, partial, views.sizes["time"])
    return named


def _read(windows: list[Path]) -> Iterator[xr.Dataset]:
    for path in windows:
        with opened_dataset(path) as opened:
            yield opened.load()


def _continued(views: xr.Dataset, identify: Identify, n_individuals: int | None) -> Iterator[xr.Dataset]:
    """Consecutive windows whose rows are the same animals; the later ones may have more."""
    before, n_rows = None, 1
    for start in range(0, views.sizes["time"], _WINDOW):
        first = max(0, start - _OVERLAP)
        given = views.isel(time=slice(first, start + _WINDOW)).load()
        found = identify(given)
        found = given.isel(individual=[]) if found is None else found
        rows = np.arange(found.sizes["individual"])
        if before is not None:
            rows = continued_rows(_positions(before), _positions(found)[:, :, : before.sizes["time"]], n_individuals)
        n_rows = max(n_rows, int(rows.max(initial=-1)) + 1)
        found = _rows(found.assign_coords(individual=rows), range(n_rows))
        before = found.isel(time=slice(-_OVERLAP, None)).copy(deep=True)  # a slice of an array keeps all of it
        yield found.isel(time=slice(start - first, None)).copy(deep=True)


def continued_rows(before: Array, now: Array, n_individuals: int | None) -> NDArray[np.int64]:
    """(n_now,) row of the individuals before that each individual now is, by the points that both have.

    before, now : (n_individuals, n_cameras, n_frames, n_keypoints, 2) of the same frames
    """
    common = (before[:, None] == now[None]).all(axis=-1).sum(axis=(2, 3, 4))
    rows = np.full(len(now), -1)
    for i, j in zip(*linear_sum_assignment(-common), strict=True):
        rows[j] = i if common[i, j] else -1
    free = iter(sorted(set(range(n_individuals or len(before) + len(now))) - set(rows.tolist())))
    fresh = free if n_individuals else iter(range(len(before), len(before) + len(now)))
    for j in np.flatnonzero(rows < 0):
        rows[j] = next(fresh)
    return rows


def _positions(views: xr.Dataset) -> Array:
    return views["position"].transpose("individual", "view", "time", "keypoint", "space").values


def _rows(views: xr.Dataset, individuals: Sequence[int]) -> xr.Dataset:
    """Views with rows of these individuals, without a point where there is none of that number."""
    rows = views.reindex(individual=list(individuals)).transpose("individual", "view", "time", "keypoint", ...)
    return rows.assign(confidence=rows["confidence"].fillna(0.0))
