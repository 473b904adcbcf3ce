"""Batches of pictures no larger than what the memory of a device holds."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

import torch

# of the free memory that a batch may take: other programs may take some meanwhile, and what is free lies in pieces
_SHARE = 0.5


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
