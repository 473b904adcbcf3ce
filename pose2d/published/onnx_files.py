"""Pose networks as ONNX: what their inputs and outputs say of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...datasets.names import nearest
from ..inference.detector import DetectorError
from ..published_networks.onnx_graph import open_session
from ..published_networks.published_network import READINGS
from .deeplabcut import Described

OPTIONS = ("mean", "std", "reading", "shift")
SIDE = 256  # pixels, with which a network that takes pictures of any size is tried
LARGEST = 2_000_000_000  # bytes


def describe_onnx(path: Path, keypoints: Sequence[str] | None, options: dict[str, Any]) -> Described:
    """What `build_published` makes the network from, its weights, and its keypoints (None: not named)."""
    unknown = sorted(set(options) - set(OPTIONS))
    if unknown:
        raise DetectorError(f"onnx= has no entry {unknown[0]!r}{nearest(unknown[0], OPTIONS)}; known: {list(OPTIONS)}")
    if options.get("reading", "values") not in READINGS:
        raise DetectorError(f"onnx= reading must be one of {READINGS}, got {options['reading']!r}")
    if not path.is_file():
        raise DetectorError(f"there is no detector file {path}; export one first")
    if path.stat().st_size > LARGEST:
        raise DetectorError(f"{path} has {path.stat().st_size / 1e9:.1f} GB; ONNX files hold 2 at most")
    graph = path.read_bytes()
    try:
        session = open_session(graph)
    except ModuleNotFoundError:
        raise
    except Exception as error:
        raise DetectorError(f"{path} cannot be read as ONNX ({type(error).__name__}); export it again") from error
    name, shape = session.get_inputs()[0].name, session.get_inputs()[0].shape
    last = len(shape) == 4 and shape[3] == 3
    if len(shape) != 4 or (not last and shape[1] not in (3, "channels", None)):
        raise DetectorError(
            f"{path} takes {shape}; expected pictures as (n, 3, height, width) or (n, height, width, 3)"
        )
    sides = shape[1:3] if last else shape[2:]
    fixed = all(isinstance(side, int) for side in sides)
    height, width = sides if fixed else (SIDE, SIDE)
    n = shape[0] if isinstance(shape[0], int) else 1
    tried = np.zeros((n, height, width, 3) if last else (n, 3, height, width), np.float32)
    outputs = {
        output.name: value.shape
        for output, value in zip(session.get_outputs(), session.run(None, {name: tried}), strict=True)
    }
    spec = {key: value for key, value in options.items() if key in ("mean", "std")}
    maps = [(key, own) for key, own in outputs.items() if len(own) == 4]
    votes = [(key, own) for key, own in outputs.items() if len(own) == 3]
    if len(votes) == 2 and votes[0][1][1] == votes[1][1][1]:
        across, down = votes if votes[0][1][2] * height == votes[1][1][2] * width else votes[::-1]
        split = across[1][2] / width
        spec |= {"n_keypoints": across[1][1], "reading": "simcc", "stride": 4.0, "split": split}
        spec |= {"onnx": {"names": [across[0], down[0]], "channels_last": last}, "input_size": [width, height]}
    elif len(maps) == 1:
        key, own = maps[0]
        rows, columns, n_maps = (own[1], own[2], own[3]) if last else (own[2], own[3], own[1])
        if width * rows != height * columns:
            raise DetectorError(f"{path}: the maps {columns}x{rows} are not of the pictures' shape {width}x{height}")
        spec |= {"n_keypoints": n_maps, "reading": options.get("reading", "values"), "stride": width / columns}
        spec |= {"shift": float(options.get("shift", 0.0)), "onnx": {"names": [key], "channels_last": last}}
        spec |= {"input_size": [width, height]} if fixed else {}
    else:
        raise DetectorError(
            f"{path} gives {outputs}; expected one heatmap (n, keypoints, rows, columns), or two SimCC tensors"
        )
    weights = {"raw.graph": torch.frombuffer(bytearray(graph), dtype=torch.uint8)}
    names = session.get_modelmeta().custom_metadata_map.get("keypoints")
    return spec, weights, tuple(names.split(",")) if names and keypoints is None else None
