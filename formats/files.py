"""The error that readers of other tools' files raise, and the check before such a file is opened."""

from __future__ import annotations

import os
import re
from importlib import import_module
from pathlib import Path
from typing import Any

from ..datasets.size_limit import oversize

HDF5_SUFFIXES = (".h5", ".hdf5", ".hdf")
PICKLES = (".pickle", ".pkl", ".npy", ".npz", ".joblib", ".pt")


class FormatError(ValueError):
    """A file of another tool lacks something, or holds something impossible; the message names file and remedy."""


def existing(path: str | os.PathLike) -> Path:
    """The path of a file or folder that exists and may be opened.

    Raises
    ------
    FormatError
        There is no such file, or it may be a pickle (which executes code when opened).
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
    return path


def check_size(n_bytes: int, n_stored: int, source: str | os.PathLike) -> None:
    """FormatError where arrays of so many bytes would come out of so few stored ones (see `oversize`)."""
    reason = oversize(n_bytes, n_stored)
    if reason:
        raise FormatError(f"{source}: {reason}")


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
