"""Fit the covariance head of a network to its own errors in the last part of a training."""

from __future__ import annotations

from collections import deque

import torch
from torch import Tensor

from ..inference.decoding import find_peaks
from ..inference.uncertainty import STUDENT_DOF
from ..networks.registry import Maps
from ..published_networks.published_network import Network
from .losses import is_inside

KEPT = 400  # latest batches that are remembered: 14 MB with 8 crops of 17 keypoints and 64 features
# of Adam: steps at most, crops in each, learning rate at first (it falls linearly to 0). Each of the
# 8 * `KEPT` crops is seen some 30 times
STEPS, CROPS, RATE = 1500, 64, 3e-3


class Residuals:
    """What the network saw at its peaks, and how far they lay from the labels (cells), in the latest batches.

    The spread is fitted to these at the end and not along with the other heads: while the points still move it would
    chase errors that the finished network no longer makes.
    """

    def __init__(self):
        self.seen: deque[Tensor] = deque(maxlen=KEPT)
        self.errors: deque[Tensor] = deque(maxlen=KEPT)

    @torch.no_grad()
    def note(self, network: Network, maps: Maps, points: Tensor) -> None:
        """Remember a batch; `points` (n, n_keypoints, 2) in cells, NaN where not labelled."""
        peaks = find_peaks(network, maps)
        inside = is_inside(points, *maps.logits.shape[-2:])
        self.seen.append(peaks.seen.cpu())
        self.errors.append(torch.where(inside[..., None], points - peaks.points, torch.nan).cpu())

    def fit(self, network: Network, n_batches: int, seed: int) -> None:
        """Fit the spread head of a network on the processor to the last half of `n_batches`, as far as it is kept."""
        if n_batches == 0 or not self.seen:
            return
        late = -(-n_batches // 2)
        seen, errors = torch.cat(list(self.seen)[-late:]), torch.cat(list(self.errors)[-late:])
        known = torch.isfinite(errors).all(-1)
        errors, random = torch.nan_to_num(errors), torch.Generator().manual_seed(seed)
        head = [*network.spread_hidden.parameters(), network.spread_weight, network.spread_bias]
        optimiser = torch.optim.AdamW(head, lr=RATE, weight_decay=1e-3)
        steps = min(2 * n_batches, STEPS)
        for i in range(steps):
            optimiser.param_groups[0]["lr"] = RATE * (1 - i / steps)
            batch = torch.randint(len(seen), (CROPS,), generator=random)
            loss = spread_loss(network.spread_at(seen[batch]), errors[batch])
            loss = (loss * known[batch]).sum() / known[batch].sum().clamp_min(1)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

    def state(self) -> dict[str, list[Tensor]]:
        return {"seen": list(self.seen), "errors": list(self.errors)}

    def restore(self, state: dict[str, list[Tensor]]) -> None:
        self.seen.extend(state["seen"])
        self.errors.extend(state["errors"])


def spread_loss(spread: Tensor, errors: Tensor) -> Tensor:
    """(n, n_keypoints) negative log likelihood of errors (n, n_keypoints, 2; cells) under a bivariate Student t.

    spread : (n, n_keypoints, 3) logs of the diagonal, and the lower entry, of the Cholesky factor of its scale matrix
    """
    log_diagonal = spread[..., :2].clamp(-6, 6)
    u = errors[..., 0] * torch.exp(-log_diagonal[..., 0])
    v = (errors[..., 1] - spread[..., 2] * u) * torch.exp(-log_diagonal[..., 1])
    tail = 0.5 * (STUDENT_DOF + 2) * torch.log1p((u**2 + v**2) / STUDENT_DOF)
    return log_diagonal.sum(-1) + tail
