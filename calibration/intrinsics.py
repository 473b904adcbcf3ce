"""Calibrate the lens of each camera by itself, from pictures of a board that need not be simultaneous."""

from __future__ import annotations

from collections.abc import Mapping

from ..datasets.names import named_options
from .boards.detection import BoardDetections
from .boards.detection_cache import Cache
from .boards.gathering import gather_detections
from .boards.image_sources import Source
from .boards.patterns import Board
from .calibrated_rig import Calibration
from .errors import CalibrationError
from .quality.checks import check_detections
from .solver.initial_lenses import LensKind
from .workflow import calibrate


@named_options()
def calibrate_intrinsics(
    sources: Mapping[str, Source | BoardDetections],
    board: Board | None = None,
    *,
    distortion_model: LensKind | Mapping[str, LensKind] = "auto",
    estimate_board_deformation: bool | str = "auto",
    unit: str = "mm",
    frame_step: int = 1,
    cache: Cache = None,
    progress: bool = True,
) -> dict[str, Calibration]:
    """Calibrate each camera's lens alone, from pictures that need not be simultaneous.

    The first stage of a rig whose cameras never see the board well together: `calibrate` keeps these lenses by its
    `intrinsics`. Where the pictures are at hand, `calibrate` takes each camera's as a recording of its own, too, and
    then estimates lenses and poses together.

    Parameters
    ----------
    sources : dict of str to path, list of images, or BoardDetections
        For each camera a video, a folder of images, a list of images, or detections.
    board : CharucoBoard, Checkerboard or MarkerBoard, optional
        What was recorded. None: the board of the detections, if all sources are detections.
    distortion_model : int, str, or dict of str to these
        As in `calibrate`, chosen for each camera by itself.
    estimate_board_deformation : bool or "auto"
        As in `calibrate`.
    unit : str
        Unit of the board's lengths.
    frame_step : int
        Search the board in every n-th frame only.
    cache : str or path, optional
        Folder in which the detected corners are kept, and used where source and settings are the same. None: they are
        not kept.
    progress : bool
        Show a progress bar.

    Returns
    -------
    dict of str to Calibration
        For each camera a rig of it alone, its pose the identity, with its report and covariance.

    Raises
    ------
    CalibrationError
        A camera cannot be calibrated or must not be trusted; the message names camera, cause and remedy.

    Notes
    -----
    Corners that were not seen are NaN in `BoardDetections` and are left out.

    References
    ----------
    Zhang (2000). A flexible new technique for camera calibration.

    Examples
    --------
    >>> from muybridge.calibration import calibrate, calibrate_intrinsics, simulate_board_motion, simulate_detections
    >>> lenses = calibrate_intrinsics(simulate_detections(motion=simulate_board_motion(20)), distortion_model=0)
    >>> print(f"{lenses['left'].rig['left'].K[0, 0] / 600:.2f}")
    1.00
    >>> known = {name: lens.rig[name] for name, lens in lenses.items()}
    >>> calibrate(simulate_detections(), intrinsics=known).rig.names
    ('left', 'right')
    """
    if not isinstance(sources, Mapping):
        raise CalibrationError(f"sources must be {{camera name: source}}, got {type(sources).__name__}")
    detections = gather_detections(sources, board, frame_step=frame_step, cache=cache, progress=progress)
    check_detections(detections, sources)
    kinds = distortion_model if isinstance(distortion_model, Mapping) else dict.fromkeys(detections, distortion_model)
    return {
        camera: calibrate(
            {camera: found},
            distortion_model={camera: kinds.get(camera, "auto")},
            estimate_board_deformation=estimate_board_deformation,
            unit=unit,
            progress=progress,
        )
        for camera, found in detections.items()
    }
