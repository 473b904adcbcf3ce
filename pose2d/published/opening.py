"""Read a detector of this library or of another program, by what its file is."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...datasets.names import named_options
from ...datasets.sides import symmetric_pairs
from ...formats.labels.labelled_frames import Labels
from ..inference.detector import Detector, DetectorError, read_detector
from ..inference.evaluation import matching_labels
from ..inference.uncertainty import uncalibrated
from ..published_networks.published_network import build_published
from ..training_config import TrainingConfig
from .deeplabcut import describe_deeplabcut
from .lightning_pose import describe_lightning_pose
from .onnx_files import describe_onnx

RADIUS = 5.0  # pixels that confidence refers to, where no labels say how large the animal is


@named_options()
def load_detector(
    path: str | os.PathLike,
    *,
    config: str | os.PathLike | None = None,
    keypoints: Sequence[str] | None = None,
    symmetries: Sequence[tuple[str, str]] | None = None,
    box: tuple[float, float, float, float] | None = None,
    animal_detector: Detector | None = None,
    scale: float = 1.0,
    labels: Labels | None = None,
    onnx: dict[str, Any] | None = None,
) -> Detector:
    """Read a detector of this library, or one that another program trained.

    Parameters
    ----------
    path : str or os.PathLike
        A .safetensors file of `Detector.save`; a .pt snapshot of DeepLabCut 3 (SuperAnimal's too); a .ckpt of Lightning
        Pose (a heatmap tracker); or a pose network as .onnx (one heatmap tensor, or two SimCC tensors as RTMPose
        exports them). Nothing in it is executed.
    config : str or os.PathLike, optional
        The snapshot's ``pytorch_config.yaml``, or the checkpoint's ``config.yaml``; None: the one beside it.
    keypoints : sequence of str, optional
        Names in the order of the network's maps, where no configuration names them, or others than it does.
    symmetries : sequence of (str, str), optional
        Left and right keypoints; None: by their names.
    box : (float, float, float, float), image pixels, optional
        The part of every picture that a top-down network is shown, as x, y, width and height; None: the whole picture
        first, then the box around what is found there.
    animal_detector : Detector, optional
        What finds the animal first, in place of the whole picture.
    scale : float
        Network pixels per image pixel, for networks that take pictures of any size.
    labels : Labels, optional
        Labelled frames that the network was not trained on: confidence and covariance are calibrated on them.
    onnx : dict, optional
        What an .onnx file does not say: `mean` and `std` of the colours (ImageNet's), `reading` of a heatmap ("values":
        bumps of height 1; "logits", "softmax", "probabilities"), `shift` in network pixels of its labels against the
        middle of a cell.

    Returns
    -------
    Detector
        The detector, ready for `predict`, `evaluate`, and as `start` of `train`. Until it is calibrated, the confidence
        of another program's network is its score, and the covariance the spread of its map's peak.

    Raises
    ------
    DetectorError
        If the file or its configuration is missing, damaged or of another version, carries code, holds the weights of
        another architecture (which is named), or its keypoints are not named.

    Examples
    --------
    >>> try:
    ...     load_detector("missing.safetensors")
    ... except DetectorError as error:
    ...     print(error)
    there is no detector file missing.safetensors; train one first
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix == ".onnx":
        described = describe_onnx(path, keypoints, dict(onnx or {}))
    elif suffix in (".pt", ".pth"):
        described = describe_deeplabcut(path, config)
    elif suffix == ".ckpt":
        described = describe_lightning_pose(path, config)
    else:
        detector = read_detector(path)
        detector = replace(
            detector, box=box or detector.box, animal_detector=animal_detector or detector.animal_detector
        )
        return detector if labels is None else _calibrated(detector, labels)
    spec, weights, names = described
    names = tuple(keypoints) if keypoints is not None else names
    n = spec["n_keypoints"]
    if names is None or len(names) != n:
        said = "no names" if names is None else f"{len(names)} names"
        raise DetectorError(
            f"{path} finds {n} keypoints and there are {said}: give keypoints=(their names in its order)"
        )
    network = build_published(spec, weights)
    network.load_state_dict(weights, strict=False)
    pairs = tuple(symmetries) if symmetries is not None else symmetric_pairs(names)
    size = spec.get("input_size")
    square = size[0] if size is not None and size[0] == size[1] and size[0] % 32 == 0 else 256
    auto = scale if size is None else "auto"
    detector = Detector(
        network.eval(), names, TrainingConfig(network="published", scale=auto, crop=square), scale, float("inf"),
        uncalibrated(n, RADIUS), pairs, {"note": f"read from {path.name}"}, animal_detector, box,
    )  # fmt: skip
    return detector if labels is None else _calibrated(detector, labels)


def _calibrated(detector: Detector, labels: Labels) -> Detector:
    from ..training.train_detector import calibrate_uncertainty, confidence_radius

    labels = matching_labels(detector, labels)
    detector = replace(detector, uncertainty=uncalibrated(len(detector.keypoints), confidence_radius(labels)))
    return calibrate_uncertainty(detector, labels)
