"""Run a network by torch, OpenVINO or ONNX Runtime: pictures in, maps out, as many at a time as a device can hold."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..networks.fused_convolutions import fuse_convolutions
from ..networks.registry import Maps, PoseNet
from ..published_networks.published_network import Network, PublishedNet

RUNTIMES = ("auto", "torch", "openvino", "onnx")
SIDE = 32  # pixels; all sides of the network's input are multiples of this, the coarsest stride of any network here
Run = Callable[[np.ndarray], Maps]
# of the free memory that a batch may take: other programs may take some meanwhile, and what is free lies in pieces
_SHARE = 0.5


class RuntimeMissingError(ModuleNotFoundError):
    """The chosen runtime is not installed; the message says how to install it."""


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep torch's other threads asleep: awake they wait for work busily, on cores that another runtime needs.

    The number is of the whole process: not for several Python threads at once.
    """
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)


def as_input(images: Tensor) -> Tensor:
    """(n, height, width, 3) bytes to (n, 3, height, width) in -1..1, channels last in memory."""
    return (images.permute(0, 3, 1, 2) * (1 / 127.5)).sub_(1.0)


def choose_runtime(network: Network, runtime: str) -> str:
    """What runs a network: "auto" is OpenVINO where it is installed and the network is on the processor, else torch,
    which alone runs networks that others trained.

    Raises
    ------
    ValueError : the runtime is not known
    """
    if runtime not in RUNTIMES:
        raise ValueError(f"there is no runtime {runtime!r}; known: {', '.join(RUNTIMES)}")
    if isinstance(network, PublishedNet):
        return "torch"
    if runtime != "auto":
        return runtime
    on_processor = next(network.parameters()).device.type == "cpu"
    return "openvino" if on_processor and find_spec("openvino") else "torch"


def make_run(network: Network, runtime: str, bf16: bool) -> Run:
    """A function that takes pictures (n, height, width, 3) bytes and gives the network's maps.

    It computes in as many threads as torch has when it is made.

    runtime : see `choose_runtime`

    Raises
    ------
    ValueError : the runtime is not known
    RuntimeMissingError : it is not installed
    """
    runtime = choose_runtime(network, runtime)
    if isinstance(network, PublishedNet) or runtime == "torch":
        return _torch(network, bf16)
    if runtime == "openvino":
        return _openvino(network, bf16)
    return _onnx(network)


def _torch(network: Network, bf16: bool) -> Run:
    device = next(network.parameters()).device
    if device.type == "cpu" and not bf16:
        fuse_convolutions(network)

    def run(pictures: np.ndarray) -> Maps:
        images = as_input(torch.from_numpy(pictures).to(device))
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            return network(images)

    return run


class _Part(nn.Module):
    """Part of a network as a module that can be exported; `compute` takes the network and the part's input."""

    def __init__(self, network: PoseNet, compute: Callable):
        super().__init__()
        self.network, self.compute = network, compute

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        return self.compute(self.network, x)


def _whole(network: PoseNet, pictures: Tensor) -> tuple[Tensor, Tensor]:
    """The network's features and logits."""
    maps = network(as_input(pictures))
    return maps.features, maps.logits


def _begin(network: PoseNet, pictures: Tensor) -> Tensor:
    """The output of the layers that need float32 (the picture as numbers, where there are none)."""
    images = as_input(pictures)
    return network.features.begin(images) if hasattr(network.features, "begin") else images  # type: ignore[operator]


def _finish(network: PoseNet, x: Tensor) -> Tensor:
    """The features, from the output of `_begin`."""
    return getattr(network.features, "finish", network.features)(x)  # type: ignore[operator]


