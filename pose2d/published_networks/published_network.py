"""A network that others trained behind the interface of `registry.PoseNet`: its maps as logits, offsets and spreads.

What the network's maps mean differs (`READINGS`); here they become logits whose softmax over all cells and one "absent"
of logit 0 is the probability of each place, so that all that follows is that of the library's own networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..networks.registry import Maps, PoseNet
from .cspnext import CSPNeXtTrunk
from .onnx_graph import OnnxGraph
from .published_heads import HeatmapHead, ShuffleHead, SimCCHead
from .residual_trunks import HRNetTrunk, ResNetTrunk

# what a map's numbers are: "logits" one coin per cell, "values" a bump of height 1 (trained by squared differences),
# "softmax" the logits of a distribution over all cells, "probabilities" the distribution, "simcc" votes along x and y
READINGS = ("logits", "values", "softmax", "probabilities", "simcc")
# how much sharper a place's share of the probability is than its odds: of thousands of cells of background each a
# thousandth, the sum would outweigh the peak
SHARPNESS = 2.0
CERTAIN = 9.2  # log-odds of 0.9999: a map without "absent" says nothing of it
BETA = 10.0  # factor on SimCC's votes before their softmax in training (RTMPose, its configuration)
_TRUNKS = {"resnet": ResNetTrunk, "hrnet": HRNetTrunk, "cspnext": CSPNeXtTrunk}
_HEADS = {"heatmap": HeatmapHead, "shuffle": ShuffleHead, "simcc": SimCCHead}


@dataclass(frozen=True)
class MapMeaning:
    """What the numbers of raw maps are, and which place in the network's input a cell stands for.

    Parameters
    ----------
    reading : what the maps hold, one of `READINGS`
    stride : network pixels per cell ("simcc": votes are gathered in cells of so many pixels)
    shift : network pixels from where this library counts a cell's place, its middle, to where the network's labels are
    offset_unit : network pixels per unit of the refinement's maps
    split : votes per pixel ("simcc")
    labels_from_corner : places were scaled with the pictures without the half pixel (see `inference.engine`)
    """

    reading: str
    stride: float
    shift: float = 0.0
    offset_unit: float = 0.0
    split: float = 2.0
    labels_from_corner: bool = False

    def __post_init__(self):
        if self.reading not in READINGS:
            raise ValueError(f"reading must be one of {READINGS}, got {self.reading!r}")


@dataclass(frozen=True)
class InputForm:
    """The pictures that a network was trained on.

    Parameters
    ----------
    input_size : (width, height) that pictures must have; None: any multiple of 32
    whole : whether pictures are stretched to `input_size` as a whole; else a box of the animal is shown in it
    mean, std : of the training pictures' colours, of 1
    """

    input_size: Sequence[int] | None = None
    whole: bool = False
    mean: Sequence[float] = (0.485, 0.456, 0.406)
    std: Sequence[float] = (0.229, 0.224, 0.225)


class PublishedNet(nn.Module):
    """Pictures in, `Maps` out; the interface of `registry.PoseNet`.

    Parameters
    ----------
    raw : images (n, 3, height, width), normalised as the form's `mean` and `std` say, in; raw maps out
    n_keypoints : number of heatmaps
    meaning, form : of its maps, and of its pictures
    """

    spec: dict[str, Any]

    def __init__(self, raw: nn.Module, n_keypoints: int, meaning: MapMeaning, form: InputForm | None = None):
        super().__init__()
        form = InputForm() if form is None else form
        self.raw, self.n_keypoints, self.meaning = raw, n_keypoints, meaning
        self.stride, self.shift, self.labels_from_corner = meaning.stride, meaning.shift, meaning.labels_from_corner
        size = form.input_size
        self.input_size, self.whole = None if size is None else (int(size[0]), int(size[1])), form.whole
        mean, std = torch.tensor(form.mean), torch.tensor(form.std)
        # from -1..1 to the colours of the training
        self.register_buffer("gain", (0.5 / std)[:, None, None], persistent=False)
        self.register_buffer("bias", ((0.5 - mean) / std)[:, None, None], persistent=False)
        # the spread is that of the votes, corrected by what a training learns of its errors
        self.spread_hidden = nn.Linear(2, 16)
        self.spread_weight = nn.Parameter(torch.zeros(n_keypoints, 3, 16))
        self.spread_bias = nn.Parameter(torch.zeros(n_keypoints, 3))

    @property
    def features(self) -> nn.Module:
        """What gives the raw maps; its `backbone` is the pretrained part."""
        return self.raw

    def forward(self, images: Tensor) -> Maps:
        return self.maps_of(self.raw(images * self.gain + self.bias))  # type: ignore[operator]

    def maps_of(self, raw: Tensor, _=None) -> Maps:
        """Logits, and offsets as features, from raw maps; in float32."""
        with torch.autocast(raw.device.type, enabled=False):
            raw = raw.float()
            if self.meaning.reading == "simcc":
                return self._of_votes(raw)
            heat, offsets = raw[:, : self.n_keypoints], raw[:, self.n_keypoints :]
            places = offsets.new_zeros(len(raw), 2 * self.n_keypoints, *raw.shape[2:])
            if offsets.shape[1]:
                places = offsets * (self.meaning.offset_unit / self.stride)
            return Maps(_as_logits(heat, self.meaning.reading), places)

    def _of_votes(self, raw: Tensor) -> Maps:
        """Votes along x and y gathered in square cells: their joint probability and their mean place in each cell."""
        (width, height), split = self.input_size or (0, 0), self.meaning.split
        votes = raw[:, :, 0].split([int(width * split), int(height * split)], -1)
        per_cell = round(self.stride * split)
        logs, places = zip(*(_gathered(BETA * vote, per_cell, split) for vote in votes), strict=True)
        likely = logs[0][:, :, None] + logs[1][..., None]
        # what RTMPose calls the score of a keypoint is the lesser of its two largest votes
        score = torch.minimum(votes[0].amax(-1), votes[1].amax(-1)).clamp(1e-4, 1 - 1e-4)
        shape = likely.shape
        x, y = places[0][:, :, None].expand(shape), places[1][..., None].expand(shape)
        offsets = torch.stack([x, y], 2).flatten(1, 2) / self.stride
        return Maps(likely + torch.logit(score)[..., None, None], offsets)

    def offsets_at(self, features: Tensor, cells: Tensor) -> Tensor:
        """See `registry.PoseNet.offsets_at`."""
        flat = features.flatten(2).unflatten(1, (self.n_keypoints, 2))
        return flat.gather(3, cells[:, :, None].expand(-1, -1, 2, -1)).transpose(2, 3)

    def spread_at(self, seen: Tensor) -> Tensor:
        """See `registry.PoseNet.spread_at`; the last of `seen` is the logarithm of the votes' width."""
        learned = torch.einsum("nkh,kch->nkc", self.spread_hidden(seen[..., -2:]).relu(), self.spread_weight)
        width = F.pad(seen[..., -1:].expand(*seen.shape[:-1], 2), (0, 1))
        return width + learned + self.spread_bias


