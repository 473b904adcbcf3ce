"""Rows and items shared out over threads."""

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain, repeat

import numpy as np
import pytest

from muybridge.numerics.threads import in_advance, n_processors, over_items, over_rows


@pytest.mark.parametrize("n_rows", [0, 1, 7, 1000])
def test_every_row_is_worked_on_once_and_results_come_in_order(n_rows):
    counts = np.zeros(n_rows, dtype=int)

    def count(step, start, stop):
        counts[start:stop] += step
        return list(range(start, stop))

    parts = over_rows(count, n_rows, 2, smallest=3)
    np.testing.assert_array_equal(counts, 2)
    assert list(chain.from_iterable(parts)) == list(range(n_rows))


def test_few_rows_are_not_shared_out():
    assert over_rows(lambda start, stop: (start, stop), 99, smallest=50) == [(0, 99)]


def test_items_keep_their_order_and_an_error_in_a_thread_is_raised():
    assert over_items(lambda i: i * i, range(20)) == [i * i for i in range(20)]
    with pytest.raises(ZeroDivisionError):
        over_items(lambda i: 1 // (i - 3), range(5))


@pytest.mark.parametrize("n_threads", [1, 3])
def test_tasks_begun_in_advance_keep_their_order(n_threads):
    tasks = [partial(pow, i, 2) for i in range(9)]
    assert list(in_advance(tasks, 4, n_threads)) == [i * i for i in range(9)]
    assert list(in_advance([], 4, n_threads)) == []


def test_tasks_run_where_they_are_sent_which_stays_open():
    with ThreadPoolExecutor(1, thread_name_prefix="elsewhere") as elsewhere:
        tasks = repeat(lambda: threading.current_thread().name, 3)
        assert all(name.startswith("elsewhere") for name in in_advance(tasks, 2, executor=elsewhere))
        assert elsewhere.submit(pow, 2, 3).result() == 8


def test_endless_tasks_are_begun_only_as_far_ahead_as_asked_and_dropped_at_the_end():
    numbers = iter(range(100))
    results = in_advance(repeat(partial(next, numbers)), 4)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    results.close()
    assert next(numbers) <= 3 + 4


def test_an_error_of_a_task_is_raised_in_its_place():
    results = in_advance((partial(divmod, 1, i) for i in (2, 1, 0, 3)), 4)
    assert [next(results), next(results)] == [(0, 1), (1, 0)]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_no_more_threads_than_the_environment_states(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert n_processors() == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "100000")
    bound = n_processors()
    for nonsense in ("", "0", "many"):
        monkeypatch.setenv("OMP_NUM_THREADS", nonsense)
        assert n_processors() == bound
