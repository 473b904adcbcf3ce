"""ResNet, HRNet, CSPNeXt and RTMPose's head written out as functions of a state dict in the names of its program."""

import torch
from torch.nn import functional as F


def made_up(shapes, seed=0):
    """Random weights of these names and shapes that keep the signal's size."""
    random, state = torch.Generator().manual_seed(seed), {}
    for name, shape in shapes.items():
        values = torch.randn(shape, generator=random)
        if name.endswith("running_var"):
            values = 0.5 + torch.rand(shape, generator=random)
        elif len(shape) > 1:
            values = values / torch.tensor(shape[1:]).prod() ** 0.5
        else:
            values = 0.2 * values + (1.0 if name.endswith(("weight", "scale", ".g")) else 0.0)
        state[name] = values
    return state


def conv(state, x, name, norm=None, stride=1, dilation=1, groups=1, activation=F.relu):
    weight = state[f"{name}.weight"]
    x = F.conv2d(x, weight, None, stride, dilation * (weight.shape[-1] // 2), dilation, groups)
    if norm is not None:
        of = [state[f"{norm}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
        x = F.batch_norm(x, *of)
    return activation(x) if activation else x


def _block(state, x, name, stride=1, dilation=1, first_dilation=None):
    short, y = x, x
    last = 3 if f"{name}.conv3.weight" in state else 2
    for i in range(1, last + 1):
        strided = i == (2 if last == 3 else 1)
        how = {"stride": stride if strided else 1, "activation": None if i == last else F.relu}
        if state[f"{name}.conv{i}.weight"].shape[-1] == 3 and strided:
            how["dilation"] = first_dilation or dilation
        y = conv(state, y, f"{name}.conv{i}", f"{name}.bn{i}", **how)
    if f"{name}.downsample.0.weight" in state:
        short = conv(state, x, f"{name}.downsample.0", f"{name}.downsample.1", stride, activation=None)
    return F.relu(y + short)


def resnet(state, x, stride):
    """torchvision's and timm's ResNet up to its pooling; dilated from the given stride on."""
    x = F.max_pool2d(conv(state, x, "conv1", "bn1", 2), 3, 2, 1)
    dilation, reached = 1, 4
    for stage in range(1, 5):
        step, first = (1 if stage == 1 else 2), dilation
        if reached == stride and stage > 1:
            step, dilation = 1, 2 * dilation
        reached *= step
        i = 0
        while f"layer{stage}.{i}.conv1.weight" in state:
            x = _block(state, x, f"layer{stage}.{i}", 1 if i else step, dilation, None if i else first)
            i += 1
    return x


def hrnet(state, x):
    """timm's HRNet: the finest branch after its last stage."""
    x = conv(state, conv(state, x, "conv1", "bn1", 2), "conv2", "bn2", 2)
    for i in range(4):
        x = _block(state, x, f"layer1.{i}")
    branches = [x]
    for stage, n_modules in ((2, 1), (3, 4), (4, 3)):
        t, new = f"transition{stage - 1}", []
        for i in range(stage):
            source = branches[min(i, len(branches) - 1)]
            if i == stage - 1:
                source = conv(state, source, f"{t}.{i}.0.0", f"{t}.{i}.0.1", 2)
            elif f"{t}.{i}.0.weight" in state:
                source = conv(state, source, f"{t}.{i}.0", f"{t}.{i}.1")
            new.append(source)
        branches = new
        for module in range(n_modules):
            name = f"stage{stage}.{module}"
            for i in range(stage):
                for b in range(4):
                    branches[i] = _block(state, branches[i], f"{name}.branches.{i}.{b}")
            branches = [sum(_bridge(state, branches[j], f"{name}.fuse_layers.{i}.{j}", j - i) for j in range(stage))
                        for i in range(stage)]  # fmt: skip
            branches = [F.relu(branch) for branch in branches]
    return branches[0]


def _bridge(state, x, name, finer):
    if finer > 0:
        x = conv(state, x, f"{name}.0", f"{name}.1", activation=None)
        return x.repeat_interleave(2**finer, 2).repeat_interleave(2**finer, 3)
    for k in range(-finer):
        x = conv(state, x, f"{name}.{k}.0", f"{name}.{k}.1", 2, activation=None if k == -finer - 1 else F.relu)
    return x


def cspnext(state, x):
    """DeepLabCut's and mmpose's CSPNeXt, with channel attention."""

    def one(x, name, stride=1, groups=1):
        return conv(state, x, f"{name}.conv", f"{name}.norm", stride, groups=groups, activation=F.silu)

    for i in range(3):
        x = one(x, f"stem.{i}", 1 if i else 2)
    for stage in range(1, 5):
        x = one(x, f"stage{stage}.0", 2)
        layer = f"stage{stage}.1"
        if stage == 4:
            x = one(x, "stage4.1.conv1")
            x = one(torch.cat([x, *(F.max_pool2d(x, k, 1, k // 2) for k in (5, 9, 13))], 1), "stage4.1.conv2")
            layer = "stage4.2"
        main, short, i = one(x, f"{layer}.main_conv"), one(x, f"{layer}.short_conv"), 0
        while f"{layer}.blocks.{i}.conv1.conv.weight" in state:
            y = one(main, f"{layer}.blocks.{i}.conv1")
            y = one(y, f"{layer}.blocks.{i}.conv2.depthwise_conv", groups=y.shape[1])
            y = one(y, f"{layer}.blocks.{i}.conv2.pointwise_conv")
            main, i = (y if stage == 4 else y + main), i + 1
        x = torch.cat([main, short], 1)
        gate = F.conv2d(
            x.mean((2, 3), True), state[f"{layer}.attention.fc.weight"], state[f"{layer}.attention.fc.bias"]
        )
        x = one(x * (F.relu6(gate + 3) / 6), f"{layer}.final_conv")
    return x


def rtmcc(state, features):
    """RTMPose's head: (n, keypoints, votes) along x and along y."""

    def scaled(x, g):
        return x / (x.pow(2).mean(-1, keepdim=True).sqrt()) * g

    weight = state["final_layer.weight"]
    x = F.conv2d(features, weight, state["final_layer.bias"], padding=weight.shape[-1] // 2).flatten(2)
    x = scaled(x, state["mlp.0.g"]) @ state["mlp.1.weight"].T
    uv = F.silu(scaled(x, state["gau.ln.g"]) @ state["gau.uv.weight"].T)
    hidden = state["gau.o.weight"].shape[1]
    u, v, base = uv[..., :hidden], uv[..., hidden : 2 * hidden], uv[..., 2 * hidden :]
    query, key = (base * state["gau.gamma"][i] + state["gau.beta"][i] for i in range(2))
    kernel = F.relu(torch.einsum("nks,nls->nkl", query, key) / base.shape[-1] ** 0.5) ** 2
    x = x * state["gau.res_scale.scale"] + (u * torch.einsum("nkl,nle->nke", kernel, v)) @ state["gau.o.weight"].T
    return x @ state["cls_x.weight"].T, x @ state["cls_y.weight"].T
