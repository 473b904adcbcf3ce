"""ResNet-50 and ResNet-101 (He 2016) as DeepLabCut uses them: dilated to stride 16, a deconvolution to stride 8.

Location refinement is the offset head that every network has; intermediate supervision (DeeperCut, Insafutdinov 2016)
predicts the locations once more from the third stage.
"""

from __future__ import annotations

from torch import Tensor, nn

from .blocks import ConvNorm, initialise, stage, zero_norms

DEPTHS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}  # blocks of the four stages (He 2016, table 1)


class Bottleneck(nn.Module):
    """1x1 to fewer channels, 3x3, 1x1 to four times as many, around a shortcut."""

    def __init__(self, n_in: int, n_out: int, stride: int, dilation: int):
        super().__init__()
        width = n_out // 4
        self.first = ConvNorm(n_in, width, 1)
        self.middle = ConvNorm(width, width, 3, stride, dilation=dilation)
        self.last = ConvNorm(width, n_out, 1, activation=nn.Identity())
        same = stride == 1 and n_in == n_out
        self.shortcut = nn.Identity() if same else ConvNorm(n_in, n_out, 1, stride, activation=nn.Identity())
        self.activation = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.last(self.middle(self.first(x))) + self.shortcut(x))


class ResNetBackbone(nn.Module):
    """Images in, the outputs of the third and the fourth stage out (1024 and 2048 channels, both of stride 16)."""

    def __init__(self, depth: int):
        super().__init__()
        self.stem = ConvNorm(3, 64, 7, 2)
        self.pool = nn.MaxPool2d(3, 2, 1)
        stages, n_in = [], 64
        for i, n_blocks in enumerate(DEPTHS[depth]):
            n_out = 256 * 2**i
            stride, dilation = (1, 1) if i == 0 else (2, 1) if i < 3 else (1, 2)
            stages.append(nn.Sequential(*stage(Bottleneck, n_in, n_out, n_blocks, stride, dilation)))
            n_in = n_out
        self.stages = nn.ModuleList(stages)

    def early(self) -> list[nn.Module]:
        return [self.stem, self.stages[0]]

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        x = self.pool(self.stem(images))
        for part in list(self.stages)[:3]:
            x = part(x)
        return x, self.stages[3](x)


class ResNet(nn.Module):
    """Images in, features (n, 256, height / 8, width / 8) out, and the intermediate logits where supervised."""

    stride, width = 8, 256

    def __init__(self, depth: int, n_keypoints: int, intermediate: bool = False):
        super().__init__()
        self.backbone = ResNetBackbone(depth)
        self.up = Deconvolution(2048, self.width)
        self.early = None
        if intermediate:
            self.early = nn.Sequential(Deconvolution(1024, 128), nn.Conv2d(128, n_keypoints, 1))
        initialise(self)
        zero_norms(part.last for part in self.modules() if isinstance(part, Bottleneck))
        if self.early is not None:
            nn.init.constant_(self.early[1].bias, -8.0)  # type: ignore[arg-type]

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        third, fourth = self.backbone(images)
        features = self.up(fourth)
        if self.early is None or not self.training:
            return features
        return features, self.early(third)


class Deconvolution(nn.Module):
    """Twice the size by a transposed convolution, normalised."""

    def __init__(self, n_in: int, n_out: int):
        super().__init__()
        self.up = nn.ConvTranspose2d(n_in, n_out, 4, 2, 1, bias=False)
        self.norm = nn.BatchNorm2d(n_out)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.up(x)).relu()
