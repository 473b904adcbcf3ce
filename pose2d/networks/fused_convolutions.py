"""Fuse convolution, bias and activation into one oneDNN call, for inference on a processor in float32.

Eager torch writes a layer's output to memory, then reads and writes it again for the activation, and a third time to
pad it. The operators called here are those of torch's own compiler, which itself needs a C++ compiler on the user's
machine. They are private; where this torch lacks them, the plain layers run. Without them a MobileNetV2 takes 1.16
times the processor time for a window of 256x256 and 1.18 times for a picture of 640x480
(`python benchmarks/pose2d.py fusion`); torch.jit's freezing and optimize_for_inference are slower than plain layers.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .blocks import ConvNorm, SamePad

SIZES = 8  # input shapes for which a layer keeps its weights laid out; others run a little slower
_FUSED: dict[type[nn.Module], tuple[str, list]] = {
    nn.Identity: ("none", []),
    nn.ReLU: ("relu", []),
    nn.ReLU6: ("hardtanh", [0.0, 6.0]),
    nn.SiLU: ("swish", []),
}


class FusedConv(nn.Module):
    """A folded `ConvNorm` as one operator, equal to rounding.

    TensorFlow's padding (one row and column, right and below) becomes a row and a column of zero weights, left and
    above, under equal padding: no padded copy is made. Odd sides, which are padded on both sides, take the plain way.
    """

    def __init__(self, plain: ConvNorm):
        super().__init__()
        self.plain = plain
        conv, weight = plain.conv, plain.conv.weight.detach()
        padding = list(conv.padding)
        self.needs_even = isinstance(plain.pad, SamePad) and not bool(plain.pad.equal)
        if isinstance(plain.pad, SamePad):
            weight = F.pad(weight, (1, 0, 1, 0)) if self.needs_even else weight
            padding = [1, 1]
        self.weight = weight.contiguous(memory_format=torch.channels_last)
        self.shape_of = (padding, list(conv.stride), list(conv.dilation), conv.groups)
        self.activation = (*_FUSED[type(plain.activation)], "")
        self.packed: dict[tuple, Tensor] = {}

    def forward(self, x: Tensor) -> Tensor:
        if self.needs_even and (x.shape[2] % 2 or x.shape[3] % 2):
            return self.plain(x)
        x = x.contiguous(memory_format=torch.channels_last)
        return torch.ops.mkldnn._convolution_pointwise(
            x, self._weight_for(x), self.plain.conv.bias, *self.shape_of, *self.activation
        )

    def _weight_for(self, x: Tensor) -> Tensor:
        """The weights in the memory layout that oneDNN needs for this input."""
        shape = tuple(x.shape)
        if shape not in self.packed:
            if len(self.packed) == SIZES:
                return self.weight
            self.packed[shape] = torch.ops.mkldnn._reorder_convolution_weight(self.weight, *self.shape_of, list(shape))
        return self.packed[shape]


def fuse_convolutions(module: nn.Module) -> None:
    """Replace, in place, each folded `ConvNorm` on the processor by its fused form, where this torch has the operators.

    For float32 inference only: the fused layers carry no gradient and take no part in autocasting.
    """
    if not torch.backends.mkldnn.is_available() or not hasattr(torch.ops.mkldnn, "_convolution_pointwise"):
        return
    for name, child in module.named_children():
        if isinstance(child, ConvNorm) and _can_fuse(child):
            setattr(module, name, FusedConv(child))
        else:
            fuse_convolutions(child)


def _can_fuse(layer: ConvNorm) -> bool:
    folded, padded = isinstance(layer.norm, nn.Identity), isinstance(layer.pad, SamePad)
    if not folded or (padded and layer.pad.size != 3):
        return False
    return type(layer.activation) in _FUSED and layer.conv.weight.device.type == "cpu"
