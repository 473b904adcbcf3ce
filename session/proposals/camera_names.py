"""Tell cameras and recordings by file names: which part of the names differs between cameras, which between trials."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...formats.files import natural_key

_CAMERA = re.compile(r"(?:cam(?:era)?|port|view|gopro)[-_ .]?(?:\d+|[a-z])", re.IGNORECASE)
_CAMERA_TOKEN = re.compile(rf"(?<![A-Za-z0-9])({_CAMERA.pattern})(?![A-Za-z0-9])", re.IGNORECASE)
_PLACES = frozenset(
    (
        *("left", "right", "top", "bottom", "side", "back", "front", "mid", "middle", "above", "below", "overhead"),
        *("up", "down", "lateral", "ventral", "dorsal", "north", "south", "east", "west", "behind", "center", "centre"),
        *("l", "r"),
    )
)
_GOPRO = re.compile(r"(G[XHLS])(\d{2})(\d{4})|(GOPR|GP(\d{2}))(\d{4})", re.IGNORECASE)
_DLC = re.compile(r"DLC[_-].*$")  # the scorer that DeepLabCut appends to a video's name
_SLEAP = re.compile(r"^.*\.\d{3}_(?=.)")  # the project that SLEAP puts before it: labels.v001.000_
_ENDINGS = re.compile(
    r"(\.analysis|\.predictions?|\.(?:mp4|avi|slp)|_json|_filtered|_el|_bx|_sk|_predictions?|_proofread)$"
)


@dataclass(frozen=True)
class Source:
    """Something a camera recorded: the path that its name is read from, and its file or files."""

    path: Path
    files: tuple[Path, ...]


def chapters(paths: Iterable[Path]) -> list[Source]:
    """Videos as sources; the numbered files of one recording of a GoPro (GX010042, GX020042, ...) are one."""
    grouped: dict[Path, list[tuple[int, Path]]] = {}
    for path in paths:
        match = _GOPRO.fullmatch(path.stem)
        if match is None:
            grouped[path] = [(0, path)]
            continue
        kind, chapter, number = (match[1], match[2], match[3]) if match[1] else ("GP", match[5] or 0, match[6])
        grouped.setdefault(path.with_stem(f"{kind.upper()}{number}"), []).append((int(chapter), path))
    return [Source(name, tuple(file for _, file in sorted(files))) for name, files in grouped.items()]


def video_stem(path: Path) -> str:
    """The name of the video that a 2D file was made from, as far as the file's own name tells."""
    stem = _SLEAP.sub("", path.name.removesuffix(path.suffix))
    stem = _DLC.sub("", stem)
    while _ENDINGS.search(stem):
        stem = _ENDINGS.sub("", stem)
    return stem.rstrip("_-. ") or path.stem


def tokens(path: Path) -> list[str]:
    """The words of a path: of its folders and of its name; a camera's word and number are one."""
    found: list[str] = []
    for part in (*path.parts[:-1], path.stem):
        marked = _CAMERA_TOKEN.sub(lambda match: f"\0{match[0]}\0", part)
        for i, piece in enumerate(marked.split("\0")):
            found += [piece] if i % 2 else [word for word in re.split(r"[-_. ]+", piece) if word]
    return found


def normal(word: str) -> str:
    """A word in small letters, without separators and without zeros before numbers."""
    return re.sub(r"0+(?=\d)", "", re.sub(r"[-_. ]+", "", word.lower()))


def words_of(path: Path) -> set[str]:
    """Normal forms of a path's words, folders and stem, and of up to four words in a row."""
    found = {normal(part) for part in (*path.parts[:-1], path.stem, video_stem(path))}
    listed = [normal(word) for word in tokens(path.with_name(f"{video_stem(path)}.x"))]
    return found | {"".join(listed[i : i + n]) for n in range(1, 5) for i in range(len(listed) - n + 1)}


def recordings(sources: Sequence[Source]) -> dict[str, dict[str, Source]]:
    """{recording: {camera: source}}; the recording is "" where there is one."""
    if not sources:
        return {}
    rows = [tokens(source.path) for source in sources]
    grouped = _by_columns(sources, rows) if len({len(row) for row in rows}) == 1 else None
    if grouped is None:
        grouped = {"": dict(zip(_stems([source.path for source in sources]), sources, strict=True))}
    ordered = {key: dict(sorted(own.items(), key=lambda item: natural_key(item[0]))) for key, own in grouped.items()}
    return dict(sorted(ordered.items(), key=lambda item: natural_key(item[0])))


def _by_columns(sources: Sequence[Source], rows: list[list[str]]) -> dict[str, dict[str, Source]] | None:
    """Cameras by the column of words that names them, recordings by the others; None where no column does."""
    columns = [column for column in zip(*rows, strict=True) if len(set(column)) > 1]
    if not columns:
        return None
    camera = max(columns, key=lambda column: (_likeness(column), columns.index(column)))
    others = [column for column in columns if not _is_same(column, camera)]
    if not others and _likeness(camera) == 0:
        camera = columns[0]
    grouped: dict[str, dict[str, Source]] = {}
    stems = _stems([source.path for source in sources])
    for i, source in enumerate(sources):
        key = "_".join(dict.fromkeys(column[i] for column in others))
        name = camera[i]
        if name.isdigit():
            name = f"cam_{name}" if others else stems[i]
        if name in grouped.setdefault(key, {}):
            return None
        grouped[key][name] = source
    complete = all(len(own) == len(set(camera)) for own in grouped.values())
    if len(grouped) > 1 and _likeness(camera) == 0 and not complete:
        return None
    return None if len(grouped) > 1 and all(len(own) == 1 for own in grouped.values()) else grouped


def _likeness(column: Sequence[str]) -> int:
    """2: words like cam1; 1: places, such as left, or single letters; 0: others."""
    if all(_CAMERA.fullmatch(word) for word in column):
        return 2
    return int(all(word.lower() in _PLACES for word in column))


def _is_same(a: Sequence[str], b: Sequence[str]) -> bool:
    """Whether two columns tell the same files apart."""
    return len(set(zip(a, b, strict=True))) == len(set(a)) == len(set(b))


def _stems(paths: list[Path]) -> list[str]:
    """The files' stems; their folders' names where each lies in a folder of its own; else the whole path's words."""
    parents = [path.parent.name for path in paths]
    if len(set(parents)) == len(paths) > 1:
        return parents
    stems = [path.stem for path in paths]
    return stems if len(set(stems)) == len(paths) else ["_".join(path.with_suffix("").parts) for path in paths]
