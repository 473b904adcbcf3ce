"""Building blocks that several networks share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ConvNorm(nn.Module):
    """Convolution, batch normalisation, activation; the first two become one convolution by `fold`."""

    def __init__(
        self,
        n_in: int,
        n_out: int,
        size: int = 3,
        stride: int = 1,
        groups: int = 1,
        activation: nn.Module | None = None,
        eps: float = 1e-5,
        dilation: int = 1,
        same: bool = False,
    ):
        super().__init__()
        padding = 0 if same else dilation * (size // 2)
        self.pad: nn.Module = SamePad(size) if same else nn.Identity()
        self.conv = nn.Conv2d(n_in, n_out, size, stride, padding, dilation, groups, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(n_out, eps=eps)
        self.activation = activation if activation is not None else nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pad(x)
        if isinstance(self.norm, nn.BatchNorm2d) and not self.norm.training:
            # a normalisation at fixed statistics is a scale and a shift: merged into the weights, it costs no pass
            scale = self.norm.weight * torch.rsqrt(self.norm.running_var + self.norm.eps)  # type: ignore[operator]
            shift = self.norm.bias - self.norm.running_mean * scale  # type: ignore[operator]
            return self.activation(self.conv._conv_forward(x, self.conv.weight * scale[:, None, None, None], shift))
        return self.activation(self.norm(self.conv(x)))

    def fold(self) -> None:
        """Merge the (evaluation) batch normalisation into the convolution, in place."""
        if isinstance(self.norm, nn.BatchNorm2d):
            self.conv = nn.utils.fusion.fuse_conv_bn_eval(self.conv.eval(), self.norm.eval())
            self.norm = nn.Identity()


class SamePad(nn.Module):
    """TensorFlow's SAME padding before a convolution of stride 2: the odd pixel is added right and below.

    Weights that were trained with equal padding on all sides set the buffer `equal` (it is stored with the weights).
    """

    equal: Tensor

    def __init__(self, size: int):
        super().__init__()
        self.size = size
        self.register_buffer("equal", torch.tensor(False))

    def forward(self, x: Tensor) -> Tensor:
        if bool(self.equal):
            return F.pad(x, (self.size // 2,) * 4)
        left, top = ((self.size - 2 + side % 2) // 2 for side in (x.shape[3], x.shape[2]))
        right, bottom = self.size - 2 + x.shape[3] % 2 - left, self.size - 2 + x.shape[2] % 2 - top
        return F.pad(x, (left, right, top, bottom))


class Pyramid(nn.Module):
    """Feature pyramid: coarse features are enlarged and added to finer ones, down to the finest (Lin 2017)."""

    def __init__(self, channels: tuple[int, ...], width: int):
        super().__init__()
        self.lateral = nn.ModuleList(nn.Conv2d(n, width, 1) for n in channels)
        self.smooth = ConvNorm(width, width, 3)

    def forward(self, features: list[Tensor]) -> Tensor:
        x = self.lateral[-1](features[-1])
        for lateral, finer in zip(list(self.lateral)[-2::-1], features[-2::-1], strict=True):
            x = lateral(finer).add_(F.interpolate(x, size=finer.shape[-2:], mode="nearest"))
        return self.smooth(x)


class PyramidFeatures(nn.Module):
    """A backbone with a feature pyramid: images in, features (n, 64, height / 4, width / 4) out."""

    stride, width = 4, 64

    def __init__(self, backbone: nn.Module):
        super().__init__()
        self.backbone = backbone
        self.pyramid = Pyramid(backbone.channels, self.width)  # type: ignore[arg-type]
        initialise(self)

    def begin(self, images: Tensor) -> Tensor:
        """What is computed in float32 whatever the precision."""
        return self.backbone.begin(images)  # type: ignore[operator]

    def finish(self, x: Tensor) -> Tensor:
        """What may be computed in bfloat16."""
        return self.pyramid(self.backbone.finish(x))  # type: ignore[operator]

    def forward(self, images: Tensor) -> Tensor:
        return self.finish(self.begin(images))


def stage(block: Callable[..., nn.Module], n_in: int, n_out: int, repeats: int, stride: int, *options: int) -> list:
    """Blocks in a row, made by `block(n_in, n_out, stride, *options)`; only the first changes the size and channels."""
    return [block(n_out if i else n_in, n_out, 1 if i else stride, *options) for i in range(repeats)]


def tapped(modules: Iterable[nn.Module], x: Tensor, taps: Sequence[int]) -> list[Tensor]:
    """The outputs of the modules at the positions `taps`, each module applied to the output of the one before."""
    features = []
    for i, module in enumerate(modules):
        x = module(x)
        if i in taps:
            features.append(x)
    return features


def fold_norms(network: nn.Module) -> nn.Module:
    """Merge every batch normalisation into its convolution (evaluation only), in place; the output stays the same."""
    for module in network.modules():
        if isinstance(module, ConvNorm):
            module.fold()
    return network


def initialise(module: nn.Module) -> None:
    """He initialisation of the convolutions, ones and zeros of the normalisations (He 2015, eq. 10)."""
    for part in module.modules():
        if isinstance(part, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")
            if part.bias is not None:
                nn.init.zeros_(part.bias)
        elif isinstance(part, nn.BatchNorm2d):
            nn.init.ones_(part.weight)
            nn.init.zeros_(part.bias)


@torch.no_grad()
def zero_norms(parts: Iterable[ConvNorm]) -> None:
    """Let the residual blocks that end with these begin as the identity (Goyal 2017); training starts faster."""
    for part in parts:
        part.norm.weight.zero_()  # type: ignore[operator]
