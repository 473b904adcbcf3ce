"""A batch takes no more of a device's memory than is free: with a limit in its place, on a processor."""

from dataclasses import replace

import numpy as np
import pytest

from muybridge.pose2d.inference.engine import engine_of
from muybridge.pose2d.inference.runtimes import BatchMemory


@pytest.mark.parametrize(("free", "sizes"), [(8_000, [1, 4, 4, 1]), (10**9, [1, 9]), (0, [1] * 10)])
def test_pieces_take_half_of_what_is_free_and_one_picture_at_least(free, sizes):
    read = []

    def pictures(some):
        read.append(some.stop - some.start)
        return list(range(some.start, some.stop))

    memory = BatchMemory(lambda: free, lambda work: (work(), 1_000))
    assert memory.in_pieces(pictures, 10, "a") == list(range(10))
    assert read == sizes
    read.clear()
    assert memory.in_pieces(pictures, 2, "a") == [0, 1]  # measured before
    assert read == ([1, 1] if free == 0 else [2])


def test_a_batch_in_pieces_gives_what_each_picture_gives(detector):
    engine = engine_of(detector.network, detector.scale)
    assert engine.memory is None  # of a processor
    inputs = np.random.default_rng(0).integers(0, 255, (5, 96, 128, 3), dtype=np.uint8)
    matrices, seen = [np.eye(2, 3)] * 5, []

    def run(pictures):
        seen.append(len(pictures))
        return engine.run(pictures)

    bounded = replace(engine, run=run, memory=BatchMemory(lambda: 4_000, lambda work: (work(), 1_000)))
    for own, single in zip(bounded.read(inputs, matrices), engine.read(inputs, matrices), strict=True):
        np.testing.assert_allclose(own.points, single.points, atol=2e-3)
    assert seen == [1, 2, 2]
