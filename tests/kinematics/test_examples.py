"""The examples of kinematics run as they stand, from any folder."""

import json
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


@pytest.mark.parametrize("notebook", ["kinematics.ipynb"])
def test_the_notebook_runs_from_its_first_cell_to_its_last(notebook, capsys):
    cells = json.loads((EXAMPLES / notebook).read_text())["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    exec(compile(code, notebook, "exec"), {"__name__": "__main__"})
    assert "median standard deviation" in capsys.readouterr().out
    assert all(not cell.get("outputs") for cell in cells)  # outputs would be kept in the history for good
