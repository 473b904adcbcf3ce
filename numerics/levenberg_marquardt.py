"""Minimise a cost by damped Gauss-Newton steps (Levenberg 1944, Marquardt 1963).

The unknowns, their equations and the cost are the caller's: `linearise` returns the cost at a state and the function
that makes a step of a given damping. The damping is relative to the diagonal of the
normal equations.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

import numpy as np

State = TypeVar("State")

_FIRST = 1e-4  # damping of the first step: almost Gauss-Newton, since every caller starts near the minimum
_FACTOR = 10.0  # Marquardt's factor between one damping and the next
_LEAST = 1e-12  # below this a double does not feel the damping
_LEAST_REGULAR = 1e-6  # where singular equations lead at least: smaller dampings leave them singular in doubles
_TRIES = 12  # from the least damping to 0.1: where steps that short lower nothing, the rest is round-off


class Linearised(NamedTuple, Generic[State]):
    """The cost of a state, and what leads on from there.

    step(damping) -> (state, cost), or raises numpy.linalg.LinAlgError where the damped equations are singular;
    comparable: whether the cost function was the same in the iteration before (weights and scales at rest): only then
    a small gain means that the minimum is reached.
    """

    cost: float
    step: Callable[[float], tuple[State, float]]
    comparable: bool = True


class Minimum(NamedTuple, Generic[State]):
    """The last state, whether the steps died out before the iterations were used up, and how many these were."""

    state: State
    converged: bool
    n_iterations: int


def minimise_with_damping(
    start: State,
    linearise: Callable[[State], Linearised[State]],
    *,
    max_iterations: int,
    tolerance: float,
    damping: float = _FIRST,
) -> Minimum[State]:
    """From `start` to the nearest minimum; ends at a relative gain below `tolerance`, or where no step lowers the cost.

    A step is taken only if it lowers the cost: the damping, `damping` at first, then falls, else it is raised and the
    step tried again.
    """
    state = start
    for iteration in range(1, max_iterations + 1):
        lower, gain, damping = _lower(linearise(state), damping)
        if lower is None:
            return Minimum(state, True, iteration)
        state = lower
        if gain < tolerance:
            return Minimum(state, True, iteration)
    return Minimum(state, False, max_iterations)


def _lower(here: Linearised[State], damping: float) -> tuple[State | None, float, float]:
    """A state of lower cost or None, its relative gain (infinite if not comparable), the damping to go on with."""
    for _ in range(_TRIES):
        try:
            state, cost = here.step(damping)
        except np.linalg.LinAlgError:
            damping = max(_FACTOR * damping, _LEAST_REGULAR)
            continue
        if cost < here.cost:
            gain = (here.cost - cost) / here.cost if here.comparable else np.inf
            return state, gain, max(damping / _FACTOR, _LEAST)
        damping *= _FACTOR
    return None, 0.0, damping
