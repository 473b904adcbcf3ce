"""Sizes of pictures: those that the cameras were calibrated with, of the videos, and of the 2D points."""

from __future__ import annotations

import warnings
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...formats.video.reading import VideoError, probe_video
from ..config import CameraSources, Session, SessionError

if TYPE_CHECKING:
    from ...cameras import CameraRig
    from ...formats.rigs.records import RigRecord

Size = tuple[int, int]


def read_session_rig(session: Session) -> CameraRig:
    """The rig file of a session, as it was calibrated: sizes and unit completed by the session, all cameras there.

    Raises
    ------
    FormatError : the file cannot be read
    SessionError : a camera or a size is missing, or the units differ
    """
    from ...cameras.rig_files import cameras_in_one_place
    from ...formats.rigs.reading import read_rig_record
    from ...formats.rigs.records import UnknownSizeError

    assert session.rig is not None
    stated = {name: camera.size for name, camera in session.cameras.items() if camera.size is not None}
    try:
        record = read_rig_record(session.rig, size=stated or None)
    except UnknownSizeError:
        stated = _sizes_by_videos(session) | stated
        if not stated:
            raise SessionError(
                f"{session.rig} does not state how large the cameras' pictures are; name their videos, or give size ="
                " [width, height] in each [cameras.NAME]"
            ) from None
        record = read_rig_record(session.rig, size=stated)
    _check_unit(session, record)
    _check_stated_sizes(session)
    rig = _rig_of(session.rig, _version(session.rig), tuple(stated.items()), record.unit or session.unit)
    unknown = [name for name in session.cameras if name not in rig.names]
    if unknown:
        raise SessionError(
            f"{session.rig} has no camera '{unknown[0]}' of {session.path}; it has {list(rig.names)}: give the cameras"
            " the same names in both"
        )
    double = cameras_in_one_place(rig.subset(session.cameras))
    if double:
        raise SessionError(f"{session.rig}: {double}")
    return rig


def _version(path: Path) -> tuple:
    """What changes when a file, or a file of a folder, is written anew."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return tuple((file.name, file.stat().st_mtime_ns, file.stat().st_size) for file in files)


@lru_cache(maxsize=4)  # every step of a session asks for it
def _rig_of(path: Path, version: tuple, stated: tuple[tuple[str, Size], ...], unit: str) -> CameraRig:
    """The cameras of a version of a rig file, sizes and unit as the session states them."""
    from ...cameras import read_rig

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # lenses are warned of by `lens_warnings`
        return read_rig(path, size=dict(stated) or None, unit=unit)


def _check_stated_sizes(session: Session) -> None:
    """Refuse sizes of calibrated pictures other than those that the rig file has itself.

    Raises
    ------
    SessionError : the two sizes, and the remedy
    """
    from ...formats.rigs.reading import read_rig_record
    from ...formats.rigs.records import UnknownSizeError

    if session.rig is None or all(camera.size is None for camera in session.cameras.values()):
        return
    try:
        own = {camera.name: camera.size for camera in read_rig_record(session.rig).cameras}
    except UnknownSizeError:
        return
    for name, camera in session.cameras.items():
        size = own.get(name)
        if camera.size is not None and size is not None and camera.size != size:
            raise SessionError(
                f"{session.path}: [cameras.{name}] size is {list(camera.size)}, but {session.rig.name} says"
                f" {list(size)}; remove size, which the rig file states, or state scale or crop where the video shows"
                " another part of the picture"
            )


def _check_unit(session: Session, record: RigRecord) -> None:
    if session.stated_unit is not None and record.unit not in (None, session.stated_unit):
        raise SessionError(
            f"{session.path}: [session] unit is '{session.stated_unit}', but {session.rig} is in '{record.unit}';"
            " remove the unit, which the rig file states, or correct it"
        )


def world_unit(session: Session) -> str:
    """The unit of the session's lengths: of its rig file where that states one, else of the session.

    Raises
    ------
    FormatError, SessionError : as `read_session_rig`
    """
    return session.unit if session.rig is None else read_session_rig(session).unit


def lens_warnings(rig: CameraRig) -> list[str]:
    """A sentence for each lens that folds inside its image, is nearly orthographic, or has its axis outside it."""
    from ...cameras.rig_files import lost_share, off_image_sentence, orthographic_sentence

    far = [orthographic_sentence(camera.name, camera.size, camera.K[0, 0]) for camera in rig]
    far += [off_image_sentence(camera) for camera in rig]
    flat = [f"{sentence[0].upper()}{sentence[1:]}." for sentence in far if sentence]
    shares = {camera.name: lost_share(camera) for camera in rig}
    return [
        f"The lens of camera '{name}' folds inside its image: points in {share:.1%} of its pixels have no ray and are"
        " left out; calibrate it again with the board in the corners, or with fewer coefficients."
        for name, share in shares.items()
        if share
    ] + flat


def tracked_rig(session: Session, rig: CameraRig) -> CameraRig:
    """The cameras of the videos and 2D points: cut, resized and mirrored as the session states.

    Raises
    ------
    SessionError : a part reaches beyond the calibrated picture
    """
    from ...cameras import picture_camera

    cameras = []
    for camera in rig:
        own = session.cameras[camera.name]
        if own.crop is not None or own.scale != 1.0 or own.mirror:
            try:
                part = {"crop": own.crop, "scale": own.scale, "mirror": own.mirror}
                camera = picture_camera(camera, **part, size=_video_size(own))
            except ValueError as error:
                raise SessionError(
                    f"{session.path}: [cameras.{camera.name}] crop and scale: {error}; state crop = [x, y], the corner"
                    " of the video's picture in the calibrated one, and scale, by which it was resized afterwards"
                ) from error
        cameras.append(camera)
    return replace(rig, cameras=tuple(cameras))


def size_problems(session: Session) -> list[str]:
    """A sentence for each camera whose video has another size than its calibration, unless the session states why."""
    try:
        calibrated = _calibrated_sizes(session)
    except ValueError:  # the calibration's own problem, which its step names
        return []
    problems = []
    for name, (size, source) in calibrated.items():
        own = session.cameras[name]
        video = _video_size(own)
        if video is None:
            continue
        shown = _expected(size, own)
        if max(abs(shown[0] - video[0]), abs(shown[1] - video[1])) > 1:
            problems.append(_size_problem(name, own, video, size, shown, source))
    return problems


def _size_problem(name: str, own: CameraSources, video: Size, size: Size, shown: Size, source: str) -> str:
    told = "" if shown == size else f" (with its crop and scale {size_words(shown)})"
    x, y = video[0] / size[0], video[1] / size[1]
    if video == size[::-1]:
        remedy = "one of them is turned by 90 degrees: turn the video back as it was calibrated"
    elif abs(x - y) < 0.01 * x and own.scale == 1.0 and own.crop is None:
        remedy = f"if the video shows the whole calibrated picture, state scale = {x:.6g} in [cameras.{name}]"
    else:
        remedy = f"state crop = [x, y] (the corner of the video's picture in the calibrated one) in [cameras.{name}]"
    return (
        f"camera '{name}': its video has pictures of {size_words(video)} px, its calibration ({source}) of"
        f" {size_words(size)} px{told}; {remedy}, or use a calibration at the video's size"
    )


def size_words(size: Size) -> str:
    return f"{size[0]}x{size[1]}"


def _expected(size: Size, own: CameraSources) -> Size:
    """Size of the video that the calibrated size, crop and scale lead to."""
    width, height = size
    if own.crop is not None:
        video = _video_size(own)
        if len(own.crop) == 2 and video is not None:
            inside = all(
                corner + side / own.scale <= whole + 1 / own.scale
                for corner, side, whole in zip(own.crop, video, size, strict=True)
            )
            return video if inside else (round(width - own.crop[0]), round(height - own.crop[1]))
        width, height = (int(side) for side in (own.crop[2:] or (width - own.crop[0], height - own.crop[1])))
    return round(width * own.scale), round(height * own.scale)


def _sizes_by_videos(session: Session) -> dict[str, Size]:
    """Calibrated sizes by the videos, of cameras whose videos show the whole calibrated picture."""
    found = {}
    for name, own in session.cameras.items():
        video = _video_size(own)
        if video is not None and own.crop is None:
            found[name] = (round(video[0] / own.scale), round(video[1] / own.scale))
    return found


def _video_size(own: CameraSources) -> Size | None:
    """Width and height of a camera's video; None where there is none that can be read."""
    if own.video is None:
        return None
    try:
        info = probe_video(own.video, rate_needed=False)
    except VideoError:
        return None
    return info.width, info.height


