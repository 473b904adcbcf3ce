"""Every key of session.toml with its type, default and meaning, from the code: session entries and functions' options.

The options of a step are the keywords of its public functions, described by their docstrings.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from .config import STEPS, CameraSources, Session
from .steps import ALL_STEPS
from .steps.step_definition import Step

# table: key: (type, default, meaning) of the entries that the session reads itself
ENTRIES: dict[str, dict[str, tuple[str, str, str]]] = {
    "session": {
        "name": ("text", "the folder's name", "Title of the report; names the session in 'muybridge collect'."),
        "animal": ("text", "", "Name of the animal, where there is one: a column of 'muybridge collect'."),
        "output": ("path", '"results"', "Folder of the results."),
        "unit": ("text", '"mm"', "World unit: that of the board's lengths and of the results."),
        "fps": (
            "number, hertz",
            "the videos'",
            "The true frame rate; it overrules videos that state another, with a note.",
        ),
        "rig": (
            "path",
            "calibrated from the board recordings",
            "File of cameras calibrated elsewhere: anipose, caliscope, OpenCV, Pose2Sim, Qualisys, Label3D, DLT.",
        ),
        "up": ("three numbers", "the rig's", "Direction against gravity in the world; gait and headings need it."),
        "floor_frame": (
            "whole number",
            "",
            "Board frame in which the board lies on the floor: it sets the world's origin, axes and vertical.",
        ),
    },
    "cameras.NAME": {
        "video": (
            "path, or list of paths",
            "",
            "Video of the animal; a list holds the files of one recording (chapters).",
        ),
        "board": (
            "path, or list of paths",
            "",
            "Recording of the board: a video, a folder of pictures, or a list of them.",
        ),
        "lens_board": (
            "path, or list of paths",
            "",
            "Another recording of the board for this camera's lens; it need not be simultaneous with any other.",
        ),
        "points": (
            "path, or list of paths",
            "",
            "2D points of another tool: a file, a folder of OpenPose's, or one file of all cameras (caliscope, EKS);"
            " 'muybridge help formats' lists them. A list holds one file per detector of an ensemble.",
        ),
        "timestamps": (
            "path",
            "the video's own times",
            "File with the time of each frame of the video (or of the 2D file).",
        ),
        "board_timestamps": (
            "path",
            "",
            "File with the time of each frame of the board recording, for asynchronous cameras.",
        ),
        "size": (
            "[width, height]",
            "the rig's",
            "Size of the calibrated picture, where the rig file does not state it.",
        ),
        "crop": (
            "[x, y], or [x, y, width, height]",
            "none",
            "Corner of the video's picture within the calibrated one, pixels of the calibrated picture.",
        ),
        "scale": (
            "number",
            "1",
            "Size of the video's picture relative to the calibrated one: 0.5 for half the resolution.",
        ),
        "mirror": (
            "true or false",
            "false",
            "Whether the video's picture is mirrored left to right against the calibrated one, as a mirror shows it.",
        ),
        "delay": ("number", "0", "Frames, with fractions, by which the camera is late; negative where it is early."),
    },
    "board": {
        "type": ("text", '"charuco"', '"charuco" or "checkerboard".'),
    },
    "board_recordings.NAME": {
        "CAMERA": (
            "path, or list of paths",
            "",
            "What a camera filmed of the board in this recording; cameras that did not film are left out. Recordings of"
            " pairs, one after another, make one rig if they connect all cameras.",
        ),
        "board": ("table", "[board]", "The values of this recording's board, where it was another one."),
    },
    "skeleton": {
        "keypoints": (
            "list of texts",
            "those of the 2D points",
            "Names of the keypoints, in the order of the results.",
        ),
        "bones": ("list of pairs", "[]", "(parent, child) keypoints of constant distance."),
        "symmetries": ("list of pairs", "[]", "(left, right) keypoints."),
        "root": ("text", "none", "The keypoint that the others hang from."),
    },
    "animals": {
        "count": (
            "whole number",
            "found",
            "Number of animals; further ones are left out, with a warning.",
        ),
        "identity": (
            '"known", "tracks" or "detections"',
            "found",
            "What the rows of the 2D files are: the same animal in all cameras, tracks of each camera, or detections of"
            " a frame in any order, as OpenPose lists people.",
        ),
    },
    "joints": {
        "NAME": (
            "list of three texts, or table",
            "",
            "The angle at the second keypoint, or the arguments of a kind of joint.",
        ),
    },
    "gait": {
        "LIMB": ("text", "", "Keypoint of the limb's foot: strides, phases and the gait's name; needs the vertical.")
    },
    "calibrate": {
        "intrinsics": (
            "path",
            "",
            "Rig file whose cameras' lenses are kept, such as results/lenses.toml of --intrinsics-only.",
        ),
        "from": (
            '"board" or "points"',
            '"board"',
            "What places the cameras: recordings of a board, or the 2D points of the animal with `intrinsics`.",
        ),
        "cache": (
            "true, false or folder",
            "true",
            "Keep the corners found on the board for the next run: in results/board_corners, or in the folder named.",
        ),
    },
    "train": {
        "labels": ("path, or list of paths", "", "Folders or files of labelled frames."),
        "sessions": ("list of paths", "", "Other sessions, whose [train] labels are used, too: one detector for all."),
        "weights": (
            "path",
            "random",
            'A file of pretrained weights, "imagenet" (fetched by the hub extra) or "efficientnet-lite0" (of the extra'
            " pretrained).",
        ),
        "start": ("path", "", "A detector to continue from; it must know the labels' keypoints."),
        "detector": (
            "path",
            "",
            "A detector that others trained (DeepLabCut 3, Lightning Pose, ONNX), or you: it predicts as it is, or is"
            " fine-tuned on `labels`.",
        ),
        "keypoints": ("table", "", "The session's names of that detector's keypoints; `check` proposes them."),
        "detector_options": ("table", "", "Options of `load_detector` for it: keypoints, box, scale, config, onnx."),
    },
    "predict": {
        "detector": ("path", "the trained one", "A detector that `train` or `Detector.save` wrote."),
        "use_rig": (
            "true or false",
            "false",
            "Weigh the places that the maps of all cameras of an instant show by how well they agree in 3D.",
        ),
    },
    "reconstruct": {
        "check_coverage": (
            "true or false",
            "true",
            "Check the error bars by leaving each camera out, and rescale them where they fail; needs 3 cameras.",
        ),
        "prior": ("path", "learned from the recording", "Pose states that PosePrior.save wrote (method gimbal)."),
        "noise": ("path", "estimated from the recording", "Noise of the detector that DetectorNoise.save wrote."),
        "match_individuals": ("true or false", "true", "Match several tracks per view across views, frame by frame."),
        "frame_offsets": (
            "true or false",
            "false",
            "Find cameras that are late, with fractions of a frame, or that lost frames midway, and shift them.",
        ),
        "refine_rig": (
            "true or false",
            "false",
            "Refine the cameras' poses and delays from the animal (refined_rig.toml).",
        ),
    },
}


@dataclass(frozen=True)
class Key:
    """One key of session.toml: its table, name, type, default ("" where there is none) and meaning."""

    table: str
    name: str
    kind: str
    default: str
    meaning: str


def session_keys() -> list[Key]:
    """Every key, table by table; those of a step whose extra is not installed are left out."""
    keys = [
        Key(table, name, *entry) for table, own in ENTRIES.items() if table not in STEPS for name, entry in own.items()
    ]
    keys = [key for key in keys if key.table != "cameras.NAME" or key.name in {f.name for f in fields(CameraSources)}]
    keys += [key for key in _board_keys() if key.name not in ENTRIES["board"]]
    for step in ALL_STEPS.values():
        keys += [Key(step.name, name, *entry) for name, entry in ENTRIES.get(step.name, {}).items()]
        keys += _step_keys(step)
    order = [*(table for table in ENTRIES if table not in STEPS), *STEPS]
    return sorted(keys, key=lambda key: order.index(key.table))


def _board_keys() -> list[Key]:
    from ..calibration import CharucoBoard, Checkerboard

    found: dict[str, Key] = {}
    for kind in (CharucoBoard, Checkerboard):
        meanings = documented(kind)
        for parameter in inspect.signature(kind).parameters.values():
            found.setdefault(parameter.name, _key("board", parameter, meanings))
    return list(found.values())


def _step_keys(step: Step) -> list[Key]:
    """The options of a step's functions in every use: with 2D files or videos, and with each method."""
    found: dict[str, Key] = {}
    methods: dict[str, list[str]] = {}
    uses = list(_uses(step))
    for use, session in uses:
        try:
            functions, options = step.functions(session), step.options(session)
        except ModuleNotFoundError:
            continue
        meanings = {name: text for function in reversed(functions) for name, text in documented(function).items()}
        for name, parameter in options.items():
            if name in ENTRIES.get(step.name, {}):
                continue
            found.setdefault(name, _key(step.name, parameter, meanings))
            methods.setdefault(name, []).append(use)
    return [key if len(methods[key.name]) == len(uses) else _limited(key, methods[key.name]) for key in found.values()]


