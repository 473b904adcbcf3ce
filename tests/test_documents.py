"""The documents say what runs: their Python blocks are executed, and the command lines they show can be parsed."""

import json
import re
import shlex
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import matplotlib
import numpy as np
import pytest
import tomli_w
import typer
from matplotlib.figure import Figure

from muybridge import formats, pose2d, triangulate
from muybridge.calibration import CharucoBoard
from muybridge.cameras import CameraRig
from muybridge.datasets import Skeleton, pose_dataset, views_dataset, write_dataset
from muybridge.formats import write_views
from muybridge.formats.catalogue import FORMATS
from muybridge.kinematics import joint_angles
from muybridge.session import read_session
from muybridge.session.command_line import app
from tests.calibration.synthetic import render_board, small_rig, smooth_motion
from tests.helpers import write_picture_video
from tests.labelling.conftest import write_pictures

ROOT = Path(__file__).resolve().parents[1]
PAGES = {page.relative_to(ROOT).as_posix(): page.read_text(encoding="utf-8")
         for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))}  # fmt: skip
LEG = ("left_hip", "left_knee", "left_ankle")


def python_blocks(text):
    return re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def toml_blocks(text):
    """Fenced, or indented where a table begins."""
    fenced = re.findall(r"^```toml\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    indented = re.findall(r"^    (\[[a-z.]+\]\n(?:(?:    [^\n]*)?\n)*)", text, re.MULTILINE)
    return fenced + [block.replace("\n    ", "\n") for block in indented]


def commands(text):
    """(words after `muybridge`, whether the line stands in a block and so is complete) of every command of a page."""
    text = re.sub(r"^```(?!bash|console)\w*\n.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    inline = re.findall(r"`muybridge ([^`]+)`", text)
    blocks = re.findall(r"^(?: {4}|)(?:\S.*&& )?(?:\.venv/bin/)?muybridge ([a-z][^\n]*)$", text, re.MULTILINE)
    return [(shlex.split(line, comments=True), whole) for found, whole in ((inline, False), (blocks, True))
            for line in found]  # fmt: skip


def a_recording(_: pytest.MonkeyPatch) -> dict[str, object]:
    """Two cameras' videos of a board and 2D points of a leg, and kinematics that a run has written."""
    cameras = zip(("left", "right"), small_rig(2), strict=True)
    rig = CameraRig(tuple(replace(camera, name=name) for name, camera in cameras))
    for name, pictures in render_board(rig, *smooth_motion(12), board=CharucoBoard(7, 10, 25.0, 18.75)).items():
        write_picture_video(Path(f"board_{name}.mp4"), pictures)
    times = np.arange(60) / 100
    leg = np.array([[0.0, 0, 60], [20, 0, 30], [0, 0, 0]]) + 20 * np.sin(5 * times)[:, None, None]
    views = views_dataset(rig.project(leg), cameras=rig.names, keypoints=LEG, times=times)
    for written in write_views(views, ".", format="deeplabcut-h5"):
        camera = next(name for name in rig.names if name in written.name)
        written.rename(f"{camera}.h5")
    pose = pose_dataset(leg, keypoints=LEG, times=times, unit="mm")
    Path("results").mkdir()
    write_dataset(joint_angles(pose, {"left_knee": LEG}), "results/kinematics.nc")
    return {}


def views_of_a_body(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """What the page of the body starts from; fits are slow, so only their arguments are checked."""
    for name in ("fit_body", "MovementPrior"):
        monkeypatch.setattr(triangulate, name, create_autospec(getattr(triangulate, name)))
    rig = small_rig(2)
    views = views_dataset(np.zeros((2, 3, 1, 2)), cameras=rig.names, keypoints=["nose"], times=np.arange(3) / 100)
    others = [f"{kind}_{number}" for kind in ("capture", "pose", "fit") for number in (1, 2)]
    given = {"ax": Figure().add_subplot(projection="3d"), "views": views, "rig": rig, "names": ["nose"]}
    return given | dict.fromkeys(others)


def pictures_to_label(_: pytest.MonkeyPatch) -> dict[str, object]:
    write_pictures(Path("recording"))
    Path("recording/config.yaml").write_text("bodyparts:\n- nose\n- tail\n")
    return {}


def files_of_other_programs(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """The page's files of weights are on nobody's disk: only the arguments of the calls are checked."""
    for name in ("load_detector", "predict", "read_labels", "train"):
        monkeypatch.setattr(pose2d, name, create_autospec(getattr(pose2d, name)))
    return {"names": ["nose", "tail"], "labels": None}


def views_of_two_animals(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """Two walking animals, whose rows the second camera shows the other way round; of files that no disk has."""
    rig, times = small_rig(3), np.arange(60) / 30
    body = np.array([[0.0, 0, 0], [30, 0, 10], [60, 0, 20]])
    walks = np.stack([body + np.array([0.0, away, 0]) + 20 * np.sin(times)[:, None, None] for away in (-60, 60)])
    points_2d = np.stack([rig.project(walk) for walk in walks])
    points_2d[:, 1] = points_2d[::-1, 1].copy()
    keypoints = ["tail_base", "spine", "nose"]
    views = views_dataset(points_2d, cameras=rig.names, keypoints=keypoints, times=times)
    monkeypatch.setattr(formats, "read_views", create_autospec(formats.read_views, return_value=views))
    bones = (("tail_base", "spine"), ("spine", "nose"))
    return {"files": {}, "rig": rig, "skeleton": Skeleton(tuple(keypoints), bones)}


# what the blocks of a page find in the folder, and the names that they start from
GIVEN: dict[str, Callable[[pytest.MonkeyPatch], dict[str, object]]] = {
    "docs/other_detectors.md": files_of_other_programs,
    "docs/several_animals.md": views_of_two_animals,
    "README.md": a_recording, "docs/articulated.md": views_of_a_body, "docs/labelling.md": pictures_to_label
}  # fmt: skip


@pytest.mark.parametrize("page", [page for page, text in PAGES.items() if python_blocks(text)])
def test_the_python_blocks_of_a_page_run_one_after_another(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    matplotlib.use("Agg")
    names = GIVEN[page](monkeypatch) if page in GIVEN else {}
    for number, block in enumerate(python_blocks(PAGES[page]), 1):
        exec(compile(block, f"{page}, block {number}", "exec"), names)


@pytest.mark.parametrize("page", [page for page, text in PAGES.items() if toml_blocks(text)])
def test_the_settings_that_a_page_shows_are_read(page, tmp_path):
    """Tables of session.toml beside two cameras, or a body."""
    for name in ("left.csv", "right.csv"):
        (tmp_path / name).touch()
    for block in toml_blocks(PAGES[page]):
        tables = tomllib.loads(block)
        if "segments" in tables:
            (tmp_path / "body.toml").write_text(block, encoding="utf-8")
            assert triangulate.read_body(tmp_path / "body.toml").skeleton.keypoints
            continue
        given = {"cameras": {name: {"points": f"{name}.csv"} for name in ("left", "right")},
                 "skeleton": {"keypoints": ["nose", "snout", "tailbase", "left_toe", "right_toe"]}}  # fmt: skip
        (tmp_path / "session.toml").write_text(tomli_w.dumps(given | tables), encoding="utf-8")
        read_session(tmp_path)  # names every key that it does not know


@pytest.mark.parametrize("page", [page for page, text in PAGES.items() if commands(text)])
def test_the_commands_that_a_page_shows_can_be_typed(page):
    group: Any = typer.main.get_command(app)
    for words, whole in commands(PAGES[page]):
        with group.make_context("muybridge", list(words)) as context:
            name, command, rest = group.resolve_command(context, list(words))
            try:
                command.make_context(name, rest, parent=context)
            except Exception as error:
                if whole or type(error).__name__ != "MissingParameter":  # the text may name a command without its files
                    raise AssertionError(f"{page}: muybridge {' '.join(words)}: {error}") from error
        if name == "export" and len(words) > 1 and words[1].islower():
            assert words[1] in {row.name for row in FORMATS if row.write}, f"{page}: {' '.join(words)}"


def test_the_extras_that_pages_and_messages_name_exist_and_each_is_named():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    rooms = sorted(path.parent for path in ROOT.glob("*/__init__.py") if path.parent.name != "tests")
    sources = (path for room in rooms for path in room.rglob("*.py"))
    texts = [*PAGES.values(), *(path.read_text(encoding="utf-8") for path in sources)]
    installed = r"(?:muybridge|'\.|\"\.)\[([a-z0-9,]+)\]"
    named = {extra for text in texts for found in re.findall(installed, text) for extra in found.split(",")}
    named |= {extra for text in texts for extra in re.findall(r"extras? `?\[([a-z0-9]+)\]", text)}
    assert named - set(declared) <= {"extra"}  # the word that stands for one of them
    assert set(declared) - named <= {"test", "docs", "dev"}, "no page or message says what these are for"


def test_every_page_is_in_a_table_of_contents():
    pages = {page.removeprefix("docs/").removesuffix(".md") for page in PAGES if page.startswith("docs/")}
    listed = {
        (Path(page).parent / entry).as_posix().removeprefix("docs/")
        for page, text in PAGES.items()
        for block in re.findall(r"^```\{toctree\}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
        for entry in re.findall(r"^([a-z_/]+)$", block, re.MULTILINE)
    }
    assert pages - {"index"} <= listed


def test_the_numbers_of_the_evidence_pages_are_those_of_the_benchmarks():
    measured = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    for page, text in PAGES.items():
        if page.startswith("docs/evidence/"):
            assert not [number for number in re.findall(r"\d+\.\d+", text) if number not in measured], page


@pytest.mark.parametrize(
    "notebook", sorted((ROOT / "examples" / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem
)
def test_notebooks_are_listed_and_kept_without_output(notebook):
    """They are run by the build of the documentation; outputs would stay in the history for good."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    assert not [cell for cell in cells if cell.get("outputs") or cell.get("execution_count")]
    assert f"notebooks/{notebook.stem}\n" in PAGES["docs/notebooks.md"]
