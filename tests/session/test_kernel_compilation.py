"""Kernels are compiled beside a session's first steps, and the user is told."""

import subprocess

import numba
import pytest

from muybridge.numerics._kernels_options import notify_when_compiling
from muybridge.session.demo_run import compile_kernels, run_demo
from muybridge.session.kernel_compilation import compiling_ahead


def test_a_compilation_is_reported_once_and_a_compiled_kernel_is_silent():
    double, triple, lines = numba.njit(lambda x: 2 * x), numba.njit(lambda x: 3 * x), []
    with notify_when_compiling(lines.append):
        double(1)
        triple(1)
    assert len(lines) == 1
    with notify_when_compiling(lines.append):
        double(2)
    assert len(lines) == 1


def test_a_process_compiles_ahead_once_something_is_compiled_and_ends_with_the_block(monkeypatch):
    begun = []

    class Process:
        def __init__(self, command, **_):
            begun.append(command[-1])

        def kill(self):
            begun.append("ended")

        def wait(self):
            pass

    monkeypatch.setattr(subprocess, "Popen", Process)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    kernel = numba.njit(lambda x: 5 * x)
    for _ in range(2):
        with compiling_ahead(calibrates=True):
            kernel(1)
    assert begun == ["calibrate", "ended"]


@pytest.mark.long
@pytest.mark.parametrize("calibrates", [True, False])
def test_the_recording_whose_kernels_are_compiled_runs_through_all_steps(calibrates):
    compile_kernels(calibrates)


@pytest.mark.long
def test_the_quick_demo_says_so_and_sets_no_goals(tmp_path):
    said = []
    table = run_demo(tmp_path / "demo", quick=True, progress=False, say=said.append)
    assert table["goal"].isna().all()
    assert any("of the quick version" in line for line in said)
    assert any(line.startswith("render: up to date") for line in _again(tmp_path / "demo"))


def _again(folder):
    said = []
    run_demo(folder, quick=True, progress=False, say=said.append)
    return said
