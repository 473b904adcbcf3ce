"""CSPNeXt, the trunk of RTMPose (Lyu 2022, Jiang 2023), with the layer names of mmpose and DeepLabCut 3."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..networks.blocks import ConvNorm

# channels and blocks of the four stages, both before they are scaled ("P5")
STAGES = ((128, 3), (256, 6), (512, 6), (1024, 3))


def conv(n_in: int, n_out: int, size: int = 1, stride: int = 1, groups: int = 1) -> ConvNorm:
    """Convolution, normalisation and SiLU."""
    return ConvNorm(n_in, n_out, size, stride, groups, nn.SiLU(inplace=True))


class CSPBlock(nn.Module):
    """3x3 convolution, then a 5x5 one of each channel alone and a 1x1 one, around a shortcut."""

    def __init__(self, n: int, shortcut: bool):
        super().__init__()
        self.conv1 = conv(n, n, 3)
        self.conv2 = nn.ModuleDict({"depthwise_conv": conv(n, n, 5, groups=n), "pointwise_conv": conv(n, n)})
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv2["pointwise_conv"](self.conv2["depthwise_conv"](self.conv1(x)))
        return x + y if self.shortcut else y


class Attention(nn.Module):
    """Each channel weighted by a function of the means of all channels."""

    def __init__(self, n: int):
        super().__init__()
        self.fc = nn.Conv2d(n, n, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * F.hardsigmoid(self.fc(x.mean((2, 3), keepdim=True)))


class CSPLayer(nn.Module):
    """Blocks on one half of the channels, the other half passed by (Wang 2020)."""

    def __init__(self, n: int, n_blocks: int, shortcut: bool, expansion: float, attention: bool):
        super().__init__()
        half = int(n * expansion)
        self.main_conv, self.short_conv, self.final_conv = conv(n, half), conv(n, half), conv(2 * half, n)
        self.blocks = nn.Sequential(*(CSPBlock(half, shortcut) for _ in range(n_blocks)))
        self.attention = Attention(2 * half) if attention else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        both = torch.cat([self.blocks(self.main_conv(x)), self.short_conv(x)], 1)
        return self.final_conv(self.attention(both))


class PooledPyramid(nn.Module):
    """Features beside their maxima over 5, 9 and 13 cells (He 2015)."""

    def __init__(self, n: int):
        super().__init__()
        self.conv1, self.conv2 = conv(n, n // 2), conv(4 * (n // 2), n)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x)
        return self.conv2(torch.cat([x, *(F.max_pool2d(x, size, 1, size // 2) for size in (5, 9, 13))], 1))


class CSPNeXtTrunk(nn.Module):
    """Images in, features of stride 32 out.

    deepen, widen : factors of the blocks and of the channels of `STAGES` (RTMPose-s: 0.33, 0.5; -m: 0.67, 0.75)
    expansion : share of a stage's channels that its blocks see
    attention : weigh the channels in every stage
    """

    stride = 32

    def __init__(self, deepen: float = 0.67, widen: float = 0.75, expansion: float = 0.5, attention: bool = True):
        super().__init__()
        half, n_in = int(64 * widen // 2), int(64 * widen)
        self.stem = nn.Sequential(conv(3, half, 3, 2), conv(half, half, 3), conv(half, n_in, 3))
        for i, (channels, n_blocks) in enumerate(STAGES):
            n, last = int(channels * widen), i == len(STAGES) - 1
            parts: list[nn.Module] = [conv(n_in, n, 3, 2)]
            parts += [PooledPyramid(n)] if last else []
            parts.append(CSPLayer(n, max(round(n_blocks * deepen), 1), not last, expansion, attention))
            self.add_module(f"stage{i + 1}", nn.Sequential(*parts))
            n_in = n
        self.channels = n_in

    def early(self) -> list[nn.Module]:
        return [self.stem, self.get_submodule("stage1")]

    def forward(self, images: Tensor) -> Tensor:
        x = self.stem(images)
        for i in range(len(STAGES)):
            x = self.get_submodule(f"stage{i + 1}")(x)
        return x
