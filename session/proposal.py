"""`muybridge init`: propose a session.toml for each recording in a folder, and say what was left out."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from ..formats.video.reading import VIDEO_SUFFIXES
from .config import SessionError
from .proposals.assembly import Recording, assemble, home_of, is_board
from .proposals.board_films import sort_board_films
from .proposals.found_files import FoundFile, sort_files
from .provenance import write_text

# comments that explain the file, and the tables that do not depend on what a folder holds
_TEMPLATE = Path(__file__).with_name("proposal.toml").read_text(encoding="utf-8")
_SHOWN_ALIKE = 5  # files of one folder that were left out for one reason; more are one line


@dataclass(frozen=True, eq=False)
class Proposal:
    """A session file to write.

    path : of the session.toml; tables : its content; notes : where values come from; left_out : {file: reason}, of the
    whole folder; lacking : what the user is to add or correct
    """

    path: Path
    tables: dict[str, Any]
    notes: tuple[str, ...]
    left_out: dict[Path, str]
    lacking: tuple[str, ...] = ()

    @property
    def next_step(self) -> str:
        """What to add or correct, and the command to go on with: recordings of boards alone make the cameras."""
        films_animal = any({"video", "points"} & set(entry) for entry in self.tables["cameras"].values())
        command = f"'muybridge {'check' if films_animal else 'calibrate'} {self.path}'"
        return ", ".join([*self.lacking, f"then {command}" if self.lacking else f"go on with {command}"])

    def text(self) -> str:
        """The content of the file, with the notes and what was left out as comments."""
        head = _TEMPLATE.partition("\n[session]\n")[0].splitlines()
        head += [f"# {note}" for note in self.notes]
        if self.left_out:
            head += ["#", "# left out:", *(f"#   {line}" for line in left_out_lines(self.left_out))]
        return "\n".join(head) + "\n\n" + tomli_w.dumps(self.tables)


def propose_sessions(folder: str | os.PathLike) -> list[Proposal]:
    """A session for each recording found below a folder: cameras and recordings are recognised by the files' names.

    Known are the folders of DeepLabCut, SLEAP, sleap-anipose, anipose, caliscope, Pose2Sim, freemocap, GoPro chapters,
    and plain videos or 2D files whose names differ by the camera. What lies under a name with "board", "calib",
    "charuco", "checker" or "extrinsic" is a board recording; where nothing does, so are videos without 2D points whose
    pictures show a board in several places. The board's measures are read from those tools' files, or guessed from
    pictures of it.

    Raises
    ------
    SessionError : the folder does not exist or holds neither videos, 2D files nor board recordings
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise SessionError(f"there is no folder {folder}")
    files = sort_board_films(folder, sort_files(folder))
    recordings = assemble(files)
    if not recordings:
        raise SessionError(f"{folder} holds no videos ({', '.join(VIDEO_SUFFIXES)}) and no 2D files to name cameras by")
    homes = {}
    for recording in recordings:
        others = [other for other in recordings if other is not recording]
        homes[recording.key] = folder / (home_of(recording, others) if others else Path())
    rigs = {recording.key: _rig_of(folder, recording) for recording in recordings}
    left_out = _left_out(files, recordings, {key: found[1] for key, found in rigs.items()})
    return [_proposal(folder, homes[r.key], r, rigs[r.key][0], files, left_out) for r in recordings]


def write_proposals(folder: str | os.PathLike, *, overwrite: bool = False) -> list[Proposal]:
    """Write the proposals: session.toml in the folder, or of several recordings each in a folder of its own.

    Raises
    ------
    SessionError : one is already there (and not `overwrite`), or nothing was found to propose
    """
    path = Path(folder) / "session.toml"
    proposals = [] if path.exists() and not overwrite else propose_sessions(folder)
    taken = [path] if not proposals else [proposal.path for proposal in proposals if proposal.path.exists()]
    if taken and not overwrite:
        raise SessionError(f"{taken[0]} already exists; edit it, or replace it with --overwrite")
    for proposal in proposals:
        proposal.path.parent.mkdir(parents=True, exist_ok=True)
        write_text(proposal.path, proposal.text())
    return proposals


