"""The YAML settings that other programs write beside the weights of a network."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from ..inference.detector import DetectorError

LARGEST = 10_000_000  # bytes; the settings of a network are some thousands


def find_settings(weights: Path, given: str | os.PathLike | None, beside: Iterable[str], program: str) -> Path:
    """The settings file that was given, or the first that lies beside the weights or in up to four folders above.

    Raises
    ------
    DetectorError : there is none
    """
    if not weights.is_file():
        raise DetectorError(f"there is no detector file {weights}; train one first")
    if given is not None:
        if not Path(given).is_file():
            raise DetectorError(f"there is no settings file {given}")
        return Path(given)
    names = list(beside)
    found = next((f / n for f in list(weights.resolve().parents)[:5] for n in names if (f / n).is_file()), None)
    if found is None:
        raise DetectorError(
            f"{weights} needs {program}'s {names[0]}, which says what its weights mean; copy it beside them from the"
            " folder of the training, or give config=... (its path)"
        )
    return found


def read_settings(path: Path) -> dict[str, Any]:
    """A YAML file as plain values; nothing in it is executed.

    Raises
    ------
    DetectorError : it is too large, or no YAML of named values
    ModuleNotFoundError : PyYAML is not installed
    """
    try:
        yaml = import_module("yaml")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"{path.name} needs PyYAML: pip install 'muybridge[pose2d]'", name="yaml") from error
    if path.stat().st_size > LARGEST:
        raise DetectorError(f"{path} has {path.stat().st_size} bytes: no settings of a network are so large")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise DetectorError(f"{path} cannot be read as YAML ({type(error).__name__})") from error
    if not isinstance(content, dict):
        raise DetectorError(f"{path} holds no named values; expected the settings of a network")
    return content


@contextmanager
def reading(path: Path, program: str) -> Iterator[None]:
    """Around what reads entries of settings: a value of another kind than expected is an error of their file.

    Raises
    ------
    DetectorError : an entry is missing or of another kind; the message names the file and the program
    """
    try:
        yield
    except DetectorError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DetectorError(
            f"{path} does not hold the settings of a network of {program}: an entry is missing or of another kind"
            f" ({error}); copy it again from the folder of the training"
        ) from error


def entry(settings: dict[str, Any], keys: str, path: Path) -> Any:
    """The value under keys joined by dots.

    Raises
    ------
    DetectorError : it is missing; the message names the file and the key
    """
    value: Any = settings
    for key in keys.split("."):
        if not isinstance(value, dict) or key not in value:
            raise DetectorError(f"{path} has no entry {keys}, which this network needs")
        value = value[key]
    return value