def _limited(key: Key, uses: Iterable[str]) -> Key:
    return Key(key.table, key.name, key.kind, key.default, f"{key.meaning} (With {', '.join(uses)}.)")


def _uses(step: Step) -> Iterable[tuple[str, Session]]:
    """The step in sessions that make it call other functions: words for the use, and the session."""
    if step.name == "predict":
        yield "videos", _empty_session()
        yield "2D files", _empty_session(cameras={"": CameraSources(points=Path())})
    elif step.name == "calibrate":
        yield 'from = "board"', _empty_session()
        yield 'from = "points"', _empty_session(options={"calibrate": {"from": "points"}})
    elif step.name == "reconstruct":
        from ..triangulate import RECONSTRUCTION_METHODS

        for method in RECONSTRUCTION_METHODS:
            yield method, _empty_session(options={"reconstruct": {"method": method}})
    else:
        yield "", _empty_session()


def _empty_session(**given: Any) -> Session:
    blank: dict[str, Any] = {"name": "", "unit": "mm", "fps": None, "cameras": {}, "board": None, "skeleton": None}
    options = {step: {} for step in STEPS} | given.pop("options", {})
    return Session(Path("session.toml"), output=Path("results"), joints={}, options=options, **blank | given)


def _key(table: str, parameter: inspect.Parameter, meanings: dict[str, tuple[str, str]]) -> Key:
    kind, meaning = meanings.get(parameter.name, ("", ""))
    default = "" if parameter.default in (parameter.empty, None) else _as_toml(parameter.default)
    return Key(table, parameter.name, kind.removesuffix(", optional"), default, meaning)


