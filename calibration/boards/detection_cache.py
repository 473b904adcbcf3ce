"""Cache of detections in a folder of the caller's, valid while the source's content and the settings are the same."""

from __future__ import annotations

import hashlib
import os
import zipfile
from pathlib import Path

import cv2
import numpy as np

from ...datasets.atomic_files import atomic_write, remove_halves
from ...datasets.npz_files import read_npz
from .image_sources import Source, image_files
from .patterns import Board

_VERSION = 1  # of the file; a change makes older caches void
_FIELDS = ("size", "corners", "mirrored", "n_markers")


Cache = str | os.PathLike | None  # the folder to keep detections in, never the recordings' own


def load_detections(source: Source, board: Board, frame_step: int, cache: Cache) -> dict | None:
    """Arrays of a `BoardDetections` from the cache, or None where there is none that fits."""
    path = _cache_path(source, cache)
    if path is None or not path.is_file():
        return None
    try:
        stored = read_npz(path)
        if str(stored["key"]) != _key(source, board, frame_step):
            return None
        arrays = {name: stored[name] for name in _FIELDS}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None
    return {**arrays, "size": tuple(int(side) for side in arrays["size"])}


def save_detections(source: Source, board: Board, frame_step: int, arrays: dict, cache: Cache) -> None:
    """Keep the arrays, atomically; does nothing where the folder cannot be written to."""
    path = _cache_path(source, cache)
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # the mode bits, too: for root every folder is writable, also one that was made read-only
        if not os.access(path.parent, os.W_OK) or not path.parent.stat().st_mode & 0o222:
            return
        remove_halves(path)
        with atomic_write(path) as partial, partial.open("wb") as file:
            np.savez_compressed(file, key=np.array(_key(source, board, frame_step)), **arrays)
    except OSError:
        return


def _cache_path(source: Source, cache: Cache) -> Path | None:
    """File in the caller's folder; None where nothing is kept: of arrays, and without a folder."""
    files = None if isinstance(source, (str, os.PathLike)) else image_files(source, "")
    if cache is None or (files is None and not isinstance(source, (str, os.PathLike))):
        return None
    first = Path(os.fspath(source)) if files is None else files[0]  # type: ignore[arg-type]
    place = hashlib.blake2b(str(first.resolve()).encode(), digest_size=4).hexdigest()
    return Path(cache) / f"{first.stem}-{place}.npz"


def _key(source: Source, board: Board, frame_step: int) -> str:
    """Hash of everything the detections depend on: file contents, board, settings, versions."""
    digest = hashlib.blake2b(f"{_VERSION} {cv2.__version__} {board!r} {frame_step}".encode(), digest_size=16)
    files = image_files(source, "")
    for file in files if files is not None else [Path(os.fspath(source))]:  # type: ignore[arg-type]
        digest.update(f"{file.name} {file.stat().st_size} ".encode())
        with open(file, "rb") as content:
            while chunk := content.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()
