"""A small residual network with a feature pyramid, for training from random weights within a minute on two cores."""

from __future__ import annotations

from torch import Tensor, nn

from .blocks import ConvNorm, Pyramid, initialise, tapped, zero_norms


class Residual(nn.Module):
    """Two 3x3 convolutions around a shortcut (He 2016)."""

    def __init__(self, width: int):
        super().__init__()
        self.first = ConvNorm(width, width)
        self.last = ConvNorm(width, width, activation=nn.Identity())
        self.activation = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(x + self.last(self.first(x)))


class Small(nn.Module):
    """Plain 3x3 convolutions, which processors run fastest; nearly all the work is done at stride 8 and coarser.

    Images (n, 3, height, width) in, features (n, `width`, height / 4, width / 4) out.
    """

    stride = 4

    def __init__(self, widths: tuple[int, ...] = (32, 64, 96, 128), n_blocks: tuple[int, ...] = (0, 1, 2, 2)):
        super().__init__()
        self.width = 48
        self.stem = nn.Sequential(ConvNorm(3, 24, 3, 2), ConvNorm(24, widths[0], 3, 2))
        stages, previous = [], widths[0]
        for i, (width, depth) in enumerate(zip(widths, n_blocks, strict=True)):
            down = [ConvNorm(previous, width, 3, 2)] if i else []
            stages.append(nn.Sequential(*down, *(Residual(width) for _ in range(depth))))
            previous = width
        self.stages = nn.ModuleList(stages)
        self.pyramid = Pyramid(widths, self.width)
        initialise(self)
        zero_norms(part.last for part in self.modules() if isinstance(part, Residual))

    def forward(self, images: Tensor) -> Tensor:
        return self.pyramid(tapped(self.stages, self.stem(images), range(len(self.stages))))
