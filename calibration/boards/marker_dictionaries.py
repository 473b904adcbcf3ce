"""The predefined dictionaries of ArUco markers, by the names of OpenCV."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_CONSTANTS = [name for name in dir(cv2.aruco) if name.startswith("DICT_")]
DICTIONARIES: dict[str, int] = {name.removeprefix("DICT_"): getattr(cv2.aruco, name) for name in _CONSTANTS}


def dictionary_name(name: str) -> str:
    """The dictionary's name without the leading "DICT_". Raises ValueError where OpenCV has no such dictionary."""
    known = {key.upper(): key for key in DICTIONARIES}
    key = str(name).upper().removeprefix("DICT_")
    if key not in known:
        raise ValueError(f"unknown ArUco dictionary {name!r}; known: {sorted(DICTIONARIES)}")
    return known[key]


def opencv_dictionary(name: str) -> cv2.aruco.Dictionary:
    """OpenCV's whole dictionary of this name."""
    return cv2.aruco.getPredefinedDictionary(DICTIONARIES[name])


def cut_dictionary(name: str, ids: NDArray[np.int64]) -> cv2.aruco.Dictionary:
    """The dictionary of these markers only: matching against all 1000 codes takes most of a detection's time."""
    whole = opencv_dictionary(name)
    return cv2.aruco.Dictionary(np.ascontiguousarray(whole.bytesList[ids]), whole.markerSize, whole.maxCorrectionBits)
