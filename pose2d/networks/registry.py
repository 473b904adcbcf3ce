"""Every network behind one interface: images in, heatmap logits, offsets and spreads per keypoint out."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .blocks import PyramidFeatures
from .efficientnet import EfficientNetBackbone
from .mobilenet import MobileNetV2Backbone
from .resnet import ResNet
from .small_resnet import Small
from .template_matching import TemplateMatching
from .unet import UNet

N_TAGS = 4  # of a peak: two for the place of the animal's middle, two that are free
_TAG_CELLS = 10.0  # cells per unit of the head: its weights are then as large as those of the other heads


class Maps(NamedTuple):
    """Output of a network for an image, at each cell of `stride` pixels.

    logits : (n, n_keypoints, rows, columns) the softmax over all cells and one "absent" of logit 0 is the probability
    features : (n, width, rows, columns) from which offsets and spreads are read where they are needed
    early : logits of an intermediate layer, supervised alike in training; None for most networks
    """

    logits: Tensor
    features: Tensor
    early: Tensor | None = None


class PoseNet(nn.Module):
    """A feature network with a 1x1 head for the location, and two heads that are read at single cells only.

    Offsets (location refinement) and spread (Cholesky factor of the covariance) matter at the few cells around a peak;
    reading them there instead of everywhere saves a third of the training time of a small network.
    """

    # of networks that others trained, see `published_network.PublishedNet`
    input_size, whole, labels_from_corner, shift = None, False, False, 0.0

    def __init__(self, features: nn.Module, n_keypoints: int):
        super().__init__()
        self.features = features
        self.n_keypoints = n_keypoints
        width: int = features.width  # type: ignore[assignment]
        self.logits = nn.Conv2d(width, n_keypoints, 1)
        nn.init.normal_(self.logits.weight, std=0.01)
        nn.init.constant_(self.logits.bias, -8.0)  # type: ignore[arg-type]
        # some 4,000 cells together weigh about as much as "absent"
        self.offset_weight = nn.Parameter(0.01 * torch.randn(n_keypoints, 2, width))
        self.offset_bias = nn.Parameter(torch.zeros(n_keypoints, 2))
        self.spread_hidden = nn.Linear(width + 2, 32)
        self.spread_weight = nn.Parameter(0.01 * torch.randn(n_keypoints, 3, 32))
        self.spread_bias = nn.Parameter(torch.zeros(n_keypoints, 3))

    def add_tags(self) -> PoseNet:
        """Add a third head that is read at single cells: tags, which say whose keypoint a peak is (Newell 2017)."""
        self.tag_weight = nn.Parameter(0.01 * torch.randn(self.n_keypoints, N_TAGS, self.features.width))  # type: ignore[call-overload]
        self.tag_bias = nn.Parameter(torch.zeros(self.n_keypoints, N_TAGS))
        self.register_buffer("tag_variance", torch.ones(self.n_keypoints, N_TAGS))
        self.register_buffer("least_support", torch.zeros(()))
        return self

    def remove_tags(self) -> PoseNet:
        """Remove the head of `add_tags`, for a detector that reads one animal in a window."""
        del self.tag_weight, self.tag_bias, self.tag_variance
        return self

    @property
    def has_tags(self) -> bool:
        return hasattr(self, "tag_weight")

    @property
    def stride(self) -> int:
        return self.features.stride  # type: ignore[return-value]

    def forward(self, images: Tensor) -> Maps:
        x = self.features(images)
        return self.maps_of(*x) if isinstance(x, tuple) else self.maps_of(x)

    def maps_of(self, features: Tensor, early: Tensor | None = None) -> Maps:
        """The maps read from features, in float32: in bfloat16 neighbouring cells of a peak would tie."""
        with torch.autocast(features.device.type, enabled=False):
            weight, bias = self.logits.weight.flatten(1), self.logits.bias
            # a 1x1 convolution as a product of matrices: the same in either layout, without copying from one to another
            logits = weight @ features.float().flatten(2) + bias[:, None]  # type: ignore[index]
            return Maps(logits.unflatten(2, features.shape[2:]), features, early)

    def offsets_at(self, features: Tensor, cells: Tensor) -> Tensor:
        """(n, n_keypoints, m, 2) x, y from cell centres to the keypoint (cells), at flat cells (n, n_keypoints, m)."""
        return (
            torch.einsum("nkmw,kcw->nkmc", read_cells(features, cells), self.offset_weight) + self.offset_bias[:, None]
        )

    def tags_at(self, features: Tensor, cells: Tensor) -> Tensor:
        """(n, n_keypoints, m, `N_TAGS`) tags at flat cells (n, n_keypoints, m): x, y of the animal's middle (cells),
        and numbers that are alike for the keypoints of one animal."""
        columns = features.shape[-1]
        tags = torch.einsum("nkmw,ktw->nkmt", read_cells(features, cells), self.tag_weight) + self.tag_bias[:, None]
        places = torch.stack([cells % columns, cells // columns], -1)
        return torch.cat([tags[..., :2] * _TAG_CELLS + places, tags[..., 2:]], -1)

    def spread_at(self, seen: Tensor) -> Tensor:
        """(n, n_keypoints, 3) logs of the diagonal, and the lower entry, of the covariance's Cholesky factor in cells.

        seen : (n, n_keypoints, width + 2), see `peak_inputs`
        """
        return torch.einsum("nkh,kch->nkc", self.spread_hidden(seen).relu(), self.spread_weight) + self.spread_bias


def peak_inputs(features: Tensor, cells: Tensor, mass: Tensor, width: Tensor) -> Tensor:
    """(n, n_keypoints, width + 2) what the spread is read from: the features at each peak, and how sharp it is.

    cells : (n, n_keypoints) flat positions of the peaks
    mass, width : (n, n_keypoints) probability around them and its standard deviation (cells), see `decoding.Peaks`
    """
    mass = mass.clamp(1e-4, 1 - 1e-4)
    sharpness = torch.stack([torch.log(mass / (1 - mass)) / 4, torch.log(width.clamp_min(1e-2))], -1)
    return torch.cat([read_cells(features, cells[..., None])[:, :, 0], sharpness], -1)


def read_cells(features: Tensor, cells: Tensor) -> Tensor:
    """(n, n_keypoints, m, width) float32 features at flat cell positions (n, n_keypoints, m)."""
    n, width = features.shape[:2]
    index = cells.flatten(1)[:, None].expand(-1, width, -1)
    return features.flatten(2).gather(2, index).float().view(n, width, *cells.shape[1:]).permute(0, 2, 3, 1)


_NETWORKS: dict[str, Callable[[int], nn.Module]] = {
    "mobilenet_v2": lambda n: PyramidFeatures(MobileNetV2Backbone()),
    "small": lambda n: Small(),
    "resnet50": lambda n: ResNet(50, n),
    "resnet101": lambda n: ResNet(101, n),
    "resnet50_intermediate": lambda n: ResNet(50, n, intermediate=True),
    "resnet101_intermediate": lambda n: ResNet(101, n, intermediate=True),
    "unet": lambda n: UNet(),
    "efficientnet_b0": lambda n: PyramidFeatures(EfficientNetBackbone()),
    "efficientnet_lite0": lambda n: PyramidFeatures(EfficientNetBackbone(lite=True)),
    "template": lambda n: TemplateMatching(),
}
NETWORKS = tuple(_NETWORKS)


def build_network(name: str, n_keypoints: int, seed: int = 0, tags: bool = False) -> PoseNet:
    """A network with random weights that depend on `seed` only; tags: with a head that says whose a keypoint is.

    Raises
    ------
    ValueError : the name is not known
    """
    if name not in _NETWORKS:
        raise ValueError(f"there is no network {name!r}; known: {', '.join(NETWORKS)}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = PoseNet(_NETWORKS[name](n_keypoints), n_keypoints)
        return network.add_tags() if tags else network
