"""Where keypoints lie in pictures that do not show them, as the labels of other cameras tell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..cameras import CameraRig
from ..datasets.names import named_options
from ..formats.labels.labelled_frames import Labels
from .points.dlt import triangulate_dlt

_SAME_MOMENT = 0.5  # least share of the keypoints seen by three cameras whose labels agree, if they are of one moment


@named_options()
def label_hidden(labels: Labels, rig: CameraRig, *, max_error: float = 0.01) -> Labels:
    """Place the keypoints that a picture hides where other cameras, which see them, say.

    `train` measures a detector's errors of hidden keypoints by these places, in the frames that it holds out.

    Parameters
    ----------
    labels : Labels
        Pictures of several cameras; those of one moment have the same number (`Labels.instants`).
    rig : CameraRig
        The cameras, by name; pictures of others are left as they are.
    max_error : float, widths of the picture
        Keypoints are left out whose labels lie farther than this from the place in space that fits them best.

    Returns
    -------
    Labels
        The same with `hidden_2d`: NaN where fewer than two cameras see the keypoint, where the place lies outside the
        picture, of several animals, and everywhere if
        the labels of three cameras mostly disagree, which are not of the same moments then.

    See Also
    --------
    muybridge.pose2d.train : Takes the labels.

    Examples
    --------
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from muybridge.cameras import Camera, CameraRig
    >>> from muybridge.formats.labels.labelled_frames import Labels, Picture
    >>> from muybridge.triangulate import label_hidden
    >>> K = [[1000, 0, 640], [0, 1000, 512], [0, 0, 1]]
    >>> names = ("left", "middle", "right")
    >>> cameras = (Camera(n, (1280, 1024), K, [], np.eye(3), [x, 0, 1000]) for n, x in zip(names, (200, 0, -200)))
    >>> rig = CameraRig(tuple(cameras))
    >>> points = rig.project(np.array([[10.0, 20.0, 30.0]]))
    >>> points[1] = np.nan
    >>> pictures = tuple(Picture(Path(name) / "img0001.png") for name in names)
    >>> labels = Labels(pictures, points, keypoints=("paw",), cameras=names, groups=names, instants=(1, 1, 1))
    >>> label_hidden(labels, rig).hidden_2d[1].round(1).tolist()
    [[649.7, 531.4]]
    """
    if labels.n_animals > 1:
        return labels
    own = np.array([name in rig.names for name in labels.cameras], dtype=bool)
    cameras = np.array([rig.names.index(name) if name in rig.names else 0 for name in labels.cameras], dtype=int)
    named = [f"{recording}/{instant}" for recording, instant in zip(labels.recordings, labels.instants, strict=True)]
    moments = np.unique(named, return_inverse=True)[1]
    points_2d = np.full((len(rig), moments.max(initial=-1) + 1, len(labels.keypoints), 2), np.nan)
    points_2d[cameras[own], moments[own]] = labels.points_2d[own]
    places = rig.project(triangulate_dlt(points_2d, rig))
    size = np.array([camera.size for camera in rig])[:, None, None]
    with np.errstate(invalid="ignore"):
        far = np.linalg.norm(places - points_2d, axis=-1) > max_error * size[..., 0]
        inside = ((places > 0) & (places < size - 1)).all(axis=-1)
    agree = ~far.any(axis=0)
    judged = agree[np.isfinite(points_2d).all(axis=-1).sum(axis=0) >= 3]
    known = inside & agree & (len(judged) == 0 or judged.mean() >= _SAME_MOMENT)
    hidden = np.where(known[..., None], places, np.nan)[cameras, moments]
    return replace(labels, hidden_2d=np.where(own[:, None, None], hidden, np.nan))
