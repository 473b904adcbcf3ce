"""MobileNetV2 (Sandler 2018): the backbone of the default network on a processor."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .blocks import ConvNorm, stage, tapped

# expansion, channels, repeats, stride of the first (Table 2 of the paper)
BLOCKS = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
TAPS = (1, 4, 11, 15)  # blocks after the first whose outputs the pyramid takes: strides 4, 8, 16, 32


class InvertedResidual(nn.Module):
    """Expand by 1x1, filter each channel by 3x3, project by 1x1 without activation; a shortcut where shapes allow."""

    def __init__(self, n_in: int, n_out: int, stride: int, expansion: int):
        super().__init__()
        hidden = n_in * expansion
        self.expand = (
            ConvNorm(n_in, hidden, 1, activation=nn.ReLU6(inplace=True), eps=1e-3) if expansion > 1 else nn.Identity()
        )
        self.depthwise = strided(hidden, hidden, stride, groups=hidden)
        self.project = ConvNorm(hidden, n_out, 1, activation=nn.Identity(), eps=1e-3)
        self.shortcut = stride == 1 and n_in == n_out

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.depthwise(self.expand(x)))
        return y.add_(x) if self.shortcut else y


def strided(n_in: int, n_out: int, stride: int, groups: int = 1) -> ConvNorm:
    """A 3x3 convolution with TensorFlow's padding, as the published weights were trained."""
    return ConvNorm(n_in, n_out, 3, stride, groups, nn.ReLU6(inplace=True), eps=1e-3, same=stride == 2)


class MobileNetV2Backbone(nn.Module):
    """Images in, the four features of strides 4, 8, 16 and 32 out (24, 32, 96 and 320 channels)."""

    channels = (24, 32, 96, 320)

    def __init__(self):
        super().__init__()
        self.stem = strided(3, 32, 2)
        blocks, n_in = [], 32
        for expansion, n_out, repeats, stride in BLOCKS:
            blocks += stage(InvertedResidual, n_in, n_out, repeats, stride, expansion)
            n_in = n_out
        self.blocks = nn.ModuleList(blocks)

    def early(self) -> list[nn.Module]:
        """What sees the picture at strides 2 and 4 first: edges and blobs, the same for any animal."""
        return [self.stem, *self.blocks[:2]]

    def begin(self, images: Tensor) -> Tensor:
        """The stem and the first block, always in float32.

        The 256 levels of a picture and the edges between them do not fit bfloat16: rounded here, points move five times
        as far as by rounding everything that follows.
        """
        with torch.autocast(images.device.type, enabled=False):
            return self.blocks[0](self.stem(images))

    def finish(self, x: Tensor) -> list[Tensor]:
        """The other blocks."""
        return tapped(list(self.blocks)[1:], x, TAPS)
