"""The error that readers of other tools' files raise, and the check before such a file is opened."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from ..datasets.hdf5_contents import foreign_content
from ..datasets.size_limit import endless, oversize

HDF5_SUFFIXES = (".h5", ".hdf5", ".hdf")
_HDF5 = b"\x89HDF\r\n\x1a\n"  # the first bytes of such a file
PICKLES = (".pickle", ".pkl", ".npy", ".npz", ".joblib", ".pt")


class FormatError(ValueError):
    """A file of another tool lacks something, or holds something impossible; the message names file and remedy."""


def existing(path: str | os.PathLike) -> Path:
    """The path of a file or folder that exists and may be opened.

    Raises
    ------
    FormatError
        There is no such file, it is a device or a pipe, it may be a pickle (which executes code when opened), or it is
        HDF5 that links to other files.
    """
    if not isinstance(path, str | os.PathLike):
        raise FormatError(f"a file is given by its path, got {type(path).__name__}: {path!r:.80}")
    path = Path(path)
    if path.suffix.lower() in PICKLES:
        raise FormatError(
            f"{path} may hold a pickle, which executes code when it is opened; convert it to a plain format elsewhere"
        )
    if not path.exists():
        raise FormatError(f"there is no file {path}")
    if reason := endless(path):
        raise FormatError(f"{reason}; give a file")
    if path.is_file():
        _check_own_data(path)
    return path


def _check_own_data(path: Path) -> None:
    """FormatError where a file is HDF5 that reads other files."""
    try:
        with path.open("rb") as stream:  # h5py is loaded where the signature is there
            if stream.read(len(_HDF5)) == _HDF5 and (reason := foreign_content(path)):
                raise FormatError(f"{path}: {reason}")
    except (OSError, RuntimeError, KeyError) as error:
        raise FormatError(f"{path} cannot be read ({error}); copy or make it again") from error


def check_size(n_bytes: int, n_stored: int, source: str | os.PathLike) -> None:
    """FormatError where arrays of so many bytes would come out of so few stored ones (see `oversize`)."""
    reason = oversize(n_bytes, n_stored)
    if reason:
        raise FormatError(f"{source}: {reason}")


@contextmanager
def unchanged(path: Path) -> Iterator[None]:
    """FormatError where a file's size changes meanwhile: HDF5 gives zeros for what is cut off."""
    before = path.stat().st_size
    yield
    if path.is_file() and (now := path.stat().st_size) != before:
        raise FormatError(
            f"{path} had {before} bytes and has {now} now, while it is read; run again when it is written or copied"
        )


def stored_bytes(path: Path) -> int:
    """Size of a file, or of the files in a folder; 0 of what does not exist."""
    files = path.iterdir() if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def need_extra(module: str, extra: str, what: str) -> Any:
    """A package of one of muybridge's extras.

    Raises
    ------
    FormatError
        It is not installed; the message has the command that installs it.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise FormatError(
            f"{what} needs {module.partition('.')[0]}; install it: pip install 'muybridge[{extra}]'"
        ) from error


def natural_key(name: str | os.PathLike) -> list:
    """Sort key that puts img2 before img10."""
    return [int(part) if part.isdigit() else part.lower() for part in re.split(r"(\d+)", str(name))]


def as_text(value) -> str:
    """Text from HDF5, which holds it as bytes or as str."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
