"""Joint angles of an articulated body, with error bars, from pixels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from ...cameras import CameraRig
from ...numerics.arrays import Array
from ...numerics.banded import one_blas_thread
from ..bodies.body_files import read_body
from ..bodies.forward_kinematics import load_jax
from ..bodies.kinematic_tree import Body
from ..bodies.named_markers import marker_columns, of_markers
from ..input_checks import check_fps, check_observations, from_views, of_recording
from ..noise.detector_noise import DetectorNoise, log_outlier_density
from ..smoothing.smoother import corrected_pixels
from .body_posterior import BodyFit
from .movement.movement_prior import MovementPrior
from .pixel_noise import PixelNoise
from .recording_fit import learn
from .recording_start import Observed
from .shared_build import fitted_together

if TYPE_CHECKING:
    import xarray as xr

ORDERS = (2, 3)  # of the prior in time: earlier frames that an angle depends on
_FEWEST_FRAMES = 3  # of fewer no acceleration can be seen
# probability of an outlier: above, a keypoint says nothing in a camera. Outliers are modelled as each view's own, but
# where they are usual all views take the same other place for the keypoint, a bent limb fits that, and six views
# outweigh the prior: without this rule `rat_mocap` errs by 10.3 mm instead of 5.1 (5.3, 5.1, 5.1 mm at 0.5, 0.8, 0.985)
_USELESS = 0.9


@overload
def fit_body(
    points_2d: list | tuple, rig: CameraRig | Sequence[CameraRig], *, fps: float | None = None,
    body: Body | str | Path, keypoints: Sequence[str] | None = None, confidence: Any = None,
    noise: DetectorNoise | None = None, order: int | None = None, time_offsets: bool = False,
    prior: MovementPrior | None = None, window: float | None = None, progress: bool = False,
) -> list[BodyFit]: ...  # fmt: skip
@overload
def fit_body(
    points_2d: Array | xr.Dataset, rig: CameraRig, *, fps: float | None = None, body: Body | str | Path,
    keypoints: Sequence[str] | None = None, confidence: Array | None = None, noise: DetectorNoise | None = None,
    order: int | None = None, time_offsets: bool = False, prior: MovementPrior | None = None,
    window: float | None = None, progress: bool = False,
) -> BodyFit: ...  # fmt: skip
def fit_body(
    points_2d: Any,
    rig: CameraRig | Sequence[CameraRig],
    *,
    fps: float | None = None,
    body: Body | str | Path,
    keypoints: Sequence[str] | None = None,
    confidence: Any = None,
    noise: DetectorNoise | None = None,
    order: int | None = None,
    time_offsets: bool = False,
    prior: MovementPrior | None = None,
    window: float | None = None,
    progress: bool = False,
) -> BodyFit | list[BodyFit]:
    """Joint angles of all frames at once, with error bars, from the pixels of all cameras.

    Gauss-Newton on the exact projections. Pixel errors are correlated in time and have a constant part per camera and
    marker; gross errors last for some frames, and pixels that show the other side are put back. Angles change smoothly
    within soft limits, at a rhythm if the recording has one; bone lengths and the markers' places are those
    of one animal. Everything else is learned from the recording.

    Parameters
    ----------
    points_2d : ndarray, shape (n_cameras, n_frames, n_keypoints, 2), pixels, or xarray.Dataset, or a list of them
        Distorted pixels, NaN where missing; or a views dataset, whose confidence, times and keypoints are used, too. A
        list: recordings of one animal, whose bone lengths and markers' places are shared.
    rig : CameraRig, or a sequence of one for each recording
        The cameras.
    fps : float, optional, hertz
        Frames per second; needed unless `points_2d` is a dataset.
    body : Body, str or pathlib.Path
        The animal: a body, a shipped one by its name, or a TOML file.
    keypoints : sequence of str, optional
        Names along the keypoint axis. By default those of the dataset, or of the body's markers in their order.
    confidence : ndarray, shape (n_cameras, n_frames, n_keypoints), or a list of one for each recording, optional
        Prior probability that a pixel is right, clipped to 0.02-0.98; NaN and 0 leave a pixel out. By default 0.9.
    noise : DetectorNoise, optional
        Bias, spread, outliers and shared errors of the detector, in place of those estimated from the recording and of
        the confidence, as in `smooth`. Cameras and keypoints are matched by name. A keypoint that is nearly always an
        outlier in a camera is left out there.
    order : {2, 3}, optional
        Order of the autoregressive prior in time: number of earlier frames that an angle depends on, beside a white
        innovation. By default the order of the most likely prior.
    time_offsets : bool
        Whether the cameras' offsets in time are found, too, to fractions of a frame: for cameras that are not
        triggered together.
    prior : MovementPrior, optional
        How the joints of such animals move together, learned from other recordings; taken as far as the pixels are more
        likely with it (`BodyFit.prior_share`).
    window : float, optional, seconds
        Stretch of time solved at once. By default 300 frames. What never changes is learned from a well observed
        stretch in which the animal moves most, how much its angles change in each window; neighbouring windows
        overlap. `reconstruct_file` goes from file to file.
    progress : bool
        Show a bar on recordings of several windows.

    Returns
    -------
    BodyFit, or a list of one for each recording
        Angles, markers and lengths with their uncertainty, and what was learned.

    Raises
    ------
    ModuleNotFoundError
        jax is not installed.
    ValueError
        Shapes do not fit, the prior has no turn of the body, none of its markers is among the keypoints, or too few are
        located to place the animal.
    TypeError
        The prior is no MovementPrior.

    Warns
    -----
    UserWarning
        The data lack markers of the body, some angles are not determined by what is seen, markers lie three times as
        far off their places as the body says (keypoints in another order, exchanged sides), or the fit has not come to
        rest.

    See Also
    --------
    smooth : Without a body.
    read_body : The body.

    Notes
    -----
    Missing pixels, markers and frames are bridged by the body and by time, with the error bars that follow.

    Angles and build are the mode of their posterior, the build's with the volume of the angles that fit (Laplace);
    what each pixel shows has its posterior given these, and noise, precisions of the angles, size and spread of places
    are the most likely ones (expectation maximisation, MacKay 1992). These steps follow each other until another round
    changes nothing (`BodyFit.converged`).

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.cameras import Camera, CameraRig
    >>> from muybridge.triangulate import Body, Marker, Segment, Turn, fit_body
    >>> elbow = Turn("elbow", (0, 1, 0), -2.5, 0.5, -1)
    >>> markers = (Marker("shoulder", "upper"), Marker("side", "upper", (0, 80, 0)), Marker("elbow", "upper", "end"),
    ...            Marker("wrist", "lower", "end"))
    >>> segments = Segment("upper", end=(0, 0, -300)), Segment("lower", "upper", "end", (0, 0, -250), turns=(elbow,))
    >>> arm = Body("arm", segments, markers)
    >>> K = [[1000, 0, 640], [0, 1000, 512], [0, 0, 1]]
    >>> rig = CameraRig(tuple(Camera(f"cam_{x}", (1280, 1024), K, [], np.eye(3), [x, 0, 1500]) for x in (-400, 0, 400)))
    >>> angles = np.zeros((40, 7))
    >>> angles[:, 6] = -1 + 0.5 * np.sin(np.arange(40) / 8)
    >>> points_2d = rig.project(arm.markers(angles)) + np.random.default_rng(0).normal(0, 1, (3, 40, 4, 2))
    >>> fit = fit_body(points_2d, rig, fps=50.0, body=arm)
    >>> bool(np.abs(fit.angles[:, 6] - angles[:, 6]).max() < 0.1)
    True
    """
    body = checked_body(body, order)
    several = isinstance(points_2d, list | tuple)
    recordings = list(points_2d) if several else [points_2d]
    if not recordings:
        raise ValueError("points_2d is an empty list; give at least one recording")
    settings = {"order": order, "time_offsets": time_offsets, "window": window, "prior": prior}
    rigs, confidences, learned = _for_each(rig, recordings, "rig"), _for_each(confidence, recordings, "confidence"), []
    with one_blas_thread():
        for i, own in enumerate(recordings):
            with of_recording(i, len(recordings)):
                checked = _checked(own, rigs[i], confidences[i], fps, body, keypoints, noise)
                learned.append(learn(checked, **settings))
        if several:
            return fitted_together(learned, progress)
        return learned[0].fitted(progress)


def checked_body(body: Body | str | Path, order: int | None) -> Body:
    """The body, and an order that there is; ValueError otherwise."""
    load_jax()
    if order is not None and order not in ORDERS:
        raise ValueError(f"order is {order!r}; expected one of {ORDERS}, or None")
    return body if isinstance(body, Body) else read_body(body)


def _for_each(given: Any, recordings: list, name: str) -> list:
    """One for all recordings, or a list of one for each."""
    if not isinstance(given, list | tuple):
        return [given] * len(recordings)
    if len(given) != len(recordings):
        raise ValueError(
            f"{name} has {len(given)} entries and there are {len(recordings)} recordings; give one, or as many"
        )
    return list(given)


def _checked(
    points_2d: Any, rig: CameraRig, confidence: Any, fps: float | None, body: Body, keypoints: Sequence[str] | None,
    noise: DetectorNoise | None,
) -> Observed:  # fmt: skip
    """The pixels in the order of the body's markers, with what is known of them."""
    points_2d, confidence, fps, keypoints = from_views(
        points_2d, rig, confidence=confidence, fps=fps, keypoints=None if keypoints is None else tuple(keypoints)
    )
    points_2d, confidence = check_observations(points_2d, rig, confidence, fewest_views=1, by_frame=True)
    fps = check_fps(fps)
    check_n_frames(points_2d.shape[1])
    names = [str(name) for name in body.marker_names if keypoints is None] or [str(name) for name in keypoints or ()]
    columns = marker_columns(body, names, points_2d.shape[2])
    return observed(points_2d, confidence, rig, fps, body, names, columns, noise)


