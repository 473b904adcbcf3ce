import numpy as np

from muybridge.numerics.runs import runs_of


def test_runs_are_the_unbroken_stretches_also_at_the_ends():
    assert runs_of(np.array([1, 1, 0, 0, 1, 0, 1], bool)) == [slice(0, 2), slice(4, 5), slice(6, 7)]
    assert runs_of(np.zeros(3, bool)) == []
    assert runs_of(np.zeros(0, bool)) == []
    assert runs_of(np.ones(3, bool)) == [slice(0, 3)]
