"""How several animals of a picture are told apart by a detector: by windows around their middles, or by tags."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...formats.labels.labelled_frames import Labels
from ..inference.animal_boxes import labelled_boxes
from ..inference.detector import Detector, DetectorError
from ..published_networks.published_network import PublishedNet
from ..training_config import TrainingConfig

# share of the labelled animals whose middle lies in another's box above which several are found bottom-up: top-down is
# better where it is 0.03 to 0.07 (drawn cats that pass each other), bottom-up where it is 0.72 (that run side by side)
DENSE = 0.3


def with_grouping(
    config: TrainingConfig, labels: Labels, start: Detector | None, inherited: bool
) -> tuple[TrainingConfig, str]:
    """The configuration for several animals in a picture, with the way in which they are told apart; and why that one.

    inherited : whether the way is that of `start`, not asked for

    Raises
    ------
    DetectorError : bottom-up is asked of a network that another program trained
    """
    foreign = start is not None and isinstance(start.network, PublishedNet)
    if config.grouping == "bottom_up" and foreign:
        raise DetectorError(
            "grouping is 'bottom_up', but start= is a network of another program, which has no tags; use 'top_down'"
        )
    share, why = share_that_meets(labels), "as the detector that start= gives" if inherited else "as asked for"
    if config.grouping == "auto":
        chosen = "bottom_up" if share > DENSE and not foreign else "top_down"
        config = replace(config, grouping=chosen)
        why = f"the middle of {share:.0%} of the labelled animals lies in another's box (above {DENSE:.0%}: bottom_up)"
    if config.grouping == "top_down":
        # the animal that is asked for is the one in the middle of the crop
        middle = replace(config.augmentation, shift=min(config.augmentation.shift, 0.05), p_random_crop=0.0)
        config = replace(config, augmentation=middle)
    return config, f"{config.grouping}: {why}"


def share_that_meets(labels: Labels) -> float:
    """Share of the labelled animals whose middle lies in the box of another animal of the picture."""
    low, high = labelled_boxes(labels)
    middles, known = (low + high) / 2, np.asarray(np.isfinite(low).all(-1))
    meets = [
        any(((low[b] < middles[a]) & (middles[a] < high[b])).all() for b in own if b != a)
        for own in labels.entries.values()
        for a in own
        if known[a]
    ]
    return float(np.mean(meets)) if meets else 0.0
