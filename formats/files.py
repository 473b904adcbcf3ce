"""Files on disk: the error every reader raises, and writing without ever leaving half a file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """A partial file beside `path` to write into, which takes its place at the end; a failed write leaves the old file.

    The partial file keeps the suffix of `path`: some writers choose their format by it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.partial.", suffix=path.suffix)
    os.close(handle)
    partial = Path(name)
    try:
        yield partial
        os.chmod(partial, 0o644)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
