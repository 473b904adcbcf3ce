"""The examples of kinematics run as they stand, from any folder."""

import runpy
import sys
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

mpl.use("Agg")
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    """In an empty folder, the examples importable from one another; figures are closed afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(EXAMPLES))
    yield
    plt.close("all")


def test_the_encoding_example_recovers_the_planted_tuning(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["encoding.py", "figure.png"])
    runpy.run_path(str(EXAMPLES / "encoding.py"), run_name="__main__")
    said = capsys.readouterr().out
    for neuron, family in (("speed cell", "speed"), ("head-direction cell", "heading"), ("turning cell", "turning")):
        assert f"follows {family}" in next(line for line in said.splitlines() if neuron in line)
    assert float(said.split("largest error of a weight ")[1].split(";")[0]) < 0.08
    assert (tmp_path / "figure.png").stat().st_size > 5000
