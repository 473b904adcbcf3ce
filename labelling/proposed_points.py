"""Points that nobody has confirmed: of a session's results, and of 2D files of any detector or tool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..datasets import combine_ensemble
from ..datasets.netcdf import read_dataset
from ..formats import read_views
from ..formats.files import FormatError

if TYPE_CHECKING:
    import xarray as xr

    from ..session import Session

Places = dict[str, dict[str, tuple[float, float, str]]]
LEAST_CONFIDENCE = 0.1  # below, a detector says that it has not found the keypoint


class ProposedPoints:
    """Points of a views dataset by instant; none where there is no dataset.

    least_confidence : points of a smaller one are left out
    source : "hand" where an accepted point is an observation, "3d" where it repeats what other views say
    """

    def __init__(
        self, views: xr.Dataset | None = None, least_confidence: float = LEAST_CONFIDENCE, source: str = "hand"
    ):
        self.source = source
        self._values = None
        if views is not None and "individual" not in views.dims:
            views = combine_ensemble(views)
            position = views["position"].transpose("view", "time", "keypoint", "space").values
            sure = views["confidence"].transpose("view", "time", "keypoint").values >= least_confidence
            self._values = np.where(sure[..., None], position, np.nan)
            self._cameras = [str(name) for name in views["view"].values]
            self._keypoints = [str(name) for name in views["keypoint"].values]

    def at(self, instant: int) -> Places:
        """{camera: {keypoint: (x, y, source)}} of an instant, pixels."""
        if self._values is None or not 0 <= instant < self._values.shape[1]:
            return {}
        rows = self._values[:, instant].round(2).tolist()
        return {
            camera: {name: (x, y, self.source) for name, (x, y) in zip(self._keypoints, row, strict=True) if x == x}
            for camera, row in zip(self._cameras, rows, strict=True)
        }


def proposals_of_session(session: Session) -> ProposedPoints:
    """The 3D points projected into the views, or what was detected; none where no step has made either."""
    from ..session.label_loop import proposed_views

    if (session.output / "pose.nc").is_file():
        try:
            return ProposedPoints(proposed_views(session), 0.0, "3d")
        except (ValueError, OSError):  # results of another recording or version: the detections may serve
            pass
    path = session.output / "views.nc"
    return ProposedPoints(read_dataset(path) if path.is_file() else None)


def proposals_of_files(files: Sequence[str], cameras: Sequence[str]) -> ProposedPoints:
    """Points of "CAMERA=FILE" entries, or of one FILE where there is one camera.

    Raises
    ------
    ValueError : an entry names no camera, or an unknown one
    FormatError : a file cannot be read
    """
    sources: dict[str, Path] = {}
    for entry in files:
        camera, equals, path = entry.partition("=")
        if not equals and len(cameras) == 1:
            camera, path = cameras[0], entry
        if camera not in cameras or not path:
            raise ValueError(f"--proposals {entry}: give CAMERA=FILE; the cameras are {', '.join(cameras)}")
        sources[camera] = Path(path)
    try:
        return ProposedPoints(read_views(sources, fps=1.0))
    except FormatError as error:
        raise ValueError(f"--proposals: {error}") from error


def joined(first: Mapping[str, Mapping], then: Mapping[str, Mapping]) -> dict[str, dict]:
    """{camera: {keypoint: place}} of both; the first counts where both have a point."""
    return {camera: {**then.get(camera, {}), **first.get(camera, {})} for camera in {**then, **first}}
