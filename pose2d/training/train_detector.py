"""Train a detector from labels, with calibrated confidence and covariance."""

from __future__ import annotations

import copy
import os
from dataclasses import fields, replace
from typing import Any

import numpy as np
from torch import nn

from ...datasets.names import named_options
from ...formats.labels.labelled_frames import LabelError, Labels
from ..inference.animal_boxes import BOX_KEYPOINTS, MIDDLE, animal_side, box_labels
from ..inference.animal_search import finder_of
from ..inference.detector import Detector, DetectorError
from ..inference.evaluation import locate
from ..inference.uncertainty import fit_uncertainty, uncalibrated
from ..networks.pretrained_weights import PACKAGED, load_weights
from ..networks.registry import PoseNet, build_network
from ..published_networks.published_network import Network, PublishedNet
from ..training_config import TrainingConfig
from .animal_middles import SIDE, shrunk_config, train_middles
from .animal_tags import calibrate_groups
from .fine_tuning import replayed, with_keypoints
from .grouping import with_grouping
from .splits import split_labels
from .training_loop import Trainer


@named_options(ValueError, also=[f.name for f in fields(TrainingConfig)])
def train(
    labels: Labels,
    *,
    weights: str | os.PathLike | None = None,
    start: Detector | None = None,
    keep_keypoints: bool | None = None,
    seed: int = 0,
    progress: bool = True,
    held_out: Labels | None = None,
    config: TrainingConfig | None = None,
    checkpoint: str | os.PathLike | None = None,
    **options: Any,
) -> Detector:
    """Train one detector for all cameras.

    The same labels, options, seed, machine and number of threads give the same detector.

    Parameters
    ----------
    labels : Labels
        Labelled frames of one or several cameras, as of `read_labels`. Of pictures with several animals the network
        learns the one in the middle of its crop, and a small second one learns to find the animals.
    weights : str or os.PathLike, optional
        A file of pretrained backbone weights, "imagenet" (fetched by the ``hub`` extra), or "efficientnet-lite0" (of
        the ``pretrained`` extra; the network is then "efficientnet_lite0"); None: random.
    start : Detector, optional
        A detector to continue from, with its configuration but 0.3 times the iterations and the learning rate unless
        options say otherwise; one that another program trained, too (`load_detector`; not ONNX).
    keep_keypoints : bool, optional
        Of `start`: True adds the labels' new keypoints to its own, and trains those without any label on its own
        confident predictions, so that they are not forgotten (memory replay); False trains the labels' keypoints alone,
        from what it knows of them; None: the labels must name keypoints that it knows.
    seed : int
        Of the weights, crops and augmentation.
    progress : bool
        Whether to show a progress bar.
    held_out : Labels, optional
        Frames to measure on; None: split off as `holdout` and `holdout_by` of the configuration say.
    config : TrainingConfig, optional
        How to train; None: the preset of the network.
    checkpoint : str or os.PathLike, optional
        File to which the state is saved at each evaluation, and from which a killed training continues exactly.
    **options
        Fields of `TrainingConfig` that differ from `config`, such as ``network="small", iterations=300``.

    Returns
    -------
    Detector
        With calibrated confidence and covariance where frames were held out.

    Raises
    ------
    LabelError
        If there is no labelled keypoint, a keypoint that `start` does not know, or no box for an animal detector.
    ValueError
        If an option does not exist or is out of range.

    Examples
    --------
    A detector worth using takes the preset number of iterations; five show the call.

    >>> labels = read_labels("labels")
    >>> detector = train(labels, network="small", iterations=5, crop=64, progress=False)
    >>> detector.save("detector.safetensors").name
    'detector.safetensors'
    """
    if str(weights) in PACKAGED:
        options = {"network": PACKAGED[str(weights)][1]} | options
    inherited = config is None and start is not None and "grouping" not in options
    base = _gentler(start.config) if config is None and start is not None else config
    config = TrainingConfig.from_options(options, base)
    several = labels.n_animals > 1 and labels.keypoints != BOX_KEYPOINTS
    why = ""
    if several:
        config, why = with_grouping(config, labels, start, inherited)
    bottom_up = several and config.grouping == "bottom_up"
    before = start
    if start is not None and (keep_keypoints is not None or isinstance(start.network, PublishedNet)):
        start = with_keypoints(start, _names(labels, start, keep_keypoints))
    labels, held_out, note = _prepare(labels, held_out, start, config)
    if before is not None and keep_keypoints:
        labels = replayed(labels, before)
    keeps = start is not None and config.animal_detector and not bottom_up
    animal_detector = start.animal_detector if start is not None and keeps else None
    if config.animal_detector is True and animal_detector is None and not _has_boxes(labels):
        raise LabelError(
            "animal_detector=True needs the animal's box, but no frame has two labelled keypoints; label more or set"
            " animal_detector=False"
        )
    as_before = before is not None and before.network.input_size is None and config.scale == before.config.scale
    scale = before.scale if before is not None and as_before else _scale(labels, config)
    network = _network(labels, weights, start, config, seed, bottom_up)
    network.train()
    if weights is not None or start is not None:
        _freeze_norms(network)
        if config.freeze:
            _freeze_early(network)
    trainer = Trainer(network, labels, held_out, config, scale, seed)
    trainer.run(progress, checkpoint)
    detector = Detector(
        network=trainer.averaged,
        keypoints=labels.keypoints,
        config=config,
        scale=scale,
        animal_side=animal_side(labels, 95),
        uncertainty=uncalibrated(len(labels.keypoints), confidence_radius(labels)),
        symmetries=tuple(labels.symmetries or ()),
        history=trainer.history | {"note": note} | ({"grouping": why} if several else {}),
        animal_detector=animal_detector,
        n_animals=labels.n_animals,
    )
    del trainer  # with the pictures it holds
    if bottom_up:
        calibrate_groups(detector, labels)
    wanted = (
        config.animal_detector is True
        or animal_detector is not None
        or (config.animal_detector == "auto" and is_small_in_pictures(detector, labels))
    )
    if several and not bottom_up:
        before = animal_detector if animal_detector and animal_detector.keypoints == (MIDDLE,) else None
        middles = train_middles(labels, config, animal_side(labels, 50), before, seed, progress)
        detector = replace(detector, animal_detector=middles)
    elif wanted and not several and _has_boxes(labels):
        detector = replace(
            detector, animal_detector=train_animal_detector(labels, config, animal_detector, seed, progress)
        )
    return calibrate_uncertainty(detector, held_out) if held_out is not None else detector