def _calibrated_sizes(session: Session) -> dict[str, tuple[Size, str]]:
    """{camera: (size, where it comes from)} by the rig file, or by the board recordings."""
    if session.rig is not None:
        return {camera.name: (camera.size, session.rig.name) for camera in read_session_rig(session)
                if camera.name in session.cameras}  # fmt: skip
    found = {}
    recordings = [session.sources("board"), *(recording.sources for recording in session.board_recordings.values())]
    for name, board in [item for recording in recordings[::-1] for item in recording.items()]:
        size = _board_size(name, board)
        if size is not None:
            first = board[0] if isinstance(board, tuple) else board
            found[name] = (size, f"board {first.name}")
    return found


def _board_size(name: str, board: Any) -> Size | None:
    """Size of the first picture of a board recording; None where none can be read."""
    from ...calibration.boards.image_sources import gray_frames
    from ...calibration.errors import CalibrationError

    try:
        image = next(gray_frames([str(path) for path in board] if isinstance(board, tuple) else board, name), None)
    except (CalibrationError, VideoError):
        return None
    return None if image is None else (int(image.shape[1]), int(image.shape[0]))


def picture_sizes(session: Session) -> dict[str, Size]:
    """Size of the pictures that each camera's 2D points lie in, where it is known: of its video, or as calibrated."""
    try:
        calibrated = _calibrated_sizes(session)
    except ValueError:
        calibrated = {}
    sizes = {name: _expected(size, session.cameras[name]) for name, (size, _) in calibrated.items()}
    videos = {name: _video_size(own) for name, own in session.cameras.items()}
    return sizes | {name: size for name, size in videos.items() if size is not None}


def picture_settings(session: Session) -> dict[str, Any]:
    """What the session states about pictures and delays, among the settings of the steps that use the rig."""
    stated = {
        name: [own.size, own.crop, own.scale, own.mirror, own.delay]
        for name, own in session.cameras.items()
        if own.size is not None or own.crop is not None or own.scale != 1.0 or own.mirror or own.delay
    }
    return {"pictures": stated, "unit": session.stated_unit} if stated or session.stated_unit else {}
