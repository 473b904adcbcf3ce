"""Rows and items shared out over threads."""

from itertools import chain

import numpy as np
import pytest

from muybridge.numerics.threads import over_items, over_rows


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
