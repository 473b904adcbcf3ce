"""Set up the problem from the detections: corners by common frames, initial lenses, mirrored views."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ...cameras import Camera, CameraRig
from ...numerics.arrays import Array
from ..boards.board_set import BoardSet, parts_of
from ..boards.detection import BoardDetections
from ..boards.patterns import Board, Checkerboard
from ..boards.recordings import Timeline, corners_of, one_recording, write_shifted
from ..boards.standing_boards import standing_frames, standing_means, standing_sentence
from ..errors import CalibrationError
from .checkerboard_orientation import settle_checkerboards, unflipped_order
from .initial_lenses import LENS_KINDS, LensKind, fit_lens, lens_camera, lens_row, start_lens
from .initial_poses import spread_frames
from .mirrored_patterns import decide_flips, flip_corners, mostly_mirrored
from .robust_solution import Problem

_FITS, _FITS_PX = 0.06, 2.0  # of a square, and pixels, within which 75 % of the corners lie where the board is right

Offsets = Sequence[Mapping[str, int] | None]  # {camera: frames of delay} for each recording


def stacked_corners(
    detections: Mapping[str, BoardDetections], offsets: Offsets = (), timeline: Timeline | None = None
) -> Array:
    """(n_cameras, n_frames, n_corners, 2): all cameras' corners, NaN where unseen and beyond a recording's end.

    `offsets`: {camera: frames by which it is delayed} for each recording; these frames are dropped at its start (added
    where negative).
    """
    timeline = timeline or one_recording(max(found.n_frames for found in detections.values()))
    n_corners = len(next(iter(detections.values())).board.points)
    corners = np.full((len(detections), int(timeline.starts[-1]), n_corners, 2), np.nan)
    for c, (name, found) in enumerate(detections.items()):
        _write(corners_of(found), name, offsets, timeline, corners[c])
    return corners


def _write(values: NDArray, name: str, offsets: Offsets, timeline: Timeline, out: NDArray) -> None:
    """Write a camera's values (n_frames, ...) into `out`, shifted by its delay within each recording."""
    for number, part in enumerate(timeline.parts):
        delay = (offsets[number] or {}).get(name, 0) if number < len(offsets) else 0
        write_shifted(values[part], delay, out[part])


def make_problem(
    detections,
    board: Board | BoardSet,
    intrinsics,
    distortion_model,
    shared_intrinsics,
    offsets: Offsets = (),
    timeline: Timeline | None = None,
):
    """The problem, its lenses' start rows (n_lenses, 18) and kinds, and what was decided about mirrored views.

    Arguments as those of `calibrate`; `offsets` for each recording. Raises CalibrationError as it does.
    """
    timeline = timeline or one_recording(max(found.n_frames for found in detections.values()))
    names, corners = tuple(detections), stacked_corners(detections, offsets, timeline)
    sizes = tuple(found.size for found in detections.values())
    lens_of = _lens_groups(names, sizes, shared_intrinsics)
    kind_of = _asked_kinds(names, distortion_model)
    known = _known_lenses(names, sizes, intrinsics)
    rows, kinds, fixed, auto = [], [], [], []
    for index in range(lens_of.max() + 1):
        members = np.flatnonzero(lens_of == index)
        given = [known[names[c]] for c in members if names[c] in known]
        own, size = np.concatenate(corners[members]), sizes[members[0]]
        row, kind, error = start_lens(own, board.points, size, kind_of[names[members[0]]])
        check_plane(names[members[0]], error, own, board)
        if given:
            check_given(given[0], row, kind, own, board)
            row, kind = lens_row(np.abs(given[0].K), given[0].distortion), _kind_of(given[0])
        rows.append(row)
        kinds.append(kind)
        fixed.append(bool(given))
        auto.append(not given and kind_of[names[members[0]]] == "auto")
    lenses = np.stack(rows)
    cameras = [
        lens_camera(lenses[index], size, kinds[index], name)
        for name, size, index in zip(names, sizes, lens_of, strict=True)
    ]
    corners, flipped, notes = _settle(board, cameras, corners, _mirrored_frames(detections, offsets, timeline))
    for c in np.flatnonzero(flipped):
        corners[c] = flip_corners(corners[c], sizes[c][0])
        if names[c] in known and known[names[c]].mirrored:  # its principal point was stated in the flipped picture
            lenses[lens_of[c], 2] = sizes[c][0] - 1 - known[names[c]].K[0, 2]
    stands_for = standing_frames(corners, timeline)
    problem = Problem(
        board, names, sizes, standing_means(corners, stands_for), lens_of, np.array(fixed), flipped, np.array(auto),
        timeline, stands_for,
    )  # fmt: skip
    return problem, lenses, tuple(kinds), notes + standing_sentence(stands_for)


def _settle(board: Board | BoardSet, cameras: list[Camera], corners: Array, mirrored: NDArray[np.bool_]):
    """Corners in one order over all cameras, which videos are flipped, and notes; board by board where there are more.

    A video that one board shows to be flipped is so for all of them.
    """
    corners, flipped, notes, settled = corners.copy(), np.zeros(len(cameras), bool), (), []
    for one, part in parts_of(board):
        seen = np.asarray(np.isfinite(corners[:, :, part]).any(axis=(2, 3)))
        which = np.ix_(np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0)))
        own, who = corners[:, :, part][which], [cameras[c] for c in which[0][:, 0]]
        if isinstance(one, Checkerboard):
            own, own_flipped, own_notes = settle_checkerboards(one, who, own)
        else:
            shown = mirrored[which]
            own_flipped, own_notes = decide_flips(one, who, own, shown)
            own[mostly_mirrored(seen[which], shown)[:, None] & ~shown] = np.nan
        corners[which[0], which[1], part] = own
        settled.append((one, part, np.isin(np.arange(len(cameras)), which[0][own_flipped, 0])))
        flipped |= settled[-1][2]
        notes += tuple(note for note in own_notes if note not in notes)
    for one, part, own_flipped in settled:
        if isinstance(one, Checkerboard):  # its flip was seen in views of another board
            late = flipped & ~own_flipped
            corners[late, :, part] = corners[late, :, part][:, :, unflipped_order(one)]
    return corners, flipped, notes


