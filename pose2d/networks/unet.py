"""U-Net (Ronneberger 2015), its decoder ending at stride 4 where the heatmaps are."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .blocks import ConvNorm, initialise


def double(n_in: int, n_out: int) -> nn.Sequential:
    return nn.Sequential(ConvNorm(n_in, n_out), ConvNorm(n_out, n_out))


class UNet(nn.Module):
    """Images in, features (n, 64, height / 4, width / 4) out; five levels of 16 to 256 channels."""

    stride, width = 4, 64
    widths = (16, 32, 64, 128, 256, 256)

    def __init__(self):
        super().__init__()
        sizes = self.widths
        self.down = nn.ModuleList(double(n_in, n_out) for n_in, n_out in zip((3, *sizes), sizes, strict=False))
        coarse = list(zip(sizes[:2:-1], sizes[-2:1:-1], strict=False))
        self.up = nn.ModuleList(double(deep + skip, skip) for deep, skip in coarse)
        initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        skips, x = [], images
        for i, level in enumerate(self.down):
            x = level(F.max_pool2d(x, 2) if i else x)
            skips.append(x)
        for level, skip in zip(self.up, skips[-2:1:-1], strict=True):
            x = level(torch.cat([F.interpolate(x, size=skip.shape[-2:], mode="nearest"), skip], 1))
        return x
