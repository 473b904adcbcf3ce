"""How a detector is trained: one frozen type, its fields are the options of `train`."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

HOLDOUT_KINDS = ("time", "video", "camera", "random")


@dataclass(frozen=True)
class Augmentation:
    """How training pictures are changed; probabilities are per picture.

    rotation (degrees, uniform in ±), zoom (factor, log-uniform in 1/zoom..zoom), shift (of the crop, in crop sides),
    anywhere (probability of a crop that ignores the animal), flip (only where left/right names are known),
    light (strength of brightness, contrast, gamma and colour changes), haze (log of the factor by which glare or dim
    light may lower the contrast), and probabilities of the degradations.
    """

    rotation: float = 25.0
    zoom: float = 1.25
    shift: float = 0.15
    anywhere: float = 0.1
    flip: float = 0.5
    light: float = 0.3
    haze: float = 0.9
    blur: float = 0.1
    motion: float = 0.1
    noise: float = 0.15
    jpeg: float = 0.1
    resolution: float = 0.05
    cutout: float = 0.2

    def __post_init__(self):
        if self.zoom < 1:
            raise ValueError(f"zoom is a factor of at least 1, got {self.zoom}")
        for name in ("anywhere", "flip", "blur", "motion", "noise", "jpeg", "resolution", "cutout"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a probability between 0 and 1, got {getattr(self, name)}")


@dataclass(frozen=True)
class Recipe:
    """Options of `train`.

    Parameters
    ----------
    network : one of `networks.NETWORKS`
    iterations, batch : optimiser steps and crops per step
    crop : side of the square training crops, network pixels (a multiple of 32)
    scale : network pixels per image pixel; "auto" shows the median animal on 0.65 of the crop's side, enlarging it
        by 1.5 at most: what is small in the picture is found more exactly in an enlarged one
    sigma : width of the target around a keypoint, network pixels
    learning_rate, weight_decay, warmup : AdamW with one cycle (peak rate; warmup as a fraction of the iterations)
    trunk_rate : factor of the learning rate of a pretrainable trunk
    freeze : leave the first layers of a pretrained trunk as they are (edges and blobs): faster
    holdout : fraction of the frames kept out of training to measure error and calibrate uncertainty
    holdout_by : "time" (blocks of each recording), "video", "camera" or "random" (neighbouring frames leak)
    checks : how often the held-out error is measured along the way
    patience : stop after this many checks without improvement and keep the best; 0: never
    average : decay of the running mean of the weights that is kept; 0: the last weights
    likelihood : of the locations: "softmax" (a keypoint is in one place) or "bernoulli" (each cell a coin)
    unlabelled : weight with which a keypoint left unlabelled counts as not visible; 0: it says nothing
    precision : of training: "auto" (bf16 where it is faster), "fp32" or "bf16"
    hard_negatives : fraction of crops that, in the second half, are placed on false peaks found on training frames
    looks : in how many ways each window is looked at in prediction, turned and mirrored as training turned and mirrored
        its pictures; their median is closer (see benchmarks/README.md), each look costs as much as the first
    locator : train a small second network that finds the animal's box in the shrunk picture, so that the network looks
        at a window only; "auto": where that window is less than a third of the picture and the network not small itself

    Raises
    ------
    ValueError : a value outside its range
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
    trunk_rate: float = 1.0
    freeze: bool = True
    holdout: float = 0.1
    holdout_by: str = "time"
    checks: int = 4
    patience: int = 0
    average: float = 0.98
    likelihood: str = "softmax"
    unlabelled: float = 0.3
    precision: str = "auto"
    hard_negatives: float = 0.0
    looks: int = 1
    locator: bool | str = "auto"
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self):
        if isinstance(self.augmentation, dict):
            object.__setattr__(self, "augmentation", _from_options(Augmentation, self.augmentation))
        for name in ("iterations", "batch", "crop", "checks", "looks"):
            if int(getattr(self, name)) != getattr(self, name) or getattr(self, name) < 1:
                raise ValueError(f"{name} must be a whole number of at least 1, got {getattr(self, name)}")
        if self.crop % 32:
            raise ValueError(f"crop must be a multiple of 32, got {self.crop}")
        if self.scale != "auto" and not (isinstance(self.scale, (int, float)) and 0 < self.scale <= 4):
            raise ValueError(f'scale must be "auto" or a factor between 0 and 4, got {self.scale!r}')
        if not 0 <= self.holdout < 1:
            raise ValueError(f"holdout is a fraction below 1, got {self.holdout}")
        if self.holdout_by not in HOLDOUT_KINDS:
            raise ValueError(f"holdout_by must be one of {HOLDOUT_KINDS}, got {self.holdout_by!r}")
        if self.likelihood not in ("softmax", "bernoulli"):
            raise ValueError(f'likelihood must be "softmax" or "bernoulli", got {self.likelihood!r}')
        if not (isinstance(self.locator, bool) or self.locator == "auto"):
            raise ValueError(f'locator must be true, false or "auto", got {self.locator!r}')
        if self.precision not in ("auto", "fp32", "bf16"):
            raise ValueError(f'precision must be "auto", "fp32" or "bf16", got {self.precision!r}')

    @classmethod
    def from_options(cls, options: dict[str, Any], base: Recipe | None = None) -> Recipe:
        """A recipe from keyword options (as in a session's ``[train]``), starting from `base`.

        Raises
        ------
        ValueError : an option does not exist
        """
        if base is None:
            base = _PRESETS.get(options.get("network", ""), cls())
        return _from_options(cls, options, base)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


# What a network is trained with unless told otherwise; the small one is for minutes on two cores, from random weights.
_PRESETS = {
    "small": Recipe(
        network="small",
        iterations=700,
        crop=192,
        sigma=4.0,
        learning_rate=3e-3,
        augmentation=Augmentation(
            rotation=10.0,
            zoom=1.15,
            shift=0.12,
            anywhere=0.05,
            flip=0.0,
            light=0.2,
            haze=0.2,
            blur=0.03,
            motion=0.03,
            noise=0.05,
            jpeg=0.03,
            resolution=0.0,
            cutout=0.05,
        ),
    ),
    "template": Recipe(network="template", likelihood="bernoulli", learning_rate=1e-2, weight_decay=1e-2),
}


def _from_options(kind: type, options: dict[str, Any], base: Any = None) -> Any:
    known = [f.name for f in fields(kind)]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ValueError(f"training has no options {unknown}; known: {known}")
    return replace(base, **options) if base is not None else kind(**options)
