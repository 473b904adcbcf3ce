"""What runs a network: torch, OpenVINO or ONNX Runtime. Pictures in, maps out."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from .networks import Maps, PoseNet

RUNTIMES = ("auto", "torch", "openvino", "onnx")
Run = Callable[[np.ndarray], Maps]


class RuntimeMissingError(ModuleNotFoundError):
    """The chosen runtime is not installed; the message says how to install it."""


def as_input(images: Tensor) -> Tensor:
    """(n, height, width, 3) bytes to (n, 3, height, width) in -1..1, channels last in memory."""
    return images.permute(0, 3, 1, 2).to(torch.float32).mul(1 / 127.5).sub(1.0)


def make_run(network: PoseNet, runtime: str, bf16: bool) -> Run:
    """A function that takes pictures (n, height, width, 3) bytes and gives the network's maps.

    runtime : "torch", "openvino", "onnx", or "auto": OpenVINO where it is installed and the network is on the
        processor, else torch

    Raises
    ------
    ValueError : the runtime is not known
    RuntimeMissingError : it is not installed
    """
    if runtime not in RUNTIMES:
        raise ValueError(f"there is no runtime {runtime!r}; known: {', '.join(RUNTIMES)}")
    on_processor = next(network.parameters()).device.type == "cpu"
    if runtime == "auto":
        runtime = "openvino" if on_processor and find_spec("openvino") else "torch"
    if runtime == "openvino":
        return _openvino(network, bf16)
    return _onnx(network) if runtime == "onnx" else _torch(network, bf16)


def _torch(network: PoseNet, bf16: bool) -> Run:
    device = next(network.parameters()).device

    def run(pictures: np.ndarray) -> Maps:
        images = as_input(torch.from_numpy(pictures).to(device))
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            return network(images)

    return run


class _Exported(nn.Module):
    """The network's features with the picture conversion inside; its head stays here, in float32."""

    def __init__(self, network: PoseNet):
        super().__init__()
        self.network = network

    def forward(self, pictures: Tensor) -> Tensor:
        features = self.network.features(as_input(pictures))
        return features[0] if isinstance(features, tuple) else features


def _openvino(network: PoseNet, bf16: bool) -> Run:
    """One compiled model per input size: sizes that are known in advance run fastest."""
    openvino = _import("openvino", "openvino")
    exported, core, compiled = _Exported(network).eval(), openvino.Core(), {}
    options: dict = {"INFERENCE_PRECISION_HINT": "bf16" if bf16 else "f32", "PERFORMANCE_HINT": "LATENCY"}
    options["INFERENCE_NUM_THREADS"] = torch.get_num_threads()

    def run(pictures: np.ndarray) -> Maps:
        if pictures.shape not in compiled:
            example = torch.from_numpy(pictures)
            with torch.no_grad():
                model = openvino.convert_model(exported, example_input=example, input=[tuple(pictures.shape)])
            compiled[pictures.shape] = core.compile_model(model, "CPU", options)
        answer = compiled[pictures.shape](pictures, share_outputs=False)
        return network.maps_of(torch.from_numpy(answer[0]))

    return run


def _onnx(network: PoseNet) -> Run:
    onnxruntime = _import("onnxruntime", "onnxruntime")
    _import("onnx", "onnx")
    exported, sessions = _Exported(network).eval(), {}

    def run(pictures: np.ndarray) -> Maps:
        if pictures.shape not in sessions:
            sessions[pictures.shape] = _onnx_session(onnxruntime, exported, torch.from_numpy(pictures))
        (features,) = sessions[pictures.shape].run(None, {"pictures": pictures})
        return network.maps_of(torch.from_numpy(features))

    return run


def _onnx_session(onnxruntime, exported: nn.Module, example: Tensor):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        torch.onnx.export(
            exported, (example,), str(path), input_names=["pictures"], output_names=["features"], dynamo=False
        )
        return onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])


def _import(module: str, package: str):
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise RuntimeMissingError(f"{package} is not installed: pip install 'muybridge[fast]'") from error
