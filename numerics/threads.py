"""Work shared out over the processors by threads: the compiled kernels run without the interpreter's lock."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Executor, ThreadPoolExecutor
from itertools import islice, pairwise
from typing import Any

_SHARES_PER_PROCESSOR = 4  # several, so that a processor which other work slows down does fewer of them


def n_processors() -> int:
    """Processors that this process may use: those it is bound to, or fewer where OMP_NUM_THREADS says so."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    stated = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    return min(bound, int(stated)) if stated.isdecimal() and int(stated) > 0 else bound


def over_items(function: Callable[[Any], Any], items: Iterable) -> list:
    """``[function(item) for item in items]`` in the order of the items, on as many threads as there are processors."""
    items = list(items)
    n_threads = min(n_processors(), len(items))
    if n_threads < 2:
        return [function(item) for item in items]
    with ThreadPoolExecutor(n_threads) as pool:
        return list(pool.map(function, items))


def in_advance(
    tasks: Iterable[Callable[[], Any]], n_ahead: int, n_threads: int = 1, executor: Executor | None = None
) -> Generator[Any]:
    """``(task() for task in tasks)`` in the order of the tasks, of which threads begin up to `n_ahead` beforehand.

    With one thread the tasks run one after the other, so they may read on in one file. An error is raised where its
    result would come. Tasks may be endless: those not yet begun are dropped when the iterator is closed.

    executor : processes or a cluster where the tasks run instead of threads; it stays open
    """
    tasks, pool = iter(tasks), executor or ThreadPoolExecutor(n_threads)
    begun = deque()
    try:
        begun.extend(pool.submit(task) for task in islice(tasks, n_ahead))
        while begun:
            result = begun.popleft().result()
            begun.extend(pool.submit(task) for task in islice(tasks, 1))
            yield result
    finally:
        for future in begun:
            future.cancel()
        if executor is None:
            pool.shutdown()


def over_rows(kernel: Callable, n_rows: int, *arguments, smallest: int = 4096) -> list:
    """``[kernel(*arguments, start, stop), ...]`` for contiguous shares of the rows, in order, on all processors.

    `smallest` is the number of rows below which a thread costs more than it saves.
    """
    n_shares = 1
    if n_processors() > 1:
        n_shares = max(1, min(_SHARES_PER_PROCESSOR * n_processors(), n_rows // smallest))
    edges = [n_rows * i // n_shares for i in range(n_shares + 1)]
    return over_items(lambda share: kernel(*arguments, *share), pairwise(edges))