def calibrate_uncertainty(detector: Detector, labels: Labels) -> Detector:
    """The detector with confidence and covariance calibrated on frames it was not trained on, seen as in videos."""
    found = locate(detector, labels, tracked=True)
    errors, hidden = (found.points - places for places in (labels.points_2d, labels.hidden_2d))
    fitted = fit_uncertainty(errors, found, detector.uncertainty.radius, detector.config.unlabelled, hidden)
    return replace(detector, uncertainty=fitted)


def confidence_radius(labels: Labels) -> float:
    """Pixels: 5, or 3 % of the animal's median side where that is more."""
    return float(max(5.0, round(0.03 * animal_side(labels, 50))))


def _gentler(config: TrainingConfig) -> TrainingConfig:
    """What a trained detector goes on with."""
    iterations = max(1, round(0.3 * config.iterations))
    return replace(config, iterations=iterations, learning_rate=0.3 * config.learning_rate, warmup=0.05)


def _prepare(labels: Labels, held_out: Labels | None, start: Detector | None, config: TrainingConfig):
    if len(labels) == 0:
        raise LabelError("there are no labelled frames to train on; label some (see extract_frames)")
    if not np.isfinite(labels.points_2d).any():
        raise LabelError(f"none of the {len(labels)} frames has a labelled keypoint; there is nothing to learn")
    if start is not None and start.keypoints != labels.keypoints:
        unknown = sorted(set(labels.keypoints) - set(start.keypoints))
        if unknown:
            raise LabelError(
                f"the labels name keypoints {unknown} that the detector does not know: {start.keypoints};"
                " keep_keypoints=True adds them to its own, False trains the labels' keypoints alone"
            )
        labels = labels.select_keypoints(start.keypoints)
    if held_out is not None:
        return labels, held_out.select_keypoints(labels.keypoints), "held-out frames were given"
    return split_labels(labels, config.holdout, config.holdout_by)


def _names(labels: Labels, start: Detector, keep: bool | None) -> tuple[str, ...]:
    """The keypoints that a detector goes on with."""
    if keep is None:
        return start.keypoints
    return tuple(dict.fromkeys([*start.keypoints, *labels.keypoints])) if keep else labels.keypoints


def _scale(labels: Labels, config: TrainingConfig) -> float:
    if config.scale != "auto":
        return float(config.scale)
    return float(min(1.5, 0.65 * config.crop / animal_side(labels, 50)))


def _network(
    labels: Labels, weights, start: Detector | None, config: TrainingConfig, seed: int, bottom_up: bool
) -> Network:
    if start is not None:
        if start.config.network != config.network:
            raise DetectorError(f"start= is a {start.config.network!r} network, the options ask for {config.network!r}")
        network = copy.deepcopy(start.network).requires_grad_(True)
        if isinstance(network, PoseNet) and network.has_tags != bottom_up:
            network = network.add_tags() if bottom_up else network.remove_tags()
        return network
    network = build_network(config.network, len(labels.keypoints), seed, tags=bottom_up)
    if weights is not None:
        load_weights(network.features, weights, config.network)
    return network


def is_small_in_pictures(detector: Detector, labels: Labels) -> bool:
    """Whether a window around the animal covers less than a third of a picture (median over cameras).

    Never for a small network: finding the animal first would cost as much as the whole picture.
    """
    if detector.config.network in ("small", "template"):
        return False
    finder, shares = finder_of(detector, "fp32"), []
    for index in np.unique(labels.cameras, return_index=True)[1]:
        height, width = labels.image(index).shape[:2]
        side = finder.window_side(width, height)
        shares.append(side**2 / np.prod(finder.engine.whole_view(width, height)[1]) if side else 1.0)
    return bool(np.median(shares) < 1 / 3)


def _has_boxes(labels: Labels) -> bool:
    return bool(np.isfinite(box_labels(labels).points_2d).any())


def train_animal_detector(
    labels: Labels, config: TrainingConfig, start: Detector | None, seed: int, progress: bool
) -> Detector:
    """A small network that finds the animal's box in the whole picture, shrunk until the median animal is 32 pixels
    (see `boxes`). It needs little training: a place within a fifth of the animal will do."""
    boxes = box_labels(labels)
    if start is not None:
        return train(boxes, start=start, seed=seed, progress=progress, iterations=60, learning_rate=1e-3)
    small = shrunk_config(config, 200, min(_scale(labels, config), SIDE / animal_side(labels, 50)))
    return train(boxes, config=small, seed=seed, progress=progress)


def _freeze_early(network: Network) -> None:
    """The first layers of a pretrained backbone keep their weights, so that no gradient is carried through them, where
    pictures are largest."""
    backbone = getattr(network.features, "backbone", None)
    for part in backbone.early() if backbone is not None else ():
        part.requires_grad_(False)


def _freeze_norms(network: Network) -> None:
    """Pretrained normalisations keep their statistics: small batches of one scene would bias them."""
    backbone = getattr(network.features, "backbone", network.features)
    for module in backbone.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
