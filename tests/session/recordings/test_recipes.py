"""The recipes of docs/, run as far as they go without a cluster: with a stand-in for the command, and once with it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.session.synthetic import make_session

RECIPES = Path(__file__).parents[3] / "docs" / "recipes"


@pytest.fixture
def study(tmp_path):
    """Two sessions, their list, and a command `muybridge` that writes down how it was called."""
    for name in ("first day", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "session.toml").write_text("")
    (tmp_path / "sessions.txt").write_text("first day/session.toml\nsecond/session.toml\n")
    write_command(tmp_path, 'echo "$OMP_NUM_THREADS" "$@"')
    return tmp_path


def write_command(folder, line):
    (folder / "bin").mkdir(exist_ok=True)
    command = folder / "bin" / "muybridge"
    command.write_text(f"#!/bin/sh\n{line}\n")
    command.chmod(0o755)


def run(folder, command, **variables):
    environment = os.environ | {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}"} | variables
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def slurm(folder, task):
    return run(folder, ["bash", RECIPES / "slurm_array.sh"], SLURM_ARRAY_TASK_ID=str(task), SLURM_CPUS_PER_TASK="3")


def test_a_task_of_the_array_runs_its_session_on_its_processors(study):
    assert slurm(study, 1).stdout == "3 run first day/session.toml --quiet\n"
    assert slurm(study, 2).stdout == "3 run second/session.toml --quiet\n"
    beyond = slurm(study, 3)
    assert beyond.returncode == 1
    assert "no line 3" in beyond.stderr


def rule_command(name):
    """The shell command of a rule of the Snakefile."""
    text = (RECIPES / "Snakefile").read_text().partition(f"rule {name}:")[2].partition("\nrule ")[0]
    return text.partition("shell:")[2].strip().strip('"')


def test_the_commands_of_the_snakefile_run(study):
    command = rule_command("session")
    for field, value in {
        "{threads}": "2",
        "{input:q}": "'first day/session.toml'",
        "{log:q}": "'first day/log'",
    }.items():
        assert field in command
        command = command.replace(field, value)
    assert run(study, ["sh", "-c", command]).returncode == 0
    assert (study / "first day" / "log").read_text() == "2 run first day/session.toml --quiet\n"
    command = rule_command("collect").replace("{params.sessions:q}", "'first day/session.toml' second/session.toml")
    expected = "collect first day/session.toml second/session.toml --to parquet --folder collected"
    assert run(study, ["sh", "-c", command], OMP_NUM_THREADS="").stdout.strip() == expected


@pytest.mark.skipif(shutil.which("snakemake") is None, reason="snakemake is not installed")
def test_snakemake_plans_a_job_per_session(study):
    planned = run(study, ["snakemake", "-n", "--snakefile", RECIPES / "Snakefile"], HOME=str(study))
    assert planned.returncode == 0, planned.stderr
    assert "first day/results/report.html" in planned.stdout + planned.stderr


@pytest.mark.long
def test_a_task_of_the_array_makes_the_report_of_a_real_session(tmp_path):
    make_session(n_frames=60).write(tmp_path / "study")
    (tmp_path / "sessions.txt").write_text("study/session.toml\n")
    write_command(tmp_path, f'exec {sys.executable} -m muybridge.session.command_line "$@"')
    done = slurm(tmp_path, 1)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "study" / "results" / "report.html").is_file()
