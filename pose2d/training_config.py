"""Options of the training: one frozen type whose fields are the options of `train`."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from ..datasets.names import nearest

# values of the options that name a way
CHOICES = {
    "holdout_by": ("time", "video", "camera", "random"),
    "loss": ("softmax", "bce"),
    "precision": ("auto", "fp32", "bf16"),
    "grouping": ("auto", "top_down", "bottom_up"),
}


@dataclass(frozen=True)
class Augmentation:
    """How training pictures are changed at random; probabilities are per picture.

    Parameters
    ----------
    rotation : float, degrees
        Largest rotation; uniform between minus and plus this.
    zoom : float
        Largest factor of the size; log-uniform between 1 / zoom and zoom.
    shift : float
        Largest shift of the crop against the animal, in sides of the crop.
    p_random_crop : float
        Probability of a crop anywhere in the picture instead of around the animal.
    flip : float
        Probability of a mirrored picture; only where left and right keypoints are known.
    color_jitter : float
        Strength of the changes of brightness, contrast, gamma and colour.
    contrast : float
        Natural logarithm of the largest factor by which the contrast is lowered, as by glare or dim light.
    blur : float
        Probability of a defocused picture.
    motion : float
        Probability of motion blur.
    noise : float
        Probability of sensor noise.
    jpeg : float
        Probability of compression artefacts.
    resolution : float
        Probability of a lower resolution.
    cutout : float
        Probability of a rectangle that hides part of the picture.

    Raises
    ------
    ValueError
        If a probability lies outside 0 to 1 or `zoom` is below 1.

    Examples
    --------
    >>> Augmentation(rotation=180.0, flip=0.0).rotation
    180.0
    """

    rotation: float = 25.0
    zoom: float = 1.25
    shift: float = 0.15
    p_random_crop: float = 0.1
    flip: float = 0.5
    color_jitter: float = 0.3
    contrast: float = 0.9
    blur: float = 0.1
    motion: float = 0.1
    noise: float = 0.15
    jpeg: float = 0.1
    resolution: float = 0.05
    cutout: float = 0.2

    def __post_init__(self):
        if self.zoom < 1:
            raise ValueError(f"zoom is a factor of at least 1, got {self.zoom}")
        for name in ("p_random_crop", "flip", "blur", "motion", "noise", "jpeg", "resolution", "cutout"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a probability between 0 and 1, got {getattr(self, name)}")


@dataclass(frozen=True)
class TrainingConfig:
    """How a detector is trained: the options of `train`.

    Parameters
    ----------
    network : str
        Architecture: "mobilenet_v2", "efficientnet_b0", "efficientnet_lite0", "resnet50", "resnet101", "unet", "small"
        or "template".
    iterations : int
        Optimiser steps.
    batch : int
        Crops per step.
    crop : int, network pixels
        Side of the square training crops, a multiple of 32.
    scale : float or "auto"
        Network pixels per image pixel. "auto" shows the median animal on 0.65 of the crop's side, enlarged by 1.5 at
        most: a small animal is located more exactly in an enlarged picture.
    sigma : float, network pixels
        Standard deviation of the target around a keypoint.
    learning_rate : float
        Peak rate of AdamW with one cycle.
    weight_decay : float
        Weight decay of AdamW.
    warmup : float
        Fraction of the iterations in which the rate rises to its peak.
    backbone_lr_factor : float
        Factor of the learning rate of a pretrained backbone.
    freeze : bool
        Keep the first layers of a pretrained backbone (edges and blobs) as they are, which is faster.
    holdout : float
        Fraction of the frames kept out of training to measure the error and to calibrate the uncertainty.
    holdout_by : {"time", "video", "camera", "random"}
        Whether blocks of each recording, whole recordings, whole cameras or single frames are held out. Single frames
        have near copies among the training frames, so that their error is too small.
    n_evaluations : int
        How often the held-out error is measured during training.
    patience : int
        Stop after this many evaluations without improvement and keep the best weights; 0: never.
    ema_decay : float
        Decay of the exponential moving average of the weights that is kept; 0: the last weights.
    loss : {"softmax", "bce"}
        Of the locations: cross-entropy over all cells (a keypoint is in one place) or binary cross-entropy per cell.
    unlabelled : float
        Weight with which a keypoint without a label counts as absent; 0: it is ignored.
    precision : {"auto", "fp32", "bf16"}
        Of training; "auto" takes bfloat16 where it is faster.
    n_tta : int
        Test-time augmentation: number of rotated and mirrored copies of each window whose median is the prediction.
        Each copy costs one more pass. Without effect with the grouping "bottom_up", which reads no windows.
    animal_detector : bool or "auto"
        Train a small second network that finds the animal's box in the shrunk picture, so that the keypoint network
        sees a window only. "auto": where the window covers less than a third of the picture and `network` is not small.
    grouping : {"auto", "top_down", "bottom_up"}
        How several animals are found: the middle of each, then its keypoints in a window around it; or all keypoints
        in the whole picture, grouped to animals by tags that the network learns. "auto": by how often the labelled
        animals meet. Without meaning for one animal.
    augmentation : Augmentation
        Random changes of the training pictures.

    Raises
    ------
    ValueError
        If a value lies outside its range.

    Examples
    --------
    >>> config = TrainingConfig.from_options({"network": "small", "iterations": 300})
    >>> config.iterations, config.crop
    (300, 192)
    """

    network: str = "mobilenet_v2"
    iterations: int = 1000
    batch: int = 8
    crop: int = 256
    scale: float | str = "auto"
    sigma: float = 5.0
    learning_rate: float = 1.5e-3
    weight_decay: float = 1e-3
    warmup: float = 0.15
    backbone_lr_factor: float = 1.0
    freeze: bool = True
    holdout: float = 0.1
    holdout_by: str = "time"
    n_evaluations: int = 4
    patience: int = 0
    ema_decay: float = 0.98
    loss: str = "softmax"
    unlabelled: float = 0.3
    precision: str = "auto"
    n_tta: int = 1
    animal_detector: bool | str = "auto"
    grouping: str = "auto"
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self):
        if isinstance(self.augmentation, dict):
            object.__setattr__(self, "augmentation", _from_options(Augmentation, self.augmentation))
        for name in ("iterations", "batch", "crop", "n_evaluations", "n_tta"):
            if int(getattr(self, name)) != getattr(self, name) or getattr(self, name) < 1:
                raise ValueError(f"{name} must be a whole number of at least 1, got {getattr(self, name)}")
        if self.crop % 32:
            raise ValueError(f"crop must be a multiple of 32, got {self.crop}")
        if self.scale != "auto" and not (isinstance(self.scale, (int, float)) and 0 < self.scale <= 4):
            raise ValueError(f'scale must be "auto" or a factor between 0 and 4, got {self.scale!r}')
        if not 0 <= self.holdout < 1:
            raise ValueError(f"holdout is a fraction below 1, got {self.holdout}")
        for name, known in CHOICES.items():
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {known}, got {getattr(self, name)!r}")
        if not (isinstance(self.animal_detector, bool) or self.animal_detector == "auto"):
            raise ValueError(f'animal_detector must be true, false or "auto", got {self.animal_detector!r}')

    @classmethod
    def from_options(cls, options: dict[str, Any], base: TrainingConfig | None = None) -> TrainingConfig:
        """A configuration from keyword options, as in a session's ``[train]``.

        Parameters
        ----------
        options : dict
            Names and values of fields; `augmentation` may be a dict of the fields of `Augmentation`.
        base : TrainingConfig, optional
            Where the other fields come from; None: the preset of the network.

        Returns
        -------
        TrainingConfig
            The configuration with these options.

        Raises
        ------
        ValueError
            If an option does not exist; the message names the nearest.
        """
        if base is None:
            base = _PRESETS.get(options.get("network", ""), cls())
        return _from_options(cls, options, base)

    def as_dict(self) -> dict[str, Any]:
        """All fields as plain values.

        Returns
        -------
        dict
            {name: value}; `augmentation` is a dict, too.
        """
        return asdict(self)


# What a network is trained with unless told otherwise; the small one is for minutes on two cores, from random weights.
_PRESETS = {
    "small": TrainingConfig(
        network="small",
        iterations=700,
        crop=192,
        sigma=4.0,
        learning_rate=3e-3,
        augmentation=Augmentation(
            rotation=10.0,
            zoom=1.15,
            shift=0.12,
            p_random_crop=0.05,
            flip=0.0,
            color_jitter=0.2,
            contrast=0.2,
            blur=0.03,
            motion=0.03,
            noise=0.05,
            jpeg=0.03,
            resolution=0.0,
            cutout=0.05,
        ),
    ),
    "template": TrainingConfig(network="template", loss="bce", learning_rate=1e-2, weight_decay=1e-2),
}


def _from_options(kind: type, options: dict[str, Any], base: Any = None) -> Any:
    known = [f.name for f in fields(kind)]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ValueError(f"training has no option '{unknown[0]}'{nearest(unknown[0], known)}; known: {known}")
    return replace(base, **options) if base is not None else kind(**options)
