"""The error every reader raises, opening only what is safe to open, and CSV tables read to the last bit."""

from __future__ import annotations

import os
from pathlib import Path

_EXACT_SINCE = (3, 1)  # from this version pandas reads every float to the last bit without being asked

PICKLES = (".pickle", ".pkl", ".npy", ".npz", ".joblib", ".pt")


class FormatError(ValueError):
    """A file of another tool lacks something, or holds something that cannot be; the message names file and remedy."""


def existing(path: str | os.PathLike) -> Path:
    """The path of a file that is there and may be opened.

    Raises
    ------
    FormatError : there is no such file, or it is a pickle (which would execute code when opened)
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


def read_csv(path: Path, **options):
    """``pandas.read_csv`` that keeps every bit of the numbers, in all versions of pandas."""
    import pandas as pd

    version = tuple(int(part) for part in pd.__version__.split(".")[:2])
    if version < _EXACT_SINCE:
        options["float_precision"] = "round_trip"
    return pd.read_csv(path, low_memory=False, **options)
