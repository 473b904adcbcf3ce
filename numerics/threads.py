"""Frames shared out over the cores: the kernels release the interpreter's lock."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np

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


_FRAMES_PER_THREAD = 200


def n_processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def run_frames(function: Callable[[int, int], Any], n_frames: int) -> list:
    """[function(start, stop), ...] over all frames, in a part per thread if there are many."""
    n_parts = n_processors() if n_frames > _FRAMES_PER_THREAD else 1
    edges = np.linspace(0, n_frames, n_parts + 1).astype(int)
    return run_threads(lambda part: function(int(edges[part]), int(edges[part + 1])), range(n_parts))


def run_threads(function: Callable[[int], Any], items: Iterable[int]) -> list:
    """[function(i) for i in items] on as many threads as there are processors (kernels release the interpreter)."""
    items = list(items)
    n_threads = n_processors()
    if n_threads < 2 or len(items) < 2:
        return [function(i) for i in items]
    with ThreadPoolExecutor(min(n_threads, len(items))) as pool:
        return list(pool.map(function, items))


_CHUNK = 1 << 16


def run_blocks(kernel: Callable[[int, int], None], n_points: int) -> None:
    """Call kernel(start, stop) over all points, on as many threads as there are processors to use."""
    n_threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    chunk = max(1, min(_CHUNK, -(-n_points // n_threads)))
    blocks = [(start, min(start + chunk, n_points)) for start in range(0, n_points, chunk)]
    if len(blocks) < 2:
        for start, stop in blocks:
            kernel(start, stop)
        return
    with ThreadPoolExecutor(n_threads) as pool:
        list(pool.map(lambda block: kernel(*block), blocks))
