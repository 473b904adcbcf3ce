"""Runtimes answer alike; one that is not installed says how to install it."""

import sys

import numpy as np
import pytest
import torch

from muybridge.pose2d.inference.animal_search import finder_of
from muybridge.pose2d.inference.runtimes import RuntimeMissingError, make_run, one_thread
from tests.pose2d.animals import draw_animal


@pytest.mark.parametrize("runtime", ["openvino", "onnx"])
def test_other_runtimes_give_torchs_points(detector, labels, runtime):
    for package in ("openvino",) if runtime == "openvino" else ("onnx", "onnxruntime"):
        pytest.importorskip(package)
    pictures = [draw_animal(labels.points_2d[i], (128, 96), i) for i in range(4)]
    by_torch, other = finder_of(detector, "fp32"), finder_of(detector, "fp32", runtime)
    for picture in pictures:
        np.testing.assert_allclose(other.find(picture).points, by_torch.find(picture).points, atol=0.1)


def test_bfloat16_moves_points_by_little(detector, labels):
    exact, fast = finder_of(detector, "fp32"), finder_of(detector, "bf16")
    pictures = [draw_animal(labels.points_2d[i], (128, 96), i) for i in range(8)]
    moved = np.linalg.norm([fast.find(p).points - exact.find(p).points for p in pictures], axis=-1)
    assert np.median(moved) <= 0.1
    assert np.quantile(moved, 0.9) <= 0.5


def test_an_unknown_runtime_or_precision_is_refused(detector, monkeypatch):
    with pytest.raises(ValueError, match="no runtime 'tensorrt'"):
        make_run(detector.network, "tensorrt", False)
    with pytest.raises(ValueError, match="precision must be"):
        finder_of(detector, "int8")
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(RuntimeMissingError, match=r"pip install 'muybridge\[fast\]'"):
        make_run(detector.network, "openvino", False)


def test_torchs_number_of_threads_comes_back_after_an_error():
    def fail_alone():
        with one_thread():
            assert torch.get_num_threads() == 1
            raise KeyError

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    with pytest.raises(KeyError):
        fail_alone()
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)