Network = PoseNet | PublishedNet  # what a detector holds


def _as_logits(heat: Tensor, reading: str) -> Tensor:
    """(n, n_keypoints, rows, columns) logits beside an "absent" of 0, from heatmaps of that meaning."""
    if reading in ("softmax", "probabilities"):
        logs = heat if reading == "softmax" else heat.clamp_min(1e-12).log()
        return F.log_softmax(logs.flatten(2), -1).view_as(heat) + CERTAIN
    odds = torch.logit(heat.clamp(1e-4, 1 - 1e-4)) if reading == "values" else heat
    shape = F.log_softmax(SHARPNESS * odds.flatten(2), -1).view_as(heat)
    return shape + odds.amax((2, 3), keepdim=True).clamp(-CERTAIN, CERTAIN)


def _gathered(votes: Tensor, per_cell: int, split: float) -> tuple[Tensor, Tensor]:
    """Of votes (n, n_keypoints, m): each cell's log-probability, and the mean place of its votes from the cell's middle
    (network pixels), both (n, n_keypoints, n_cells)."""
    logs = F.log_softmax(votes, -1)
    logs = F.pad(logs, (0, -logs.shape[-1] % per_cell), value=-60.0).unflatten(-1, (-1, per_cell))
    # vote i is at pixel i / split; the middle of a cell of s pixels at (s - 1) / 2 from its first
    places = torch.arange(per_cell, device=votes.device) / split - (per_cell / split - 1) / 2
    return torch.logsumexp(logs, -1), (F.softmax(logs, -1) * places).sum(-1)


def build_published(spec: dict[str, Any], weights: dict[str, Tensor] | None = None) -> PublishedNet:
    """A network from plain values: "n_keypoints", fields of `MapMeaning` and `InputForm`, "trunk" and "head" or "onnx".

    weights : of the network by name, from which the graph of an "onnx" is taken
    """
    if "onnx" in spec:
        raw: nn.Module = OnnxGraph((weights or {})["raw.graph"], **spec["onnx"])
    else:
        raw = TrunkAndHead(spec["trunk"], spec["head"])
    network = PublishedNet(raw, spec["n_keypoints"], _chosen(MapMeaning, spec), _chosen(InputForm, spec))
    network.spec = spec
    return network


def _chosen(kind: type, spec: dict[str, Any]) -> Any:
    """A dataclass made of those plain values that are its fields."""
    return kind(**{own.name: spec[own.name] for own in fields(kind) if own.name in spec})


class TrunkAndHead(nn.Module):
    """A trunk and a head by their kinds and options, as plain values."""

    def __init__(self, trunk: dict[str, Any], head: dict[str, Any]):
        super().__init__()
        self.backbone = _TRUNKS[trunk["kind"]](**{k: v for k, v in trunk.items() if k != "kind"})
        self.head = _HEADS[head["kind"]](**{k: v for k, v in head.items() if k != "kind"})

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.backbone(images))
