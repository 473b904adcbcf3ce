"""The training loop, and its state on disk from which a killed training continues exactly."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from ...datasets.atomic_files import atomic_write
from ...formats.labels.labelled_frames import Labels
from ..inference.animal_boxes import BOX_KEYPOINTS, animal_side
from ..inference.animal_search import Finder
from ..inference.detector import DetectorError
from ..inference.engine import engine_of, use_bf16
from ..inference.evaluation import locate
from ..inference.runtimes import as_input
from ..networks.registry import PoseNet
from ..published_networks.published_network import Network
from ..training_config import TrainingConfig
from .animal_tags import animals_loss, joint_labels
from .covariance_head import Residuals
from .crops import Crops
from .losses import middles_loss, pose_loss


class Trainer:
    """Network, running mean of its weights, optimiser, and what was measured so far."""

    def __init__(
        self, network: Network, labels: Labels, held_out: Labels | None, config: TrainingConfig, scale: float, seed: int
    ):
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.bottom_up = isinstance(network, PoseNet) and network.has_tags
        # several animals in one map
        self.of_middles = network.n_keypoints < len(labels.keypoints) and not self.bottom_up
        self.network = network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.averaged = copy.deepcopy(self.network)
        self.means = [v for v in self.averaged.state_dict().values() if v.is_floating_point()]
        self.values = [v for v in self.network.state_dict().values() if v.is_floating_point()]
        self.labels, self.held_out, self.config, self.scale, self.seed = labels, held_out, config, scale, seed
        self.animal_side = animal_side(labels, 95)
        if self.bottom_up:
            self.labels = joint_labels(labels)
        n_aimed = network.n_keypoints if self.bottom_up else None
        self.crops = Crops(self.labels, config, scale, network.stride, seed, network.shift, n_aimed)
        groups = parameter_groups(network, config)
        self.optimiser = torch.optim.AdamW(groups, lr=config.learning_rate, fused=True)
        self.bf16 = use_bf16(network, config.precision, trains=True)
        self.residuals = Residuals()
        self.done = 0
        self.history: dict[str, Any] = {"loss": [], "iteration": [], "held_out": [], "seconds": 0.0, "running": None}
        self.best: dict[str, Tensor] | None = None

    def run(self, progress: bool, checkpoint: str | os.PathLike | None = None) -> None:
        """Train to the end (or until patience is exhausted); afterwards `averaged` holds the weights to keep."""
        config, began = self.config, time.perf_counter()
        checks = {round(config.iterations * (i + 1) / config.n_evaluations) for i in range(config.n_evaluations)}
        path = Path(checkpoint) if checkpoint is not None else None
        if path is not None and path.exists():
            self.resume(path)
        before = self.history["seconds"]
        of_animals = self.of_middles or self.labels.keypoints == BOX_KEYPOINTS
        what = "train the animal_detector" if of_animals else "train"
        bar = tqdm(total=config.iterations, initial=self.done, desc=what, unit="step", disable=not progress)
        for images, points in () if self._exhausted() else self.crops.batches(self.done):
            self._step(images, points)
            bar.update(1)
            if self.done in checks:
                bar.set_postfix_str(self._check())
                self.history["seconds"] = before + time.perf_counter() - began
                if path is not None:
                    self.save(path)
                if self._exhausted():
                    break
        bar.close()
        if self.best is not None:
            self.averaged.load_state_dict(self.best)
        self.averaged.to("cpu").eval()
        self.residuals.fit(self.averaged, self.done, self.seed)

    def _step(self, images: Tensor, points: Tensor) -> None:
        self.done += 1
        rate = one_cycle(self.done / self.config.iterations, self.config.warmup)
        for group in self.optimiser.param_groups:
            group["lr"] = group["peak"] * rate
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            maps = self.network(as_input(images.to(self.device)))
        points = points.to(self.device)
        if self.bottom_up:
            loss, maps, points = animals_loss(self.network, maps, points, self.config)  # type: ignore[arg-type]
        else:
            loss = (middles_loss if self.of_middles else pose_loss)(self.network, maps, points, self.config)
        counted = self.config.patience or self.done > self.config.iterations // 2  # earlier ones are not used
        if counted and not self.of_middles:  # middles have no covariance
            self.residuals.note(self.network, maps, points)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimiser.step()
        self._average()
        value, running = float(loss.detach()), self.history["running"]
        self.history["running"] = value if running is None else 0.95 * running + 0.05 * value

    @torch.no_grad()
    def _average(self) -> None:
        """Running mean of the weights, short at first so that the random beginning is forgotten."""
        decay = min(self.config.ema_decay, self.done / (self.done + 10.0))
        torch._foreach_lerp_(self.means, self.values, 1 - decay)  # type: ignore[attr-defined]

    def _check(self) -> str:
        """Evaluate; returns the text of the progress bar."""
        side = self.animal_side if self.bottom_up else np.inf
        finder = Finder(engine_of(self.averaged, self.scale), side, crop=self.config.crop, bottom_up=self.bottom_up)
        error, said = None, ""
        if self.held_out is not None:
            found = locate(finder, self.held_out).points
            error = float(np.nanmedian(np.linalg.norm(found - self.held_out.points_2d, axis=-1)))
            said = f", held-out median {error:.1f} px"
        earlier = [e for e in self.history["held_out"] if e is not None]
        if self.config.patience and error is not None and error < min(earlier, default=np.inf):
            self.best = copy.deepcopy(self.averaged.state_dict())
        self.history["iteration"].append(self.done)
        self.history["loss"].append(self.history["running"])
        self.history["held_out"].append(error)
        return f"loss {self.history['running']:.2f}{said}"

    def _exhausted(self) -> bool:
        """Whether the last `patience` checks brought nothing better."""
        errors = [e for e in self.history["held_out"] if e is not None]
        return (
            bool(self.config.patience and errors) and len(errors) - 1 - int(np.argmin(errors)) >= self.config.patience
        )

    def save(self, path: Path) -> None:
        """Write the state atomically."""
        state = {
            "fingerprint": self.fingerprint(),
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "best": self.best or {},
            "optimiser": self.optimiser.state_dict(),
            "history": json.dumps(self.history),
            "done": self.done,
            "residuals": self.residuals.state(),
        }
        with atomic_write(path) as partial:
            torch.save(state, partial)

    def resume(self, path: Path) -> None:
        """Go on from a saved state.

        Raises
        ------
        DetectorError : the file is damaged, or belongs to another training (other labels, options or seed)
        """
        try:
            state = torch.load(path, map_location=self.device, weights_only=True)
        except Exception as error:
            raise DetectorError(f"the checkpoint {path} cannot be read; delete it to train anew") from error
        if not isinstance(state, dict) or state.get("fingerprint") != self.fingerprint():
            raise DetectorError(
                f"the checkpoint {path} belongs to a training with other labels, options or seed; delete or rename it"
            )
        self.network.load_state_dict(state["network"])
        self.averaged.load_state_dict(state["averaged"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.best = state["best"] or None
        self.history, self.done = json.loads(state["history"]), int(state["done"])
        self.residuals.restore(state["residuals"])

    def fingerprint(self) -> str:
        """Hash of everything that decides how the training runs."""
        digest = hashlib.blake2b(digest_size=16)
        digest.update(json.dumps([self.config.as_dict(), self.scale, self.seed], sort_keys=True).encode())
        digest.update("\n".join(str(picture) for picture in self.labels.pictures).encode())
        digest.update(np.ascontiguousarray(self.labels.points_2d).tobytes())
        return digest.hexdigest()


def one_cycle(progress: float, warmup: float) -> float:
    """Fraction of the peak learning rate: up linearly, down as half a cosine (Smith 2018)."""
    if progress < warmup:
        return 0.05 + 0.95 * progress / warmup
    return float(0.5 * (1 + np.cos(np.pi * (progress - warmup) / (1 - warmup)))) + 1e-3


def parameter_groups(network: Network, config: TrainingConfig) -> list[dict]:
    """Biases and normalisations are not decayed; a pretrained backbone may learn more slowly than the rest."""
    backbone = getattr(network.features, "backbone", None)
    slow = {id(p) for p in backbone.parameters()} if backbone is not None else set()
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for parameter in (p for p in network.parameters() if p.requires_grad):
        groups.setdefault((id(parameter) in slow, parameter.ndim > 1), []).append(parameter)
    return [
        {
            "params": parameters,
            "weight_decay": config.weight_decay if decayed else 0.0,
            "peak": config.learning_rate * (config.backbone_lr_factor if in_trunk else 1.0),
        }
        for (in_trunk, decayed), parameters in groups.items()
    ]