def left_out_lines(left_out: dict[Path, str]) -> list[str]:
    """One line per file that was left out, with the reason; many alike of one folder in one line."""
    grouped: dict[tuple[Path, str, str], list[Path]] = {}
    for path, reason in left_out.items():
        grouped.setdefault((path.parent, path.suffix, reason), []).append(path)
    lines = []
    for (parent, suffix, reason), paths in grouped.items():
        if len(paths) > _SHOWN_ALIKE:
            lines.append(f"{(parent / f'*{suffix}').as_posix()} ({len(paths)} files): {reason}")
        else:
            lines += [f"{path.as_posix()}: {reason}" for path in paths]
    return lines


def _proposal(
    folder: Path,
    home: Path,
    recording: Recording,
    rig: Path | None,
    files: Sequence[FoundFile],
    left_out: dict[Path, str],
) -> Proposal:
    """Tables with paths relative to the session file; the board's values where it is needed."""
    tables, notes, lacking = tomllib.loads(_TEMPLATE), [], []
    tables["session"]["name"] = recording.key or folder.resolve().name
    tables["cameras"] = {
        name: {
            kind: _relative(folder, home, paths) for kind, paths in entry.items() if rig is None or "board" not in kind
        }
        for name, entry in recording.cameras.items()
    }
    if rig is None and recording.board_recordings:
        tables["board_recordings"] = {
            name: {camera: _relative(folder, home, paths) for camera, paths in own.items()}
            for name, own in recording.board_recordings.items()
        }
    has_points = any("points" in entry for entry in recording.cameras.values())
    if has_points and not any({"video", "timestamps"} & set(entry) for entry in recording.cameras.values()):
        notes.append("no video states the frame rate: add fps, in frames per second, to [session]")
        lacking.append("add the frame rate")
    if rig is not None:
        tables["session"]["rig"] = _relative(folder, home, (rig,))
        notes.append(
            f"the cameras come from {rig.as_posix()}; remove [session] rig to calibrate them from board recordings"
        )
        del tables["board"]
    else:
        tables["board"], note, is_known = _board(folder, recording, files, tables["board"])
        notes += [note, *_films_of_boards(recording)]
        lacking += [] if is_known else ["correct the board"]
    if recording.labels is not None and not any("points" in entry for entry in recording.cameras.values()):
        tables["train"] = {"labels": _relative(folder, home, (recording.labels,))}
        n_animals = _n_labelled(folder / recording.labels)
        if n_animals > 1:
            tables["animals"] = {"count": n_animals}
            notes.append(
                f"up to {n_animals} animals are labelled in a picture: correct [animals] count if there are more"
            )
    elif not has_points and any("video" in entry for entry in recording.cameras.values()):
        lacking.append(
            "name a source of 2D points (a 'points' file of each camera, [train] labels or [train] detector)"
        )
    return Proposal(home / "session.toml", tables, tuple(notes), left_out, tuple(lacking))


def _films_of_boards(recording: Recording) -> list[str]:
    """A note on videos that only their pictures show to be of a board."""
    found = [path for entry in recording.cameras.values() for path in entry.get("board", ())]
    films = [path.as_posix() for path in found if path.suffix.lower() in VIDEO_SUFFIXES and not is_board(path)]
    return [f"these show a board in several places and are taken as recordings of it: {', '.join(films)}"] * bool(films)


def _n_labelled(labels: Path) -> int:
    """The most animals that are labelled in one picture; 1 where the labels cannot be read, which `check` reports."""
    from ..formats.labels.reading import read_labels

    try:
        return read_labels(labels).n_animals
    except (ValueError, OSError):
        return 1


def _relative(folder: Path, home: Path, paths: Sequence[Path]) -> str | list[str]:
    found = [Path(os.path.relpath(folder / path, home)).as_posix() for path in paths]
    return found[0] if len(found) == 1 else found


