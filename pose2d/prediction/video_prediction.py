"""Predict the keypoints of videos: every camera decoded in its own thread, in memory or from file to file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path

import xarray as xr

from ...cameras import CameraRig
from ...datasets import Array
from ...datasets.atomic_files import atomic_write
from ...datasets.names import named_options
from ...datasets.stretches import joined, write_pieces
from ...formats.video.reading import VideoSource
from ..inference.detector import Detector
from .peak_choice import N_PEAKS
from .predicted_views import recording_of, seen_by, view_pieces
from .prediction_run import KEPT_EVERY, PredictionOptions, predict_rows, prediction_of
from .stored_rows import Rows


@named_options()
def predict(
    detector: Detector,
    videos: Mapping[str, VideoSource],
    *,
    track_crop: bool = True,
    precision: str = "auto",
    runtime: str = "auto",
    fps: float | None = None,
    times: Array | Mapping[str, Array] | None = None,
    checkpoint: str | os.PathLike | None = None,
    checkpoint_every: float = KEPT_EVERY,
    batch_instants: int | str = "auto",
    n_animals: int | None = None,
    rig: CameraRig | None = None,
    progress: bool = True,
) -> xr.Dataset:
    """Keypoints of every frame of every camera.

    Parameters
    ----------
    detector : Detector
        Of `train` or `load_detector`.
    videos : mapping of str to path or sequence of path
        {camera name: video file, or the files of one recording (chapters) in their order}, synchronised. The missing
        frames of a shorter video are NaN.
    track_crop : bool
        Use a window around the animal while it is found there, instead of the whole frame.
    precision : {"auto", "fp32", "bf16"}
        "auto" takes bfloat16 where the processor or GPU multiplies tiles of it.
    runtime : {"auto", "torch", "openvino", "onnx"}
        What runs the network; "auto" takes OpenVINO where it is installed (the ``fast`` extra).
    fps : float, hertz, optional
        The true frame rate, where the files state another.
    times : ndarray, shape (n_frames,), seconds, or mapping of str to ndarray, optional
        Of all cameras' frames; or {camera name: times of its frames} of one clock, by which frames are put together.
        None: the files' own times. A camera without a frame at an instant is NaN there.
    checkpoint : str or os.PathLike, optional
        Folder in which the results are kept as they come, and from which a killed prediction goes on. It is removed at
        the end.
    checkpoint_every : float, seconds
        Time between two checkpoints.
    batch_instants : int or "auto"
        Instants whose pictures, of all cameras, the network reads in one batch; 0: each picture by itself. A single
        animal's window stays in its place meanwhile. "auto": 8 on a GPU, 0 on a processor, where batches do not help.
    n_animals : int, optional
        Number of animals in view, of a detector trained on several. None: as many as its labels showed in a picture.
    rig : CameraRig, optional
        The calibrated cameras, by name. Of several places that the map of a keypoint shows, each view reports then the
        one that is the most probable given the maps of all cameras of the instant and how well their places agree in
        3D. None, or one camera: the place that its own map shows most strongly.
    progress : bool
        Whether to show a progress bar with frames per second.

    Returns
    -------
    xarray.Dataset
        Views dataset, of several animals with a dimension `individual` (tracks of each camera, see
        `separate_individuals`): position (pixels), confidence (probability of lying within `confidence_radius` pixels
        of the truth, an attribute of the variable) and covariance (pixels squared), whose 90 % ellipse holds 90 % of
        the errors, of visible and of hidden keypoints alike. A damaged frame is NaN with confidence 0 and is counted in
        the attribute `damaged_frames`; `notes` has a line for each camera that lacks frames, for a rate that varies,
        and for files that are overruled. Where the number of an instant is not that of every camera's frame, the
        variable `frame` (view, time) holds the numbers (-1: none).

    Raises
    ------
    ValueError
        Several animals are asked for of a detector that was trained on one, or with a rig; or the rig lacks a camera.
    VideoError
        If a video is missing, empty or unreadable, if the frame rates differ, or if times do not fit the frames.

    Examples
    --------
    >>> detector = load_detector("detector.safetensors")
    >>> views = predict(detector, {"left": "left.mp4", "right": "right.mp4"}, progress=False)
    >>> views["position"].dims, views["position"].shape
    (('view', 'time', 'keypoint', 'space'), (2, 6, 4, 2))
    """
    options = PredictionOptions(
        track_crop=track_crop,
        precision=precision,
        runtime=runtime,
        fps=fps,
        times=times,
        batch_instants=batch_instants,
        n_animals=n_animals,
        rig=rig,
        checkpoint=checkpoint,
        checkpoint_every=checkpoint_every,
        progress=progress,
    )
    pieces, rows, _ = _predicted(detector, videos, options)
    views = joined(list(pieces))
    rows.remove()
    return views


@named_options()
def predict_file(
    detector: Detector,
    videos: Mapping[str, VideoSource],
    destination: str | os.PathLike,
    *,
    track_crop: bool = True,
    precision: str = "auto",
    runtime: str = "auto",
    fps: float | None = None,
    times: Array | Mapping[str, Array] | None = None,
    batch_instants: int | str = "auto",
    n_animals: int | None = None,
    rig: CameraRig | None = None,
    n_windows: int = 1,
    executor: Executor | None = None,
    progress: bool = True,
) -> Path:
    """Keypoints of every frame of every camera as a file of views, at memory that does not grow with the recording.

    The file holds what `write_dataset(predict(...))` would. What is found is kept in a hidden folder beside it until
    then, and a killed prediction goes on from there.

    Parameters
    ----------
    detector : Detector
        Of `train` or `load_detector`.
    videos : mapping of str to path or sequence of path
        As in `predict`.
    destination : str or path
        File (netCDF) to make; written whole or not at all.
    track_crop : bool
        As in `predict`.
    precision, runtime : str
        As in `predict`.
    fps : float, hertz, optional
        As in `predict`.
    times : ndarray, seconds, or mapping of str to ndarray, optional
        As in `predict`.
    batch_instants : int or "auto"
        As in `predict`.
    n_animals : int, optional
        As in `predict`.
    rig : CameraRig, optional
        As in `predict`.
    n_windows : int
        Windows of time that are predicted as tasks of their own. Each decodes what lies before it in its video file,
        without looking at it. What is found is what one piece finds; of several animals, who is who begins anew in each
        window: they may be exchanged at its edges.
    executor : concurrent.futures.Executor, optional
        Where the windows are predicted, as in `reconstruct_file`: a `ProcessPoolExecutor`, or
        `dask.distributed.Client(...).get_executor()`, whose workers see the same files. None: here, one after the
        other.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    pathlib.Path
        The path of `destination`.

    Raises
    ------
    VideoError
        As in `predict`.
    ValueError
        `n_windows` is below 1, or as in `predict`.

    Examples
    --------
    >>> from muybridge.datasets import read_dataset
    >>> detector = load_detector("detector.safetensors")
    >>> path = predict_file(detector, {"left": "left.mp4", "right": "right.mp4"}, "views.nc", progress=False)
    >>> read_dataset(path)["position"].shape
    (2, 6, 4, 2)
    """
    destination = Path(destination)
    options = PredictionOptions(
        track_crop=track_crop,
        precision=precision,
        runtime=runtime,
        fps=fps,
        times=times,
        batch_instants=batch_instants,
        n_animals=n_animals,
        rig=rig,
        checkpoint=destination.with_name(f".{destination.stem[:40]}.rows"),
        n_windows=n_windows,
        executor=executor,
        progress=progress,
    )
    write_prediction(detector, videos, destination, options)
    return destination


def write_prediction(
    detector: Detector,
    videos: Mapping[str, VideoSource],
    destination: Path,
    options: PredictionOptions,
    change: Callable[[Iterable[xr.Dataset], int], Iterable[xr.Dataset]] | None = None,
) -> None:
    """As `predict_file`.

    change : of consecutive pieces of the views, so many instants in all; a ValueError refuses them: nothing is written
    """
    pieces, rows, n_instants = _predicted(detector, videos, options)
    with atomic_write(destination) as partial:
        try:
            write_pieces(pieces if change is None else change(pieces, n_instants), partial, n_instants)
        except ValueError:  # refused; after an error of the disk the rows stay
            rows.remove()
            raise
    rows.remove()


def _predicted(
    detector: Detector, videos: Mapping[str, VideoSource], options: PredictionOptions
) -> tuple[Iterator[xr.Dataset], Rows, int]:
    """Consecutive pieces of the views, the rows that they are made of, and how many instants there are."""
    detector, source = with_animals(detector, options.n_animals), recording_of(videos, options.fps, options.times)
    rig = seen_by(options.rig, source, detector)
    work = prediction_of(detector, source.infos, options, n_peaks=1 if rig is None else N_PEAKS)
    instants = predict_rows(work, source, options)
    return view_pieces(work, source, instants, rig), work.rows, len(instants.times)


def with_animals(detector: Detector, n_animals: int | None) -> Detector:
    """The detector, for as many animals in view.

    Raises
    ------
    ValueError : several animals are asked for of a detector that was trained on one
    """
    n_animals = detector.n_animals if n_animals is None else n_animals
    if n_animals > 1 and not detector.finds_several:
        raise ValueError(
            f"n_animals is {n_animals}, but the detector was trained on one animal per picture, or by an older version"
            " of this library; train one on labels with individuals"
        )
    return replace(detector, n_animals=n_animals)
