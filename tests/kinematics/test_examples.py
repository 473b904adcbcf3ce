import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def run(code_or_file, folder):
    """What a script prints, run in a fresh interpreter in an empty folder."""
    path = os.pathsep.join([str(EXAMPLES), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"MPLBACKEND": "Agg", "OMP_NUM_THREADS": "2", "PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, *code_or_file],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_the_encoding_example_recovers_the_planted_tuning(tmp_path):
    said = run([str(EXAMPLES / "encoding.py"), "figure.png"], tmp_path)
    for neuron, family in (("speed cell", "speed"), ("head-direction cell", "heading"), ("turning cell", "turning")):
        assert f"follows {family}" in next(line for line in said.splitlines() if neuron in line)
    assert float(said.split("largest error of a weight ")[1].split(";")[0]) < 0.08
    assert (tmp_path / "figure.png").stat().st_size > 5000


@pytest.mark.parametrize("notebook", ["kinematics.ipynb"])
def test_the_notebook_runs_from_its_first_cell_to_its_last(notebook, tmp_path):
    cells = json.loads((EXAMPLES / notebook).read_text())["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    said = run(["-c", code], tmp_path)
    assert "median standard deviation" in said
    assert all(not cell.get("outputs") for cell in cells)  # outputs would be kept in the history for good
