"""ResNet (He 2016) and HRNet (Sun 2019) with the layer names of torchvision and timm, for weights that others trained.

A `ConvNorm` named `conv1` holds the weights that their files call `conv1` and `bn1`; any other, those that they call
`0` and `1` behind its own name (`file_keys`).
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from ..networks.blocks import ConvNorm

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}  # He 2016, table 1


def file_keys(name: str) -> tuple[str, str]:
    """What torchvision and timm call the convolution and the normalisation of the `ConvNorm` of this name."""
    parent, _, last = name.rpartition(".")
    if last.startswith("conv"):
        return name, f"{parent}.bn{last[4:]}" if parent else f"bn{last[4:]}"
    return f"{name}.0", f"{name}.1"


class Block(nn.Module):
    """Two 3x3 convolutions, or 1x1, 3x3 and 1x1 to four times the channels, around a shortcut.

    n_out : channels of the output
    dilations : of the 3x3 convolutions; a bottleneck has one
    """

    def __init__(self, n_in: int, n_out: int, stride: int = 1, dilation: int = 1, bottleneck: bool = False):
        super().__init__()
        plain = nn.Identity()
        if bottleneck:
            width = n_out // 4
            self.conv1 = ConvNorm(n_in, width, 1)
            self.conv2 = ConvNorm(width, width, 3, stride, dilation=dilation)
            self.conv3 = ConvNorm(width, n_out, 1, activation=plain)
        else:
            self.conv1 = ConvNorm(n_in, n_out, 3, stride, dilation=dilation)
            self.conv2 = ConvNorm(n_out, n_out, 3, activation=plain)
            self.conv3 = plain
        same = stride == 1 and n_in == n_out
        self.downsample = plain if same else ConvNorm(n_in, n_out, 1, stride, activation=plain)

    def forward(self, x: Tensor) -> Tensor:
        return (self.conv3(self.conv2(self.conv1(x))) + self.downsample(x)).relu()


class ResNetTrunk(nn.Module):
    """Images in, the last stage's features out.

    Parameters
    ----------
    depth : of `BLOCKS`
    stride : of the output; below 32 the later stages are dilated instead of strided, the first block of each as the
        stage before (Chen 2017)
    group_norm : normalise by 32 groups of channels instead of over the batch
    width : channels of the stem (fewer in tests)
    """

    def __init__(self, depth: int = 50, stride: int = 32, group_norm: bool = False, width: int = 64):
        super().__init__()
        bottleneck = depth >= 50
        self.stride, self.channels = stride, width * 8 * (4 if bottleneck else 1)
        self.conv1, self.pool = ConvNorm(3, width, 7, 2), nn.MaxPool2d(3, 2, 1)
        n_in, reached, dilation = width, 4, 1
        for i, n_blocks in enumerate(BLOCKS[depth]):
            n_out, step, before = width * 2**i * (4 if bottleneck else 1), 2 if i else 1, dilation
            if reached * step > stride:
                dilation, step = dilation * step, 1
            reached *= step
            blocks = [
                Block(n_out if j else n_in, n_out, 1 if j else step, dilation if j else before, bottleneck)
                for j in range(n_blocks)
            ]
            self.add_module(f"layer{i + 1}", nn.Sequential(*blocks))
            n_in = n_out
        if group_norm:
            for part in self.modules():
                if isinstance(part, ConvNorm):
                    part.norm = nn.GroupNorm(32, part.conv.out_channels)

    file_keys = staticmethod(file_keys)

    def early(self) -> list[nn.Module]:
        return [self.conv1, self.get_submodule("layer1")]

    def forward(self, images: Tensor) -> Tensor:
        x = self.pool(self.conv1(images))
        for i in range(4):
            x = self.get_submodule(f"layer{i + 1}")(x)
        return x


class Exchange(nn.Module):
    """Four blocks in each branch of its own resolution, then every branch added to every other (Sun 2019, fig. 3)."""

    def __init__(self, channels: list[int], first_only: bool):
        super().__init__()
        self.branches = nn.ModuleList(nn.Sequential(*(Block(n, n) for _ in range(4))) for n in channels)
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(self._between(channels, j, i) for j in range(len(channels))) for i in range(len(channels))
        )
        self.n_out = 1 if first_only else len(channels)

    @staticmethod
    def _between(channels: list[int], source: int, target: int) -> nn.Module:
        """What brings one branch to the size and the channels of another."""
        n_in, n_out, plain = channels[source], channels[target], nn.Identity()
        if source >= target:
            return plain if source == target else ConvNorm(n_in, n_out, 1, activation=plain)
        steps = [ConvNorm(n_in, n_in, 3, 2) for _ in range(target - source - 1)]
        return nn.Sequential(*steps, ConvNorm(n_in, n_out, 3, 2, activation=plain))

    def forward(self, x: list[Tensor]) -> list[Tensor]:
        x = [branch(value) for branch, value in zip(self.branches, x, strict=True)]
        fused = []
        for i, layers in enumerate(list(self.fuse_layers)[: self.n_out]):
            total = x[i]
            for j, layer in enumerate(layers):  # type: ignore[arg-type]
                if j != i:
                    other = layer(x[j])
                    total = total + (F.interpolate(other, scale_factor=2 ** (j - i)) if j > i else other)
            fused.append(total.relu())
        return fused


class HRNetTrunk(nn.Module):
    """Images (sides multiples of 32) in, the features of stride 4 out.

    width : channels of the finest branch (18, 32 or 48); each coarser one has twice as many
    stem : channels of the first layers (fewer in tests)
    """

    stride = 4
    file_keys = staticmethod(file_keys)

    def __init__(self, width: int, stem: int = 64):
        super().__init__()
        self.channels = width
        self.conv1, self.conv2 = ConvNorm(3, stem, 3, 2), ConvNorm(stem, stem, 3, 2)
        self.layer1 = nn.Sequential(*(Block(4 * stem if i else stem, 4 * stem, bottleneck=True) for i in range(4)))
        last = [4 * stem]
        for stage, n_exchanges in ((2, 1), (3, 4), (4, 3)):
            channels = [width * 2**i for i in range(stage)]
            bridges: list[nn.Module] = [
                nn.Identity() if n == last[i] else ConvNorm(last[i], n, 3) for i, n in enumerate(channels[:-1])
            ]
            bridges.append(nn.Sequential(ConvNorm(last[-1], channels[-1], 3, 2)))
            self.add_module(f"transition{stage - 1}", nn.ModuleList(bridges))
            parts = [Exchange(channels, stage == 4 and i == n_exchanges - 1) for i in range(n_exchanges)]
            self.add_module(f"stage{stage}", nn.Sequential(*parts))
            last = channels

    def early(self) -> list[nn.Module]:
        return [self.conv1, self.conv2, self.layer1]

    def forward(self, images: Tensor) -> Tensor:
        x = [self.layer1(self.conv2(self.conv1(images)))]
        for stage in (2, 3, 4):
            bridges = list(self.get_submodule(f"transition{stage - 1}").children())
            x = self.get_submodule(f"stage{stage}")([b(x[min(i, len(x) - 1)]) for i, b in enumerate(bridges)])
        return x[0]
