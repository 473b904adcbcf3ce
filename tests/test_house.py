"""The house itself: what is packaged, what may import what, and that the light rooms stay light."""

import ast
import shutil
import subprocess
import sys
import tomllib
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FLOORS = {
    "numerics": 0,
    "datasets": 1,
    "formats": 2,
    "cameras": 3,
    "timeseries": 3,
    "calibration": 4,
    "pose2d": 4,
    "triangulate": 5,
    "kinematics": 5,
    "report": 6,
    "demo": 7,
    "session": 8,
    "labelling": 9,
}
UPWARDS = {("session/commands/labels.py", "labelling")}  # a command opens the page when it is called
# the rooms inside a part, from the lowest: a room imports those before it, never those after it
ROOMS = {
    "formats": ("tables", "video", "predictions", "labels", "rigs", "poses"),
    "calibration": ("boards", "solver", "delays", "model_choice", "quality"),
    "pose2d": (
        "pictures",
        "networks",
        "published_networks",
        "inference",
        "prediction",
        "training",
        "active_learning",
        "published",
    ),
    "triangulate": (
        "noise",
        "points",
        "identity",
        "rig_refinement",
        "placement",
        "diagnosis",
        "smoothing",
        "pose_states",
        "sampling",
        "bodies",
        "articulated",
    ),
    "kinematics": ("angles", "body", "gait_analysis"),
    "session": ("config", "steps", "proposals", "recordings", "commands"),
}
MAX_FILES = 15  # in one folder, its __init__.py included
HEAVY = ("torch", "jax", "numba")


def packages_listed():
    with (ROOT / "pyproject.toml").open("rb") as stream:
        return set(tomllib.load(stream)["tool"]["setuptools"]["packages"])


def source_files():
    return [path for part in FLOORS for path in sorted((ROOT / part).rglob("*.py"))]


@cache
def tree_of(path):
    return ast.parse(path.read_text())


@cache
def import_nodes(path):
    """The imports of a file, those inside its statements included."""
    found, statements = [], [tree_of(path)]
    while statements:
        node = statements.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            found.append(node)
        for block in ("body", "orelse", "finalbody", "handlers", "cases"):
            inner = getattr(node, block, None)
            statements += inner if isinstance(inner, list) else ()
    return tuple(found)


