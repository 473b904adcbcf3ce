"""Benchmarks and examples import what there is: they are not run here, and a name that has moved would be seen late."""

import ast
import importlib
import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = sorted([*ROOT.glob("benchmarks/*.py"), *ROOT.glob("examples/*.py")])


def imported(path):
    """(module, name) of all imports from this project, also those inside functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in ("muybridge", "benchmarks"):
            yield from ((node.module, alias.name) for alias in node.names)


def defined(module):
    """Names at the top of a script, which is not run."""
    path = ROOT / Path(*module.split(".")).with_suffix(".py")
    names = {name.stem for name in ROOT.glob("benchmarks/*.py")} if module == "benchmarks" else set()
    for node in ast.parse(path.read_text()).body if path.exists() else ():
        targets = node.targets if isinstance(node, ast.Assign) else [node]
        names |= {name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)}
        names.add(getattr(node, "name", ""))
        names |= {alias.asname or alias.name for alias in getattr(node, "names", ()) if isinstance(alias, ast.alias)}
    return names


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_what_a_script_imports_from_this_project_exists(path):
    missing = []
    for module, name in imported(path):
        if module.startswith("benchmarks"):
            there = name in defined(module)
        else:
            there = hasattr(importlib.import_module(module), name) or importlib.util.find_spec(f"{module}.{name}")
        if not there:
            missing.append(f"{module}.{name}")
    assert not missing
