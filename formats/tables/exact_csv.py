"""CSV tables read to the last bit of their numbers."""

from __future__ import annotations

from pathlib import Path

_EXACT_SINCE = (3, 1)  # from this version on pandas reads every float exactly without being asked


def read_csv(path: Path, **options):
    """``pandas.read_csv`` that keeps every bit of the numbers, in all versions of pandas."""
    import pandas as pd

    version = tuple(int(part) for part in pd.__version__.split(".")[:2])
    if version < _EXACT_SINCE:
        options["float_precision"] = "round_trip"
    return pd.read_csv(path, low_memory=False, **options)