def imports_of(path):
    """(part, line) of every import of another part of muybridge, relative or absolute."""
    package = ("muybridge", *path.relative_to(ROOT).parent.parts)
    for node in import_nodes(path):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            target = (*base, *(node.module.split(".") if node.module else ()))
            targets = [target] if len(target) > 1 else [(*target, alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            targets = [tuple(alias.name.split(".")) for alias in node.names]
        else:
            continue
        for target in targets:
            if target[:1] == ("muybridge",) and len(target) > 1 and target[1] in FLOORS:
                yield target[1], node.lineno


def modules_imported(path):
    """Dotted names below `muybridge` of every module that a file imports relatively."""
    package = path.relative_to(ROOT).parent.parts
    for node in import_nodes(path):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            target = (*base, *(node.module.split(".") if node.module else ()))
            for alias in node.names:
                inside = ROOT.joinpath(*target, alias.name)
                is_module = inside.is_dir() or inside.with_suffix(".py").exists()
                yield (*target, alias.name) if is_module else target


def units_imported(part):
    """{room or flat file of a part: rooms and flat files of the same part that it imports}."""
    graph = {}
    for path in sorted((ROOT / part).rglob("*.py")):
        if path.name != "__init__.py":
            unit = path.relative_to(ROOT / part).parts[0].removesuffix(".py")
            targets = {target[1] for target in modules_imported(path) if target[:1] == (part,) and len(target) > 1}
            graph.setdefault(unit, set()).update(targets - {unit})
    return graph


def public_names(part):
    """The names in a part's `__all__`."""
    for node in tree_of(ROOT / part / "__init__.py").body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == "__all__":
            return set(ast.literal_eval(node.value))
    return set()


def run_python(code, cwd, *, python=sys.executable, **kwargs):
    return subprocess.run([python, "-c", code], cwd=cwd, capture_output=True, text=True, check=False, **kwargs)


def test_every_folder_with_code_is_packaged():
    folders = {"muybridge"} | {
        "muybridge." + ".".join(path.parent.relative_to(ROOT).parts)
        for part in FLOORS
        for path in (ROOT / part).rglob("*.py")
    }
    assert packages_listed() == folders


def test_no_stray_module_lies_in_the_root():
    assert sorted(path.name for path in ROOT.glob("*.py")) == ["__init__.py", "__main__.py"]


def test_imports_run_only_down_the_floors():
    wrong = []
    for path in source_files():
        part = path.relative_to(ROOT).parts[0]
        for target, line in imports_of(path):
            allowed = (path.relative_to(ROOT).as_posix(), target) in UPWARDS
            if target != part and FLOORS[target] >= FLOORS[part] and not allowed:
                wrong.append(f"{path.relative_to(ROOT)}:{line} imports {target}")
    assert not wrong


@pytest.mark.parametrize("part", FLOORS)
def test_rooms_and_flat_files_of_a_part_import_each_other_without_a_circle(part):
    try:
        tuple(TopologicalSorter(units_imported(part)).static_order())
    except CycleError as error:
        pytest.fail(f"{part}: {' -> '.join(error.args[1])}")


@pytest.mark.parametrize("part", ROOMS)
def test_a_room_imports_only_the_rooms_below_it(part):
    graph, order = units_imported(part), ROOMS[part]
    folders = {path.name for path in (ROOT / part).iterdir() if (path / "__init__.py").exists()}
    assert folders == set(order)
    for number, room in enumerate(order):
        assert not graph[room] & set(order[number:])


def test_no_folder_holds_more_than_fifteen_files():
    folders = {path.parent for path in source_files()}
    crowded = {str(folder.relative_to(ROOT)): len(list(folder.glob("*.py"))) for folder in folders}
    assert not {folder: n for folder, n in crowded.items() if n > MAX_FILES}


def test_no_module_shares_its_name_with_what_it_holds_or_with_a_public_name():
    shared = []
    for part in FLOORS:
        public = public_names(part)
        for path in (ROOT / part).rglob("*.py"):
            name = path.parent.name if path.name == "__init__.py" else path.stem
            held = {getattr(node, "name", None) for node in tree_of(path).body}
            if name in held or (name in public and name != part):
                shared.append(str(path.relative_to(ROOT)))
    assert not shared


def test_every_room_says_what_it_is_for():
    silent = [
        str(path.relative_to(ROOT))
        for path in source_files()
        if path.name == "__init__.py" and not ast.get_docstring(tree_of(path))
    ]
    assert not silent


def test_every_room_has_its_place_in_the_table():
    words = (ROOT / "CONTRIBUTING.md").read_text()
    table = words[words.index("| floor | room |") : words.index("torch lives only")]
    rooms = {path.parent.name for path in source_files() if path.name == "__init__.py"}
    assert not {room for room in rooms if f"{room}/" not in table}


def test_engines_stay_in_their_rooms():
    wrong = []
    for path in source_files():
        part = path.relative_to(ROOT).parts[0]
        for node in import_nodes(path):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and not node.level and node.module else []
            for name in {name.split(".")[0] for name in names}:
                if name == "torch" and part != "pose2d":
                    wrong.append(f"{path.relative_to(ROOT)} imports torch")
                if name == "jax" and path.parent.name != "bodies":
                    wrong.append(f"{path.relative_to(ROOT)} imports jax")
                if name == "numba" and not path.name.startswith("_kernels"):
                    wrong.append(f"{path.relative_to(ROOT)} imports numba")
    assert not wrong


def test_importing_loads_neither_torch_nor_jax_from_the_repository_root_too():
    code = "from muybridge import triangulate, kinematics, calibration; import sys;"
    result = run_python(f"{code} print([m for m in ('torch', 'jax') if m in sys.modules])", ROOT)
    assert result.stdout.strip() == "[]", result.stderr


def test_the_bare_package_loads_nothing_heavy(tmp_path):
    heavy = "numpy", "numba", "cv2", "xarray", "torch", "jax"
    code = f"import muybridge, sys; print([m for m in {heavy} if m in sys.modules])"
    assert run_python(code, tmp_path).stdout.strip() == "[]"


def test_calibration_loads_no_xarray_and_does_not_collide_with_a_users_own_module(tmp_path):
    (tmp_path / "calibration.py").write_text("mine = True\n")
    code = (
        "import calibration, sys; from muybridge.calibration import Camera; print(calibration.mine, Camera.__module__,"
    )
    loaded = "[m for m in ('xarray', 'pandas') if m in sys.modules])"
    assert run_python(code + loaded, tmp_path).stdout.split() == ["True", "muybridge.cameras.camera", "[]"]


@pytest.fixture(scope="module")
def wheel_site(tmp_path_factory):
    """A folder into which the wheel built from a clean copy of the tree was unpacked."""
    folder = tmp_path_factory.mktemp("wheel")
    kept = shutil.ignore_patterns(
        ".git", "__pycache__", "build", "*.egg-info", ".*cache", ".venv", "venv", "muybridge-demo"
    )
    shutil.copytree(ROOT, folder / "tree", ignore=kept)
    build = f"from setuptools.build_meta import build_wheel; build_wheel({str(folder)!r})"  # as pip does
    built = run_python(build, folder / "tree")
    assert built.returncode == 0, built.stderr
    (wheel,) = folder.glob("*.whl")
    shutil.unpack_archive(wheel, folder / "site", format="zip")
    return folder / "site"


def test_the_wheel_works_from_outside_the_tree(wheel_site, tmp_path):
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import muybridge.report, muybridge.session.command_line;"
        "from muybridge import calibration, triangulate, kinematics; print(calibration.__file__)"
    )
    command = [sys.executable, "-c", code, str(wheel_site)]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.stdout.startswith(str(wheel_site)), result.stderr


def test_the_wheel_holds_the_data_files_and_no_tests(wheel_site):
    held = {path.relative_to(wheel_site / "muybridge").as_posix() for path in (wheel_site / "muybridge").rglob("*.*")}
    needed = {
        path.relative_to(ROOT).as_posix()
        for part in FLOORS
        for path in (ROOT / part).rglob("*")
        if path.suffix in (".html", ".js", ".css", ".toml", ".mplstyle")
    } | {"py.typed"}
    assert needed <= held
    assert not [name for name in held if name.startswith(("tests/", "examples/", "benchmarks/"))]