def _asked_kinds(names: tuple[str, ...], asked: LensKind | Mapping[str, LensKind]) -> dict[str, LensKind]:
    """{camera: lens kind} as asked for, checked."""
    kinds = dict(asked) if isinstance(asked, Mapping) else dict.fromkeys(names, asked)
    for name in names:
        if kinds.get(name) not in (*LENS_KINDS, "auto"):
            raise CalibrationError(
                f'camera \'{name}\': distortion_model {kinds.get(name)!r} is unknown; choose "auto", "fisheye" or the'
                f" number of coefficients {LENS_KINDS[:-1]}"
            )
    return kinds


def _mirrored_frames(detections, offsets: Offsets, timeline: Timeline) -> NDArray[np.bool_]:
    """(n_cameras, n_frames) whether a frame shows the pattern mirrored, by common frames."""
    table = np.zeros((len(detections), int(timeline.starts[-1])), bool)
    for c, (name, found) in enumerate(detections.items()):
        _write(np.asarray(found.mirrored), name, offsets, timeline, table[c])
    return table


def _lens_groups(names, sizes, shared_intrinsics) -> NDArray[np.int64]:
    """(n_cameras,) number of each camera's lens; checks the groups of shared intrinsics."""
    group = {name: name for name in names}
    for members in shared_intrinsics:
        unknown = [name for name in members if name not in group]
        if unknown:
            raise CalibrationError(
                f"shared_intrinsics names the camera '{unknown[0]}', which has no source; cameras: {list(names)}"
            )
        if len({sizes[names.index(name)] for name in members}) > 1:
            raise CalibrationError(f"shared_intrinsics groups cameras of different image sizes: {list(members)}")
        for name in members:
            group[name] = members[0]
    owners = list(dict.fromkeys(group[name] for name in names))
    return np.array([owners.index(group[name]) for name in names])


def _known_lenses(names, sizes, intrinsics) -> dict[str, Camera]:
    """{camera: Camera} of the given intrinsics, checked against the images' sizes."""
    if intrinsics is None:
        return {}
    cameras = {c.name: c for c in intrinsics} if isinstance(intrinsics, CameraRig) else dict(intrinsics)
    for name, size in zip(names, sizes, strict=True):
        if name in cameras and cameras[name].size != size:
            given = cameras[name].size
            swapped = "; width and height are swapped" if given == size[::-1] else ""
            raise CalibrationError(
                f"camera '{name}': the given intrinsics belong to images of {given[0]}x{given[1]} px, the recording has"
                f" {size[0]}x{size[1]} px{swapped}; give intrinsics of this resolution or leave them to be estimated"
            )
    return {name: cameras[name] for name in names if name in cameras}


def _kind_of(camera: Camera) -> LensKind:
    """The lens kind of a given camera."""
    return "fisheye" if camera.model == "fisheye" else len(camera.distortion)


def check_plane(name: str, error: float, corners: Array, board: Board | BoardSet) -> None:
    """Refuse corners that no view of the board explains: the board is not the one described.

    `error`: distance, pixels, within which 75 % of the corners lie in the single camera's first fit (`initial_lens`).
    """
    square = _square(corners, board)
    if not error <= max(_FITS_PX, _FITS * square):
        raise CalibrationError(
            f"camera '{name}': its corners do not fit a {board} (error {error:.1f} px in squares of {square:.0f} px)"
            "; check the number of squares and the order of the sides, the dictionary, and legacy=True/False"
        )


def _square(corners: Array, board: Board | BoardSet) -> float:
    """Median distance of neighbouring corners in the images, pixels; NaN where there is none."""
    first, second = corners[:, board.neighbours.T[0]], corners[:, board.neighbours.T[1]]
    lengths = np.linalg.norm(first - second, axis=-1)
    return float(np.nanmedian(lengths)) if np.isfinite(lengths).any() else np.nan


def check_given(camera: Camera, own: Array, own_kind: LensKind, corners: Array, board: Board | BoardSet) -> None:
    """Refuse given intrinsics that explain the camera's own views much worse than a lens estimated from them.

    `own` (18,): the lens row of `start_lens`; corners (n_frames, n_corners, 2), pixels.
    """
    chosen = corners[spread_frames(corners, 40)]
    row, errors = lens_row(np.abs(camera.K), camera.distortion), []
    for lens, kind in ((row, _kind_of(camera)), (own, own_kind)):
        fit = fit_lens(chosen, board.points, camera.size, kind, lens=lens, free=np.zeros(len(own), bool))
        errors.append(np.inf if fit is None else float(np.nanmedian(np.linalg.norm(fit.residuals, axis=-1))))
    change = row[:2] / own[:2] - 1
    if errors[0] > 2 * errors[1] + 0.2 or (errors[0] > 1.2 * errors[1] and np.abs(change).max() > 0.1):
        raise CalibrationError(
            f"camera '{camera.name}': the given intrinsics do not fit its views of the board (median error"
            f" {errors[0]:.2g} px, {errors[1]:.2g} px with a lens of its own, whose focal length is {own[0]:.0f}, not"
            f" {row[0]:.0f} px); were they made with another lens, zoom or resolution? Leave them to be estimated"
        )
