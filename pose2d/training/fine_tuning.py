"""A detector that goes on with other keypoints: what its heads know of the old ones is kept, and replayed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from ...datasets.sides import symmetric_pairs
from ...formats.labels.labelled_frames import Labels
from ..inference.detector import Detector, DetectorError
from ..inference.evaluation import locate
from ..networks.registry import build_network
from ..published_networks.published_network import Network, PublishedNet, build_published

SURE = 0.5  # confidence from which a start's own prediction stands for a missing label


def with_keypoints(detector: Detector, keypoints: Sequence[str]) -> Detector:
    """The detector with a head for these keypoints: that of the old one where it knows the name, else a random one.

    What another program's network was told of its input (its size, how labels are counted) is dropped where the network
    takes pictures of any size: from here on it is trained as the library's own.

    Raises
    ------
    DetectorError : the network cannot be trained, or its pictures are not square
    """
    names = tuple(keypoints)
    network, build = detector.network, _builder(detector)
    rows = _keypoint_rows(build, network.n_keypoints)
    changed, old = build(len(names)), network.state_dict()
    places = [detector.keypoints.index(name) if name in detector.keypoints else -1 for name in names]
    known = [i for i, place in enumerate(places) if place >= 0]
    with torch.no_grad():
        for name, value in changed.state_dict().items():
            if name not in rows:
                value.copy_(old[name])
                continue
            axis, each = rows[name]
            to, of = (np.ravel([[each * i + c for c in range(each)] for i in k]).astype(int) for k in
                      (known, [places[i] for i in known]))  # fmt: skip
            value.index_copy_(axis, torch.from_numpy(to), old[name].index_select(axis, torch.from_numpy(of)))
    pairs = tuple(pair for pair in detector.symmetries if set(pair) <= set(names))
    pairs += tuple(p for p in symmetric_pairs(names) if not set(p) & {side for pair in pairs for side in pair})
    return replace(detector, network=changed.eval(), keypoints=names, symmetries=pairs)


def replayed(labels: Labels, start: Detector) -> Labels:
    """The labels with the start's own confident predictions of the keypoints that they do not label at all (memory
    replay: Ye 2024), so that training on the others does not unlearn these."""
    silent = ~np.isfinite(labels.points_2d).any((0, 2))
    if not silent.any():
        return labels
    order = [start.keypoints.index(n) if n in start.keypoints else -1 for n in labels.keypoints]
    silent &= np.array(order) >= 0
    found = locate(start, labels, tracked=True)
    sure = start.uncertainty.confidence(found)[:, order] >= SURE
    points = np.where((sure & silent)[..., None], found.points[:, order], labels.points_2d)
    return replace(labels, points_2d=points, hidden_2d=None)


def _builder(detector: Detector) -> Callable[[int], Network]:
    """A function that makes the detector's network for a number of keypoints."""
    network, name = detector.network, detector.config.network
    if not isinstance(network, PublishedNet):
        return lambda n: build_network(name, n, tags=detector.bottom_up)
    if "onnx" in network.spec:
        raise DetectorError("an ONNX network cannot be trained; export it from the program that trained it as weights")
    spec = {key: value for key, value in network.spec.items() if key not in ("labels_from_corner", "whole")}
    if network.meaning.reading == "simcc":
        spec["labels_from_corner"] = network.labels_from_corner
        if network.input_size is not None and network.input_size[0] != network.input_size[1]:
            raise DetectorError(f"a SimCC network of {network.input_size} pictures is not trained, only of square ones")
    else:
        spec.pop("input_size", None)
    return lambda n: build_published(spec | {"n_keypoints": n, "head": _head(spec["head"], n)})


def _head(head: dict, n: int) -> dict:
    """The options of a published head for n keypoints."""
    if head["kind"] == "simcc":
        return head | {"n_keypoints": n}
    if head["kind"] == "shuffle":
        return head | {"channels": [*head["channels"][:-1], n]}
    changed = dict(head)
    for part, each in (("heatmap", n), ("locref", 2 * n)):
        if head.get(part):
            own = dict(head[part])
            if own.get("final_conv"):
                own["final_conv"] = own["final_conv"] | {"out_channels": each}
            else:
                own["channels"] = [*own["channels"][:-1], each]
            changed[part] = own
    return changed


def _keypoint_rows(build: Callable[[int], nn.Module], n: int) -> dict[str, tuple[int, int]]:
    """{weight: (its axis of keypoints, rows of each)} of the networks that `build` makes, seen by building two."""
    few, more = build(n).state_dict(), build(n + 1).state_dict()
    rows = {}
    for name, value in few.items():
        axes = [i for i, (a, b) in enumerate(zip(value.shape, more[name].shape, strict=True)) if a != b]
        if axes:
            rows[name] = (axes[0], more[name].shape[axes[0]] - value.shape[axes[0]])
    return rows