def _openvino(network: PoseNet, bf16: bool) -> Run:
    """One compiled model per input size (sizes known in advance run fastest); two for bfloat16, the head outside."""
    openvino = _import("openvino", "openvino")
    core, compiled, n_threads = openvino.Core(), {}, torch.get_num_threads()
    parts = [(_Part(network, _whole), "f32")]
    if bf16:
        parts = [(_Part(network, _begin), "f32"), (_Part(network, _finish), "bf16")]
    with torch.no_grad():
        models, example = [], torch.zeros(1, 2 * SIDE, 3 * SIDE, 3, dtype=torch.uint8)
        for part, _ in parts:
            # traced here: OpenVINO's own way to trace takes half as long again
            traced = torch.jit.freeze(torch.jit.trace(part.eval(), example, check_trace=False))
            models.append(openvino.convert_model(traced, example_input=example))
            example = part(example) if bf16 else example

    def compile_at(size: tuple[int, ...]) -> list:
        steps = []
        for model, (_, precision) in zip(models, parts, strict=True):
            model = model.clone()
            model.reshape({model.input(0): list(size)})
            options = {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
            steps.append(core.compile_model(model, "CPU", options | {"INFERENCE_NUM_THREADS": n_threads}))
            size = tuple(model.output(0).shape)
        return steps

    def run(pictures: np.ndarray) -> Maps:
        if pictures.shape not in compiled:
            compiled[pictures.shape] = compile_at(pictures.shape)
        values: list = [pictures]
        for step in compiled[pictures.shape]:
            # read before the next call, which overwrites them
            values = list(step(values[0], share_inputs=True, share_outputs=True).values())
        outputs = [torch.from_numpy(value) for value in values]
        return network.maps_of(*outputs) if bf16 else Maps(outputs[1], outputs[0])

    return run


def _onnx(network: PoseNet) -> Run:
    onnxruntime = _import("onnxruntime", "onnxruntime")
    _import("onnx", "onnx")
    exported, sessions, n_threads = _Part(network, _whole).eval(), {}, torch.get_num_threads()

    def run(pictures: np.ndarray) -> Maps:
        if pictures.shape not in sessions:
            sessions[pictures.shape] = _onnx_session(onnxruntime, exported, torch.from_numpy(pictures), n_threads)
        features, logits = sessions[pictures.shape].run(None, {"pictures": pictures})
        return Maps(torch.from_numpy(logits), torch.from_numpy(features))

    return run


def _onnx_session(onnxruntime, exported: nn.Module, example: Tensor, n_threads: int):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = n_threads
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        torch.onnx.export(
            exported, (example,), str(path), input_names=["pictures"], output_names=["features", "logits"], dynamo=False
        )
        return onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])


def _import(module: str, package: str):
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise RuntimeMissingError(f"{package} is not installed: pip install 'muybridge[fast]'") from error


@dataclass(eq=False)
class BatchMemory:
    """The first picture of a kind is read alone and measured; as many are then read together as fit.

    Parameters
    ----------
    free : gives the bytes that are free now
    measured : calls a function, and gives its result and the most bytes that it took at a time
    of_picture : of each kind of picture the bytes that one takes, as far as measured
    """

    free: Callable[[], int]
    measured: Callable[[Callable[[], list]], tuple[list, int]]
    of_picture: dict[Hashable, int] = field(default_factory=dict)

    def in_pieces(self, read: Callable[[slice], list], n_pictures: int, kind: Hashable) -> list[Any]:
        """What `read` gives of all pictures, in pieces that fit; one picture at least is read, whatever is free."""
        done = []
        if n_pictures and kind not in self.of_picture:
            done, self.of_picture[kind] = self.measured(lambda: read(slice(0, 1)))
        while len(done) < n_pictures:
            fitting = max(1, int(_SHARE * self.free()) // max(1, self.of_picture[kind]))
            done = done + read(slice(len(done), min(len(done) + fitting, n_pictures)))
        return done


def memory_of(device: torch.device) -> BatchMemory | None:
    """The memory of a CUDA device; None: a processor's, where few pictures are read together."""
    return BatchMemory(lambda: _free(device), lambda work: _measured(device, work)) if device.type == "cuda" else None


def _free(device: torch.device) -> int:
    """Bytes that no program has taken, and those that torch has taken and does not use."""
    idle = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return torch.cuda.mem_get_info(device)[0] + idle


def _measured(device: torch.device, work: Callable[[], list]) -> tuple[list, int]:
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    result = work()
    return result, torch.cuda.max_memory_allocated(device) - before
