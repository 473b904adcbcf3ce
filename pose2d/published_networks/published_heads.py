"""The heads of DeepLabCut 3, RTMPose and Lightning Pose: features in, one tensor of raw maps out.

Raw maps are (n, channels, rows, columns): a heatmap per keypoint and, where the head refines the location, x and y of
each behind them; of a SimCC head (n, n_keypoints, 1, width + height) the votes along x, then along y.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn


class DeconvStack(nn.Module):
    """Transposed convolutions with ReLU between them, then a convolution where `final_conv` says so (DeepLabCut 3)."""

    def __init__(
        self,
        channels: Sequence[int],
        kernel_size: Sequence[int] = (),
        strides: Sequence[int] = (),
        final_conv: dict[str, Any] | None = None,
    ):
        super().__init__()
        layers: list[nn.Module] = []
        for n_in, n_out, size, step in zip(channels[:-1], channels[1:], kernel_size, strides, strict=True):
            layers += [nn.ConvTranspose2d(n_in, n_out, size, step), nn.ReLU()]
        self.deconv_layers = nn.Sequential(*layers[:-1])
        self.final_conv: nn.Module = nn.Identity()
        if final_conv:
            self.final_conv = nn.Conv2d(channels[-1], final_conv["out_channels"], final_conv["kernel_size"])

    def forward(self, x: Tensor) -> Tensor:
        return self.final_conv(self.deconv_layers(x))


class HeatmapHead(nn.Module):
    """Heatmaps, and offsets where `locref` is given (DeepLabCut 3)."""

    def __init__(self, heatmap: dict[str, Any], locref: dict[str, Any] | None = None):
        super().__init__()
        self.heatmap_head = DeconvStack(**heatmap)
        self.locref_head = DeconvStack(**locref) if locref else None

    def forward(self, x: Tensor) -> Tensor:
        heat = self.heatmap_head(x)
        return heat if self.locref_head is None else torch.cat([heat, self.locref_head(x)], 1)


class ShuffleHead(nn.Module):
    """A pixel shuffle, then transposed convolutions of twice the size each, to one heatmap per keypoint (Lightning
    Pose)."""

    def __init__(self, channels: Sequence[int]):
        super().__init__()
        layers: list[nn.Module] = [nn.PixelShuffle(2)]
        for n_in, n_out in pairwise(channels):
            layers.append(nn.ConvTranspose2d(n_in, n_out, 3, 2, 1, 1))
        self.upsampling_layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.upsampling_layers(x)


class ScaleNorm(nn.Module):
    """A vector divided by its root mean square, times one learned number (Nguyen 2019)."""

    def __init__(self):
        super().__init__()
        self.g = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        return x / (x.norm(dim=-1, keepdim=True) * x.shape[-1] ** -0.5).clamp_min(1e-5) * self.g


class GatedAttention(nn.Module):
    """Each keypoint's vector gated by what it attends to among all keypoints (Hua 2022), beside a scaled shortcut."""

    def __init__(self, width: int, hidden: int, size: int):
        super().__init__()
        self.ln = ScaleNorm()
        self.uv = nn.Linear(width, 2 * hidden + size, bias=False)
        self.o = nn.Linear(hidden, width, bias=False)
        self.gamma, self.beta = nn.Parameter(torch.ones(2, size)), nn.Parameter(torch.zeros(2, size))
        self.res_scale = nn.ParameterDict({"scale": nn.Parameter(torch.ones(width))})

    def forward(self, x: Tensor) -> Tensor:
        hidden, size = self.o.in_features, self.gamma.shape[1]
        gate, value, base = nn.functional.silu(self.uv(self.ln(x))).split([hidden, hidden, size], -1)
        query, key = base * self.gamma[0] + self.beta[0], base * self.gamma[1] + self.beta[1]
        kernel = (query @ key.transpose(1, 2) / size**0.5).relu().square()
        return x * self.res_scale["scale"] + self.o(gate * (kernel @ value))


class SimCCHead(nn.Module):
    """Votes for each keypoint's column and row, `split` to a pixel (Li 2022), as RTMPose's RTMCC head (Jiang 2023).

    input_size : (width, height) of the pictures
    """

    def __init__(
        self,
        n_in: int,
        n_keypoints: int,
        input_size: Sequence[int],
        split: float = 2.0,
        kernel: int = 7,
        width: int = 256,
        size: int = 128,
        expansion: float = 2,
    ):
        super().__init__()
        n_cells = (input_size[0] // 32) * (input_size[1] // 32)
        self.final_layer = nn.Conv2d(n_in, n_keypoints, kernel, padding=kernel // 2)
        self.mlp = nn.Sequential(ScaleNorm(), nn.Linear(n_cells, width, bias=False))
        self.gau = GatedAttention(width, int(width * expansion), size)
        self.cls_x = nn.Linear(width, int(input_size[0] * split), bias=False)
        self.cls_y = nn.Linear(width, int(input_size[1] * split), bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.gau(self.mlp(self.final_layer(x).flatten(2)))
        return torch.cat([self.cls_x(x), self.cls_y(x)], -1)[:, :, None]
