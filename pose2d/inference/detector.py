"""A trained detector: the network and everything needed to use it, in one file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ...datasets.atomic_files import atomic_write
from ...datasets.object_summaries import counted, html_summary, listed
from ..networks.registry import PoseNet, build_network
from ..published_networks.published_network import Network, PublishedNet, build_published
from ..training_config import TrainingConfig
from .animal_boxes import MIDDLE
from .uncertainty import Uncertainty

FORMAT = "muybridge detector 4"
_ANIMAL_DETECTOR = "animal_detector."


class DetectorError(ValueError):
    """A detector file or its use that cannot be; the message names it."""


@dataclass(frozen=True, eq=False)
class Detector:
    """A trained network for all cameras, with everything needed to apply it.

    Parameters
    ----------
    network : PoseNet or PublishedNet
        The network in evaluation mode; the second is one that another program trained.
    keypoints : tuple of str
        Names in the order of the network's maps.
    config : TrainingConfig
        How it was trained.
    scale : float
        Network pixels per image pixel.
    animal_side : float, image pixels
        95th percentile of the larger side of the labelled animal's box.
    uncertainty : Uncertainty
        Calibration of confidence and covariance.
    symmetries : tuple of (str, str)
        Left and right keypoints.
    history : dict
        Iterations, loss and held-out error along the training.
    animal_detector : Detector, optional
        A detector of the animal's box that places the window; None: the whole picture is searched.
    box : (float, float, float, float), image pixels, optional
        The part of every picture that is shown to a network of a fixed input size, as x, y, width and height; None:
        the animal is searched for.
    n_animals : int
        The most animals in one picture of its training.

    See Also
    --------
    train : Makes a detector.
    load_detector : Reads one from a file, also of other programs.

    Examples
    --------
    >>> detector = load_detector("detector.safetensors")
    >>> detector.keypoints
    ('nose', 'ear_left', 'ear_right', 'tail')
    """

    network: Network
    keypoints: tuple[str, ...]
    config: TrainingConfig
    scale: float
    animal_side: float
    uncertainty: Uncertainty
    symmetries: tuple[tuple[str, str], ...] = ()
    history: Mapping[str, Any] = field(default_factory=dict)
    animal_detector: Detector | None = None
    box: tuple[float, float, float, float] | None = None
    n_animals: int = 1

    def __repr__(self) -> str:
        n_iterations = max(self.history.get("iteration", ()), default=0)
        return (
            f"<Detector: {counted(len(self.keypoints), 'keypoint')} ({listed(self.keypoints)}),"
            f" network {self.config.network}, trained for {counted(n_iterations, 'iteration')}{self._several()}>"
        )

    def _several(self) -> str:
        """How several animals are found, and why so."""
        if not self.finds_several:
            return ""
        return f", {self.n_animals} animals {self.history.get('grouping', 'top_down')}"

    def _repr_html_(self) -> str:
        found = self.animal_detector
        held_out = [error for error in self.history.get("held_out", ()) if error is not None]
        rows = (
            ("held-out error at the end of the training (px)", held_out[-1] if held_out else None),
            ("network pixels per image pixel", self.scale),
            ("larger side of the animal, 95th percentile (px)", self.animal_side),
            ("windows are placed by", "the whole picture is searched" if found is None else found.config.network),
            ("copies of a window at test time", self.config.n_tta),
            ("left and right", ", ".join(f"{left} / {right}" for left, right in self.symmetries) or None),
        )
        return html_summary(repr(self), ("", "value"), rows)

    @property
    def finds_several(self) -> bool:
        """Whether it finds several animals in a picture, top-down or bottom-up."""
        return self.bottom_up or (self.animal_detector is not None and self.animal_detector.keypoints == (MIDDLE,))

    @property
    def bottom_up(self) -> bool:
        """Whether all animals' keypoints are found in the whole picture and grouped, not one animal's in a window."""
        return isinstance(self.network, PoseNet) and self.network.has_tags

    def save(self, path: str | os.PathLike) -> Path:
        """Write the detector to one file, atomically.

        Parameters
        ----------
        path : str or os.PathLike
            A .safetensors file: the weights, and all else as JSON in its header.

        Returns
        -------
        pathlib.Path
            The file written.
        """
        path = Path(path)
        header, weights = _contents(self)
        with atomic_write(path) as partial:
            save_file(weights, partial, metadata={"muybridge": json.dumps({"format": FORMAT} | header)})
        return path


def _contents(detector: Detector) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Everything but the weights, for JSON, and the weights by name."""
    header: dict[str, Any] = {
        "keypoints": list(detector.keypoints),
        "config": detector.config.as_dict(),
        "scale": detector.scale,
        "animal_side": detector.animal_side,
        "uncertainty": detector.uncertainty.as_dict(),
        "symmetries": [list(pair) for pair in detector.symmetries],
        "history": dict(detector.history),
    }
    header |= {"n_animals": detector.n_animals} if detector.n_animals > 1 else {}
    if isinstance(detector.network, PublishedNet):
        header |= {"published": detector.network.spec, "box": detector.box}
    weights = {name: value.contiguous().cpu() for name, value in detector.network.state_dict().items()}
    if detector.animal_detector is not None:
        header["animal_detector"], found = _contents(detector.animal_detector)
        weights |= {f"{_ANIMAL_DETECTOR}{name}": value for name, value in found.items()}
    return header, weights


def read_detector(path: Path) -> Detector:
    """A detector that `Detector.save` wrote; nothing in the file is executed.

    Raises
    ------
    DetectorError : the file is missing, damaged, of another version, or no detector of this library
    """
    if not path.is_file():
        raise DetectorError(f"there is no detector file {path}; train one first")
    try:
        with safe_open(str(path), framework="pt") as file:
            header = json.loads((file.metadata() or {}).get("muybridge", "null"))
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except (SafetensorError, OSError, json.JSONDecodeError) as error:
        raise DetectorError(f"{path} cannot be read as a detector ({error}); train or copy it again") from error
    if isinstance(header, dict) and header.get("format") != FORMAT:
        raise DetectorError(f"{path} is a detector of another version of this library; train it again")
    if not isinstance(header, dict):
        raise DetectorError(f"{path} is no detector of this library (weights go to train(..., weights=...))")
    return _assemble(header, weights, path)


def _assemble(header: dict[str, Any], weights: dict[str, Tensor], path: Path) -> Detector:
    """The detector of a file's contents, see `_contents`."""
    animal_detector = None
    if "animal_detector" in header:
        nested = {name: value for name, value in weights.items() if name.startswith(_ANIMAL_DETECTOR)}
        weights = {name: value for name, value in weights.items() if name not in nested}
        nested = {name.removeprefix(_ANIMAL_DETECTOR): value for name, value in nested.items()}
        animal_detector = _assemble(header["animal_detector"], nested, path)
    config = TrainingConfig.from_options(header["config"])
    if "published" in header:
        network = build_published(header["published"], weights)
    else:
        network = build_network(config.network, len(header["keypoints"]), tags="tag_weight" in weights)
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise DetectorError(f"{path} holds weights that do not fit network {config.network!r}: {error}") from error
    return Detector(
        network.eval(),
        tuple(header["keypoints"]),
        config,
        header["scale"],
        header["animal_side"],
        Uncertainty.from_dict(header["uncertainty"]),
        tuple((a, b) for a, b in header["symmetries"]),
        header["history"],
        animal_detector,
        tuple(header["box"]) if header.get("box") else None,
        header.get("n_animals", 1),
    )