def _as_toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value}"'
    return "[]" if value == () else str(value)


def documented(function: Callable) -> dict[str, tuple[str, str]]:
    """{parameter: (type, meaning)} of a numpydoc docstring."""
    text = inspect.getdoc(function) or ""
    match = re.search(r"^Parameters\n-+\n(.*?)(?=^\w[^\n]*\n-{3,}\n|\Z)", text, re.DOTALL | re.MULTILINE)
    found = {}
    for block in re.split(r"\n(?=\S)", match[1].rstrip() if match else ""):
        head, _, body = block.partition("\n")
        names, _, kind = head.partition(" : ")
        for name in names.split(", "):
            found[name.strip("* ")] = (kind.strip(), " ".join(body.split()))
    return found


def as_text(keys: Iterable[Key], width: int = 100) -> str:
    """The reference for a terminal."""
    lines, table = [], ""
    for key in keys:
        if key.table != table:
            table = key.table
            lines += ["", f"[{table}]"]
        default = f" = {key.default}" if key.default else ""
        lines.append(f"  {key.name}{default}" + (f"    ({key.kind})" if key.kind else ""))
        lines += textwrap.wrap(key.meaning, width, initial_indent="      ", subsequent_indent="      ")
    return "\n".join(lines).lstrip("\n")


def as_rst(keys: Iterable[Key]) -> list[str]:
    """The reference as lines of reStructuredText: a heading and a definition list for each table."""
    lines, table = [], ""
    for key in keys:
        if key.table != table:
            table = key.table
            lines += ["", f".. rubric:: [{table}]", ""]
        default = f", default ``{key.default}``" if key.default else ""
        lines += [f"``{key.name}`` : {_escaped(key.kind)}{default}", f"    {_escaped(key.meaning) or '–'}", ""]
    return lines


def _escaped(text: str) -> str:
    return text if "`" in text else re.sub(r"([*_|\\])", r"\\\1", text)


def chosen(keys: Iterable[Key], word: str | None) -> list[Key]:
    """The keys of a table or of a name; all where no word is given.

    Raises
    ------
    ValueError : there is no such table or key
    """
    from ..datasets.names import nearest

    keys = list(keys)
    if word is None:
        return keys
    plain = word.strip("[]")
    found = [key for key in keys if plain in (key.table, key.table.split(".")[0], key.name, f"{key.table}.{key.name}")]
    if not found:
        known = list(dict.fromkeys([*(key.table for key in keys), *(key.name for key in keys)]))
        raise ValueError(
            f"session.toml has no table or key '{word}'{nearest(plain, known)}; see 'muybridge help session'"
        )
    return found
