import numba

from muybridge.session._kernels_compile_notice import notify_when_compiling


def test_a_compilation_is_reported_once_and_a_compiled_kernel_is_silent():
    double, triple, lines = numba.njit(lambda x: 2 * x), numba.njit(lambda x: 3 * x), []
    with notify_when_compiling(lines.append):
        double(1)
        triple(1)
    assert len(lines) == 1
    with notify_when_compiling(lines.append):
        double(2)
    assert len(lines) == 1
