"""Frames shared out over the cores: the kernels release the interpreter's lock."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

SMALLEST_SHARE = 4096  # frames; below, starting a thread costs more than it saves


def over_frames(kernel: Callable, n_frames: int, *arguments) -> None:
    """Call ``kernel(*arguments, start, stop)`` for contiguous shares of the frames, four per core.

    Several shares per core, so that a core which other work slows down does fewer of them.
    """
    n_shares = 1 if _n_cores() == 1 else max(1, min(4 * _n_cores(), n_frames // SMALLEST_SHARE))
    edges = [n_frames * i // n_shares for i in range(n_shares + 1)]
    if n_shares == 1:
        kernel(*arguments, 0, n_frames)
        return
    with ThreadPoolExecutor(min(_n_cores(), n_shares)) as pool:
        for share in [pool.submit(kernel, *arguments, a, b) for a, b in pairwise(edges)]:
            share.result()


def over_items(function: Callable, items: list) -> list:
    """``[function(item) for item in items]``, on all cores when there is more than one item."""
    if len(items) < 2 or _n_cores() == 1:
        return [function(item) for item in items]
    with ThreadPoolExecutor(min(_n_cores(), len(items))) as pool:
        return list(pool.map(function, items))


def _n_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