def _board(
    folder: Path, recording: Recording, files: Sequence[FoundFile], default: dict[str, Any]
) -> tuple[dict[str, Any], str, bool]:
    """The table [board], where it comes from (a tool's file, the pictures, or nowhere), and whether it is known."""
    from .proposals.board_values import values_from_file, values_from_pictures

    for path in (file.path for file in files if file.kind == "values"):
        found = values_from_file(folder / path)
        if found is not None:
            return found, f"the board's measures are those of {path.as_posix()}, in mm", True
    boards = [entry["board"] for entry in recording.cameras.values() if "board" in entry]
    boards += [paths for own in recording.board_recordings.values() for paths in own.values()]
    sources: list[Path | list[Path]] = [
        folder / paths[0] if len(paths) == 1 else [folder / path for path in paths] for paths in boards[:2]
    ]
    guessed = values_from_pictures(sources)
    if guessed is None:
        return default, "the [board] is an example: count its squares, measure one in the unit of [session]", False
    note = "the board is the one that its pictures seem to show: measure square_length (and marker_length)"
    return guessed, note, False


def _rig_of(folder: Path, recording: Recording) -> tuple[Path | None, str]:
    """The file of the cameras, whose names the recording's cameras take; or None and why it cannot be used."""
    from ..cameras import read_rig
    from ..cameras.rig_files import cameras_in_one_place

    path = recording.rig
    if not any({"video", "points"} & set(entry) for entry in recording.cameras.values()):
        return None, "a file of cameras; the board recordings beside it calibrate them anew"
    if path is None or (folder / path).stat().st_size == 0:
        return path, ""
    try:
        rig = read_rig(folder / path)
    except (ValueError, OSError) as error:
        return None, f"no readable file of cameras: {error}"
    if cameras_in_one_place(rig):
        return None, f"no file of cameras with poses: {cameras_in_one_place(rig)}"
    names = rig.names
    own = {camera: _same_name(camera, names) for camera in recording.cameras}
    if None in own.values() or len(set(own.values())) < len(own):
        return None, f"a file of the cameras {list(names)}, which have other names than {list(own)}"
    recording.cameras = {str(own[camera]): entry for camera, entry in recording.cameras.items()}
    return path, ""


def _same_name(camera: str, names: Sequence[str]) -> str | None:
    """The one name that means the camera: the same, or its end (camA for A), without regard to zeros and case."""
    from .proposals.camera_names import normal

    mine = normal(camera)
    for fits in (lambda name: name == camera, lambda name: normal(name) == mine,
                 lambda name: mine.endswith(normal(name)) or normal(name).endswith(mine)):  # fmt: skip
        found = [name for name in names if fits(name)]
        if len(found) == 1:
            return found[0]
    return None


def _left_out(
    files: Sequence[FoundFile], recordings: Sequence[Recording], rig_reasons: dict[str, str]
) -> dict[Path, str]:
    """Why each file is in no session: those of a folder that a session names are in it."""
    rigs = {recording.rig for recording in recordings if not rig_reasons[recording.key]} - {None}
    entries = [entry for recording in recordings for entry in recording.cameras.values()]
    boards = [own for recording in recordings for own in recording.board_recordings.values() if not rigs]
    listed = [paths for entry in entries for kind, paths in entry.items() if not (rigs and "board" in kind)]
    listed += [paths for own in boards for paths in own.values()]
    used = {path for paths in listed for path in paths}
    if any("points" not in entry for entry in entries):
        used |= {recording.labels for recording in recordings if recording.labels is not None}
    reasons = {path: reason for recording in recordings for path, reason in recording.reasons.items()}
    left_out = {}
    for file in files:
        path = file.path
        if not (path in used or path in rigs or used & set(path.parents)):
            left_out[path] = (
                reasons.get(path) or reasons.get(path.parent) or _reason(file, recordings, rig_reasons, bool(rigs))
            )
    return left_out


def _reason(file: FoundFile, recordings: Sequence[Recording], rig_reasons: dict[str, str], has_rig: bool) -> str:
    if file.kind == "rig":
        told = [rig_reasons[r.key] for r in recordings if r.rig == file.path and rig_reasons[r.key]]
        return told[0] if told else file.reason
    if file.kind in ("board", "lens") and has_rig:
        return "a board recording, and the cameras come from a file"
    if file.kind == "timestamps" and has_rig:
        return "times of a board recording, and the cameras come from a file"
    if file.kind == "video":
        return "a video whose synchronised copy is used"
    return file.reason
