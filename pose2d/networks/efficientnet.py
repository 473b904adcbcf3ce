"""EfficientNet-B0 (Tan 2019) as a backbone, and EfficientNet-Lite0: without squeeze-and-excitation, with ReLU6."""

from __future__ import annotations

from torch import Tensor, nn

from .blocks import ConvNorm, stage, tapped

# expansion, channels, repeats, stride of the first, kernel size (Table 1 of the paper)
STAGES = (
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)
TAPS = (1, 2, 4, 6)  # stages whose outputs the pyramid takes: strides 4, 8, 16, 32


class SqueezeExcite(nn.Module):
    """Each channel weighted by a function of its mean over the image (Hu 2018)."""

    def __init__(self, n: int, n_squeezed: int):
        super().__init__()
        self.reduce, self.expand = nn.Conv2d(n, n_squeezed, 1), nn.Conv2d(n_squeezed, n, 1)
        self.activation = nn.SiLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.expand(self.activation(self.reduce(x.mean((2, 3), keepdim=True)))).sigmoid()


class MBConv(nn.Module):
    """MobileNetV2's block with squeeze-and-excitation and SiLU; the lite one without, with ReLU6."""

    def __init__(self, n_in: int, n_out: int, stride: int, expansion: int, size: int, lite: bool = False):
        super().__init__()
        hidden, kind = n_in * expansion, nn.ReLU6 if lite else nn.SiLU
        self.expand = ConvNorm(n_in, hidden, 1, activation=kind(inplace=True)) if expansion > 1 else nn.Identity()
        self.depthwise = ConvNorm(hidden, hidden, size, stride, hidden, kind(inplace=True), same=stride == 2)
        self.squeeze = nn.Identity() if lite else SqueezeExcite(hidden, max(1, n_in // 4))
        self.project = ConvNorm(hidden, n_out, 1, activation=nn.Identity())
        self.shortcut = stride == 1 and n_in == n_out

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.squeeze(self.depthwise(self.expand(x))))
        return x + y if self.shortcut else y


class EfficientNetBackbone(nn.Module):
    """Images in, features of strides 4, 8, 16 and 32 out (24, 40, 112 and 320 channels)."""

    channels = (24, 40, 112, 320)

    def __init__(self, lite: bool = False):
        super().__init__()
        activation = nn.ReLU6(inplace=True) if lite else nn.SiLU(inplace=True)
        self.stem = ConvNorm(3, 32, 3, 2, activation=activation, same=True)
        stages, n_in = [], 32
        for expansion, n_out, repeats, stride, size in STAGES:
            stages.append(nn.Sequential(*stage(MBConv, n_in, n_out, repeats, stride, expansion, size, lite)))
            n_in = n_out
        self.stages = nn.ModuleList(stages)

    def early(self) -> list[nn.Module]:
        return [self.stem, self.stages[0]]

    def begin(self, images: Tensor) -> Tensor:
        """Nothing here has to be computed in float32."""
        return images

    def finish(self, images: Tensor) -> list[Tensor]:
        """All layers."""
        return tapped(self.stages, self.stem(images), TAPS)
