"""A pose network as ONNX, run by ONNX Runtime: normalised images in, raw maps out. It cannot be trained."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn


class OnnxGraph(nn.Module):
    """The graph of an ONNX file, and the session that runs it (made when it is first used).

    Parameters
    ----------
    graph : the file's bytes, as uint8; the graph is kept with a detector's weights
    names : of the output, or of the two of a SimCC head: along x, along y
    channels_last : whether pictures go in as (n, height, width, 3), and heatmaps come out so
    """

    def __init__(self, graph: Tensor, names: list[str], channels_last: bool = False):
        super().__init__()
        self.register_buffer("graph", graph)
        self.names, self.channels_last = names, channels_last
        self._session: Any = None

    def __getstate__(self):
        return self.__dict__ | {"_session": None}

    def session(self):
        """The ONNX Runtime session.

        Raises
        ------
        ModuleNotFoundError : ONNX Runtime is not installed
        """
        if self._session is None:
            self._session = open_session(self.graph.cpu().numpy().tobytes())  # type: ignore[operator]
        return self._session

    def forward(self, images: Tensor) -> Tensor:
        session = self.session()
        name, values = session.get_inputs()[0].name, images.float().cpu()
        if self.channels_last:
            values = values.permute(0, 2, 3, 1)
        fed = values.contiguous().numpy()
        parts = [torch.from_numpy(part).to(images.device) for part in self._run(session, name, fed)]
        if len(parts) == 2:
            return torch.cat(parts, -1)[:, :, None]
        return parts[0].permute(0, 3, 1, 2) if self.channels_last else parts[0]

    def _run(self, session, name: str, fed) -> list:
        """The outputs, picture by picture where the graph takes one at a time."""
        n = session.get_inputs()[0].shape[0]
        if isinstance(n, int) and n != len(fed):
            import numpy as np

            each = [session.run(self.names, {name: fed[i : i + n]}) for i in range(0, len(fed), n)]
            return [np.concatenate(parts) for parts in zip(*each, strict=True)]
        return session.run(self.names, {name: fed})


def open_session(graph: bytes):
    """An ONNX Runtime session with as many threads as torch has.

    Raises
    ------
    ModuleNotFoundError : ONNX Runtime is not installed; the message says how to install it
    """
    try:
        onnxruntime = import_module("onnxruntime")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("an ONNX network needs onnxruntime: pip install 'muybridge[onnx]'") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    wanted = ("CUDAExecutionProvider", "CPUExecutionProvider")
    providers = [name for name in wanted if name in onnxruntime.get_available_providers()]
    return onnxruntime.InferenceSession(graph, options, providers=providers)
