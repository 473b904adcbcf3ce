"""What a message of the library advises for Python is said in the words of session.toml on the command line."""

import ast
import re
from pathlib import Path

import pytest

from muybridge.session.run_warnings import for_session

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("formats", "calibration", "triangulate", "kinematics", "pose2d", "timeseries", "datasets", "cameras",
         "session", "report")  # fmt: skip
# arguments in messages of functions that no session calls, or that are no advice
UNREACHABLE = {
    "names", "by", "weights", "n_tta", "kind", "images", "videos", "labels", "noise", "skeleton", "prior", "max_offset",
    "view", "projection", "cutoff", "format", "to", "reference", "model", "n", "track_crop", "order",
}  # fmt: skip


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("if only the end is missing, give pad=True)", "if only the end is missing, give pad = true in [predict])"),
        ("give keypoints=[...]", "give keypoints = [...] in [predict]"),
        ("never assumed: give fps=... (hertz)", "never assumed: give fps = ... in [session] (hertz)"),
        ("Pass offsets={'a': 3, 'b': -2} or cut", "Pass offsets = {a = 3, b = -2} in [calibrate] or cut"),
        ("order and legacy=True/False, or", "order and legacy = true or false in [board], or"),
        ("of corners_x=9, corners_y=6 inner", "of corners_x = 9, corners_y = 6 in [board] inner"),
        ("give size=(width, height) in pixels", "give size = [width, height] in each [cameras.NAME] in pixels"),
        ("needs the vertical: give up=(0, 0, 1)", "needs the vertical: give up = [0, 0, 1] in [session]"),
        ("set animal_detector=False", "set animal_detector = false in [train]"),
        ("R = 3 and a == b, x=unknown_value", "R = 3 and a == b, x=unknown_value"),
        ("state scale = 0.5 in [cameras.cam_1]", "state scale = 0.5 in [cameras.cam_1]"),
    ],
)  # fmt: skip
def test_arguments_become_keys_with_their_table(said, expected):
    assert for_session(said) == expected


def messages(path):
    """The texts of errors and warnings in a file, with ... for what is filled in."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            yield "".join(part.value if isinstance(part, ast.Constant) else "0" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and "\n" not in node.value:
            yield node.value


def test_no_message_that_a_session_can_meet_advises_an_argument_of_python():
    left = {}
    for part in PARTS:
        for path in (ROOT / part).rglob("*.py"):
            for text in messages(path):
                if not re.search(r"(?i)\b(give|pass|set|state|check|need\w*|leav\w*|with)\b", text) or "<" in text:
                    continue
                found = re.findall(r"\b([a-z][a-z0-9_]*)=(?=True|False|None|\.\.\.|[\[({'\"0-9])", for_session(text))
                found = [name for name in found if name not in UNREACHABLE]
                if found:
                    left[f"{path.relative_to(ROOT)}: {text[:80]}"] = found
    assert left == {}