def check_n_frames(n_frames: int) -> None:
    """ValueError where they are too few for a course in time."""
    if n_frames < _FEWEST_FRAMES:
        raise ValueError(
            f"points_2d has {n_frames} frames; a body's course in time needs at least {_FEWEST_FRAMES}:"
            " take `smooth` or `triangulate_ransac` for single frames"
        )


def observed(
    points_2d: Array, confidence: Array | None, rig: CameraRig, fps: float, body: Body, names: Sequence[str],
    columns: NDArray[np.int64], noise: DetectorNoise | None,
) -> Observed:  # fmt: skip
    """Checked pixels of keypoints of these names as those of the markers, `columns` of `marker_columns`."""
    pixel_noise = None
    if noise is not None:
        noise = noise.for_recording(rig, points_2d.shape[2], tuple(names))
        points_2d, confidence, _ = corrected_pixels(noise, points_2d, confidence, rig, tuple(names))
        confidence = np.where(noise.outlier_probability[:, None] > _USELESS, 0.0, confidence)
        pixel_noise = PixelNoise.of_detector(noise, columns)
    log_outlier = log_outlier_density(rig, noise, points_2d.shape[2])[:, columns]
    points_2d, confidence = of_markers(points_2d, columns), None if confidence is None else confidence[:, :, columns]
    if confidence is not None:
        points_2d = np.where((confidence > 0)[..., None], points_2d, np.nan)
    return Observed(points_2d, rig, fps, body, confidence, log_outlier, pixel_noise)
